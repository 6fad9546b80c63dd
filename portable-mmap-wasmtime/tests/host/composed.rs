//! Composed components: the lists of the outer component are copied into the memory of the middle component, which
//! calls the host. The host maps only over memory of the middle component, and only if that has placed the copies a
//! block apart.

use portable_mmap::host::INTERFACE;

use crate::common::component::{Guest, import};
use crate::common::{AT, BLOCK, HostKind, Scene, Test, pattern, tests};

pub(crate) const TESTS: &[Test] = tests![copied_lists_are_invalid, a_middle_component_maps_into_its_own_memory,];

/// How the middle component places the copied lists in its memory. The first byte is always where a block can start.
const ONE_AFTER_THE_OTHER: i64 = 0;
const A_BLOCK_APART: i64 = 1;

/// Functions of a memory, exported under these names.
const BYTES: &str = r#"
    (func (export "word") (param i32) (result i64) local.get 0 i64.load)
    (func (export "fill") (param i32 i32 i32) local.get 0 local.get 1 local.get 2 memory.fill)
    (func (export "grow") (param i32) (result i32) local.get 0 memory.grow)
"#;

const LIFTED_BYTES: &str = r#"
    (func (export "word") (param "at" u32) (result u64) (canon lift (core func $main "word")))
    (func (export "fill") (param "at" u32) (param "byte" u32) (param "len" u32) (canon lift (core func $main "fill")))
    (func (export "grow") (param "pages" u32) (result u32) (canon lift (core func $main "grow")))
"#;

const FORWARD: &str = r#"(param "file" u64) (param "len" u64) (param "origin" (list u8)) (param "first" (list u8))
    (param "last" (list u8)) (result u64)"#;

/// The functions of the middle component, and those of the outer component with names that end with 1.
fn text() -> String {
    let import = import();
    let (next, last) = (AT + 1, AT + BLOCK - 1);
    format!(
        r#"
        (component
            {import}
            (component $middle
                {import}
                (core module $memory
                    (memory (export "memory") 2)
                    (global $way (mut i32) (i32.const 0))
                    (global $calls (mut i32) (i32.const 0))
                    (func (export "way") (param i32) local.get 0 global.set $way i32.const 0 global.set $calls)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                        (if (i32.eq (global.get $calls) (i32.const 1)) (then (return (i32.const 0))))
                        (if (i32.eq (global.get $calls) (i32.const 2)) (then (return (i32.const {AT}))))
                        (if (i32.eqz (global.get $way)) (then (return (i32.const {next}))))
                        (i32.const {last})))
                (core instance $memory (instantiate $memory))
                (core func $place (canon lower (func $mapping "place") (memory $memory "memory")))
                (core module $code
                    (import "host" "place"
                        (func $place (param i64 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32)))
                    (import "memory" "memory" (memory 0))
                    (func (export "forward") (param i64 i64 i32 i32 i32 i32 i32 i32) (result i64)
                        (memory.fill (i32.const 256) (i32.const 0) (i32.const 32))
                        (call $place (local.get 0) (i64.const 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
                            (local.get 5) (local.get 6) (local.get 7) (i32.const 0) (i32.const 256))
                        (i64.load (i32.const 256)))
                    {BYTES})
                (core instance $main (instantiate $code
                    (with "host" (instance (export "place" (func $place))))
                    (with "memory" (instance $memory))))
                {LIFTED_BYTES}
                (func (export "way") (param "way" u32) (canon lift (core func $memory "way")))
                (func (export "forward") {FORWARD}
                    (canon lift (core func $main "forward") (memory $memory "memory") (realloc (func $memory "realloc")))))
            (instance $middle (instantiate $middle (with "{INTERFACE}" (instance $mapping))))
            (component $outer
                (import "forward" (func $forward {FORWARD}))
                (core module $memory (memory (export "memory") 2))
                (core instance $memory (instantiate $memory))
                (core func $forward (canon lower (func $forward) (memory $memory "memory")))
                (core module $code
                    (import "middle" "forward" (func $forward (param i64 i64 i32 i32 i32 i32 i32 i32) (result i64)))
                    (import "memory" "memory" (memory 0))
                    (func (export "ask") (param i64) (result i64)
                        (call $forward (local.get 0) (i64.const {BLOCK}) (i32.const 0) (i32.const 1) (i32.const {AT})
                            (i32.const 1) (i32.const {last}) (i32.const 1)))
                    {BYTES})
                (core instance $main (instantiate $code
                    (with "middle" (instance (export "forward" (func $forward))))
                    (with "memory" (instance $memory))))
                {LIFTED_BYTES}
                (func (export "ask") (param "file" u64) (result u64) (canon lift (core func $main "ask"))))
            (instance $outer (instantiate $outer (with "forward" (func $middle "forward"))))
            (export "way" (func $middle "way"))
            (export "word" (func $middle "word"))
            (export "fill" (func $middle "fill"))
            (export "grow" (func $middle "grow"))
            (export "ask" (func $outer "ask"))
            (export "word1" (func $outer "word"))
            (export "fill1" (func $outer "fill"))
            (export "grow1" (func $outer "grow")))
        "#
    )
}

/// A guest of both components with bytes in their memories, and the inode number of a file.
fn composed(scene: &Scene, way: i64) -> (Guest, i64) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.components_of(&text()).guest();
    assert!(guest.call("grow1", &[1024]) >= 0);
    let inode = guest.open(&file);
    guest.call("way", &[way]);
    for (fill, byte) in [("fill", 5), ("fill1", 6)] {
        guest.call(fill, &[AT as i64, byte, BLOCK as i64]);
    }
    (guest, inode)
}

/// The first bytes of a result with the error `invalid`, which is the sixth.
const INVALID: i64 = 1 | 5 << 32;

/// The first bytes of a result with a mapping.
const MAPPED: i64 = 1 << 32;

fn copied_lists_are_invalid(scene: &Scene) {
    let (mut guest, inode) = composed(scene, ONE_AFTER_THE_OTHER);
    assert_eq!(guest.call("ask", &[inode]), INVALID);
    assert_eq!(guest.mappings(), 0);
    let bytes = guest.bytes(AT..AT + BLOCK);
    assert_eq!(bytes[..2], [6, 6], "the copied lists are there");
    assert!(bytes[2..].iter().all(|&byte| byte == 5), "the rest of the middle memory has not changed");
    assert!(guest.bytes_in("1", AT..AT + BLOCK).iter().all(|&byte| byte == 6), "the outer memory has not changed");
}

fn a_middle_component_maps_into_its_own_memory(scene: &Scene) {
    let (mut guest, inode) = composed(scene, A_BLOCK_APART);
    assert_eq!(guest.call("ask", &[inode]), MAPPED);
    assert_eq!(guest.mappings(), 1);
    assert!(guest.bytes(AT..AT + BLOCK) == pattern(BLOCK), "the middle component has mapped the file");
    assert!(guest.bytes_in("1", AT..AT + BLOCK).iter().all(|&byte| byte == 6), "the outer memory has not changed");
}
