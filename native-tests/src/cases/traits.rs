//! A mapping as a `Read`, `BufRead`, `Write` and `Seek`: the same as its own calls, with an `io::Error`.

use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};

use portable_mmap::{Access, Error, MmapOptions};

use crate::random::patternless;
use crate::{FileBackend, Scene, cases};

cases!("traits":
    reading_fills_a_buffer_as_far_as_it_goes,
    reading_exactly_what_is_there_or_failing,
    reading_to_the_end_gives_the_rest,
    reading_text_demands_utf_8,
    adapters_of_read_leave_the_position_after_what_they_read,
    read_and_read_bytes_share_the_position,
    a_filled_buffer_is_64_kib_at_the_most,
    consuming_stops_at_the_end,
    consuming_past_the_end_leaves_the_position,
    lines_come_without_their_newlines,
    reading_until_a_byte_and_splitting_at_it,
    a_reader_of_lines_reads_lines_longer_than_its_step,
    writing_is_all_or_nothing,
    writing_formatted_text_reaches_the_file,
    flushing_a_writer_flushes_the_mapping,
    seeking_moves_the_position_of_the_mapping,
    copying_out_gives_the_rest,
    copying_in_stops_at_the_end,
    copying_between_mappings_keeps_every_byte,
    a_mapping_is_any_kind_of_stream,
    errors_keep_their_kind_and_their_cause,
    writers_of_a_read_only_mapping_are_denied,
    writers_of_a_copy_leave_the_file
);

/// A number of bytes of several pages, more than `io::copy` copies at once. Miri takes minutes for that many.
const MANY: usize = if cfg!(miri) { 20_000 } else { 100_000 };

// These functions only have the traits, so they cannot call the mapping's own methods.

fn read(mut from: impl Read, len: usize) -> io::Result<Vec<u8>> {
    let mut buf = vec![b'?'; len];
    let n = from.read(&mut buf)?;
    assert!(buf[n..].iter().all(|&byte| byte == b'?'), "bytes past those that were read are unchanged");
    buf.truncate(n);
    Ok(buf)
}

fn read_to_end(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    from.read_to_end(&mut all)?;
    Ok(all)
}

fn write(mut to: impl Write, data: &[u8]) -> io::Result<usize> {
    to.write(data)
}

fn flush(mut to: impl Write) -> io::Result<()> {
    to.flush()
}

fn seek(mut it: impl Seek, to: SeekFrom) -> io::Result<u64> {
    it.seek(to)
}

fn stream_position(mut it: impl Seek) -> io::Result<u64> {
    it.stream_position()
}

fn fill_buf(from: &mut impl BufRead) -> Vec<u8> {
    from.fill_buf().unwrap().to_vec()
}

fn lines(from: impl BufRead) -> io::Result<Vec<String>> {
    from.lines().collect()
}

/// The kind of an error, and the variant of the crate's error inside it.
fn kind<T>(result: io::Result<T>) -> Result<T, (ErrorKind, Option<&'static str>)> {
    result.map_err(|e| {
        let cause = e.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
        (e.kind(), cause.map(Error::name))
    })
}

fn reading_fills_a_buffer_as_far_as_it_goes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello world");
    scene.bytes("6", read(&mut map, 6).unwrap(), b"hello ");
    scene.bytes("0", read(&mut map, 0).unwrap(), b"");
    scene.eq("tell", map.tell(), 6);
    scene.bytes("99", read(&mut map, 99).unwrap(), b"world");
    scene.bytes("at the end", read(&mut map, 99).unwrap(), b"");
    map.resize(4).unwrap();
    scene.bytes("past the end", read(&mut map, 99).unwrap(), b"");
    scene.eq("tell", map.tell(), 11);
    let content = patternless(200_000);
    let mut map = scene.mapped("g", &content);
    scene.bytes("all in one call", read(&mut map, 200_001).unwrap(), &content);
}

fn reading_exactly_what_is_there_or_failing<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    let mut buf = [0; 4];
    map.read_exact(&mut buf).unwrap();
    scene.bytes("four", buf, b"hell");
    scene.eq("four of one", kind(map.read_exact(&mut buf)), Err((ErrorKind::UnexpectedEof, None)));
    scene.eq("none at the end", kind(map.read_exact(&mut [])), Ok(()));
}

