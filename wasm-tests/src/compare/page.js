"use strict";

const report = JSON.parse(document.getElementById("report").textContent);
/** The sections, each with the columns that ran, the element that shows it, and its cases in groups. */
const sections = report.sections.map((section) => ({
  ...section,
  ran: section.columns.filter((column) => column.state === "ran"),
  element: document.getElementById("section").content.firstElementChild.cloneNode(true),
  groups: new Map(),
}));
const all = (field) => sections.flatMap((section) => section[field]);
const byKey = new Map(all("columns").map((column) => [column.key, column]));

/** How many equal lines before the first difference, and how many lines after it, are shown at first. */
const BEFORE = 3, AFTER = 12;

/** With more columns than this, the table of cases has signs instead of words, and vertical column names. */
const WIDE_COLUMNS = 8;

const SIGNS = { passed: "✓", failed: "✗", excepted: "–" };

/** Whether the report is about the tests of a package. Its exceptions are tests that are ignored or fail. */
const ofPackage = report.title !== undefined;
const EXCEPTED = ofPackage ? "not counted" : "excepted";

/** The state of a cell in words. */
const wordOf = ({ state, reason }) => !ofPackage || state !== "excepted" ? state
  : reason === "ignored" ? reason : "failed everywhere";

/** How many lines, on both sides together, are searched for the next equal line of two transcripts. */
const LOOK_AHEAD = 40;

/** An element. Strings among its children are inserted as text, never as HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

const number = (value) => value.toLocaleString("en");
const counted = (count, what) => `${number(count)} ${what}${count === 1 ? "" : "s"}`;
const duration = (seconds) => seconds < 0.001 ? "< 1 ms" : seconds < 1 ? `${Math.round(seconds * 1000)} ms`
  : seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit += 1) count /= 1024;
  return `${unit === 0 ? count : count.toFixed(1)} ${units[unit]}`;
}

function showVerdict() {
  document.querySelector("h1").textContent = document.title = report.title ?? document.title;
  const verdict = document.getElementById("verdict");
  verdict.className = report.passed ? "passed" : "failed";
  verdict.dataset.passed = report.passed;
  const excepted = all("ran").reduce((sum, column) => sum + column.excepted, 0);
  const exceptions = excepted === 0 ? ""
    : ofPackage ? `; ${number(excepted)} ${EXCEPTED}` : `; ${counted(excepted, "exception")}`;
  verdict.textContent = report.passed
    ? `Passed: ${counted(all("cases").length, "case")} on ${counted(all("ran").length, "column")}, `
      + `with equal transcripts${exceptions}`
    : `Failed: ${counted(report.counts.failed, "failure")}, and ${number(report.counts.passed)} passed`;
  const started = new Date(report.started * 1000).toLocaleString();
  const about = [`Started ${started}`, `the cases took ${duration(report.seconds)}`];
  if (report.filter !== null) {
    const leftOut = sections.reduce((sum, section) => sum + section.left_out, 0);
    about.push(`only “${report.filter}”, which left out ${counted(leftOut, "case")}`);
  }
  document.getElementById("about").textContent = `${about.join("; ")}.`;
  const problems = document.getElementById("problems");
  problems.hidden = all("problems").length === 0;
  problems.querySelector("ul").append(...all("problems").map((problem) => make("li", {}, problem)));
}

function showColumns({ columns, element }) {
  const counts = ["cases", "passed", "failed", "excepted"];
  // Without a column that counts calls, there are no columns for them.
  const counting = columns.some((column) => column.state === "ran" && column.calls !== null);
  const calls = counting ? [["reads", number], ["bytes_read", bytes], ["writes", number], ["bytes_written", bytes],
    ["syncs", number], ["stats", number]] : [];
  const title = (name) => name[0].toUpperCase() + name.slice(1).replace("_", " ");
  const ofCounts = counts.map((name) => title(name === "excepted" ? EXCEPTED : name));
  const heads = ["Column", ...ofCounts, "Time", ...calls.map(([name]) => title(name))];
  const head = make("tr", {}, ...heads.map((text, index) =>
    make("th", { scope: "col", class: index === 0 ? "first" : undefined }, text)));
  const rows = columns.map((column) => {
    const row = make("tr", {}, make("th", { scope: "row", class: "first" }, make("strong", {}, column.name),
      make("span", { class: "what" }, column.what)));
    if (column.state !== "ran") {
      row.append(make("td", { class: "excepted", "data-column": column.key, "data-count": "absent" }, "absent"),
        make("td", { colspan: heads.length - 2 }));
      return row;
    }
    for (const name of counts) {
      const colour = name === "cases" ? undefined : column[name] === 0 ? "zero" : name;
      row.append(make("td", { class: colour, "data-column": column.key, "data-count": name }, number(column[name])));
    }
    row.append(make("td", { "data-column": column.key, "data-count": "seconds" }, duration(column.seconds)));
    if (column.calls === null && counting) {
      row.append(make("td", { colspan: calls.length, class: "zero" }, "calls not counted"));
    } else {
      for (const [name, show] of calls) {
        row.append(make("td", { "data-column": column.key, "data-count": name, title: number(column.calls[name]) },
          show(column.calls[name])));
      }
    }
    return row;
  });
  element.querySelector(".columns").append(make("thead", {}, head), make("tbody", {}, ...rows));
  for (const column of columns.filter((column) => column.state === "absent")) {
    element.querySelector(".absent").append(make("dt", {}, `${column.name} is absent`), make("dd", {}, column.reason));
  }
}

/** The exceptions by reason, and under each the cases with their columns. */
function showLedger() {
  const reasons = new Map();
  for (const { case: name, column, reason } of all("ledger")) {
    if (!reasons.has(reason)) reasons.set(reason, new Map());
    const cases = reasons.get(reason);
    if (!cases.has(name)) cases.set(name, []);
    cases.get(name).push(byKey.get(column)?.name ?? column);
  }
  const ledger = document.getElementById("ledger");
  // Only the suite of this project has a ledger.
  ledger.parentElement.hidden = ofPackage;
  for (const [reason, cases] of reasons) {
    const items = [...cases].map(([name, columns]) =>
      make("li", {}, make("span", { class: "name" }, name), `: ${columns.join(", ")}`));
    ledger.append(make("h3", {}, reason[0].toUpperCase() + reason.slice(1)), make("ul", {}, ...items));
  }
  if (reasons.size === 0) ledger.append(make("p", {}, "It is empty."));
}

