"""A host of WASI: runs modules of Preview 1 and components of Preview 2 in the wasmtime of the Python package.

src/served.rs describes the protocol.
"""

import gc
import json
import sys
from importlib.metadata import version

import wasmtime


def main():
    # Other output goes to standard error, so that it cannot be mistaken for a reply.
    replies, sys.stdout = sys.stdout, sys.stderr
    engine = wasmtime.Engine()
    programs = {}

    def reply(value):
        print(json.dumps(value), file=replies, flush=True)

    reply({"version": version("wasmtime")})
    for line in sys.stdin:
        guest = json.loads(line)
        program = guest["program"]
        if program not in programs:
            programs[program] = load(engine, program)
        end = run(engine, programs[program], guest)
        # The files and the memory of a guest are released with its store.
        gc.collect()
        reply(end)


def load(engine, program):
    """Returns a function that takes a store and returns the function that starts the program."""
    with open(program, "rb") as file:
        is_component = file.read(8)[4:] == b"\x0d\0\1\0"
    if not is_component:
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        module = wasmtime.Module.from_file(engine, program)
        return lambda store: linker.instantiate(store, module).exports(store)["_start"]
    # Older packages do not have this module.
    from wasmtime import component

    linker = component.Linker(engine)
    linker.add_wasip2()
    loaded = component.Component.from_file(engine, program)
    run = loaded.get_export_index("run", loaded.get_export_index("wasi:cli/run@0.2.0"))
    return lambda store: linker.instantiate(store, loaded).get_func(store, run)


def run(engine, starter, guest):
    wasi = wasmtime.WasiConfig()
    wasi.argv = guest["args"]
    wasi.env = guest["env"]
    wasi.stdout_file = guest["stdout"]
    wasi.stderr_file = guest["stderr"]
    for host, name in guest["dirs"]:
        wasi.preopen_dir(host, name)
    store = wasmtime.Store(engine)
    store.set_wasi(wasi)
    start = starter(store)
    try:
        result = start(store)
    except wasmtime.ExitTrap as exit:
        return {"exit": exit.code}
    except (wasmtime.Trap, wasmtime.WasmtimeError) as trap:
        return {"trap": str(trap)}
    # A module returns nothing, and a component returns a result.
    return {"exit": 1 if result is not None and result.tag == "err" else 0}


main()
