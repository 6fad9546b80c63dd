//! Writes the files for the programs. Most are made here; the font is taken from this system or from a crate, and its
//! origin is printed.

#[cfg(target_os = "wasi")]
fn main() {
    // The files are made once, on the machine that compares.
}

#[cfg(not(target_os = "wasi"))]
fn main() -> std::process::ExitCode {
    consumers::run(files::prepare)
}

#[cfg(not(target_os = "wasi"))]
mod pack;

#[cfg(not(target_os = "wasi"))]
mod files {
    use std::error::Error;
    use std::fmt::Write as _;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use arrow_ipc::writer::FileWriter;
    use consumers::Outcome;
    use epaint_default_fonts::HACK_REGULAR;
    use fontdb::{Database, Source};
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    pub(crate) fn prepare(dir: &Path) -> Outcome {
        fs::create_dir_all(dir)?;
        let words = words();
        fs::write(dir.join("words.txt"), &words)?;
        let mut map = fst::MapBuilder::memory();
        for (number, line) in words.lines().enumerate() {
            map.insert(line, number as u64)?;
        }
        fs::write(dir.join("words.fst"), map.into_inner()?)?;
        let (font, whose) = font();
        println!("font.ttf is {whose}, {} bytes", font.len());
        fs::write(dir.join("font.ttf"), font)?;
        fs::write(dir.join("networks.mmdb"), mmdb(&[([10, 0], "ten"), ([172, 16], "middle"), ([192, 168], "home")]))?;
        fs::write(dir.join("array.npy"), npy(1000, 64))?;
        fs::write(dir.join("model.safetensors"), tensors()?)?;
        columns(&dir.join("columns.arrow"), &words)?;
        crate::pack::write(dir, &words)
    }

    /// Weights of two layers.
    fn tensors() -> Result<Vec<u8>, Box<dyn Error>> {
        let numbers: Vec<u8> = (0..200_000_u32).flat_map(|i| ((i % 1000) as f32 / 8.0).to_le_bytes()).collect();
        let view = |name, shape: [usize; 2], from: usize| {
            let len = shape[0] * shape[1] * size_of::<f32>();
            Ok((name, TensorView::new(Dtype::F32, shape.to_vec(), &numbers[from..from + len])?))
        };
        let views = [view("layer.0.weight", [300, 400], 0), view("layer.1.weight", [400, 100], 1000)];
        let views: Vec<_> = views.into_iter().collect::<Result<_, safetensors::SafeTensorError>>()?;
        Ok(safetensors::serialize(views, None)?)
    }

    /// A table of numbers and lines, in two batches.
    fn columns(path: &Path, words: &str) -> Outcome {
        let lines: Vec<&str> = words.lines().collect();
        let batches = lines[..50_000].chunks(30_000).map(|lines| {
            let numbers = Int64Array::from_iter_values((0..lines.len() as i64).map(|number| number * number));
            let words = StringArray::from_iter_values(lines);
            let columns: [(&str, ArrayRef); 2] = [("square", Arc::new(numbers)), ("line", Arc::new(words))];
            RecordBatch::try_from_iter(columns)
        });
        let batches: Vec<_> = batches.collect::<Result<_, _>>()?;
        let mut writer = FileWriter::try_new(fs::File::create(path)?, &batches[0].schema())?;
        batches.iter().try_for_each(|batch| writer.write(batch))?;
        Ok(writer.finish()?)
    }

    /// Returns the first font of this system by path, or that of a crate if the system has none, and its origin.
    fn font() -> (Vec<u8>, String) {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        let files = fonts.faces().filter_map(|face| match &face.source {
            Source::File(path) if face.index == 0 => Some(path),
            _ => None,
        });
        let mut files: Vec<&PathBuf> = files.collect();
        files.sort();
        let found = files.into_iter().find_map(|path| Some((fs::read(path).ok()?, path)));
        match found {
            Some((font, path)) => (font, format!("{} of this system", path.display())),
            None => (HACK_REGULAR.to_vec(), "Hack Regular from a crate, because this system has no font".to_owned()),
        }
    }

    /// Some megabytes of numbered lines.
    fn words() -> String {
        let kinds = ["note", "warning", "error", "détail"];
        let mut text = String::new();
        for i in 0_u64..100_000 {
            let mixed = i.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
            writeln!(text, "{i:06} {} {mixed:016x}", kinds[(mixed % 4) as usize]).expect("a string takes it");
        }
        text
    }

    /// An array of `rows` times `columns` numbers of 64 bits, as NumPy writes it.
    fn npy(rows: usize, columns: usize) -> Vec<u8> {
        let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        (0..rows * columns).for_each(|i| bytes.extend((i as f64).to_le_bytes()));
        bytes
    }

    /// A MaxMind database of IPv4 networks of 16 bits, each with a name.
    fn mmdb(networks: &[([u8; 2], &str)]) -> Vec<u8> {
        // The tree: two records of 24 bits a node; `None` is not found, `Err` the number of a network.
        type Record = Option<Result<usize, usize>>;
        let mut nodes: Vec<[Record; 2]> = vec![[None; 2]];
        for (number, (prefix, _)) in networks.iter().enumerate() {
            let bits = u16::from_be_bytes(*prefix);
            let mut node = 0;
            for bit in (0..16).rev() {
                let side = usize::from(bits >> bit & 1);
                if bit == 0 {
                    nodes[node][side] = Some(Err(number));
                } else if let Some(Ok(next)) = nodes[node][side] {
                    node = next;
                } else {
                    nodes.push([None; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][side] = Some(Ok(next));
                    node = next;
                }
            }
        }
        let mut data = Vec::new();
        let places: Vec<usize> = networks
            .iter()
            .map(|(_, name)| {
                let place = data.len();
                data.push(0b111_00001);
                data.extend(string("name"));
                data.extend(string(name));
                place
            })
            .collect();
        let mut file = Vec::new();
        for record in nodes.iter().flatten() {
            let value = match *record {
                None => nodes.len(),
                Some(Ok(node)) => node,
                Some(Err(network)) => nodes.len() + 16 + places[network],
            };
            file.extend(&(value as u32).to_be_bytes()[1..]);
        }
        file.extend([0; 16]);
        file.extend(data);
        file.extend(b"\xab\xcd\xefMaxMind.com");
        // The metadata map.
        file.push(0b111_01001);
        for (key, value) in [("node_count", nodes.len() as u32), ("build_epoch", 0)] {
            file.extend(string(key));
            // 32 bits, or 64 where the format requires them.
            file.extend(if key == "build_epoch" { vec![0b000_00100, 2] } else { vec![0b110_00100] });
            file.extend(value.to_be_bytes());
        }
        for (key, value) in [
            ("record_size", 24_u16),
            ("ip_version", 4),
            ("binary_format_major_version", 2),
            ("binary_format_minor_version", 0),
        ] {
            file.extend(string(key));
            file.push(0b101_00010);
            file.extend(value.to_be_bytes());
        }
        file.extend(string("database_type"));
        file.extend(string("Networks"));
        file.extend(string("languages"));
        file.extend([0, 4]);
        file.extend(string("description"));
        file.push(0b111_00000);
        file
    }

    /// A short text in a MaxMind database.
    fn string(text: &str) -> Vec<u8> {
        let mut bytes = vec![0b010_00000 | text.len() as u8];
        assert!(text.len() < 29, "longer texts have their length in more bytes");
        bytes.extend(text.as_bytes());
        bytes
    }
}
