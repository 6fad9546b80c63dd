//! Measures the costs of mappings that a host places in its guests, and of those of the operating system and of the
//! emulation: times in one run, and the memory of many instances that exist at the same time.

mod embedding;
mod fleet;
mod fleets;
mod plot;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use comfy_table::Cell;
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};

pub use fleet::{Fleet, Measured, run as run_fleet};

use crate::terminal::{align_right, new_table};
use embedding::{Embedding, Offer};

/// The lengths of the files, in MiB.
const SIZES: [u64; 2] = [256, 1024];

/// The operations that are measured, by their names in the output of the program `placed`.
const ACTS: [&str; 5] = ["map", "first scan", "second scan", "unmap", "edit"];

/// The ways to access a file's bytes, and the name of the backend in the output of `placed`: the first way natively,
/// the others in a guest. The second is what programs do that cannot map, and what the `mmap` of wasi-libc does. "Not
/// copied" is the emulation in a host that maps the file instead of copying its reads.
const WAYS: [(&str, &str); 5] = [
    ("native", "mapped"),
    ("read whole", "read"),
    ("emulated", "buffered"),
    ("not copied", "buffered"),
    ("hosted", "hosted"),
];

/// The number of rounds, in which each way runs once.
const TURNS: usize = 3;

/// The programs and the directory of a measurement.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `placed` for this machine.
    pub native: PathBuf,
    /// The same program as a guest, which emulates mappings unless its host places them.
    pub guest: PathBuf,
    /// The directory of the files.
    pub dir: PathBuf,
    /// This program, which runs each fleet in a separate process.
    pub harness: PathBuf,
    /// How many blocks of 64 KiB each instance of a fleet accesses.
    pub blocks: usize,
}

/// The shortest time in nanoseconds of each operation, for one way.
#[derive(Debug, Default)]
struct Times {
    backend: String,
    acts: Vec<f64>,
}

impl Times {
    /// Parses the output of `placed times`.
    fn parse(text: &str) -> Option<Self> {
        let backend = text.lines().find_map(|line| line.strip_prefix("backend "))?.to_owned();
        let of = |act: &str| text.lines().find_map(|line| line.strip_prefix(act)?.strip_prefix(": ")?.parse().ok());
        Some(Self { backend, acts: ACTS.into_iter().map(of).collect::<Option<_>>()? })
    }

    fn keep_shortest(&mut self, other: Self) {
        if self.acts.is_empty() {
            *self = other;
        } else {
            self.acts.iter_mut().zip(other.acts).for_each(|(act, other)| *act = act.min(other));
        }
    }
}

/// Measures everything, and returns the report.
///
/// # Errors
/// Fails if a program fails or prints something else, or if a mapping has another backend than expected.
pub fn run(plan: &Plan) -> Result<String> {
    fs::create_dir_all(&plan.dir)?;
    let load = |offer| -> Result<_> {
        let embedding = Embedding::new(false, offer)?;
        let module = embedding.load(&plan.guest)?;
        Ok((embedding, module))
    };
    let (emulated, hosted) = (load(Offer::Nothing)?, load(Offer::Mappings)?);
    let not_copied = load(Offer::ZeroCopyReads)?;
    let mut text = String::new();
    for mib in SIZES {
        let name = format!("{mib}.bin");
        make_file(&plan.dir.join(&name), mib << 20)?;
        eprintln!("== a file of {mib} MiB");
        let guest = format!("/{name}");
        let of_guest = |(embedding, module): &(Embedding, _), what| -> Result<Times> {
            let output = embedding.run(module, &plan.dir, &[what, &guest])?;
            Times::parse(&output).with_context(|| format!("`placed {what}` printed this:\n{output}"))
        };
        let mut ways = WAYS.map(|_| Times::default());
        // The ways alternate, because the load of the machine changes.
        for _ in 0..TURNS {
            let native = native(&plan.native, &plan.dir.join(&name))?;
            let read = of_guest(&emulated, "read")?;
            let times = [of_guest(&emulated, "times")?, of_guest(&not_copied, "times")?, of_guest(&hosted, "times")?];
            for (way, times) in ways.iter_mut().zip([native, read].into_iter().chain(times)) {
                way.keep_shortest(times);
            }
        }
        for (way, (_, backend)) in ways.iter().zip(WAYS) {
            if way.backend != backend {
                bail!("a mapping of {mib} MiB was {} and not {backend}", way.backend);
            }
        }
        text.push_str(&times_table(mib, &ways));
    }
    eprintln!("== lengths");
    let output = hosted.0.run(&hosted.1, &plan.dir, &["lengths", &format!("/{}.bin", SIZES[0])])?;
    text.push_str(&lengths_table(&output)?);
    let fleets = fleets::measure(plan)?;
    text.push_str(&fleets::table(&fleets));
    let plot = plan.dir.join("fleets.svg");
    fs::write(&plot, plot::draw(&fleets)?).with_context(|| format!("cannot write {}", plot.display()))?;
    Ok(text)
}

