/** What an operator can have a running agent do: pause, resume, send dead letters again or discard them, look on. */
import { execFile } from "node:child_process";
import { chmod, constants, copyFile, stat } from "node:fs/promises";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { LettersView, PipelineView } from "../../agent/api/operate.ts";
import { AgentProcess } from "./harness/agent.ts";
import { addressOf, ask, healthOf, stopOf, tokenOf, viewOf } from "./harness/observe.ts";
import { linesOf, Scene } from "./harness/scene.ts";

const user = (scene: Scene) => linesOf(scene.elasticsearch).filter((line) => !line.includes("agent.operator"));
const told = (scene: Scene) => {
  const events = linesOf(scene.elasticsearch).map((line) => JSON.parse(line) as { event?: string });
  return events.filter(({ event }) => event?.startsWith("agent.operator."));
};

test("a paused output waits, says who paused it, and loses nothing", async () => {
  const scene = await Scene.start();
  const agent = AgentProcess.run(await scene.configure({ outputs: [scene.output({ alias: "main" })] }));
  await scene.append("logs/a.jsonl", 10);
  await agent.until("the first", () => user(scene).length === 10);
  expect(await (await ask(agent, "/api/outputs/main/pause", {})).json()).toEqual({ alias: "main", paused: true });
  await scene.append("logs/a.jsonl", 10);
  await agent.until("the backlog", async () => (await viewOf(agent)).outputs[0]!.backlog.records === 11);
  const health = await healthOf(agent);
  expect(health.status).toBe("degraded");
  expect(health.problems.join()).toContain("paused by token (http 127.0.0.1)");
  expect((await viewOf(agent)).outputs[0]).toMatchObject({ paused: true, state: "blocked" });
  expect(user(scene)).toHaveLength(10);
  await ask(agent, "/api/outputs/main/resume", {});
  await agent.until("all of it", () => user(scene).length === 20 && told(scene).length === 2);
  expect(told(scene).map(({ event }) => event)).toEqual([
    "agent.operator.output.pause",
    "agent.operator.output.resume",
  ]);
  expect((await ask(agent, "/api/outputs/nobody/pause", {})).status).toBe(404);
  expect(await stopOf(agent)).toMatchObject({ main: { read: 20, created: 2, delivered: 22, queued: 0 } });
});

test("`open --print` knows the address also where the system chose the port", async () => {
  const scene = await Scene.start();
  const config = await scene.configure({ outputs: [scene.output({ alias: "main" })] });
  const agent = AgentProcess.run(config);
  const address = await addressOf(agent);
  const open = new AgentProcess(["open", "--print", "--config", config]);
  expect(await open.exited).toEqual({ code: 0, signal: null });
  expect(open.stdout).toBe(`${address}/#token=${tokenOf(agent)}\n`);
  await stopOf(agent);
});

test("paused, it stops at once when told to stop, and goes on at the next start", async () => {
  const scene = await Scene.start();
  const config = await scene.configure({ outputs: [scene.output({ alias: "main" })] });
  const agent = AgentProcess.run(config);
  await agent.logged(/reads tail and writes to/);
  await ask(agent, "/api/outputs/main/pause", {});
  await scene.append("logs/a.jsonl", 10);
  await agent.until("the backlog", async () => (await viewOf(agent)).outputs[0]!.backlog.records === 11);
  expect(await stopOf(agent)).toMatchObject({ main: { queued: 11 } });
  const again = AgentProcess.run(config);
  await again.until("all of it", () => user(scene).length === 10);
  await stopOf(again);
});

test("dead letters: shown, sent again to their output alone, discarded; each action on record", async () => {
  const scene = await Scene.start({ refuse: "poison" });
  const refusing = { name: "file", alias: "other", path: "archive/%Y.jsonl", format: "original" };
  const outputs = [scene.output({ alias: "main" }), refusing];
  const filters = [{ name: "metadata", match: "*", add: { where: "here" } }];
  const agent = AgentProcess.run(await scene.configure({ outputs, filters }));
  scene.elasticsearch.fail("refused");
  await scene.append("logs/a.jsonl", 8);
  const [poisoned] = await scene.append("logs/a.jsonl", 2, "poison");
  await agent.until("two dead letters", async () => (await viewOf(agent)).dead_letters.records === 2);
  const letters = (await (await ask(agent, "/api/dead-letters")).json()) as LettersView;
  expect(letters).toMatchObject({ total: 2, next: null });
  expect(letters.letters[0]).toMatchObject({ output: "main", encoding: "utf8", tag: "audit" });
  expect(letters.letters[0]!.original).toBe(poisoned);
  scene.elasticsearch.heal();
  const [first, last] = letters.letters;
  const replay = await ask(agent, "/api/dead-letters/replay", { output: "main", ids: [first!.id] });
  expect(await replay.json()).toEqual({ records: 1, left: 0 });
  await agent.until("it to arrive", () => user(scene).some((line) => line.includes("poison")));
  const arrived = scene.elasticsearch.documents.find(({ source }) => source.includes("poison"))!;
  expect(arrived.id).toBe(first!.id);
  expect(arrived.source).toContain('"where":"here"');
  const discard = await ask(agent, "/api/dead-letters/discard", { output: "main" });
  expect(await discard.json()).toEqual({ records: 1, left: 0 });
  const after = (await (await ask(agent, "/api/dead-letters")).json()) as LettersView;
  expect(after).toEqual({ letters: [], next: null, total: 0 });
  await agent.until("the records of it", () => told(scene).length === 2);
  expect(user(scene)).toHaveLength(9);
  expect(user(scene).some((line) => line.includes(last!.id))).toBe(false);
  const ledgers = await stopOf(agent);
  expect(ledgers).toMatchObject({
    main: { read: 10, created: 3, delivered: 11, rejected: 2, queued: 0 },
    other: { read: 10, created: 2, queued: 0 },
  });
});

