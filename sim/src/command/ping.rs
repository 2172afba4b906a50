//! `ping` (iputils 20221126).

use std::net::Ipv4Addr;

use super::opts::{BadOpt, Opt, getopt, ms3, seconds};
use super::{Exit, Proc, Refusal};
use crate::app::Program;
use crate::app::ping::{Ping, PingEvent, PingSpec, Tell};
use crate::app::probe::local_class;
use crate::kernel::ip::PmtuDisc;
use crate::kernel::socket::SockKind;
use crate::kernel::types::{Errno, Nanos, SEC};
use crate::trace::Outcome;

/// A `ping` command.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ask {
    host: String,
    count: Option<u32>,
    interval: Nanos,
    linger: Option<Nanos>,
    deadline: Option<Nanos>,
    size: usize,
    ttl: Option<u8>,
    tos: u8,
    pmtudisc: PmtuDisc,
    from: Option<String>,
    quiet: bool,
    /// `-v`.
    verbose: bool,
    /// `-4`.
    only_v4: bool,
    numeric: bool,
    broadcast: bool,
    /// `-e`: the ICMP id.
    id: Option<u16>,
}

enum Bad {
    Usage(String, i32),
    Refused(Refusal),
}

fn parse(argv: &[String]) -> Result<Ask, Bad> {
    let mut a = Ask {
        host: String::new(),
        count: None,
        interval: SEC,
        linger: None,
        deadline: None,
        size: 56,
        ttl: None,
        tos: 0,
        pmtudisc: PmtuDisc::Want,
        from: None,
        quiet: false,
        verbose: false,
        only_v4: false,
        numeric: false,
        broadcast: false,
        id: None,
    };
    let opts = getopt(argv, "4nqbv", "cWswtMIiQe", "6aABCdDfhLOrRUVFGHlmNpPST").map_err(|e| match e {
        BadOpt::Invalid(c) => Bad::Usage(format!("ping: invalid option -- '{c}'\n{USAGE}"), 2),
        BadOpt::NoValue(c) => Bad::Usage(format!("ping: option requires an argument -- '{c}'\n{USAGE}"), 2),
        BadOpt::Refused(r) => Bad::Refused(r),
    })?;
    let bad = |v: &str| Bad::Usage(format!("ping: invalid argument: '{v}'\n"), 1);
    let mut hosts = Vec::new();
    for (at, o) in opts {
        let Opt::Flag(c, v) = o else {
            if let Opt::Word(w) = o {
                hosts.push((at, w));
            }
            continue;
        };
        let v = v.unwrap_or_default();
        match c {
            'n' => a.numeric = true,
            'q' => a.quiet = true,
            'v' => a.verbose = true,
            '4' => a.only_v4 = true,
            'b' => a.broadcast = true,
            'c' => a.count = Some(v.parse().ok().filter(|n| *n > 0).ok_or_else(|| bad(&v))?),
            'W' => a.linger = Some(seconds(&v).ok_or_else(|| bad(&v))?),
            'w' => a.deadline = Some(seconds(&v).ok_or_else(|| bad(&v))?),
            'i' => a.interval = seconds(&v).ok_or_else(|| bad(&v))?,
            's' => a.size = v.parse::<u16>().ok().filter(|n| *n <= 65507).ok_or_else(|| bad(&v))?.into(),
            't' => a.ttl = Some(v.parse().ok().filter(|n| *n > 0).ok_or_else(|| bad(&v))?),
            'e' => a.id = Some(v.parse().map_err(|_| bad(&v))?),
            'Q' => a.tos = v.parse().map_err(|_| bad(&v))?,
            'I' => a.from = Some(v),
            'M' => {
                a.pmtudisc = match v.as_str() {
                    "do" => PmtuDisc::Do,
                    "want" => PmtuDisc::Want,
                    "dont" => PmtuDisc::Dont,
                    _ => {
                        return Err(Bad::Usage("ping: wrong value for -M: do, dont, want are valid ones.\n".into(), 2));
                    }
                }
            }
            _ => {}
        }
    }
    match hosts.len() {
        0 => Err(Bad::Usage("ping: usage error: Destination address required\n".into(), 1)),
        1 => {
            a.host = hosts.remove(0).1;
            Ok(a)
        }
        _ => Err(Bad::Refused(Refusal::new("ping with hops on the way", hosts[0].0))),
    }
}

const USAGE: &str = "\nUsage\n  ping [options] <destination>\n";

