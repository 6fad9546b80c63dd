//! The cost of work in calls and bytes, which, unlike time, does not vary.
//!
//! A [`Tally`] has the counted calls by name. [`Bounds`] are the limits for a part of a case. They are in the
//! transcript, and the side that has a tally checks it against them: see [`Scene::counted`](crate::Scene::counted).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The effect of a call on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Reads bytes.
    Read,
    /// Writes bytes.
    Write,
    /// Syncs bytes to the disk.
    Sync,
    /// Returns the type or the length.
    Stat,
    /// Anything else: counted by name, in none of the [`Kind`]s.
    Other,
}

/// The number of calls of a function, and of the bytes that they moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The effect of the call.
    pub group: Group,
    /// The number of calls.
    pub calls: u64,
    /// The number of bytes.
    pub bytes: u64,
}

/// Calls by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<&'static str, Count>);

impl Tally {
    /// An empty tally.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a call, successful or not, that moved `bytes` bytes.
    pub fn add(&mut self, group: Group, name: &'static str, bytes: u64) {
        let count = self.0.entry(name).or_insert(Count { group, calls: 0, bytes: 0 });
        count.calls += 1;
        count.bytes += bytes;
    }

    /// The calls between `earlier`, a former state of this tally, and now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.0.iter().map(|(&name, count)| {
            let before = earlier.0.get(name).copied().unwrap_or(Count { calls: 0, bytes: 0, ..*count });
            (name, Count { calls: count.calls - before.calls, bytes: count.bytes - before.bytes, ..*count })
        });
        Self(counts.filter(|(_, count)| count.calls > 0).collect())
    }

    /// The calls, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Count)> + '_ {
        self.0.iter().map(|(&name, &count)| (name, count))
    }

    /// The count of a kind; `None` if calls do not have it.
    #[must_use]
    pub fn count(&self, kind: Kind) -> Option<u64> {
        let of = |group| self.0.values().filter(move |count| count.group == group);
        let calls = |group| Some(of(group).map(|count| count.calls).sum());
        let bytes = |group| Some(of(group).map(|count| count.bytes).sum());
        match kind {
            Kind::Reads => calls(Group::Read),
            Kind::BytesRead => bytes(Group::Read),
            Kind::Writes => calls(Group::Write),
            Kind::BytesWritten => bytes(Group::Write),
            Kind::Syncs => calls(Group::Sync),
            Kind::Stats => calls(Group::Stat),
            Kind::BytesResident => None,
        }
    }
}

/// `fd_pread 2 calls 8192 bytes, fd_sync 1 call`
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no calls");
        }
        for (index, (name, Count { group, calls, bytes })) in self.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{name} {calls} {}", if calls == 1 { "call" } else { "calls" })?;
            if matches!(group, Group::Read | Group::Write) {
                write!(f, " {bytes} bytes")?;
            }
        }
        Ok(())
    }
}

/// A quantity that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Calls that read files.
    Reads,
    /// Bytes that they returned.
    BytesRead,
    /// Calls that write files.
    Writes,
    /// Bytes that they wrote.
    BytesWritten,
    /// Calls that sync written bytes to the disk.
    Syncs,
    /// Calls that return the type or the length of a file.
    Stats,
    /// Bytes of the guest's linear memory that the host had to provide. A page that is reserved but not touched does
    /// not count. Only a sandbox can count this.
    BytesResident,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Reads, Self::BytesRead, Self::Writes, Self::BytesWritten, Self::Syncs, Self::Stats, Self::BytesResident];

    /// Its name, in the plural.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::BytesRead => "bytes read",
            Self::Writes => "writes",
            Self::BytesWritten => "bytes written",
            Self::Syncs => "syncs",
            Self::Stats => "stats",
            Self::BytesResident => "bytes resident",
        }
    }
}

/// The largest and the smallest allowed counts of some kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds(Vec<(Kind, RangeInclusive<u64>)>);

impl<const N: usize> From<[(Kind, RangeInclusive<u64>); N]> for Bounds {
    fn from(bounds: [(Kind, RangeInclusive<u64>); N]) -> Self {
        Self(bounds.into())
    }
}

