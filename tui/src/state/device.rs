//! What a place looks like: devices, addresses, routes, neighbours, forwarding database, connections, programs; with what
//! the step changed.

use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::clause::route_text;

use super::panel::Panel;
use super::walk::WalkState;
use crate::tell::who;

/// How a line of a text stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ink {
    #[default]
    Plain,
    Head,
    /// It was not there before.
    New,
    /// It is gone.
    Gone,
}

/// A line of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextLine {
    pub text: String,
    pub ink: Ink,
}

impl From<&str> for TextLine {
    fn from(text: &str) -> Self {
        TextLine { text: text.to_owned(), ink: Ink::Plain }
    }
}

/// The panel of the place where the packet is; of every host on the opening page.
pub(super) fn panel(w: &WalkState) -> Panel {
    let (before, after) = (w.walk.before(w.chapter), w.world());
    let (ns, dev) = match w.event() {
        Some((_, e, _)) => (Some(e.ns), e.dev),
        None => {
            let place = w.walk.chapter(w.chapter).map(|d| d.result.place.clone()).unwrap_or_default();
            (after.place(&place).ok().map(|p| p.1), None)
        }
    };
    let ns = ns.or_else(|| after.kernel.hosts.first().map(|h| h.root_ns));
    let Some(ns) = ns else { return of("device", vec!["There is no device in this world.".into()]) };
    let title = match dev {
        Some(d) => format!("{} of {}", after.kernel.dev(d).name, who(after, ns)),
        None => who(after, ns),
    };
    let mut lines = Vec::new();
    for (head, of) in SECTIONS {
        let old = if ns.ix() < before.kernel.netns.len() { of(before, ns) } else { Vec::new() };
        let new = of(after, ns);
        if old.is_empty() && new.is_empty() {
            continue;
        }
        lines.push(TextLine { text: (*head).to_owned(), ink: Ink::Head });
        for l in &new {
            let ink = if old.contains(l) || w.chapter == 0 { Ink::Plain } else { Ink::New };
            lines.push(TextLine { text: l.clone(), ink });
        }
        for l in old.into_iter().filter(|l| !new.contains(l)) {
            lines.push(TextLine { text: l, ink: Ink::Gone });
        }
        lines.push(TextLine::default());
    }
    if w.chapter > 0 {
        lines.push("As it is after this step; + is new, - is gone since before it.".into());
    }
    of(&title, lines)
}

fn of(title: &str, lines: Vec<TextLine>) -> Panel {
    Panel::Device { title: title.to_owned(), lines, scroll: 0 }
}

type Section = fn(&Session, NetnsId) -> Vec<String>;

const SECTIONS: &[(&str, Section)] = &[
    ("devices and addresses", devices),
    ("routes (table main)", routes),
    ("neighbours (ARP)", neighbours),
    ("forwarding database (which Ethernet address is where)", fdb),
    ("connections (conntrack)", connections),
    ("programs that listen", listeners),
];

pub(crate) fn devices(s: &Session, ns: NetnsId) -> Vec<String> {
    let one = |d: &packetwalk_sim::kernel::link::Device| {
        let addrs: Vec<String> = d.addrs.iter().map(|a| format!("{}/{}", a.local, a.prefix)).collect();
        let peer = d.veth_peer().map(|p| s.kernel.dev(p));
        let peer = peer.map(|p| format!(" cable to {} of {}", p.name, who(s, p.netns))).unwrap_or_default();
        let master = d.master.map(|m| format!(" port of {}", s.kernel.dev(m).name)).unwrap_or_default();
        let updown = if d.is_up() { "up" } else { "down" };
        let kind = d.info_kind().unwrap_or("loopback");
        format!("{} {} {kind} {updown} mtu {} {}{master}{peer}", d.name, addrs.join(" "), d.mtu, d.mac)
    };
    s.kernel.devs_of(ns).map(one).collect()
}

pub(crate) fn routes(s: &Session, ns: NetnsId) -> Vec<String> {
    let main = packetwalk_sim::kernel::fib::table::MAIN;
    let text = |r| route_text(s, r).trim_start_matches("table main ").to_owned();
    s.kernel.routes_of(ns, main).iter().map(text).collect()
}

pub(crate) fn neighbours(s: &Session, ns: NetnsId) -> Vec<String> {
    let shown =
        s.kernel.ns(ns).neigh.entries.iter().filter(|(_, n)| n.nud.as_str() != "NONE" && n.nud.as_str() != "NOARP");
    let one = |((dev, ip), n): (&(_, std::net::Ipv4Addr), &packetwalk_sim::kernel::neigh::Neigh)| {
        let mac = if n.nud.is_valid() { n.lladdr.to_string() } else { "address unknown".into() };
        format!("{ip} dev {} {mac} {}", s.kernel.dev(*dev).name, n.nud.as_str())
    };
    shown.map(one).collect()
}

pub(crate) fn fdb(s: &Session, ns: NetnsId) -> Vec<String> {
    use packetwalk_sim::kernel::bridge::FdbKind;
    let mut out = Vec::new();
    for d in s.kernel.devs_of(ns) {
        if d.bridge().is_some() {
            for (mac, e) in s.kernel.fdb_of(d.id) {
                let kind = match e.kind {
                    FdbKind::Learned => "learnt",
                    FdbKind::Static => "static",
                    FdbKind::Local => "its own",
                };
                out.push(format!("{}: {mac} at {} {kind}", d.name, s.kernel.dev(e.dev).name));
            }
        }
        if let Some(v) = d.vxlan() {
            for (mac, e) in v.entries(s.kernel.now()) {
                for r in &e.remotes {
                    out.push(format!("{}: {mac} on host {} {}", d.name, r.ip, e.state.as_str()));
                }
            }
        }
    }
    out
}

fn connections(s: &Session, ns: NetnsId) -> Vec<String> {
    packetwalk_sim::command::conntrack::list(&s.kernel, ns)
}

pub(crate) fn listeners(s: &Session, ns: NetnsId) -> Vec<String> {
    let all = s.kernel.sockets(ns);
    let open = all.into_iter().filter(|x| matches!(x.state, "LISTEN" | "UNCONN"));
    open.map(|x| format!("{} {}:{}", x.proto, x.local, x.lport)).collect()
}
