//! What a case's numbers stand for: nodes, devices, the segments that join them, addresses and routes.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::Case;

/// An entry of a list by a number of any size.
pub fn pick<T>(list: &[T], n: u8) -> &T {
    &list[usize::from(n) % list.len()]
}

/// A network namespace: a host's own or one made on it.
pub struct Node {
    /// How a line calls it: `h1`, `h1/ns:n2`.
    pub place: String,
    /// Name of a namespace; none for a host.
    pub ns: Option<String>,
    /// Node of its host.
    pub host: usize,
    /// Lines of its own that set it up.
    pub lines: Vec<String>,
    /// Lines after those: routes.
    pub routes: Vec<String>,
    /// It forwards.
    pub forwards: bool,
}

/// A device.
pub struct Dev {
    /// Node it is in.
    pub node: usize,
    /// Its name there.
    pub name: String,
    /// Segment.
    pub seg: usize,
    /// Bridge it is a port of.
    pub master: Option<usize>,
    /// It is a bridge.
    pub bridge: bool,
    /// It was there from the start.
    pub nic: bool,
    /// Addresses with prefix length.
    pub addrs: Vec<String>,
    /// Ethernet address.
    pub mac: String,
    /// It is left down.
    pub down: bool,
    /// It is to be no port of its bridge.
    pub left_out: bool,
    /// It has no address.
    pub bare: bool,
}

/// The whole.
pub struct Plan {
    /// Nodes: hosts first.
    pub nodes: Vec<Node>,
    /// Devices.
    pub devs: Vec<Dev>,
    /// How many of the nodes are hosts.
    pub hosts: usize,
    /// Nodes with rules.
    pub ruled: Vec<usize>,
    /// Lines on hosts that make namespaces, bridges and links.
    pub made: Vec<Vec<String>>,
    /// There are rules, which may track packets.
    pub tracks: bool,
    join: Vec<usize>,
}

impl Plan {
    /// Lays a case out.
    pub fn of(c: &Case) -> Plan {
        let mut p = Plan {
            nodes: Vec::new(),
            devs: Vec::new(),
            hosts: c.hosts.len(),
            ruled: Vec::new(),
            made: Vec::new(),
            tracks: !c.rules.is_empty(),
            join: Vec::new(),
        };
        p.hosts(c);
        p.spaces(c);
        p.bridges(c);
        p.links(c);
        p.without_ports(c);
        p
    }

    /// Devices that may have an address of their own, of a node.
    pub fn l3_of(&self, node: usize) -> Vec<usize> {
        (0..self.devs.len()).filter(|d| self.devs[*d].node == node && self.devs[*d].master.is_none()).collect()
    }

    /// All addresses, with their device.
    pub fn addresses(&self) -> impl Iterator<Item = (usize, String)> {
        let of = |(i, d): (usize, &Dev)| d.addrs.iter().map(move |a| (i, bare(a).to_owned())).collect::<Vec<_>>();
        self.devs.iter().enumerate().flat_map(of)
    }

    /// One of them.
    pub fn some_address(&self, n: u8) -> String {
        let all: Vec<String> = self.addresses().map(|x| x.1).collect();
        if all.is_empty() { "10.1.0.1".to_owned() } else { pick(&all, n).clone() }
    }

    /// Segments joined by bridges are one.
    pub fn root(&self, mut seg: usize) -> usize {
        while self.join[seg] != seg {
            seg = self.join[seg];
        }
        seg
    }

    fn seg(&mut self) -> usize {
        self.join.push(self.join.len());
        self.join.len() - 1
    }

    fn node(&mut self, place: String, ns: Option<String>, host: usize) -> usize {
        self.nodes.push(Node { place, ns, host, lines: Vec::new(), routes: Vec::new(), forwards: false });
        self.nodes.len() - 1
    }

    fn dev(&mut self, node: usize, name: String, seg: usize) -> usize {
        let n = self.devs.len();
        self.devs.push(Dev {
            node,
            name,
            seg,
            master: None,
            bridge: false,
            nic: false,
            addrs: Vec::new(),
            mac: format!("02:00:00:00:{:02x}:{:02x}", node, n + 1),
            down: false,
            left_out: false,
            bare: false,
        });
        n
    }

