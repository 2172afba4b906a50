//! Hooks, chains, connection tracking and address translation in plain sentences.

use super::counted;
use packetwalk_sim::kernel::conntrack::{CtInfo, L4Id, Tuple};
use packetwalk_sim::kernel::netfilter::Hook;
use packetwalk_sim::kernel::xtables::Policy;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::clause::clause;
use packetwalk_sim::trace::event::{CtVerdict, Event, EventKind, Miss, RuleAt, RuleVerdict, Saw};
use packetwalk_sim::trace::words;

/// When packets come by a hook.
pub(crate) fn hook(h: Hook) -> &'static str {
    match h {
        Hook::Prerouting => "just after the packet came in, before it is known where it goes",
        Hook::Input => "the packet is for this host",
        Hook::Forward => "the packet passes through this host",
        Hook::Output => "the packet was made on this host",
        Hook::Postrouting => "just before the packet leaves",
    }
}

/// The sentences.
pub(super) fn tell(s: &Session, here: &str, e: &Event) -> String {
    match &e.kind {
        EventKind::XtChain { hook: h, table, .. } => format!(
            "The firewall of {here} looks at the packet at {} ({}), with the rules of table {}.",
            h.name(),
            hook(*h),
            table.name()
        ),
        EventKind::XtMissed { at, miss } => {
            format!("Rule {} of {} does not fit: {}. The next rule is asked.", at.number, at.chain, missed(miss))
        }
        EventKind::XtMatched { at, verdict } => matched(at, *verdict),
        EventKind::XtPolicy { hook: h, table, policy, .. } => {
            let what = match policy {
                Policy::Accept => "lets the packet through",
                Policy::Drop => "drops the packet",
            };
            format!("No rule of {} {} decided, so the chain's policy does: it {what}.", table.name(), h.name())
        }
        EventKind::EbRule { chain, number, fits, .. } => {
            let what = if *fits { "fits the frame" } else { "does not fit the frame" };
            format!("Rule {number} of the bridge's own firewall (ebtables {chain}) {what}.")
        }
        EventKind::EbPolicy { chain, .. } => {
            format!("No rule decided: the policy of ebtables {chain} drops the frame.")
        }
        EventKind::Ct { verdict, after, .. } => {
            let of = after.as_ref().map(|c| flow(&c.tuples[0])).unwrap_or_default();
            tracking(here, *verdict, &of)
        }
        EventKind::Nat { before, after, .. } => nat(before, after, answers(s, e)),
        EventKind::Log { .. } => "A LOG rule writes a line to the kernel's log. The packet goes on.".into(),
        other => clause(s, other).1,
    }
}

/// Why a rule does not fit. Some matches remember what came before, and say no for that.
fn missed(m: &Miss) -> String {
    match (m.option, m.saw) {
        (o, Saw::Listed(a, n)) => format!("{a} is in its list {}, and {o} wants it otherwise", words::times(n)),
        ("--connlimit-above", Saw::Num(n)) => format!("there are not too many connections yet ({n})"),
        ("--connlimit-upto", Saw::Num(n)) => format!("there are too many connections already ({n})"),
        ("--hashlimit-above", _) => "not too many packets of this kind have come yet".into(),
        ("--hashlimit-upto" | "--limit", _) => "too many packets have come of late, its limit is spent".into(),
        ("--quota", _) => "the bytes that it lets fit are used up".into(),
        ("--every", _) => "it takes one packet of several, and this is not its turn".into(),
        ("--probability", _) => "it throws dice, and they said no".into(),
        ("--string" | "--hex-string", Saw::Found("it is not there")) => {
            "the text that it looks for is not in it".into()
        }
        (o, _) => format!("its {o} asks for something else"),
    }
}

