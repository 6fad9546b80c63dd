//! A pack of git and its index, read with `gix-pack`, which maps both.

use gix_hash::Kind;
use gix_pack::Bundle;
use gix_zlib::Inflate;

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        let bundle = Bundle::at(dir.join("objects.pack"), Kind::Sha1)?;
        println!("{} objects", bundle.index.num_objects());
        let (mut content, mut inflate) = (Vec::new(), Inflate::default());
        for entry in bundle.index.iter() {
            let found = bundle.find(&entry.oid, &mut content, &mut inflate, &mut gix_pack::cache::Never)?;
            let (object, _) = found.ok_or("an object of the index is not in the pack")?;
            println!("{} {}, {} bytes, {}", entry.oid, object.kind, object.data.len(), blake3::hash(object.data));
        }
        Ok(())
    })
}
