// A host of WASI: runs components of Preview 2 in Node, translated to JavaScript by jco, with its preview2-shim.
//
// usage: node jco.mjs DIRECTORY, which has the two packages in its node_modules

import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import process, { argv, version } from "node:process";
import { pathToFileURL } from "node:url";
import { serve, trapped } from "./serve.mjs";

const modules = join(argv[2], "node_modules");
// The harness removes the directory of temporary files.
const scratch = mkdtempSync(join(tmpdir(), "jco-"));
// Scripts in that directory can import the packages.
symlinkSync(modules, join(scratch, "node_modules"));
const load = (name) => import(pathToFileURL(createRequire(join(scratch, "here.js")).resolve(name)));
const versionOf = (name) =>
  JSON.parse(readFileSync(join(modules, "@bytecodealliance", name, "package.json"))).version;

const { transpileBytes } = await load("@bytecodealliance/jco-transpile");
const { filesystem } = await load("@bytecodealliance/preview2-shim");
const { WASIShim } = await load("@bytecodealliance/preview2-shim/instantiation");

// wasi-libc opens every file for writing with a flag that the shim does not support, and that has no meaning for a file.
const { Descriptor } = filesystem.types;
const openAt = Descriptor.prototype.openAt;
Descriptor.prototype.openAt = function (pathFlags, path, openFlags, flags) {
  return openAt.call(this, pathFlags, path, openFlags, { ...flags, mutateDirectory: false });
};

// A guest that exits leaves its resources to the garbage collector, which may drop a stream before the poll resources that
// were made of it. The shim throws an error for that after the guest has ended, with any guest.
process.on("uncaughtException", (error) => {
  if (!error.message.includes("child poll resource which has not yet been dropped")) {
    console.error(error);
    process.exit(1);
  }
});

class Exit extends Error {
  constructor(code) {
    super(`exit code ${code}`);
    this.code = code;
  }
}

const components = new Map();

async function translated(program) {
  if (!components.has(program)) {
    const name = `component${components.size}`;
    const { files } = await transpileBytes(readFileSync(program), { name, instantiation: { tag: "sync" } });
    const core = new Map();
    for (const [path, bytes] of Object.entries(files)) {
      if (path.endsWith(".wasm")) {
        core.set(basename(path), new WebAssembly.Module(bytes));
      }
    }
    writeFileSync(join(scratch, `${name}.mjs`), files[`${name}.js`]);
    const { instantiate } = await import(pathToFileURL(join(scratch, `${name}.mjs`)));
    components.set(program, (imports) => instantiate((path) => core.get(basename(path)), imports));
  }
  return components.get(program);
}

async function run(guest) {
  const instantiate = await translated(guest.program);
  const shim = new WASIShim({
    sandbox: {
      preopens: Object.fromEntries(guest.dirs.map(([host, name]) => [name, host])),
      env: Object.fromEntries(guest.env),
      args: guest.args,
      enableNetwork: false,
    },
  });
  const imports = { ...shim.getImportObject() };
  const override = (name, values) => {
    const key = Object.keys(imports).find((key) => key.split("@")[0] === name);
    imports[key] = { ...imports[key], ...values };
  };
  // The output goes to the files of the harness. The shim's own streams are those of this process.
  const file = (path) =>
    filesystem._createPreopenDescriptor(dirname(path)).openAt({}, basename(path), {}, { write: true }).writeViaStream(0n);
  const [stdout, stderr] = [file(guest.names.stdout), file(guest.names.stderr)];
  override("wasi:cli/stdout", { getStdout: () => stdout });
  override("wasi:cli/stderr", { getStderr: () => stderr });
  override("wasi:cli/exit", {
    exit(status) {
      throw new Exit(status.tag === "err" ? 1 : 0);
    },
    exitWithCode(code) {
      throw new Exit(code);
    },
  });
  try {
    const instance = instantiate(imports);
    (instance.run ?? instance["wasi:cli/run@0.2.0"]).run();
    return { exit: 0 };
  } catch (error) {
    if (error instanceof Exit) {
      return { exit: error.code };
    }
    // A component that fails returns an error without a value.
    return error === undefined ? { exit: 1 } : trapped(error);
  }
}

await serve(`${versionOf("jco-transpile")}, preview2-shim ${versionOf("preview2-shim")}, Node ${version.slice(1)}`, run);
