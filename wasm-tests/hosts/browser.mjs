// A host of WASI: runs modules of Preview 1 in headless Chromium, each in its own worker, with browser_wasi_shim.
//
// usage: node browser.mjs DIRECTORY CHROMIUM, where DIRECTORY has the shim in its node_modules
//
// The shim keeps a guest's files in the memory of the worker. A guest starts with empty directories. When it has ended, its
// files are copied to the directories of the request.

import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { basename, join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { Chromium } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const shim = join(argv[2], "node_modules/@bjorn3/browser_wasi_shim");
const script = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The programs of guests. The page loads them by their index in this list. */
const programs = [];
/** The request of the guest that is running. */
let current;

const TYPES = { html: "text/html", js: "text/javascript", wasm: "application/wasm" };
const FILES = {
  "": () => script("browser-page.html"),
  "browser-worker.js": () => script("browser-worker.js"),
  shim: (name) => join(shim, "dist", basename(name)),
  programs: (name) => programs[parseInt(name)],
};

async function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const [place, ...names] = pathname.split("/").slice(1).map(decodeURIComponent);
  if (request.method === "PUT" && place === "left") {
    await keep(names, searchParams, request);
    response.end();
    return;
  }
  const file = FILES[place]?.(...names);
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-type": TYPES[file.split(".").at(-1)] }).end(await readFile(file));
}

/** Writes what a guest has left: a directory, a part of a file, or the length of a file. */
async function keep([place, ...names], query, body) {
  const path = join(current.dirs[place][0], ...names);
  if (query.has("directory")) {
    mkdirSync(path);
    return;
  }
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT);
  try {
    let at = Number(query.get("at"));
    for await (const bytes of body) {
      writeSync(file, bytes, 0, bytes.length, at);
      at += bytes.length;
    }
    if (query.has("length")) {
      ftruncateSync(file, Number(query.get("length")));
    }
  } finally {
    closeSync(file);
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(500).end(error.stack));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browser = await Chromium.launch(argv[3]);
browser.listeners.add(({ method, params }) => {
  if (method === "Runtime.bindingCalled") {
    const { stream, bytes } = JSON.parse(params.payload);
    writeSync(current[stream], Buffer.from(bytes, "base64"));
  }
  if (method === "Inspector.targetCrashed") {
    browser.fail(new Error("the page has crashed"));
  }
});
for (const domain of ["Runtime", "Inspector"]) {
  await browser.send(`${domain}.enable`);
}
// The page passes on the guest's output while the guest runs.
await browser.send("Runtime.addBinding", { name: "written" });
await browser.open(`http://127.0.0.1:${server.address().port}/`);

function run(guest) {
  current = guest;
  if (!programs.includes(guest.program)) {
    programs.push(guest.program);
  }
  const request = {
    program: programs.indexOf(guest.program),
    args: guest.args,
    env: guest.env.map((pair) => pair.join("=")),
    names: guest.dirs.map(([, name]) => name),
  };
  return browser.evaluate(`run(${JSON.stringify(request)})`);
}

const { version } = JSON.parse(readFileSync(join(shim, "package.json")));
const { product } = await browser.send("Browser.getVersion", {}, null);
await serve(`browser_wasi_shim ${version}, Chromium ${product.split("/")[1]}`, run);
await browser.close();
server.close();
