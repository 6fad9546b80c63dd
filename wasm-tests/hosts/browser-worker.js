// Runs one guest for browser.mjs in a worker, in which it may block and loop.

import { ConsoleStdout, Directory, File, OpenFile, PreopenDirectory, WASI } from "./shim/index.js";

/** The unit in which zeros are left out of the copy. */
const BLOCK = 64 << 10;

/** Converts bytes to a string with one character for each, in pieces that fit the arguments of a function. */
function text(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 1 << 13) {
    text += String.fromCharCode(...bytes.subarray(at, at + (1 << 13)));
  }
  return text;
}

function isZero(bytes) {
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] !== 0) {
      return false;
    }
  }
  return true;
}

/** The parts of a file that are not zeros. */
function* parts(data) {
  for (let from = 0, to = 0; from < data.length; from = to) {
    const zero = isZero(data.subarray(from, from + BLOCK));
    for (to = from + BLOCK; to < data.length && isZero(data.subarray(to, to + BLOCK)) === zero; to += BLOCK);
    if (!zero) {
      yield [from, data.subarray(from, to)];
    }
  }
}

async function put(path, query, body) {
  const response = await fetch(`/left/${path}?${query}`, { method: "PUT", body });
  if (!response.ok) {
    throw new Error(`${path} cannot be written: ${await response.text()}`);
  }
}

/** Copies the contents of a directory to the host. */
async function keep(prefix, directory) {
  for (const [name, entry] of directory.contents) {
    const path = `${prefix}/${encodeURIComponent(name)}`;
    if (entry instanceof Directory) {
      await put(path, "directory");
      await keep(path, entry);
    } else {
      for (const [at, part] of parts(entry.data)) {
        await put(path, `at=${at}`, part);
      }
      await put(path, `length=${entry.data.length}`);
    }
  }
}

async function run({ module, args, env, names }) {
  const stream = (stream) => new ConsoleStdout((bytes) => postMessage({ stream, bytes: text(bytes) }));
  const directories = names.map((name) => new PreopenDirectory(name, new Map()));
  const wasi = new WASI(args, env, [new OpenFile(new File([])), stream("stdout"), stream("stderr"), ...directories]);
  let end;
  try {
    const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport });
    end = { exit: wasi.start(instance) };
  } catch (error) {
    // An error of the shim ends the guest like a trap.
    end = { trap: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
  for (const [place, { dir }] of directories.entries()) {
    await keep(place, dir);
  }
  return end;
}

onmessage = async ({ data }) => {
  try {
    postMessage({ end: await run(data) });
  } catch (error) {
    postMessage({ failed: error.stack });
  }
};
