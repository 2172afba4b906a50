//! Services of a swarm (swarmkit manager/orchestrator, manager/scheduler; moby daemon/cluster/executor): tasks, each a
//! container on some node. Only `--endpoint-mode dnsrr`: a virtual address needs IPVS, which the kernel of the model
//! has not. A task that ends is not started anew.

use std::net::Ipv4Addr;

use super::Docker;
use super::overlay::NOT_MANAGER;
use super::types::{Container, Endpoint, Profile, Publish};
use crate::app::dns::Lookup;
use crate::app::gossip::ERRAND;
use crate::engine::Timer;
use crate::kernel::types::{HostId, MSEC, Nanos};

/// Where images come from.
const REGISTRY: &str = "registry-1.docker.io";
/// From the manager's decision to the agent.
const DISPATCH_NS: Nanos = 400 * MSEC;
/// The errand of a task that was handed over.
pub(super) const TASK_ERRAND: u32 = ERRAND + 1;

/// How far a task is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskState {
    /// A node has it to do.
    Assigned,
    /// The node looks for its image.
    Preparing,
    /// Its container runs.
    Running,
    /// It cannot run.
    Rejected,
}

/// A task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// 25 characters.
    pub id: String,
    /// Its number within the service; of a global service its node's id stands there.
    pub slot: u32,
    /// Node, by its place among the cluster's.
    pub node: usize,
    /// Its addresses, in the order of the service's networks.
    pub ips: Vec<Ipv4Addr>,
    /// How far it is.
    pub state: TaskState,
    /// Its container.
    pub container: String,
    /// Why it does not run.
    pub error: String,
    /// Since when it is so.
    pub since: Nanos,
}

/// A service.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Service {
    /// 25 characters.
    pub id: String,
    /// Name.
    pub name: String,
    /// Image.
    pub image: String,
    /// Words of its command; empty for the image's own.
    pub command: Vec<String>,
    /// Networks by name.
    pub networks: Vec<String>,
    /// A task on every node (`--mode global`).
    pub global: bool,
    /// How many tasks there are to be.
    pub replicas: u32,
    /// Ports of the nodes (`--publish mode=host,…`).
    pub ports: Vec<Publish>,
    /// Its tasks.
    pub tasks: Vec<Task>,
}

impl Service {
    /// Name of a task, as `docker service ps` shows it; the container's has the task's id behind.
    pub fn task_name(&self, t: &Task, nodes: &[super::overlay::cluster::Node]) -> String {
        match nodes.get(t.node).filter(|_| self.global) {
            Some(n) => format!("{}.{}", self.name, n.id),
            None => format!("{}.{}", self.name, t.slot),
        }
    }
}

