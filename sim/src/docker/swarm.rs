//! Swarm mode: nodes (moby daemon/cluster/swarm.go, swarmkit). Managers agree at once here, and an allocation is never
//! lost; what nodes know of endpoints elsewhere travels by gossip ([`super::overlay::peers`]).

use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use super::Docker;
use super::network::NetSpec;
use super::overlay::balancer::INGRESS;
use super::overlay::cluster::{Cluster, Kind, Node};
use super::types::{Profile, State, Subnet};
use crate::app::Program;
use crate::app::gossip::{ERRAND, Gossip};
use crate::app::tcp::{TcpClient, TcpSpec, Until};
use crate::kernel::types::{HostId, MSEC, Nanos, NetnsId, SEC};
use crate::session::Session;
use crate::trace::Outcome;

/// Port of a manager.
pub const MANAGER_PORT: u16 = 2377;
/// How long a manager needs to become one, and a worker to be let in.
const INIT_NS: Nanos = 500 * MSEC;
const JOIN_NS: Nanos = 50 * MSEC;
/// How long a node waits for a manager.
const JOIN_TIMEOUT_NS: Nanos = 20 * SEC;
/// The errand of taking part in the ingress network.
const INGRESS_ERRAND: u32 = ERRAND;
/// The errand of its sandbox, and of docker_gwbridge: a worker of 20.10 has the network some time before (measured).
const SANDBOX_ERRAND: u32 = ERRAND + 2;
const SANDBOX_NS: Nanos = 450 * MSEC;

/// Three heartbeats of five seconds; on the average half of one was over when the node left.
const HEARTBEATS_NS: u64 = 12_500 * MSEC;
/// What a node says that is in a swarm already.
pub const ALREADY: &str = "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join \
                       another one.";

