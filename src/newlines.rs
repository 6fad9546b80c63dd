//! Finds newlines: all those of a block at once, because most lines are short.

/// How many bytes a block has.
pub(crate) const BLOCK: usize = 64;

// A lane is a piece that is compared at once: a vector if there is an instruction that gathers a bit of each byte of a
// vector, otherwise a word.
cfg_if::cfg_if! {
    if #[cfg(target_feature = "simd128")] {
        use std::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_splat, v128_load};

        const LANE: usize = 16;

        /// A bit for each byte of a lane that is a newline. The lowest bit is that of the first byte.
        #[inline]
        fn newlines_of(lane: [u8; LANE]) -> u64 {
            // SAFETY: a vector is loaded from 16 bytes, at any address.
            let bytes = unsafe { v128_load(lane.as_ptr().cast()) };
            u64::from(u8x16_bitmask(u8x16_eq(bytes, u8x16_splat(b'\n'))))
        }
    } else if #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))] {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};

        const LANE: usize = 16;

        /// A bit for each byte of a lane that is a newline. The lowest bit is that of the first byte.
        #[inline]
        #[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "a byte below 128, and 16 bits")]
        #[allow(unused_unsafe, reason = "in newer Rust only the load is unsafe")]
        fn newlines_of(lane: [u8; LANE]) -> u64 {
            // SAFETY: a vector is loaded from 16 bytes, at any address.
            let bytes = unsafe { _mm_loadu_si128(lane.as_ptr().cast()) };
            // SAFETY: this processor has SSE2.
            let newline = unsafe { _mm_set1_epi8(b'\n' as i8) };
            // SAFETY: as above.
            let equal = unsafe { _mm_cmpeq_epi8(bytes, newline) };
            // SAFETY: as above.
            u64::from((unsafe { _mm_movemask_epi8(equal) }) as u32)
        }
    } else {
        const LANE: usize = 8;

        /// A bit for each byte of a lane that is a newline. The lowest bit is that of the first byte.
        #[inline]
        fn newlines_of(lane: [u8; LANE]) -> u64 {
            /// The lower seven bits of each byte.
            const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);

            let differs = u64::from_le_bytes(lane) ^ u64::from_ne_bytes([b'\n'; 8]);
            // The highest bit of each byte that does not differ. No carry goes from one byte to the next.
            let equal = !(((differs & LOW) + LOW) | differs | LOW);
            // The product gathers those eight bits in its highest byte.
            (equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
        }
    }
}

/// A bit for each byte of a block that is a newline. The lowest bit is that of the first byte.
#[inline]
pub(crate) fn newlines(block: &[u8; BLOCK]) -> u64 {
    let lanes = block.chunks_exact(LANE).rev().filter_map(<[u8]>::first_chunk);
    lanes.fold(0, |all, &lane| all << LANE | newlines_of(lane))
}

/// The index of the first newline.
#[inline]
pub(crate) fn first_newline(bytes: &[u8]) -> Option<usize> {
    // Searching one block takes less time than a call of `memchr`. On native targets this is so only with vectors.
    if LANE == 16 || cfg!(target_family = "wasm") {
        if let Some(bits) = bytes.first_chunk().map(newlines).filter(|&bits| bits != 0) {
            return Some(bits.trailing_zeros() as usize);
        }
    }
    memchr::memchr(b'\n', bytes)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_newline_of_a_block_has_its_bit_and_no_other_byte_has() {
        // Bytes that differ from a newline in one bit, or are next to it.
        let others = [0, 1, 2, 8, 9, 11, 14, 26, 42, 74, 0x7f, 0x80, 0x8a, 0xff];
        for (shift, other) in others.into_iter().enumerate() {
            let mut block = [other; BLOCK];
            assert_eq!(newlines(&block), 0, "{other}");
            for at in (shift..BLOCK).step_by(3) {
                block[at] = b'\n';
            }
            let bits = (0..BLOCK).filter(|&at| block[at] == b'\n').fold(0, |bits, at| bits | 1_u64 << at);
            assert_eq!(newlines(&block), bits, "{other}");
        }
        assert_eq!(newlines(&[b'\n'; BLOCK]), u64::MAX);
    }

    #[test]
    fn the_first_newline_is_found_in_the_first_block_and_after_it() {
        for len in [0, 1, 63, 64, 65, 200] {
            let mut bytes = vec![b'x'; len];
            assert_eq!(first_newline(&bytes), None);
            for at in (0..len).rev() {
                bytes[at] = b'\n';
                assert_eq!(first_newline(&bytes), Some(at), "of {len}");
            }
        }
    }
}
