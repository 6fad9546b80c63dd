//! For systems on which advice, flags and protections have no numbers.

use crate::{Advice, Flags, Prot, UncheckedAdvice};

pub(crate) const ANONYMOUS: i32 = 0;

pub(crate) fn hint_number(_: Advice) -> Option<i32> {
    None
}

pub(crate) fn unchecked_number(_: UncheckedAdvice) -> Option<i32> {
    None
}

pub(crate) fn flag_number(_: Flags) -> Option<i32> {
    None
}

pub(crate) fn prot_number(_: Prot) -> Option<i32> {
    None
}
