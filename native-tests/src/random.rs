//! Numbers that look random and are the same for one seed on every target.

/// A generator: xorshift64*.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from((self.bits() >> 32) % limit as u64).unwrap_or(0)
    }

    /// A number from `-limit` to `limit`.
    pub fn around_zero(&mut self, limit: usize) -> isize {
        let magnitude = isize::try_from(self.below(limit + 1)).unwrap_or(0);
        if self.chance(2) { -magnitude } else { magnitude }
    }

    /// True once in `times`.
    pub fn chance(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Bytes, of few different values, so that something can be found in them.
    pub fn text(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| b"abc\n"[self.below(4)]).collect()
    }
}
