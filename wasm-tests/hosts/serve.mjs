// The protocol between the harness and every host of WASI in JavaScript: src/served.rs describes it.

import { closeSync, openSync, readFileSync } from "node:fs";
import { devNull } from "node:os";
import { createInterface } from "node:readline";
import { stdin, stdout } from "node:process";

// Messages of a host go to standard error, because standard output is for replies.
console.log = console.error;

const reply = (value) => stdout.write(JSON.stringify(value) + "\n");

const modules = new Map();

/** The compiled module of a file. */
export function moduleOf(path) {
  if (!modules.has(path)) {
    modules.set(path, new WebAssembly.Module(readFileSync(path)));
  }
  return modules.get(path);
}

/** The reply for a guest that has thrown an error. */
export function trapped(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) {
    throw error;
  }
  return { trap: `${error.name}: ${error.message}` };
}

/**
 * Runs a guest for each request: `run` gets the request, with descriptors in place of the `names` of its streams, and
 * returns `{ exit: CODE }` or `{ trap: TEXT }`.
 */
export async function serve(version, run) {
  reply({ version });
  for await (const line of createInterface({ input: stdin })) {
    const guest = JSON.parse(line);
    const streams = { stdin: openSync(devNull, "r") };
    for (const name of ["stdout", "stderr"]) {
      streams[name] = openSync(guest[name], "w");
    }
    const end = await run({ ...guest, ...streams, names: guest });
    Object.values(streams).forEach(closeSync);
    // Frees the memory of the guest now, because it may have gigabytes.
    globalThis.gc?.();
    globalThis.Bun?.gc(true);
    reply(end);
  }
}
