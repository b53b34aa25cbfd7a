import type { Scheme } from "../scheme.ts";
import type { Ranges } from "./check.ts";
import { type Limits, type Range, type Scanned, Scanner } from "./scan.ts";
import type { Text } from "./text.ts";

/** Checks ranges one after the other, here. */
export class InThisThread implements Ranges {
  readonly depth = 0;
  readonly #limits: Limits;
  #scanner: { readonly of: Scheme; readonly scanner: Scanner } | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  async scan(scheme: Scheme, text: Text, range: Range): Promise<Scanned> {
    return this.scanHere(scheme, text, range);
  }

  scanHere(scheme: Scheme, text: Text, range: Range): Scanned {
    if (this.#scanner?.of !== scheme) this.#scanner = { of: scheme, scanner: new Scanner(scheme, this.#limits) };
    return this.#scanner.scanner.scan(text, range);
  }

  async close(): Promise<void> {}
}
