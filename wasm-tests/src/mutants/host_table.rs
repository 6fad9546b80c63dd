//! The mutants of the host that places mappings in guests.

use super::table::{Mutant, Place};

const UNIX: &str = "portable-mmap-wasmtime/src/memory/unix.rs";
const CTX: &str = "portable-mmap-wasmtime/src/ctx.rs";
const ATTACH: &str = "portable-mmap-wasmtime/src/attach.rs";
const CALLS: &str = "portable-mmap-wasmtime/src/calls.rs";
const POLICY: &str = "portable-mmap-wasmtime/src/policy.rs";
const FILE: &str = "portable-mmap-wasmtime/src/file.rs";
const P2: &str = "portable-mmap-wasmtime/src/p2/mod.rs";
const COMPONENTS: &str = "portable-mmap-wasmtime/src/components.rs";
const USED: &str = "portable-mmap-wasmtime/src/used.rs";
const HANDSHAKE: &str = "portable-mmap-wasmtime/src/p1/handshake.rs";
const ZERO_COPY: &str = "portable-mmap-wasmtime/src/p1/zero_copy.rs";
const GUARD: &str = "src/host/guard.rs";
const P1: &str = "portable-mmap-wasmtime/src/p1.rs";
const TRAP: &str = "portable-mmap-wasmtime/src/trap.rs";
const GUARD_TRAP: &str = "src/guard/trap.rs";

