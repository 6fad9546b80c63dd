// A host of WASI: runs modules of Preview 1 in Node's, Deno's or Bun's own implementation.

import { closeSync, writeSync } from "node:fs";
import { versions } from "node:process";
import { WASI } from "node:wasi";
import { moduleOf, serve, trapped } from "./serve.mjs";

class Exit extends Error {
  constructor(code) {
    super(`exit code ${code}`);
    this.code = code;
  }
}

const inBun = globalThis.Bun !== undefined;

function run({ program, args, dirs, env, stdin, stdout, stderr }) {
  const preopens = Object.fromEntries(dirs.map(([host, guest]) => [guest, host]));
  const options = { args, env: Object.fromEntries(env), preopens };
  const wasi = new WASI({ version: "preview1", ...options, ...(inBun ? ofBun(stdout, stderr) : { stdin, stdout, stderr }) });
  if (inBun) {
    wasi.bindings.exit = (code) => {
      throw new Exit(code);
    };
  }
  const instance = new WebAssembly.Instance(moduleOf(program), { wasi_snapshot_preview1: wasi.wasiImport });
  try {
    return { exit: wasi.start(instance) ?? 0 };
  } catch (error) {
    return error instanceof Exit ? { exit: error.code } : trapped(error);
  } finally {
    wasi.FD_MAP?.forEach(({ real }) => real > 2 && closeSync(real));
  }
}

// Bun has other options, and its `start` returns nothing when the guest exits.
const ofBun = (stdout, stderr) => ({
  sendStdout: (bytes) => writeSync(stdout, bytes),
  sendStderr: (bytes) => writeSync(stderr, bytes),
});

await serve(globalThis.Bun?.version ?? versions.deno ?? versions.node, run);
