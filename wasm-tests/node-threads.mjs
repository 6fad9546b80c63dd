// A host of WASI with threads: runs a module for wasm32-wasip1-threads in Node's own implementation of Preview 1.
//
// usage: node node-threads.mjs [--dir HOST::GUEST]... MODULE [ARGUMENT]...
//
// Each thread of the guest is a worker. Node's implementation runs in the main thread and serves all of them: they share
// its descriptors. A call that sleeps there keeps the other threads from calling.
//
// It exits as the module does, and with 134 where a thread of the module traps.

import { readFileSync } from "node:fs";
import { argv, exit, stderr } from "node:process";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const TRAPPED = 134;
// What rustc lets a module with shared memory have at the most, in pages of 64 KiB.
const MAX_PAGES = 16384;

if (isMainThread) {
  // Not in the workers: each import warns that it is an experiment.
  const { WASI } = await import("node:wasi");
  host(WASI, argv.slice(2));
} else {
  guest(workerData);
}

function host(WASI, args) {
  const preopens = {};
  while (args[0] === "--dir") {
    const [, value] = args.splice(0, 2);
    const at = value.indexOf("::");
    preopens[value.slice(at + 2)] = value.slice(0, at);
  }
  const module = new WebAssembly.Module(readFileSync(args[0]));
  const memory = new WebAssembly.Memory({ initial: 256, maximum: MAX_PAGES, shared: true });
  const wasi = new WASI({ version: "preview1", args, preopens });
  // Tells it the memory; the module's own start runs in a worker.
  wasi.start({ exports: { memory, _start() {} } });

  let threads = 0;
  const end = (code, text = "") => {
    stderr.write(text);
    exit(code);
  };
  const start = (argument) => {
    const thread = threads++;
    const reply = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(new URL(import.meta.url), { workerData: { module, memory, thread, argument, reply } });
    const serve = ({ name, args }) => {
      switch (name) {
        case "thread-spawn":
          reply[1] = start(...args);
          break;
        case "proc_exit":
          return end(...args);
        case "trap":
          return end(TRAPPED, `thread ${thread}: ${args[0]}\n`);
        default:
          // A worker may have grown the memory: this fetches its length.
          memory.grow(0);
          reply[1] = wasi.wasiImport[name](...args);
      }
      Atomics.store(reply, 0, 1);
      Atomics.notify(reply, 0);
    };
    // Not at once: a thread that calls again and again would have all its calls served before those of another.
    worker.on("message", (call) => setImmediate(serve, call));
    worker.on("error", (error) => end(TRAPPED, `thread ${thread}: ${error.stack}\n`));
    return thread;
  };
  start();
}

function guest({ module, memory, thread, argument, reply }) {
  const call = (name, ...args) => {
    Atomics.store(reply, 0, 0);
    parentPort.postMessage({ name, args });
    // Again when it wakes too early: the last answer may be read before its notification comes.
    while (Atomics.load(reply, 0) === 0) {
      Atomics.wait(reply, 0, 0);
    }
    return reply[1];
  };
  const imports = { env: { memory } };
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind === "function") {
      imports[from] ??= {};
      imports[from][name] = (...args) => call(name, ...args);
    }
  }
  const { exports } = new WebAssembly.Instance(module, imports);
  try {
    if (thread === 0) {
      exports._start();
      call("proc_exit", 0);
    } else {
      exports.wasi_thread_start(thread, argument);
    }
  } catch (error) {
    call("trap", `${error.name}: ${error.message}`);
  }
}
