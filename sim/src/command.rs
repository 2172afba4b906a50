//! One file per tool: its parser, and the printer of its output.
//!
//! A tool is a function `run(&mut Proc, argv) -> Result<i32, Refusal>`: it reads `stdin`, writes
//! `out` and `err`, and returns the exit status. [`run`] finds it by name.

pub mod awk;
pub mod files;
pub mod grep;
pub mod misc;
pub mod sed;
pub mod sort;
pub mod test;
pub mod text;
pub mod wrap;

use crate::kernel::types::{HostId, Nanos, NetnsId, Pid};
use crate::session::Session;

/// A process as a tool sees it.
pub struct Proc<'s> {
    /// The world.
    pub sess: &'s mut Session,
    /// Host it runs on.
    pub host: HostId,
    /// Namespace it runs in.
    pub ns: NetnsId,
    /// Process number.
    pub pid: Pid,
    /// What it reads.
    pub stdin: String,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
    /// Started with `&`: the tool starts its application and returns at once.
    pub background: bool,
    /// What a probing tool (`ping`, `curl`, `nc` …) saw, for `expect`.
    pub report: Option<crate::app::probe::ProbeReport>,
    /// Virtual time at which `timeout` ends it.
    pub deadline: Option<Nanos>,
    /// File that standard output was redirected to, for what is written after a background start.
    pub out_file: Option<String>,
    /// Exported variables.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub cwd: String,
    /// Shells and programs it was started through.
    pub depth: usize,
    /// A shell started with `-e`.
    pub errexit: bool,
    /// Exit status of the script that ran in it.
    pub exit: i32,
}

impl<'s> Proc<'s> {
    /// A process with nothing to read.
    pub fn new(sess: &'s mut Session, host: HostId, ns: NetnsId, pid: Pid) -> Self {
        Proc {
            sess,
            host,
            ns,
            pid,
            stdin: String::new(),
            out: String::new(),
            err: String::new(),
            background: false,
            report: None,
            deadline: None,
            out_file: None,
            env: Vec::new(),
            cwd: "/root".to_owned(),
            depth: 0,
            errexit: false,
            exit: 0,
        }
    }

    /// A path made absolute.
    pub fn path(&self, path: &str) -> String {
        crate::shell::vfs::normal(&self.cwd, path)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As `open` and `read` would fail.
    pub fn read(&self, path: &str) -> Result<String, crate::kernel::types::Errno> {
        self.sess.read_file(self.host, self.ns, &self.path(path))
    }
}

/// Something a tool of Linux would do and the model does not: refused by name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not modelled: {what}")]
pub struct Refusal {
    /// The option, tool or kind, as typed, with its tool: `ping -f`.
    pub what: String,
    /// Which argument it is about, 0 for the tool itself.
    pub arg: usize,
}

impl Refusal {
    /// A refusal about an argument.
    pub fn new(what: impl Into<String>, arg: usize) -> Self {
        Refusal { what: what.into(), arg }
    }
}

/// What every tool returns: its exit status, or a refusal.
pub type Exit = Result<i32, Refusal>;

/// Names of the tools.
pub const TOOLS: &[&str] = &[
    "[",
    "arp",
    "arping",
    "awk",
    "basename",
    "bash",
    "brctl",
    "bridge",
    "cat",
    "curl",
    "cut",
    "date",
    "dirname",
    "echo",
    "egrep",
    "env",
    "false",
    "fgrep",
    "grep",
    "head",
    "hostname",
    "id",
    "ifconfig",
    "ip",
    "kill",
    "killall",
    "ln",
    "ls",
    "mkdir",
    "nc",
    "netstat",
    "nohup",
    "nsenter",
    "nstat",
    "ping",
    "pkill",
    "printf",
    "readlink",
    "rm",
    "route",
    "sed",
    "seq",
    "serve",
    "setsid",
    "sh",
    "sleep",
    "sort",
    "ss",
    "sudo",
    "sysctl",
    "tail",
    "tcpdump",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "traceroute",
    "true",
    "uname",
    "uniq",
    "wc",
    "whoami",
    "xargs",
];

/// There is such a tool.
pub fn is_tool(name: &str) -> bool {
    TOOLS.contains(&name)
}

/// The tool empties its standard input, with these words.
pub fn reads_stdin(argv: &[String]) -> bool {
    matches!(
        argv[0].as_str(),
        "cat"
            | "head"
            | "tail"
            | "wc"
            | "tee"
            | "grep"
            | "egrep"
            | "fgrep"
            | "sed"
            | "awk"
            | "sort"
            | "uniq"
            | "cut"
            | "tr"
            | "xargs"
            | "sh"
            | "bash"
            | "nc"
    )
}

/// Runs a tool by its name.
///
/// # Errors
/// What Linux has and the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    match argv[0].as_str() {
        "[" | "test" => test::run(p, argv),
        "awk" => awk::run(p, argv),
        "bash" | "sh" => wrap::sh(p, argv),
        "basename" | "dirname" | "hostname" | "ln" | "ls" | "mkdir" | "readlink" | "rm" | "touch" => {
            files::run(p, argv)
        }
        "cat" | "echo" | "head" | "printf" | "tail" | "tee" | "wc" => text::run(p, argv),
        "cut" | "sort" | "tr" | "uniq" => sort::run(p, argv),
        "date" | "false" | "id" | "kill" | "killall" | "pkill" | "seq" | "sleep" | "true" | "uname" | "whoami" => {
            misc::run(p, argv)
        }
        "egrep" | "fgrep" | "grep" => grep::run(p, argv),
        "env" | "nohup" | "nsenter" | "setsid" | "sudo" | "timeout" | "xargs" => wrap::run(p, argv),
        "sed" => sed::run(p, argv),
        other => Err(Refusal::new(format!("the tool {other}"), 0)),
    }
}