/** A button that opens and closes an element. */
function opener(text, attributes, toggle) {
  const button = make("button", { type: "button", "aria-expanded": "false", ...attributes }, text);
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", open);
    toggle(open);
  });
  return button;
}

function showCases(section) {
  const { element, ran, groups } = section;
  const table = element.querySelector(".cases");
  table.append(make("thead", {}, make("tr", {}, make("th", { scope: "col", class: "first" }, "Case"),
    ...ran.map((column) => make("th", { scope: "col", title: column.what }, make("span", {}, column.name))))));
  table.classList.toggle("many", ran.length > WIDE_COLUMNS);
  for (const item of section.cases) {
    const name = item.name.includes("/") ? item.name.slice(0, item.name.indexOf("/")) : "cases";
    if (!groups.has(name)) groups.set(name, { name, cases: [], open: false });
    groups.get(name).cases.push(item);
  }
  for (const group of groups.values()) table.append(bodyOf(group, ran));
}

/** A count and a word, and the sign that replaces the word in a narrow column. */
function signed(state, word, count = "") {
  return [make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state]), String(count),
    make("span", { class: "word" }, word)];
}

function bodyOf(group, ran) {
  const failed = (item) => ran.some((column) => item.cells[column.key].state === "failed");
  group.open = group.cases.some(failed);
  group.button = opener(`${group.name}, ${counted(group.cases.length, "case")}`, {}, (open) => {
    group.open = open;
    applyFilter();
  });
  const sums = ran.map((column) => {
    const of = (state) => group.cases.filter((item) => item.cells[column.key].state === state).length;
    const parts = [[of("failed"), "failed", "failed"], [of("excepted"), "excepted", EXCEPTED],
      [of("passed"), "passed", "passed"]];
    const shown = parts.filter(([count]) => count > 0);
    return make("td", { class: of("failed") > 0 ? "failed" : undefined },
      ...shown.map(([count, state, word]) =>
        make("span", { class: `part ${state}` }, ...signed(state, ` ${word}`, count))));
  });
  const title = make("th", { scope: "rowgroup", class: "first" }, group.button);
  const head = make("tr", { class: "subject" }, title, ...sums);
  group.rows = group.cases.map((item) => rowOf(item, ran));
  return make("tbody", {}, head, ...group.rows.map(({ row }) => row));
}

