//! The world: `client` - `router` - `server2` to `server4`.

use packetwalk_sim::app::probe::{Probe, ProbeReport};
use packetwalk_sim::kernel::types::{HostId, NetnsId};
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec, ServeSpec};
use packetwalk_sim::shell::{Ran, run_line};
use packetwalk_sim::trace::{Event, EventKind};
use packetwalk_sim::wire::Packet;

/// The router's device towards the client.
pub const IN: &str = "eth0";
/// The router's device towards the server.
pub const OUT: &str = "wan1";

/// A world with a router in its middle.
#[derive(Clone)]
pub struct Net {
    pub s: Session,
    pub router: NetnsId,
    pub servers: [NetnsId; 3],
}

fn nic(name: &str, lan: &str, address: &str, gateway: Option<&str>) -> NicSpec {
    NicSpec {
        name: name.into(),
        lan: lan.into(),
        address: Some(address.parse().expect("a prefix")),
        mac: None,
        mtu: None,
        gateway: gateway.map(|g| g.parse().expect("an address")),
    }
}

impl Net {
    /// The client has 10.0.1.2 to 10.0.1.5, the servers 10.0.2.2 to 10.0.2.4, the router also 10.0.2.50 to 10.0.2.53.
    /// Each server has one address: a UDP server with several answers from its first.
    pub fn new(seed: u64) -> Net {
        let mut s = Session::new(seed);
        let serve =
            |list: &[(bool, u16)]| list.iter().map(|(udp, port)| ServeSpec { udp: *udp, port: *port }).collect();
        let hosts = [
            ("client", vec![nic("eth0", "lan1", "10.0.1.2/24", Some("10.0.1.1"))], serve(&[])),
            (
                "router",
                vec![nic(IN, "lan1", "10.0.1.1/24", None), nic(OUT, "lan2", "10.0.2.1/24", None)],
                serve(&[(false, 80), (true, 53)]),
            ),
        ];
        for (name, nics, serve) in hosts {
            s.add_host(&HostSpec { name: name.into(), nics, serve, ..HostSpec::default() }).expect("a host");
        }
        for i in 2..5 {
            let nics = vec![nic("eth0", "lan2", &format!("10.0.2.{i}/24"), Some("10.0.2.1"))];
            let serve = serve(&[(false, 80), (false, 8080), (true, 53), (true, 5353)]);
            s.add_host(&HostSpec { name: format!("server{i}"), nics, serve, ..HostSpec::default() }).expect("a host");
        }
        let at = |s: &Session, name: &str| s.place(name).expect("a host").1;
        let servers = ["server2", "server3", "server4"].map(|n| at(&s, n));
        let router = at(&s, "router");
        let mut net = Net { s, router, servers };
        net.ok("client", "for i in 3 4 5; do ip addr add 10.0.1.$i/24 dev eth0; done");
        net.ok("router", "for i in 50 51 52 53; do ip addr add 10.0.2.$i/24 dev wan1; done");
        net.ok("router", "sysctl -w net.ipv4.ip_forward=1");
        net
    }

    fn at(&self, place: &str) -> (HostId, NetnsId) {
        self.s.place(place).expect("the place exists")
    }

    /// Runs a line.
    pub fn run(&mut self, place: &str, line: &str) -> Ran {
        let (h, ns) = self.at(place);
        run_line(&mut self.s, h, ns, line)
    }

    /// Runs a line that must succeed, and gives what it prints.
    pub fn ok(&mut self, place: &str, line: &str) -> String {
        let r = self.run(place, line);
        assert!(r.exit == 0 && r.refusal.is_none(), "{place}$ {line}\n{r:?}");
        r.stdout
    }

    /// Loads a dump on the router; what the tool says where it does not want it.
    pub fn restore(&mut self, tool: &str, dump: &str) -> Result<(), String> {
        let (h, ns) = self.at("router");
        self.s.write_file(h, ns, "/tmp/dump", dump, false).expect("a file");
        let r = self.run("router", &format!("{tool}-restore /tmp/dump"));
        if r.exit == 0 && r.refusal.is_none() { Ok(()) } else { Err(format!("{}{:?}\n{dump}", r.stderr, r.refusal)) }
    }

    /// Sends a probe from the client.
    pub fn probe(&mut self, text: &str) -> ProbeReport {
        let (h, ns) = self.at("client");
        self.s.probe(h, ns, &Probe::parse(text).expect("a probe"))
    }

    /// Events of a namespace.
    pub fn events(&self, ns: NetnsId) -> impl Iterator<Item = &Event> {
        self.s.kernel.rec.events.iter().filter(move |e| e.ns == ns)
    }

    /// The packet of an event and its device, if it is an IPv4 packet.
    pub fn ip(&self, e: &Event) -> Option<(&Packet, &str)> {
        let p = self.s.kernel.rec.packet_at(e).filter(|p| p.ipv4().is_some())?;
        Some((p, self.s.kernel.dev(e.dev?).name.as_str()))
    }

    /// IPv4 packets that a device of a namespace received, in order.
    pub fn received(&self, ns: NetnsId, dev: &str) -> Vec<&Packet> {
        let rx = self.events(ns).filter(|e| matches!(e.kind, EventKind::Rx));
        rx.filter_map(|e| self.ip(e)).filter(|(_, d)| *d == dev).map(|(p, _)| p).collect()
    }
}
