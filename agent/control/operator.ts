/** Who asked the agent for something, and the audit entry that says so. */

export interface Operator {
  readonly actor: string;
  /** `socket`, `http 10.0.0.7`, `signal`, `file`, `command`. */
  readonly from: string;
}

export const OPERATOR_TAG = "audit.operator";

export interface OperatorAction {
  /** `reload`, `output.pause`, `dead_letters.replay`, … */
  readonly action: string;
  readonly operator: Operator;
  /** What it was done to, and how much. */
  readonly details: Readonly<Record<string, unknown>>;
  /** A sentence. */
  readonly message: string;
}

/** As the normalised view reads it. `now` is milliseconds since the epoch. */
export function operatorEntry({ action, operator, details, message }: OperatorAction, now: number): object {
  return {
    timestamp: new Date(now).toISOString(),
    level: "info",
    event: `agent.operator.${action}`,
    actor: operator.actor,
    source: operator.from,
    message,
    details,
  };
}

/** A name that somebody gives himself: short, and one line. */
export function cleanName(name: string | undefined): string | undefined {
  const clean = name
    ?.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "")
    .trim()
    .slice(0, 64);
  return clean === "" ? undefined : clean;
}
