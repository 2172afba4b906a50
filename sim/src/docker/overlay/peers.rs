//! Endpoints elsewhere (libnetwork drivers/overlay/peerdb.go, joinleave.go): each is a permanent neighbour and a
//! permanent entry of the forwarding database in the network's namespace, as far as the engine has heard of it.

use std::net::Ipv4Addr;

use super::cluster::{Change, Entry};
use crate::app::AppId;
use crate::app::gossip::Mail;
use crate::docker::Docker;
use crate::docker::types::{Endpoint, Network};
use crate::kernel::neigh::Nud;
use crate::kernel::types::HostId;
use crate::kernel::vxlan::{VxlanDst, VxlanFdbState};
use crate::op::{NeighVerb, Op};
use crate::session::Session;

impl Session {
    /// What an engine's talk brought.
    pub(crate) fn cluster_mail(&mut self, app: AppId, mail: Mail) {
        let host = self.apps.get(app).host;
        let Some(mut d) = Docker::open(self, host) else { return };
        match mail {
            Mail::Heard { from, upto, all } => d.heard(from as usize, upto as usize, all),
            Mail::Failed(from) => d.lost(from as usize),
            Mail::Joined => d.let_in(),
            Mail::Due(errand) => d.errand(errand),
        }
    }

    /// Tells the name servers of all containers what is new on overlay networks. It is done when a name is looked up,
    /// not with each endpoint that comes.
    pub fn refresh_overlay_names(&mut self) {
        let stale: Vec<HostId> = self.engines.iter().filter(|(_, e)| e.names_stale).map(|(h, _)| *h).collect();
        for host in stale {
            if let Some(mut d) = Docker::open(self, host) {
                d.overlay_names_told();
            }
        }
    }
}

