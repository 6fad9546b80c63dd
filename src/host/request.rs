//! Requests that a guest makes through a call that every host has, and the host's replies.
//!
//! The guest calls `fd_pread` of a file that it does not have ([`NOBODY`]), at an offset where no file has bytes
//! ([`OFFSET`]), with two buffers: memory that may be overwritten, and a request of [`LEN`] bytes. A host that does not
//! know requests returns an error, or 0 bytes, and writes nothing. A host that places mappings writes its reply over
//! the start of the request. The reply contains the request's nonce in another form, so old bytes in the guest's memory
//! or bytes of a file cannot be mistaken for a reply.
//!
//! A request is 16 fixed bytes and seven numbers of 64 bits: the nonce, the number of the operation, and the parameters
//! of the function of [`MODULE`](super::MODULE) with this name, followed by zeros. A reply is 16 other fixed bytes, the
//! transformed nonce, and the result of that function. All numbers are little endian.

/// An offset at which no file has bytes: half of the largest value of `off_t`, which is signed.
pub const OFFSET: u64 = 1 << 62;

/// A descriptor that is open in no guest.
pub const NOBODY: u32 = u32::MAX;

/// The length of a request, in bytes.
pub const LEN: usize = 16 + 7 * 8;

/// The length of a reply, in bytes.
pub const REPLY_LEN: usize = 16 + 2 * 8;

/// The first bytes of a request. The last of them is the version.
const REQUEST: [u8; 16] = *b"portable-mmap ?1";

/// The first bytes of a reply.
const REPLY: [u8; 16] = *b"portable-mmap !1";

/// A request of a guest to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Asks whether the host places mappings in this guest. The result is 1 or 0.
    Probe,
    /// The function `map`.
    Map {
        /// The inode of the file that the guest sees.
        file: u64,
        /// The offset, in bytes from the start of the file.
        offset: u64,
        /// The address of the block.
        start: u32,
        /// The length in bytes.
        len: u32,
        /// [`SHARED`](super::SHARED), or 0.
        flags: u32,
    },
    /// The function `unmap`.
    Unmap {
        /// The handle that `map` returned.
        handle: i32,
    },
    /// The function `sync`.
    Sync {
        /// The handle that `map` returned.
        handle: i32,
        /// The offset, in bytes from the start of the mapping.
        offset: u32,
        /// The length in bytes.
        len: u32,
        /// One of [`VISIBLE`](super::VISIBLE), [`DISK`](super::DISK) and [`DIRTY`](super::DIRTY).
        how: u32,
    },
    /// The function `advise`.
    Advise {
        /// The handle that `map` returned.
        handle: i32,
        /// The offset, in bytes from the start of the mapping.
        offset: u32,
        /// The length in bytes.
        len: u32,
        /// One of the hints, such as [`NORMAL`](super::NORMAL).
        advice: u32,
    },
    /// The function `refresh`.
    Refresh {
        /// The handle that `map` returned.
        handle: i32,
        /// The offset, in bytes from the start of the mapping.
        offset: u32,
        /// The length in bytes.
        len: u32,
    },
    /// The function `fault`.
    Fault {
        /// The handle that `map` returned.
        handle: i32,
    },
    /// The function `lost`.
    Lost {
        /// The handle that `map` returned.
        handle: i32,
        /// The offset, in bytes from the start of the mapping.
        offset: u32,
    },
}

impl Request {
    /// The number of the operation, and its parameters.
    fn numbers(self) -> [u64; 6] {
        fn of_mapping(operation: u64, handle: i32, rest: [u32; 3]) -> [u64; 6] {
            let [a, b, c] = rest.map(u64::from);
            [operation, u32::from_le_bytes(handle.to_le_bytes()).into(), a, b, c, 0]
        }
        match self {
            Self::Probe => [0; 6],
            Self::Map { file, offset, start, len, flags } => [1, file, offset, start.into(), len.into(), flags.into()],
            Self::Unmap { handle } => of_mapping(2, handle, [0; 3]),
            Self::Sync { handle, offset, len, how } => of_mapping(3, handle, [offset, len, how]),
            Self::Advise { handle, offset, len, advice } => of_mapping(4, handle, [offset, len, advice]),
            Self::Refresh { handle, offset, len } => of_mapping(5, handle, [offset, len, 0]),
            Self::Fault { handle } => of_mapping(6, handle, [0; 3]),
            Self::Lost { handle, offset } => of_mapping(7, handle, [offset, 0, 0]),
        }
    }

