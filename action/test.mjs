// Runs the steps of action.yml on this machine, for a crate outside of the repository. Each `run` is unchanged. The actions
// that action.yml uses are simulated, with directories instead of GitHub's storage. `make test-action` calls this.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
// `make test-action` installs the package there with npm.
const { parse } = createRequire(path.join(process.env.NODE_PACKAGES, "package.json"))("yaml");
const action = parse(fs.readFileSync(path.join(ROOT, "action.yml"), "utf8"));

const home = fs.mkdtempSync(path.join(os.tmpdir(), "action-"));
process.on("exit", () => fs.rmSync(home, { recursive: true }));
const storage = { caches: path.join(home, "caches"), artifacts: path.join(home, "artifacts") };
const workspace = path.join(home, "workspace");

/** Replaces the expressions in a text with their values. An unknown expression is an error. */
function evaluate(text, { inputs, outputs }) {
  return String(text).replaceAll(/\$\{\{ (.*?) \}\}/g, (_, expression) => {
    const input = /^inputs\.(\w+)$/.exec(expression);
    if (input !== null) return inputs[input[1]];
    const output = /^steps\.(\w+)\.outputs\.([\w-]+)$/.exec(expression);
    assert.ok(output !== null, `this test does not know the expression ${expression}`);
    return outputs[output[1]][output[2]] ?? "";
  });
}

/** Whether a step runs. */
function wanted(condition, state) {
  if (condition === undefined) return !state.failed;
  if (condition === "${{ !cancelled() }}") return true;
  const unequal = /^(steps\.\S+) != '(.*)'$/.exec(condition);
  assert.ok(unequal !== null, `this test does not know the condition ${condition}`);
  return !state.failed && evaluate(`\${{ ${unequal[1]} }}`, state) !== unequal[2];
}

/** Simulations of the actions that it uses. */
const USED = {
  "actions/cache@v4": ({ path: place, key }, state) => {
    const kept = path.join(storage.caches, key);
    const hit = fs.existsSync(kept);
    if (hit) fs.cpSync(kept, place, { recursive: true });
    else state.atTheEnd = () => fs.cpSync(place, kept, { recursive: true });
    return { "cache-hit": hit ? "true" : "" };
  },
  "actions/upload-artifact@v4": ({ name, path: place }) => {
    if (fs.existsSync(place)) fs.cpSync(place, path.join(storage.artifacts, name), { recursive: true });
    return {};
  },
};

/** Runs the action, in a new job unless `temporary` is the directory of another job. Returns the steps that ran, the output,
    and whether the action failed. */
function run(given = {}, temporary = fs.mkdtempSync(path.join(home, "job-"))) {
  const defaults = Object.entries(action.inputs).map(([name, input]) => [name, input.default]);
  const state = { inputs: { ...Object.fromEntries(defaults), ...given }, outputs: {}, failed: false, ran: [], log: "", temporary };
  for (const [index, step] of action.runs.steps.entries()) {
    if (!wanted(step.if, state)) continue;
    const id = step.id ?? `step${index}`;
    const values = (texts = {}) =>
      Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, evaluate(text, state)]));
    if (step.uses !== undefined) {
      assert.ok(step.uses in USED, `this test does not know the action ${step.uses}`);
      state.outputs[id] = USED[step.uses](values(step.with), state);
      continue;
    }
    assert.equal(step.shell, "bash");
    const output = path.join(temporary, `${id}.output`);
    fs.writeFileSync(output, "");
    const child = spawnSync("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", step.run], {
      cwd: workspace,
      encoding: "utf8",
      env: { ...process.env, ...values(step.env), GITHUB_ACTION_PATH: ROOT, GITHUB_OUTPUT: output,
        RUNNER_TEMP: temporary, RUNNER_OS: "Linux", RUNNER_ARCH: "X64" },
    });
    state.log += child.stdout + child.stderr;
    state.failed ||= child.status !== 0;
    state.ran.push(step.run.split(" ").at(-1));
    const lines = fs.readFileSync(output, "utf8").split("\n").filter((line) => line !== "");
    state.outputs[id] = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")),
      line.slice(line.indexOf("=") + 1)]));
  }
  if (!state.failed) state.atTheEnd?.();
  return state;
}

