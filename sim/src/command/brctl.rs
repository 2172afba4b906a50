//! `brctl` (bridge-utils 1.7).

mod show;

use super::{Exit, Proc, Refusal};
use crate::kernel::types::{DevId, Errno, SEC};
use crate::op::{BridgeSet, LinkChange, LinkSpec, NewLink, Op, PortSet};

/// Commands: name, least number of arguments, help.
const COMMANDS: &[(&str, usize, &str)] = &[
    ("addbr", 1, "<bridge>\t\tadd bridge"),
    ("delbr", 1, "<bridge>\t\tdelete bridge"),
    ("addif", 2, "<bridge> <device>\tadd interface to bridge"),
    ("delif", 2, "<bridge> <device>\tdelete interface from bridge"),
    ("hairpin", 3, "<bridge> <port> {on|off}\tturn hairpin on/off"),
    ("setageing", 2, "<bridge> <time>\t\tset ageing time"),
    ("setbridgeprio", 2, "<bridge> <prio>\t\tset bridge priority"),
    ("setfd", 2, "<bridge> <time>\t\tset bridge forward delay"),
    ("sethello", 2, "<bridge> <time>\t\tset hello time"),
    ("setmaxage", 2, "<bridge> <time>\t\tset max message age"),
    ("setpathcost", 3, "<bridge> <port> <cost>\tset path cost"),
    ("setportprio", 3, "<bridge> <port> <prio>\tset port priority"),
    ("show", 0, "[ <bridge> ]\t\tshow a list of bridges"),
    ("showmacs", 1, "<bridge>\t\tshow a list of mac addrs"),
    ("showstp", 1, "<bridge>\t\tshow bridge stp info"),
    ("stp", 2, "<bridge> {on|off}\tturn stp on/off"),
];

/// Runs `brctl`.
///
/// # Errors
/// Commands that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let Some(cmd) = argv.get(1) else {
        p.err.push_str(&help());
        return Ok(1);
    };
    match cmd.as_str() {
        "-V" | "--version" => {
            p.out.push_str("bridge-utils, 1.7\n");
            return Ok(0);
        }
        "-h" | "--help" => {
            p.out.push_str(&help());
            return Ok(0);
        }
        _ => {}
    }
    let Some((name, least, usage)) = COMMANDS.iter().find(|c| c.0 == cmd) else {
        p.err.push_str(&format!("never heard of command [{cmd}]\n{}", help()));
        return Ok(1);
    };
    let args = &argv[2..];
    if args.len() < *least {
        let text = format!("Incorrect number of arguments for command\nUsage: brctl {name} {usage}\n");
        return Ok(fail(p, &text));
    }
    Ok(match *name {
        "addbr" => addbr(p, &args[0]),
        "delbr" => delbr(p, &args[0]),
        "addif" => each(p, args, addif),
        "delif" => each(p, args, delif),
        "hairpin" => hairpin(p, args),
        "setageing" | "setfd" | "stp" | "setbridgeprio" => set(p, name, args),
        "setpathcost" | "setportprio" => port(p, name, args),
        "show" => show::show(p, args),
        "showmacs" => show::showmacs(p, &args[0]),
        _ => return Err(Refusal::new(format!("brctl {name}"), 1)),
    })
}

fn help() -> String {
    let mut s = "Usage: brctl [commands]\ncommands:\n".to_owned();
    for (name, _, text) in COMMANDS {
        s.push_str(&format!("\t{name:<10}\t{text}\n"));
    }
    s
}

/// Writes an error and gives the status of one.
fn fail(p: &mut Proc<'_>, text: &str) -> i32 {
    p.err.push_str(text);
    1
}

fn dev(p: &Proc<'_>, name: &str) -> Option<DevId> {
    p.sess.kernel.dev_by_name(p.ns, name)
}

/// A bridge by name, or what the kernel says of anything else.
fn bridge(p: &Proc<'_>, name: &str) -> Result<DevId, Errno> {
    let d = dev(p, name).ok_or(Errno::ENODEV)?;
    p.sess.kernel.dev(d).bridge().map(|_| d).ok_or(Errno::EOPNOTSUPP)
}

fn on_off(v: &str) -> Option<bool> {
    match v {
        "on" | "yes" | "1" => Some(true),
        "off" | "no" | "0" => Some(false),
        _ => None,
    }
}

fn apply(p: &mut Proc<'_>, op: &Op) -> Result<(), Errno> {
    p.sess.kernel.apply(op).map(|_| ()).map_err(|e| e.errno)
}

fn change(p: &mut Proc<'_>, dev: DevId, c: LinkChange) -> Result<(), Errno> {
    apply(p, &Op::LinkSet { dev, changes: vec![c] })
}

fn addbr(p: &mut Proc<'_>, name: &str) -> i32 {
    // The name is copied into a field of IFNAMSIZ bytes.
    let name: String = name.chars().take(15).collect();
    let spec = LinkSpec::named(p.ns, &name);
    match apply(p, &Op::LinkAdd { spec, kind: NewLink::Bridge(Vec::new()) }) {
        Ok(()) => 0,
        Err(Errno::EEXIST) => {
            fail(p, &format!("device {name} already exists; can't create bridge with the same name\n"))
        }
        Err(e) => fail(p, &format!("add bridge failed: {e}\n")),
    }
}

fn delbr(p: &mut Proc<'_>, name: &str) -> i32 {
    let Some(dev) = dev(p, name) else {
        return fail(p, &format!("bridge {name} doesn't exist; can't delete it\n"));
    };
    let d = p.sess.kernel.dev(dev);
    let done = if d.bridge().is_none() {
        Err(Errno::EPERM)
    } else if d.is_up() {
        return fail(p, &format!("bridge {name} is still up; can't delete it\n"));
    } else {
        apply(p, &Op::LinkDel { dev })
    };
    match done {
        Ok(()) => 0,
        Err(e) => fail(p, &format!("can't delete bridge {name}: {e}\n")),
    }
}

