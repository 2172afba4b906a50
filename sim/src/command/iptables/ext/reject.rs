//! `-j REJECT` (libipt_REJECT).

use super::TargetExt;
use super::conntrack::begins;
use super::opt::{Ty, opt};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::targets::{RejectWith, Target};

/// Kind, name, alias, in the kernel's order.
const KINDS: [(RejectWith, &str, &str); 8] = [
    (RejectWith::NetUnreachable, "icmp-net-unreachable", "net-unreach"),
    (RejectWith::HostUnreachable, "icmp-host-unreachable", "host-unreach"),
    (RejectWith::ProtoUnreachable, "icmp-proto-unreachable", "proto-unreach"),
    (RejectWith::PortUnreachable, "icmp-port-unreachable", "port-unreach"),
    (RejectWith::NetProhibited, "icmp-net-prohibited", "net-prohib"),
    (RejectWith::HostProhibited, "icmp-host-prohibited", "host-prohib"),
    (RejectWith::TcpReset, "tcp-reset", "tcp-rst"),
    (RejectWith::AdminProhibited, "icmp-admin-prohibited", "admin-prohib"),
];

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "REJECT",
    opts: &[opt("reject-with", 0, Ty::Text)],
    check: Some(|i, _, _| kind(&i.arg).map(|_| ())),
    build: |g, _| Ok(Target::Reject(g.get(0).map_or(Ok(RejectWith::PortUnreachable), |i| kind(&i.arg))?)),
    save: |t| format!(" --reject-with {}", name(t)),
    list: |t, _, _| format!(" reject-with {}", name(t)),
};

fn name(t: &Target) -> &'static str {
    let Target::Reject(w) = t else { return "" };
    KINDS.iter().find(|k| k.0 == *w).map_or("", |k| k.1)
}

/// A name or alias, or the start of one.
fn kind(text: &str) -> Result<RejectWith, Fail> {
    let fits = |name| text.is_empty() || begins(name, text);
    if text.len() > 3 && (begins("echo-reply", text) || begins("echoreply", text)) {
        let said = "--reject-with echo-reply no longer supported\n";
        let fail = Fail::param(format!("unknown reject type \"{text}\""));
        return Err(Fail::After(said.to_owned(), Box::new(fail)));
    }
    let found = KINDS.iter().find(|(_, name, alias)| fits(name) || fits(alias));
    found.map(|k| k.0).ok_or_else(|| Fail::param(format!("unknown reject type \"{text}\"")))
}
