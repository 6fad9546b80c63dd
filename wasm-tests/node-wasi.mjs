// A host of WASI: runs a module of Preview 1 in Node's own implementation.
//
// usage: node node-wasi.mjs [--dir HOST::GUEST]... [--env NAME=VALUE]... MODULE [ARGUMENT]...
//
// It exits as the module does, and with 134 where that traps.

import { readFileSync } from "node:fs";
import { argv, exit, stderr } from "node:process";
import { WASI } from "node:wasi";

const TRAPPED = 134;

const args = argv.slice(2);
const preopens = {};
const env = {};
while (args[0] === "--dir" || args[0] === "--env") {
  const [option, value] = args.splice(0, 2);
  const separator = option === "--dir" ? "::" : "=";
  const at = value.indexOf(separator);
  const [first, second] = [value.slice(0, at), value.slice(at + separator.length)];
  if (option === "--dir") {
    preopens[second] = first;
  } else {
    env[first] = second;
  }
}

const wasi = new WASI({ version: "preview1", args, env, preopens, returnOnExit: true });
const module = new WebAssembly.Module(readFileSync(args[0]));
const instance = new WebAssembly.Instance(module, wasi.getImportObject());
let code;
try {
  code = wasi.start(instance);
} catch (error) {
  if (!(error instanceof WebAssembly.RuntimeError)) {
    throw error;
  }
  stderr.write(`${error.name}: ${error.message}\n`);
  code = TRAPPED;
}
exit(code);
