// Tests the demo in headless Chromium: it shows what the same programs print natively, and saves the same file.
// `make test-browser` calls it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Chromium } from "../wasm-tests/hosts/chromium.mjs";
import { sample } from "./sample.js";
import { serve } from "./serve.mjs";

const { CHROMIUM, SITE, NATIVE, SCREENSHOTS } = process.env;
const home = fs.mkdtempSync(path.join(os.tmpdir(), "demo-"));
const native = (program, ...args) => spawnSync(path.join(NATIVE, program), args, { encoding: "utf8" });
const number = (text) => Number(text.replaceAll(",", ""));

let browser, server, url;
/** The requests of the page, and its errors. */
const asked = [], problems = [];

before(async () => {
  ({ server, url } = await serve(SITE));
  browser = await Chromium.launch(CHROMIUM);
  browser.listeners.add(({ method, params }) => {
    // A new worker waits until its requests are recorded too.
    if (method === "Target.attachedToTarget") {
      for (const command of ["Network.enable", "Runtime.enable", "Runtime.runIfWaitingForDebugger"]) {
        browser.send(command, {}, params.sessionId).catch((error) => problems.push(error.message));
      }
    }
    if (method === "Network.requestWillBeSent") asked.push(params.request.url);
    if (method === "Runtime.exceptionThrown") problems.push(params.exceptionDetails.text);
    if (method === "Log.entryAdded" && params.entry.level === "error") problems.push(params.entry.text);
  });
  for (const domain of ["Network", "Runtime", "Log", "DOM"]) await browser.send(`${domain}.enable`);
  await browser.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: true, flatten: true });
  await browser.open(url);
});

after(async () => {
  await browser?.close();
  server?.close();
  fs.rmSync(home, { recursive: true });
});

/** Writes a file and picks it in the page, as a visitor does. */
async function pick(name, data) {
  const file = path.join(home, name);
  fs.writeFileSync(file, data);
  const { root } = await browser.send("DOM.getDocument");
  const { nodeId } = await browser.send("DOM.querySelector", { nodeId: root.nodeId, selector: "#file" });
  await browser.send("DOM.setFileInputFiles", { nodeId, files: [file] });
  await browser.until(`document.querySelector("#name").textContent.startsWith(${JSON.stringify(`${name}, `)})`);
  return file;
}

/** Fills in a form and submits it. Returns what the page shows when the program has ended. */
async function run(program, values) {
  await browser.evaluate(`{
    const form = document.querySelector("#${program}");
    Object.entries(${JSON.stringify(values)}).forEach(([name, value]) => { form.elements[name].value = value; });
    window.seen = [];
    window.watch?.disconnect();
    window.watch = new MutationObserver(() => seen.push(document.querySelector("#strip").getAttribute("aria-label")));
    watch.observe(document.querySelector("#strip"), { attributeFilter: ["aria-label"] });
    form.requestSubmit();
  }`);
  await browser.until(`!document.querySelector("#file").disabled`);
  const shown = await browser.evaluate(`({
    ...Object.fromEntries(["state", "time", "size", "read", "written", "output"].map((id) =>
      [id, document.querySelector("#" + id).textContent])),
    failed: document.querySelector("#state").className === "failed",
    strip: document.querySelector("#strip").getAttribute("aria-label"),
    saves: !document.querySelector("#save").hidden,
    seen,
  })`);
  const [readBytes, writtenBytes] = [shown.read, shown.written].map((text) => number(text.split(" ")[0]));
  return { ...shown, readBytes, writtenBytes };
}

/** Saves the changed file as a visitor does, and returns its bytes. */
async function save(name) {
  const file = path.join(home, "saved", name);
  await browser.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: path.dirname(file) }, null);
  await browser.evaluate(`document.querySelector("#save").click()`);
  for (let tries = 0; !fs.existsSync(file); tries += 1) {
    assert.ok(tries < 600, `${name} is not saved after a minute`);
    await sleep(100);
  }
  return fs.readFileSync(file);
}

test("grep prints the same for the sample as natively, and reads each page once", async () => {
  await browser.evaluate(`document.querySelector("#sample").click()`);
  const file = path.join(home, "sample.log");
  fs.writeFileSync(file, sample());
  const shown = await run("grep", { pattern: "error.*" });
  const expected = native("grep", "error.*", file);
  assert.equal(expected.status, 0);
  assert.equal(shown.output, expected.stdout);
  assert.equal(shown.state, expected.stdout.trimEnd().split("\n").at(-1));
  assert.equal(shown.readBytes, fs.statSync(file).size);
  assert.equal(shown.writtenBytes, 0);
  assert.ok(!shown.saves && !shown.failed);
});

