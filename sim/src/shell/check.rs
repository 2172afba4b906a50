//! What can be said about a command line before it runs.

use std::collections::BTreeSet;

use super::ast::*;
use super::{Problem, builtin, parse};

/// Checks a line: its syntax, what the shell does not model, and the names of tools where they are literal.
pub fn check_line(line: &str) -> Vec<Problem> {
    let script = match parse::parse(line) {
        Ok(s) => s,
        Err(problems) => return problems,
    };
    let mut c = Check { problems: Vec::new(), functions: BTreeSet::new(), depth: 0 };
    c.functions_of(&script);
    c.script(&script);
    c.problems
}

struct Check {
    problems: Vec<Problem>,
    functions: BTreeSet<String>,
    depth: usize,
}

impl Check {
    fn functions_of(&mut self, s: &Script) {
        for c in s.0.iter().flat_map(|a| std::iter::once(&a.first).chain(a.rest.iter().map(|r| &r.1))) {
            for c in &c.commands {
                match &c.kind {
                    CommandKind::Function { name, .. } => {
                        self.functions.insert(name.clone());
                    }
                    CommandKind::Group(s) | CommandKind::Subshell(s) => self.functions_of(s),
                    _ => {}
                }
            }
        }
    }

    fn script(&mut self, s: &Script) {
        for a in &s.0 {
            self.pipeline(&a.first);
            for (_, p) in &a.rest {
                self.pipeline(p);
            }
        }
    }

    fn pipeline(&mut self, p: &Pipeline) {
        for c in &p.commands {
            self.command(c);
        }
    }

    fn command(&mut self, c: &Command) {
        match &c.kind {
            CommandKind::Simple { assigns, words } => {
                for (_, w, _) in assigns {
                    self.pieces(&w.pieces);
                }
                for w in words {
                    self.pieces(&w.pieces);
                }
                self.words(words);
            }
            CommandKind::Group(s) | CommandKind::Subshell(s) => self.script(s),
            CommandKind::For { words, body, .. } => {
                for w in words.iter().flatten() {
                    self.pieces(&w.pieces);
                }
                self.script(body);
            }
            CommandKind::If { arms, otherwise } => {
                for (c, b) in arms {
                    self.script(c);
                    self.script(b);
                }
                if let Some(o) = otherwise {
                    self.script(o);
                }
            }
            CommandKind::While { cond, body, .. } => {
                self.script(cond);
                self.script(body);
            }
            CommandKind::Case { word, arms } => {
                self.pieces(&word.pieces);
                for (_, b) in arms {
                    self.script(b);
                }
            }
            CommandKind::Function { body, .. } => self.command(body),
            CommandKind::Arith(_) => {}
        }
    }

    fn pieces(&mut self, ps: &[Piece]) {
        for p in ps {
            match p {
                Piece::Double(ps) => self.pieces(ps),
                Piece::Subst(s) => self.script(s),
                _ => {}
            }
        }
    }

    /// The words of a simple command: its tool, and the tool that it starts where it starts one.
    fn words(&mut self, words: &[Word]) {
        let Some(name) = words.first().and_then(Word::literal) else { return };
        let base = tool_name(&name);
        if !self.functions.contains(&name) && !builtin::is_builtin(&name) && !crate::command::is_tool(base) {
            let mut all: Vec<&str> = crate::command::TOOLS.to_vec();
            all.extend(builtin::NAMES);
            let help = match (instead(base), crate::scenario::suggest::closest(base, &all)) {
                (Some(hint), _) => hint.to_owned(),
                (_, Some(near)) => format!("did you mean `{near}`?"),
                _ => "README.md lists what is: ip, bridge, iptables, sysctl, ss, ping, nc, curl, tcpdump, docker …"
                    .into(),
            };
            self.problems.push(Problem { col: words[0].col, what: format!("not modelled: the tool {name}"), help });
            return;
        }
        if let Some(at) = started_by(base, words) {
            self.words(&words[at..]);
        }
        if matches!(base, "sh" | "bash" | "dash") && words.get(1).and_then(Word::literal).as_deref() == Some("-c") {
            self.nested(words.get(2));
        }
        if base == "eval" {
            self.nested(words.get(1));
        }
    }