fn reading_to_the_end_gives_the_rest<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(100_000);
    let mut map = scene.mapped("f", &content);
    map.seek(SeekFrom::Start(5)).unwrap();
    scene.bytes("the rest", read_to_end(&mut map).unwrap(), &content[5..]);
    scene.eq("tell", map.tell(), 100_000);
    scene.bytes("at the end", read_to_end(&mut map).unwrap(), b"");
}

fn reading_text_demands_utf_8<B: FileBackend>(scene: &mut Scene<B>) {
    let mut text = String::new();
    scene.mapped("f", "gr\u{fc}n".as_bytes()).read_to_string(&mut text).unwrap();
    scene.eq("text", text, "gr\u{fc}n");
    let raw = io::read_to_string(scene.mapped("g", b"gr\xfcn"));
    scene.eq("raw", kind(raw), Err((ErrorKind::InvalidData, None)));
}

fn adapters_of_read_leave_the_position_after_what_they_read<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    scene.bytes("take", read_to_end(Read::by_ref(&mut map).take(3)).unwrap(), b"012");
    scene.eq("tell", map.tell(), 3);
    scene.bytes("chain", read_to_end(b"<".chain(&mut map).chain(&b">"[..])).unwrap(), b"<3456789>");
    map.seek(SeekFrom::Start(7)).unwrap();
    scene.eq("bytes", Read::bytes(&mut map).map(Result::unwrap).collect::<Vec<u8>>(), b"789".to_vec());
}

fn read_and_read_bytes_share_the_position<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(20_000);
    let (mut own, mut generic) = (scene.mapped("f", &content), scene.mapped("g", &content));
    for n in [0, 1, 4095, 4096, 4097, 0, 7711, 1, 9999] {
        let expected = own.read_bytes(n).unwrap().to_vec();
        scene.bytes(&format!("{n}"), read(&mut generic, n).unwrap(), expected);
        assert_eq!(own.tell(), generic.tell());
    }
    scene.eq("tell", generic.tell(), 20_000);
}

fn a_filled_buffer_is_64_kib_at_the_most<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(150_000);
    let mut map = scene.mapped("f", &content);
    scene.bytes("at 0", fill_buf(&mut map), &content[..65_536]);
    scene.bytes("again", fill_buf(&mut map), &content[..65_536]);
    scene.eq("tell", map.tell(), 0);
    map.consume(5000);
    scene.eq("tell", map.tell(), 5000);
    scene.bytes("at 5000", fill_buf(&mut map), &content[5000..70_536]);
    map.consume(0);
    map.consume(140_000);
    scene.bytes("at 145,000", fill_buf(&mut map), &content[145_000..]);
    map.consume(5000);
    scene.bytes("at the end", fill_buf(&mut map), b"");
}

fn consuming_stops_at_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.consume(3);
    map.consume(3);
    scene.eq("tell", map.tell(), 5);
    map.seek(SeekFrom::Start(1)).unwrap();
    map.consume(usize::MAX);
    scene.eq("tell", map.tell(), 5);
    map.consume(usize::MAX);
    scene.eq("tell", map.tell(), 5);
}

fn consuming_past_the_end_leaves_the_position<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map.seek(SeekFrom::Start(8)).unwrap();
    map.resize(4).unwrap();
    scene.bytes("fill_buf", fill_buf(&mut map), b"");
    map.consume(0);
    map.consume(9);
    scene.eq("tell", map.tell(), 8);
}

fn lines_come_without_their_newlines<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one\n\r\ntwo\r\n\nthree");
    scene.eq("lines", lines(&mut map).unwrap(), ["one", "", "two", "", "three"]);
    scene.eq("tell", map.tell(), 17);
    let mut map = scene.mapped("g", b"gr\xfcn\n");
    scene.eq("not UTF-8", kind(lines(&mut map)), Err((ErrorKind::InvalidData, None)));
}

fn reading_until_a_byte_and_splitting_at_it<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"a;bc;;d");
    let mut part = Vec::new();
    scene.eq("read_until", map.read_until(b';', &mut part).unwrap(), 2);
    scene.bytes("the part", part, b"a;");
    let parts: Vec<Vec<u8>> = BufRead::split(&mut map, b';').map(Result::unwrap).collect();
    scene.eq("split", parts, [b"bc".to_vec(), vec![], b"d".to_vec()]);
    scene.eq("at the end", map.read_until(b';', &mut Vec::new()).unwrap(), 0);
}

