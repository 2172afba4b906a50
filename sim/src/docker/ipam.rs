//! Subnets and addresses (libnetwork ipam/allocator.go, ipams/defaultipam).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Docker;
use super::types::{Network, Profile, Subnet};

/// The pools that an engine splits on its own (`ipamutils`): 15 of /16, 16 of /20.
fn defaults() -> Vec<Ipv4Net> {
    let wide = (17..=31).map(|b| (Ipv4Addr::new(172, b, 0, 0), 16));
    let narrow = (0..16).map(|i| (Ipv4Addr::new(192, 168, i * 16, 0), 20));
    wide.chain(narrow).filter_map(|(a, p)| Ipv4Net::new(a, p).ok()).collect()
}

fn overlap(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

impl Docker<'_> {
    fn pools(&self) -> Vec<Ipv4Net> {
        let own = &self.e().config.pools;
        if own.is_empty() {
            return defaults();
        }
        let mut own = own.clone();
        // Since 27 they are in the order of their addresses (`newAddrSpace`).
        if self.profile() != Profile::V20 {
            own.sort();
        }
        own.iter().flat_map(|(base, size)| base.subnets(*size).into_iter().flatten()).collect()
    }

    /// Subnets of this engine's networks.
    fn allocated(&self) -> Vec<Ipv4Net> {
        let real = self.e().networks.values().filter(|n| n.config.is_none());
        real.flat_map(|n| n.subnets.iter().map(|s| s.net)).collect()
    }

    /// What the host uses itself: connected subnets and name servers.
    fn of_host(&self) -> Vec<Ipv4Net> {
        let ns = self.ns();
        let k = &self.s.kernel;
        let mut out: Vec<Ipv4Net> = k
            .devs_of(ns)
            .filter(|d| !d.is_loopback())
            .flat_map(|d| d.addrs.iter().filter_map(|a| Ipv4Net::new(a.local, a.prefix).ok()))
            .map(|n| n.trunc())
            .collect();
        let text = self.s.read_file(self.host, ns, "/etc/resolv.conf").unwrap_or_default();
        let servers = text.lines().filter_map(|l| l.strip_prefix("nameserver ")?.trim().parse::<Ipv4Addr>().ok());
        out.extend(servers.map(Ipv4Net::from));
        out
    }

    /// The next free default pool: the lowest, or up to 26 the next after the last.
    ///
    /// # Errors
    /// None is left.
    pub fn next_pool(&mut self) -> Result<Ipv4Net, String> {
        let all = self.pools();
        let mut taken = self.allocated();
        taken.extend(self.of_host());
        let v20 = self.profile() == Profile::V20;
        let from = match self.e().last_pool {
            Some(last) if v20 => all.iter().position(|p| *p == last).map_or(0, |i| i + 1),
            _ => 0,
        };
        let order = all[from..].iter().chain(&all[..from]);
        let free = order.copied().find(|p| !taken.iter().any(|t| overlap(t, p)));
        let Some(free) = free else {
            return Err(if v20 {
                "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the \
                 network"
                    .to_owned()
            } else {
                "all predefined address pools have been fully subnetted".to_owned()
            });
        };
        self.em().last_pool = Some(free);
        Ok(free)
    }

    /// docker0's pool: asked for by the daemon, so that it moves nothing on.
    pub fn bridge_pool(&mut self) -> Result<Ipv4Net, String> {
        let last = self.e().last_pool;
        let pool = self.next_pool();
        self.em().last_pool = last;
        pool
    }

    /// Does a subnet meet one that is in use?
    pub fn overlaps(&self, net: &Ipv4Net) -> bool {
        self.allocated().iter().any(|n| overlap(n, net))
    }

    fn used(&self, network: &str, a: Ipv4Addr) -> bool {
        let of = self.e().networks.get(network).into_iter().flat_map(|n| &n.subnets);
        if of.filter_map(|s| ends(self.profile(), &s.net)).any(|e| e.contains(&a)) {
            return true;
        }
        self.e().addresses.get(network).is_some_and(|l| l.contains(&a))
    }

    /// Takes a given address.
    ///
    /// # Errors
    /// It is taken.
    pub fn take_address(&mut self, network: &str, a: Ipv4Addr) -> Result<(), String> {
        if self.used(network, a) {
            let whole = |n: &Network| n.subnets.first().map(|s| Subnet { range: None, ..s.clone() });
            let full = |n: &Network| whole(n).is_some_and(|s| lowest(&s, |a| self.used(network, a)).is_none());
            // 20.10 looks first whether there is any left at all (`getAddress`).
            if self.profile() == Profile::V20 && self.e().networks.get(network).is_some_and(full) {
                return Err("No available addresses on this pool".to_owned());
            }
            return Err("Address already in use".to_owned());
        }
        self.em().addresses.entry(network.to_owned()).or_default().push(a);
        Ok(())
    }

    /// Takes the lowest free address.
    ///
    /// # Errors
    /// The pool is full.
    pub fn any_address(&mut self, n: &Network) -> Result<Ipv4Addr, String> {
        let Some(s) = n.subnets.first() else { return Err(format!("network {} has no subnet", n.name)) };
        let free = lowest(s, |a| self.used(&n.id, a));
        let Some(a) = free else {
            let (name, id) = (&n.name, &n.id);
            return Err(match self.profile() {
                Profile::V20 => format!("no available IPv4 addresses on this network's address pools: {name} ({id})"),
                _ => format!("no available IPv4 addresses on this network's address pools: {name} ({id})"),
            });
        };
        self.take_address(&n.id, a)?;
        Ok(a)
    }

    /// Gives an address back.
    pub fn free_address(&mut self, network: &str, a: Ipv4Addr) {
        if let Some(l) = self.em().addresses.get_mut(network) {
            l.retain(|x| *x != a);
        }
    }
}

/// The addresses that no host has: the network's own and its broadcast. Pools of two addresses have none since 28.
pub fn ends(p: Profile, net: &Ipv4Net) -> Option<[Ipv4Addr; 2]> {
    (net.prefix_len() < 31 || p == Profile::V20).then(|| [net.network(), net.broadcast()])
}

/// The lowest address of a pool that is neither taken nor the network's own or its broadcast.
pub fn lowest(s: &Subnet, taken: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
    let range = s.range.unwrap_or(s.net);
    let (first, last) = (u32::from(range.network()), u32::from(range.broadcast()));
    let ends = s.net.prefix_len() < 31;
    (first..=last)
        .map(Ipv4Addr::from)
        .find(|a| !(ends && (*a == s.net.network() || *a == s.net.broadcast())) && !taken(*a))
}
