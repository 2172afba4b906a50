//! `pipework`: a shell script of a container's early days that gives it one more interface. The model takes the same
//! steps with the same commands (github.com/jpetazzo/pipework).

use super::{Exit, Proc, Refusal, run as tool};
use crate::kernel::types::SEC;
use crate::shell::EXEC_NS;

const SYNTAX: &str = "\
Syntax:
pipework [--save <file>] <hostinterface> [-i containerinterface] <guest> <ipaddr>/<subnet>[@default_gateway] [macaddr][@vlan]
pipework [--save <file>] <hostinterface> [-i containerinterface] <guest> dhcp [macaddr][@vlan]
pipework [--restore <file>]
pipework --wait [-i containerinterface]
";

/// What was asked for.
struct Asked<'a> {
    /// The host's interface, or the bridge to make.
    on: &'a str,
    /// Name of the interface inside.
    name: &'a str,
    guest: &'a str,
    addr: &'a str,
    gateway: Option<&'a str>,
    mac: Option<&'a str>,
}

/// Where a command's words go.
#[derive(Clone, Copy, PartialEq)]
enum Heard {
    Yes,
    No,
}

/// A step failed: `set -e` ends the script with its status.
enum Stop {
    Exit(i32),
    Refused(Refusal),
}

type Step<T> = Result<T, Stop>;

/// Runs `pipework`.
///
/// # Errors
/// `--save`, `--restore`, `--wait`, VLANs; what a step refuses.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut args: Vec<&str> = argv[1..].iter().map(String::as_str).collect();
    if let Some(o) = args.first().filter(|a| matches!(**a, "--save" | "--restore" | "--wait")) {
        return Err(Refusal::new(format!("pipework {o}"), 1));
    }
    let mut name = "eth1";
    if args.get(1) == Some(&"-i") {
        name = args.get(2).copied().unwrap_or_default();
        args.drain(1..args.len().min(3));
    }
    let [on, guest, ip, rest @ ..] = args.as_slice() else {
        p.out.push_str(SYNTAX);
        return Ok(1);
    };
    let mac = rest.first().copied();
    if mac.is_some_and(|m| m.contains('@')) {
        return Err(Refusal::new("pipework with a VLAN", argv.len() - 1));
    }
    let (addr, gateway) = ip.split_once('@').map_or((*ip, None), |(a, g)| (a, Some(g)));
    match wire(p, &Asked { on, name, guest, addr, gateway, mac }) {
        Ok(()) => Ok(0),
        Err(Stop::Exit(n)) => Ok(n),
        Err(Stop::Refused(r)) => Err(r),
    }
}

/// Runs one command of the script, of words without quotes.
fn sh(p: &mut Proc<'_>, line: &str, heard: Heard) -> Step<i32> {
    let (out, err) = (p.out.len(), p.err.len());
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let status = tool(p, &words).map_err(|r| Stop::Refused(Refusal::new(r.what, 0)))?;
    p.sess.advance(EXEC_NS);
    if heard == Heard::No {
        p.out.truncate(out);
        p.err.truncate(err);
    }
    Ok(status)
}

fn must(p: &mut Proc<'_>, line: &str) -> Step<()> {
    match sh(p, line, Heard::Yes)? {
        0 => Ok(()),
        n => Err(Stop::Exit(n)),
    }
}

fn say<T>(p: &mut Proc<'_>, text: &str) -> Step<T> {
    p.out.push_str(text);
    Err(Stop::Exit(1))
}

/// What stands at the host's end.
#[derive(PartialEq)]
enum Kind {
    Bridge,
    NewBridge,
    Physical,
}

fn kind(p: &mut Proc<'_>, on: &str) -> Step<Kind> {
    let k = &p.sess.kernel;
    match k.dev_by_name(p.ns, on) {
        Some(d) if k.dev(d).bridge().is_some() => Ok(Kind::Bridge),
        Some(_) => Ok(Kind::Physical),
        None if on.starts_with("br") => Ok(Kind::NewBridge),
        None if on.starts_with("ovs") => say(p, "Need OVS installed on the system to create an ovs bridge\n"),
        None => say(p, &format!("I do not know how to setup interface {on}.\n")),
    }
}