/** Writes the crate: one test passes everywhere, one panics as it should, and `more` is added. */
function write(directory, more = "") {
  fs.mkdirSync(path.join(workspace, directory, "src"), { recursive: true });
  fs.writeFileSync(path.join(workspace, directory, "Cargo.toml"),
    '[package]\nname = "outside"\nversion = "0.1.0"\nedition = "2024"\n\n[features]\nmore = []\n\n[workspace]\n');
  fs.writeFileSync(path.join(workspace, directory, "src/lib.rs"), `#[cfg(test)]
mod tests {
    #[test]
    fn adds() {
        assert_eq!(1 + 1, 2);
    }

    #[test]
    #[should_panic]
    fn panics() {
        panic!("on purpose");
    }
    ${more}
}
`);
}

const reports = (artifact) => fs.readdirSync(path.join(storage.artifacts, artifact)).sort();
const junit = (artifact) => fs.readFileSync(path.join(storage.artifacts, artifact, "junit.xml"), "utf8");

test("the first run builds the harness, and a crate with equal results everywhere passes", () => {
  write(".");
  const { failed, ran, log } = run();
  assert.ok(!failed, log);
  assert.deepEqual(ran, ["plan", "build", "targets", "compare"]);
  assert.deepEqual(reports("wasi-tests"), ["junit.xml", "report.html", "report.json"]);
  for (const column of ["native", "wasip1", "wasip2"]) {
    const suite = `<testsuite name="${column}" tests="2" skipped="0" errors="0" failures="0"`;
    assert.ok(junit("wasi-tests").includes(suite), junit("wasi-tests"));
  }
});

test("a later run gets the harness from the cache, and fails with reports if a target differs", () => {
  write("with a space", "#[test] fn is_wide() { assert_eq!(usize::BITS, 64); }");
  const { failed, ran, log } = run({ package: "with a space", artifact: "wide" });
  assert.ok(failed, log);
  assert.deepEqual(ran, ["plan", "targets", "compare"]);
  assert.match(log, /is_wide/);
  assert.deepEqual(reports("wide"), ["junit.xml", "report.html", "report.json"]);
  assert.match(junit("wide"), /<testsuite name="wasip1" tests="3" skipped="0" errors="0" failures="1"/);
});

test("arguments reach the comparison, and those after two dashes reach cargo", () => {
  write("more", '#[test] fn is_wide() { assert_eq!(usize::BITS, 64); } #[test] #[cfg(feature = "more")] fn more() {}');
  const { failed, log } = run({ package: "more", artifact: "more", arguments: "--skip is_wide\n-- --features more" });
  assert.ok(!failed, log);
  assert.match(junit("more"), /<testsuite name="wasip2" tests="3" skipped="0" errors="0" failures="0"/);
});

test("a crate that does not build or does not exist fails, and publishes no report of another crate in the job", () => {
  write(".");
  write("broken", "fn");
  for (const [name, reason] of [["broken", "cargo test --no-run failed"], ["missing", "No such file or directory"]]) {
    const { temporary } = run();
    const { failed, log } = run({ package: name, artifact: name }, temporary);
    assert.ok(failed && log.includes(reason), log);
    const published = path.join(storage.artifacts, name);
    assert.deepEqual(fs.existsSync(published) ? fs.readdirSync(published) : [], []);
  }
});

test("the key of the cache changes only with the sources of the harness", () => {
  const copy = path.join(home, "copy");
  const sources = ["Cargo.toml", "Cargo.lock", "src", "native-tests", "portable-mmap-wasmtime", "wasm-tests"];
  for (const name of ["action", ...sources]) {
    fs.cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true });
  }
  const key = (root) => {
    const output = path.join(home, "key");
    fs.writeFileSync(output, "");
    const env = { ...process.env, GITHUB_OUTPUT: output, RUNNER_TEMP: home, RUNNER_OS: "Linux", RUNNER_ARCH: "X64" };
    assert.equal(spawnSync(path.join(root, "action/step"), ["plan"], { env }).status, 0);
    return /^key=(.*)$/m.exec(fs.readFileSync(output, "utf8"))[1];
  };
  assert.equal(key(copy), key(ROOT));
  fs.appendFileSync(path.join(copy, "action/README.md"), "more\n");
  assert.equal(key(copy), key(ROOT));
  fs.appendFileSync(path.join(copy, "src/lib.rs"), "// more\n");
  assert.notEqual(key(copy), key(ROOT));
});