/// Runs `ping`.
///
/// # Errors
/// Options that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let a = match parse(argv) {
        Ok(a) => a,
        Err(Bad::Refused(r)) => return Err(r),
        Err(Bad::Usage(text, code)) => {
            p.err.push_str(&text);
            return Ok(code);
        }
    };
    let dst = match p.lookup(&a.host) {
        Ok(a) => a,
        Err(e) => {
            p.err.push_str(&format!("ping: {}: {}\n", a.host, e.text()));
            p.fail_report(Outcome::ResolveFailed, None);
            return Ok(2);
        }
    };
    let (mut dev, mut src) = (None, None);
    if let Some(f) = &a.from {
        match f.parse::<Ipv4Addr>() {
            Ok(ip) => src = Some(ip),
            Err(_) => dev = Some(f.clone()),
        }
    }
    let from = match find_source(p, dst, &dev, src, a.broadcast) {
        Ok(s) => s,
        Err((line, e)) => {
            p.err.push_str(&line);
            p.fail_report(local_class(e), Some(e));
            return Ok(2);
        }
    };
    let dst = if dst.is_unspecified() { from.0 } else { dst };
    if let Some(d) = &dev {
        let k = &p.sess.kernel;
        let there = k.devs_of(p.ns).any(|x| x.name.as_str() == d && x.addrs.iter().any(|a| a.local == from.0));
        if !there {
            p.err.push_str(&format!("ping: Warning: source address might be selected on device other than: {d}\n"));
        }
    }
    if a.broadcast && from.1 {
        p.err.push_str("WARNING: pinging broadcast address\n");
    }
    let mut head = String::new();
    if a.verbose {
        let (v6, family) =
            if a.only_v4 { ("-1 (socktype: 0)", "AF_INET") } else { ("4 (socktype: SOCK_RAW)", "AF_UNSPEC") };
        p.err.push_str(&format!(
            "ping: sock4.fd: 3 (socktype: SOCK_RAW), sock6.fd: {v6}, hints.ai_family: {family}\n\n"
        ));
        head.push_str(&format!("ai->ai_family: AF_INET, ai->ai_canonname: '{}'\n", a.host));
    }
    head.push_str(&format!("PING {} ({dst}) ", a.host));
    if let Some(f) = &a.from {
        let dev = if src.is_some() { "" } else { f.as_str() };
        head.push_str(&format!("from {} {dev}: ", from.0));
    }
    head.push_str(&format!("{}({}) bytes of data.\n", a.size, a.size + 28));
    if !p.background {
        p.out.push_str(&head);
    }
    let id = a.id.unwrap_or((p.pid.0 & 0xffff) as u16);
    let tell = Tell {
        head,
        host: a.host.clone(),
        quiet: a.quiet,
        bound: a.from.is_some(),
        ident: a.verbose.then_some(id),
        told,
    };
    let spec = PingSpec {
        tell: p.background.then(|| tell.clone()),
        size: a.size,
        count: a.count,
        interval: a.interval,
        timeout: a.linger.unwrap_or(10 * SEC),
        ttl: a.ttl,
        pmtudisc: a.pmtudisc,
        dev,
        src,
        tos: a.tos,
        broadcast: a.broadcast,
        stamped: true,
        once: false,
        ..PingSpec::probe(dst, id, SEC)
    };
    let deadline = a.deadline.map(|d| p.sess.kernel.now() + d);
    // Without a count it goes on until somebody stops it: `timeout`, `kill`, or the deadline.
    if a.count.is_none() && deadline.is_none() && p.deadline.is_none() && !p.background {
        return Err(Refusal::new("ping without -c or -w, which never ends", 0));
    }
    let Some(app) = p.run_program("ping", Program::Ping(Ping::new(spec)), deadline) else { return Ok(0) };
    let app = p.sess.apps.get(app);
    let Some(Program::Ping(ping)) = &app.program else { return Ok(2) };
    let (ping, report) = (ping.clone(), app.report.clone());
    let ([out, err], status) = told(&ping, &tell, true);
    p.out.push_str(&out);
    p.err.push_str(&err);
    p.report = Some(summary(&ping, report));
    Ok(status)
}