impl Docker<'_> {
    /// Others hear of an endpoint.
    pub(super) fn tell_join(&mut self, n: &Network, e: &Endpoint, names: Vec<String>) {
        let (Some(ip), Some(mac)) = (e.ip, e.mac) else { return };
        let endpoint = e.id.clone();
        let Some((c, me)) = self.member_mut() else { return };
        let Some(network) = c.place(&n.id) else { return };
        c.nodes[me].log.push(Change::Join(Entry { network, endpoint, ip, mac, names }));
        self.em().names_stale = true;
        self.tell();
    }

    /// Others hear that an endpoint left.
    pub(super) fn tell_leave(&mut self, endpoint: &str) {
        let Some((c, me)) = self.member_mut() else { return };
        let log = &mut c.nodes[me].log;
        let line = log.iter().rposition(|l| matches!(l, Change::Join(e) if e.endpoint == endpoint));
        let Some(line) = line else { return };
        log.push(Change::Leave(line as u32));
        self.em().names_stale = true;
        self.tell();
    }

    fn tell(&mut self) {
        let Some((c, me)) = self.member() else { return };
        let (app, upto) = (c.nodes[me].app, c.nodes[me].log.len() as u32);
        if let Some(app) = app {
            self.s.apps.gossip(&mut self.s.kernel, app, |g| g.tell(upto));
        }
    }

    /// A network came to this node: the others are asked for what they have (networkdb's bulk sync).
    pub(super) fn ask_peers(&mut self, network: &str) {
        let Some((c, me)) = self.member() else { return };
        let swarm = c.is_swarm();
        let on = |host| self.s.engines.get(&host).is_some_and(|e| e.overlays.contains_key(network));
        let there: Vec<bool> =
            c.nodes.iter().enumerate().map(|(i, n)| i != me && n.member && (!swarm || on(n.host))).collect();
        if let Some(app) = c.nodes[me].app {
            let wanted = |n: u32| there.get(n as usize) == Some(&true);
            self.s.apps.gossip(&mut self.s.kernel, app, |g| g.ask(wanted));
        }
    }

    /// This node was let in: it and all who talk already meet.
    fn let_in(&mut self) {
        let Some((c, me)) = self.member_mut() else { return };
        if std::mem::replace(&mut c.nodes[me].talking, true) {
            return;
        }
        let (own, addr) = (c.nodes[me].app, c.nodes[me].addr);
        let talking = c.nodes.iter().enumerate().filter(|(i, n)| *i != me && n.member && n.talking);
        let others: Vec<(u32, Ipv4Addr, Option<AppId>)> = talking.map(|(i, n)| (i as u32, n.addr, n.app)).collect();
        for (number, at, app) in others {
            if let (Some(own), Some(app)) = (own, app) {
                self.s.apps.gossip(&mut self.s.kernel, own, |g| g.meet(number, at));
                self.s.apps.gossip(&mut self.s.kernel, app, |g| g.meet(me as u32, addr));
            }
        }
    }

    /// Another member spoke of its changes.
    fn heard(&mut self, from: usize, upto: usize, all: bool) {
        let Some((cluster, _)) = self.e().member else { return };
        let members = self.s.clusters.get(cluster).map_or(0, |c| c.nodes.len());
        let known = self.em().heard.entry(from).or_default();
        let begin = std::mem::replace(known, (*known).max(upto as u32)) as usize;
        // Networks of this node, and from which line on it has to read for each.
        let mut nets: Vec<(usize, usize, String)> = Vec::new();
        for (id, o) in &mut self.em().overlays {
            o.synced.resize(members, false);
            let Some(synced) = o.synced.get_mut(from) else { continue };
            nets.push((o.network, if *synced || !all { begin } else { 0 }, id.clone()));
            *synced |= all;
        }
        let first = nets.iter().map(|n| n.1).min().unwrap_or(upto);
        for line in first..upto {
            self.apply_line(cluster, from, line, &nets);
        }
    }

    /// One line of another's log.
    fn apply_line(&mut self, cluster: usize, from: usize, line: usize, nets: &[(usize, usize, String)]) {
        let Some(node) = self.s.clusters.get(cluster).and_then(|c| c.nodes.get(from)) else { return };
        let (entry, join) = match node.log.get(line) {
            Some(Change::Join(e)) => (e, true),
            Some(Change::Leave(l)) => match node.log.get(*l as usize) {
                Some(Change::Join(e)) => (e, false),
                _ => return,
            },
            None => return,
        };
        let Some((_, begin, id)) = nets.iter().find(|n| n.0 == entry.network) else { return };
        if line < *begin {
            return;
        }
        let (ip, mac, vtep) = (entry.ip, entry.mac, node.addr);
        let id = id.clone();
        self.em().names_stale = true;
        self.peer(&id, ip, mac, vtep, join);
    }

    /// `ip neigh replace` and `bridge fdb replace`, or their removal (`peerAddOp`, `peerDeleteOp`).
    fn peer(&mut self, network: &str, ip: Ipv4Addr, mac: crate::wire::MacAddr, vtep: Ipv4Addr, add: bool) {
        let at = |n: &Network| n.subnets.iter().position(|s| s.net.contains(&ip)).unwrap_or(0);
        let i = self.e().networks.get(network).map_or(0, at);
        let dev = self.e().overlays.get(network).and_then(|o| o.subnets.get(i)).map(|s| s.1);
        let Some(dev) = dev else { return };
        let dst = VxlanDst { ip: Some(vtep), ..VxlanDst::default() };
        let ops = if add {
            let (nud, verb) = (Nud::Permanent, NeighVerb::Replace);
            [
                Op::NeighAdd { dev, dst: ip, verb, lladdr: Some(mac), nud, extern_learn: false },
                Op::VxlanFdbAdd { dev, mac, dst, state: VxlanFdbState::Permanent, verb, extern_learn: false },
            ]
        } else {
            [Op::VxlanFdbDel { dev, mac, dst }, Op::NeighDel { dev, dst: ip }]
        };
        if !add {
            // What the bridge learned of it goes too, if it learned anything (`DeleteNeighbor`, NTF_MASTER).
            let _ = self.op(&Op::FdbDel { dev, on_self: false, mac });
        }
        for op in ops {
            // An entry that somebody took away by hand is no reason to stop.
            if let Err(e) = self.op(&op) {
                self.em().log.push(format!("peer {ip} of network {network}: {e}"));
            }
        }
    }

    /// A member is silent or left: what it told of its endpoints is forgotten (networkdb `deleteNodeTableEntries`).
    pub(in crate::docker) fn lost(&mut self, from: usize) {
        let Some((cluster, _)) = self.e().member else { return };
        let upto = self.em().heard.shift_remove(&from).unwrap_or(0) as usize;
        let nets: Vec<(usize, String)> = self
            .em()
            .overlays
            .iter_mut()
            .filter_map(|(id, o)| {
                let synced = o.synced.get_mut(from)?;
                std::mem::take(synced).then(|| (o.network, id.clone()))
            })
            .collect();
        self.em().names_stale = true;
        let Some(node) = self.s.clusters.get(cluster).and_then(|c| c.nodes.get(from)) else { return };
        let vtep = node.addr;
        let gone: Vec<(String, Ipv4Addr, crate::wire::MacAddr)> = living(&node.log, upto)
            .filter_map(|e| nets.iter().find(|n| n.0 == e.network).map(|n| (n.1.clone(), e.ip, e.mac)))
            .collect();
        for (id, ip, mac) in gone {
            self.peer(&id, ip, mac, vtep, false);
        }
    }

    /// Endpoints of all members on a network that this node has heard of, its own among them.
    pub fn overlay_endpoints(&self, network: &str) -> Vec<Entry> {
        let (Some((c, me)), Some(o)) = (self.member(), self.e().overlays.get(network)) else { return Vec::new() };
        let mut out = Vec::new();
        for (i, node) in c.nodes.iter().enumerate() {
            let upto = match i == me {
                true => node.log.len(),
                false if o.synced.get(i) == Some(&true) => self.e().heard.get(&i).map_or(0, |n| *n as usize),
                false => 0,
            };
            out.extend(living(&node.log, upto).filter(|e| e.network == o.network).cloned());
        }
        out
    }

    /// Names and addresses on the overlay networks of a container, of containers on all nodes.
    pub fn overlay_names(&self, id: &str) -> Vec<(String, Ipv4Addr)> {
        let Some(c) = self.e().containers.get(id) else { return Vec::new() };
        let nets = c.endpoints.values().filter(|e| e.ip.is_some()).map(|e| &e.network);
        let entries = nets.flat_map(|n| self.overlay_endpoints(n));
        entries.flat_map(|e| e.names.into_iter().map(move |n| (n, e.ip))).collect()
    }

    fn overlay_names_told(&mut self) {
        self.em().names_stale = false;
        let nets: Vec<String> = self.e().overlays.keys().cloned().collect();
        for n in nets {
            self.tell_names(&n);
        }
    }
}

/// The endpoints that the first lines of a log leave.
pub(in crate::docker) fn living(log: &[Change], upto: usize) -> impl Iterator<Item = &Entry> {
    let log = &log[..upto.min(log.len())];
    let mut gone = vec![false; log.len()];
    for l in log {
        if let Change::Leave(of) = l
            && let Some(g) = gone.get_mut(*of as usize)
        {
            *g = true;
        }
    }
    log.iter().zip(gone).filter_map(|(l, gone)| match l {
        Change::Join(e) if !gone => Some(e),
        _ => None,
    })
}