impl Docker<'_> {
    /// 25 characters of 36 (`identity.NewID`).
    pub fn swarm_id(&mut self) -> String {
        const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let rng = &mut self.s.kernel.rng;
        (0..25).map(|_| DIGITS[rng.below(36) as usize] as char).collect()
    }

    /// The address to advertise: the one given (also as the name of an interface), else the host's only one.
    pub(super) fn advertise(&self, given: Option<&str>) -> Result<Ipv4Addr, String> {
        let ns = self.ns();
        let k = &self.s.kernel;
        if let Some(text) = given {
            let bare = text.split(':').next().unwrap_or(text);
            if let Ok(a) = bare.parse() {
                return Ok(a);
            }
            let dev = k.dev_by_name(ns, bare).and_then(|d| k.dev(d).addrs.first().map(|a| a.local));
            return dev.ok_or_else(|| {
                "advertise address must be a non-zero IP address or network interface (with optional port number)"
                    .into()
            });
        }
        let own = |name: &str| name != "docker0" && name != super::gwbridge::NAME && !name.starts_with("br-");
        let all: Vec<(Ipv4Addr, String)> = k
            .devs_of(ns)
            .filter(|d| !d.is_loopback() && own(d.name.as_ref()))
            .flat_map(|d| d.addrs.iter().map(move |a| (a.local, d.name.to_string())))
            .collect();
        match all.as_slice() {
            [(a, _)] => Ok(*a),
            [] => Err("could not find the system's IP address - specify one with --advertise-addr".into()),
            [(a, x), (b, y), ..] if x == y => Err(format!(
                "could not choose an IP address to advertise since this system has multiple addresses on interface {x} ({a} \
                 and {b}) - specify one with --advertise-addr"
            )),
            [(a, x), (b, y), ..] => Err(format!(
                "could not choose an IP address to advertise since this system has multiple addresses on different \
                 interfaces ({a} on {x} and {b} on {y}) - specify one with --advertise-addr"
            )),
        }
    }

    /// `docker swarm init`: the id of the node, and the address it advertises.
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn swarm_init(
        &mut self,
        advertise: Option<&str>,
        pool: Option<(Ipv4Net, u8)>,
        data_port: Option<u16>,
    ) -> Result<(String, Ipv4Addr), String> {
        if self.member().is_some() {
            return Err(ALREADY.into());
        }
        // `IsSwarmCompatible`.
        if self.e().config.live_restore {
            return Err("--live-restore daemon configuration is incompatible with swarm mode".into());
        }
        let addr = self.advertise(advertise)?;
        let tokens = [self.token(), self.token()];
        let mut new = Cluster::new(Kind::Swarm { tokens });
        new.pool = pool.unwrap_or(new.pool);
        new.data_port = data_port.unwrap_or(new.data_port);
        let net = new.next_pool()?;
        self.s.clusters.push(new);
        let cluster = self.s.clusters.len() - 1;
        let id = self.enter(cluster, addr, true)?;
        let s = Subnet { net, given: None, range: None, gateway: None, gateway_given: false, aux: IndexMap::new() };
        let gateway = super::ipam::lowest(&s, |_| false);
        let spec = NetSpec { name: INGRESS.into(), driver: "overlay".into(), ..NetSpec::default() };
        let net_id = self.swarm_id();
        self.overlay_add(&spec, net_id, vec![Subnet { gateway, ..s }], Vec::new())?;
        self.s.advance(INIT_NS);
        Ok((id, addr))
    }

    fn token(&mut self) -> String {
        let (a, b) = (self.swarm_id(), self.swarm_id());
        let (c, d) = (self.swarm_id(), self.swarm_id());
        format!("SWMTKN-1-{}-{}", &format!("{a}{b}")[..50], &format!("{c}{d}")[..25])
    }

    /// `docker swarm join-token`.
    ///
    /// # Errors
    /// This node is no manager.
    pub fn swarm_token(&self, manager: bool) -> Result<(String, Ipv4Addr), String> {
        self.must_manage()?;
        match self.member() {
            Some((c, me)) => match &c.kind {
                Kind::Swarm { tokens } => Ok((tokens[usize::from(manager)].clone(), c.nodes[me].addr)),
                Kind::Store(_) => Err(super::overlay::NOT_MANAGER.into()),
            },
            None => Err(super::overlay::NOT_MANAGER.into()),
        }
    }

    /// `docker swarm join`: is it a manager now?
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn swarm_join(&mut self, token: &str, to: (Ipv4Addr, u16), advertise: Option<&str>) -> Result<bool, String> {
        if self.member().is_some() {
            return Err(ALREADY.into());
        }
        if !token.starts_with("SWMTKN-") || token.split('-').count() != 4 {
            return Err("invalid join token".into());
        }
        // The certificate of the swarm, then one of its own.
        self.dial(to)?;
        self.dial(to)?;
        let at = self.s.clusters.iter().position(|c| c.nodes.iter().any(|n| n.member && n.manager && n.addr == to.0));
        let Some(at) = at.filter(|_| to.1 == MANAGER_PORT) else {
            return Err(self.dial_error(to, "connection refused"));
        };
        let Kind::Swarm { tokens } = &self.s.clusters[at].kind else { return Err("no swarm there".into()) };
        let Some(role) = tokens.iter().position(|t| t == token) else {
            return Err(if token.split('-').nth(2) == tokens[0].split('-').nth(2) {
                "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster".into()
            } else {
                "remote CA does not match fingerprint. Expected fingerprint differs".into()
            });
        };
        let addr = match advertise {
            Some(a) => self.advertise(Some(a))?,
            None => self.towards(to.0).map_or_else(|| self.advertise(None), Ok)?,
        };
        self.enter(at, addr, role == 1)?;
        self.s.advance(JOIN_NS);
        Ok(role == 1)
    }

    /// The address of this host that a manager sees.
    fn towards(&self, to: Ipv4Addr) -> Option<Ipv4Addr> {
        let devs = self.s.kernel.devs_of(self.ns());
        let near = |a: &&crate::kernel::link::IfAddr| Ipv4Net::new(a.local, a.prefix).is_ok_and(|n| n.contains(&to));
        devs.into_iter().find_map(|d| d.addrs.iter().find(near).map(|a| a.local))
    }

    /// A connection to a manager, over the network.
    pub(super) fn dial(&mut self, to: (Ipv4Addr, u16)) -> Result<(), String> {
        let at = (self.host, self.ns());
        reached(self.s, at, to).map_err(|why| match why {
            Some(why) => self.dial_error(to, why),
            None => "Timeout was reached before node joined. The attempt to join the swarm will continue in the \
                     background. Use the \"docker info\" command to see the current swarm status of your node."
                .into(),
        })
    }

    fn dial_error(&self, (addr, port): (Ipv4Addr, u16), why: &str) -> String {
        let colon = if self.profile() == Profile::V20 { "" } else { ":" };
        format!(
            "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing{colon} dial tcp \
             {addr}:{port}: connect: {why}\""
        )
    }

    /// Becomes a member: the others are met, the ingress network follows by and by.
    fn enter(&mut self, cluster: usize, addr: Ipv4Addr, manager: bool) -> Result<String, String> {
        let id = self.swarm_id();
        let listens = if manager { vec![(Ipv4Addr::UNSPECIFIED, MANAGER_PORT)] } else { Vec::new() };
        self.take_seat(cluster, id.clone(), addr, manager, (None, listens))?;
        if let Some((c, _)) = self.member()
            && manager
        {
            let nets: Vec<_> = c.networks.iter().filter(|s| !s.gone).map(|s| s.net.clone()).collect();
            for n in nets {
                self.em().networks.insert(n.id.clone(), n);
            }
        }
        self.ingress_soon(manager);
        Ok(id)
    }

    /// The node takes part in the ingress network by and by.
    fn ingress_soon(&mut self, manager: bool) {
        let after = match (self.profile(), manager) {
            (Profile::V20, true) => 950,
            (Profile::V20, false) => 800,
            (_, true) => 635,
            (_, false) => 980,
        };
        self.errand_in(after * MSEC, INGRESS_ERRAND);
    }

    fn errand_in(&mut self, after: Nanos, token: u32) {
        if let Some(app) = self.member().and_then(|(c, me)| c.nodes[me].app) {
            let at = self.s.kernel.now() + after;
            self.s.kernel.queue.timer(at, crate::engine::Timer::App { app: app.0, token });
        }
    }

    /// A daemon starts that is a node of a swarm: it meets the others again.
    pub(super) fn swarm_start(&mut self) -> Result<(), String> {
        let Some((c, me)) = self.member().filter(|(c, me)| c.is_swarm() && c.nodes[*me].app.is_none()) else {
            return Ok(());
        };
        let manager = c.nodes[me].manager;
        let listens = if manager { vec![(Ipv4Addr::UNSPECIFIED, MANAGER_PORT)] } else { Vec::new() };
        self.talk_begins((None, listens))?;
        self.ingress_soon(manager);
        Ok(())
    }

    /// A place among the members, and the talk with the others.
    pub(super) fn take_seat(
        &mut self,
        cluster: usize,
        id: String,
        addr: Ipv4Addr,
        manager: bool,
        (bind, listens): (Option<Ipv4Addr>, Vec<(Ipv4Addr, u16)>),
    ) -> Result<(), String> {
        let (host, name) = (self.host, self.s.kernel.host(self.host).name.clone());
        let peer = self.new_id()[..12].to_owned();
        let Some(c) = self.s.clusters.get_mut(cluster) else { return Err("there is no such cluster".into()) };
        let me = c.nodes.len();
        c.nodes.push(Node {
            host,
            id,
            name,
            manager,
            member: true,
            left: None,
            removed: false,
            addr,
            app: None,
            talking: false,
            log: Vec::new(),
            peer,
        });
        self.em().member = Some((cluster, me));
        self.talk_begins((bind, listens)).inspect_err(|_| self.unseat())
    }

    /// The talk with the others, by way of a manager that is there.
    fn talk_begins(&mut self, (bind, listens): (Option<Ipv4Addr>, Vec<(Ipv4Addr, u16)>)) -> Result<(), String> {
        let (ns, host) = (self.ns(), self.host);
        let Some((c, me)) = self.member() else { return Ok(()) };
        let through = c.nodes.iter().find(|n| n.member && n.manager && n.app.is_some()).map(|n| n.addr);
        let session = through.filter(|_| c.is_swarm()).map(|a| (a, MANAGER_PORT));
        let talk = Gossip::new(me as u32, bind, listens).join(through, session);
        let pid = self.s.new_pid(host, ns, "dockerd");
        let app = self.s.spawn(host, ns, pid, "dockerd", Program::Gossip(talk));
        if let Some((c, me)) = self.member_mut() {
            c.nodes[me].app = Some(app);
        }
        if self.s.apps.get(app).exit.is_some() {
            return Err(format!(
                "Failed to create memberlist: Could not set up network transport: failed to start TCP listener on \
                 \"0.0.0.0\" port {}: bind: address already in use",
                crate::app::gossip::PORT
            ));
        }
        Ok(())
    }

    /// Does a manager hear nothing of a member?
    pub fn node_silent(&self, node: usize) -> bool {
        let Some((c, me)) = self.member() else { return false };
        let talk = c.nodes[me].app.map(|a| self.s.apps.get(a));
        let gone = c.nodes.get(node).is_none_or(|n| n.app.is_none());
        gone || matches!(talk.and_then(|a| a.program.as_ref()), Some(Program::Gossip(g)) if g.lost(node as u32))
    }

    /// What the managers say of a node: one that left is missed only when its heartbeats are (swarmkit dispatcher).
    pub fn node_down(&self, node: usize) -> bool {
        let left = self.member().and_then(|(c, _)| c.nodes.get(node)?.left);
        match left {
            Some(at) => self.s.kernel.now() - at >= HEARTBEATS_NS,
            None => self.node_silent(node),
        }
    }

    /// `docker node rm`.
    ///
    /// # Errors
    /// There is no such node, or it is not down.
    pub fn node_remove(&mut self, key: &str) -> Result<(), String> {
        let Some((c, _)) = self.member() else { return Err(format!("node {key} not found")) };
        let here = |n: &Node| !n.removed && (n.name == key || n.id.starts_with(key));
        let Some(at) = c.nodes.iter().position(here) else { return Err(format!("node {key} not found")) };
        let id = c.nodes[at].id.clone();
        if !self.node_down(at) {
            let code = "rpc error: code = FailedPrecondition desc = node";
            return Err(format!("{code} {id} is not down and can't be removed"));
        }
        if let Some((c, _)) = self.member_mut() {
            c.nodes[at].removed = true;
        }
        Ok(())
    }

    /// The daemon stops: its networks go, its place stays.
    pub(super) fn talk_ends(&mut self) {
        let Some((c, _)) = self.member_mut() else { return };
        let swarm = c.is_swarm();
        let nets: Vec<_> = self.e().networks.values().filter(|n| n.driver == "overlay").cloned().collect();
        for n in nets {
            self.overlay_down(&n);
        }
        if swarm { self.silence() } else { self.unseat() }
    }

    /// The errand that a timer of the talk stands for.
    pub(super) fn errand(&mut self, errand: u32) {
        if errand == super::service::TASK_ERRAND {
            return self.task_due();
        }
        let Some((c, me)) = self.member() else { return };
        let ours = matches!(errand, INGRESS_ERRAND | SANDBOX_ERRAND);
        let manager = c.nodes[me].manager;
        let Some(n) = c.find(INGRESS).map(|s| s.net.clone()).filter(|_| ours) else { return };
        self.em().networks.insert(n.id.clone(), n.clone());
        if errand == INGRESS_ERRAND && self.profile() == Profile::V20 && !manager {
            return self.errand_in(SANDBOX_NS, SANDBOX_ERRAND);
        }
        if let Err(e) = self.overlay_up(&n) {
            self.em().log.push(format!("failed creating ingress network: {e}"));
        }
    }

    /// `docker swarm leave`.
    ///
    /// # Errors
    /// It is in no swarm, or a manager that was not forced.
    pub fn swarm_leave(&mut self, force: bool) -> Result<(), String> {
        let Some((c, me)) = self.member().filter(|(c, _)| c.is_swarm()) else {
            return Err("This node is not part of a swarm".into());
        };
        if c.nodes[me].manager && !force {
            let managers = c.nodes.iter().filter(|n| n.member && n.manager).count();
            let what = if managers == 1 {
                "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. "
            } else {
                "Removing this node leaves fewer managers. Without a Raft quorum your swarm will be inaccessible. The \
                 only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. \
                 Use `--force` to suppress this message. "
            };
            return Err(format!(
                "You are attempting to leave the swarm on a node that is participating as a manager. {what}"
            ));
        }
        self.leave_networks();
        self.unseat();
        Ok(())
    }

    /// Containers lose their endpoints on the swarm's networks, and these go.
    fn leave_networks(&mut self) {
        let nets: Vec<_> = self.e().networks.values().filter(|n| n.scope == "swarm").cloned().collect();
        for n in &nets {
            for (id, e) in self.members(&n.id) {
                self.detach(&id, &n.name);
                if self.c(&id).service.is_none()
                    && let Some((c, me)) = self.member_mut().filter(|(c, _)| c.is_swarm())
                    && let Some(at) = c.place(&n.id)
                {
                    c.leave_behind(at, me, e.ip);
                }
                self.cm(&id).endpoints.shift_remove(&n.name);
                if self.c(&id).state == State::Running
                    && let Err(e) = self.regate(&id, false)
                {
                    self.em().log.push(e);
                }
            }
            self.overlay_down(n);
            self.em().networks.shift_remove(&n.id);
        }
    }

    /// The place among the members is empty; its talk ends, and the others see it leave.
    pub(super) fn unseat(&mut self) {
        self.silence();
        let Some((cluster, me)) = self.em().member.take() else { return };
        let now = self.s.kernel.now();
        if let Some(n) = self.s.clusters.get_mut(cluster).and_then(|c| c.nodes.get_mut(me)) {
            n.member = false;
            n.left = Some(now);
        }
    }

    /// It says good-bye (memberlist's `Leave`): the others forget what it told.
    fn silence(&mut self) {
        let Some((cluster, me)) = self.em().member else { return };
        let Some(c) = self.s.clusters.get_mut(cluster) else { return };
        let Some(n) = c.nodes.get_mut(me) else { return };
        n.talking = false;
        let app = n.app.take();
        let others: Vec<_> = c.nodes.iter().filter(|n| n.member).filter_map(|n| Some((n.host, n.app?))).collect();
        if let Some(app) = app {
            let pid = self.s.apps.get(app).pid;
            self.s.apps.kill(&mut self.s.kernel, app, 0);
            self.s.pid_gone(pid);
        }
        for (host, app) in others {
            self.s.apps.gossip(&mut self.s.kernel, app, |g| g.forget(me as u32));
            if let Some(mut d) = Docker::open(self.s, host) {
                d.lost(me);
            }
        }
        self.em().heard.clear();
    }
}

/// A short connection over TCP: why it did not come about, or nothing where nobody answered.
pub(super) fn reached(
    s: &mut Session,
    (host, ns): (HostId, NetnsId),
    to: (Ipv4Addr, u16),
) -> Result<(), Option<&'static str>> {
    let pid = s.new_pid(host, ns, "dockerd");
    let spec = TcpSpec {
        dst: to.0,
        port: to.1,
        sport: 0,
        src: None,
        dev: None,
        ttl: None,
        request: "certificate".into(),
        until: Until::Close,
        count: false,
        timeout: JOIN_TIMEOUT_NS,
        http: false,
    };
    let app = s.spawn(host, ns, pid, "dockerd", Program::Tcp(TcpClient::new(spec)));
    s.run_until_exit(app, None);
    s.pid_gone(pid);
    let r = &s.apps.get(app).report;
    Err(match r.outcome {
        _ if r.connected == Some(true) => return Ok(()),
        Some(Outcome::Refused) => Some("connection refused"),
        Some(Outcome::NoRoute | Outcome::UnreachableNet) => Some("network is unreachable"),
        Some(Outcome::UnreachableHost) => Some("no route to host"),
        _ => None,
    })
}
