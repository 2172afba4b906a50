//! `traceroute` (the one by Dmitry Butskoy, 2.1.2): UDP by default, `-I` with echo requests; sixteen probes under way.

use super::opts::{BadOpt, Opt, getopt, ms3, seconds};
use super::{Exit, Proc};
use crate::app::Program;
use crate::app::probe::local_class;
use crate::app::traceroute::{Hop, Style, TraceSpec, Traceroute};
use crate::kernel::ip::PmtuDisc;
use crate::kernel::socket::SockKind;
use crate::kernel::types::SEC;
use crate::trace::Outcome;

/// Runs `traceroute`.
///
/// # Errors
/// Options that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let opts = match getopt(argv, "4nI", "mqwpisN", "6dFrTUDfgSAaEeVhtlOz") {
        Ok(o) => o,
        Err(BadOpt::Refused(r)) => return Err(r),
        Err(BadOpt::Invalid(c)) => return fail(p, &format!("Bad option `-{c}' (argc 1)\n"), 2),
        Err(BadOpt::NoValue(c)) => return fail(p, &format!("Option `-{c}' requires an argument\n"), 2),
    };
    let (mut numeric, mut icmp, mut max, mut queries, mut wait) = (false, false, 30u8, 3u8, 5 * SEC);
    let (mut squeries, mut hasty) = (16usize, true);
    let (mut port, mut dev, mut src) = (33_434u16, None, None);
    let mut words = Vec::new();
    for (_, o) in opts {
        let Opt::Flag(c, v) = o else {
            if let Opt::Word(w) = o {
                words.push(w);
            }
            continue;
        };
        let v = v.unwrap_or_default();
        let bad = format!("Cannot handle `-{c}' option with arg `{v}' (argc 2)\n");
        let ok = match c {
            'n' => {
                numeric = true;
                Some(())
            }
            'I' => {
                icmp = true;
                Some(())
            }
            'm' => v.parse().ok().filter(|n| *n > 0).map(|n| max = n),
            'q' => v.parse().ok().filter(|n| *n > 0 && *n <= 10).map(|n| queries = n),
            'w' => seconds(&v).map(|n| (wait, hasty) = (n, false)),
            'N' => v.parse().ok().filter(|n| *n > 0).map(|n| squeries = n),
            'p' => v.parse().ok().map(|n| port = n),
            's' => v.parse().ok().map(|n| src = Some(n)),
            'i' => {
                dev = Some(v);
                Some(())
            }
            _ => Some(()),
        };
        if ok.is_none() {
            return fail(p, &bad, 2);
        }
    }
    let Some(host) = words.first().cloned() else { return fail(p, "Specify \"host\" missing argument.\n", 2) };
    let dst = match p.lookup(&host) {
        Ok(a) => a,
        Err(e) => {
            p.fail_report(Outcome::ResolveFailed, None);
            let line = format!(
                "{host}: {}\nCannot handle \"host\" cmdline arg `{host}' on position 1 (argc {})\n",
                e.text(),
                argv.len() - 1
            );
            return fail(p, &line, 2);
        }
    };
    let size = words.get(1).and_then(|w| w.parse().ok()).unwrap_or(60usize).clamp(28, 65_000);
    p.out.push_str(&format!("traceroute to {host} ({dst}), {max} hops max, {size} byte packets\n"));
    // Is there a way at all?
    let k = &mut p.sess.kernel;
    let s = k.sock_new(p.ns, SockKind::Udp, None);
    let way = k.udp_connect(s, dst, port);
    k.sock_close(s);
    if let Err(e) = way {
        p.fail_report(local_class(e), Some(e));
        return fail(p, &format!("connect: {}\n", e.strerror()), 1);
    }
    let data: Vec<u8> = (0..size - 28).map(|i| 0x40 + (i & 0x3f) as u8).collect();
    // The id of echo requests is the process number; each UDP probe has a port of the kernel's choice.
    let sport = if icmp { p.pid.0 as u16 } else { 0 };
    let spec = TraceSpec {
        pmtudisc: PmtuDisc::Dont,
        dst,
        icmp,
        max,
        wait,
        sport,
        dev,
        src,
        queries,
        data: data.into(),
        port: port.wrapping_sub(1),
        style: Style::Linux { squeries, hasty },
    };
    let Some(app) = p.run_program("traceroute", Program::Traceroute(Traceroute::new(spec)), None) else { return Ok(0) };
    let app = p.sess.apps.get(app);
    let Some(Program::Traceroute(t)) = &app.program else { return Ok(1) };
    let (hops, report, failed) = (t.hops.clone(), app.report.clone(), t.failed);
    p.report = Some(report);
    for line in hops.chunks(queries.into()) {
        p.out.push_str(&hop_line(line, numeric));
    }
    if let Some(e) = failed {
        return fail(p, &format!("send: {}\n", e.strerror()), 1);
    }
    Ok(0)
}

pub(super) fn hop_line(hops: &[Hop], numeric: bool) -> String {
    let mut s = format!("{:2} ", hops.first().map_or(0, |h| h.ttl));
    let mut last = None;
    for h in hops {
        let Some(from) = h.from else {
            s.push_str(" *");
            continue;
        };
        if last != Some(from) {
            s.push_str(&if numeric { format!(" {from}") } else { format!(" {from} ({from})") });
            last = Some(from);
        }
        s.push_str(&format!("  {} ms", ms3(h.rtt)));
        s.push_str(match h.icmp {
            Some((3, 0)) => " !N",
            Some((3, 1)) => " !H",
            Some((3, 2)) => " !P",
            Some((3, 4)) => " !F",
            Some((3, 9 | 10 | 13)) => " !X",
            _ => "",
        });
    }
    s.push('\n');
    s
}

fn fail(p: &mut Proc<'_>, line: &str, code: i32) -> Exit {
    p.err.push_str(line);
    Ok(code)
}
