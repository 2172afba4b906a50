//! `conntrack` (conntrack-tools 1.4.7): the table of connection tracking.

mod events;
mod filter;
mod help;
mod opts;
mod print;

pub use events::Listener;
pub use print::{Style, event_line, line, list, proto_name};

use self::opts::{Bad, Command, Line, Table};
use super::{Exit, Proc};
use crate::kernel::conntrack::{Conn, CtRef, L4Id, Status, Tuple, Zone};
use crate::kernel::types::SEC;

const NAME: &str = "conntrack v1.4.7 (conntrack-tools)";

/// Runs `conntrack`.
///
/// # Errors
/// `-I`, `-A`, `-E` and options that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let line = match opts::read(argv).and_then(|l| legal(l).map_err(Bad::from)) {
        Ok(l) => l,
        Err(Bad::Refused(r)) => return Err(r),
        Err(Bad::Usage(text)) => {
            p.err
                .push_str(&format!("{NAME}: {text}\nTry `conntrack -h' or 'conntrack --help' for more information.\n"));
            return Ok(2);
        }
    };
    let command = line.command.unwrap_or(Command::Help);
    if !line.warnings.is_empty() && command != Command::Help {
        for w in &line.warnings {
            p.err.push_str(&format!("{w}\n"));
        }
        return Ok(failed(p, "invalid parameters"));
    }
    Ok(match command {
        Command::Help => {
            p.out.push_str(help::TEXT);
            0
        }
        Command::Version => {
            p.out.push_str(&format!("{NAME}\n"));
            0
        }
        Command::List => show(p, &line),
        Command::Get => get(p, &line),
        Command::Delete => delete(p, &line),
        Command::Update => update(p, &line),
        Command::Flush => flush(p, &line),
        Command::Count => {
            let now = p.sess.kernel.now();
            let n = if line.table == Table::Conntrack { p.sess.kernel.ns(p.ns).nf.ct.live(now) } else { 0 };
            p.out.push_str(&format!("{n}\n"));
            0
        }
        Command::Stats => {
            stats(p);
            0
        }
        Command::Events => return events::run(p, line),
    })
}

/// The command must know every option (`generic_opt_check`).
fn legal(l: Line) -> Result<Line, String> {
    let may = |name: &str| match l.command {
        Some(Command::List) => !matches!(name, "timeout" | "event-mask"),
        Some(Command::Events) => name != "timeout",
        Some(Command::Delete) => !matches!(name, "zero" | "event-mask"),
        Some(Command::Get) => !matches!(name, "timeout" | "zero" | "status" | "mark" | "event-mask"),
        Some(Command::Update) => !matches!(name, "zero" | "event-mask"),
        _ => false,
    };
    if let Some(bad) = l.given.iter().find(|n| l.command.is_some() && !may(n)) {
        return Err(format!("Illegal option `--{bad}' with this command"));
    }
    if l.command == Some(Command::Get) && l.filter.proto.is_none() {
        return Err("You need to supply the `--protonum' option for this command".to_owned());
    }
    Ok(l)
}

fn said(p: &mut Proc<'_>, n: usize, done: &str) {
    p.err.push_str(&format!("{NAME}: {n} flow entries have been {done}.\n"));
}

fn failed(p: &mut Proc<'_>, why: &str) -> i32 {
    p.err.push_str(&format!("{NAME}: Operation failed: {why}\n"));
    1
}

/// The connections that the line is about.
fn chosen(p: &Proc<'_>, l: &Line) -> Vec<(CtRef, Conn)> {
    if l.table != Table::Conntrack || l.ipv6 {
        return Vec::new();
    }
    let k = &p.sess.kernel;
    let all = k.ns(p.ns).nf.ct.iter(k.now());
    all.filter(|(_, c)| l.filter.passes(c)).map(|(r, c)| (r, c.clone())).collect()
}

/// Writes a connection down. One that was asked for by its tuple is held by the question too.
fn put(p: &mut Proc<'_>, (r, c): (CtRef, &Conn), asked: bool, style: Style) {
    let k = &p.sess.kernel;
    p.out.push_str(&line(c, k.now(), k.ct_use(p.ns, r) + usize::from(asked), style));
    p.out.push('\n');
}

fn show(p: &mut Proc<'_>, l: &Line) -> i32 {
    if l.table == Table::Expect {
        p.err.push_str(&format!("{NAME}: 0 expectations have been shown.\n"));
        return 0;
    }
    let found = chosen(p, l);
    for (r, c) in &found {
        put(p, (*r, c), false, l.style);
        if let (true, Some(c)) = (l.zero, p.sess.kernel.ns_mut(p.ns).nf.ct.get_mut(*r)) {
            c.acct = c.acct.map(|_| Default::default());
        }
    }
    said(p, found.len(), "shown");
    0
}

/// The number of a process's second netlink socket (`netlink_autobind`): negative, at random.
fn second_port(p: &mut Proc<'_>) -> u32 {
    const BELOW: u64 = (i32::MAX as u64) + 1 - 4096;
    0x8000_0000 + (p.sess.kernel.rng.next_u64() % BELOW) as u32
}

