// Runs a program for wasm32-wasip1 in Node's own WASI, on a machine that has Node and no wasmtime.
//
// `--help` prints its usage.
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

const USAGE = `usage: node node-wasi.mjs [--dir HOST[::GUEST]]... PROGRAM [ARGUMENT]...

Runs a program for wasm32-wasip1. Each --dir opens a directory of this machine to it, under the name GUEST, or under its
own name: --dir ..::. opens the parent directory, in which the program then finds files by relative paths.
The exit code is the program's, or 134 if it traps.`;

// The first bytes of a component, which has another version than a module.
const COMPONENT = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);

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
if (args[0] === "--help" || args[0] === "-h") {
  console.log(USAGE);
  exit(0);
}
if (args.length === 0) {
  console.error(USAGE);
  exit(2);
}

function fail(message) {
  console.error(`node-wasi.mjs: ${message}`);
  exit(2);
}

function read(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    return fail(`cannot read ${file}: ${error.message}`);
  }
}

function compile(file) {
  const bytes = read(file);
  if (bytes.subarray(0, COMPONENT.length).equals(COMPONENT)) {
    return fail(`${file} is a component of wasip2, and Node runs wasip1 only`);
  }
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    return fail(`cannot load ${file}: ${error.message}`);
  }
}

// What a program imports if it is built with the feature host-mapping. Node does not have it.
const HOST = "portable-mmap:host/";

const module = compile(args[0]);
if (WebAssembly.Module.imports(module).some((imported) => imported.module.startsWith(HOST))) {
  fail(`${args[0]} is built with the feature host-mapping, so its host must map files, and Node does not: run it with `
    + "`wasm-tests run --host-mapping`, or build it without the feature");
}

// Not imported at the top, because the import prints a warning, and only the second Node has `--no-warnings`.
const { WASI } = await import("node:wasi");
function open() {
  try {
    return new WASI({ version: "preview1", args, env, preopens });
  } catch (error) {
    return fail(`cannot open ${Object.values(preopens).join(", ")}: ${error.message}`);
  }
}

const wasi = open();
try {
  exit(wasi.start(new WebAssembly.Instance(module, wasi.getImportObject())));
} catch (error) {
  if (!(error instanceof WebAssembly.RuntimeError)) {
    fail(`cannot run ${args[0]}: ${error.message}`);
  }
  console.error(`trap: ${error.message}`);
  exit(TRAPPED);
}
