/** Severities of entries (RFC 5424, 6.2.1), finer than the four levels of the view where their writers say more. */
import { Level, levelOf, levelOfNumber } from "../../agent/api/view-level.ts";

const INFO = 6;
export const WARNING = 4;
const ERROR = 3;
const CRITICAL = 2;

const OF_LEVEL = new Map<number, number>([
  [Level.debug, 7],
  [Level.info, INFO],
  [Level.warning, WARNING],
  [Level.error, ERROR],
]);
/** Words for what lies between and above the levels. */
const OF_WORD = new Map([
  ["notice", 5],
  ...["critical", "crit", "fatal"].map((name) => [name, CRITICAL] as const),
  ["alert", 1],
  ...["emerg", "emergency", "panic"].map((name) => [name, 0] as const),
]);

/** Of one of the view's levels. */
export function severityOf(level: number): number {
  return OF_LEVEL.get(level) ?? INFO;
}

/** Of what the writer wrote for the level, best first: the first text that names one counts, as in the view. */
export function writtenSeverity(...texts: readonly (string | undefined)[]): number | undefined {
  for (const text of texts) {
    if (text === undefined) continue;
    const number = /^\d/.test(text) ? Number(text) : undefined;
    const level = number === undefined ? levelOf(text) : levelOfNumber(number);
    if (level === Level.none) continue;
    const exact = number === undefined ? OF_WORD.get(text.trim().toLowerCase()) : ofNumber(number);
    return exact ?? severityOf(level);
  }
  return undefined;
}

/** 0 to 7 are severities themselves; 60 is pino's and bunyan's fatal. */
function ofNumber(number: number): number | undefined {
  if (number <= 7) return Math.floor(number);
  return number >= 60 ? CRITICAL : undefined;
}

/** Actions the dashboard's forwarder warns of. */
const SECURITY = new Set(["delete", "kill", "stop", "login", "logout", "create_token", "revoke_token"]);

export function isSecurityAction(action: string | undefined): boolean {
  return action !== undefined && SECURITY.has(action);
}

/** A JSON token that is false, null, or zero to Python, however it is written: 0.0, -0, 0e5, 1e-400. */
export function isFalse(buffer: Buffer, start: number, end: number): boolean {
  const first = buffer[start]!;
  if (first === 0x66 || first === 0x6e) return true;
  const number = first === 0x2d || (first >= 0x30 && first <= 0x39);
  return number && Number(buffer.toString("latin1", start, end)) === 0;
}