/// The outcome that an expectation is held against: an answer beats an error.
pub(super) fn summary(ping: &Ping, mut r: crate::app::probe::ProbeReport) -> crate::app::probe::ProbeReport {
    use crate::app::probe::icmp_class;
    let reply = ping.events.iter().find_map(|e| match &e.1 {
        PingEvent::Reply { from, ttl, bytes, .. } => Some((*from, *ttl, *bytes)),
        _ => None,
    });
    if let Some((from, ttl, bytes)) = reply {
        r.outcome = Some(Outcome::Reply);
        (r.by, r.ttl, r.bytes) = (Some(from.to_string()), Some(ttl), Some(bytes as u64));
        return r;
    }
    for (_, e) in &ping.events {
        match e {
            PingEvent::Error { icmp: (5, _), .. } | PingEvent::Reply { .. } => {}
            PingEvent::Error { from, icmp, info, ttl, .. } => {
                r.outcome = Some(icmp_class(icmp.0, icmp.1));
                (r.by, r.icmp, r.ttl) = (Some(from.to_string()), Some(*icmp), Some(*ttl));
                r.mtu = (*icmp == (3, 4)).then_some(info & 0xffff);
                return r;
            }
            PingEvent::Local { errno, .. } => {
                r.outcome = Some(local_class(*errno));
                r.local_errno = Some(format!("{errno:?}"));
                return r;
            }
        }
    }
    r.outcome = Some(Outcome::Timeout);
    r
}

/// As iputils does: a UDP socket is connected to learn the source address and whether there is a way at all.
fn find_source(
    p: &mut Proc<'_>,
    dst: Ipv4Addr,
    dev: &Option<String>,
    src: Option<Ipv4Addr>,
    broadcast: bool,
) -> Result<(Ipv4Addr, bool), (String, Errno)> {
    let k = &mut p.sess.kernel;
    let s = k.sock_new(p.ns, SockKind::Udp, None);
    let mut go = || {
        if let Some(d) = dev {
            k.sock_bind_dev(s, d).map_err(|e| (format!("ping: SO_BINDTODEVICE {d}: {}\n", e.strerror()), e))?;
        }
        if let Some(a) = src {
            k.sock_bind(s, a, 0).map_err(|e| (format!("ping: bind: {}\n", e.strerror()), e))?;
        }
        match k.udp_connect(s, dst, 1025) {
            Ok(()) => Ok((k.sock(s).local, false)),
            Err(Errno::EACCES) if broadcast => {
                k.sock_mut(s).opts.broadcast = true;
                k.udp_connect(s, dst, 1025).map_err(|e| (format!("ping: connect: {}\n", e.strerror()), e))?;
                Ok((k.sock(s).local, true))
            }
            Err(Errno::EACCES) => {
                let line = "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n";
                Err((line.to_owned(), Errno::EACCES))
            }
            Err(e) => Err((format!("ping: connect: {}\n", e.strerror()), e)),
        }
    };
    let r = go();
    k.sock_close(s);
    r
}

fn unreachable(code: u8) -> String {
    let text = match code {
        0 => "Destination Net Unreachable",
        1 => "Destination Host Unreachable",
        2 => "Destination Protocol Unreachable",
        3 => "Destination Port Unreachable",
        5 => "Source Route Failed",
        6 => "Destination Net Unknown",
        7 => "Destination Host Unknown",
        8 => "Source Host Isolated",
        9 => "Destination Net Prohibited",
        10 => "Destination Host Prohibited",
        11 => "Destination Net Unreachable for Type of Service",
        12 => "Destination Host Unreachable for Type of Service",
        13 => "Packet filtered",
        14 => "Precedence Violation",
        15 => "Precedence Cutoff",
        c => return format!("Dest Unreachable, Bad Code: {c}"),
    };
    text.to_owned()
}

fn error_text(icmp: (u8, u8), info: u32) -> String {
    match icmp {
        (3, 4) => format!("Frag needed and DF set (mtu = {})", info & 0xffff),
        (3, c) => unreachable(c),
        (5, 1) => format!("Redirect Host(New nexthop: {})", Ipv4Addr::from(info)),
        (5, _) => format!("Redirect Network(New nexthop: {})", Ipv4Addr::from(info)),
        (11, 0) => "Time to live exceeded".into(),
        (11, _) => "Frag reassembly time exceeded".into(),
        (12, _) => format!("Parameter problem: pointer = {}", info >> 24),
        (t, _) => format!("Bad ICMP type: {t}"),
    }
}

