//! The targets that a package is built for, and the hosts that run the programs.

use crate::hosts;
use crate::sandbox::{HAS_HOST_MAPPING, NO_HOST_MAPPING};

/// The target of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This machine.
    Native,
    /// The name of a target of WASI.
    Wasi(String),
}

impl Target {
    /// Parses `native` or the name of a target of WASI.
    ///
    /// # Errors
    ///
    /// Fails for any other name.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "native" => Ok(Self::Native),
            "wasm32-wasip1" | "wasm32-wasip2" => Ok(Self::Wasi(name.to_owned())),
            _ => Err(format!("{name:?} is none of native, wasm32-wasip1 and wasm32-wasip2")),
        }
    }

    /// The name of its column on a host.
    pub(super) fn column(&self, host: Host) -> String {
        match (self, host) {
            (Self::Native, _) | (_, Host::This) => "native".to_owned(),
            (Self::Wasi(name), Host::Wasmtime) => name.trim_start_matches("wasm32-").to_owned(),
            (Self::Wasi(name), Host::Hosted) => format!("{} hosted", name.trim_start_matches("wasm32-")),
            (Self::Wasi(name), Host::Other(host)) => format!("{} {}", name.trim_start_matches("wasm32-"), host.name),
        }
    }
}

/// The host of a test program.
#[derive(Clone, Copy, Debug)]
pub enum Host {
    /// This machine, which runs native programs.
    This,
    /// The wasmtime that this program is built with.
    Wasmtime,
    /// The same, which maps files into the guest's memory.
    Hosted,
    /// Another host.
    Other(&'static hosts::Host),
}

impl Host {
    /// Parses `wasmtime`, `hosted` or the key of another host.
    ///
    /// # Errors
    ///
    /// Fails for any other name, and for `hosted` on a system that does not place mappings in guests.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "wasmtime" => Ok(Self::Wasmtime),
            "hosted" if HAS_HOST_MAPPING => Ok(Self::Hosted),
            "hosted" => Err(format!("--host hosted: {NO_HOST_MAPPING}")),
            // The host must have the files of this machine, because tests read files of their package.
            _ => hosts::Host::find(name).filter(|host| host.opens_files()).map(Self::Other).ok_or_else(|| {
                let hosts = hosts::ALL.iter().filter(|host| host.opens_files());
                let keys: Vec<&str> = hosts.map(|host| host.key).collect();
                format!("{name:?} is none of the hosts wasmtime, {}, hosted", keys.join(", "))
            }),
        }
    }

    /// Whether it runs programs for a target.
    pub(super) fn runs(self, target: &Target) -> bool {
        match (self, target) {
            (Self::This, target) => *target == Target::Native,
            (Self::Wasmtime | Self::Hosted, target) => *target != Target::Native,
            (Self::Other(host), Target::Wasi(name)) => host.targets.contains(&name.as_str()),
            (Self::Other(_), Target::Native) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, Target};

    #[test]
    fn other_targets_are_an_error() {
        assert!(Target::parse("native").is_ok() && Target::parse("wasm32-wasip2").is_ok());
        assert!(Target::parse("wasm32-unknown-unknown").unwrap_err().contains("wasm32-wasip1"));
    }

    #[test]
    fn a_host_without_the_files_of_this_machine_is_an_error() {
        assert!(Host::parse("wasmtime").is_ok() && Host::parse("deno").is_ok());
        let error = Host::parse("browser").unwrap_err();
        assert!(error.contains("deno, bun, wasmtime-oldest") && error.ends_with(", hosted"), "{error}");
    }
}