/// Makes a file of `len` random bytes, which no file system can compress.
fn make_file(path: &Path, len: u64) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|data| data.len() == len) {
        return Ok(());
    }
    let mut random = native_tests::random::Random::new(len);
    let mut file = File::create(path)?;
    for _ in 0..len >> 20 {
        let part: Vec<u8> = (0..1 << 17).flat_map(|_| random.number().to_le_bytes()).collect();
        file.write_all(&part)?;
    }
    file.sync_all()
}

fn native(program: &Path, file: &Path) -> Result<Times> {
    let output = Command::new(program).arg("times").arg(file).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Times::parse(&text).with_context(|| format!("{} printed this:\n{text}", program.display()))
}

fn micros(nanos: f64) -> String {
    if nanos < 1e6 { format!("{:.1} µs", nanos / 1e3) } else { format!("{:.1} ms", nanos / 1e6) }
}

fn times_table(mib: u64, ways: &[Times]) -> String {
    let title = format!("{mib} MiB");
    let mut header = vec![title.as_str()];
    header.extend(WAYS.map(|(name, _)| name));
    header.push("hosted / native");
    let mut table = new_table(&header);
    for (index, act) in ACTS.into_iter().enumerate() {
        let act = if act == "edit" { "change one byte, write it to the file" } else { act };
        let mut row = vec![Cell::new(act)];
        row.extend(ways.iter().map(|way| Cell::new(micros(way.acts[index]))));
        row.push(Cell::new(format!("{:.2}", ways[WAYS.len() - 1].acts[index] / ways[0].acts[index])));
        table.add_row(row);
    }
    align_right(&mut table, 1);
    format!("{table}\n")
}

/// The table of the output of `placed lengths`, and the length from which the host's mapping is faster.
fn lengths_table(output: &str) -> Result<String> {
    let mut table = new_table(&["map, read and unmap", "emulated", "hosted", "hosted / emulated"]);
    let mut meeting = None;
    for line in output.lines() {
        let parts: Option<(u64, f64, f64)> = line.split_once(": ").and_then(|(kib, times)| {
            let (hosted, buffered) = times.split_once(' ')?;
            Some((kib.parse().ok()?, hosted.parse().ok()?, buffered.parse().ok()?))
        });
        let (kib, hosted, buffered) = parts.with_context(|| format!("`placed lengths` printed {line:?}"))?;
        if hosted > buffered {
            meeting = None;
        } else {
            meeting.get_or_insert(kib);
        }
        let cells = [format!("{kib} KiB"), micros(buffered), micros(hosted), format!("{:.2}", hosted / buffered)];
        table.add_row(cells);
    }
    align_right(&mut table, 1);
    let meeting = meeting.map_or("at none of these lengths".to_owned(), |kib| format!("from {kib} KiB on"));
    Ok(format!("{table}\nThe host's mapping is faster {meeting}.\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_program_are_parsed_by_name() {
        let text = "backend hosted\nmap: 1\nfirst scan: 2\nsecond scan: 3\nunmap: 4\nedit: 5\n";
        let times = Times::parse(text).unwrap();
        assert_eq!((times.backend.as_str(), times.acts), ("hosted", vec![1.0, 2.0, 3.0, 4.0, 5.0]));
        assert!(Times::parse("backend hosted\nmap: 1\n").is_none());
    }

    #[test]
    fn the_hosts_mapping_is_faster_from_the_length_where_it_stays_faster() {
        let text = lengths_table("4: 9 1\n16: 1 2\n32: 3 2\n64: 3 3\n128: 3 9\n").unwrap();
        assert!(text.contains("from 64 KiB on"), "{text}");
        assert!(lengths_table("4: 9 1\n").unwrap().contains("at none of these lengths"));
        assert!(lengths_table("4: 9\n").is_err());
    }
}
