#!/usr/bin/env node
// Syntax of Node 12 and no static import of the agent: an old runtime must get far enough to say that it is too old.
import { existsSync, statSync } from "node:fs";
import * as module from "node:module";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";

/** 24.5: the first whose connection pools know of proxies. */
const NEEDED = [24, 5];

/**
 * How much the heap may grow between full collections, in percent of what is alive. Buffers count as growth, and a batch is little else:
 * left to itself V8 marks the whole heap for every 15 MB that are read (measured on the main job: an eighth more CPU).
 */
const HEAP_GROWTH = 150;

/**
 * Where compiled code may be kept between starts: a folder of this user's own. Node's default is below the shared /tmp, where another user
 * could plant code first; and a HOME that belongs to somebody else (`sudo -E`) is no better.
 */
function cacheFolder() {
  const home = process.env.HOME;
  try {
    if (!home || !process.getuid || statSync(home).uid !== process.getuid()) return undefined;
  } catch (_error) {
    return undefined;
  }
  return join(home, ".cache", "audit-agent");
}

function start() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
    process.stderr.write(
      `audit-agent needs Node.js ${NEEDED.join(".")} or newer; this is ${process.versions.node} (${process.execPath})\n`,
    );
    process.exitCode = 2;
    return;
  }
  process.title = "audit-agent";
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`);
  // The space for young objects stays at its first size. Most of what a batch leaves behind lives as long as the batch, so that a larger space
  // is filled and copied just as often: it took 35 to 50 MiB and saved nothing (measured on the main job and on three outputs at once).
  setFlagsFromString("--semi-space-growth-factor=1");
  const cache = cacheFolder();
  if (cache) module.enableCompileCache(cache);
  // A checkout runs its source, the published package what was built of it.
  const source = new URL("../agent/main.ts", import.meta.url);
  import(existsSync(source) ? source.href : new URL("../dist/main.js", import.meta.url).href).catch((error) => {
    process.stderr.write(`audit-agent cannot start: ${error.stack}\n`);
    process.exitCode = 1;
  });
}

start();
