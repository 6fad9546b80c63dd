//! A request that a guest makes by a call that every host has, and the host's reply to it.
//!
//! The guest calls `fd_pread` of a file that it does not have ([`NOBODY`]), at an offset where no file has bytes
//! ([`OFFSET`]), with two buffers: memory that the guest can lose, and a request of [`LEN`] bytes. A host that knows nothing
//! of requests returns an error, or 0 bytes, and writes nothing. A host that places mappings writes its reply over the start
//! of the request. The reply repeats the request's nonce in another form: what a guest has left in its memory, or what a file
//! holds, is not taken for one.
//!
//! A request is 16 fixed bytes and seven numbers of 64 bits: the nonce, the number of the operation, and what the function of
//! [`MODULE`](super::MODULE) with this name takes, followed by zeros. A reply is 16 other bytes, the transformed nonce, and what
//! that function returns. All numbers are little endian.

/// No file has bytes here: `off_t` is signed, so this is half of what it can hold.
pub const OFFSET: u64 = 1 << 62;

/// A descriptor that no guest has.
pub const NOBODY: u32 = u32::MAX;

/// The length of a request, in bytes.
pub const LEN: usize = 16 + 7 * 8;

/// The length of a reply, in bytes.
pub const REPLY_LEN: usize = 16 + 2 * 8;

/// What a request starts with. The last byte is the version.
const REQUEST: [u8; 16] = *b"portable-mmap ?1";

/// What a reply starts with.
const REPLY: [u8; 16] = *b"portable-mmap !1";

/// What a guest asks of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Whether the host places mappings in this guest: 1 or 0.
    Probe,
    /// The function `map`.
    Map {
        /// The inode that the guest is told.
        file: u64,
        /// In bytes from the start of the file.
        offset: u64,
        /// The address of the block.
        start: u32,
        /// In bytes.
        len: u32,
        /// [`SHARED`](super::SHARED), or 0.
        flags: u32,
    },
    /// The function `unmap`.
    Unmap {
        /// What `map` has returned.
        handle: i32,
    },
    /// The function `sync`.
    Sync {
        /// What `map` has returned.
        handle: i32,
        /// In bytes from the start of the mapping.
        offset: u32,
        /// In bytes.
        len: u32,
        /// One of [`VISIBLE`](super::VISIBLE), [`DISK`](super::DISK) and [`DIRTY`](super::DIRTY).
        how: u32,
    },
    /// The function `advise`.
    Advise {
        /// What `map` has returned.
        handle: i32,
        /// In bytes from the start of the mapping.
        offset: u32,
        /// In bytes.
        len: u32,
        /// One of the hints, such as [`NORMAL`](super::NORMAL).
        advice: u32,
    },
    /// The function `refresh`.
    Refresh {
        /// What `map` has returned.
        handle: i32,
        /// In bytes from the start of the mapping.
        offset: u32,
        /// In bytes.
        len: u32,
    },
    /// The function `fault`.
    Fault {
        /// What `map` has returned.
        handle: i32,
    },
    /// The function `lost`.
    Lost {
        /// What `map` has returned.
        handle: i32,
        /// In bytes from the start of the mapping.
        offset: u32,
    },
}

impl Request {
    /// The number of the operation, and its own numbers.
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
        // What follows the numbers is zeros.
        (request.encode(nonce) == *bytes).then_some((request, nonce))
    }
}

/// A nonce as a reply repeats it.
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

/// The result that the request with this nonce has, if its bytes have become a reply to it.
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
                // A number of 32 bits is one still.
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