fn a_reader_of_lines_reads_lines_longer_than_its_step<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'.'; 300_000];
    for at in [65_535, 65_536, 131_072, 262_145] {
        content[at] = b'\n';
    }
    let mut map = scene.mapped("f", &content);
    let lens: Vec<usize> = lines(&mut map).unwrap().iter().map(String::len).collect();
    scene.eq("lengths", lens, [65_535, 0, 65_535, 131_072, 37_854]);
    map.seek(SeekFrom::Start(65_537)).unwrap();
    let mut line = Vec::new();
    map.read_until(b'\n', &mut line).unwrap();
    map.seek(SeekFrom::Start(65_537)).unwrap();
    scene.bytes("a line", line, map.readline().unwrap());
}

fn writing_is_all_or_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let refused = (ErrorKind::InvalidInput, Some("OutOfRange"));
    let mut map = scene.mapped("f", b"hello world");
    scene.eq("five", write(&mut map, b"HELLO").unwrap(), 5);
    scene.eq("none", write(&mut map, b"").unwrap(), 0);
    scene.eq("seven of six", kind(write(&mut map, b" WORLD!")), Err(refused));
    scene.eq("write_all", kind(map.write_all(b" WORLD!")), Err(refused));
    scene.eq("tell", map.tell(), 5);
    scene.bytes("map", &map, b"HELLO world");
    map.write_all(b" WORLD").unwrap();
    scene.eq("none at the end", write(&mut map, b"").unwrap(), 0);
    map.resize(4).unwrap();
    scene.eq("none past the end", kind(write(&mut map, b"")), Err(refused));
    scene.bytes("map", &map, b"HELL");
}

fn writing_formatted_text_reaches_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &[b'.'; 12]);
    write!(map, "{}+{}=", 1, 2).unwrap();
    writeln!(&mut map, "{:03}", 3).unwrap();
    scene.eq("tell", map.tell(), 8);
    // Formatted text is written in pieces: the pieces that fit have been written.
    let (fits, does_not) = ("ab", "cde");
    scene.eq("too much", kind(write!(map, "{fits}{does_not}")), Err((ErrorKind::InvalidInput, Some("OutOfRange"))));
    scene.eq("tell", map.tell(), 10);
    map.flush().unwrap();
    scene.file_is("f", b"1+2=003\nab..");
}

fn flushing_a_writer_flushes_the_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    write(&mut map, b"HELLO").unwrap();
    flush(&mut map).unwrap();
    scene.file_is("f", b"HELLO");
    let mut writer = BufWriter::with_capacity(2, &mut map);
    writer.seek(SeekFrom::Start(3)).unwrap();
    writer.write_all(b"P!").unwrap();
    writer.flush().unwrap();
    drop(writer);
    scene.file_is("f", b"HELP!");
}

fn seeking_moves_the_position_of_the_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let refused = (ErrorKind::InvalidInput, Some("OutOfRange"));
    let mut map = scene.mapped("f", b"hello");
    scene.eq("from the start", seek(&mut map, SeekFrom::Start(4)).unwrap(), 4);
    scene.eq("from the position", seek(&mut map, SeekFrom::Current(-1)).unwrap(), 3);
    scene.eq("stream_position", stream_position(&mut map).unwrap(), 3);
    for to in [SeekFrom::Start(6), SeekFrom::End(1), SeekFrom::Current(i64::MIN), SeekFrom::Start(u64::MAX)] {
        scene.eq(&format!("{to:?}"), kind(seek(&mut map, to)), Err(refused));
    }
    scene.eq("tell", map.tell(), 3);
    scene.eq("from the end", seek(&mut map, SeekFrom::End(0)).unwrap(), 5);
    map.resize(2).unwrap();
    scene.eq("stream_position past the end", stream_position(&mut map).unwrap(), 5);
    scene.eq("seek by nothing past the end", kind(seek(&mut map, SeekFrom::Current(0))), Err(refused));
    map.rewind().unwrap();
    scene.eq("rewound", map.tell(), 0);
}

fn copying_out_gives_the_rest<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(200_000);
    let mut map = scene.mapped("f", &content);
    map.seek(SeekFrom::Start(7)).unwrap();
    let mut out = Vec::new();
    scene.eq("count", io::copy(&mut map, &mut out).unwrap(), 199_993);
    scene.bytes("out", out, &content[7..]);
    scene.eq("tell", map.tell(), 200_000);
    scene.eq("at the end", io::copy(&mut map, &mut io::sink()).unwrap(), 0);
}

