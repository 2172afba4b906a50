//! One packet through a bare `iptables-save` dump, rule by rule.
//!
//! The world is one host with the devices that are named. Its tables are restored by the model's own
//! `iptables-restore`, and the packet is shown to the hooks as the kernel's would be: there is no second evaluator.
//! Nothing is routed: the devices are taken as given, also after a translation.

pub mod report;

use std::net::Ipv4Addr;

use bytes::Bytes;
use ipnet::Ipv4Net;

use crate::kernel::conntrack::{CtInfo, Status};
use crate::kernel::dev::PktType;
use crate::kernel::fib::RouteType;
use crate::kernel::netfilter::{Hook, Verdict as HookVerdict};
use crate::kernel::types::{DevId, HostId, NetnsId};
use crate::kernel::xtables::TableKind;
use crate::kernel::xtables::matches::Match;
use crate::kernel::xtables::targets::{NatKind, Target};
use crate::kernel::xtables::view::HookAt;
use crate::session::Session;
use crate::session::topology::{HostSpec, NicSpec};
use crate::shell::run_line;
use crate::trace::event::RuleVerdict;
use crate::trace::{DropReason, EventKind};
use crate::wire::packet::{Body, Icmp, Ipv4, L4, Packet, Tcp, TcpFlags, TcpOpts, Udp};
use crate::wire::{MacAddr, PacketId};

/// State of the packet's connection (`-m conntrack --ctstate`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub enum State {
    #[default]
    New,
    Established,
    Related,
    Invalid,
    Untracked,
}

impl State {
    /// A state by its word.
    pub fn by_name(word: &str) -> Option<State> {
        Some(match word.to_ascii_uppercase().as_str() {
            "NEW" => State::New,
            "ESTABLISHED" => State::Established,
            "RELATED" => State::Related,
            "INVALID" => State::Invalid,
            "UNTRACKED" => State::Untracked,
            _ => return None,
        })
    }
}

/// What is asked: a packet and its way.
#[derive(Clone, Debug)]
pub struct Question {
    /// Device it comes in by.
    pub input: Option<String>,
    /// Device it leaves by.
    pub output: Option<String>,
    /// Only these hooks; the way that the devices imply where empty.
    pub hooks: Vec<Hook>,
    /// Only this table of the dump.
    pub table: Option<TableKind>,
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// Protocol number.
    pub proto: u8,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// State of its connection.
    pub state: State,
    /// Its mark.
    pub mark: u32,
    /// Addresses of the host's devices, for `addrtype` and `MASQUERADE`.
    pub addresses: Vec<(String, Ipv4Net)>,
}

/// What became of the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It went through.
    Accept,
    /// A rule or policy dropped it.
    Drop,
    /// A rule refused it with an answer.
    Reject,
    /// Its fate depends on something that is not modelled, or not known.
    Unmodelled,
}

impl Verdict {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Accept => "accept",
            Verdict::Drop => "drop",
            Verdict::Reject => "reject",
            Verdict::Unmodelled => "unmodelled",
        }
    }
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Verdict.
    pub verdict: Verdict,
    /// The world with its trace.
    pub session: Session,
    /// Index of the packet's first event in the trace.
    pub first: usize,
    /// The packet as it came and as it left.
    pub packets: [Packet; 2],
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The question makes no sense.
    #[error("{0}")]
    Question(String),
    /// What `iptables-restore` says of the dump.
    #[error("{0}")]
    Dump(String),
}

/// The packet's way as hooks.
fn way(q: &Question) -> Result<Vec<Hook>, String> {
    use Hook::{Forward, Input, Output, Postrouting, Prerouting};
    let need = |h: Hook| match h {
        Prerouting | Input => q.input.is_some(),
        Forward => q.input.is_some() && q.output.is_some(),
        Output | Postrouting => q.output.is_some(),
    };
    let hooks = match (&q.input, &q.output) {
        _ if !q.hooks.is_empty() => q.hooks.clone(),
        (Some(_), Some(_)) => vec![Prerouting, Forward, Postrouting],
        (Some(_), None) => vec![Prerouting, Input],
        (None, Some(_)) => vec![Output, Postrouting],
        (None, None) => return Err("the packet has no way: say --in, --out or both".into()),
    };
    match hooks.iter().find(|h| !need(**h)) {
        Some(h) => Err(format!(
            "{} wants {}",
            h.name(),
            match h {
                Prerouting | Input => "--in",
                Forward => "--in and --out",
                Output | Postrouting => "--out",
            }
        )),
        None => Ok(hooks),
    }
}

