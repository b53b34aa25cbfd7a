import type { LetterView } from "../../agent/api/operate.ts";
import { clock, count, plural } from "./format.ts";
import { Scroll } from "./scroll.tsx";
import { visible } from "./text.ts";

export const keyOfLetter = ({ output, id }: LetterView): string => `${output} ${id}`;

interface Props {
  readonly letter: LetterView;
  readonly now: string;
  readonly chosen: boolean;
  readonly toggle: () => void;
}

export function Letter({ letter, now, chosen, toggle }: Props) {
  const { output, time, reason, attempts, tag, path, offset, original, encoding, id } = letter;
  const at = clock(time, now, true);
  return (
    <li>
      <label class="pick">
        <input
          type="checkbox"
          checked={chosen}
          onChange={toggle}
          aria-label={`Choose the letter to ${output} of ${at}`}
        />
      </label>
      <details>
        <summary>
          <time dateTime={time}>{at}</time> <b>{output}</b> <span class="why">{visible(reason)}</span>
        </summary>
        <p class="facts">
          {plural(attempts, "attempt")} · tag {visible(tag)}
          {path !== null && (
            <>
              {" "}
              · <bdi>{visible(path)}</bdi>, byte {count(offset)}
            </>
          )}{" "}
          · id <code>{id}</code>
          {encoding === "base64" && " · not UTF-8, shown as base64"}
        </p>
        <Scroll kind="written" label="The entry as it was written">
          <pre>{visible(original)}</pre>
        </Scroll>
      </details>
    </li>
  );
}
