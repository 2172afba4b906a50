//! busybox `ping` (networking/ping.c).

use std::net::Ipv4Addr;

use super::super::opts::{Opt, ms3, seconds};
use super::super::ping::summary;
use super::super::{Exit, Proc, Refusal};
use super::ip::capable;
use super::{options, usage};
use crate::app::Program;
use crate::app::ping::{Ping, PingEvent, PingSpec, Tell};
use crate::app::probe::local_class;
use crate::docker::Container;
use crate::kernel::types::{Errno, Nanos, SEC};
use crate::trace::Outcome;

const USAGE: &str = "[OPTIONS] HOST\n\nSend ICMP ECHO_REQUESTs to HOST\n\n\
\t-4,-6\t\tForce IP or IPv6 name resolution\n\
\t-c CNT\t\tSend only CNT pings\n\
\t-s SIZE\t\tSend SIZE data bytes in packets (default 56)\n\
\t-i SECS\t\tInterval\n\
\t-A\t\tPing as soon as reply is received\n\
\t-t TTL\t\tSet TTL\n\
\t-I IFACE/IP\tSource interface or IP address\n\
\t-W SEC\t\tSeconds to wait for the first response (default 10)\n\
\t\t\t(after all -c CNT packets are sent)\n\
\t-w SEC\t\tSeconds until ping exits (default:infinite)\n\
\t\t\t(can exit earlier with -c CNT)\n\
\t-q\t\tQuiet, only display output at start/finish\n\
\t-p HEXBYTE\tPayload pattern\n";

/// What the command line says.
struct Ask {
    host: String,
    count: Option<u32>,
    size: usize,
    interval: Nanos,
    ttl: Option<u8>,
    from: Option<String>,
    linger: Nanos,
    deadline: Option<Nanos>,
    quiet: bool,
}

fn parse(p: &mut Proc<'_>, argv: &[String]) -> Result<Ask, Exit> {
    let words = options(p, "ping", argv, ("4q", "csitIWw", "6Ap"), USAGE)?;
    let mut a = Ask {
        host: String::new(),
        count: None,
        size: 56,
        interval: SEC,
        ttl: None,
        from: None,
        linger: 10 * SEC,
        deadline: None,
        quiet: false,
    };
    for (_, w) in words {
        let ok = match w {
            Opt::Flag('c', Some(v)) => v.parse().ok().map(|n| a.count = Some(n).filter(|n| *n > 0)),
            Opt::Flag('s', Some(v)) => v.parse().ok().filter(|n| *n <= 65_507).map(|n| a.size = n),
            Opt::Flag('i', Some(v)) => seconds(&v).map(|n| a.interval = n),
            Opt::Flag('t', Some(v)) => v.parse().ok().map(|n| a.ttl = Some(n)),
            Opt::Flag('W', Some(v)) => v.parse::<u32>().ok().map(|n| a.linger = u64::from(n) * SEC),
            Opt::Flag('w', Some(v)) => v.parse::<u32>().ok().map(|n| a.deadline = Some(u64::from(n) * SEC)),
            Opt::Flag('I', Some(v)) => {
                a.from = Some(v);
                Some(())
            }
            Opt::Flag('q', _) => {
                a.quiet = true;
                Some(())
            }
            Opt::Word(h) if a.host.is_empty() => {
                a.host = h;
                Some(())
            }
            Opt::Word(_) => return Err(Ok(usage(p, "ping", None, USAGE))),
            Opt::Flag(..) => Some(()),
        };
        if ok.is_none() {
            p.err.push_str("ping: invalid number\n");
            return Err(Ok(1));
        }
    }
    if a.host.is_empty() { Err(Ok(usage(p, "ping", None, USAGE))) } else { Ok(a) }
}