/// Walks the packet through a dump.
///
/// # Errors
/// What is wrong with the question, or what `iptables-restore` says of the dump.
pub fn walk(dump: &str, q: &Question) -> Result<Answer, Problem> {
    let hooks = way(q).map_err(Problem::Question)?;
    let (mut s, host, ns) = world(q, &hooks).map_err(Problem::Question)?;
    restore(&mut s, host, ns, dump, q.table).map_err(Problem::Dump)?;
    let dev = |name: &Option<String>| name.as_ref().and_then(|n| s.kernel.dev_by_name(ns, n));
    let (iif, oif) = (dev(&q.input), dev(&q.output));
    let mut p = packet(&mut s, q, iif);
    prepare(&mut s, ns, q, hooks[0], iif.or(oif), &mut p);
    let came = p.clone();
    let first = s.kernel.rec.events.len();
    let mut verdict = Verdict::Accept;
    for hook in hooks.iter().copied() {
        let (iif, oif) = match hook {
            Hook::Prerouting | Hook::Input => (iif, None),
            Hook::Forward => (iif, oif),
            Hook::Output | Hook::Postrouting => (None, oif),
        };
        let nexthop = p.ipv4().map_or(q.dst, |ip| ip.dst);
        let at = HookAt { ns, hook, iif, oif, ty: PktType::Host, nexthop, mtu: 1500, kind: RouteType::Unicast };
        if s.kernel.nf_hook(&at, &mut p) != HookVerdict::Accept {
            verdict = ended(&s, first);
            break;
        }
    }
    let packets = [came, p];
    let mut notes = notes(&s, first, q, &hooks, &packets);
    if let Some(note) = without_address(&s, ns, first) {
        verdict = Verdict::Unmodelled;
        notes.push(note);
    }
    Ok(Answer { verdict, session: s, first, packets, notes })
}

/// Whether `iptables-restore` takes a dump.
///
/// # Errors
/// What it says of it.
pub fn check(dump: &str) -> Result<(), Problem> {
    let mut s = Session::new(1);
    let host = s.add_host(&HostSpec { name: "host".into(), ..HostSpec::default() }).map_err(Problem::Question)?;
    let ns = s.kernel.host(host).root_ns;
    restore(&mut s, host, ns, dump, None).map_err(Problem::Dump)
}

/// A device's name as the kernel takes it (`dev_valid_name`).
fn device_name(n: &str) -> Result<(), String> {
    let valid = !n.is_empty() && n.len() < 16 && !matches!(n, "." | "..");
    match valid && !n.contains(|c: char| c == '/' || c == ':' || c.is_whitespace()) {
        true => Ok(()),
        false => Err(format!("`{n}` is no name of a device: up to 15 characters, and no / or : or blank among them")),
    }
}

