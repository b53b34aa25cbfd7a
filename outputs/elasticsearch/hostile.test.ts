/** Answers that lie, servers that are none, and entries made to do harm. */
import { connect, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { entries } from "../../test/contract/records.ts";
import { actions, batchOf, free, output, start, write } from "../../test/fakes/elasticsearch-output.ts";

test.each([
  ["one item too few", '{"errors":false,"items":[{"create":{"status":201}}]}'],
  ["no items", '{"errors":true}'],
  ["cut JSON", '{"errors":false,"items":[{"create":{"status":201}},'],
  ["nothing", ""],
  ["another document", '{"acknowledged":true}'],
])("an answer of %s is not believed", async (_, text) => {
  const fake = await start();
  const out = await output({ url: fake.url });
  fake.answerBulk({ status: 200, text });
  await expect(write(out, [batchOf(entries(2))])).rejects.toThrow(/answer/);
  expect(await write(out, [batchOf(entries(2))], true)).toEqual({});
  expect(fake.documents).toHaveLength(2);
});

test("a proxy's page with status 200 is not believed", async () => {
  const fake = await start();
  fake.fail("login_page");
  const out = await output({ url: fake.url });
  await expect(write(out, [batchOf(entries(2))])).rejects.toThrow(/not come from Elasticsearch/);
  await expect(out.probe(new AbortController().signal)).rejects.toThrow(/not come from Elasticsearch/);
});

test("what a data stream put into its failure store is refused, not delivered", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, data_stream: "audit" });
  fake.answerBulk({
    status: 200,
    text: '{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201,"failure_store":"used"}}]}',
  });
  const { failed } = await write(out, [batchOf(entries(2))]);
  expect([...failed!]).toEqual([[1, { action: "reject", reason: expect.stringContaining("failure store") }]]);
});

test("what one shard cannot take at once is halved, once nothing else is left of it", async () => {
  const fake = await start();
  const out = await output({ url: fake.url });
  const reason = "rejected execution of primary operation [primary_operation_bytes=3600044, max_primary_bytes=1048576]";
  const busy = { create: { status: 429, error: { type: "es_rejected_execution_exception", reason } } };
  const items = (...list: object[]) => ({ status: 200, text: JSON.stringify({ errors: true, items: list }) });
  fake.answerBulk(items(busy, { create: { status: 201 } }), items(busy, busy));
  expect(actions(await write(out, [batchOf(entries(2))]))).toEqual([[0, "retry"]]);
  expect(await write(out, [batchOf(entries(2))])).toEqual({ refused: expect.stringContaining("3600044") });
});

test("names of too many levels travel as text, with their time", async () => {
  const fake = await start();
  const out = await output({ url: fake.url });
  const name = "b.".repeat(3_000);
  const line = `{"timestamp":"2026-02-01T10:00:00Z","@timestamp":"own","${name}":"é"}`;
  const batch = batchOf([line, '{"a.b":1}']);
  expect(await write(out, [batch])).toEqual({});
  expect(JSON.parse(fake.get("audit-logs-2026.02.01", batch.id(0))!.source)).toEqual({
    message: line,
    parse_error: "names of more than 1000 levels, which would end the server",
    "@timestamp": "2026-02-01T10:00:00Z",
  });
  // A reinstalled agent finds it the same.
  expect(await write(out, [batch])).toEqual({ repeated: 2 });
});

test.each([
  [{ api_key: "c2VjcmV0LWlkOnNlY3JldC1rZXk=" }, "ApiKey c2VjcmV0LWlkOnNlY3JldC1rZXk="],
  [{ bearer: "top-secret-token" }, "top-secret-token"],
  [{ username: "u", password: "top-secret" }, `top-secret Basic ${Buffer.from("u:top-secret").toString("base64")}`],
])("an answer that repeats %j does not get into any reason", async (options, echo) => {
  const fake = await start();
  const out = await output({ url: fake.url, ...options });
  const text = JSON.stringify({ error: { type: "x", reason: `cannot let in ${echo}` } });
  const reasons: unknown[] = [];
  for (const answer of [
    { status: 401, text },
    { status: 403, text: `<html>you sent ${echo}</html>` },
    { status: 500, text },
    { status: 200, text: `you sent ${echo}` },
    {
      status: 200,
      text: `{"errors":true,"items":[{"create":${JSON.stringify({ status: 400, ...JSON.parse(text) })}}]}`,
    },
  ]) {
    fake.answerBulk(answer);
    reasons.push(
      await write(out, [batchOf(entries(1))]).then(
        (result) => JSON.stringify({ ...result, failed: [...(result.failed ?? [])] }),
        String,
      ),
    );
  }
  expect(reasons.every((reason) => String(reason).includes("[secret]"))).toBe(true);
  for (const secret of echo.split(" ").filter((word) => word.length > 6)) expect(reasons.join()).not.toContain(secret);
});

