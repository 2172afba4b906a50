//! An address of socat's: `TCP-LISTEN:80,fork`, its name, its parameters and its options.

use std::net::Ipv4Addr;

use super::super::opts::seconds;
use super::super::{Proc, Refusal};
use super::{Bad, line};
use crate::app::socat::{Address, Connect, Listen, Waits};
use crate::etc;

/// Kinds that socat has and the model has not, by how they begin.
const OTHERS: &[&str] = &[
    "ABSTRACT",
    "CREAT",
    "FD",
    "FILE",
    "GOPEN",
    "INTERFACE",
    "IP",
    "OPEN",
    "PROXY",
    "PTY",
    "READLINE",
    "SCTP",
    "SOCKET",
    "SOCKS",
    "SSL",
    "STDERR",
    "STDIN",
    "STDOUT",
    "TCP6",
    "TUN",
    "UDP",
    "UDPLITE",
    "UNIX",
    "VSOCK",
];

/// Options that socat has and the model has not.
const OPTIONS: &[&str] = &[
    "backlog",
    "broadcast",
    "chroot",
    "cr",
    "crlf",
    "crnl",
    "cool-write",
    "echo",
    "end-close",
    "forever",
    "fdin",
    "fdout",
    "if",
    "ignoreeof",
    "interface",
    "interval",
    "ip-add-membership",
    "keepalive",
    "linger",
    "lowport",
    "max-children",
    "mss",
    "nodelay",
    "nofork",
    "null-eof",
    "pf",
    "pipes",
    "pty",
    "range",
    "raw",
    "rcvbuf",
    "readbytes",
    "retry",
    "reuseport",
    "setsid",
    "setuid",
    "shut-close",
    "shut-down",
    "shut-none",
    "shut-null",
    "sigint",
    "sigquit",
    "sndbuf",
    "so-bindtodevice",
    "so-keepalive",
    "so-linger",
    "so-reuseport",
    "stderr",
    "su",
    "tcp-nodelay",
    "tcpwrap",
    "tos",
    "ttl",
    "umask",
    "user",
];

/// What stands between the commas of an address: its parameters, and its options with their values.
struct Parts {
    parameters: Vec<String>,
    options: Vec<(String, Option<String>)>,
}

/// Reads one.
pub(super) fn read(p: &mut Proc<'_>, text: &str, arg: usize) -> Result<Address, Bad> {
    if text.contains("!!") {
        return Err(Refusal::new("socat with two addresses in one", arg).into());
    }
    let parts = split(text);
    let name = parts.parameters[0].to_uppercase();
    let given = &parts.parameters[1..];
    let count = |n: usize| match given.len() == n {
        true => Ok(()),
        false => Err(Bad::Said(format!("{name}: wrong number of parameters ({} instead of {n})", given.len()))),
    };
    match name.as_str() {
        "-" | "STDIO" => {
            none(&parts, &name, arg)?;
            count(0).map(|()| Address::Stdio)
        }
        "PIPE" | "FIFO" | "ECHO" if given.is_empty() => {
            none(&parts, &name, arg)?;
            Ok(Address::Pipe)
        }
        "SYSTEM" | "EXEC" => {
            if given.len() != 1 {
                let first = given.first().map_or("", String::as_str);
                let n = given.len();
                return Err(Bad::Said(format!("\"{name}:{first}\": wrong number of parameters ({n} instead of 1)")));
            }
            none(&parts, &name, arg)?;
            line::read(&given[0], name == "EXEC", arg).map_err(Bad::from)
        }
        "TCP-LISTEN" | "TCP-L" | "TCP4-LISTEN" | "TCP4-L" => {
            count(1)?;
            listen(p, Waits::Tcp, &parts, arg)
        }
        "UDP-LISTEN" | "UDP-L" | "UDP4-LISTEN" | "UDP4-L" => {
            count(1)?;
            listen(p, Waits::Udp, &parts, arg)
        }
        "UDP-RECVFROM" | "UDP4-RECVFROM" => {
            count(1)?;
            listen(p, Waits::Datagram, &parts, arg)
        }
        "UDP-RECV" | "UDP4-RECV" => {
            count(1)?;
            listen(p, Waits::Datagrams, &parts, arg)
        }
        "TCP" | "TCP4" | "TCP-CONNECT" | "TCP4-CONNECT" => {
            count(2)?;
            connect(p, false, &parts, arg)
        }
        "UDP" | "UDP4" | "UDP-CONNECT" | "UDP4-CONNECT" => {
            count(2)?;
            connect(p, true, &parts, arg)
        }
        n if OTHERS.iter().any(|o| n.starts_with(o)) || matches!(n, "PIPE" | "FIFO" | "ECHO") || n.contains('/') => {
            Err(Refusal::new(format!("socat {name}"), arg).into())
        }
        _ => Err(Bad::Said(format!("unknown device/address \"{}\"", parts.parameters[0]))),
    }
}

fn none(parts: &Parts, name: &str, arg: usize) -> Result<(), Bad> {
    match parts.options.first() {
        Some((o, _)) => Err(not_ours(name, o, arg)),
        None => Ok(()),
    }
}