impl Docker<'_> {
    /// `docker service create`: its id.
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn service_create(&mut self, mut s: Service) -> Result<String, String> {
        self.must_manage()?;
        let id = self.swarm_id();
        let Some((c, _)) = self.member_mut() else { return Err(NOT_MANAGER.into()) };
        if c.services.iter().any(|x| x.name == s.name) {
            let name = &s.name;
            return Err(format!(
                "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service {name} \
                 already exists"
            ));
        }
        if let Some(n) = s.networks.iter().find(|n| c.find(n).is_none()) {
            return Err(format!("network {n} not found"));
        }
        s.id.clone_from(&id);
        c.services.push(s);
        let at = c.services.len() - 1;
        self.reconcile(at);
        Ok(id)
    }

    /// Services of the swarm.
    ///
    /// # Errors
    /// This node may not see them.
    pub fn services(&self) -> Result<Vec<Service>, String> {
        self.must_manage()?;
        Ok(self.member().map(|(c, _)| c.services.clone()).unwrap_or_default())
    }

    fn service_at(&self, key: &str) -> Result<usize, String> {
        self.must_manage()?;
        let all = self.member().map(|(c, _)| &c.services);
        let found = all.and_then(|l| l.iter().position(|s| s.name == key || s.id.starts_with(key)));
        found.ok_or_else(|| format!("service {key} not found"))
    }

    /// `docker service scale`.
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn service_scale(&mut self, key: &str, replicas: u32) -> Result<(), String> {
        let at = self.service_at(key)?;
        if let Some((c, _)) = self.member_mut() {
            if c.services[at].global {
                return Err("scale can only be used with replicated or replicated-job mode".into());
            }
            c.services[at].replicas = replicas;
        }
        self.reconcile(at);
        Ok(())
    }

    /// `docker service rm`.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn service_remove(&mut self, key: &str) -> Result<(), String> {
        let at = self.service_at(key)?;
        let Some((c, _)) = self.member_mut() else { return Ok(()) };
        let gone = c.services.remove(at);
        for t in &gone.tasks {
            self.task_stop(t);
        }
        Ok(())
    }

    /// Tasks come and go until there are as many as wanted (the orchestrator's loop).
    fn reconcile(&mut self, at: usize) {
        let Some((c, _)) = self.member_mut() else { return };
        let s = &mut c.services[at];
        let members: Vec<usize> = (0..c.nodes.len()).filter(|i| c.nodes[*i].member).collect();
        let wanted = if s.global { members.len() } else { s.replicas as usize };
        let gone = s.tasks.split_off(wanted.min(s.tasks.len()));
        for t in &gone {
            self.task_stop(t);
        }
        let fresh: Vec<usize> = std::iter::from_fn(|| self.assign(at, wanted, &members)).collect();
        for node in fresh {
            self.set_aside(at, node);
            self.hand_over(node);
        }
    }

    /// With a task a manager gives its node an address for the load balancer of each network that it has not yet.
    fn set_aside(&mut self, at: usize, node: usize) {
        let Some((c, _)) = self.member_mut() else { return };
        let nets: Vec<(usize, String)> = c.services[at]
            .networks
            .iter()
            .filter_map(|n| c.find(n).map(|f| f.net.id.clone()))
            .filter_map(|id| Some((c.place(&id)?, id)))
            .collect();
        let host = c.nodes.get(node).map(|n| n.host);
        let here = host.and_then(|h| self.s.engines.get(&h)).map(|e| e.overlays.keys().cloned().collect::<Vec<_>>());
        let here = here.unwrap_or_default();
        let Some((c, _)) = self.member_mut() else { return };
        for (place, _) in nets.into_iter().filter(|(_, id)| !here.contains(id)) {
            c.reserve_balancer(place, node);
        }
    }

    /// The node's agent hears of a task.
    fn hand_over(&mut self, node: usize) {
        let app = self.member().and_then(|(c, _)| c.nodes.get(node)?.app);
        if let Some(app) = app {
            let at = self.s.kernel.now() + DISPATCH_NS;
            self.s.kernel.queue.timer(at, Timer::App { app: app.0, token: TASK_ERRAND });
        }
    }

    /// Makes the next task, with its addresses: on the node with the fewest, of those the one that came last.
    fn assign(&mut self, at: usize, wanted: usize, members: &[usize]) -> Option<usize> {
        let (id, since) = (self.swarm_id(), self.s.kernel.now());
        let (c, _) = self.member_mut()?;
        let load = |n: usize| c.services.iter().flat_map(|s| &s.tasks).filter(|t| t.node == n).count();
        let s = c.services.get(at).filter(|s| s.tasks.len() < wanted)?;
        let node = match s.global {
            true => members.iter().copied().find(|n| !s.tasks.iter().any(|t| t.node == *n)),
            false => members.iter().rev().copied().min_by_key(|n| load(*n)),
        }?;
        let slot = s.tasks.iter().map(|t| t.slot).max().unwrap_or(0) + 1;
        let places: Vec<usize> = s.networks.iter().filter_map(|n| c.find(n).and_then(|f| c.place(&f.net.id))).collect();
        let taken: Result<Vec<Ipv4Addr>, String> = places.into_iter().map(|p| c.take(p, None)).collect();
        let (ips, error, state) = match taken {
            Ok(ips) => (ips, String::new(), TaskState::Assigned),
            Err(e) => (Vec::new(), e, TaskState::Rejected),
        };
        c.services[at].tasks.push(Task { id, slot, node, ips, state, container: String::new(), error, since });
        Some(node)
    }

    /// A task of this node's, by its id or the first that waits.
    fn own_task(&mut self, id: Option<&str>) -> Option<(Service, &mut Task)> {
        let now = self.s.kernel.now();
        let (c, me) = self.member_mut()?;
        let wanted = |t: &Task| match id {
            Some(id) => t.id == id,
            None => t.node == me && t.state == TaskState::Assigned,
        };
        let s = c.services.iter_mut().find(|s| s.tasks.iter().any(wanted))?;
        let copy = s.clone();
        let t = s.tasks.iter_mut().find(|t| wanted(t))?;
        t.since = now;
        Some((copy, t))
    }

    /// The agent does what was handed over: it looks for the image, makes the container and starts it.
    pub(super) fn task_due(&mut self) {
        let Some((_, t)) = self.own_task(None) else { return };
        t.state = TaskState::Preparing;
        let id = t.id.clone();
        self.pull();
        let Some((s, t)) = self.own_task(Some(&id)) else { return };
        let t = t.clone();
        let Some((c, _)) = self.member() else { return };
        let name = format!("{}.{id}", s.task_name(&t, &c.nodes));
        let nets: Vec<super::Network> = s.networks.iter().filter_map(|n| Some(c.find(n)?.net.clone())).collect();
        let done = self.task_container(&s, &name, &nets, &t.ips);
        let Some((_, t)) = self.own_task(Some(&id)) else { return };
        match done {
            Ok(id) => (t.container, t.state) = (id, TaskState::Running),
            Err(e) => (t.error, t.state) = (e, TaskState::Rejected),
        }
    }

    /// An agent asks the registry for every task's image, though it has it; where the registry's name is not found it
    /// takes its own. 20.10 looks twice.
    fn pull(&mut self) {
        let (host, ns) = (self.host, self.ns());
        for _ in 0..if self.profile() == Profile::V20 { 2 } else { 1 } {
            let conf = self.s.resolv_conf(host, ns);
            self.s.ask_dns_twice(host, ns, Lookup::go(REGISTRY, &conf));
        }
    }

    fn on(&mut self, host: HostId) -> Docker<'_> {
        Docker { s: self.s, host }
    }

    fn task_container(
        &mut self,
        s: &Service,
        name: &str,
        nets: &[super::Network],
        ips: &[Ipv4Addr],
    ) -> Result<String, String> {
        let mode = if self.profile() == Profile::V20 { "default" } else { "bridge" };
        let mut c = Container {
            name: name.to_owned(),
            image: s.image.clone(),
            command: s.command.clone(),
            network_mode: mode.into(),
            service: Some(s.name.clone()),
            publish: s.ports.clone(),
            ..Container::default()
        };
        if nets.is_empty() {
            c.endpoints.insert("bridge".into(), Endpoint::default());
        }
        for n in nets {
            self.em().networks.entry(n.id.clone()).or_insert_with(|| n.clone());
            c.endpoints.insert(n.name.clone(), Endpoint { network: n.id.clone(), ..Endpoint::default() });
        }
        let id = self.create(c)?;
        for (n, ip) in nets.iter().zip(ips) {
            if let Some(e) = self.cm(&id).endpoints.get_mut(&n.name) {
                e.wanted_ip = Some(*ip);
            }
        }
        self.start(&id).map(|()| id)
    }

    fn task_stop(&mut self, t: &Task) {
        let Some(host) = self.member().and_then(|(c, _)| Some(c.nodes.get(t.node)?.host)) else { return };
        let mut d = self.on(host);
        // One that never ran has no container.
        let _ = d.remove(&t.container, true);
    }
}
