//! Compares the interface of the façade on WASI with that of memmap2 on Linux, which has the most items.
//! `api UPSTREAM FACADE` takes two files of rustdoc's JSON. `api FILE` prints the interface of one, an item per line.

use std::collections::BTreeSet;
use std::error::Error;
use std::process::ExitCode;

use public_api::Builder;

/// The additions of the façade to memmap2's interface.
const OWN: &str = "memmap2::emulation";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (upstream, facade) = match (args.next(), args.next()) {
        (Some(upstream), Some(facade)) => (upstream, facade),
        (Some(file), None) => {
            print(&file)?;
            return Ok(ExitCode::SUCCESS);
        }
        (None, _) => return Err("usage: api UPSTREAM FACADE, or api FILE".into()),
    };
    let (upstream, facade) = (items(&upstream)?, items(&facade)?);
    // An interface that could not be read must not count as an empty one.
    if upstream.len() < 100 {
        return Err(format!("memmap2 has {} items only", upstream.len()).into());
    }
    let missing: Vec<_> = upstream.difference(&facade).collect();
    let (own, more): (Vec<_>, Vec<_>) = facade.difference(&upstream).partition(|item| item.contains(OWN));
    for item in &missing {
        println!("missing: {item}");
    }
    for item in &more {
        println!("too many: {item}");
    }
    println!("{} items in both, {} of the façade's own", upstream.len() - missing.len(), own.len());
    Ok(if missing.is_empty() && more.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every item as Rust writes it, including auto traits such as `Send` and `Sync`.
fn items(json: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let api = Builder::from_rustdoc_json(json).omit_blanket_impls(true).build()?;
    Ok(api.items().map(ToString::to_string).collect())
}

/// Prints the items of a crate without auto traits such as `Send` and `Sync`, which would be half of the lines.
fn print(json: &str) -> Result<(), Box<dyn Error>> {
    let api = Builder::from_rustdoc_json(json).omit_blanket_impls(true).omit_auto_trait_impls(true).build()?;
    for item in api.items() {
        println!("{item}");
    }
    Ok(())
}