    fn hosts(&mut self, c: &Case) {
        let (lan, dmz) = (self.seg(), self.seg());
        for (i, bits) in c.hosts.iter().enumerate() {
            self.node(format!("h{}", i + 1), None, i);
            self.made.push(Vec::new());
            for (k, seg, net) in [(0, lan, "192.168.50"), (1, dmz, "192.168.60")] {
                if k == 0 || bits & 1 == 1 {
                    let d = self.dev(i, format!("eth{k}"), seg);
                    self.devs[d].nic = true;
                    self.devs[d].addrs.push(format!("{net}.{}/24", i + 1));
                }
            }
        }
    }

    fn spaces(&mut self, c: &Case) {
        for (i, s) in c.spaces.iter().enumerate().take(7 - self.hosts) {
            let host = usize::from(s.host) % self.hosts;
            let name = format!("n{}", i + 1);
            self.node(format!("h{}/ns:{name}", host + 1), Some(name.clone()), host);
            self.made[host].push(format!("ip netns add {name}"));
        }
    }

    fn bridges(&mut self, c: &Case) {
        for (i, (at, bits)) in c.bridges.iter().enumerate() {
            let inside = bits & 2 == 2 && self.nodes.len() > self.hosts;
            let node = if inside {
                self.hosts + usize::from(*at) % (self.nodes.len() - self.hosts)
            } else {
                usize::from(*at) % self.hosts
            };
            let seg = self.seg();
            let d = self.dev(node, format!("br{i}"), seg);
            (self.devs[d].bridge, self.devs[d].bare) = (true, bits & 1 == 1);
        }
    }

    /// Leaves out most bridges that nothing is a port of: there is little to see on them, and to take one down costs the
    /// lock of all devices for 20 ms (`rcu_barrier` in `br_multicast_dev_del`). The lines that make the others.
    fn without_ports(&mut self, c: &Case) {
        let ports: BTreeSet<usize> = self.devs.iter().filter_map(|d| d.master).collect();
        let mut bits = c.bridges.iter().map(|b| b.1);
        let mut kept = Vec::new();
        for d in 0..self.devs.len() {
            let keep = !self.devs[d].bridge || bits.next().is_some_and(|b| b & 28 == 28) || ports.contains(&d);
            if keep {
                kept.push(d);
            }
        }
        let new: BTreeMap<usize, usize> = kept.iter().enumerate().map(|(n, d)| (*d, n)).collect();
        let mut n = 0;
        self.devs.retain_mut(|d| {
            n += 1;
            d.master = d.master.and_then(|m| new.get(&m).copied());
            new.contains_key(&(n - 1))
        });
        for d in self.devs.iter().filter(|d| d.bridge) {
            let line = format!("ip link add {} address {} type bridge mcast_snooping 0", d.name, d.mac);
            self.nodes[d.node].lines.push(line);
        }
    }

    /// Where a veth of a namespace may lead: bridges of its host, the host, namespaces before it.
    fn links(&mut self, c: &Case) {
        for (i, s) in c.spaces.iter().enumerate().take(self.nodes.len() - self.hosts) {
            let me = self.hosts + i;
            let host = self.nodes[me].host;
            for to in &s.links {
                let near: Vec<usize> = (0..self.devs.len())
                    .filter(|d| {
                        self.devs[*d].bridge && self.devs[*d].node != me && self.nodes[self.devs[*d].node].host == host
                    })
                    .collect();
                let others: Vec<usize> =
                    (0..me).filter(|n| *n == host || (*n >= self.hosts && self.nodes[*n].host == host)).collect();
                if *to < 150 && !near.is_empty() {
                    let b = *pick(&near, *to);
                    self.veth(me, self.devs[b].node, None, Some(b));
                } else {
                    self.veth(me, *pick(&others, *to), None, None);
                }
            }
        }
        for (a, b) in &c.cables {
            let all: Vec<usize> = (0..self.devs.len()).filter(|d| self.devs[*d].bridge).collect();
            if all.len() > 1 {
                let (a, b) = (*pick(&all, *a), *pick(&all, *b));
                let same = self.nodes[self.devs[a].node].host == self.nodes[self.devs[b].node].host;
                // Two ways between the same bridges are a storm.
                if same && self.root(self.devs[a].seg) != self.root(self.devs[b].seg) {
                    self.veth(self.devs[a].node, self.devs[b].node, Some(a), Some(b));
                }
            }
        }
    }