impl Bounds {
    /// The kinds that are bounded.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        self.0.iter().map(|&(kind, _)| kind)
    }

    /// The counts outside of the bounds, as `3 reads, at most 2`. A kind for which `count` returns `None` is inside.
    pub fn broken(&self, count: impl Fn(Kind) -> Option<u64>) -> Vec<String> {
        let outside = |(kind, bounds): &(Kind, RangeInclusive<u64>)| {
            let count = count(*kind)?;
            let want = match (bounds.start(), bounds.end()) {
                _ if bounds.contains(&count) => return None,
                (start, end) if start == end => format!("not {start}"),
                (start, _) if count < *start => format!("at least {start}"),
                (_, end) => format!("at most {end}"),
            };
            Some(format!("{count} {}, {want}", kind.name()))
        };
        self.0.iter().filter_map(outside).collect()
    }
}

/// `reads 0..=2, bytes read 0..=131072`
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, bounds)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{} {}..={}", kind.name(), bounds.start(), bounds.end())?;
        }
        Ok(())
    }
}

/// Parses the text that [`Display`](fmt::Display) has written.
impl FromStr for Bounds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bound = |part: &str| {
            let (name, range) = part.rsplit_once(' ')?;
            let (start, end) = range.split_once("..=")?;
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
            Some((kind, start.parse().ok()?..=end.parse().ok()?))
        };
        let bounds = text.split(", ").map(|part| bound(part).ok_or_else(|| format!("{part:?} is not a bound")));
        bounds.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        let mut tally = Tally::new();
        tally.add(Group::Read, "fd_pread", 4096);
        tally.add(Group::Read, "fd_read", 10);
        tally.add(Group::Write, "fd_pwrite", 1);
        tally.add(Group::Sync, "fd_sync", 0);
        tally.add(Group::Other, "fd_seek", 0);
        tally
    }

    #[test]
    fn calls_are_counted_by_name_and_by_kind() {
        let tally = tally();
        let counts = Kind::ALL.map(|kind| tally.count(kind));
        assert_eq!(counts, [Some(2), Some(4106), Some(1), Some(1), Some(1), Some(0), None]);
        let text = "fd_pread 1 call 4096 bytes, fd_pwrite 1 call 1 bytes, fd_read 1 call 10 bytes, fd_seek 1 call, \
                    fd_sync 1 call";
        assert_eq!(tally.to_string(), text);
        assert_eq!(Tally::new().to_string(), "no calls");
    }

    #[test]
    fn a_difference_has_only_later_calls() {
        let earlier = tally();
        let mut later = earlier.clone();
        later.add(Group::Read, "fd_pread", 5);
        later.add(Group::Stat, "fd_filestat_get", 0);
        assert_eq!(later.since(&earlier).to_string(), "fd_filestat_get 1 call, fd_pread 1 call 5 bytes");
        assert_eq!(earlier.since(&earlier), Tally::new());
    }

    #[test]
    fn counts_outside_of_the_bounds_are_returned() {
        let bounds = |reads| Bounds::from([(Kind::Reads, reads), (Kind::BytesResident, 0..=0)]);
        for (reads, expected) in [
            (0..=2, None),
            (2..=2, None),
            (0..=1, Some("2 reads, at most 1")),
            (3..=9, Some("2 reads, at least 3")),
            (1..=1, Some("2 reads, not 1")),
        ] {
            let broken = bounds(reads).broken(|kind| tally().count(kind));
            assert_eq!(broken.first().map(String::as_str), expected);
        }
    }

    #[test]
    fn bounds_can_be_printed_and_parsed() {
        let bounds = Bounds::from(Kind::ALL.map(|kind| (kind, 1..=1 << 17)));
        assert!(bounds.to_string().starts_with("reads 1..=131072, bytes read 1..=131072, "));
        assert_eq!(bounds.to_string().parse(), Ok(bounds));
        for text in ["", "reads", "reads 1", "reads 1..2", "sheep 1..=2", "reads 1..=2,stats 1..=1"] {
            assert!(text.parse::<Bounds>().is_err(), "{text:?}");
        }
    }
}