fn matched(at: &RuleAt, v: RuleVerdict) -> String {
    let why = counted::because(&at.rule);
    let rule = format!("Rule {} of {} fits{why}", at.number, at.chain);
    let and = if why.is_empty() { " and" } else { ", and" };
    let chain = at.rule.target.chain().map(|c| c.to_string()).unwrap_or_default();
    match v {
        RuleVerdict::Accept => format!("{rule}{and} lets the packet through: table {} has decided.", at.table.name()),
        RuleVerdict::Drop => format!("{rule}{and} drops the packet. Nobody is told."),
        RuleVerdict::Return => format!("{rule}{and} sends the packet back to the chain it came from."),
        RuleVerdict::Jump => format!("{rule}: the rules of chain {chain} are asked next, then it comes back here."),
        RuleVerdict::Goto => format!("{rule}: the packet goes over to chain {chain}, and does not come back here."),
        RuleVerdict::Continue => {
            format!("{rule}{and} {}. It decides nothing, so the next rule is asked.", counted::work(&at.rule))
        }
        RuleVerdict::Reject => format!("{rule}: the packet is refused, and its sender is told so."),
        RuleVerdict::Nat => format!("{rule}: addresses of this connection are to be translated."),
        RuleVerdict::Unmodelled => {
            format!("{rule}, or not: packetwalk does not model what it asks for, so nobody can tell.")
        }
    }
}

fn tracking(here: &str, v: CtVerdict, of: &str) -> String {
    match v {
        CtVerdict::Made => format!("{here} has never seen this connection ({of}): it makes a new entry for it (NEW)."),
        CtVerdict::Found(CtInfo::EstablishedReply) => {
            format!("{here} remembers this connection: the packet is an answer within {of} (ESTABLISHED).")
        }
        CtVerdict::Found(CtInfo::Established) => {
            format!("{here} remembers this connection: the packet belongs to {of} (ESTABLISHED).")
        }
        CtVerdict::Found(CtInfo::Related | CtInfo::RelatedReply) => {
            format!("The packet is an error message about a connection that {here} remembers (RELATED).")
        }
        CtVerdict::Found(_) => format!("{here} has an entry for this connection ({of}), and no answer came yet (NEW)."),
        CtVerdict::Confirmed => {
            "The packet got through the firewall: its connection goes into the table for good.".into()
        }
        CtVerdict::Invalid(why) => {
            format!("The packet belongs to no connection and cannot begin one (INVALID): {why}.")
        }
        CtVerdict::Untracked => "A rule said that this packet is not to be tracked.".into(),
        CtVerdict::Clash => "Another connection already has exactly these addresses and ports.".into(),
        CtVerdict::Full => "The table of connections is full: no new connection can begin.".into(),
    }
}

/// `192.168.91.2:40000 to 192.168.91.128:8080`.
pub(crate) fn flow(t: &Tuple) -> String {
    match t.l4 {
        L4Id::Ports { src, dst } => format!("{}:{src} to {}:{dst}", t.src, t.dst),
        _ => format!("{} to {}", t.src, t.dst),
    }
}

/// Connection tracking found the packet to be an answer, where it now is.
fn answers(s: &Session, e: &Event) -> bool {
    let events = &s.kernel.rec.events;
    let until = events.partition_point(|x| x.at <= e.at);
    let mut said = events[..until].iter().rev().take(1024).filter(|x| x.packet == e.packet && x.ns == e.ns);
    let verdict = said.find_map(|x| match &x.kind {
        EventKind::Ct { verdict: CtVerdict::Found(info), .. } => Some(*info),
        EventKind::Ct { verdict: CtVerdict::Made, .. } => Some(CtInfo::New),
        _ => None,
    });
    matches!(verdict, Some(CtInfo::EstablishedReply | CtInfo::RelatedReply))
}

fn nat(before: &Tuple, after: &Tuple, answers: bool) -> String {
    let ports = |t: &Tuple| match t.l4 {
        L4Id::Ports { src, dst } => (format!("{}:{src}", t.src), format!("{}:{dst}", t.dst)),
        _ => (t.src.to_string(), t.dst.to_string()),
    };
    let ((bs, bd), (s, d)) = (ports(before), ports(after));
    let mut out = Vec::new();
    if bd != d {
        out.push(match answers {
            true => format!("The destination is rewritten back: {bd} becomes {d}, which asked."),
            false => format!("The destination is rewritten: {bd} becomes {d}."),
        });
    }
    if bs != s {
        out.push(match answers {
            true => format!("The source is rewritten back: {bs} becomes {s}, the address that was asked."),
            false => format!("The source is rewritten: {bs} becomes {s}, so that answers come back here."),
        });
    }
    if out.is_empty() { "The packet that this error message quotes is translated too.".into() } else { out.join(" ") }
}