/// A mutant of the host, and the tests that find it.
const fn host(
    name: &'static str,
    contract: &'static str,
    file: &'static str,
    [old, new]: [&'static str; 2],
    subject: &'static str,
) -> Mutant {
    Mutant { name, contract, file, old, new, place: Place::Host, subject }
}

/// The mutants of the host.
pub(super) const MUTANTS: &[Mutant] = &[
    host(
        "host maps pages that cannot be written to",
        "no store to a mapping ends the host",
        UNIX,
        ["ProtFlags::READ.union(ProtFlags::WRITE)", "ProtFlags::READ"],
        "stores_into_a_private_mapping_stay_in_the_guest",
    ),
    host(
        "host shares private mappings",
        "the stores of a guest to a private mapping do not reach the file",
        UNIX,
        ["Access::Private => MapFlags::PRIVATE | NORESERVE,", "Access::Private => MapFlags::SHARED | NORESERVE,"],
        "stores_into_a_private_mapping_stay_in_the_guest",
    ),
    host(
        "host guards only one page",
        "bytes that a file no longer has read as zeros, and do not end the host",
        UNIX,
        ["Guard::watch(start, len, file", "Guard::watch(start, page_size(), file"],
        "reads_zeros_from_truncated_pages",
    ),
    host(
        "host leaves files in a dropped store",
        "the next guest in a pool has plain memory",
        CTX,
        ["            self.clear();\n            // Otherwise", "            // Otherwise"],
        "the_next_guest_has_zeros_instead_of_a_file",
    ),
    host(
        "host never unmaps a file",
        "unmapping replaces a file with zeros",
        UNIX,
        [
            "    pub(crate) fn restore_plain_memory(self) {\n        put_plain_memory(self.start, self.len);",
            "    pub(crate) fn restore_plain_memory(self) {",
        ],
        "a_mapping_leaves_no_area_behind",
    ),
    host(
        "host resets memory of another store",
        "a context that outlives its store does not change the memory of others",
        CTX,
        ["self.store.as_ref().is_some_and(|store| store.strong_count() > 0)", "self.store.is_some()"],
        "a_context_that_outlives_its_store_does_not_change_other_memory",
    ),
    host(
        "host keeps mappings after detach",
        "after detach the data of a store may be moved out",
        ATTACH,
        ["    ctx.clear();\n", ""],
        "after_detach_the_data_of_a_store_may_be_moved_out",
    ),
    host(
        "host has no limit on mappings per store",
        "a store has no more mappings than its builder says",
        CTX,
        ["if self.mappings() + most > self.max_mappings {", "if false {"],
        "a_store_has_no_more_mappings_than_its_builder_says",
    ),
    host(
        "host has no limit on mappings per process",
        "a process has no more mappings than a builder says",
        CTX,
        ["(placed + most <= self.max_process_mappings).then_some(placed + most)", "Some(placed + most)"],
        "a_process_has_no_more_mappings_than_a_builder_says",
    ),
    host(
        "host has no limit on bytes",
        "a store maps no more bytes than its builder says",
        CTX,
        [".filter(|&bytes| bytes <= self.max_bytes)", ""],
        "a_store_maps_no_more_bytes_than_its_builder_says",
    ),
    host(
        "host counts mappings that failed",
        "a mapping that fails does not count",
        CTX,
        ["let now = self.reads.len() + usize::from(placed.is_ok());", "let now = self.reads.len() + 1;"],
        "a_mapping_that_the_system_denies_changes_nothing",
    ),
    host(
        "host detects too late that a mapping is not allowed",
        "a mapping that the system does not allow replaces nothing",
        CALLS,
        ["    Placed::check_mappable(&open.file, offset, mapped, access)?;\n", ""],
        "a_mapping_that_the_system_does_not_allow_replaces_no_read",
    ),
    host(
        "host does not count areas for mappings",
        "the host has areas of memory left, whatever a guest unmaps",
        UNIX,
        [
            "        if !areas_left() {\n            return Err(errno::NOMEM);\n        }\n        // SAFETY: a new mapping",
            "        // SAFETY: a new mapping",
        ],
        "a_guest_that_unmaps_in_a_bad_order_leaves_the_host_its_areas",
    ),
    host(
        "host does not count areas for refreshes",
        "the host has areas of memory left, whatever a guest refreshes",
        UNIX,
        [
            "        if !areas_left() {\n            return Err(errno::NOMEM);\n        }\n        self.guard",
            "        self.guard",
        ],
        "a_guest_that_stores_between_faults_leaves_the_host_its_areas",
    ),
    host(
        "host leaves areas in a pool",
        "the next guest in a pool has no areas of the one before",
        CTX,
        [".take().for_each(join);", ".take();"],
        "a_guest_that_unmaps_in_a_bad_order_leaves_the_host_its_areas",
    ),
    host(
        "host replaces pages in any number of pieces",
        "a mapping uses no more areas than its limit, whatever faults",
        GUARD,
        ["most_pieces: MOST_PIECES,", "most_pieces: usize::MAX,"],
        "a_thousand_faults_use_no_more_areas_than_the_limit",
    ),
    host(
        "host attaches stores whose memories may move",
        "the base of a memory with mappings never moves",
        ATTACH,
        ["if engine.get_memory_may_move() {", "if false {"],
        "a_store_whose_memories_may_move_is_not_attached",
    ),
    host(
        "host attaches stores without signals",
        "memories with mappings start at page boundaries",
        ATTACH,
        ["if !engine.get_signals_based_traps() {", "if false {"],
        "a_store_of_an_engine_without_signals_is_not_attached",
    ),
    host(
        "host attaches twice",
        "a store is attached once",
        ATTACH,
        ["if store.data_mut().host_map().ctx.is_attached() {", "if false {"],
        "a_store_is_attached_once",
    ),
    host(
        "host maps without attach",
        "without attach mappings are not supported",
        CALLS,
        ["if !ctx.is_attached() {", "if false {"],
        "without_attach_mappings_are_not_supported",
    ),
    host(
        "host maps over mappings",
        "blocks that overlap are not mapped",
        CALLS,
        ["if ctx.overlaps(address.addr(), mapped) {", "if false {"],
        "blocks_that_overlap_are_not_mapped",
    ),
    host(
        "host maps over the initial image",
        "the next guest has the data segments of its module",
        CALLS,
        ["if (start as u64) < self.initial {", "if false {"],
        "the_next_guest_has_the_data_segment_of_the_module",
    ),
    host(
        "host maps outside of memory",
        "a block lies in the guest's memory",
        CALLS,
        ["if end > self.size {", "if false {"],
        "a_block_outside_of_memory_is_not_mapped",
    ),
    host(
        "host ignores the policy",
        "by default a guest maps only files that nobody can change",
        CALLS,
        ["if !ctx.allows(&open.file, access) {", "if false {"],
        "by_default_a_file_that_can_change_is_not_mapped",
    ),
    host(
        "host accepts a file with one of two seals",
        "a file that may shrink is not mapped by default",
        POLICY,
        ["let sealed = SealFlags::WRITE | SealFlags::SHRINK;", "let sealed = SealFlags::WRITE;"],
        "by_default_a_partly_sealed_file_is_not_mapped",
    ),
    host(
        "host shares files that are granted for reading",
        "a guest cannot write to a file that it may only read",
        FILE,
        ["!file.perms.write_not_permitted() && ", ""],
        "a_file_that_is_granted_for_reading_is_not_shared",
    ),
    host(
        "host maps any open file",
        "a guest maps only the file that it names",
        FILE,
        ["if identity(&metadata) != inode {", "if false {"],
        "a_file_that_the_guest_has_closed_is_not_mapped",
    ),
    host(
        "host maps past the end of a file",
        "a file that ends before the mapping is not mapped",
        CALLS,
        ["end > open.len) {", "end > u64::MAX) {"],
        "a_file_that_ends_before_the_mapping_is_not_mapped",
    ),
    host(
        "host makes no page dirty",
        "pages that are made dirty are written by the next sync",
        UNIX,
        [
            "let _ = byte.compare_exchange(value, std::hint::black_box(value), Ordering::Relaxed, Ordering::Relaxed);",
            "let _ = value;",
        ],
        "a_sync_cleans_pages_and_dirty_makes_them_dirty",
    ),
    host(
        "host does not sync",
        "a sync returns when the bytes are on the disk",
        UNIX,
        [
            "unsafe { msync(address, range.end - start, MsyncFlags::SYNC) }.map_err(number)",
            "{ let _: *mut u8 = address; Ok(()) }",
        ],
        "a_sync_cleans_pages_and_dirty_makes_them_dirty",
    ),
    host(
        "host does not check ranges",
        "a range must lie in its mapping",
        CALLS,
        [".filter(|&end| end <= placed.len())", ""],
        "ranges_outside_a_mapping_are_invalid",
    ),
    host(
        "host treats shared memory as missing",
        "the error for shared memory is that it is not supported",
        P1,
        [
            "Some(Extern::SharedMemory(_)) => return Err(errno::NOTSUP),",
            "Some(Extern::SharedMemory(_)) => return Err(errno::INVAL),",
        ],
        "shared_memory_is_not_mapped",
    ),
    host(
        "host always traps",
        "by default bytes that a file no longer has read as zeros",
        TRAP,
        ["if on_fault == OnFault::Zeros {", "if false {"],
        "zeros_are_the_default",
    ),
    host(
        "host never traps",
        "with `OnFault::Trap` a load of bytes that a file no longer has ends the guest",
        GUARD,
        ["            traps,\n", "            traps: None,\n"],
        "a_load_of_a_truncated_page_traps",
    ),
    host(
        "host traps anywhere in the guest's code",
        "no handler is called for a fault that it does not handle",
        TRAP,
        ["(offset, list)| lookup_trap_code(list, offset).is_some()", "(offset, _)| offset < module.text().len()"],
        "with_another_signal_handler_accesses_read_zeros",
    ),
    host(
        "host replaces pages whose access has trapped",
        "a trap does not change the mapping",
        GUARD_TRAP,
        ["if instruction(context) != before {", "if false {"],
        "a_load_of_a_truncated_page_traps",
    ),
    host(
        "host keeps the signal action that a handler has set",
        "a handler that does not handle traps changes nothing",
        GUARD_TRAP,
        ["    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };\n", ""],
        "with_another_signal_handler_accesses_read_zeros",
    ),
    host(
        "host calls handlers that receive no information about the fault",
        "a handler that does not handle traps changes nothing",
        GUARD_TRAP,
        [" || action.sa_flags & libc::SA_SIGINFO == 0 {", " {"],
        "with_another_signal_handler_accesses_read_zeros",
    ),
    host(
        "host accepts lists of any length",
        "a list that gives the address of a byte has one byte",
        P2,
        ["[byte] => Some(", "[byte, ..] => Some("],
        "lists_that_are_not_one_byte_long_are_invalid",
    ),
    host(
        "host accepts any last byte of a block",
        "the distance of the ends of a component's block is its length",
        P2,
        ["    if distance(first, last)", "    if false && distance(first, last)"],
        "ends_at_another_distance_than_a_block_are_invalid",
    ),
    host(
        "host accepts lists that were copied",
        "in composed components the host maps only over memory of the component that calls it",
        P2,
        ["    if distance(first, last)", "    if false && distance(first, last)"],
        "copied_lists_are_invalid",
    ),
    host(
        "host accepts blocks of a component before its origin",
        "a component's block lies behind the first byte of its memory",
        P2,
        ["distance(base, first).ok_or(errno::FAULT)?", "first.addr().wrapping_sub(base.addr())"],
        "a_components_block_before_the_origin_is_not_mapped",
    ),
    host(
        "host counts a component's pages as bytes",
        "the initial memory of a component is not mapped over",
        COMPONENTS,
        [".saturating_mul(WASM_PAGE)", ".saturating_mul(1)"],
        "a_components_block_in_the_initial_memory_is_not_mapped",
    ),
    host(
        "host treats a component of unknown memory as one without memory",
        "a component whose memory is not known has no mappings",
        COMPONENTS,
        ["(_, None) => Self::Unknown,", "(_, None) => Self::AtMost(0),"],
        "a_component_of_unknown_memory_has_no_mappings",
    ),
    host(
        "host maps for components that were not passed to the builder",
        "a component that was not passed to the builder has no mappings",
        COMPONENTS,
        ["Self::None | Self::Unknown => None,", "_ => Some(0),"],
        "a_component_that_was_not_passed_to_the_builder_has_no_mappings",
    ),
    host(
        "host uses the smallest memory of all components",
        "the largest memory of all components is not mapped over",
        COMPONENTS,
        ["Self::AtMost(most.max(bytes))", "Self::AtMost(most.min(bytes))"],
        "the_largest_initial_memory_of_all_components_counts",
    ),
    host(
        "host keeps the mapping of a dropped resource",
        "a component that drops a mapping has plain memory again",
        P2,
        ["let _ = calls::unmap(ctx(&mut store), handle.cast_signed());", "let _ = (ctx(&mut store), handle);"],
        "a_component_maps_and_unmaps_a_file",
    ),
    host(
        "host treats all memories of a store as one",
        "memory between the memories of a store does not belong to it",
        USED,
        ["let is_same = overlap(&used.memory, &all.memory);", "let is_same = true;"],
        "a_component_maps_into_each_of_its_memories",
    ),
    host(
        "host records any number of memories",
        "a component leaves no more areas in a pool than the limit, whatever it passes as its origin",
        USED,
        [".count() < MAX_MEMORIES", ".count() < usize::MAX"],
        "a_component_that_passes_many_origins_is_limited",
    ),
    host(
        "host replies into a block that it maps over",
        "a reply is not written to a file",
        HANDSHAKE,
        ["if is_in_block(self.at, LEN) || is_in_block(self.nread, 4) {", "if false {"],
        "a_request_that_overlaps_its_block_is_invalid",
    ),
    host(
        "host accepts requests that lie in a mapping",
        "a reply is not written to a mapped file",
        HANDSHAKE,
        ["if is_mapped(at, LEN) || is_mapped(nread, 4) {", "if false {"],
        "a_request_in_a_mapping_is_ignored",
    ),
    host(
        "host accepts requests at any offset",
        "a read of a file is not a request",
        HANDSHAKE,
        ["if offset.cast_unsigned() != OFFSET || iovs_len != 2 {", "if iovs_len != 2 {"],
        "a_call_that_differs_from_a_request_goes_to_wasi",
    ),
    host(
        "host reports mappings before attach",
        "a probe returns whether mappings are supported",
        P1,
        ["i64::from(has_memory && ctx(caller).is_attached())", "i64::from(has_memory)"],
        "a_probe_returns_false_without_attach",
    ),
    host(
        "host reads files without a copy that the policy does not admit",
        "a read is a copy unless the policy admits the file",
        CALLS,
        ["if !is_possible || !ctx.reads_without_copy(&open.file) {", "if !is_possible {"],
        "a_read_without_permission_of_the_policy_is_copied",
    ),
    host(
        "host does not move the position",
        "a read without a copy moves the position like any read",
        ZERO_COPY,
        ["if offset.is_none() {", "if false {"],
        "a_read_at_the_position_moves_it",
    ),
    host(
        "host forgets the rest of a read that is partly replaced",
        "the rest of a partly replaced read stays mapped and guarded",
        UNIX,
        [
            "[part(start..range.start.clamp(start, end)), part(range.end.clamp(start, end)..end)]",
            "{ let _ = part; [None, None] }",
        ],
        "a_read_over_a_part_keeps_the_rest",
    ),
    host(
        "host keeps reads after detach",
        "after detach the memory of a store contains no file that its guest has read",
        CTX,
        ["self.reads.take().for_each(Placed::restore_plain_memory);", "self.reads.take().for_each(Placed::forget);"],
        "a_read_that_is_mapped_does_not_survive_detach",
    ),
];
