//! What a package is built for, and what runs that.

/// What a package is built for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This machine.
    Native,
    /// A target of WASI, by its name.
    Wasi(String),
}

impl Target {
    /// Reads `native` or the name of a target of WASI.
    ///
    /// # Errors
    ///
    /// Another name.
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
            (Self::Wasi(name), Host::Node) => format!("{} Node", name.trim_start_matches("wasm32-")),
        }
    }
}

/// What runs a test program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// This machine: it runs native programs.
    This,
    /// wasmtime, which this program has in it.
    Wasmtime,
    /// Node's own WASI, which takes modules of Preview 1.
    Node,
}

impl Host {
    /// Reads `wasmtime` or `node`.
    ///
    /// # Errors
    ///
    /// Another name.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "wasmtime" => Ok(Self::Wasmtime),
            "node" => Ok(Self::Node),
            _ => Err(format!("{name:?} is neither of the hosts wasmtime and node")),
        }
    }

    /// Whether it runs what is built for a target.
    pub(super) fn runs(self, target: &Target) -> bool {
        match target {
            Target::Native => self == Self::This,
            Target::Wasi(name) => self == Self::Wasmtime || self == Self::Node && name == "wasm32-wasip1",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn other_targets_are_refused() {
        assert!(Target::parse("native").is_ok() && Target::parse("wasm32-wasip2").is_ok());
        assert!(Target::parse("wasm32-unknown-unknown").unwrap_err().contains("wasm32-wasip1"));
    }
}
