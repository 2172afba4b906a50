//! busybox' `ip`, which prints less than iproute2, and what a container without CAP_NET_ADMIN may not do.

use super::super::{Exit, Proc, ip};
use crate::kernel::types::NetnsId;

/// Runs it.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    if changes(argv) && !net_admin(p) {
        p.err.push_str("ip: RTNETLINK answers: Operation not permitted\n");
        return Ok(2);
    }
    let from = p.out.len();
    let done = ip::run(p, argv);
    let text = p.out.split_off(from);
    let lines: String = text.lines().map(|l| line(p, l) + "\n").collect();
    p.out.push_str(&lines);
    done
}

/// A change that needs CAP_NET_ADMIN.
fn changes(argv: &[String]) -> bool {
    let verbs = ["add", "del", "delete", "set", "replace", "change", "flush"];
    argv.len() > 2 && verbs.contains(&argv[2].as_str())
}

/// Does its container have the capability? Where several share a namespace the first that has it counts.
fn net_admin(p: &Proc<'_>) -> bool {
    let Some(e) = p.sess.engines.get(&p.host) else { return true };
    let mut here = e.containers.values().filter(|c| c.netns == Some(p.ns)).peekable();
    here.peek().is_none() || here.any(crate::docker::Container::net_admin)
}

/// A line of iproute2 as busybox prints it.
fn line(p: &Proc<'_>, l: &str) -> String {
    if let Some((head, rest)) = l.split_once(" state ") {
        let tail = rest.split_once("qlen ").map_or(String::new(), |(_, n)| format!("qlen {n}"));
        return format!("{} {tail}", linked(p, p.ns, head));
    }
    if let Some((head, _)) = l.split_once(" link-netnsid ") {
        return head.to_owned();
    }
    l.replace(" proto kernel scope link src ", " scope link  src ")
}

/// The device at the other end, by its number: busybox looks it up here, wherever it is; one that is not here it
/// takes for down.
fn linked(p: &Proc<'_>, ns: NetnsId, head: &str) -> String {
    let Some((before, after)) = head.split_once('@') else { return head.to_owned() };
    let Some((link, after)) = after.split_once(':') else { return head.to_owned() };
    let number = link.strip_prefix("if").and_then(|n| n.parse::<u32>().ok());
    let k = &p.sess.kernel;
    let other = match number {
        Some(n) => k.devs_of(ns).find(|d| d.ifindex == n),
        None => k.dev_by_name(ns, link).map(|d| k.dev(d)),
    };
    let (name, up) = match other {
        Some(d) => (d.name.to_string(), d.is_up()),
        None => (link.to_owned(), false),
    };
    let after = if up { after.to_owned() } else { after.replacen('>', ",M-DOWN>", 1) };
    format!("{before}@{name}:{after}")
}