/// The first process of a container, which may take some seconds to start.
fn docker_pid(p: &mut Proc<'_>, guest: &str) -> Step<u32> {
    for _ in 0..3 {
        let from = p.out.len();
        must(p, &format!("docker inspect --format={{{{.State.Pid}}}} {guest}"))?;
        let said = p.out.split_off(from);
        if let Some(pid) = said.trim().parse().ok().filter(|n| *n != 0) {
            return Ok(pid);
        }
        p.sess.advance(SEC);
    }
    say(p, "Docker inspect returned invalid PID 0\n")
}

fn wire(p: &mut Proc<'_>, a: &Asked<'_>) -> Step<()> {
    let kind = kind(p, a.on)?;
    let pid = docker_pid(p, a.guest)?;
    if a.addr == "dhcp" {
        return say(p, "You asked for DHCP; but no DHCP client could be found.\n");
    }
    let Some((ip, _)) = a.addr.split_once('/') else {
        let text = format!("The IP address should include a netmask.\nMaybe you meant {}/24 ?\n", a.addr);
        return say(p, &text);
    };
    must(p, "mkdir -p /var/run/netns")?;
    sh(p, &format!("rm -f /var/run/netns/{pid}"), Heard::No)?;
    must(p, &format!("ln -s /proc/{pid}/ns/net /var/run/netns/{pid}"))?;
    let end = host_end(p, a, &kind, pid)?;
    inside(p, a, pid, &end)?;
    // Its neighbours on the wire may still know somebody else by that address.
    sh(p, &format!("ip netns exec {pid} arping -c 1 -A -I {} {ip}", a.name), Heard::No)?;
    sh(p, &format!("rm -f /var/run/netns/{pid}"), Heard::No)?;
    Ok(())
}

/// A pair with one end in the bridge, or a macvlan on a physical interface; gives the name of the guest's end.
fn host_end(p: &mut Proc<'_>, a: &Asked<'_>, kind: &Kind, pid: u32) -> Step<String> {
    let on = a.on;
    if *kind == Kind::NewBridge {
        must(p, &format!("ip link add dev {on} type bridge"))?;
        must(p, &format!("ip link set {on} up"))?;
    }
    let mtu = p.sess.kernel.dev_by_name(p.ns, on).map_or(1500, |d| p.sess.kernel.dev(d).mtu);
    if *kind == Kind::Physical {
        let end = format!("ph{pid}{}", a.name);
        must(p, &format!("ip link add link {on} dev {end} mtu {mtu} type macvlan mode bridge"))?;
        must(p, &format!("ip link set {on} up"))?;
        return Ok(end);
    }
    let (local, end) = (format!("v{}pl{pid}", a.name), format!("v{}pg{pid}", a.name));
    must(p, &format!("ip link add name {local} mtu {mtu} type veth peer name {end} mtu {mtu}"))?;
    if sh(p, &format!("ip link set {local} master {on}"), Heard::No)? != 0 {
        must(p, &format!("brctl addif {on} {local}"))?;
    }
    must(p, &format!("ip link set {local} up"))?;
    Ok(end)
}

/// The guest's end gets its namespace, name and addresses.
fn inside(p: &mut Proc<'_>, a: &Asked<'_>, pid: u32, end: &str) -> Step<()> {
    let name = a.name;
    let at = format!("ip netns exec {pid} ip");
    must(p, &format!("ip link set {end} netns {pid}"))?;
    must(p, &format!("{at} link set {end} name {name}"))?;
    if let Some(mac) = a.mac {
        must(p, &format!("{at} link set dev {name} address {mac}"))?;
    }
    must(p, &format!("{at} addr add {} dev {name}", a.addr))?;
    if a.gateway.is_some() {
        sh(p, &format!("{at} route delete default"), Heard::No)?;
    }
    must(p, &format!("{at} link set {name} up"))?;
    let Some(gateway) = a.gateway else { return Ok(()) };
    if sh(p, &format!("{at} route get {gateway}"), Heard::No)? != 0 {
        must(p, &format!("{at} route add {gateway}/32 dev {name}"))?;
    }
    must(p, &format!("{at} route replace default via {gateway}"))
}