/// The host, its devices and its addresses. The end of a way that lies in the host itself has its address there.
fn world(q: &Question, hooks: &[Hook]) -> Result<(Session, HostId, NetnsId), String> {
    let mut s = Session::new(1);
    let mut names: Vec<&String> = q.input.iter().chain(&q.output).collect();
    names.extend(q.addresses.iter().map(|a| &a.0));
    names.dedup();
    names.iter().try_for_each(|n| device_name(n))?;
    let mut nics: Vec<NicSpec> = Vec::new();
    for (i, name) in names.iter().enumerate().filter(|(_, n)| n.as_str() != "lo") {
        if nics.iter().all(|n| n.name != **name) {
            let lan = format!("lan{i}");
            nics.push(NicSpec { name: (*name).clone(), lan, address: None, mac: None, mtu: None, gateway: None });
        }
    }
    let host = s.add_host(&HostSpec { name: "host".into(), nics, ..HostSpec::default() })?;
    let ns = s.kernel.host(host).root_ns;
    let mut addresses = q.addresses.clone();
    let own = |a: Ipv4Addr, dev: &Option<String>| Some((dev.clone()?, Ipv4Net::new(a, 32).ok()?));
    if hooks.contains(&Hook::Input) {
        addresses.extend(own(q.dst, &q.input));
    }
    if hooks.contains(&Hook::Output) {
        addresses.extend(own(q.src, &q.output));
    }
    for (dev, net) in addresses {
        // What stands there already is no error.
        let r = run_line(&mut s, host, ns, &format!("ip addr replace {net} dev {dev}"));
        if r.exit != 0 {
            return Err(format!("{net} on {dev}: {}", r.stderr.trim_end()));
        }
    }
    Ok((s, host, ns))
}

/// Restores the dump, or one table of it: lines of other tables stay empty, so that numbers of lines hold.
fn restore(s: &mut Session, host: HostId, ns: NetnsId, dump: &str, table: Option<TableKind>) -> Result<(), String> {
    let mut text = String::new();
    let mut mine = true;
    for line in dump.lines() {
        if let Some(name) = line.strip_prefix('*') {
            mine = table.is_none_or(|t| t.name() == name.trim());
        }
        if mine {
            text.push_str(line);
        }
        text.push('\n');
    }
    s.write_file(host, ns, "/rules", &text, false).map_err(|e| e.strerror().to_owned())?;
    let r = run_line(s, host, ns, "iptables-restore /rules");
    match (r.refusal, r.exit) {
        (Some((what, _)), _) => Err(format!("not modelled: {what}")),
        (None, 0) => Ok(()),
        (None, _) => Err(r.stderr.trim_end().to_owned()),
    }
}

fn packet(s: &mut Session, q: &Question, iif: Option<DevId>) -> Packet {
    let l4 = match q.proto {
        1 => L4::Icmp(Icmp { ty: 8, code: 0, rest: u32::from(q.sport) << 16 | 1, payload: Bytes::new() }),
        6 => L4::Tcp(Tcp {
            sport: q.sport,
            dport: q.dport,
            seq: 1,
            ack: u32::from(q.state != State::New),
            flags: if q.state == State::New { TcpFlags::SYN } else { TcpFlags::ACK },
            window: 64_240,
            opts: TcpOpts::default(),
            payload: Bytes::new(),
        }),
        17 => L4::Udp(Udp { sport: q.sport, dport: q.dport, payload: Bytes::new() }),
        n => L4::Raw(n, Bytes::new()),
    };
    let ip = Ipv4 {
        tos: 0,
        id: 1,
        df: true,
        mf: false,
        frag_off: 0,
        ttl: 64,
        src: q.src,
        dst: q.dst,
        gso_size: 0,
        options: Bytes::new(),
        l4,
    };
    let dst = iif.map_or(MacAddr::ZERO, |d| s.kernel.dev(d).mac);
    Packet {
        mark: q.mark,
        iif: iif.map_or(0, |d| d.ix() as u32 + 1),
        ..Packet::new(PacketId(1), MacAddr([2, 0, 0, 0, 0, 1]), dst, Body::Ipv4(ip.into()))
    }
}

