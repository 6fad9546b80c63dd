//! A pack of git and its index, in the formats that git's documentation describes.

use std::fs;
use std::path::Path;

use consumers::Outcome;
use gix_hash::{Kind, ObjectId, hasher};

/// The types of an entry: a whole object of the type `blob`, and a delta against an earlier object.
const BLOB: u8 = 3;
const DELTA: u8 = 6;

/// A written entry.
struct Entry {
    id: ObjectId,
    crc: u32,
    offset: u32,
}

/// Writes a pack of some texts, and of the first one with another end as a delta.
pub(crate) fn write(dir: &Path, text: &str) -> Outcome {
    let mut objects: Vec<&[u8]> = text.as_bytes().chunks(300_000).take(5).collect();
    let mut changed = objects[0].to_vec();
    changed.extend(b"one line more\n");
    objects.push(&changed);
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend((objects.len() as u32).to_be_bytes());
    let mut entries = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        let start = pack.len();
        if number < objects.len() - 1 {
            begin(&mut pack, BLOB, object.len());
            deflate(&mut pack, object);
        } else {
            let delta = delta(objects[0].len(), object);
            begin(&mut pack, DELTA, delta.len());
            // The distance back to the first object, which is right after the header.
            distance(&mut pack, start - 12);
            deflate(&mut pack, &delta);
        }
        let mut hash = hasher(Kind::Sha1);
        hash.update(format!("blob {}\0", object.len()).as_bytes());
        hash.update(object);
        entries.push(Entry { id: hash.try_finalize()?, crc: crc32(&pack[start..]), offset: start as u32 });
    }
    let checksum = sha1(&pack)?;
    pack.extend(checksum.as_slice());
    fs::write(dir.join("objects.pack"), pack)?;

    entries.sort_by_key(|entry| entry.id);
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for first in 0..=u8::MAX {
        let up_to = entries.iter().filter(|entry| entry.id.as_slice()[0] <= first).count() as u32;
        index.extend(up_to.to_be_bytes());
    }
    entries.iter().for_each(|entry| index.extend(entry.id.as_slice()));
    entries.iter().for_each(|entry| index.extend(entry.crc.to_be_bytes()));
    entries.iter().for_each(|entry| index.extend(entry.offset.to_be_bytes()));
    index.extend(checksum.as_slice());
    let checksum = sha1(&index)?;
    index.extend(checksum.as_slice());
    fs::write(dir.join("objects.idx"), index)?;
    Ok(())
}

/// The start of an entry: its type, and the length of its content in groups of 4, 7, 7, … bits.
fn begin(pack: &mut Vec<u8>, kind: u8, len: usize) {
    let mut rest = len >> 4;
    pack.push(kind << 4 | (len & 15) as u8 | if rest > 0 { 0x80 } else { 0 });
    while rest > 0 {
        let more = if rest >> 7 > 0 { 0x80 } else { 0 };
        pack.push((rest & 0x7f) as u8 | more);
        rest >>= 7;
    }
}

/// A distance in groups of 7 bits, the highest first. Before each group above the lowest, 1 is subtracted from the rest.
fn distance(pack: &mut Vec<u8>, mut rest: usize) {
    let mut groups = vec![(rest & 0x7f) as u8];
    while rest >> 7 > 0 {
        rest = (rest >> 7) - 1;
        groups.push((rest & 0x7f) as u8 | 0x80);
    }
    pack.extend(groups.iter().rev());
}

/// A delta for an object that starts with the `base_len` bytes of another: instructions to copy these and to insert the
/// rest.
fn delta(base_len: usize, object: &[u8]) -> Vec<u8> {
    let mut delta = Vec::new();
    for mut len in [base_len, object.len()] {
        while len > 0x7f {
            delta.push((len & 0x7f) as u8 | 0x80);
            len >>= 7;
        }
        delta.push(len as u8);
    }
    // An instruction to copy, with four bytes of offset and three of length.
    delta.push(0xff);
    delta.extend(0_u32.to_le_bytes());
    delta.extend(&(base_len as u32).to_le_bytes()[..3]);
    let rest = &object[base_len..];
    assert!((1..128).contains(&rest.len()), "an instruction to insert has its length in seven bits");
    delta.push(rest.len() as u8);
    delta.extend(rest);
    delta
}

/// The zlib format, without compression.
fn deflate(pack: &mut Vec<u8>, content: &[u8]) {
    pack.extend([0x78, 0x01]);
    let mut blocks = content.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let len = block.len() as u16;
        pack.push(u8::from(blocks.peek().is_none()));
        pack.extend(len.to_le_bytes());
        pack.extend((!len).to_le_bytes());
        pack.extend(block);
    }
    let (a, b) = content.iter().fold((1_u32, 0_u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    pack.extend((b << 16 | a).to_be_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

fn sha1(bytes: &[u8]) -> Result<ObjectId, Box<dyn std::error::Error>> {
    let mut hash = hasher(Kind::Sha1);
    hash.update(bytes);
    Ok(hash.try_finalize()?)
}
