//! Conversions from and to the numbers of the operating system and of Python, for bindings to other languages.

use crate::region::numbers;
use crate::{Access, Advice, Flags, Prot, UncheckedAdvice};

impl Access {
    /// Python's number of an access: `ACCESS_DEFAULT` is 0, `ACCESS_READ` 1, `ACCESS_WRITE` 2 and `ACCESS_COPY` 3.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Default => 0,
            Self::Read => 1,
            Self::Write => 2,
            Self::Copy => 3,
        }
    }

    /// Returns the access that has this number in Python, or `None` if there is no such number.
    #[must_use]
    pub const fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Default,
            1 => Self::Read,
            2 => Self::Write,
            3 => Self::Copy,
            _ => return None,
        })
    }
}

impl Advice {
    /// Returns the number of `MADV_*` on this operating system, or `None` if the system lacks this advice.
    #[must_use]
    pub fn number(self) -> Option<i32> {
        numbers::hint_number(self)
    }

    /// Returns the advice that has this number on this operating system, or `None`. Advice that can change bytes is an
    /// [`UncheckedAdvice`].
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|advice| advice.number() == Some(number))
    }
}

impl UncheckedAdvice {
    /// Returns the number of `MADV_*` on this operating system, or `None` if the system lacks this advice.
    #[must_use]
    pub fn number(self) -> Option<i32> {
        numbers::unchecked_number(self)
    }

    /// Returns the advice that has this number on this operating system, or `None`.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|advice| advice.number() == Some(number))
    }
}

impl Flags {
    /// Returns the number of these `MAP_*` flags on this operating system, or `None` if the system lacks one of them.
    #[must_use]
    pub fn number(self) -> Option<i32> {
        sum(self.iter().map(numbers::flag_number))
    }

    /// Returns the flags that have this number on this operating system, or `None` if a bit of it means something else.
    ///
    /// `MAP_ANONYMOUS` is ignored: [`map_anonymous`](crate::MmapOptions::map_anonymous) stands for it.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let known = Self::all().iter().filter_map(|flag| Some((flag, numbers::flag_number(flag)?)));
        parse(number & !numbers::ANONYMOUS, known).map(|flags| flags.into_iter().collect())
    }
}

impl Prot {
    /// Returns the number of these `PROT_*` on this operating system, or `None` if the system has no such numbers.
    #[must_use]
    pub fn number(self) -> Option<i32> {
        sum(self.iter().map(numbers::prot_number))
    }

    /// Returns the protection that has this number on this operating system, or `None` if a bit of it means something
    /// else.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let known = Self::all().iter().filter_map(|prot| Some((prot, numbers::prot_number(prot)?)));
        parse(number, known).map(|prots| prots.into_iter().collect())
    }
}

/// All bits combined, or `None` if one of the numbers is not known.
fn sum(mut numbers: impl Iterator<Item = Option<i32>>) -> Option<i32> {
    numbers.try_fold(0, |sum, number| Some(sum | number?))
}

/// The parts whose bits a number has, or `None` if a bit belongs to no part.
fn parse<T>(number: i32, known: impl Iterator<Item = (T, i32)>) -> Option<Vec<T>> {
    let (mut rest, mut parts) = (number, Vec::new());
    for (part, bits) in known {
        if number & bits == bits {
            rest &= !bits;
            parts.push(part);
        }
    }
    (rest == 0).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back() {
        for access in [Access::Default, Access::Read, Access::Write, Access::Copy] {
            assert_eq!(Access::from_number(access.number()), Some(access));
        }
        for &advice in Advice::ALL {
            assert!(advice.number().is_none_or(|number| Advice::from_number(number) == Some(advice)), "{advice:?}");
        }
        for &advice in UncheckedAdvice::ALL {
            assert!(advice.number().is_none_or(|n| UncheckedAdvice::from_number(n) == Some(advice)), "{advice:?}");
        }
        for bits in 0..=Flags::all().bits() {
            let flags = Flags::from_bits_retain(bits);
            assert!(flags.number().is_none_or(|number| Flags::from_number(number) == Some(flags)), "{flags:?}");
        }
        for bits in 0..=Prot::all().bits() {
            let prot = Prot::from_bits_retain(bits);
            assert!(prot.number().is_none_or(|number| Prot::from_number(number) == Some(prot)), "{prot:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_numbers_are_those_of_linux() {
        assert_eq!(Advice::DontNeed.number(), Some(4));
        assert_eq!(Advice::from_number(1), Some(Advice::Random));
        assert_eq!(UncheckedAdvice::from_number(9), Some(UncheckedAdvice::Remove));
        assert_eq!((Flags::SHARED.number(), Flags::PRIVATE.number()), (Some(1), Some(2)));
        assert_eq!(Flags::from_number(0x22), Some(Flags::PRIVATE), "MAP_ANONYMOUS is ignored");
        assert_eq!(Prot::from_number(3), Some(Prot::READ | Prot::WRITE));
        assert_eq!(Prot::default().number(), Some(3));
    }

    #[test]
    fn a_number_without_a_meaning_is_none() {
        assert_eq!(Access::from_number(4), None);
        assert_eq!(Advice::from_number(-1), None);
        assert_eq!(UncheckedAdvice::from_number(-1), None);
        assert_eq!(Flags::from_number(1 << 30), None);
        assert_eq!(Prot::from_number(1 << 20), None);
    }
}
