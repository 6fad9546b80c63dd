//! Numbers and bytes without a pattern that a case could lean on, the same on every target.

/// A generator that gives the same numbers for the same seed. (xorshift64*)
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator with a seed of its own: print it where a case fails.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // It would never leave zero.
        Self(seed.max(1))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).expect("it is below a usize")
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Bytes out of an alphabet.
    pub fn bytes(&mut self, len: usize, alphabet: &[u8]) -> Vec<u8> {
        (0..len).map(|_| self.pick(alphabet)).collect()
    }
}

/// Bytes of which every few are unlike those elsewhere: a byte at the wrong place shows.
#[must_use]
pub fn patternless(len: usize) -> Vec<u8> {
    let mut random = Random::new(len as u64);
    (0..len).map(|_| random.number().to_le_bytes()[7]).collect()
}
