//! Numbers and bytes that look random and are the same for one seed on every target.

/// A random number generator: xorshift64*.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Makes the generator of a seed. Print the seed when a case fails.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        // Never 0, because the generator would then return only 0.
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

    /// Bytes with few different values, including newlines, so that searches find something.
    pub fn text(&mut self, len: usize) -> Vec<u8> {
        self.bytes(len, b"abc\n")
    }
}

/// Bytes without repeated sequences, so that a byte at a wrong position is detected.
#[must_use]
pub fn patternless(len: usize) -> Vec<u8> {
    let mut random = Random::new(len as u64);
    if !cfg!(miri) {
        return (0..len).map(|_| random.number().to_le_bytes()[7]).collect();
    }
    // Miri copies bytes faster than it computes them, so there is a unique number only every few hundred bytes.
    let base: Vec<u8> = (0..247).map(|_| random.number().to_le_bytes()[7]).collect();
    let mut bytes = Vec::with_capacity(len + 256);
    while bytes.len() < len {
        bytes.extend_from_slice(&base);
        bytes.extend_from_slice(&random.number().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
