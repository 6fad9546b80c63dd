//! A font, read with `fontdb`, which maps it once to analyse it and once to share its data.

use fontdb::{Database, Query};

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        let mut fonts = Database::new();
        fonts.load_font_file(dir.join("font.ttf"))?;
        for face in fonts.faces() {
            println!("{} {} {:?}, monospaced: {}", face.post_script_name, face.weight.0, face.style, face.monospaced);
        }
        let family = fonts.faces().next().ok_or("no face")?.families[0].0.clone();
        let id =
            fonts.query(&Query { families: &[fontdb::Family::Name(&family)], ..Query::default() }).ok_or("no font")?;
        let sum = fonts.with_face_data(id, |data, index| {
            (index, data.len(), data.iter().fold(0_u64, |sum, &byte| sum.wrapping_mul(31) + u64::from(byte)))
        });
        println!("{family}: {:?}", sum.ok_or("the font's data cannot be read")?);
        // SAFETY: nobody changes the file.
        let (shared, _) = unsafe { fonts.make_shared_face_data(id) }.ok_or("the font's data cannot be shared")?;
        println!("{:?}", (*shared).as_ref().get(..4));
        Ok(())
    })
}
