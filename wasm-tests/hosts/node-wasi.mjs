// Runs a program for wasm32-wasip1 in Node's own WASI, on a machine that has Node and no wasmtime.
//
// usage: node node-wasi.mjs [--dir HOST[::GUEST]]... PROGRAM [ARGUMENT]...
//
// Each `--dir` opens a directory of this machine to the program, under the name GUEST, or under its own name. The exit code
// is the program's, or 134 if it traps.
//
// Node 20 can crash with SIGSEGV after the memory of a program has grown, whatever the program is, and edits that the
// program has not flushed are lost. `--no-turbo-fast-api-calls` prevents this. This script starts Node again with that
// option if it is missing. A script of your own has to pass it too.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { argv, env, execArgv, execPath, exit } from "node:process";

const OPTIONS = ["--no-turbo-fast-api-calls", "--no-warnings"];
const TRAPPED = 134;

if (!execArgv.includes(OPTIONS[0])) {
  const { status } = spawnSync(execPath, [...execArgv, ...OPTIONS, ...argv.slice(1)], { stdio: "inherit" });
  exit(status ?? TRAPPED);
}

const args = argv.slice(2);
const preopens = {};
while (args[0] === "--dir" && args.length > 1) {
  const [host, guest = host] = args[1].split("::");
  preopens[guest] = host;
  args.splice(0, 2);
}
if (args.length === 0) {
  console.error("usage: node node-wasi.mjs [--dir HOST[::GUEST]]... PROGRAM [ARGUMENT]...");
  exit(2);
}

// Not imported at the top, because the import prints a warning, and only the second Node has `--no-warnings`.
const { WASI } = await import("node:wasi");
const wasi = new WASI({ version: "preview1", args, env, preopens });
const module = new WebAssembly.Module(readFileSync(args[0]));
try {
  exit(wasi.start(new WebAssembly.Instance(module, wasi.getImportObject())));
} catch (error) {
  if (!(error instanceof WebAssembly.RuntimeError)) {
    throw error;
  }
  console.error(`trap: ${error.message}`);
  exit(TRAPPED);
}
