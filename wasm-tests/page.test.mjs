// Tests the page of the comparison in headless Chromium, with a report of twenty columns in which one case differs.
// `make test-browser` runs it.

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { Chromium } from "./hosts/chromium.mjs";

const { CHROMIUM, SCREENSHOTS } = process.env;
const COLUMNS = 20;
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
const part = (name) => fs.readFileSync(new URL(`src/compare/page.${name}`, import.meta.url), "utf8");

/** A report as in `report-schema.md`. The second column fails in one case, and the third is excepted in another. */
function report() {
  const names = Array.from({ length: COLUMNS }, (_, index) => `host ${index + 1} hosted`);
  const cases = ["short", "a_case_with_a_name_that_is_longer_than_others_are", "differs"].map((name) => ({
    name: `group/${name}`,
    cells: Object.fromEntries(names.map((key) => [key, { state: "passed", seconds: 1, transcript: 0, calls: {} }])),
  }));
  Object.assign(cases[1].cells[names[2]], { state: "excepted", reason: "the platform has none" });
  Object.assign(cases[2].cells[names[1]], { state: "failed", transcript: 1, failure: { kind: "transcript differs",
    text: "it differs", again: `make compare COLUMNS='${names[1]}'`,
    difference: { reference: names[0], line: 1, before: [], theirs: [], ours: [] } } });
  const columns = names.map((name, index) => ({ key: name, name, what: "a host of WASI", state: "ran", cases: 3,
    passed: index === 1 || index === 2 ? 2 : 3, failed: Number(index === 1), excepted: Number(index === 2), seconds: 3,
    calls: null }));
  return { schema: "portable-mmap/compare", version: 2, started: 0, seconds: 9, filter: null, passed: false,
    counts: { passed: 3 * COLUMNS - 2, failed: 1 },
    transcripts: [["a line", "x".repeat(200)], ["another line", "y".repeat(200)]],
    sections: [{ subject: "suite", title: "The suite", left_out: 0, problems: [], ledger: [], columns, cases }] };
}

let browser;

before(async () => {
  const page = path.join(directory, "report.html");
  const texts = { STYLE: part("css"), SCRIPT: part("js"), REPORT: JSON.stringify(report()) };
  fs.writeFileSync(page, part("html").replaceAll(/\{\{(\w+)\}\}/g, (_, name) => texts[name]));
  browser = await Chromium.launch(CHROMIUM);
  await browser.open(pathToFileURL(page).href);
  // The group with the failure is open. Its cases are opened too.
  await browser.evaluate(`document.querySelectorAll("tr.case button").forEach((button) => button.click())`);
});

after(async () => {
  await browser?.close();
  fs.rmSync(directory, { recursive: true });
});

for (const [size, width] of [["wide", 1200], ["narrow", 360]]) {
  for (const colours of ["light", "dark"]) {
    test(`the page fits a ${size} screen in ${colours}`, async () => {
      await browser.look(width, colours);
      await browser.evaluate(`document.querySelectorAll(".scroll").forEach((part) => { part.scrollLeft = 1000; })`);
      await browser.screenshot(path.join(SCREENSHOTS, `comparison-${size}-${colours}.png`));
      const seen = await browser.evaluate(`(() => {
        const table = document.querySelector("table.cases");
        const box = table.parentElement.getBoundingClientRect();
        const rows = [...table.querySelectorAll("tr.case, tr.subject")];
        const style = (element) => getComputedStyle(element);
        return {
          pageWidth: document.documentElement.scrollWidth,
          tableWidth: table.scrollWidth - table.parentElement.clientWidth,
        // The names do not move while the columns scroll, and they have visible borders.
          names: rows.map((row) => Math.round(row.cells[0].getBoundingClientRect().left - box.left)),
          lines: rows.map((row) => [style(row.cells[0]).borderBottomWidth, style(row.cells[0]).borderRightWidth]),
          details: [...table.querySelectorAll("td.details > div")].map((element) => {
            const { left, right } = element.getBoundingClientRect();
            return left >= box.left && right <= box.right;
          }),
          spoken: [...rows.at(-1).cells].slice(1, 4).map((cell) => cell.querySelector(".word").textContent),
        };
      })()`);
      assert.equal(seen.pageWidth, width);
      // All twenty columns fit beside each other.
      if (size === "wide") assert.equal(seen.tableWidth, 0);
      else assert.ok(seen.tableWidth > 0);
      assert.deepEqual(seen.names, [1, 1, 1, 1]);
      assert.deepEqual(seen.lines, Array(4).fill(["1px", "1px"]));
      assert.deepEqual(seen.details, [true, true, true]);
      assert.deepEqual(seen.spoken, ["passed", "failed: transcript differs", "passed"]);
    });
  }
}