    fn veth(&mut self, a: usize, b: usize, abridge: Option<usize>, bbridge: Option<usize>) {
        let seg = self.seg();
        let n = self.devs.len();
        let da = self.dev(a, format!("e{n}"), seg);
        let db = self.dev(b, format!("v{}", n + 1), seg);
        let host = self.nodes[a].host;
        let within = |n: &Node| n.ns.as_ref().map_or(String::new(), |x| format!(" netns {x}"));
        let (wa, wb) = (within(&self.nodes[a]), within(&self.nodes[b]));
        // A host has no name among its own namespaces: the pair is made on the host's side.
        let (x, y, wx, wy) = if wb.is_empty() { (db, da, wb, wa) } else { (da, db, wa, wb) };
        let (dx, dy) = (&self.devs[x], &self.devs[y]);
        let line = format!(
            "ip link add {}{wx} address {} {ONE_QUEUE} type veth peer name {} address {} {ONE_QUEUE}{wy}",
            dx.name, dx.mac, dy.name, dy.mac
        );
        self.made[host].push(line);
        for (d, br) in [(da, abridge), (db, bbridge)] {
            if let Some(br) = br {
                self.devs[d].master = Some(br);
                let (s, t) = (self.root(seg), self.root(self.devs[br].seg));
                self.join[s] = t;
            }
        }
    }

    /// Addresses for what has none: a subnet for each segment.
    pub fn address(&mut self) {
        let mut nets: BTreeMap<usize, (String, u8)> = BTreeMap::new();
        nets.insert(self.root(0), ("192.168.50".into(), 10));
        nets.insert(self.root(1), ("192.168.60".into(), 10));
        let mut k = 0;
        for d in 0..self.devs.len() {
            if self.devs[d].master.is_some() || !self.devs[d].addrs.is_empty() || self.devs[d].bare {
                continue;
            }
            let (net, n) = nets.entry(self.root(self.devs[d].seg)).or_insert_with(|| {
                k += 1;
                (format!("10.{k}.0"), 0)
            });
            *n += 1;
            let a = format!("{net}.{}/24", *n);
            self.devs[d].addrs.push(a);
        }
    }

    /// Segments in which each node has an address.
    fn segments(&self) -> Vec<BTreeMap<usize, String>> {
        let mut out = vec![BTreeMap::new(); self.nodes.len()];
        for d in &self.devs {
            if let (None, Some(a)) = (d.master, d.addrs.first()) {
                out[d.node].entry(self.root(d.seg)).or_insert_with(|| a.clone());
            }
        }
        out
    }

    /// Forwarding where a node is in several segments, and routes to all segments by the fewest routers.
    pub fn route(&mut self) {
        let at = self.segments();
        let routers: Vec<usize> = (0..self.nodes.len()).filter(|n| at[*n].len() > 1).collect();
        for r in &routers {
            self.nodes[*r].forwards = true;
        }
        for me in 0..self.nodes.len() {
            let mut seen: BTreeSet<usize> = at[me].keys().copied().collect();
            let mut todo: Vec<(usize, Option<String>)> = seen.iter().map(|s| (*s, None)).collect();
            let mut far: Vec<(String, String)> = Vec::new();
            while !todo.is_empty() {
                let (s, via) = todo.remove(0);
                for r in routers.iter().filter(|r| **r != me && at[**r].contains_key(&s)) {
                    let gw = via.clone().unwrap_or_else(|| bare(&at[*r][&s]).to_owned());
                    for (t, a) in &at[*r] {
                        if seen.insert(*t) {
                            far.push((net(a), gw.clone()));
                            todo.push((*t, Some(gw.clone())));
                        }
                    }
                }
            }
            let one: BTreeSet<&String> = far.iter().map(|f| &f.1).collect();
            self.nodes[me].routes = match one.first() {
                Some(gw) if one.len() == 1 => vec![format!("ip route add default via {gw}")],
                _ => far.iter().map(|(net, gw)| format!("ip route add {net} via {gw}")).collect(),
            };
        }
    }
}

/// One queue: a veth that may choose takes as many as there are processors and lets all but one go, for which each end
/// waits with the lock of all devices (`veth_init_queues`).
const ONE_QUEUE: &str = "numtxqueues 1 numrxqueues 1";

/// An address without its prefix length.
pub fn bare(a: &str) -> &str {
    a.split('/').next().unwrap_or(a)
}

/// The /24 that an address is in.
pub fn net(a: &str) -> String {
    format!("{}.0/24", bare(a).rsplit_once('.').map_or("", |x| x.0))
}