fn copying_in_stops_at_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let (len, rest) = (MANY, MANY - 10);
    let data = patternless(2 * len);
    let mut map = scene.mapped("f", &vec![0; len]);
    map.seek(SeekFrom::Start(10)).unwrap();
    scene.eq("the bytes that fit", io::copy(&mut data[..rest].as_ref(), &mut map).unwrap(), rest as u64);
    scene.eq("tell", map.tell(), len as u64);
    map.flush().unwrap();
    scene.file_is("f", [&[0; 10], &data[..rest]].concat());
    map.rewind().unwrap();
    let result = io::copy(&mut BufReader::new(&data[..]), &mut map);
    scene.eq("too much", kind(result), Err((ErrorKind::InvalidInput, Some("OutOfRange"))));
    // How many bytes one call writes depends on the standard library; whole pieces are written.
    let written = usize::try_from(map.tell()).unwrap();
    assert_eq!(map[..written], data[..written]);
    scene.bytes("the bytes written so far", &map[written..], &[&[0; 10], &data[..rest]].concat()[written..]);
}

fn copying_between_mappings_keeps_every_byte<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(MANY);
    let mut from = scene.mapped("f", &content);
    let mut to = scene.mapped("g", &vec![b'.'; MANY]);
    scene.eq("count", io::copy(&mut from, &mut to).unwrap(), MANY as u64);
    to.close().unwrap();
    scene.file_is("g", &content);
    scene.file_is("f", &content);
}

fn a_mapping_is_any_kind_of_stream<B: FileBackend>(scene: &mut Scene<B>) {
    trait Stream: BufRead + Write + Seek {}
    impl<T: BufRead + Write + Seek> Stream for T {}
    let mut map = scene.mapped("f", b"hello\nworld");
    {
        let stream: &mut dyn Stream = &mut map;
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        scene.eq("a line", line, "hello\n");
        stream.write_all(b"W").unwrap();
        stream.seek(SeekFrom::Current(-2)).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        scene.bytes("the rest", rest, b"\nWorld");
    }
    map.rewind().unwrap();
    scene.eq("buffered once more", lines(BufReader::with_capacity(3, &mut map)).unwrap(), ["hello", "World"]);
    // A mapping is a stream by value too.
    scene.eq("by value, at the end", lines(map).unwrap(), Vec::<String>::new());
    scene.file_is("f", b"hello\nWorld");
}

fn errors_keep_their_kind_and_their_cause<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    let error = write(&mut map, b"too long").unwrap_err();
    let own = map.write_bytes(b"too long").unwrap_err();
    scene.eq("the same kind", (error.kind(), own.kind()), (ErrorKind::InvalidInput, ErrorKind::InvalidInput));
    scene.eq("the same message", error.to_string(), own.to_string());
    let error = seek(&mut map, SeekFrom::End(7)).unwrap_err();
    let own = map.seek(SeekFrom::End(7)).unwrap_err();
    scene.eq("the same message", error.to_string(), own.to_string());
    scene.eq("the cause", format!("{:?}", error.downcast::<Error>().unwrap()), format!("{own:?}"));
}

fn writers_of_a_read_only_mapping_are_denied<B: FileBackend>(scene: &mut Scene<B>) {
    let denied = (ErrorKind::PermissionDenied, Some("ReadOnly"));
    drop(scene.file("f", b"hello"));
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &scene.open_read("f")).unwrap();
    scene.eq("write", kind(write(&mut map, b"x")), Err(denied));
    scene.eq("write nothing", kind(write(&mut map, b"")), Err(denied));
    scene.eq("write too much", kind(write(&mut map, b"too long")), Err(denied));
    scene.eq("write_all", kind(map.write_all(b"too long")), Err(denied));
    scene.eq("copy in", kind(io::copy(&mut b"HELLO".as_slice(), &mut map)), Err(denied));
    scene.eq("flush", kind(flush(&mut map)), Ok(()));
    scene.bytes("read", read_to_end(&mut map).unwrap(), b"hello");
    scene.file_is("f", b"hello");
}

fn writers_of_a_copy_leave_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    drop(scene.file("f", b"hello"));
    let mut map = scene.map(MmapOptions::new().access(Access::Copy), &scene.open_read("f")).unwrap();
    scene.eq("copied in", io::copy(&mut b"HELLO".as_slice(), &mut map).unwrap(), 5);
    flush(&mut map).unwrap();
    map.rewind().unwrap();
    scene.eq("lines", lines(&mut map).unwrap(), ["HELLO"]);
    drop(map);
    scene.file_is("f", b"hello");
}
