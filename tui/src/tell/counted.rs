//! What a rule that fits saw beyond the packet (how often it came, who sent it), and what it does without deciding.

use packetwalk_sim::kernel::xtables::Rule;
use packetwalk_sim::kernel::xtables::matches::recent::{RecentMatch, RecentOp};
use packetwalk_sim::kernel::xtables::matches::written::Asks;
use packetwalk_sim::kernel::xtables::matches::{Match, OwnerMatch, StatisticMode};
use packetwalk_sim::kernel::xtables::targets::{ConnmarkTarget, Target, TtlTarget};

/// Why a rule fits, where that is not to be seen in the packet: `, because …`; empty where it is.
pub(super) fn because(rule: &Rule) -> String {
    let all: Vec<String> = rule.matches.iter().filter_map(reason).collect();
    if all.is_empty() { String::new() } else { format!(", because {}", all.join(" and ")) }
}

fn reason(m: &Match) -> Option<String> {
    Some(match m {
        Match::Limit(l) => {
            format!("fewer packets than its limit have come of late (a burst of {} is allowed)", l.burst)
        }
        Match::Statistic(s) => match s.mode {
            StatisticMode::Random(_) if s.inv => "the dice that it throws said no".into(),
            StatisticMode::Random(_) => "the dice that it throws said yes".into(),
            StatisticMode::Nth { every, .. } if s.inv => {
                format!("it leaves out one packet of {every}, and not this one")
            }
            StatisticMode::Nth { every, .. } => format!("it takes one packet of {every}, and this is its turn"),
        },
        Match::Owner(o) => owner(o)?,
        Match::Written(w) => match &w.asks {
            Asks::Recent(r) => recent(r)?,
            Asks::Hashlimit(h) if h.above => "more packets of this kind have come of late than it allows".into(),
            Asks::Hashlimit(_) => "not too many packets of this kind have come of late".into(),
            Asks::Connlimit(c) => {
                let (few, who) = (if c.upto { "at most" } else { "more than" }, if c.daddr { "to" } else { "from" });
                format!("{few} {} connections {who} there are open", c.limit)
            }
            Asks::Quota { bytes, inv: false } => format!("its {bytes} bytes are not used up yet"),
            Asks::Quota { bytes, inv: true } => format!("its {bytes} bytes are used up"),
            Asks::String(_) | Asks::Tcpmss { .. } => return None,
        },
        _ => return None,
    })
}

fn owner(o: &OwnerMatch) -> Option<String> {
    let of = |what: &str, ((from, to), not): ((u32, u32), bool)| {
        let whose = if from == to { format!("{what} {from}") } else { format!("{what} {from} to {to}") };
        format!("a program of {}{whose} sent the packet", if not { "another than " } else { "" })
    };
    let uid = o.uid.map(|n| of("user", (n.value, n.inv)));
    uid.or_else(|| o.gid.map(|n| of("group", (n.value, n.inv))))
}

fn recent(r: &RecentMatch) -> Option<String> {
    let who = if r.dest { "its destination" } else { "its sender" };
    if r.op == RecentOp::Set || r.op == RecentOp::Remove {
        return None;
    }
    let often = match r.hitcount {
        0 | 1 => String::new(),
        n => format!(" at least {n} times"),
    };
    let within = if r.seconds == 0 { String::new() } else { format!(" within {} seconds", r.seconds) };
    let not = if r.inv { "not " } else { "" };
    Some(format!("{who} was {not}noted in list {}{often}{within}", r.name))
}

/// What a rule does that decides nothing.
pub(super) fn work(rule: &Rule) -> String {
    let noted = rule.matches.iter().find_map(|m| match m {
        Match::Written(w) => match &w.asks {
            Asks::Recent(r) if r.op == RecentOp::Set => Some(format!("notes its sender in list {}", r.name)),
            Asks::Recent(r) if r.op == RecentOp::Remove => Some(format!("takes its sender from list {}", r.name)),
            _ => None,
        },
        _ => None,
    });
    match &rule.target {
        Target::None => noted.unwrap_or_else(|| "counts it".into()),
        Target::Log(_) => "writes a line to the kernel's log".into(),
        Target::Mark(m) => format!("marks the packet ({:#x})", m.value),
        Target::Connmark(ConnmarkTarget::Set { value, .. }) => format!("marks the connection ({value:#x})"),
        Target::Connmark(ConnmarkTarget::Save { .. }) => "gives the packet's mark to its connection".into(),
        Target::Connmark(ConnmarkTarget::Restore { .. }) => "gives the connection's mark to the packet".into(),
        Target::Ct(c) if c.notrack => "keeps the packet from connection tracking".into(),
        Target::Ct(_) => "says how the packet is to be tracked".into(),
        Target::TcpMss(Some(n)) => format!("sets the segment size that the sender offers to {n}"),
        Target::TcpMss(None) => "cuts the segment size that the sender offers to what the way can carry".into(),
        Target::Ttl(TtlTarget::Set(n)) => format!("sets the time to live to {n}"),
        Target::Ttl(TtlTarget::Inc(n)) => format!("makes the time to live longer by {n}"),
        Target::Ttl(TtlTarget::Dec(n)) => format!("makes the time to live shorter by {n}"),
        Target::Tos { .. } | Target::Dscp(_) => "sets the packet's class of service".into(),
        _ => "does its work".into(),
    }
}
