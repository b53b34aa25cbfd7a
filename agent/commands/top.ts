/** `audit-agent top`: the running agent, live. */
import { setTimeout as delay } from "node:timers/promises";
import type { LettersView, PauseDone, PipelineView } from "../api/operate.ts";
import { askAgent } from "./ask.ts";
import type { AgentClient } from "./client.ts";
import { type CommandContext, EXIT, messageOf } from "./context.ts";
import type { PlaceFlags } from "./place.ts";
import type { Key, Screen } from "./screen.ts";
import { statusReport } from "./status-report.ts";
import { advance, begin, render, type TopState } from "./top-view.ts";

const AGAIN_MS = 1_000;
const MOST_LETTERS = 100;

export function top(flags: PlaceFlags, context: CommandContext): Promise<number> {
  return askAgent(flags, context, async (agent) => {
    // Where none runs nothing is drawn at all.
    const view = await agent.get<PipelineView>("/api/pipeline");
    const screen = context.screen?.();
    if (screen === undefined) {
      context.out(statusReport(view, context.terminal));
      context.err("This is no terminal: the status once, as audit-agent status prints it.\n");
      return EXIT.fine;
    }
    try {
      await new Top(agent, screen, context.terminal.colours, view).run();
    } finally {
      screen.close();
    }
    return EXIT.fine;
  });
}

class Top {
  readonly #agent: AgentClient;
  readonly #screen: Screen;
  readonly #colours: boolean;
  readonly #stop = new AbortController();
  #state: TopState;

  constructor(agent: AgentClient, screen: Screen, colours: boolean, view: PipelineView) {
    this.#agent = agent;
    this.#screen = screen;
    this.#colours = colours;
    this.#state = begin(view);
  }

  async run(): Promise<void> {
    this.#screen.onResize(() => this.#draw());
    this.#screen.onKey((key) => this.#press(key));
    this.#draw();
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let why = "it has ended";
      try {
        for await (const { event, data } of this.#agent.events("/api/events", signal)) {
          if (event === "pipeline") this.#change(advance(this.#state, JSON.parse(data) as PipelineView));
        }
      } catch (error) {
        why = messageOf(error);
      }
      if (signal.aborted) return;
      this.#say(`Nothing is heard of the agent: ${why}; looking for it again`, true);
      await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #draw(): void {
    this.#screen.draw(render(this.#state, this.#screen.size(), this.#colours));
  }

  #change(state: TopState): void {
    this.#state = state;
    if (!this.#stop.signal.aborted) this.#draw();
  }

  #say(message: string, gone = this.#state.gone): void {
    this.#change({ ...this.#state, message, gone });
  }

  #press(key: Key): void {
    const { mode, selected, view } = this.#state;
    const output = view.outputs[selected];
    if (mode.is === "confirm") {
      this.#change({ ...this.#state, mode: { is: "pipeline" }, message: undefined });
      if (key === "y") void this.#pause(mode.alias, mode.pause);
      return;
    }
    if (key === "q") {
      this.#stop.abort();
      return;
    }
    if (mode.is === "letters") {
      if (key === "d" || key === "escape")
        this.#change({ ...this.#state, mode: { is: "pipeline" }, message: undefined });
      return;
    }
    if (key === "up" || key === "down") {
      const last = Math.max(0, view.outputs.length - 1);
      const next = key === "up" ? Math.max(0, selected - 1) : Math.min(last, selected + 1);
      this.#change({ ...this.#state, selected: next, message: undefined });
      return;
    }
    if (output === undefined) return;
    if (key === "p") {
      const pause = !output.paused;
      this.#change({ ...this.#state, mode: { is: "confirm", alias: output.alias, pause }, message: undefined });
    }
    if (key === "d") void this.#letters(output.alias);
  }

  async #pause(alias: string, pause: boolean): Promise<void> {
    try {
      await this.#agent.post<PauseDone>(`/api/outputs/${encodeURIComponent(alias)}/${pause ? "pause" : "resume"}`);
      this.#say(pause ? `${alias} is paused` : `${alias} goes on`);
    } catch (error) {
      this.#say(messageOf(error));
    }
  }

  async #letters(alias: string): Promise<void> {
    this.#change({ ...this.#state, mode: { is: "letters", alias, page: undefined }, message: undefined });
    try {
      const query = `output=${encodeURIComponent(alias)}&limit=${MOST_LETTERS}`;
      const page = await this.#agent.get<LettersView>(`/api/dead-letters?${query}`);
      const { mode } = this.#state;
      // Somebody may have gone back meanwhile.
      if (mode.is === "letters" && mode.alias === alias) this.#change({ ...this.#state, mode: { ...mode, page } });
    } catch (error) {
      this.#change({ ...this.#state, mode: { is: "pipeline" } });
      this.#say(messageOf(error));
    }
  }
}
