//! A component that is linked to `wit/never.wat` needs no import of its host, and gets no mapping.

use portable_mmap::host::INTERFACE;

use crate::common::component::{Place, text};
use crate::common::guest::TWO_PAGES;
use crate::common::{AT, BLOCK, HostKind, Scene, Test, pattern, tests};

pub(crate) const TESTS: &[Test] = tests![a_component_linked_to_never_gets_no_mapping];

fn linked() -> String {
    let never = include_str!("../../wit/never.wat").replacen("(component", "(component $never", 1);
    let guest = text(&[TWO_PAGES]).replacen("(component", "(component $guest", 1);
    let exports = ["place", "word", "load", "fill", "grow"];
    let exports: String = exports.map(|name| format!(r#"(export "{name}" (func $guest "{name}"))"#)).concat();
    format!(
        r#"(component
            {never}
            {guest}
            (instance $never (instantiate $never))
            (instance $guest (instantiate $guest (with "{INTERFACE}" (instance $never "{INTERFACE}"))))
            {exports})"#
    )
}

fn a_component_linked_to_never_gets_no_mapping(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let host = scene.components_of(&linked());
    assert_eq!(host.component.component_type().imports(&host.host.engine).count(), 0);
    let mut guest = host.guest();
    let inode = guest.open(&file);
    guest.call("fill", &[AT as i64, 5, BLOCK as i64]);
    for flags in [0, 1] {
        assert_eq!(guest.place(Place::new(inode, AT, BLOCK, flags)), Ok(None));
    }
    assert_eq!((guest.mappings(), guest.bytes(AT..AT + BLOCK)), (0, vec![5; BLOCK]));
}
