/** Files that are not what they seem, beside a healthy one that goes on. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, rename, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { AgentProcess } from "./harness/agent.ts";
import { healthOf, logOf, stopOf } from "./harness/observe.ts";
import { linesOf, Scene } from "./harness/scene.ts";

/** What the log says of a file: `change: reason` each. */
function toldOf(agent: AgentProcess, path: string): string[] {
  return logOf(agent, "file")
    .filter((line) => line.path === path)
    .map(({ change, reason }) => `${change}: ${reason ?? ""}`);
}

async function told(agent: AgentProcess, path: string, pattern: RegExp): Promise<void> {
  await agent.until(`${pattern} of ${path}`, () => toldOf(agent, path).some((text) => pattern.test(text)));
}

/** As many documents as expected, and these texts, whatever their order. */
async function arrive(agent: AgentProcess, scene: Scene, expected: readonly string[]): Promise<void> {
  await agent.until("all of it", () => scene.elasticsearch.documents.length >= expected.length);
  expect(linesOf(scene.elasticsearch).sort()).toEqual([...expected].sort());
}

test("a FIFO, a socket, a symbolic link and a directory named like logs are refused by name; the healthy file goes on", async () => {
  const scene = await Scene.start();
  const { workspace } = scene;
  const config = await scene.configure();
  await scene.append("logs/healthy.jsonl", 10);
  const path = (name: string) => workspace.path("logs", name);
  expect(spawnSync("mkfifo", [path("fifo.jsonl")]).status).toBe(0);
  await writeFile(workspace.path("secret"), '{"event":"secret"}\n');
  await symlink(workspace.path("secret"), path("link.jsonl"));
  await symlink(workspace.path("nowhere"), path("dangling.jsonl"));
  await mkdir(path("directory.jsonl"));
  const server = createServer().listen(path("socket.jsonl"));
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const agent = AgentProcess.run(config);
  await told(agent, path("fifo.jsonl"), /^refused: it is a FIFO/);
  await told(agent, path("socket.jsonl"), /^refused: it is a socket/);
  await told(agent, path("link.jsonl"), /^refused: it is a symbolic link/);
  await told(agent, path("dangling.jsonl"), /^refused: it is a symbolic link/);
  await told(agent, path("directory.jsonl"), /^refused: it is a directory/);
  await scene.append("logs/healthy.jsonl", 10);
  await scene.allArrive(agent);
  for (const name of ["fifo.jsonl", "socket.jsonl", "link.jsonl", "dangling.jsonl", "directory.jsonl"])
    expect(toldOf(agent, path(name)), "once is enough").toHaveLength(1);
  expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 20, delivered: 20, lost: 0, queued: 0 } });
});

test("refused things that become files, and a file that becomes a FIFO and a file again", async () => {
  const scene = await Scene.start();
  const { workspace } = scene;
  const path = workspace.path("logs/a.jsonl");
  await mkdir(path, { recursive: true });
  const agent = AgentProcess.run(await scene.configure());
  await told(agent, path, /^refused: it is a directory/);
  await rename(path, workspace.path("aside"));
  await scene.append("logs/a.jsonl", 5);
  await scene.allArrive(agent);
  await rename(path, workspace.path("aside.jsonl"));
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
  await told(agent, path, /^refused: it is a FIFO/);
  await rename(path, workspace.path("aside.fifo"));
  await scene.append("logs/a.jsonl", 5);
  await scene.allArrive(agent);
  expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 10, delivered: 10, lost: 0 } });
});

test("an unreadable file is named, tried again and read once it may be; the healthy file goes on", async (context) => {
  // Root may read everything, but for what `setpriv` takes from it.
  const root = process.getuid?.() === 0;
  const through = root ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] : [];
  if (root && spawnSync("setpriv", [...through.slice(1), "true"]).status !== 0) {
    process.stderr.write("NOT RUN: unreadable files; root reads everything, and there is no setpriv to change that\n");
    context.skip("root reads everything, and there is no setpriv to change that");
  }
  const scene = await Scene.start();
  const { workspace } = scene;
  const config = await scene.configure();
  await scene.append("logs/locked.jsonl", 5);
  await chmod(workspace.path("logs/locked.jsonl"), 0);
  await scene.append("logs/healthy.jsonl", 5);
  const agent = new AgentProcess(["run", "--config", config], {}, { through });
  await told(agent, workspace.path("logs/locked.jsonl"), /^unreadable: .*EACCES/);
  const { status, ready, problems } = await healthOf(agent);
  expect({ status, ready }).toEqual({ status: "degraded", ready: true });
  expect(problems).toEqual([
    expect.stringMatching(/^input tail: degraded since \S+: cannot read \S+locked.jsonl: .*EACCES/),
  ]);
  await scene.append("logs/healthy.jsonl", 5);
  await agent.until("the healthy one", () => scene.elasticsearch.documents.length === 10);
  await chmod(workspace.path("logs/locked.jsonl"), 0o600);
  await scene.allArrive(agent);
  await told(agent, workspace.path("logs/locked.jsonl"), /^readable/);
  expect(await healthOf(agent)).toMatchObject({ status: "ok", problems: [] });
  expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 15, delivered: 15, lost: 0 } });
});

