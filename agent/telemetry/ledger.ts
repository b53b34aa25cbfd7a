import { imbalance, type Ledger } from "../api/status.ts";

const COLUMNS = ["read", "created", "filtered", "delivered", "rejected", "lost", "queued"] as const;
/** Columns worth a place only where somebody has something in them. */
const OPTIONAL: ReadonlySet<string> = new Set(["created", "rejected"]);

/**
 * The ledger as a table, a line per output, with its balance: `read + created = filtered + delivered + rejected + lost + queued`.
 * Empty without outputs; no newline at its end.
 */
export function formatLedger(outputs: readonly { readonly alias: string; readonly ledger: Ledger }[]): string {
  if (outputs.length === 0) return "";
  const columns = COLUMNS.filter((c) => !OPTIONAL.has(c) || outputs.some(({ ledger }) => ledger[c] !== 0));
  const rows = [
    ["output", ...columns, "balance"],
    ...outputs.map(({ alias, ledger }) => [alias, ...columns.map((c) => number(ledger[c])), balance(ledger)]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const last = widths.length - 1;
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 || i === last ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function balance(ledger: Ledger): string {
  const off = imbalance(ledger);
  if (off === 0) return "ok";
  return off > 0 ? `${number(off)} unaccounted for` : `${number(-off)} counted twice`;
}

function number(n: number): string {
  return n.toLocaleString("en-US");
}