test("a refusal counts by its status, however large it is and wherever it ends", async () => {
  const page = `<html>${"x".repeat(5_000_000)}</html>`;
  const answers = [
    `HTTP/1.1 413 Too Large\r\ncontent-length: ${page.length}\r\n\r\n${page}`,
    // Cut off in the middle.
    "HTTP/1.1 413 Too Large\r\ncontent-length: 1000\r\n\r\n<html>",
    "HTTP/1.1 413 Too Large\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nxxx",
  ];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(answers.shift()!));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => void server.close());
  const out = await output({ url: `http://127.0.0.1:${(server.address() as { port: number }).port}` });
  while (answers.length > 0) {
    expect(await write(out, [batchOf(entries(1))])).toEqual({ refused: expect.stringMatching(/^HTTP 413/) });
  }
});

test("where an answer was lost in a reset, the server is asked before the next body is sent", async () => {
  const fake = await start({ maxBytes: 100_000 });
  let broken = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    if (broken++ === 0) return void socket.once("data", () => socket.resetAndDestroy());
    const onward = connect(fake.port, "127.0.0.1").on("error", () => {});
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => void server.close());
  const out = await output({ url: `http://127.0.0.1:${(server.address() as { port: number }).port}` });
  const large = (from: number) => [batchOf(entries(5_000, from, "x".repeat(1_500)), { offset: from * 1e4 })];
  await expect(write(out, large(0))).rejects.toThrow(/closed/);
  expect(await write(out, large(0), true)).toEqual({ refused: expect.stringContaining("HTTP 413") });
  expect(await write(out, [batchOf(entries(10))])).toEqual({});
  expect(fake.requests.map(({ headers }) => headers.expect)).toEqual(["100-continue", undefined]);

  // It was an outage and not its size: nothing is asked any more.
  const roomy = await start();
  broken = 0;
  fake.port = roomy.port;
  const other = await output({ url: `http://127.0.0.1:${(server.address() as { port: number }).port}` });
  await expect(write(other, large(0))).rejects.toThrow(/closed/);
  for (const from of [0, 5_000]) expect(await write(other, large(from), true)).toEqual({});
  expect(roomy.requests.map(({ headers }) => headers.expect)).toEqual(["100-continue", undefined]);
  expect(roomy.documents).toHaveLength(10_000);
});

test("a server that does not know the question is sent the body all the same", async () => {
  let connections = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    if (connections++ === 0) return void socket.once("data", () => socket.resetAndDestroy());
    let text = "";
    socket.setEncoding("latin1").on("data", (more: string) => {
      text += more;
      const [, length] = /content-length: (\d+)\r\n/i.exec(text) ?? [];
      if (length === undefined || text.length < text.indexOf("\r\n\r\n") + 4 + Number(length)) return;
      const answer = '{"errors":false,"items":[{"create":{"status":201}}]}';
      const head = `HTTP/1.1 200 OK\r\nx-elastic-product: Elasticsearch\r\ncontent-length: ${answer.length}`;
      socket.write(`${head}\r\ncontent-type: application/json\r\n\r\n${answer}`);
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => void server.close());
  const out = await output({ url: `http://127.0.0.1:${(server.address() as { port: number }).port}` });
  const large = [batchOf(entries(1, 0, "x".repeat(8_000_000)))];
  await expect(write(out, large)).rejects.toThrow(/closed/);
  expect(await write(out, large, true)).toEqual({});
  await out.close();
});

test("a node that was never reached is no reason to believe in a repeat", async () => {
  const fake = await start();
  const batch = batchOf(entries(1));
  fake.put({ index: "audit-logs-2026.02.01", id: batch.id(0), source: '{"forged":true}' });
  const dead = [await free(), await free(), await free()];
  const out = await output({ url: [...dead, fake.url] });
  for (let i = 0; i < 3; i++) {
    const { failed } = await write(out, [batch]);
    expect(failed?.get(0)).toMatchObject({ action: "reject", reason: expect.stringMatching(/^id_collision/) });
  }
});
