//! `netstat` (net-tools 2.10): sockets, and the tables of `route` and `ifconfig`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::opts::{BadOpt, Opt, getopt};
use super::ss::Listed;
use super::{Exit, Proc, Refusal, ifconfig, names, route};
use crate::kernel::socket::SocketInfo;

/// Long options that have a short one.
const LONG: &[(&str, &str)] = &[
    ("--route", "-r"),
    ("--interfaces", "-i"),
    ("--numeric", "-n"),
    ("--extend", "-e"),
    ("--programs", "-p"),
    ("--listening", "-l"),
    ("--all", "-a"),
    ("--wide", "-W"),
    ("--verbose", "-v"),
    ("--tcp", "-t"),
    ("--udp", "-u"),
    ("--raw", "-w"),
    ("--inet", "-4"),
];

const USAGE: &str = "\
usage: netstat [-vWeenNcCF] [<Af>] -r         netstat {-V|--version|-h|--help}
       netstat [-vWnNcaeol] [<Socket> ...]
       netstat { [-vWeenNac] -i | [-cnNe] -M | -s [-6tuw] }

";

/// Runs `netstat`.
///
/// # Errors
/// Options that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let words: Vec<String> = argv
        .iter()
        .map(|w| LONG.iter().find(|(l, _)| l == w).map_or_else(|| w.clone(), |(_, s)| (*s).to_owned()))
        .collect();
    let opts = match getopt(&words, "rinaelptuwvW4", "", "gsMNocCFZxUSV6hA") {
        Ok(o) => o,
        Err(BadOpt::Refused(r)) => return Err(r),
        Err(BadOpt::Invalid(c) | BadOpt::NoValue(c)) => {
            p.err.push_str(&format!("netstat: invalid option -- '{c}'\n{USAGE}"));
            return Ok(3);
        }
    };
    if let Some((at, Opt::Word(w))) = opts.iter().find(|(_, o)| matches!(o, Opt::Word(_))) {
        return Err(Refusal::new(format!("netstat {w}"), *at));
    }
    let count = |c: char| opts.iter().filter(|(_, o)| *o == Opt::Flag(c, None)).count();
    let has = |c: char| count(c) > 0;
    if has('r') {
        // One -e is what this tool begins with.
        let extend = if has('e') { 2 } else { 1 };
        route::show::table(p, route::show::Style { numeric: has('n'), extend });
        return Ok(0);
    }
    if has('i') {
        p.out.push_str("Kernel Interface table\n");
        if has('e') {
            ifconfig::show::list(p, None, has('a'), false);
            return Ok(0);
        }
        let from = p.out.len();
        ifconfig::show::list(p, None, has('a'), true);
        // The same rows under a wider head.
        let at = p.out[from..].find("MTU").map_or(from, |i| from + i);
        p.out.insert_str(at, "       ");
        return Ok(0);
    }
    if has('e') {
        return Err(Refusal::new("netstat -e", 1));
    }
    let w = Wanted { listening: has('l'), all: has('a'), numeric: has('n'), programs: has('p') };
    let every = !(has('t') || has('u') || has('w'));
    let protos = [("tcp", 't'), ("udp", 'u'), ("raw", 'w')];
    let protos: Vec<&str> = protos.into_iter().filter(|(_, c)| every || has(*c)).map(|(n, _)| n).collect();
    w.show(p, &protos, every);
    Ok(0)
}

struct Wanted {
    listening: bool,
    all: bool,
    numeric: bool,
    programs: bool,
}

impl Wanted {
    fn which(&self) -> &'static str {
        match (self.all, self.listening) {
            (true, _) => "(servers and established)",
            (false, true) => "(only servers)",
            (false, false) => "(w/o servers)",
        }
    }

    fn show(&self, p: &mut Proc<'_>, protos: &[&str], unix: bool) {
        let mut text = format!("Active Internet connections {}\n", self.which());
        text.push_str("Proto Recv-Q Send-Q Local Address           Foreign Address         State      ");
        // busybox ends the state with a space more where no program follows.
        let end = if p.inside { " \n" } else { "\n" };
        text.push_str(if self.programs { " PID/Program name    \n" } else { end });
        let all = super::ss::sockets(p);
        for proto in protos {
            let mut list: Vec<&Listed> = all.iter().filter(|s| s.proto == *proto && self.passes(s)).collect();
            // A file of /proc for each family.
            list.sort_by_key(|s| (s.v6.is_some() || s.dual, s.state != "LISTEN"));
            for s in list {
                text.push_str(&self.row(p, s));
            }
        }
        if unix {
            text.push_str(&format!("Active UNIX domain sockets {}\n", self.which()));
            let program = if self.programs { "PID/Program name     " } else { "" };
            text.push_str(&format!("Proto RefCnt Flags       Type       State         I-Node   {program}Path\n"));
        }
        p.out.push_str(&text);
    }

    fn passes(&self, s: &SocketInfo) -> bool {
        // A TCP socket without a peer that does not listen is in none of the kernel's tables.
        if s.proto == "tcp" && s.state == "UNCONN" {
            return false;
        }
        let server = if s.proto == "tcp" { s.state == "LISTEN" } else { s.rport == 0 };
        self.all || server == self.listening
    }

    fn row(&self, p: &Proc<'_>, s: &Listed) -> String {
        let state = match (s.proto, s.state) {
            ("raw", "UNCONN") => "7",
            (_, "UNCONN") => "",
            (_, "ESTAB") => "ESTABLISHED",
            (_, "SYN-SENT") => "SYN_SENT",
            (_, "SYN-RECV") => "SYN_RECV",
            (_, "FIN-WAIT-1") => "FIN_WAIT1",
            (_, "FIN-WAIT-2") => "FIN_WAIT2",
            (_, "CLOSE-WAIT") => "CLOSE_WAIT",
            (_, "LAST-ACK") => "LAST_ACK",
            (_, "TIME-WAIT") => "TIME_WAIT",
            (_, other) => other,
        };
        // A listener's backlog limit is no queue to this tool.
        let sendq = if s.state == "LISTEN" { 0 } else { s.sendq };
        let (mut local, mut remote) =
            (self.address(p, s.local, s.lport, s.proto), self.address(p, s.remote, s.rport, s.proto));
        let mut proto = s.proto.to_owned();
        if let Some(a) = s.v6.or(s.dual.then_some(Ipv6Addr::UNSPECIFIED)) {
            proto.push('6');
            let behind = |t: &str| t.rsplit_once(':').map_or(String::new(), |(_, port)| port.to_owned());
            (local, remote) = (format!("{a}:{}", behind(&local)), format!(":::{}", behind(&remote)));
        }
        let mut line = format!("{proto:<5} {:6} {sendq:6} {local:<23} {remote:<23} {state:<11}", s.recvq);
        if self.programs {
            let program = match &s.process {
                Some((name, pid)) => format!("{}/{name}", pid.0),
                None => "-".to_owned(),
            };
            line.push_str(&format!(" {program:<20}"));
        }
        // Busybox has a blank there.
        line.push_str(if p.inside { " \n" } else { "\n" });
        line
    }

    fn address(&self, p: &Proc<'_>, a: Ipv4Addr, port: u16, proto: &str) -> String {
        let name = (!self.numeric && !a.is_unspecified()).then(|| names::host(p, a)).flatten();
        let host = name.unwrap_or_else(|| a.to_string());
        let port = match port {
            0 => "*".to_owned(),
            n if self.numeric => n.to_string(),
            n => names::service(p, n, proto).unwrap_or_else(|| n.to_string()),
        };
        format!("{host}:{port}")
    }
}