/// Gives the packet the connection that its state speaks of.
fn prepare(s: &mut Session, ns: NetnsId, q: &Question, hook: Hook, dev: Option<DevId>, p: &mut Packet) {
    let Some(dev) = dev else { return };
    let k = &mut s.kernel;
    match q.state {
        // Tracking sits at the first hooks; whoever begins behind them has been through it.
        State::New if !matches!(hook, Hook::Prerouting | Hook::Output) => {
            k.nf_conntrack_in(ns, hook, dev, p);
        }
        State::New => {}
        State::Untracked => p.nf.ctinfo = CtInfo::Untracked,
        // A packet that tracking made nothing of has no connection, as if nobody tracked.
        State::Invalid => k.netns[ns.ix()].nf.xt.ct_users = 0,
        State::Established | State::Related => {
            let mut begin = p.clone();
            if let Some(ip) = begin.ipv4_mut()
                && let L4::Tcp(t) = &mut ip.l4
            {
                (t.flags, t.ack) = (TcpFlags::SYN, 0);
            }
            k.nf_conntrack_in(ns, hook, dev, &mut begin);
            let Some(ct) = begin.nf.ct else { return };
            p.nf.ct = Some(ct);
            p.nf.ctinfo = CtInfo::Related;
            if q.state == State::Established {
                k.nf_conntrack_confirm(ns, Hook::Postrouting, dev, &mut begin);
                if let Some(c) = k.netns[ns.ix()].nf.ct.get_mut(ct) {
                    c.status |= Status::SEEN_REPLY | Status::ASSURED;
                }
                p.nf.ctinfo = CtInfo::Established;
            }
            p.snap = 0;
        }
    }
}

/// Why a hook kept the packet.
fn ended(s: &Session, first: usize) -> Verdict {
    let events = &s.kernel.rec.events[first..];
    let unknown = |k: &EventKind| matches!(k, EventKind::Drop { reason: DropReason::PACKETWALK_UNMODELLED, .. });
    if events.iter().any(|e| unknown(&e.kind)) {
        return Verdict::Unmodelled;
    }
    let rejects = |k: &EventKind| matches!(k, EventKind::XtMatched { verdict: RuleVerdict::Reject, .. });
    if events.iter().any(|e| rejects(&e.kind)) { Verdict::Reject } else { Verdict::Drop }
}

/// MASQUERADE takes the address of the device that the packet leaves by; without one its fate is not known.
fn without_address(s: &Session, ns: NetnsId, first: usize) -> Option<String> {
    let asks = |k: &EventKind| matches!(k, EventKind::XtMatched { at, .. } if is_masquerade(&at.rule.target));
    let e = s.kernel.rec.events[first..].iter().find(|e| e.ns == ns && asks(&e.kind))?;
    let dev = s.kernel.dev(e.dev?);
    let name = &dev.name;
    dev.addrs.is_empty().then(|| format!("MASQUERADE takes the address of {name}: say --address {name}=ADDRESS/PREFIX"))
}

fn is_masquerade(t: &Target) -> bool {
    matches!(t, Target::Nat(n) if n.kind == NatKind::Masquerade)
}

fn notes(s: &Session, first: usize, q: &Question, hooks: &[Hook], packets: &[Packet; 2]) -> Vec<String> {
    let mut out = Vec::new();
    let asks = |k: &EventKind| match k {
        EventKind::XtMatched { at, .. } | EventKind::XtMissed { at, .. } => {
            at.rule.matches.iter().any(|m| matches!(m, Match::Addrtype(_)))
        }
        _ => false,
    };
    if q.addresses.is_empty() && s.kernel.rec.events[first..].iter().any(|e| asks(&e.kind)) {
        let what = "a rule asks which addresses are the host's own (addrtype)";
        out.push(format!("{what}: say --address DEVICE=ADDRESS/PREFIX for each, else none is"));
    }
    let walked = |k: &EventKind| {
        matches!(k, EventKind::XtMatched { .. } | EventKind::XtMissed { .. } | EventKind::XtPolicy { .. })
    };
    if !s.kernel.rec.events[first..].iter().any(|e| walked(&e.kind)) {
        let names: Vec<&str> = hooks.iter().map(|h| h.name()).collect();
        out.push(format!("no chain of the dump is on its way ({})", names.join(", ")));
    }
    let dst = |p: &Packet| p.ipv4().map(|ip| ip.dst);
    if dst(&packets[0]) != dst(&packets[1]) && q.hooks.is_empty() {
        out.push("nothing is routed: the devices are taken as given, also for the translated destination".into());
    }
    out
}
