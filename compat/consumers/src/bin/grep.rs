//! ripgrep's searcher, with memory maps forced on. If mapping fails it reads the file, and only logs the error.

use std::sync::atomic::{AtomicBool, Ordering};

use grep_regex::RegexMatcher;
use grep_searcher::sinks::UTF8;
use grep_searcher::{MmapChoice, SearcherBuilder};

/// Whether the searcher has failed to map.
static MAPPING_FAILED: AtomicBool = AtomicBool::new(false);

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.args().to_string().contains("failed to open memory map") {
            MAPPING_FAILED.store(true, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        log::set_logger(&Log)?;
        log::set_max_level(log::LevelFilter::Debug);
        let matcher = RegexMatcher::new(r"error [0-9a-f]*c0f|(?i)DÉTAIL .*bee")?;
        // SAFETY: nobody changes the file.
        let mapped = unsafe { MmapChoice::auto() };
        let mut searcher = SearcherBuilder::new().memory_map(mapped).line_number(true).build();
        let mut count = 0;
        searcher.search_path(
            &matcher,
            dir.join("words.txt"),
            UTF8(|number, line| {
                count += 1;
                print!("{number}: {line}");
                Ok(true)
            }),
        )?;
        println!("{count} lines");
        if MAPPING_FAILED.load(Ordering::Relaxed) {
            Err("the searcher could not map the file, and has read it".into())
        } else {
            Ok(())
        }
    })
}
