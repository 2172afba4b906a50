//! How iptables ends when it is not content (`xtables_error`, `exit_tryhelp`).

use super::super::Refusal;
use crate::kernel::xtables::Variant;

/// The end of a command before it was done.
#[derive(Clone, Debug, PartialEq)]
pub enum Fail {
    /// `xtables_error`: a sentence after the tool's name and version, and an exit status.
    Error {
        /// 1 anything, 2 a wrong word, 3 a version that does not fit, 4 the kernel refused.
        status: i32,
        /// The sentence.
        text: String,
    },
    /// Something was said already; the hint at `--help` follows.
    TryHelp(String),
    /// After a sentence of its own.
    After(String, Box<Fail>),
    /// The model has it not.
    Refused(Refusal),
}

impl Fail {
    /// A word is wrong (`PARAMETER_PROBLEM`).
    pub fn param(text: impl Into<String>) -> Self {
        Fail::Error { status: 2, text: text.into() }
    }

    /// `OTHER_PROBLEM`.
    pub fn other(text: impl Into<String>) -> Self {
        Fail::Error { status: 1, text: text.into() }
    }

    /// The model has it not.
    pub fn refused(what: impl Into<String>) -> Self {
        Fail::Refused(Refusal::new(what, 0))
    }

    /// What is written to standard error, and the exit status.
    pub fn show(&self, who: &Who, line: Option<usize>) -> (String, i32) {
        let at = line.map_or_else(String::new, |n| format!("Error occurred at line: {n}\n"));
        let name = &who.name;
        let hint = format!("{at}Try `{name} -h' or '{name} --help' for more information.\n");
        match self {
            Fail::Error { status, text } => {
                let tail = match status {
                    2 => hint,
                    3 => format!("Perhaps {name} or your kernel needs to be upgraded.\n"),
                    _ => String::new(),
                };
                (format!("{name} {}: {text}\n{tail}", who.version()), *status)
            }
            Fail::TryHelp(said) => (format!("{said}{hint}"), 2),
            Fail::After(said, fail) => {
                let (text, status) = fail.show(who, line);
                (format!("{said}{text}"), status)
            }
            Fail::Refused(r) => (format!("{r}\n"), 2),
        }
    }
}

impl From<Refusal> for Fail {
    fn from(r: Refusal) -> Self {
        Fail::Refused(r)
    }
}

/// The tool as it calls itself.
#[derive(Clone, Debug)]
pub struct Who {
    /// `iptables`, `iptables-restore` …
    pub name: String,
    /// Which tables it works on.
    pub variant: Variant,
    /// Its release, as hosts have it ([`crate::session::Session::iptables`]).
    pub release: &'static str,
}

impl Who {
    /// `v1.8.9 (nf_tables)`.
    pub fn version(&self) -> String {
        let tables = match self.variant {
            Variant::Nft => "nf_tables",
            Variant::Legacy => "legacy",
        };
        format!("v{} ({tables})", self.release)
    }
}
