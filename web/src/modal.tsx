import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  readonly kind: "confirm" | "details";
  /** Id of its heading. */
  readonly titled: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}

/** A dialog for as long as it is in the page. */
export function Modal({ kind, titled, close, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const gone = useRef(false);
  useLayoutEffect(() => {
    const element = dialog.current!;
    element.showModal();
    // Closed before it is taken out: only then the focus goes back to where it was.
    return () => {
      gone.current = true;
      element.close();
    };
  }, []);
  return (
    <dialog ref={dialog} class={kind} aria-labelledby={titled} onClose={() => gone.current || close()}>
      {children}
    </dialog>
  );
}
