import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../agent/api/clock.ts";
import type { Output } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { until } from "../../test/contract/lane.ts";
import { batchOf } from "../../test/contract/records.ts";
import { FakeSyslog } from "../../test/fakes/syslog.ts";
import definition from "./index.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(protocol: "tcp" | "relp" = "tcp"): Promise<FakeSyslog> {
  const fake = await FakeSyslog.start({ protocol });
  closing.push(() => fake.stop());
  return fake;
}

async function output(options: Record<string, unknown>): Promise<Output> {
  const parsed = definition.options.parse({ protocol: "tcp", ...options });
  const fields = new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]);
  const context = { alias: "s", node: "n", version: "0", clock: systemClock, fields, emit: () => undefined };
  const made = await definition.create(parsed, context);
  closing.push(() => made.close());
  return made;
}

const write = (out: Output, line: string) =>
  out.write([batchOf([line])], { id: "p", repeat: false }, AbortSignal.timeout(10_000));
const seen = (fake: FakeSyslog, text: string) => fake.messages.filter((message) => message.includes(text)).length;

test("what was sent lately is sent again when the connection breaks, without a further write", async () => {
  const fake = await start();
  const out = await output({ host: "127.0.0.1", port: fake.port });
  await write(out, '{"n":"first"}');
  await until("it arrived", () => seen(fake, "first") === 1);
  await fake.restart();
  await until("it came again", () => seen(fake, "first") === 2);
});

test("where the first server is down the next one is used", async () => {
  const [first, second] = [await start(), await start()];
  const out = await output({ host: [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`] });
  await write(out, '{"n":"one"}');
  await until("the first has it", () => seen(first, "one") === 1);
  await first.stop();
  await until("the write goes through", () =>
    write(out, '{"n":"two"}').then(
      () => true,
      () => false,
    ),
  );
  await until("the second has it", () => seen(second, "two") > 0);
});

test("RELP: what is not acknowledged is not delivered", async () => {
  const fake = await start("relp");
  const out = await output({ host: "127.0.0.1", port: fake.port, protocol: "relp" });
  await write(out, '{"n":"one"}');
  await fake.fail("hang");
  const stop = new AbortController();
  const waiting = out.write([batchOf(['{"n":"two"}'])], { id: "p", repeat: false }, stop.signal);
  stop.abort(new Error("too long"));
  await expect(waiting).rejects.toThrow("too long");
});
