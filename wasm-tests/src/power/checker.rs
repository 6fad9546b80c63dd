//! Tracks what the program's calls guarantee, and checks the disk at each power failure.

use native_tests::power::{Act, Model, Script, content};
use native_tests::random::Random;

use super::disk::Disk;
use super::tally::Tally;

/// The largest number of requests between two failures.
const MOST_REQUESTS: usize = 24;

/// One run of a program: its file, and what its calls guarantee about it.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) disk: Disk,
    pub(super) tally: Tally,
    model: Model,
    script: Script,
    /// The current act of the program, and its number.
    act: Act,
    number: usize,
    seed: u64,
    random: Random,
    /// The number of failures that are still to come, and of requests until the next one.
    points: usize,
    requests: usize,
}

impl Checker {
    /// A run of the script of a seed. `is_mapped`: changes are in the file as soon as they are made.
    pub(super) fn new(seed: u64, points: usize, is_mapped: bool) -> Self {
        let content = content();
        let (mut model, mut script) = (Model::new(&content, is_mapped), Script::new(seed));
        let act = script.next().expect("a script has no end");
        model.begin(&act);
        let mut random = Random::new(!seed);
        let requests = random.below(MOST_REQUESTS);
        let (disk, tally) = (Disk::new(content), Tally::default());
        Self { disk, tally, model, script, act, number: 0, seed, random, points, requests }
    }

    /// Handles a request of the program for its file, before anything of it is done.
    pub(super) fn request(&mut self) {
        if self.points == 0 {
            return;
        }
        if self.requests > 0 {
            self.requests -= 1;
            return;
        }
        self.requests = self.random.below(MOST_REQUESTS);
        self.points -= 1;
        let image = self.disk.after_power_failure(&mut self.random);
        let found = self.model.check(&image.bytes);
        let place = || format!("seed {}, in step {}", self.seed, self.number);
        self.tally.add(&found, image.thrown_away, place);
    }

    /// Handles the program's report that an act has returned. Returns whether the program should continue.
    pub(super) fn report(&mut self, text: &[u8]) -> bool {
        let number = std::str::from_utf8(text).ok().and_then(|text| text.trim_end().parse().ok());
        if number != Some(self.number) {
            let text = String::from_utf8_lossy(text);
            self.tally.problems.push(format!("seed {}: it reported {text:?} in step {}", self.seed, self.number));
            return false;
        }
        self.model.returned(&self.act);
        self.tally.flushes += usize::from(self.act.guarantees());
        // A failure may also occur between this act and the next.
        self.request();
        self.act = self.script.next().expect("a script has no end");
        self.number += 1;
        self.model.begin(&self.act);
        self.points > 0
    }

    /// Whether all power failures have occurred.
    pub(super) fn is_done(&self) -> bool {
        self.points == 0
    }
}