const HEADER = '{"timestamp":"2026-02-01T09:00:00Z","event":"session.start","id":"header"}';

test("files that share a first line are files of their own, each read whole, also after a restart", async () => {
  const scene = await Scene.start();
  const { workspace } = scene;
  const config = await scene.configure();
  const names = ["a.jsonl", "b.jsonl", "c.jsonl"];
  for (const name of names) {
    await workspace.write(`logs/${name}`, `${HEADER}\n`);
    await scene.append(`logs/${name}`, 5);
  }
  const first = AgentProcess.run(config);
  const headers = [HEADER, HEADER, HEADER];
  await arrive(first, scene, [...headers, ...scene.written]);
  await stopOf(first);
  for (const name of names) await scene.append(`logs/${name}`, 5);
  const second = AgentProcess.run(config);
  await arrive(second, scene, [...headers, ...scene.written]);
  expect(await stopOf(second)).toMatchObject({ elasticsearch: { read: 33, delivered: 33, lost: 0 } });
});

test.each(["running", "stopped"])(
  "an edited copy in a file's place while the agent is %s: said, and read whole",
  async (when) => {
    const scene = await Scene.start();
    const { workspace } = scene;
    const path = workspace.path("logs/audit.jsonl");
    const config = await scene.configure();
    await workspace.write("logs/audit.jsonl", `${HEADER}\n`);
    await scene.append("logs/audit.jsonl", 5);
    await scene.append("logs/healthy.jsonl", 5);
    let agent = AgentProcess.run(config);
    await arrive(agent, scene, [HEADER, ...scene.written]);
    if (when === "stopped") await stopOf(agent);
    const edited = [
      HEADER,
      '{"timestamp":"2026-02-01T10:00:00Z","event":"edited","id":"edited"}',
      ...scene.written.slice(1, 5),
    ];
    await workspace.write("edited", edited.map((line) => `${line}\n`).join(""));
    const before = [...scene.written];
    await rename(workspace.path("edited"), path);
    if (when === "stopped") agent = AgentProcess.run(config);
    await told(agent, path, /^rolled_back/);
    await arrive(agent, scene, [HEADER, ...before, ...edited]);
    await scene.append("logs/audit.jsonl", 5);
    await scene.append("logs/healthy.jsonl", 5);
    await arrive(agent, scene, [HEADER, ...edited, ...scene.written]);
    expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 27, delivered: 27, lost: 0 } });
  },
);

test("copytruncate with the same header line: the copy is not sent again, what follows the header is", async () => {
  const scene = await Scene.start();
  const { workspace } = scene;
  const path = workspace.path("logs/app.jsonl");
  const agent = AgentProcess.run(await scene.configure({ input: { path: "logs/app.jsonl*" } }));
  const headers: string[] = [];
  for (let round = 1; round <= 4; round++) {
    await workspace.write("logs/app.jsonl", `${HEADER}\n`);
    headers.push(HEADER);
    await scene.append("logs/app.jsonl", 5 * round);
    await arrive(agent, scene, [...headers, ...scene.written]);
    for (let n = round - 1; n >= 1; n--) await rename(`${path}.${n}`, `${path}.${n + 1}`);
    await copyFile(path, `${path}.1`);
    await truncate(path);
  }
  const { elasticsearch } = await stopOf(agent);
  expect(elasticsearch).toMatchObject({ read: 54, delivered: 54, lost: 0, queued: 0 });
  expect(toldOf(agent, path).join()).toMatch(/truncated/);
});

test("a folder made after the start: its files are noticed at once, not only by a rescan", async () => {
  const scene = await Scene.start();
  const agent = AgentProcess.run(await scene.configure());
  await agent.logged(/reads tail and writes to/);
  // Rescans are ten seconds apart: three files in a row cannot all be found by one.
  for (let i = 0; i < 3; i++) {
    await scene.append(`logs/${i}.jsonl`, 5);
    await scene.allArrive(agent, 6000);
  }
  expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 15, delivered: 15, lost: 0, queued: 0 } });
});
