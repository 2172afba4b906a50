//! Holds a walk against its expectations.
//!
//! - `path`: the way of packets, the rules they met, their drops;
//! - [`aside`]: what is tried on copies of the world: `reaches` and `state`; `spot` finds its places and groups;
//! - [`parted`]: where what came parted from what was expected;
//! - [`cause`]: what the explanation of a failed probe says of it.

pub mod aside;
pub mod cause;
pub mod parted;
mod path;
mod spot;

pub use path::{dropped, numbered};

use super::run::{StepResult, Walk};
use super::{At, Expect};
use crate::app::probe::ProbeKind;
use crate::kernel::types::{DevId, Nanos, NetnsId};
use crate::scenario::{Step, What};
use crate::session::Session;
use crate::trace::EventKind;
use crate::wire::packet::{L4, TcpFlags};

/// An expectation that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Step, from 1.
    pub step: usize,
    /// Where in the file.
    pub at: At,
    /// Which key of `expect`.
    pub key: &'static str,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
    /// Where they parted: the place a packet came to, and what happened to it there.
    pub parted: Option<String>,
    /// Cause, evidence and fix, where there is an explanation.
    pub why: Option<String>,
}

/// Every expectation of a walk that does not hold.
pub fn check(walk: &Walk) -> Vec<Failure> {
    let mut out = Vec::new();
    for (step, r) in walk.scenario.steps.iter().zip(&walk.steps) {
        if let Some((refusal, col)) = &r.refusal {
            out.push(Failure {
                step: r.index,
                at: At { line: step.action.at.line, column: step.action.at.column + col },
                key: "run",
                expected: "a command that is modelled".into(),
                got: refusal.to_string(),
                parted: None,
                why: None,
            });
            continue;
        }
        if let Some(e) = &step.expect {
            let mut f = Failures { step: r.index, expect: e, list: Vec::new() };
            check_report(walk, e, r, &mut f);
            check_output(e, r, &mut f);
            check_way(walk, step, e, r, &mut f);
            cause::check(walk, e, r, &mut f);
            aside::check(e, &r.aside, &mut f);
            // Told once, at the first of what it explains.
            if let Some(first) = f.list.iter_mut().find(|x| about_a_packet(x)) {
                first.why = cause::explain_why(walk, r.index);
            }
            out.append(&mut f.list);
        }
    }
    out
}

/// Is it about what became of the step's packets?
fn about_a_packet(f: &Failure) -> bool {
    matches!(f.key, "outcome" | "path" | "drop" | "hits" | "cause")
}

/// The failures of a step.
struct Failures<'e> {
    step: usize,
    expect: &'e Expect,
    list: Vec<Failure>,
}

impl Failures<'_> {
    fn add(&mut self, key: &'static str, expected: impl Into<String>, got: impl Into<String>, parted: Option<String>) {
        let at = self.expect.place_of(key);
        self.add_at(at, key, expected, got, parted);
    }

    fn add_at(
        &mut self,
        at: At,
        key: &'static str,
        expected: impl Into<String>,
        got: impl Into<String>,
        parted: Option<String>,
    ) {
        let (expected, got) = (expected.into(), got.into());
        self.list.push(Failure { step: self.step, at, key, expected, got, parted, why: None });
    }
}

fn none() -> String {
    "nothing".to_owned()
}

/// What the probe says it saw.
fn check_report(walk: &Walk, e: &Expect, r: &StepResult, f: &mut Failures<'_>) {
    let report = r.report.as_ref();
    if let Some(want) = &e.seen_source {
        let seen = report.and_then(|x| x.seen.clone());
        let bare = seen.as_deref().map(|t| t.split(':').next().unwrap_or(t).to_owned());
        if seen.as_ref() != Some(want) && bare.as_ref() != Some(want) {
            f.add("seen-source", want, seen.unwrap_or_else(none), None);
        }
    }
    if let Some(want) = &e.by {
        let by = report.and_then(|x| x.by.clone());
        if by.as_ref() != Some(want) {
            f.add("by", want, by.unwrap_or_else(none), None);
        }
    }
    if let Some(want) = e.reply_ttl {
        let ttl = report.and_then(|x| x.ttl).or_else(|| syn_ack_ttl(walk, r));
        if ttl != Some(want) {
            f.add("reply-ttl", want.to_string(), ttl.map_or_else(none, |t| t.to_string()), None);
        }
    }
}