/// Does it for one port after the other, until one is refused.
fn each(p: &mut Proc<'_>, args: &[String], f: fn(&mut Proc<'_>, &str, &str) -> i32) -> i32 {
    args[1..].iter().map(|port| f(p, &args[0], port)).find(|status| *status != 0).unwrap_or(0)
}

fn addif(p: &mut Proc<'_>, br: &str, port: &str) -> i32 {
    let Some(d) = dev(p, port) else {
        return fail(p, &format!("interface {port} does not exist!\n"));
    };
    let done = match bridge(p, br) {
        Ok(_) if p.sess.kernel.dev(d).master.is_some() => Err(Errno::EBUSY),
        Ok(b) => change(p, d, LinkChange::Master(Some(b))),
        Err(e) => Err(e),
    };
    let text = match done {
        Ok(()) => return 0,
        Err(Errno::ENODEV) => format!("bridge {br} does not exist!\n"),
        Err(Errno::EBUSY) => {
            format!("device {port} is already a member of a bridge; can't add it to bridge {br}.\n")
        }
        Err(Errno::ELOOP) => {
            format!("device {port} is a bridge device itself; can't add a bridge device to a bridge device.\n")
        }
        Err(e) => format!("can't add {port} to bridge {br}: {e}\n"),
    };
    fail(p, &text)
}

fn delif(p: &mut Proc<'_>, br: &str, port: &str) -> i32 {
    let Some(d) = dev(p, port) else {
        return fail(p, &format!("interface {port} does not exist!\n"));
    };
    let done = match bridge(p, br) {
        Ok(b) if p.sess.kernel.dev(d).master != Some(b) => Err(Errno::EINVAL),
        Ok(_) => change(p, d, LinkChange::Master(None)),
        Err(e) => Err(e),
    };
    let text = match done {
        Ok(()) => return 0,
        Err(Errno::ENODEV) => format!("bridge {br} does not exist!\n"),
        Err(Errno::EINVAL) => format!("device {port} is not a port of {br}\n"),
        Err(e) => format!("can't delete {port} from {br}: {e}\n"),
    };
    fail(p, &text)
}

fn hairpin(p: &mut Proc<'_>, args: &[String]) -> i32 {
    let (br, port) = (&args[0], &args[1]);
    let Some(on) = on_off(&args[2]) else { return fail(p, "expect on/off for argument\n") };
    let Some(d) = dev(p, port) else {
        return fail(p, &format!("interface {port} does not exist!\n"));
    };
    // The setting is a file of the port: the bridge is only named in the error.
    let done = match p.sess.kernel.dev(d).master {
        Some(_) => change(p, d, LinkChange::Port(PortSet::Hairpin(on))),
        None => Err(Errno::ENOENT),
    };
    match done {
        Ok(()) => 0,
        Err(e) => fail(p, &format!("can't set {port} to hairpin on bridge {br}: {e}\n")),
    }
}

fn set(p: &mut Proc<'_>, name: &str, args: &[String]) -> i32 {
    let v = &args[1];
    // As strtod(3): what is no number at all is refused.
    let time = || v.parse::<f64>().ok().filter(|t| (0.0..4e7).contains(t)).map(|t| (t * SEC as f64) as u64);
    let (what, set) = match name {
        "setageing" => match time() {
            Some(t) => ("set ageing time", BridgeSet::AgeingTime(t)),
            None => return fail(p, "bad ageing time value\n"),
        },
        "setfd" => match time() {
            Some(t) => ("set forward delay", BridgeSet::ForwardDelay(t)),
            None => return fail(p, "bad forward delay value\n"),
        },
        "stp" => match on_off(v) {
            Some(on) => ("set stp status", BridgeSet::Stp(on)),
            None => return fail(p, "expect on/off for argument\n"),
        },
        _ => match v.parse() {
            Ok(n) => ("set bridge priority", BridgeSet::Priority(n)),
            Err(_) => return fail(p, "bad priority\n"),
        },
    };
    let done = bridge(p, &args[0]).and_then(|b| match (set, p.sess.kernel.dev(b).bridge()) {
        // Only a spanning tree has limits.
        (BridgeSet::ForwardDelay(t), Some(x)) if x.stp && !(2 * SEC..=30 * SEC).contains(&t) => Err(Errno::ERANGE),
        _ => change(p, b, LinkChange::Bridge(set)),
    });
    match done {
        Ok(()) => 0,
        Err(e) => fail(p, &format!("{what} failed: {e}\n")),
    }
}

fn port(p: &mut Proc<'_>, name: &str, args: &[String]) -> i32 {
    let (what, set) = match name {
        "setpathcost" => match args[2].parse() {
            Ok(n) => ("set path cost", PortSet::Cost(n)),
            Err(_) => return fail(p, "bad path cost value\n"),
        },
        _ => match args[2].parse() {
            Ok(n) => ("set port priority", PortSet::Priority(n)),
            Err(_) => return fail(p, "bad path priority value\n"),
        },
    };
    let done = match dev(p, &args[1]).filter(|d| p.sess.kernel.dev(*d).master.is_some()) {
        Some(d) => change(p, d, LinkChange::Port(set)),
        None => Err(Errno::ENOENT),
    };
    match done {
        Ok(()) => 0,
        Err(e) => fail(p, &format!("{what} failed: {e}\n")),
    }
}