/// An option that the model has not, or that nobody has.
fn not_ours(name: &str, option: &str, arg: usize) -> Bad {
    const OURS: &[&str] = &["bind", "fork", "reuseaddr", "so-reuseaddr", "sp", "sourceport", "connect-timeout"];
    match OPTIONS.contains(&option) || OURS.contains(&option) {
        true => Refusal::new(format!("socat {name},{option}"), arg).into(),
        false => Bad::Said(format!("parseopts_table(): unknown option \"{option}\"")),
    }
}

fn listen(p: &mut Proc<'_>, waits: Waits, parts: &Parts, arg: usize) -> Result<Address, Bad> {
    let name = &parts.parameters[0];
    let kind = if waits == Waits::Tcp { 1 } else { 2 };
    let port = port(&parts.parameters[1], "NULL", kind)?;
    let mut l = Listen { waits, at: Ipv4Addr::UNSPECIFIED, port, fork: false, reuseaddr: false };
    for (o, v) in &parts.options {
        match (o.as_str(), v) {
            ("bind", Some(v)) => l.at = host(p, v, kind)?,
            ("fork", None) => l.fork = true,
            ("reuseaddr" | "so-reuseaddr", v) => l.reuseaddr = v.as_deref() != Some("0"),
            _ => return Err(not_ours(name, o, arg)),
        }
    }
    if l.fork && waits == Waits::Datagrams {
        return Err(Refusal::new(format!("socat {name},fork"), arg).into());
    }
    Ok(Address::Listen(l))
}

fn connect(p: &mut Proc<'_>, udp: bool, parts: &Parts, arg: usize) -> Result<Address, Bad> {
    let name = &parts.parameters[0];
    let kind = if udp { 2 } else { 1 };
    let (h, n) = (&parts.parameters[1], &parts.parameters[2]);
    let port_of = port(n, h, kind)?;
    let mut c = Connect {
        udp,
        to: (host(p, h, kind)?, port_of),
        source: (None, 0),
        text: parts.parameters.join(":"),
        timeout: None,
    };
    for (o, v) in &parts.options {
        match (o.as_str(), v) {
            ("bind", Some(v)) => {
                let (a, n) = v.split_once(':').map_or((v.as_str(), None), |(a, n)| (a, Some(n)));
                c.source.0 = Some(host(p, a, kind)?);
                if let Some(n) = n {
                    c.source.1 = port(n, a, kind)?;
                }
            }
            ("sp" | "sourceport", Some(v)) => c.source.1 = port(v, "NULL", kind)?,
            ("connect-timeout", Some(v)) if !udp => {
                let none = || Bad::Said(format!("connect-timeout={v}: no number of seconds"));
                c.timeout = Some(seconds(v).ok_or_else(none)?);
            }
            // Nothing listens here, so it changes nothing.
            ("reuseaddr" | "so-reuseaddr", _) => {}
            _ => return Err(not_ours(name, o, arg)),
        }
    }
    Ok(Address::Connect(c))
}

fn host(p: &mut Proc<'_>, name: &str, kind: u8) -> Result<Ipv4Addr, Bad> {
    let proto = if kind == 1 { 6 } else { 17 };
    p.lookup(name).map_err(|e| {
        Bad::NoName(format!("getaddrinfo(\"{name}\", \"NULL\", {{1,0,{kind},{proto}}}, {{}}): {}", e.text()))
    })
}

fn port(text: &str, of: &str, kind: u8) -> Result<u16, Bad> {
    if let Ok(n) = text.parse::<u32>() {
        // socat keeps the lower half of a number that is too big.
        return Ok((n & 0xffff) as u16);
    }
    etc::service_port(text, Some(if kind == 1 { "tcp" } else { "udp" })).ok_or_else(|| {
        Bad::Said(format!(
            "getaddrinfo\"{of}\", \"{text}\", {{1,2,{kind},0}}, {{}}): Servname not supported for ai_socktype"
        ))
    })
}

/// Cuts an address at its commas and colons. What stands in quotes, in brackets or behind a backslash is not cut; the
/// quotes go, the brackets stay (`nestlex`).
fn split(text: &str) -> Parts {
    let mut parts = Parts { parameters: vec![String::new()], options: Vec::new() };
    let mut chars = text.chars();
    let (mut depth, mut soft, mut in_options) = (0usize, false, false);
    let mut word = String::new();
    let put = |parts: &mut Parts, word: &mut String, in_options: bool| {
        let w = std::mem::take(word);
        if !in_options {
            if let Some(last) = parts.parameters.last_mut() {
                *last = w;
            }
        } else if !w.is_empty() {
            parts.options.push(match w.split_once('=') {
                Some((n, v)) => (n.to_lowercase(), Some(v.to_owned())),
                None => (w.to_lowercase(), None),
            });
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            '"' => soft = !soft,
            '\'' if !soft => word.extend(chars.by_ref().take_while(|c| *c != '\'')),
            _ if soft => word.push(c),
            '(' | '[' | '{' => {
                depth += 1;
                word.push(c);
            }
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                word.push(c);
            }
            ':' if depth == 0 && !in_options => {
                put(&mut parts, &mut word, false);
                parts.parameters.push(String::new());
            }
            ',' if depth == 0 => {
                put(&mut parts, &mut word, in_options);
                in_options = true;
            }
            _ => word.push(c),
        }
    }
    put(&mut parts, &mut word, in_options);
    parts
}
