//! busybox `traceroute` (networking/traceroute.c).

use super::super::opts::{Opt, seconds};
use super::super::traceroute::hop_line;
use super::super::{Exit, Proc};
use super::{options, usage};
use crate::app::Program;
use crate::app::probe::local_class;
use crate::app::traceroute::{Style, TraceSpec, Traceroute};
use crate::kernel::ip::PmtuDisc;
use crate::kernel::socket::SockKind;
use crate::kernel::types::SEC;
use crate::trace::Outcome;

const USAGE: &str = "[-46IFlnrv] [-f 1ST_TTL] [-m MAXTTL] [-q PROBES] [-p PORT]\n\
\t[-t TOS] [-w WAIT_SEC] [-s SRC_IP] [-i IFACE]\n\t[-z PAUSE_MSEC] HOST [BYTES]\n\nTrace the route to HOST\n";
/// Bytes of a probe with all its headers.
const SIZE: usize = 46;

/// Runs `traceroute`.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let words = match options(p, "traceroute", argv, ("4In", "mqpwsi", "6Flrvftz"), USAGE) {
        Ok(w) => w,
        Err(done) => return done,
    };
    let (mut icmp, mut numeric, mut host) = (false, false, Vec::new());
    let mut spec = TraceSpec {
        pmtudisc: PmtuDisc::Want,
        dst: std::net::Ipv4Addr::UNSPECIFIED,
        icmp: false,
        max: 30,
        wait: 5 * SEC,
        sport: 0,
        dev: None,
        src: None,
        queries: 3,
        data: vec![0u8; SIZE - 28].into(),
        port: 33_434,
        style: Style::Busybox,
    };
    for (_, w) in words {
        let ok = match w {
            Opt::Flag('m', Some(v)) => v.parse().ok().map(|n| spec.max = n),
            Opt::Flag('q', Some(v)) => v.parse().ok().filter(|n| *n > 0).map(|n| spec.queries = n),
            Opt::Flag('p', Some(v)) => v.parse().ok().map(|n| spec.port = n),
            Opt::Flag('w', Some(v)) => seconds(&v).map(|n| spec.wait = n),
            Opt::Flag('s', Some(v)) => v.parse().ok().map(|a| spec.src = Some(a)),
            Opt::Flag(c, v) => {
                icmp |= c == 'I';
                numeric |= c == 'n';
                if c == 'i' {
                    spec.dev = v;
                }
                Some(())
            }
            Opt::Word(w) => {
                host.push(w);
                Some(())
            }
        };
        if ok.is_none() {
            p.err.push_str("traceroute: invalid number\n");
            return Ok(1);
        }
    }
    let Some(host) = host.first().cloned() else { return Ok(usage(p, "traceroute", None, USAGE)) };
    let Ok(dst) = p.lookup(&host) else {
        p.err.push_str(&format!("traceroute: bad address '{host}'\n"));
        p.fail_report(Outcome::ResolveFailed, None);
        return Ok(1);
    };
    (spec.dst, spec.icmp) = (dst, icmp);
    let k = &mut p.sess.kernel;
    let s = k.sock_new(p.ns, SockKind::Udp, None);
    let way = k.udp_connect(s, dst, spec.port);
    k.sock_close(s);
    if let Err(e) = way {
        p.err.push_str(&format!("traceroute: can't connect to remote host ({dst}): {}\n", e.strerror()));
        p.fail_report(local_class(e), Some(e));
        return Ok(1);
    }
    spec.sport = 32_768 + (p.sess.kernel.rng.below(28_000) as u16);
    p.out.push_str(&format!("traceroute to {host} ({dst}), {} hops max, {SIZE} byte packets\n", spec.max));
    let queries = usize::from(spec.queries);
    let Some(app) = p.run_program("traceroute", Program::Traceroute(Traceroute::new(spec)), None) else { return Ok(0) };
    let app = p.sess.apps.get(app);
    let Some(Program::Traceroute(t)) = &app.program else { return Ok(1) };
    let (hops, report) = (t.hops.clone(), app.report.clone());
    p.report = Some(report);
    for line in hops.chunks(queries) {
        // Two blanks stand before each star.
        p.out.push_str(&hop_line(line, numeric).replace(" *", "  *").replace("   *", "  *"));
    }
    Ok(0)
}