function rowOf(item, ran) {
  const entry = { item, states: new Set(), details: null };
  const short = item.name.slice(item.name.indexOf("/") + 1).replaceAll("_", "_\u200b");
  const button = opener(short, { class: "name", title: item.name }, (open) => {
    if (open && entry.details === null) {
      entry.details = detailsOf(item, ran);
      entry.row.after(entry.details);
    }
    if (entry.details !== null) entry.details.hidden = !open;
  });
  const cells = ran.map((column) => {
    const cell = item.cells[column.key];
    entry.states.add(cell.state);
    const word = cell.state === "failed" ? `failed: ${cell.failure.kind}` : wordOf(cell);
    return make("td", { class: cell.state, "data-state": cell.state, title: `${column.name}: ${word}` },
      ...signed(cell.state, word));
  });
  const title = make("th", { scope: "row", class: "first" }, button);
  entry.row = make("tr", { class: "case", "data-case": item.name }, title, ...cells);
  entry.button = button;
  return entry;
}

/** The outcome of a case on each column. Columns without a failure are grouped together. */
function detailsOf(item, ran) {
  const box = make("div", {}, make("p", {}, make("code", {}, item.name)));
  const odd = ran.filter((column) => item.cells[column.key].failure !== undefined);
  for (const column of odd) box.append(outcomeOf(item, column));
  box.append(make("div", { class: "alike" },
    ...ran.filter((column) => !odd.includes(column)).map((column) => outcomeOf(item, column))));
  const seen = new Map();
  for (const column of ran) {
    const index = item.cells[column.key].transcript;
    if (!seen.has(index)) seen.set(index, []);
    seen.get(index).push(column.name);
  }
  for (const [index, names] of seen) {
    const lines = report.transcripts[index];
    const list = make("ol", { class: "lines", tabindex: "0", "aria-label": "Transcript", hidden: true });
    const whose = names.length === ran.length && ran.length > 1 ? "all columns" : names.join(", ");
    const button = opener(`Transcript of ${whose}: ${counted(lines.length, "line")}`, {}, (open) => {
      if (list.childElementCount === 0) list.append(...lines.map((line) => make("li", { class: "line" }, line)));
      list.hidden = !open;
    });
    box.append(make("div", {}, button, list));
  }
  return make("tr", {}, make("td", { class: "details", colspan: ran.length + 1 }, box));
}

function outcomeOf(item, column) {
  const cell = item.cells[column.key];
  const calls = cell.calls === undefined ? "calls not counted"
    : Object.entries(cell.calls).map(([name, [count, moved]]) =>
      `${name} ${number(count)}×${moved > 0 ? ` ${bytes(moved)}` : ""}`).join(", ") || "no calls";
  const box = make("div", { class: `outcome is-${cell.state}` },
    make("strong", {}, column.name), " ", make("span", { class: `tag ${cell.state}` }, wordOf(cell)),
    make("span", { class: "cost" }, ` ${duration(cell.seconds)}; ${calls}`));
  if (cell.reason !== undefined) {
    box.append(make("p", {}, `${ofPackage ? "Not a difference" : "Exception"}: ${cell.reason}.`));
  }
  const failure = cell.failure;
  if (failure === undefined) return box;
  if (failure.difference === undefined) box.append(make("pre", {}, failure.text));
  else box.append(sideBySide(item, column, failure.difference));
  if (failure.seed !== undefined) box.append(make("p", {}, `The seed is ${failure.seed}.`));
  box.append(make("p", {}, "Again: ", make("code", {}, failure.again)));
  return box;
}

/** The next equal lines of two transcripts that differ at `left` and `right`: how many lines each has before them. */
function nextEqualLines(theirs, ours, left, right) {
  for (let sum = 1; sum <= LOOK_AHEAD; sum += 1) {
    for (let skipped = 0; skipped <= sum; skipped += 1) {
      const line = theirs[left + skipped];
      if (line !== undefined && line === ours[right + sum - skipped]) return [skipped, sum - skipped];
    }
  }
  return [1, 1];
}

/** Two transcripts as pairs of indices: equal lines beside each other, and `null` where one side has no such line. */
function pairs(theirs, ours) {
  const rows = [];
  for (let left = 0, right = 0; left < theirs.length || right < ours.length;) {
    const [more, other] = theirs[left] === ours[right] ? [1, 1] : nextEqualLines(theirs, ours, left, right);
    for (let step = 0; step < Math.max(more, other); step += 1) {
      rows.push([step < more && left + step < theirs.length ? left + step : null,
        step < other && right + step < ours.length ? right + step : null]);
    }
    left += more;
    right += other;
  }
  return rows;
}