/// Runs `ping`.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let a = match parse(p, argv) {
        Ok(a) => a,
        Err(done) => return done,
    };
    let Ok(dst) = p.lookup(&a.host) else {
        p.err.push_str(&format!("ping: bad address '{}'\n", a.host));
        p.fail_report(Outcome::ResolveFailed, None);
        return Ok(1);
    };
    let src: Option<Ipv4Addr> = a.from.as_ref().and_then(|f| f.parse().ok());
    let from = src.map_or(String::new(), |s| format!(" from {s}"));
    let head = format!("PING {} ({dst}){from}: {} data bytes\n", a.host, a.size);
    let may = capable(p, Container::net_raw);
    if !p.background || !may {
        p.out.push_str(&head);
    }
    if !may {
        p.err.push_str("ping: permission denied (are you root?)\n");
        p.fail_report(local_class(Errno::EPERM), Some(Errno::EPERM));
        return Ok(1);
    }
    let deadline = a.deadline.map(|d| p.sess.kernel.now() + d);
    if a.count.is_none() && deadline.is_none() && p.deadline.is_none() && !p.background {
        return Err(Refusal::new("ping without -c or -w, which never ends", 0));
    }
    let tell = Tell { head, host: a.host, quiet: a.quiet, bound: a.from.is_some(), ident: None, told };
    let spec = PingSpec {
        size: a.size,
        count: a.count,
        interval: a.interval,
        timeout: a.linger,
        ttl: a.ttl,
        dev: a.from.clone().filter(|_| src.is_none()),
        src,
        once: false,
        fatal: true,
        tell: p.background.then(|| tell.clone()),
        first_seq: 0,
        blank: true,
        ..PingSpec::probe(dst, (p.pid.0 & 0xffff) as u16, SEC)
    };
    let Some(app) = p.run_program("ping", Program::Ping(Ping::new(spec)), deadline) else { return Ok(0) };
    let app = p.sess.apps.get(app);
    let Some(Program::Ping(ping)) = &app.program else { return Ok(1) };
    let (ping, report) = (ping.clone(), app.report.clone());
    let ([out, err], status) = told(&ping, &tell, true);
    p.out.push_str(&out);
    p.err.push_str(&err);
    p.report = Some(summary(&ping, report));
    if let Some(e) = ping.failed {
        p.fail_report(local_class(e), Some(e));
    }
    Ok(status)
}

/// What happened: answers as they came, the summary; a refusal to send ends it at once.
fn told(ping: &Ping, t: &Tell, ended: bool) -> ([String; 2], i32) {
    let (mut out, mut rtts, mut dups) = (String::new(), Vec::<Nanos>::new(), 0);
    if let Some(e) = ping.failed {
        let call = if t.bound { format!("bind: {}", e.strerror()) } else { e.strerror().to_owned() };
        return ([out, format!("ping: {call}\n")], 1);
    }
    for (_, e) in &ping.events {
        match e {
            PingEvent::Reply { from, seq, ttl, bytes, rtt, dup } => {
                let mark = if *dup { " (DUP!)" } else { "" };
                if *dup {
                    dups += 1;
                } else {
                    rtts.push(*rtt);
                }
                if !t.quiet {
                    let line = format!("{bytes} bytes from {from}: seq={seq} ttl={ttl} time={} ms{mark}\n", ms3(*rtt));
                    out.push_str(&line);
                }
            }
            // It knows errors by the id in their own header, where there is none.
            PingEvent::Error { .. } => {}
            PingEvent::Local { errno, .. } => return ([out, format!("ping: sendto: {}\n", errno.strerror())], 1),
        }
    }
    if !ended {
        return ([out, String::new()], 0);
    }
    let (sent, got) = (ping.transmitted(), rtts.len());
    out.push_str(&format!(
        "\n--- {} ping statistics ---\n{sent} packets transmitted, {got} packets received, ",
        t.host
    ));
    if dups > 0 {
        out.push_str(&format!("{dups} duplicates, "));
    }
    if let Some(lost) = ((sent - got.min(sent)) * 100).checked_div(sent) {
        out.push_str(&format!("{lost}% packet loss"));
    }
    out.push('\n');
    if let (Some(min), Some(max)) = (rtts.iter().min(), rtts.iter().max()) {
        let avg = rtts.iter().sum::<Nanos>() / got as u64;
        out.push_str(&format!("round-trip min/avg/max = {}/{}/{} ms\n", ms3(*min), ms3(avg), ms3(*max)));
    }
    ([out, String::new()], i32::from(got == 0))
}