    fn nested(&mut self, word: Option<&Word>) {
        let Some(w) = word else { return };
        let Some(text) = w.literal() else { return };
        self.depth += 1;
        if self.depth < 8 {
            for mut p in check_line(&text) {
                p.col += w.col + 1;
                self.problems.push(p);
            }
        }
        self.depth -= 1;
    }
}

/// What does the same as a program that people type and the model does not have.
fn instead(tool: &str) -> Option<&'static str> {
    Some(match tool {
        "ssh" | "scp" => "run the command at its place: `HOST$ command`",
        "telnet" | "nmap" | "ncat" | "socat" => {
            "try a port with `nc -zv HOST PORT`, or the probe `PLACE> tcp HOST:PORT`"
        }
        "iperf" | "iperf3" | "netperf" => "send a long answer with the probe `PLACE> bulk HOST:PORT`",
        "wget" | "ab" | "http" => "ask with `curl`, or the probe `PLACE> http HOST:PORT`",
        "dig" | "host" | "nslookup" | "drill" | "getent" => "ask with the probe `PLACE> dns NAME`",
        "lsof" | "fuser" | "ps" | "top" => "`ss -tulnp` tells who listens, with the process",
        "mtr" | "tracepath" => "use `traceroute`, or the probe `PLACE> traceroute ADDRESS`",
        "ufw" | "firewall-cmd" | "nftables" => {
            "give the host the rules that it makes: `iptables: |` with what `iptables-save` prints"
        }
        "docker-compose" => "write it as `docker network create` and `docker run`",
        "podman" | "nerdctl" | "kubectl" => "networks of Docker are modelled: `docker`",
        "nmcli" | "networkctl" | "netplan" | "ifup" | "ifdown" | "dhclient" => "set the device up with `ip`",
        "ethtool" | "tc" => "offloads and traffic shaping are not modelled; see README.md, \"What is not\"",
        "tshark" | "wireshark" | "tcpflow" => {
            "write the packets down with `packetwalk run SCENARIO --format pcapng`, or use `tcpdump`"
        }
        "apt" | "apt-get" | "yum" | "dnf" | "apk" => {
            "there is nothing to install: every tool that is modelled is there"
        }
        "vi" | "vim" | "nano" => "write files with `echo … > FILE` or `cat > FILE <<EOF`",
        _ => return None,
    })
}

/// The last part of a path to a program: `/usr/local/bin/serve` is `serve`.
pub(crate) fn tool_name(name: &str) -> &str {
    const BIN: &[&str] = &["/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"];
    BIN.iter().find_map(|b| name.strip_prefix(b)).filter(|n| !n.contains('/')).unwrap_or(name)
}

/// Where the command begins that a tool starts (`ip netns exec NS COMMAND`, `timeout 2 COMMAND`), where that is plain to see.
fn started_by(tool: &str, words: &[Word]) -> Option<usize> {
    let lit = |i: usize| words.get(i).and_then(Word::literal);
    let at = match tool {
        "ip" => {
            let mut i = 1;
            while lit(i).is_some_and(|w| w.starts_with('-')) {
                i += 1;
            }
            let (netns, exec) = (lit(i)?, lit(i + 1)?);
            let abbreviated = |word: &str, full: &str, min: usize| word.len() >= min && full.starts_with(word);
            if !abbreviated(&netns, "netns", 3) || !abbreviated(&exec, "exec", 1) {
                return None;
            }
            i + 3
        }
        "setsid" | "nohup" | "sudo" | "exec" | "command" => {
            let mut i = 1;
            while lit(i).is_some_and(|w| w.starts_with('-')) {
                i += 1;
            }
            i
        }
        "env" => {
            let mut i = 1;
            while lit(i).is_some_and(|w| w.starts_with('-') || w.contains('=')) {
                i += 1;
            }
            i
        }
        "timeout" if lit(1).is_some_and(|w| !w.starts_with('-')) => 2,
        _ => return None,
    };
    words.get(at).map(|_| at)
}
