//! What may be wrong with a topology, one function for what precedes the addresses and one for what comes after.

use crate::case::Mistake;
use crate::plan::{Plan, bare, net, pick};

/// Names of the kinds.
pub const KINDS: [&str; 20] = [
    "no forwarding",
    "wrong prefix",
    "no address",
    "second address",
    "address of another",
    "address on lo",
    "dead gateway",
    "missing route",
    "route that refuses",
    "rule from",
    "rule to",
    "left out of its bridge",
    "down",
    "mtu",
    "port flag",
    "neighbour",
    "fdb",
    "extra route",
    "rule fwmark",
    "proxy neighbour",
];

impl Mistake {
    /// Its name.
    pub fn name(&self) -> &'static str {
        KINDS[usize::from(self.kind) % KINDS.len()]
    }

    /// Before addresses are given.
    pub fn early(&self, p: &mut Plan) {
        let made: Vec<usize> = (0..p.devs.len()).filter(|d| !p.devs[*d].nic).collect();
        if made.is_empty() {
            return;
        }
        let d = *pick(&made, self.at);
        match self.name() {
            "no address" => p.devs[d].bare = true,
            "down" => p.devs[d].down = true,
            "left out of its bridge" => p.devs[d].left_out = true,
            _ => {}
        }
    }

    /// Between addresses and routes: what the routes do not know of.
    pub fn late(&self, p: &mut Plan) {
        let n = usize::from(self.at) % p.nodes.len();
        let l3: Vec<usize> = (0..p.devs.len()).filter(|d| !p.devs[*d].nic && !p.devs[*d].addrs.is_empty()).collect();
        let ports: Vec<usize> = (0..p.devs.len()).filter(|d| p.devs[*d].master.is_some()).collect();
        let made: Vec<usize> = (0..p.devs.len()).filter(|d| !p.devs[*d].nic).collect();
        let other = p.some_address(self.how);
        let first = p.l3_of(n).first().copied();
        match self.name() {
            "no forwarding" => p.nodes[n].forwards = false,
            "wrong prefix" if !l3.is_empty() => {
                let a = &mut p.devs[*pick(&l3, self.at)].addrs[0];
                *a = format!("{}/{}", bare(a), pick(&[16, 25, 32, 8, 30], self.how));
            }
            "second address" if !l3.is_empty() => {
                let d = &mut p.devs[*pick(&l3, self.at)];
                let a = format!("{}.{}/{}", stem(&d.addrs[0]), 100 + self.how % 50, pick(&[24, 24, 32, 28], self.how));
                d.addrs.push(a);
            }
            "address of another" if !l3.is_empty() => {
                let d = &mut p.devs[*pick(&l3, self.at)];
                if !d.addrs.iter().any(|a| bare(a) == other) {
                    d.addrs.push(format!("{other}/24"));
                }
            }
            "address on lo" => {
                let len = pick(&[32, 32, 24], self.how);
                p.nodes[n].lines.push(format!("ip addr add 10.200.{n}.1/{len} dev lo"));
            }
            "dead gateway" => {
                let routes = &mut p.nodes[n].routes;
                if let Some(r) = routes.last_mut() {
                    let (head, gw) = r.rsplit_once(' ').unwrap_or((r, ""));
                    *r = format!("{head} {}.253", stem(gw));
                }
            }
            "missing route" => drop(p.nodes[n].routes.pop()),
            "route that refuses" => {
                let kind = pick(&["blackhole", "unreachable", "prohibit", "throw"], self.how);
                p.nodes[n]
                    .routes
                    .push(format!("ip route add {kind} {}", pick(&[net(&other), format!("{other}/32")], self.how / 4)));
            }
            "rule from" => {
                let own = first.and_then(|d| p.devs[d].addrs.first().cloned()).unwrap_or(other.clone());
                let gw = format!("{}.{}", stem(&own), pick(&[1, 2, 253], self.how));
                let lines = [
                    format!("ip rule add from {} lookup 100", bare(&own)),
                    format!("ip route add default via {gw} table 100"),
                ];
                p.nodes[n].routes.extend(lines);
            }
            "rule to" => {
                let what = pick(&["unreachable", "prohibit", "blackhole", "lookup main"], self.how / 4);
                p.nodes[n].routes.push(format!("ip rule add to {} {what} pref 500", net(&other)));
            }
            "rule fwmark" => {
                let what = pick(&["unreachable", "prohibit", "lookup 100"], self.how);
                p.nodes[n].routes.push(format!("ip rule add fwmark 1 {what}"));
                p.nodes[n].routes.push("ip route add blackhole default table 100".into());
            }
            "mtu" if !made.is_empty() => {
                let d = *pick(&made, self.at);
                let line = format!("ip link set {} mtu {}", p.devs[d].name, pick(&[1000, 1400, 1280, 1496], self.how));
                p.nodes[p.devs[d].node].routes.push(line);
            }
            "port flag" if !ports.is_empty() => {
                let d = *pick(&ports, self.at);
                let flag = pick(&["isolated on", "learning off", "flood off", "hairpin on"], self.how);
                let line = format!("bridge link set dev {} {flag}", p.devs[d].name);
                p.nodes[p.devs[d].node].routes.push(line);
            }
            "neighbour" => {
                if let Some(d) = first {
                    let mac = &pick(&p.devs, self.how / 2).mac;
                    let line = format!("ip neigh replace {other} lladdr {mac} dev {} nud permanent", p.devs[d].name);
                    p.nodes[n].routes.push(line);
                }
            }
            "proxy neighbour" => {
                if let Some(d) = first {
                    let line = format!("ip neigh add proxy {other} dev {}", p.devs[d].name);
                    p.nodes[n].routes.push(line);
                }
            }
            "fdb" if !ports.is_empty() => {
                let d = *pick(&ports, self.at);
                let mac = &pick(&p.devs, self.how).mac;
                let kind = pick(&["master static", "master permanent", "master"], self.how);
                let line = format!("bridge fdb add {mac} dev {} {kind}", p.devs[d].name);
                p.nodes[p.devs[d].node].routes.push(line);
            }
            "extra route" => {
                let gw = p.some_address(self.how / 2);
                let line = match (first, self.how & 1) {
                    (Some(d), 1) => format!("ip route add {} dev {}", net(&other), p.devs[d].name),
                    _ => format!("ip route add {} via {gw}", net(&other)),
                };
                p.nodes[n].routes.push(line);
            }
            _ => {}
        }
    }
}

fn stem(a: &str) -> &str {
    bare(a).rsplit_once('.').map_or("10.1.0", |x| x.0)
}
