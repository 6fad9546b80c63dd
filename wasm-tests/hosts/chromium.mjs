// A headless Chromium, controlled through two pipes with the DevTools protocol.

import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** The number of milliseconds that a test waits for a condition. */
const TIMEOUT = 180_000;

export class Chromium {
  static async launch(program) {
    const browser = new Chromium();
    browser.profile = fs.mkdtempSync(path.join(os.tmpdir(), "chromium-"));
    // Chromium's own sandbox does not run as root.
    const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    browser.child = spawn(program, ["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu",
      "--disable-background-networking", "--hide-scrollbars", `--user-data-dir=${browser.profile}`, ...root],
    { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    browser.waiting = new Map();
    browser.listeners = new Set();
    browser.next = 1;
    browser.child.once("error", (error) => browser.fail(error));
    browser.child.once("exit", (code) => browser.fail(new Error(`${program} ended with the code ${code}`)));
    browser.child.stdio[3].on("error", () => {});
    browser.listen(browser.child.stdio[4]);
    const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
    browser.session = sessionId;
    return browser;
  }

  /** Reads messages, each of which ends with a zero byte. */
  listen(stream) {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      for (const message of messages.map((text) => JSON.parse(text))) {
        const wait = this.waiting.get(message.id);
        this.waiting.delete(message.id);
        if (wait === undefined) for (const listener of this.listeners) listener(message);
        else if (message.error !== undefined) wait.reject(new Error(message.error.message));
        else wait.resolve(message.result);
      }
    });
  }

  fail(error) {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  /** Sends a command to the page, or to the browser if the session is `null`. */
  send(method, params = {}, session = this.session) {
    const id = this.next++;
    this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: session ?? undefined })}\0`);
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  /** The value of an expression in the page, which may be a promise. */
  async evaluate(expression) {
    const { result, exceptionDetails: failed } = await this.send("Runtime.evaluate",
      { expression, awaitPromise: true, returnByValue: true });
    if (failed !== undefined) throw new Error(failed.exception?.description ?? failed.text);
    return result.value;
  }

  /** Waits until an expression in the page is true. */
  async until(expression) {
    const end = Date.now() + TIMEOUT;
    while (!await this.evaluate(expression)) {
      if (Date.now() > end) throw new Error(`this is still false after ${TIMEOUT / 1000} s: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async open(url) {
    await this.send("Page.enable");
    await this.send("Page.navigate", { url });
    await this.until(`location.href === ${JSON.stringify(url)} && document.readyState === "complete"`);
  }

  /** Shows the page with a width and colours: `light` or `dark`. */
  async look(width, colours) {
    await this.send("Emulation.setDeviceMetricsOverride", { width, height: 800, deviceScaleFactor: 1, mobile: false });
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: colours }] });
  }

  async screenshot(file) {
    const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true });
    fs.writeFileSync(file, Buffer.from(data, "base64"));
  }

  async close() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    // The browser replies, or exits before it can.
    this.send("Browser.close", {}, null).catch(() => {});
    await ended;
    fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
