// A host of WASI with threads: runs modules for wasm32-wasip1-threads in Node's own implementation of Preview 1.
//
// usage: node threads.mjs [--dir HOST::GUEST MODULE [ARGUMENT]...]
//
// Each thread of the guest is a worker. Node's implementation runs in the main thread and serves all of them, because they
// share its descriptors. While a call sleeps there, the other threads cannot call.
//
// With arguments it runs one guest and exits with its code, or with 134 if a thread traps. Without arguments it runs the
// guests that the harness requests.

import { argv, stderr, versions } from "node:process";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const TRAPPED = 134;
// The limit that rustc sets on the memory of a module with shared memory, in pages of 64 KiB.
const MAX_PAGES = 16384;

if (isMainThread) {
  // Not imported in the workers, because each import prints a warning.
  const { WASI } = await import("node:wasi");
  const { moduleOf, serve } = await import("./serve.mjs");
  const run = ({ program, dirs, env = [], ...options }) => {
    const preopens = Object.fromEntries(dirs.map(([host, guest]) => [guest, host]));
    return host(moduleOf(program), new WASI({ version: "preview1", ...options, env: Object.fromEntries(env), preopens }));
  };
  if (argv.length > 2) {
    const [, grant, ...args] = argv.slice(2);
    const end = await run({ program: args[0], args, dirs: [grant.split("::")] });
    stderr.write(end.trap ?? "");
    process.exit(end.exit ?? TRAPPED);
  }
  await serve(versions.node, run);
} else {
  guest(workerData);
}

/** Runs a guest, and resolves to how it ends. */
function host(module, wasi) {
  const memory = new WebAssembly.Memory({ initial: 256, maximum: MAX_PAGES, shared: true });
  // Passes the memory to `wasi`. The module's own start function runs in a worker.
  wasi.start({ exports: { memory, _start() {} } });

  const workers = [];
  return new Promise((resolve) => {
    let over = false;
    const end = async (how) => {
      if (!over) {
        over = true;
        await Promise.all(workers.map((worker) => worker.terminate()));
        resolve(how);
      }
    };
    const start = (argument) => {
      const thread = workers.length;
      const reply = new Int32Array(new SharedArrayBuffer(8));
      const worker = new Worker(new URL(import.meta.url), { workerData: { module, memory, thread, argument, reply } });
      workers.push(worker);
      const serve = ({ name, args }) => {
        if (over) {
          return;
        }
        switch (name) {
          case "thread-spawn":
            reply[1] = start(...args);
            break;
          case "proc_exit":
            return end({ exit: args[0] });
          case "trap":
            return end({ trap: `thread ${thread}: ${args[0]}` });
          default:
            // A worker may have grown the memory. This call updates its length in this thread.
            memory.grow(0);
            reply[1] = wasi.wasiImport[name](...args);
        }
        Atomics.store(reply, 0, 1);
        Atomics.notify(reply, 0);
      };
      // Not served immediately: otherwise a thread that calls repeatedly would keep the others waiting.
      worker.on("message", (call) => setImmediate(serve, call));
      worker.on("error", (error) => end({ trap: `thread ${thread}: ${error.stack}` }));
      return thread;
    };
    start();
  });
}

function guest({ module, memory, thread, argument, reply }) {
  const call = (name, ...args) => {
    Atomics.store(reply, 0, 0);
    parentPort.postMessage({ name, args });
    // Waits again if it wakes too early, because the notification of the previous call may arrive late.
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
