//! One file per tool: its parser, and the printer of its output.
//!
//! A tool is a function `run(&mut Proc, argv) -> Result<i32, Refusal>`: it reads `stdin`, writes
//! `out` and `err`, and returns the exit status. [`run`] finds it by name.

pub mod arp;
pub mod arping;
pub mod awk;
pub mod brctl;
pub mod bridge;
pub mod busybox;
pub mod conntrack;
pub mod curl;
pub mod docker;
pub mod ebtables;
pub mod files;
pub mod grep;
mod http;
pub mod ifconfig;
pub mod ip;
pub mod iptables;
pub mod misc;
pub mod names;
pub mod nc;
pub mod netstat;
pub mod nft;
pub mod nstat;
pub mod opts;
pub mod ping;
pub mod pipework;
pub mod route;
pub mod sed;
pub mod serve;
pub mod socat;
pub mod sort;
pub mod ss;
pub mod sysctl;
pub mod tcpdump;
pub mod test;
pub mod text;
pub mod traceroute;
pub mod user;
pub mod wrap;

use crate::journal::Entry;
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
    /// The namespace, and so the files, of whoever opened what its output leads to.
    pub home: NetnsId,
    /// Where standard output and standard error lead, for what is written after a background start.
    pub to: [crate::session::watch::Target; 2],
    /// Exported variables.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub cwd: String,
    /// Shells and programs it was started through.
    pub depth: usize,
    /// Whose it is.
    pub cred: crate::kernel::cred::Cred,
    /// It runs inside a container, with the tools of its image.
    pub inside: bool,
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
            home: ns,
            to: Default::default(),
            env: Vec::new(),
            cwd: "/root".to_owned(),
            depth: 0,
            cred: Default::default(),
            inside: false,
            errexit: false,
            exit: 0,
        }
    }

    /// Runs a program of this process. In the foreground until it ends, or until a deadline; in the background
    /// it goes on, and there is nothing to read from it yet.
    pub fn run_program(
        &mut self,
        name: &str,
        program: crate::app::Program,
        deadline: Option<Nanos>,
    ) -> Option<crate::app::AppId> {
        let app = self.sess.spawn(self.host, self.ns, self.pid, name, program);
        if self.background {
            if let Some(end) = self.deadline {
                self.sess.apps.end_at(&mut self.sess.kernel, app, end);
            }
            if self.sess.apps.get(app).exit.is_some() {
                // It could not even begin: what it said comes at once.
                let a = self.sess.apps.get(app);
                self.err.push_str(&a.err);
                self.out.push_str(&a.out);
            } else {
                self.sess.redirect(app, self.host, self.home, self.to.clone());
            }
            return None;
        }
        let until = match (deadline, self.deadline) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.sess.run_until_exit(app, until);
        Some(app)
    }

    /// A tool that waits for what comes has an end, or is in the background.
    ///
    /// # Errors
    /// It would never end, or nobody could read what it will write.
    pub fn must_end(&self, tool: &str, counts: bool) -> Result<(), Refusal> {
        use crate::session::watch::Target;
        if self.background && self.to[0] == Target::Pipe {
            let what = format!("{tool} in the background, in a pipe: let it write to a file, and read that afterwards");
            return Err(Refusal::new(what, 0));
        }
        if self.background || self.deadline.is_some() || counts {
            return Ok(());
        }
        Err(Refusal::new(format!("{tool} in the foreground, which never ends: timeout N {tool} …, or add &"), 0))
    }

    /// Runs a tool that waits for what comes; `hello` is what it says to standard error as it begins.
    ///
    /// # Errors
    /// It waits for packets in the foreground that nobody is going to send.
    pub fn run_watcher(
        &mut self,
        name: &str,
        program: crate::app::watch::Watch,
        what: crate::session::watch::Watching,
        hello: &str,
    ) -> Exit {
        let app = self.sess.spawn(self.host, self.ns, self.pid, name, crate::app::Program::Watch(program));
        self.sess.watch(app, what);
        self.sess.apps.say(app, "", hello);
        if self.background {
            if let Some(end) = self.deadline {
                self.sess.apps.end_at(&mut self.sess.kernel, app, end);
            }
            self.sess.redirect(app, self.host, self.ns, self.to.clone());
            return Ok(0);
        }
        if !self.sess.run_until_exit(app, self.deadline) && self.deadline.is_none() {
            return Err(Refusal::new(format!("{name} in the foreground, waiting for what nobody sends: add &"), 0));
        }
        let [out, err] = self.sess.apps.take_output(app);
        self.out.push_str(&out);
        self.err.push_str(&err);
        Ok(self.sess.apps.get(app).exit.unwrap_or(0))
    }

    /// The address of a name, as this process finds it.
    ///
    /// # Errors
    /// The name has no address, or nobody could be asked.
    pub fn lookup(&mut self, name: &str) -> Result<std::net::Ipv4Addr, crate::session::lookup::NoName> {
        self.sess.lookup(self.host, self.ns, name, self.deadline)
    }

    /// The tool failed before anything was sent: what an expectation sees.
    pub fn fail_report(&mut self, outcome: crate::trace::Outcome, errno: Option<crate::kernel::types::Errno>) {
        self.report = Some(crate::app::probe::ProbeReport {
            outcome: Some(outcome),
            local_errno: errno.map(|e| format!("{e:?}")),
            ..Default::default()
        });
    }

    /// The host it runs on.
    pub fn host_of(&self) -> HostId {
        self.host
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
    "conntrack",
    "curl",
    "cut",
    "date",
    "dirname",
    "docker",
    "dockerd",
    "ebtables",
    "ebtables-nft",
    "ebtables-save",
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
    "iptables",
    "iptables-legacy",
    "iptables-legacy-restore",
    "iptables-legacy-save",
    "iptables-nft",
    "iptables-nft-restore",
    "iptables-nft-save",
    "iptables-restore",
    "iptables-save",
    "kill",
    "killall",
    "ln",
    "ls",
    "mkdir",
    "nc",
    "netstat",
    "nft",
    "nohup",
    "nsenter",
    "nstat",
    "ping",
    "pipework",
    "pkill",
    "printf",
    "readlink",
    "rm",
    "route",
    "runuser",
    "sed",
    "seq",
    "serve",
    "service",
    "setpriv",
    "setsid",
    "sh",
    "sleep",
    "socat",
    "sort",
    "ss",
    "su",
    "sudo",
    "sysctl",
    "systemctl",
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

/// Files of `/proc/net` that Linux has and the model has not.
const UNSEEN: &[&str] = &[
    "dev_mcast",
    "fib_trie",
    "fib_triestat",
    "icmp",
    "if_inet6",
    "igmp",
    "ip_conntrack",
    "ip_tables_matches",
    "ip_tables_names",
    "ip_tables_targets",
    "ipv6_route",
    "netlink",
    "netstat",
    "nf_conntrack",
    "packet",
    "protocols",
    "ptype",
    "raw",
    "rt_cache",
    "snmp",
    "snmp6",
    "sockstat",
    "softnet_stat",
    "stat",
    "tcp",
    "tcp6",
    "udp",
    "udp6",
    "unix",
    "wireless",
];

/// The tools of a LAN's switch: it forwards frames, and nothing else.
const ON_SWITCHES: &[&str] = &[
    "[", "awk", "brctl", "bridge", "cat", "echo", "egrep", "false", "fgrep", "grep", "head", "ip", "printf", "sed",
    "sh", "sleep", "sort", "tail", "tcpdump", "test", "true", "wc",
];

/// There is such a tool.
pub fn is_tool(name: &str) -> bool {
    let name = base_name(name);
    TOOLS.contains(&name) || busybox::only_inside(name)
}

/// A tool may be called by its whole path.
fn base_name(name: &str) -> &str {
    const DIRS: [&str; 6] = ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"];
    DIRS.iter().find_map(|d| name.strip_prefix(d)).unwrap_or(name)
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
            | "socat"
            | "iptables-restore"
            | "iptables-nft-restore"
            | "iptables-legacy-restore"
    )
}