    /// The bytes of the request.
    #[must_use]
    pub fn encode(self, nonce: u64) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let (magic, numbers) = bytes.split_at_mut(REQUEST.len());
        magic.copy_from_slice(&REQUEST);
        for (bytes, number) in numbers.chunks_exact_mut(8).zip([nonce].into_iter().chain(self.numbers())) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// The request and its nonce, if the bytes are exactly those of a request.
    #[must_use]
    pub fn decode(bytes: &[u8; LEN]) -> Option<(Self, u64)> {
        let numbers = bytes.strip_prefix(&REQUEST)?;
        let mut numbers = numbers.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")));
        let mut next = || numbers.next().expect("a request has seven numbers");
        let (nonce, operation, of) = (next(), next(), [(); 5].map(|()| next()));
        let small = |index: usize| u32::try_from(of[index]).ok();
        let handle = || small(0).map(|number| i32::from_le_bytes(number.to_le_bytes()));
        let request = match operation {
            0 => Self::Probe,
            1 => Self::Map { file: of[0], offset: of[1], start: small(2)?, len: small(3)?, flags: small(4)? },
            2 => Self::Unmap { handle: handle()? },
            3 => Self::Sync { handle: handle()?, offset: small(1)?, len: small(2)?, how: small(3)? },
            4 => Self::Advise { handle: handle()?, offset: small(1)?, len: small(2)?, advice: small(3)? },
            5 => Self::Refresh { handle: handle()?, offset: small(1)?, len: small(2)? },
            6 => Self::Fault { handle: handle()? },
            7 => Self::Lost { handle: handle()?, offset: small(1)? },
            _ => return None,
        };
        // The rest must be zeros.
        (request.encode(nonce) == *bytes).then_some((request, nonce))
    }
}

/// The form of a nonce in a reply.
fn transformed(nonce: u64) -> u64 {
    !nonce.rotate_left(17)
}

/// The bytes of a reply to the request with this nonce.
#[must_use]
pub fn encode_reply(nonce: u64, result: i64) -> [u8; REPLY_LEN] {
    let mut bytes = [0; REPLY_LEN];
    let (magic, numbers) = bytes.split_at_mut(REPLY.len());
    magic.copy_from_slice(&REPLY);
    let (nonce_bytes, result_bytes) = numbers.split_at_mut(8);
    nonce_bytes.copy_from_slice(&transformed(nonce).to_le_bytes());
    result_bytes.copy_from_slice(&result.to_le_bytes());
    bytes
}

/// The result of the request with this nonce, if its bytes were replaced by a reply to it.
#[must_use]
pub fn decode_reply(bytes: &[u8; LEN], nonce: u64) -> Option<i64> {
    let (nonce_bytes, rest) = bytes.strip_prefix(&REPLY)?.split_first_chunk()?;
    let result = rest.first_chunk()?;
    (u64::from_le_bytes(*nonce_bytes) == transformed(nonce)).then_some(i64::from_le_bytes(*result))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: [Request; 9] = [
        Request::Probe,
        Request::Map { file: u64::MAX, offset: 1 << 40, start: 0xffff_0000, len: 3, flags: 1 },
        Request::Unmap { handle: 7 },
        Request::Unmap { handle: -7 },
        Request::Sync { handle: i32::MAX, offset: 1, len: u32::MAX, how: 2 },
        Request::Advise { handle: 1, offset: 2, len: 3, advice: 4 },
        Request::Refresh { handle: 1, offset: 2, len: 3 },
        Request::Fault { handle: 5 },
        Request::Lost { handle: 6, offset: u32::MAX },
    ];

    #[test]
    fn a_request_is_read_as_it_was_written() {
        for request in REQUESTS {
            assert_eq!(Request::decode(&request.encode(0x0123_4567_89ab_cdef)), Some((request, 0x0123_4567_89ab_cdef)));
        }
    }

    #[test]
    fn the_layout_is_the_one_that_is_documented() {
        let request = Request::Map { file: 2, offset: 3, start: 4, len: 5, flags: 6 };
        let numbers = [9_u64, 1, 2, 3, 4, 5, 6].map(u64::to_le_bytes);
        assert_eq!(request.encode(9), *[&b"portable-mmap ?1"[..], numbers.as_flattened()].concat());
    }

    #[test]
    fn any_other_bytes_are_no_request() {
        for request in REQUESTS {
            let bytes = request.encode(1);
            // The nonce may be any number, and so may the inode and the offset of `map`.
            let free = if matches!(request, Request::Map { .. }) { 32..48 } else { 0..0 };
            for at in (0..LEN).filter(|at| !(16..24).contains(at) && !free.contains(at)) {
                let mut changed = bytes;
                changed[at] ^= 0x80;
                // A changed number of 32 bits is still a number of 32 bits.
                let is_request = Request::decode(&changed).is_some_and(|(changed, _)| changed != request);
                let is_number = at >= 32 && at % 8 < 4;
                assert!(
                    is_request == Request::decode(&changed).is_some() && (is_number || !is_request),
                    "{request:?}, {at}"
                );
            }
        }
        let mut unknown = Request::Probe.encode(1);
        unknown[24] = 8;
        assert_eq!(Request::decode(&unknown), None);
        assert_eq!(Request::decode(&[0; LEN]), None);
    }

    #[test]
    fn a_reply_is_read_where_it_replaces_the_request() {
        for result in [0, 1, -28, i64::MAX, i64::MIN] {
            let mut bytes = Request::Probe.encode(7);
            assert_eq!(decode_reply(&bytes, 7), None, "a request is no reply");
            bytes[..REPLY_LEN].copy_from_slice(&encode_reply(7, result));
            assert_eq!(decode_reply(&bytes, 7), Some(result));
            assert_eq!(decode_reply(&bytes, 8), None, "the reply is to another request");
            assert_eq!(Request::decode(&bytes), None, "a reply is no request");
        }
    }

    #[test]
    fn a_host_that_repeats_the_nonce_as_it_is_has_not_replied() {
        let mut bytes = Request::Probe.encode(7);
        bytes[..16].copy_from_slice(&REPLY);
        assert_eq!(decode_reply(&bytes, 7), None);
    }
}
