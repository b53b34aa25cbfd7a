/** Which files are the dashboard's chain, and in which order. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/**
 * The orders in which the files may have been written, the likeliest first: by modification time, as the reference takes them; then by name,
 * as copying loses the times (`audit-D.HHMMSS.jsonl` is older than `audit-D.jsonl`, and sorts before it). Undefined where there is no directory.
 */
export async function dashboardOrders(directory: string): Promise<string[][] | undefined> {
  let names: string[];
  try {
    names = (await readdir(directory)).filter((name) => name.startsWith("audit-") && name.endsWith(".jsonl")).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      return { path, written: (await stat(path, { bigint: true })).mtimeNs };
    }),
  );
  const byTime = files.toSorted((a, b) => (a.written < b.written ? -1 : a.written > b.written ? 1 : 0));
  return [byTime, files].map((order) => order.map(({ path }) => path));
}