test("a letter that is refused again is a dead letter again", async () => {
  const scene = await Scene.start({ refuse: "poison" });
  const agent = AgentProcess.run(await scene.configure({ outputs: [scene.output({ alias: "main" })] }));
  scene.elasticsearch.fail("refused");
  await scene.append("logs/a.jsonl", 4);
  await scene.append("logs/a.jsonl", 1, "poison");
  await agent.until("a dead letter", async () => (await viewOf(agent)).dead_letters.records === 1);
  await ask(agent, "/api/dead-letters/replay", { all: true });
  await agent.until("it is back", async () => {
    const { outputs, dead_letters } = await viewOf(agent);
    return outputs[0]!.ledger.rejected === 2 && dead_letters.records === 1;
  });
  await stopOf(agent);
});

test("the socket in the data directory: for the agent's user alone, without a token", async () => {
  const scene = await Scene.start();
  const config = await scene.configure({ service: { http: undefined }, outputs: [scene.output({ alias: "main" })] });
  const agent = AgentProcess.run(config);
  await agent.logged(/reads tail and writes to/);
  const socketPath = join(dirname(config), "data", "agent.sock");
  expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
  const view = await new Promise<PipelineView>((resolve, reject) => {
    const sent = request({ socketPath, path: "/api/pipeline", agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve(JSON.parse(body) as PipelineView));
    });
    sent.on("error", reject).end();
  });
  expect(view).toMatchObject({ ready: true, outputs: [{ alias: "main" }], pid: agent.pid });
  await stopOf(agent);
  await expect(stat(socketPath)).rejects.toThrow("ENOENT");
});

// Only root can become somebody else.
test.skipIf(process.getuid?.() !== 0)(
  "another user of the machine gets no further than health checks and metrics",
  async () => {
    const scene = await Scene.start();
    const config = await scene.configure({ outputs: [scene.output({ alias: "main" })] });
    await chmod(dirname(config), 0o755);
    const agent = AgentProcess.run(config);
    await agent.logged(/reads tail and writes to/);
    const address = await addressOf(agent);
    const data = join(dirname(config), "data");
    const program = `
    const { request } = require("node:http");
    const { readFileSync } = require("node:fs");
    const ask = (options) => new Promise((resolve) => {
      const sent = request(options, (response) => resolve(response.resume().statusCode));
      sent.on("error", ({ code }) => resolve(code)).end();
    });
    (async () => {
      const socketPath = ${JSON.stringify(join(data, "agent.sock"))};
      let token = "none";
      try { token = readFileSync(${JSON.stringify(join(data, "http-token"))}, "utf8"); } catch ({ code }) { token = code; }
      const paths = ["/metrics", "/healthz", "/health", "/api/pipeline", "/api/events"];
      const answers = await Promise.all(paths.map((path) => ask(${JSON.stringify(address)} + path)));
      const pause = await ask({ ...new URL(${JSON.stringify(address)}), host: "127.0.0.1", port: ${new URL(address).port}, method: "POST", path: "/api/outputs/main/pause" });
      console.log(JSON.stringify([token, await ask({ socketPath, path: "/api/pipeline" }), ...answers, pause]));
    })();`;
    // Its Node must lie where it may look.
    const node = join(dirname(config), "node");
    await copyFile(process.execPath, node, constants.COPYFILE_FICLONE);
    await chmod(node, 0o755);
    const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", node, "-e", program];
    const { stdout } = await promisify(execFile)("setpriv", nobody, { cwd: "/", env: { PATH: "/usr/bin:/bin" } });
    expect(JSON.parse(stdout)).toEqual(["EACCES", "EACCES", 200, 200, 401, 401, 401, 401]);
    expect((await viewOf(agent)).outputs[0]!.paused).toBe(false);
    await stopOf(agent);
  },
);

test("the live tail: what is asked for, as it comes, and how things are each second", async () => {
  const scene = await Scene.start();
  const agent = AgentProcess.run(await scene.configure({ outputs: [scene.output({ alias: "main" })] }));
  await agent.logged(/reads tail and writes to/);
  const answer = await ask(agent, "/api/events?entries=1&text=%22id%22:4");
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  let text = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body!) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (text.includes("event: entry") && text.split("event: pipeline").length > 2) return;
    }
  })();
  await agent.until("the stream", () => text.includes("event: pipeline"));
  await scene.append("logs/a.jsonl", 10);
  await reading;
  const entries = text.split("\n\n").filter((event) => event.startsWith("event: entry\n"));
  expect(entries).toHaveLength(1);
  expect(JSON.parse(entries[0]!.split("data: ")[1]!)).toMatchObject({
    tag: "audit",
    input: "tail",
    offset: expect.any(Number),
  });
  expect(text).toContain("event: log\n");
  await agent.until("all", () => user(scene).length === 10);
  await stopOf(agent);
});