/// Runs a tool by its name.
///
/// # Errors
/// What Linux has and the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    // `exec` keeps the process and changes its name; `nsenter` and `ip netns exec` its namespace.
    if let Some(e) = p.sess.procs.table.get_mut(&p.pid) {
        argv[0].clone_into(&mut e.name);
        e.ns = p.ns;
    }
    user::allowed(p, argv)?;
    if p.inside
        && let Some(done) = busybox::run(p, argv)
    {
        return done;
    }
    if p.sess.kernel.netns.get(p.ns.ix()).is_some_and(|n| n.is_switch) && !ON_SWITCHES.contains(&base_name(&argv[0])) {
        return Err(Refusal::new(format!("a LAN's switch with the tool {}", argv[0]), 0));
    }
    if let Some(at) = argv.iter().position(|w| UNSEEN.iter().any(|f| w.strip_prefix("/proc/net/") == Some(f))) {
        return Err(Refusal::new(format!("the file {}", argv[at]), at));
    }
    match base_name(&argv[0]) {
        "[" | "test" => test::run(p, argv),
        "awk" => awk::run(p, argv),
        "bash" | "sh" => wrap::sh(p, argv),
        "basename" | "dirname" | "hostname" | "ln" | "ls" | "mkdir" | "readlink" | "rm" | "touch" => {
            files::run(p, argv)
        }
        "cat" | "echo" | "head" | "printf" | "tail" | "tee" | "wc" => text::run(p, argv),
        "cut" | "sort" | "tr" | "uniq" => sort::run(p, argv),
        "date" | "false" | "kill" | "killall" | "pkill" | "seq" | "sleep" | "true" | "uname" => misc::run(p, argv),
        "id" => user::id(p, argv),
        "whoami" => Ok(user::whoami(p)),
        "runuser" | "setpriv" | "su" => user::run(p, argv),
        "egrep" | "fgrep" | "grep" => grep::run(p, argv),
        "env" | "nohup" | "nsenter" | "setsid" | "sudo" | "timeout" | "xargs" => wrap::run(p, argv),
        "sed" => sed::run(p, argv),
        "arp" => arp::run(p, argv),
        "arping" => arping::run(p, argv),
        "brctl" => brctl::run(p, argv),
        "bridge" => bridge::run(p, argv),
        "conntrack" => conntrack::run(p, argv),
        "curl" => curl::run(p, argv),
        "docker" => noted(p, argv, docker::run),
        "dockerd" => noted(p, argv, docker::daemon::dockerd),
        "service" | "systemctl" => noted(p, argv, docker::daemon::service),
        "ebtables" | "ebtables-nft" | "ebtables-save" => ebtables::run(p, argv),
        "ip" => ip::run(p, argv),
        "ifconfig" => ifconfig::run(p, argv),
        name if iptables::TOOLS.contains(&name) => iptables::run(p, argv),
        "nc" => nc::run(p, argv),
        "socat" => socat::run(p, argv),
        "netstat" => netstat::run(p, argv),
        "nft" => nft::run(p, argv),
        "nstat" => nstat::run(p, argv),
        "ping" => ping::run(p, argv),
        "pipework" => noted(p, argv, pipework::run),
        "route" => route::run(p, argv),
        "serve" => serve::run(p, argv),
        "sysctl" => sysctl::run(p, argv),
        "ss" => ss::run(p, argv),
        "tcpdump" => tcpdump::run(p, argv),
        "traceroute" => traceroute::run(p, argv),
        other => Err(Refusal::new(format!("the tool {other}"), 0)),
    }
}

/// A tool that stands for more than itself: the journal says where what it did begins and ends.
fn noted(p: &mut Proc<'_>, argv: &[String], tool: fn(&mut Proc<'_>, &[String]) -> Exit) -> Exit {
    p.sess.kernel.note(Entry::Begin(argv.to_vec()));
    let said = (p.out.len(), p.err.len());
    let done = tool(p, argv);
    let code = done.as_ref().map_or(1, |c| *c);
    let text = |all: &str, from: usize| all.get(from..).unwrap_or_default().to_owned();
    let end = Entry::End(code, text(&p.out, said.0), text(&p.err, said.1));
    p.sess.kernel.note(end);
    done
}
