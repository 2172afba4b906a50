//! `arping` (iputils 20221126).

use super::opts::{BadOpt, Opt, getopt, ms3, seconds};
use super::{Exit, Proc, Refusal};
use crate::app::Program;
use crate::app::arping::{Arping, ArpingSpec};
use crate::app::probe::local_class;
use crate::kernel::types::{Errno, SEC};
use crate::wire::Arp;

/// Runs `arping`.
///
/// # Errors
/// Options that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let opts = match getopt(argv, "qbfUAD", "cwIis", "hV") {
        Ok(o) => o,
        Err(BadOpt::Refused(r)) => return Err(r),
        Err(BadOpt::Invalid(c)) => return fail(p, &format!("arping: invalid option -- '{c}'\n"), 2),
        Err(BadOpt::NoValue(c)) => return fail(p, &format!("arping: option requires an argument -- '{c}'\n"), 2),
    };
    let (mut dev, mut src, mut count, mut interval, mut deadline) = (None, None, None, SEC, None);
    let (mut quiet, mut bcast, mut first, mut announce, mut dad) = (false, false, false, None, false);
    let mut target = None;
    for (_, o) in opts {
        let bad = |v: &str| format!("arping: invalid argument: '{v}'\n");
        match o {
            Opt::Word(w) => target = Some(w),
            Opt::Flag('q', _) => quiet = true,
            Opt::Flag('b', _) => bcast = true,
            Opt::Flag('f', _) => first = true,
            Opt::Flag('D', _) => dad = true,
            Opt::Flag('U', _) => announce = Some(Arp::REQUEST),
            Opt::Flag('A', _) => announce = Some(Arp::REPLY),
            Opt::Flag('I', v) => dev = v,
            Opt::Flag('c', Some(v)) => match v.parse::<u32>() {
                Ok(n) if n > 0 => count = Some(n),
                _ => return fail(p, &bad(&v), 1),
            },
            Opt::Flag('w', Some(v)) => match seconds(&v) {
                Some(t) => deadline = Some(t),
                None => return fail(p, &bad(&v), 1),
            },
            Opt::Flag('i', Some(v)) => match seconds(&v) {
                Some(t) if t > 0 => interval = t,
                _ => return fail(p, &bad(&v), 1),
            },
            Opt::Flag('s', Some(v)) => match v.parse() {
                Ok(a) => src = Some(a),
                Err(_) => return fail(p, &format!("arping: invalid source {v}\n"), 2),
            },
            Opt::Flag(..) => {}
        }
    }
    let Some(t) = target else { return fail(p, "arping: usage error: no destination\n", 2) };
    let Ok(dst) = p.lookup(&t) else {
        return fail(p, &format!("arping: {t}: Temporary failure in name resolution\n"), 2);
    };
    let Some(dev) = dev.or_else(|| default_dev(p)) else {
        return fail(p, "arping: suitable device could not be determined. Please, use option -I.\n", 2);
    };
    if dad {
        // Duplicate address detection asks from nowhere.
        src = Some(std::net::Ipv4Addr::UNSPECIFIED);
        first = true;
    }
    if announce.is_some() && src.is_none() {
        src = Some(dst);
    }
    if count.is_none() && deadline.is_none() && p.deadline.is_none() {
        return Err(Refusal::new("arping without -c or -w, which never ends", 0));
    }
    let spec = ArpingSpec {
        zero_target: false,
        dst,
        dev: dev.clone(),
        src,
        count: count.unwrap_or(u32::MAX),
        interval,
        timeout: SEC,
        announce,
        first,
        broadcast: bcast,
    };
    let deadline = deadline.map(|d| p.sess.kernel.now() + d);
    let Some(app) = p.run_program("arping", Program::Arping(Arping::new(spec)), deadline) else { return Ok(0) };
    let app = p.sess.apps.get(app);
    let Some(Program::Arping(a)) = &app.program else { return Ok(2) };
    let (a, report) = (a.clone(), app.report.clone());
    p.report = announce.is_none().then_some(report);
    if let Some(e) = a.failed {
        p.fail_report(local_class(e), Some(e));
        let line = match e {
            Errno::ENODEV => format!("arping: Device {dev} not available.\n"),
            Errno::ENETDOWN => format!("arping: Interface \"{dev}\" is down\n"),
            e => format!("arping: sendto: {}\n", e.strerror()),
        };
        return fail(p, &line, 2);
    }
    if !quiet {
        p.out.push_str(&format!("ARPING {dst} from {} {dev}\n", a.source()));
        for x in &a.answers {
            let how = if x.broadcast { "Broadcast" } else { "Unicast" };
            let mac = x.mac.to_string().to_uppercase();
            p.out.push_str(&format!("{how} reply from {dst} [{mac}]  {}ms\n", ms3(x.rtt)));
        }
        p.out.push_str(&format!("Sent {} probes ({} broadcast(s))\n", a.sent, a.broadcasts));
        p.out.push_str(&format!("Received {} response(s)\n", a.answers.len()));
    }
    let got = !a.answers.is_empty();
    Ok(i32::from(if dad { got } else { !got && announce.is_none() }))
}

/// The only device that could be meant: up, with ARP, not `lo`.
fn default_dev(p: &Proc<'_>) -> Option<String> {
    use crate::kernel::link::IfFlags;
    let k = &p.sess.kernel;
    let mut fits = k.devs_of(p.ns).filter(|d| d.is_up() && !d.is_loopback() && !d.flags.contains(IfFlags::NOARP));
    let first = fits.next()?;
    fits.next().is_none().then(|| first.name.to_string())
}

fn fail(p: &mut Proc<'_>, line: &str, code: i32) -> Exit {
    p.err.push_str(line);
    Ok(code)
}