/** Two transcripts side by side, from just before their first difference. */
function sideBySide(item, column, difference) {
  const reference = byKey.get(difference.reference);
  const theirs = report.transcripts[item.cells[reference.key].transcript];
  const ours = report.transcripts[item.cells[column.key].transcript];
  const rows = pairs(theirs, ours);
  const first = difference.line - 1;
  const body = make("tbody");
  const show = (from, to) => body.replaceChildren(...rows.slice(Math.max(from, 0), to).map(([left, right]) => {
    const other = theirs[left] !== ours[right];
    const sides = other ? markDifference(theirs[left], ours[right]) : [[theirs[left]], [ours[right]]];
    return make("tr", { class: other ? "other" : undefined }, make("td", {}, left === null ? "" : String(left + 1)),
      make("td", {}, other ? "≠" : ""), ...sides.map((parts) => make("td", { class: "line" }, ...parts)));
  }));
  show(first - BEFORE, first + AFTER);
  const head = make("tr", {}, make("th", { scope: "col" }, "Line"), make("th", { "aria-label": "differs" }),
    make("th", { scope: "col" }, reference.name), make("th", { scope: "col" }, column.name));
  const box = make("div", {}, make("p", {}, `The transcripts differ from line ${number(difference.line)} on.`),
    make("table", { class: "sides" }, make("thead", {}, head), body));
  if (first > BEFORE || first + AFTER < rows.length) {
    const all = make("button", { type: "button", class: "plain" }, `Show all ${counted(rows.length, "line")}`);
    all.addEventListener("click", () => {
      show(0, rows.length);
      all.remove();
    });
    box.append(all);
  }
  return box;
}

/** Two lines, with what lies between their common beginning and end marked. */
function markDifference(theirs, ours) {
  if (theirs === undefined) return [[make("em", {}, "(no such line)")], [ours]];
  if (ours === undefined) return [[theirs], [make("em", {}, "(no such line)")]];
  const [left, right] = [[...theirs], [...ours]];
  const most = Math.min(left.length, right.length);
  let start = 0, end = 0;
  while (start < most && left[start] === right[start]) start += 1;
  while (end < most - start && left[left.length - 1 - end] === right[right.length - 1 - end]) end += 1;
  return [left, right].map((line) => [line.slice(0, start).join(""),
    make("mark", {}, line.slice(start, line.length - end).join("")), line.slice(line.length - end).join("")]);
}

const form = document.getElementById("filter");

function applyFilter() {
  const state = form.elements.state.value;
  const text = form.elements.text.value.trim().toLowerCase();
  const wanted = ({ item, states }) => item.name.toLowerCase().includes(text)
    && (state === "" || (state === "passed" ? states.size === 1 && states.has(state) : states.has(state)));
  let count = 0;
  for (const group of sections.flatMap((section) => [...section.groups.values()])) {
    const rows = group.rows.filter(wanted);
    count += rows.length;
    // Cases that a filter selects are shown in closed groups too.
    const open = group.open || state !== "" || text !== "";
    group.button.setAttribute("aria-expanded", open);
    group.button.closest("tbody").hidden = rows.length === 0;
    for (const entry of group.rows) {
      entry.row.hidden = !open || !wanted(entry);
      if (entry.details !== null) {
        entry.details.hidden = entry.row.hidden || entry.button.getAttribute("aria-expanded") !== "true";
      }
    }
  }
  form.elements.count.textContent = `${number(count)} of ${counted(all("cases").length, "case")}`;
}

/** Sets the width of details to the visible width of the table of cases. */
function measure() {
  for (const { element } of sections) {
    const table = element.querySelector(".cases");
    table.style.setProperty("--seen", `${table.parentElement.clientWidth}px`);
  }
}

if (ofPackage) document.getElementById("exceptions").textContent = "tests that failed everywhere or are ignored";
document.getElementById("calls").hidden = !all("ran").some((column) => column.calls !== null);
showVerdict();
for (const section of sections) {
  section.element.querySelector("h2").textContent = section.title;
  showColumns(section);
  showCases(section);
  document.getElementById("sections").append(section.element);
}
showLedger();
// `report.html#failed` shows only the failures.
const requested = location.hash.slice(1);
if ([...form.elements.state.options].some((option) => option.value === requested)) form.elements.state.value = requested;
form.addEventListener("input", applyFilter);
form.addEventListener("submit", (event) => event.preventDefault());
applyFilter();
measure();
addEventListener("resize", measure);