/// A TCP client cannot see the TTL of what answers it: that of the SYN-ACK is read off the frames at its place.
fn syn_ack_ttl(walk: &Walk, r: &StepResult) -> Option<u8> {
    r.report.as_ref()?.connected.filter(|c| *c)?;
    let s = &walk.session;
    let ns = s.place(&r.place).ok()?.1;
    let both = TcpFlags::SYN | TcpFlags::ACK;
    s.kernel.rec.events.get(r.first_event..r.end_event)?.iter().find_map(|e| {
        let ip = s.kernel.rec.packet_at(e)?.ipv4()?;
        let answer = matches!(&ip.l4, L4::Tcp(t) if t.flags.contains(both));
        (e.ns == ns && matches!(e.kind, EventKind::Rx) && answer).then_some(ip.ttl)
    })
}

/// What the command printed, and how it ended.
fn check_output(e: &Expect, r: &StepResult, f: &mut Failures<'_>) {
    if let Some(want) = e.exit
        && r.exit != Some(want)
    {
        f.add("exit", want.to_string(), r.exit.map_or_else(none, |x| x.to_string()), None);
    }
    for (key, want, got) in [("stdout", &e.stdout, &r.stdout), ("stderr", &e.stderr, &r.stderr)] {
        if let Some(want) = want
            && !fits(want, got)
        {
            f.add(key, want, got, None);
        }
    }
}

/// What became of the packets, and how long that took: what fails for another reason often takes too long as well.
fn check_way(walk: &Walk, step: &Step, e: &Expect, r: &StepResult, f: &mut Failures<'_>) {
    let s = &walk.session;
    let events = s.kernel.rec.events.get(r.first_event..r.end_event).unwrap_or_default();
    if let Some(want) = e.outcome
        && r.outcome() != Some(want)
    {
        let got = r.outcome().map_or_else(none, |o| o.as_str().into());
        f.add("outcome", want.as_str(), got, parted::end(s, events));
    }
    let arp = matches!(&step.action.what, What::Probe { probe, .. } if probe.kind == ProbeKind::Arping);
    path::check(s, events, e, arp, f);
    let took = r.finished_ns.saturating_sub(r.started_ns);
    if let Some(most) = e.within
        && took > most
    {
        f.add("within", span(most), span(took), None);
    }
}

/// A span of time as `within` takes it.
fn span(ns: Nanos) -> String {
    match ns {
        0..1_000_000 => format!("{}us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{}ms", ns as f64 / 1e6),
        _ => format!("{}s", ns as f64 / 1e9),
    }
}

/// All names of a place, the full one first: `h1/ns:red/eth0`, `h1/red/eth0`, `red/eth0`, `h1/ns:red`, `h1/red`, `red`.
pub fn names(s: &Session, ns: NetnsId, dev: Option<DevId>) -> Vec<String> {
    let label = &s.kernel.ns(ns).label;
    let mut places = vec![label.clone()];
    if let Some((host, rest)) = label.split_once('/') {
        let bare = rest.strip_prefix("ns:").unwrap_or(rest);
        places.push(format!("{host}/{bare}"));
        places.push(bare.to_owned());
    }
    let dev = dev.map(|d| s.kernel.dev(d).name);
    let with: Vec<String> = dev.iter().flat_map(|d| places.iter().map(move |p| format!("{p}/{d}"))).collect();
    with.into_iter().chain(places).collect()
}

/// Whether a text is as expected, where `…` stands for any text; white space at the end does not count.
pub fn fits(want: &str, got: &str) -> bool {
    let (want, got) = (want.trim_end(), got.trim_end());
    let parts: Vec<&str> = want.split('…').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return want == got };
    let Some(mut rest) = got.strip_prefix(first) else { return false };
    for m in middle {
        match rest.find(m) {
            Some(i) => rest = &rest[i + m.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn any_text() {
        assert!(fits("a…c", "abc\n"));
        assert!(fits("…b…", "abc"));
        assert!(!fits("a…d", "abc"));
        assert!(fits("abc\n", "abc"));
        assert!(!fits("ab…b", "ab"));
    }
}
