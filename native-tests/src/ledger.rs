//! The cases that cannot hold somewhere, each with the property of the platform that is the reason. Drivers print it.

/// A case that does not hold in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The case's name.
    pub case: &'static str,
    /// The column's name: `native Mapped`, `native Buffered`, `wasip1` or `wasip2`.
    pub column: &'static str,
    /// The property of the platform that makes it impossible.
    pub reason: &'static str,
}

/// All of them. One that does not occur any more is a failure too.
pub const LEDGER: &[Exception] = &[Exception {
    case: "flush/cut_off_changes_reach_the_file_once_it_has_grown_again",
    column: "native Mapped",
    reason: "an operating system takes mapped pages away when their file is cut: changes there are lost, not kept",
}];
