//! Numbers and bytes that look random and are the same for one seed on every target.

/// A generator: xorshift64*.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed: print it where a case fails.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        // Never 0, which it would not leave.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.number() >> 32) % end as u64).expect("it is below a usize")
    }

    /// A number from `-limit` to `limit`.
    pub fn around_zero(&mut self, limit: usize) -> isize {
        let magnitude = isize::try_from(self.below(limit + 1)).expect("a limit within a mapping's length");
        if self.chance(2) { -magnitude } else { magnitude }
    }

    /// True once in `times`.
    pub fn chance(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Bytes out of an alphabet.
    pub fn bytes(&mut self, len: usize, alphabet: &[u8]) -> Vec<u8> {
        (0..len).map(|_| self.pick(alphabet)).collect()
    }

    /// Bytes of few different values, newlines among them, so that something can be found in them.
    pub fn text(&mut self, len: usize) -> Vec<u8> {
        self.bytes(len, b"abc\n")
    }
}

/// Bytes of which every few are unlike those elsewhere: a byte at the wrong place shows.
#[must_use]
pub fn patternless(len: usize) -> Vec<u8> {
    let mut random = Random::new(len as u64);
    if !cfg!(miri) {
        return (0..len).map(|_| random.number().to_le_bytes()[7]).collect();
    }
    // An interpreter repeats bytes faster than it makes them: every few hundred a number that nobody else has.
    let base: Vec<u8> = (0..247).map(|_| random.number().to_le_bytes()[7]).collect();
    let mut bytes = Vec::with_capacity(len + 256);
    while bytes.len() < len {
        bytes.extend_from_slice(&base);
        bytes.extend_from_slice(&random.number().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