/// What happened; the status says whether anybody answered.
fn told(ping: &Ping, t: &Tell, ended: bool) -> ([String; 2], i32) {
    let (mut out, mut err) = (String::new(), String::new());
    let (mut got, mut dups, mut errors, mut pipe) = (0u64, 0u64, 0u64, 0usize);
    let mut rtts: Vec<u64> = Vec::new();
    let mut last = ping.last_sent();
    for (at, e) in &ping.events {
        // The clock that the summary shows is read at each sending and each answer.
        last = last.max(*at);
        let seq_of = |s: u16| ping.transmitted_by(*at).saturating_sub(usize::from(s)) + 1;
        match e {
            PingEvent::Reply { from, seq, ttl, bytes, rtt, dup } => {
                pipe = pipe.max(seq_of(*seq));
                *(if *dup { &mut dups } else { &mut got }) += 1;
                rtts.push((rtt + 500) / 1000);
                if !t.quiet {
                    let dup = if *dup { " (DUP!)" } else { "" };
                    let ident = t.ident.map_or_else(String::new, |id| format!(" ident={id}"));
                    let line = format!(
                        "{bytes} bytes from {from}: icmp_seq={seq}{ident} ttl={ttl} time={} ms{dup}\n",
                        time(*rtt)
                    );
                    out.push_str(&line);
                }
            }
            PingEvent::Error { from, seq, icmp, info, .. } => {
                if icmp.0 != 5 {
                    errors += 1;
                    pipe = pipe.max(seq_of(*seq));
                }
                if !t.quiet {
                    // A redirect is read off the socket itself, which prints a colon.
                    let colon = if icmp.0 == 5 { ":" } else { "" };
                    out.push_str(&format!("From {from}{colon} icmp_seq={seq} {}\n", error_text(*icmp, *info)));
                }
            }
            // `pinger`: it looks into the socket's queue of errors, and tells what it finds there. Where nothing is, it
            // tells nothing (measured), but for what it tried often.
            PingEvent::Local { errno: Errno::EMSGSIZE, .. } => {
                errors += 1;
                err.push_str(&format!("ping: local error: message too long, mtu={}\n", ping.mtu));
            }
            PingEvent::Local { errno: Errno::ENOBUFS, .. } => {
                err.push_str("ping: sendmsg: No buffer space available\n")
            }
            PingEvent::Local { .. } => {}
        }
    }
    if !ended {
        return ([out, err], 0);
    }
    let sent = ping.transmitted() as u64;
    out.push_str(&format!("\n--- {} ping statistics ---\n{sent} packets transmitted, {got} received", t.host));
    if dups > 0 {
        out.push_str(&format!(", +{dups} duplicates"));
    }
    if errors > 0 {
        out.push_str(&format!(", +{errors} errors"));
    }
    if sent > 0 {
        let loss = (sent.saturating_sub(got)) as f64 * 100.0 / sent as f64;
        out.push_str(&format!(
            ", {}% packet loss, time {}ms",
            percent(loss),
            (last - ping.span.0 + 500_000) / 1_000_000
        ));
    }
    out.push('\n');
    let mut comma = "";
    if got > 0 && ping.size() >= 16 {
        let (min, max) = (rtts.iter().min().copied().unwrap_or(0), rtts.iter().max().copied().unwrap_or(0));
        let n = rtts.len() as u64;
        let avg = rtts.iter().sum::<u64>() / n;
        let var = (rtts.iter().map(|r| u128::from(*r) * u128::from(*r)).sum::<u128>() / u128::from(n))
            .saturating_sub(u128::from(avg) * u128::from(avg));
        let mdev = (var as f64).sqrt() as u64;
        let f = |us: u64| ms3(us * 1000);
        out.push_str(&format!("rtt min/avg/max/mdev = {}/{}/{}/{} ms", f(min), f(avg), f(max), f(mdev)));
        comma = ", ";
    }
    if pipe > 1 {
        out.push_str(&format!("{comma}pipe {pipe}"));
    }
    out.push('\n');
    ([out, err], i32::from(got == 0))
}

/// `%g` of a percentage.
fn percent(v: f64) -> String {
    let s = format!("{v:.4}");
    s.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A round trip with as many digits as iputils shows.
fn time(ns: u64) -> String {
    let us = (ns + 500) / 1000;
    match us {
        100_000.. => format!("{}", (us + 500) / 1000),
        10_000.. => format!("{}.{}", us / 1000, (us % 1000) / 100),
        1_000.. => format!("{}.{:02}", us / 1000, (us % 1000) / 10),
        _ => format!("0.{us:03}"),
    }
}
