//! Writes the types of an interface in the form that a component embeds: `component-type FILE.wit WORLD OUT`.

use std::path::Path;
use std::{env, fs};

use wit_component::{StringEncoding, metadata};
use wit_parser::{Resolve, UnresolvedPackageGroup};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [wit, world, out] = &args[..] else { return Err("usage: component-type FILE.wit WORLD OUT".into()) };
    let group = UnresolvedPackageGroup::parse(Path::new(wit), &fs::read_to_string(wit)?).map_err(|(_, error)| error)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_group(group)?;
    let world = resolve.select_world(&[package], Some(world))?;
    fs::write(out, metadata::encode(&resolve, world, StringEncoding::UTF8, None)?)?;
    Ok(())
}