fn delete(p: &mut Proc<'_>, l: &Line) -> i32 {
    let found = chosen(p, l);
    // A dump is read from one socket, and its entries are deleted by another, whose number is random.
    let portid = if found.is_empty() { 0 } else { second_port(p) };
    for (r, c) in &found {
        put(p, (*r, c), false, l.style);
        p.sess.kernel.ct_kill_by(p.ns, *r, portid);
    }
    said(p, found.len(), "deleted");
    i32::from(found.is_empty())
}

/// The lines show the connections as they are after it.
fn update(p: &mut Proc<'_>, l: &Line) -> i32 {
    let mut updated = 0;
    let now = p.sess.kernel.now();
    for (r, c) in chosen_but_for_values(p, l) {
        if !changes(&c, l) {
            continue;
        }
        let table = &mut p.sess.kernel.ns_mut(p.ns).nf.ct;
        let Some(c) = table.get_mut(r) else { continue };
        if let Some(m) = l.mark {
            c.mark = (c.mark & !m.mask) ^ m.value;
        }
        // Status bits can be set, and never be taken back.
        c.status |= l.status.unwrap_or_default();
        if let Some(t) = l.timeout {
            c.expires = now + t * SEC;
        }
        let (c, expires) = (c.clone(), c.expires);
        table.note_expiry(expires);
        put(p, (r, &c), true, l.style);
        updated += 1;
    }
    said(p, updated, "updated");
    i32::from(updated == 0)
}

/// With `-U`, mark and status are what to set, not what to look for.
fn chosen_but_for_values(p: &Proc<'_>, l: &Line) -> Vec<(CtRef, Conn)> {
    let k = &p.sess.kernel;
    let all = k.ns(p.ns).nf.ct.iter(k.now());
    all.filter(|(_, c)| l.filter.passes_tuple(c)).map(|(r, c)| (r, c.clone())).collect()
}

/// It would be another connection afterwards; one that is as it should be already is passed over.
fn changes(c: &Conn, l: &Line) -> bool {
    let mark = l.mark.is_some_and(|m| (c.mark & !m.mask) ^ m.value != c.mark);
    let status = l.status.is_some_and(|s: Status| !c.status.contains(s));
    mark || status || l.timeout.is_some()
}

fn flush(p: &mut Proc<'_>, l: &Line) -> i32 {
    if l.table == Table::Expect {
        p.err.push_str(&format!("{NAME}: expectation table has been emptied.\n"));
        return 0;
    }
    for (r, _) in chosen(p, l) {
        // The first netlink socket of a process has the process's number.
        p.sess.kernel.ct_kill_by(p.ns, r, p.pid.0);
    }
    p.err.push_str(&format!("{NAME}: connection tracking table has been emptied.\n"));
    0
}

/// The one connection of a whole original tuple.
fn get(p: &mut Proc<'_>, l: &Line) -> i32 {
    let tuple = match whole_tuple(l) {
        Ok(t) => t,
        Err(text) => {
            p.err
                .push_str(&format!("{NAME}: {text}\nTry `conntrack -h' or 'conntrack --help' for more information.\n"));
            return 2;
        }
    };
    let zone = Zone { id: l.filter.zone.unwrap_or(0), dir: None };
    let k = &p.sess.kernel;
    let table = &k.ns(p.ns).nf.ct;
    let found = table.find(&tuple, zone, k.now()).and_then(|(r, _)| Some((r, table.get(r)?.clone())));
    match found {
        Some((r, c)) => {
            put(p, (r, &c), true, l.style);
            said(p, 1, "shown");
            0
        }
        None => failed(p, "such conntrack doesn't exist"),
    }
}

fn whole_tuple(l: &Line) -> Result<Tuple, String> {
    let f = &l.filter;
    let (Some(src), Some(dst)) = (f.addr[0], f.addr[1]) else {
        return Err("you have to specify `--src' and `--dst'".to_owned());
    };
    let proto = f.proto.unwrap_or(0);
    let l4 = match proto {
        6 | 17 | 132 | 136 => match (f.port[0], f.port[1]) {
            (Some(src), Some(dst)) => L4Id::Ports { src, dst },
            _ => return Err("you have to specify `--sport' and `--dport'".to_owned()),
        },
        1 => match (f.icmp_type, f.icmp_code, f.icmp_id) {
            (None, ..) => return Err("You need to supply the `--icmp-type' option for this command".to_owned()),
            (_, None, _) => return Err("You need to supply the `--icmp-code' option for this command".to_owned()),
            (.., None) => return Err("You need to supply the `--icmp-id' option for this command".to_owned()),
            (Some(ty), Some(code), Some(id)) => L4Id::Icmp { id, ty, code },
        },
        _ => L4Id::None,
    };
    Ok(Tuple { src: src.addr(), dst: dst.addr(), proto, l4 })
}

/// A host of the model has one CPU.
fn stats(p: &mut Proc<'_>) {
    let s = p.sess.kernel.ns(p.ns).nf.ct.stats;
    p.out.push_str(&format!(
        "cpu=0   \tfound={} invalid={} insert={} insert_failed={} drop={} early_drop={} error={} search_restart={} \
         clash_resolve={} chaintoolong={} \n",
        s.found,
        s.invalid,
        s.insert,
        s.insert_failed,
        s.drop,
        s.early_drop,
        s.error,
        s.search_restart,
        s.clash_resolve,
        s.chaintoolong
    ));
}