test("grep and replace work on 64 MiB as natively, and only changed bytes are written", async (context) => {
  const data = Buffer.from(sample(64 << 20));
  const file = await pick("large.log", data);
  const searched = await run("grep", { pattern: "wrote [0-9]+ bytes" });
  assert.equal(searched.output, native("grep", "wrote [0-9]+ bytes", file).stdout);
  assert.equal(searched.readBytes, data.length);

  const replaced = await run("replace", { from: "error", to: "ERROR" });
  const expected = native("replace", "error", "ERROR", file);
  assert.equal(expected.status, 0);
  assert.equal(replaced.output, expected.stdout);
  assert.equal(replaced.state, expected.stdout.trim());
  for (const [program, { time, read, written }] of [["grep", searched], ["replace", replaced]]) {
    context.diagnostic(`${program}, ${data.length} bytes: ${time}, read ${read}, written ${written}`);
  }
  const changed = fs.readFileSync(file);
  // Five bytes for each replacement.
  assert.equal(replaced.writtenBytes, 5 * number(expected.stdout.split(" ")[0]));
  const written = Number(/, ([\d,]+) written$/.exec(replaced.strip)[1].replaceAll(",", ""));
  const pages = new Set();
  for (let at = 0; at < data.length; at += 1) if (data[at] !== changed[at]) pages.add(at >> 12);
  assert.equal(written, pages.size);
  // The native program has changed the file that was picked, so pick a copy.
  await pick("again.log", data);
  await run("replace", { from: "error", to: "ERROR" });
  assert.ok(changed.equals(await save("again.log")));
});

test("the strip fills while a program runs", async () => {
  await pick("slow.log", Buffer.from(sample(64 << 20)));
  const { seen, strip } = await run("grep", { pattern: "error" });
  const read = seen.map((label) => number(label.split(" ")[0]));
  assert.deepEqual(read, [...read].sort((a, b) => a - b));
  const pages = Math.ceil(sample(64 << 20).length / 4096);
  assert.ok(read.some((count) => count > 0 && count < pages), `${read}`);
  assert.equal(strip, `${pages.toLocaleString("en")} of ${pages.toLocaleString("en")} pages read, 0 written`);
});

test("characters of several bytes reach the programs", async () => {
  const file = await pick("words.txt", "naïve, naïve\nfaçade – œuvre\n");
  // A long pattern too: if the host reports too small a size, the text overwrites other memory of the program.
  for (const pattern of ["ï.*ï|–", `${"é".repeat(2000)}|–`]) {
    assert.equal((await run("grep", { pattern })).output, native("grep", pattern, file).stdout);
  }
  assert.equal((await run("replace", { from: "naïve", to: "œuvre" })).state, "2 replaced");
  assert.equal((await save("words.txt")).toString(), "œuvre, œuvre\nfaçade – œuvre\n");
});

test("an error message of a program is shown as an error", async () => {
  const file = await pick("short.txt", "a short file\n");
  for (const [program, values] of [["grep", { pattern: "(" }], ["replace", { from: "short", to: "long" }]]) {
    const shown = await run(program, values);
    const expected = native(program, ...Object.values(values), file);
    assert.equal(expected.status, 1);
    assert.ok(shown.failed);
    assert.equal(shown.output, expected.stderr);
    assert.ok(!shown.saves);
  }
  // A file that the visitor changes after picking it can no longer be read.
  await run("grep", { pattern: "short" });
  fs.writeFileSync(file, "another file, and a longer one\n");
  const { failed, state } = await run("grep", { pattern: "short" });
  assert.ok(failed && state.startsWith("grep: "), state);
});

test("an empty file has no match and nothing to replace", async () => {
  await pick("empty.txt", "");
  assert.equal((await run("grep", { pattern: "a" })).state, "0 matching lines, 0 matches");
  const { state, saves } = await run("replace", { from: "a", to: "b" });
  assert.ok(state === "0 replaced" && !saves);
});

test("the page fits wide and narrow screens, in light and dark", async () => {
  await browser.evaluate(`document.querySelector("#sample").click()`);
  await run("replace", { from: "error", to: "ERROR" });
  const backs = new Set();
  for (const colours of ["light", "dark"]) {
    for (const [name, width] of [["wide", 1100], ["narrow", 360]]) {
      await browser.look(width, colours);
      await browser.screenshot(path.join(SCREENSHOTS, `${name}-${colours}.png`));
      const { wider, back } = await browser.evaluate(`({
        wider: [...document.querySelectorAll("body *")].filter((element) =>
          element.getBoundingClientRect().right > innerWidth).map((element) => element.outerHTML),
        back: getComputedStyle(document.body).backgroundColor,
      })`);
      assert.deepEqual(wider, [], `${name}, ${colours}`);
      backs.add(back);
    }
  }
  assert.equal(backs.size, 2);
});

test("the page loads nothing from other servers, and has no errors", () => {
  assert.ok(asked.some((address) => address.endsWith("grep.wasm")));
  assert.deepEqual(asked.filter((address) => !address.startsWith(url) && !address.startsWith("data:")
    && !address.startsWith(`blob:${url}`)), []);
  assert.deepEqual(problems, []);
});
