// Runs one of the programs on a file, and meanwhile sends the page the ranges that it has read and written.

import { ConsoleStdout, Fd, PreopenDirectory, WASI } from "./shim/index.js";
import { BlobFile } from "./file.js";

/** Milliseconds between two messages from a running program. */
const PAUSE = 30;

const modules = new Map();

/** Collects the reads and writes of a program and sends them at intervals: a message costs more than a call. */
class Reporter {
  constructor() {
    this.moved = [];
    this.sent = performance.now();
  }

  add(kind, from, to) {
    this.moved.push({ kind, from, to });
    if (performance.now() - this.sent >= PAUSE) this.send();
  }

  send() {
    postMessage({ type: "moved", moved: this.moved });
    this.moved = [];
    this.sent = performance.now();
  }
}

async function run({ program, args, file }) {
  if (!modules.has(program)) {
    modules.set(program, await WebAssembly.compileStreaming(fetch(`./programs/${program}.wasm`)));
  }
  const reporter = new Reporter();
  const inode = new BlobFile(file, (...moved) => reporter.add(...moved));
  const [stdout, stderr] = [[], []];
  const descriptors = [new Fd(), new ConsoleStdout((bytes) => stdout.push(bytes)),
    new ConsoleStdout((bytes) => stderr.push(bytes)), new PreopenDirectory("/", new Map([["file", inode]]))];
  const argv = [program, ...args, "/file"];
  const host = new WASI(argv, [], descriptors);
  // The shim counts characters instead of bytes, so a guest would reserve too little memory for non-ASCII text.
  host.wasiImport.args_sizes_get = (count, size) => {
    const memory = new DataView(host.inst.exports.memory.buffer);
    memory.setUint32(count, argv.length, true);
    memory.setUint32(size, argv.reduce((sum, arg) => sum + new TextEncoder().encode(arg).length + 1, 0), true);
    return 0;
  };
  const instance = await WebAssembly.instantiate(modules.get(program), { wasi_snapshot_preview1: host.wasiImport });
  const begun = performance.now();
  const code = host.start(instance);
  const seconds = (performance.now() - begun) / 1000;
  reporter.send();
  const text = async (parts) => new Blob(parts).text();
  return { code, seconds, stdout: await text(stdout), stderr: await text(stderr),
    changed: inode.pages.size > 0 ? inode.changed() : null };
}

onmessage = async ({ data }) => {
  try {
    postMessage({ type: "done", ...await run(data) });
  } catch (error) {
    postMessage({ type: "failed", reason: String(error) });
  }
};
