//! An Arrow table, read with `arrow-ipc`: its columns are in the mapping of the file and are not copied.

use std::fs::File;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_buffer::Buffer;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use bytes::Bytes;
use memmap2::Mmap;

/// The size of the length of the footer and of the text at the end of a file.
const TRAILER: usize = 10;

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        // SAFETY: nobody changes the file. The `File` is closed after this statement.
        let map = unsafe { Mmap::map(&File::open(dir.join("columns.arrow"))?) }?;
        let range = map.as_ptr_range();
        let file = Buffer::from(Bytes::from_owner(map));
        let trailer = file.len().checked_sub(TRAILER).ok_or("the file is too short")?;
        let footer_len = read_footer_length(file[trailer..].try_into()?)?;
        let footer =
            arrow_ipc::root_as_footer(&file[trailer - footer_len..trailer]).map_err(|error| error.to_string())?;
        let schema = fb_to_schema(footer.schema().ok_or("there is no schema")?);
        let decoder = FileDecoder::new(Arc::new(schema), footer.version());
        for block in footer.recordBatches().ok_or("there are no columns")? {
            let len = usize::try_from(block.bodyLength())? + usize::try_from(block.metaDataLength())?;
            let data = file.slice_with_length(usize::try_from(block.offset())?, len);
            let batch = decoder.read_record_batch(block, &data)?.ok_or("there is no batch")?;
            let numbers = batch.column(0).as_primitive::<Int64Type>().values();
            let words = batch.column(1).as_string::<i32>();
            let is_mapped = range.contains(&numbers.as_ptr().cast());
            println!("{} rows, sum {}, mapped: {is_mapped}", batch.num_rows(), numbers.iter().sum::<i64>());
            println!("{} ... {}", words.value(0), words.value(words.len() - 1));
        }
        Ok(())
    })
}
