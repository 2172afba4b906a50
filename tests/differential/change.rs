//! Changes half way.

use proptest::prelude::*;

use crate::plan::{Plan, pick};
use crate::rule;

/// A change: which, where.
#[derive(Clone, Debug)]
pub struct Change {
    kind: u8,
    at: u8,
    how: u8,
}

/// All changes.
pub fn strategy() -> impl Strategy<Value = Change> {
    let n = any::<u8>;
    (n(), n(), n()).prop_map(|(kind, at, how)| Change { kind, at, how })
}

impl Change {
    /// Its line, and the mechanism it is counted as.
    pub fn line(&self, p: &Plan) -> (String, &'static str) {
        let made: Vec<usize> = (0..p.devs.len()).filter(|d| !p.devs[*d].nic).collect();
        let d = if made.is_empty() { &p.devs[0] } else { &p.devs[*pick(&made, self.at)] };
        let (mut place, name) = (&p.nodes[d.node].place, &d.name);
        let ruled: Vec<usize> = p.ruled.clone();
        let (what, word) = match self.kind % 16 {
            0 => (format!("ip link set {name} down"), "link down"),
            // The kernel notes a lost carrier in a worker of its own, which may come after the carrier is back.
            // The whole machine's carriers are looked at once a second, a bridge's after its port's (`linkwatch_nextevent`).
            1 => (format!("ip link set {name} down; sleep 2.1; ip link set {name} up"), "link down and up"),
            2 if !d.addrs.is_empty() => {
                (format!("ip addr del {} dev {name}", pick(&d.addrs, self.how)), "address gone")
            }
            3 if !d.addrs.is_empty() => {
                let a = pick(&d.addrs, self.how);
                (format!("ip addr del {a} dev {name}; ip addr add {a} dev {name}"), "address gone and back")
            }
            4 => ("ip route flush proto boot; ip route".to_owned(), "routes flushed"),
            5 => ("ip route del default".to_owned(), "default route gone"),
            6 => ("ip neigh flush all".to_owned(), "neighbours flushed"),
            7 if d.master.is_some() => (format!("ip link set {name} nomaster"), "out of the bridge"),
            8 => (format!("sysctl -w net.ipv4.ip_forward={}", self.how & 1), "ip_forward"),
            9 => (format!("sysctl -w net.bridge.bridge-nf-call-iptables={}", self.how & 1), "bridge-nf"),
            10 => (format!("ip link del {name}"), "link deleted"),
            11 => ("conntrack -F".to_owned(), "conntrack flushed"),
            12 => (format!("ip link set {name} mtu {}", pick(&[1000, 1400, 1280, 1500], self.how)), "mtu"),
            13 if !ruled.is_empty() => {
                place = &p.nodes[*pick(&ruled, self.at)].place;
                let (t, c) = rule::chain(self.how, self.at);
                (format!("iptables -t {t} -D {c} 1"), "rule deleted")
            }
            14 if !ruled.is_empty() => {
                place = &p.nodes[*pick(&ruled, self.at)].place;
                let (t, _) = rule::chain(self.how, self.at);
                (format!("iptables -t {t} -F"), "table flushed")
            }
            15 => (format!("iptables -P FORWARD {}", pick(&["DROP", "ACCEPT"], self.how)), "policy"),
            _ => ("ip neigh flush all".to_owned(), "neighbours flushed"),
        };
        (format!("{place}$ {what}"), word)
    }
}
