//! A host of WASI: runs modules of Preview 1 in wasmi. `src/served.rs` of the harness describes the protocol.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, Write};
use std::path::PathBuf;

use serde_json::{Value, json};
use wasmi::{Engine, Linker, Module, Store};
use wasmi_wasi::wasi_common::pipe::WritePipe;
use wasmi_wasi::{Dir, WasiCtx, WasiCtxBuilder, ambient_authority};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The version of wasmi in `Cargo.toml`.
const VERSION: &str = "2.0.0";

fn main() -> Result<()> {
    reply(&json!({ "version": VERSION }))?;
    let engine = Engine::default();
    let mut modules = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let guest: Value = serde_json::from_str(&line?)?;
        let program = PathBuf::from(text(&guest["program"])?);
        if !modules.contains_key(&program) {
            modules.insert(program.clone(), Module::new(&engine, fs::read(&program)?)?);
        }
        reply(&run(&engine, &modules[&program], &guest)?)?;
    }
    Ok(())
}

fn run(engine: &Engine, module: &Module, guest: &Value) -> Result<Value> {
    let mut store = Store::new(engine, context(guest)?);
    let mut linker = Linker::<WasiCtx>::new(engine);
    wasmi_wasi::add_to_linker(&mut linker, |context| context)?;
    let instance = linker.instantiate_and_start(&mut store, module)?;
    let start = instance.get_typed_func::<(), ()>(&store, "_start")?;
    Ok(match start.call(&mut store, ()) {
        Ok(()) => json!({ "exit": 0 }),
        Err(error) => match error.i32_exit_status() {
            Some(code) => json!({ "exit": code }),
            None => json!({ "trap": error.to_string() }),
        },
    })
}

fn context(guest: &Value) -> Result<WasiCtx> {
    let mut builder = WasiCtxBuilder::new();
    for arg in list(&guest["args"])? {
        builder.arg(text(arg)?)?;
    }
    for pair in list(&guest["env"])? {
        builder.env(text(&pair[0])?, text(&pair[1])?)?;
    }
    for pair in list(&guest["dirs"])? {
        let dir = Dir::open_ambient_dir(text(&pair[0])?, ambient_authority())?;
        builder.preopened_dir(dir, text(&pair[1])?)?;
    }
    let stream = |name| Ok::<_, Box<dyn Error>>(Box::new(WritePipe::new(File::create(text(&guest[name])?)?)));
    builder.stdout(stream("stdout")?).stderr(stream("stderr")?);
    Ok(builder.build())
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().ok_or_else(|| format!("{value} is not a list").into())
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().ok_or_else(|| format!("{value} is not a text").into())
}

fn reply(value: &Value) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{value}")?)
}
