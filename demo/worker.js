// Runs one of the programs on a file, and tells the page meanwhile which bytes it has read and written.

import { ConsoleStdout, Fd, PreopenDirectory, WASI } from "./shim/index.js";
import { BlobFile } from "./file.js";

/** Milliseconds between two messages about a program that runs. */
const PAUSE = 30;

const modules = new Map();

/** Gathers what a program moves, and sends it at intervals: a message for each call would cost more than the call. */
class Teller {
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
  const teller = new Teller();
  const inode = new BlobFile(file, (...moved) => teller.add(...moved));
  const [stdout, stderr] = [[], []];
  const descriptors = [new Fd(), new ConsoleStdout((bytes) => stdout.push(bytes)),
    new ConsoleStdout((bytes) => stderr.push(bytes)), new PreopenDirectory("/", new Map([["file", inode]]))];
  const argv = [program, ...args, "/file"];
  const host = new WASI(argv, [], descriptors);
  // The shim takes the number of characters, and a guest has too little room then for some that take several bytes.
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
  teller.send();
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
