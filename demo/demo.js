import { PAGE, Strip } from "./strip.js";
import { sample } from "./sample.js";

const element = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");
const counted = (count, what) => `${number(count)} ${what}${count === 1 ? "" : "s"}`;
const forms = [element("grep"), element("replace")];
const strip = new Strip(element("strip"));

/** The programs run in a worker, so that a long run does not block the page. */
const worker = new Worker("worker.js", { type: "module" });

/** The blob that the programs work on, and its name. */
let file, name;
let counts;
/** The URL of the changed file. It keeps the file in memory. */
let saved = null;

function enable(on) {
  for (const form of forms) form.querySelector("button").disabled = !on;
  element("file").disabled = element("sample").disabled = !on;
}

function say(text, failed = false) {
  element("state").textContent = text;
  element("state").classList.toggle("failed", failed);
}

function showCounts() {
  const { read, written } = counts;
  element("read").textContent = `${number(read.bytes)} in ${counted(read.calls, "call")}`;
  element("written").textContent = `${number(written.bytes)} in ${counted(written.calls, "call")}`;
  strip.draw();
}

function clear() {
  counts = { read: { bytes: 0, calls: 0 }, written: { bytes: 0, calls: 0 } };
  strip.start(file.size);
  element("time").textContent = "–";
  element("size").textContent = counted(file.size, "byte");
  element("scale").textContent = strip.perCell === 1 ? `A square is a page of ${number(PAGE)} bytes.`
    : `A square is ${number(strip.perCell)} pages of ${number(PAGE)} bytes, and fills as they are read.`;
  element("output").hidden = true;
  element("save").hidden = true;
  if (saved !== null) URL.revokeObjectURL(saved);
  saved = null;
  showCounts();
}

function take(blob, called) {
  [file, name] = [blob, called];
  element("name").textContent = `${name}, ${counted(blob.size, "byte")}`;
  say("No program has run yet.");
  clear();
  enable(true);
}

function start(program, args) {
  enable(false);
  clear();
  say(`Running ${program} …`);
  worker.postMessage({ program, args, file });
}

worker.onmessage = ({ data }) => {
  if (data.type === "moved") {
    for (const { kind, from, to } of data.moved) {
      counts[kind].bytes += to - from;
      counts[kind].calls += 1;
      strip.mark(kind, from, to);
    }
    showCounts();
    return;
  }
  enable(true);
  if (data.type === "failed") {
    say(`The program could not be run: ${data.reason}`, true);
    return;
  }
  const lines = data.stdout.trimEnd().split("\n");
  element("time").textContent = `${data.seconds.toFixed(3)} s`;
  element("output").textContent = data.stdout + data.stderr;
  element("output").hidden = false;
  if (data.code === 0) say(lines.at(-1));
  else say(data.stderr.trim() || `The program ended with the code ${data.code}.`, true);
  if (data.changed !== null) {
    saved = URL.createObjectURL(data.changed);
    Object.assign(element("save"), { href: saved, download: name, hidden: false });
  }
};
worker.onerror = (event) => {
  event.preventDefault();
  say(`The worker that runs the programs failed: ${event.message || "it could not be loaded"}`, true);
};

element("file").addEventListener("change", ({ target }) => {
  if (target.files.length > 0) take(target.files[0], target.files[0].name);
});
element("sample").addEventListener("click", () => {
  element("file").value = "";
  take(new Blob([sample()]), "sample.log");
});
element("grep").addEventListener("submit", (event) => {
  event.preventDefault();
  start("grep", [event.target.elements.pattern.value]);
});
element("replace").addEventListener("submit", (event) => {
  event.preventDefault();
  start("replace", [event.target.elements.from.value, event.target.elements.to.value]);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => strip.draw());
