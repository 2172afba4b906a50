//! The journal of the model carried out on the live kernel.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use packetwalk_sim::app::resolver::{External, Setup};
use packetwalk_sim::app::{AppId, Program};
use packetwalk_sim::journal::{Called, Entry};
use packetwalk_sim::kernel::types::{Errno, HostId, NetnsId};
use packetwalk_sim::kernel::xtables::{Variant, XtChange};
use packetwalk_sim::op::{LinkSpec, NewLink, Op, OpReply};
use packetwalk_sim::session::Session;

use super::apply::{Failed, Places};
use super::host::Host;
use super::links::{Device, Links};
use super::netns::NetNs;
use super::process::Pause;
use super::rules;
use crate::netlink::{self, Netlink};
use crate::program::resolver::Knows;
use crate::program::{self, Running};
use crate::watch::capture::{Capture, TapId};
use crate::watch::nftrace::Tracer;

/// What a namespace begins with, because it would inherit it from wherever it was made. IPv6 is off, so that its own
/// traffic is not among the frames.
const PINNED: &[(&str, &str)] = &[
    ("net/ipv6/conf/all/disable_ipv6", "1"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    // Bridges would report the groups that they listen to, and be learned by others.
    ("net/ipv4/igmp_link_local_mcast_reports", "0"),
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    ("net/bridge/bridge-nf-call-iptables", "1"),
    ("net/bridge/bridge-nf-call-ip6tables", "1"),
    ("net/bridge/bridge-nf-call-arptables", "1"),
];

/// A namespace under its name.
pub struct Space {
    /// It.
    pub net: NetNs,
    /// Host it belongs to; none for the switches'.
    pub host: Option<HostId>,
    /// Where its frames are heard.
    pub tap: TapId,
    /// Its rules' trace; none where there can be none, and why.
    pub tracer: Result<Tracer, String>,
    /// Its devices' sockets, once somebody asked.
    links: RefCell<Option<Links>>,
}

impl Space {
    /// Did something about its devices change since this was last asked?
    pub fn changed(&self) -> bool {
        self.links(Links::changed).unwrap_or(true)
    }

    /// Has the kernel do what it has put off for some of its devices.
    pub fn settle(&self, devices: &[u32]) {
        self.links(|l| devices.iter().for_each(|d| l.settle(*d)));
    }

    /// Its devices.
    pub fn devices(&self) -> Vec<Device> {
        self.links(Links::devices).unwrap_or_default()
    }

    fn links<T>(&self, what: impl FnOnce(&mut Links) -> T) -> Option<T> {
        let mut links = self.links.borrow_mut();
        if links.is_none() {
            *links = self.net.run(|| Links::open().ok()).ok().flatten();
        }
        links.as_mut().map(what)
    }
}

/// The live side of a world.
pub struct World {
    /// Hosts.
    pub hosts: IndexMap<HostId, Host>,
    /// Namespaces by place: `node1`, `node1/ns:red`, `node1/web`, `sw`.
    pub spaces: IndexMap<String, Space>,
    /// The same by the model's numbers.
    pub places: Places,
    /// Frames.
    pub capture: Capture,
    /// Programs, by the model's number.
    running: BTreeMap<u32, Running>,
    /// Files of engines' namespaces, by host.
    files: BTreeMap<HostId, BTreeMap<String, String>>,
    /// Processes of containers.
    processes: BTreeMap<u32, Pause>,
    /// What the engines' name servers know.
    resolvers: BTreeMap<u32, Arc<Mutex<Knows>>>,
    /// Ops that were carried out.
    pub ops: usize,
    /// Where the live kernel answered an op otherwise than the model: both answers.
    pub refusals: Vec<String>,
    /// What differs from the model's because of the privileges at hand.
    pub unread: BTreeSet<String>,
    /// Changes of tables that wait to be given to the tool together.
    rules: Option<(NetnsId, Variant, Vec<XtChange>)>,
    /// The switches of an earlier scenario, until their turn comes.
    spare: Option<NetNs>,
    /// The switches' namespace, if it has its bridges already.
    reused: Option<NetnsId>,
}

impl World {
    /// An empty one. Where there is a spare namespace with the switches that it will have, that one is used.
    ///
    /// # Errors
    /// Where there are no descriptors or threads left.
    pub fn new(spare: Option<NetNs>) -> Result<World, Failed> {
        Ok(World {
            hosts: IndexMap::new(),
            spaces: IndexMap::new(),
            places: Places::default(),
            capture: Capture::start()?,
            running: BTreeMap::new(),
            files: BTreeMap::new(),
            processes: BTreeMap::new(),
            resolvers: BTreeMap::new(),
            ops: 0,
            refusals: Vec::new(),
            unread: BTreeSet::new(),
            rules: None,
            spare,
            reused: None,
        })
    }

    /// Does what the model did.
    ///
    /// # Errors
    /// Where a host or namespace cannot be made; an op that the kernel refuses is noted.
    pub fn follow(&mut self, s: &Session, entries: &[Entry]) -> Result<(), Failed> {
        for e in entries {
            self.one(s, e)?;
        }
        self.tell_resolvers(s);
        self.flush_rules()
    }

    fn one(&mut self, s: &Session, e: &Entry) -> Result<(), Failed> {
        match e {
            Entry::Op(Op::Xtables { netns, variant, batch }, Ok(_), _) => {
                return self.queue_rules(*netns, *variant, batch);
            }
            // What the model's kernel refused the engine has dealt with.
            Entry::Op(Op::Xtables { .. }, Err(_), _) => return Ok(()),
            _ => self.flush_rules()?,
        }
        match e {
            Entry::Host(id, ns) => self.add_host(s, *id, *ns),
            Entry::Switch(ns) => {
                self.reused = self.spare.is_some().then_some(*ns);
                let net = self.spare.take().map_or_else(NetNs::make, Ok)?;
                self.adopt(s.kernel.ns(*ns).label.clone(), Some(*ns), None, net)
            }
            Entry::Op(Op::NetnsAdd { host, .. }, Ok(OpReply::Netns(ns)), _) => {
                let net = NetNs::make()?;
                self.adopt(s.kernel.ns(*ns).label.clone(), Some(*ns), Some(*host), net)
            }
            Entry::Op(op, told, called) => {
                match self.plugged(s, op) {
                    Some(Op::LinkAdd { kind: NewLink::Bridge(_), .. }) => self.ops += 1,
                    Some(pinned) => self.op(&pinned, told, called),
                    None => self.op(op, told, called),
                }
                Ok(())
            }
            Entry::Spawn(app) => self.spawn(s, *app),
            Entry::Exit(app) => {
                self.running.remove(app);
                self.resolvers.remove(app);
                Ok(())
            }
            Entry::Freeze(..) | Entry::Begin(_) | Entry::End(..) | Entry::Inside(..) => Ok(()),
        }
    }

    /// An op that makes a device in a switches' namespace of an earlier scenario: the bridge, which is there, or a cable
    /// to it, whose index would go on counting and is the model's instead.
    fn plugged(&self, s: &Session, op: &Op) -> Option<Op> {
        let sw = self.reused?;
        let Op::LinkAdd { spec, kind } = op else { return None };
        match kind {
            NewLink::Bridge(_) if spec.netns == sw => Some(op.clone()),
            NewLink::Veth { peer } if peer.netns == sw => {
                let index =
                    s.kernel.devs_of(sw).find(|d| Some(d.name.as_str()) == peer.name.as_deref()).map(|d| d.ifindex);
                let peer = LinkSpec { index, ..peer.clone() };
                Some(Op::LinkAdd { spec: spec.clone(), kind: NewLink::Veth { peer } })
            }
            _ => None,
        }
    }

    /// An op; where the answers differ, both are noted.
    fn op(&mut self, op: &Op, told: &Result<OpReply, Errno>, called: &[Called]) {
        self.ops += 1;
        let done = self.places.apply(op, called).or_else(|e| self.only_group_zero(op, e));
        let same = match (&done, told) {
            (Ok(()), Ok(_)) => true,
            (Err(f), Err(e)) => f.errno().is_some_and(|n| n as i32 == e.number()),
            _ => false,
        };
        if !same {
            let live = done.map_or_else(|e| e.to_string(), |()| "done".to_owned());
            let model = told.as_ref().map_or_else(|e| e.strerror().to_owned(), |_| "done".to_owned());
            let names: Vec<&str> = called.iter().map(|c| c.name.as_str()).collect();
            self.refusals.push(format!("{op:?} ({}): model {model}, kernel {live}", names.join(" ")));
        }
    }

    /// In a user namespace of ours there is one group, number 0. A range with others is refused (`ipv4_ping_group_range`:
    /// `gid_valid`); with that one alone everybody who can be there may do what the range allows.
    fn only_group_zero(&mut self, op: &Op, e: Failed) -> Result<(), Failed> {
        let Op::Sysctl { netns, name, value } = op else { return Err(e) };
        let all = name == "net.ipv4.ping_group_range" && value.starts_with("0 ");
        if !all || e.errno() != Some(nix::Error::EINVAL) {
            return Err(e);
        }
        self.places.apply(&Op::Sysctl { netns: *netns, name: name.clone(), value: "0 0".into() }, &[])?;
        self.unread.insert(format!("{name}: a user namespace of ours has no other group than 0; run as root"));
        Ok(())
    }

    fn queue_rules(&mut self, ns: NetnsId, variant: Variant, batch: &[XtChange]) -> Result<(), Failed> {
        if self.rules.as_ref().is_some_and(|r| (r.0, r.1) != (ns, variant)) {
            self.flush_rules()?;
        }
        self.rules.get_or_insert_with(|| (ns, variant, Vec::new())).2.extend_from_slice(batch);
        Ok(())
    }

    fn flush_rules(&mut self) -> Result<(), Failed> {
        let Some((ns, variant, batch)) = self.rules.take() else { return Ok(()) };
        self.ops += batch.len();
        if let Err(e) = self.places.net(ns)?.run(|| rules::restore(variant, &batch))? {
            self.refusals.push(e.to_string());
        }
        Ok(())
    }

    fn add_host(&mut self, s: &Session, id: HostId, ns: NetnsId) -> Result<(), Failed> {
        let name = s.kernel.host(id).name.clone();
        let file = |path: &str| s.read_file(id, ns, path).ok().map(|t| (path.to_owned(), t));
        let files = ["/etc/hosts", "/etc/resolv.conf", "/etc/hostname"].into_iter().filter_map(file).collect();
        let host = Host::make(&name, files)?;
        let net = host.net.clone();
        self.hosts.insert(id, host);
        self.adopt(name, Some(ns), Some(id), net)
    }

    /// A namespace that came: its settings are pinned, and its frames are heard from now on.
    ///
    /// # Errors
    /// Where the kernel allows no packet socket.
    pub fn adopt(
        &mut self,
        label: String,
        ns: Option<NetnsId>,
        host: Option<HostId>,
        net: NetNs,
    ) -> Result<(), Failed> {
        net.run(|| {
            // A write of `disable_ipv6` that finds the devices' lock taken is begun again at once, and again
            // (`restart_syscall`); who asks about a device sleeps until it is free.
            let _ = Netlink::open(netlink::ROUTE).map(|mut nl| nl.link_index("lo"));
            for (name, value) in PINNED {
                let value = if host.is_none() && name.contains("bridge-nf") { "0" } else { value };
                // A setting of a module that this kernel does not have.
                let _ = std::fs::write(format!("/proc/sys/{name}"), value);
            }
        })?;
        let tap = self.capture.add(&net)?;
        // The switches have no firewall.
        let tracer = match host {
            None => Err(String::new()),
            Some(_) => net.run(Tracer::start)?.map_err(|e| e.to_string()),
        };
        if let Some(ns) = ns {
            self.places.nets.insert(ns, net.clone());
        }
        self.spaces.insert(label, Space { net, host, tap, tracer, links: RefCell::default() });
        Ok(())
    }

    /// Looks under `/run/netns` of every host for namespaces that a command made or deleted.
    pub fn scan(&mut self, s: &Session) {
        let hosts: Vec<HostId> = self.hosts.keys().copied().collect();
        for id in hosts {
            let Some(host) = self.hosts.get(&id) else { continue };
            let name = host.name.clone();
            let found = host.named();
            let prefix = format!("{name}/ns:");
            let gone = |label: &str, net: &NetNs| {
                label.strip_prefix(&prefix).is_some_and(|n| !found.iter().any(|(f, x)| f == n && x.ino == net.ino))
            };
            let old: Vec<String> =
                self.spaces.iter().filter(|(l, x)| gone(l, &x.net)).map(|(l, _)| l.clone()).collect();
            for label in old {
                if let Some(space) = self.spaces.shift_remove(&label) {
                    self.capture.let_go(space.tap);
                    self.places.nets.retain(|_, n| n.ino != space.net.ino);
                }
            }
            for (n, net) in found {
                let label = format!("{prefix}{n}");
                // A container's namespace may be given a name as well.
                let known = self.spaces.contains_key(&label) || self.spaces.values().any(|s| s.net.ino == net.ino);
                if !known {
                    let ns = s.kernel.host(id).named.get(&n).copied();
                    // A namespace that cannot be listened to shows as frames that are missing.
                    if let Err(e) = self.adopt(label, ns, Some(id), net) {
                        self.refusals.push(format!("{name}: namespace {n}: {e}"));
                    }
                }
            }
        }
    }

    /// What a name server in a namespace knows: the model's, with the namespaces here.
    fn knows(&self, ns: NetnsId, setup: &Setup) -> Knows {
        let home = |e: &External| self.places.nets.get(&e.from.unwrap_or(ns)).cloned();
        let external = setup.external.iter().filter_map(|e| Some((e.addr, home(e)?))).collect();
        Knows { setup: setup.clone(), external }
    }

    /// Tells the name servers what they know by now.
    pub fn tell_resolvers(&self, s: &Session) {
        for (app, knows) in &self.resolvers {
            let a = s.apps.get(AppId(*app));
            if let Some(Program::Resolver(r)) = &a.program {
                let now = self.knows(a.ns, &r.setup);
                *knows.lock().unwrap_or_else(PoisonError::into_inner) = now;
            }
        }
    }

    /// Namespaces that the model let go are let go here.
    pub fn follow_gone(&mut self, s: &Session) {
        let gone: Vec<NetnsId> = self.places.nets.keys().copied().filter(|n| !s.kernel.ns(*n).alive).collect();
        for ns in gone {
            let Some(net) = self.places.nets.remove(&ns) else { continue };
            let labels: Vec<String> =
                self.spaces.iter().filter(|(_, x)| x.net.ino == net.ino).map(|(l, _)| l.clone()).collect();
            for l in labels {
                if let Some(space) = self.spaces.shift_remove(&l) {
                    self.capture.let_go(space.tap);
                }
            }
        }
    }

    /// Containers have a process with the number that the engine tells, so that `/proc/PID/ns/net` is there.
    pub fn follow_processes(&mut self, s: &Session) {
        let mut now: BTreeMap<u32, NetnsId> = BTreeMap::new();
        for (host, e) in &s.engines {
            let root = s.kernel.host(*host).root_ns;
            now.extend(e.containers.values().filter_map(|c| Some((c.pid?.0, c.netns.unwrap_or(root)))));
        }
        self.processes.retain(|pid, _| now.contains_key(pid));
        for (pid, ns) in now {
            if let (false, Some(net)) = (self.processes.contains_key(&pid), self.places.nets.get(&ns).cloned()) {
                match Pause::start(pid, &net) {
                    Ok(p) => {
                        self.processes.insert(pid, p);
                    }
                    Err(e) => self.refusals.push(format!("a process with number {pid}: {e}")),
                }
            }
        }
    }

    /// The files that an engine makes for its namespaces (`/var/run/docker/netns`).
    pub fn follow_files(&mut self, s: &Session) {
        for (id, e) in &s.engines {
            let Some(host) = self.hosts.get(id) else { continue };
            let at = |f: String| {
                let net = self.places.nets.get(&e.netns_file(&f)?)?;
                Some((f, format!("/proc/1/fd/{}", net.fd().as_raw_fd())))
            };
            let now: BTreeMap<String, String> = e.netns_files().into_iter().filter_map(at).collect();
            let old = self.files.entry(*id).or_default();
            if *old != now {
                let (gone, come) = (old.clone(), now.clone());
                let done = host.run(move || engine_files(&gone, &come)).and_then(|r| r);
                if let Err(e) = done {
                    self.refusals.push(format!("{ENGINE_FILES}: {e}"));
                }
                *old = now;
            }
        }
    }

    /// A program of the model's that has a counterpart here.
    fn spawn(&mut self, s: &Session, app: u32) -> Result<(), Failed> {
        let a = s.apps.get(AppId(app));
        let net = || self.places.net(a.ns);
        let started = match &a.program {
            Some(Program::Serve(p)) => {
                let (addr, ports) = p.listens();
                program::serve(&net()?, &a.host_name, addr, ports)
            }
            Some(Program::Named(n)) => program::named(&net()?, n),
            Some(Program::Proxy(p)) => {
                let (udp, host, to, from_asked) = p.relays();
                program::proxy(&net()?, udp, host, to, from_asked)
            }
            Some(Program::Arping(p)) if p.spec().announce.is_some() => program::announce(&net()?, p.spec()),
            Some(Program::Resolver(r)) => {
                let Some(ports) = s.apps.resolver_ports(&s.kernel, AppId(app)) else { return Ok(()) };
                let knows = Arc::new(Mutex::new(self.knows(a.ns, &r.setup)));
                let started = program::resolver::resolver(&net()?, ports, &knows);
                self.resolvers.insert(app, knows);
                started
            }
            _ => return Ok(()),
        };
        match started {
            Ok(r) => {
                self.running.insert(app, r);
            }
            // The model's could not begin either.
            Err(_) if a.failed_serve().is_some() => {}
            Err(e) => self.refusals.push(format!("{}: {e}", a.name)),
        }
        Ok(())
    }
}

/// Where an engine keeps the files of its namespaces.
const ENGINE_FILES: &str = "/run/docker/netns";

/// Takes files of namespaces away and makes others, each bound to a namespace.
fn engine_files(gone: &BTreeMap<String, String>, come: &BTreeMap<String, String>) -> std::io::Result<()> {
    std::fs::create_dir_all(ENGINE_FILES)?;
    for name in gone.keys().filter(|n| gone.get(*n) != come.get(*n)) {
        let path = format!("{ENGINE_FILES}/{name}");
        nix::mount::umount2(path.as_str(), nix::mount::MntFlags::MNT_DETACH)?;
        std::fs::remove_file(&path)?;
    }
    for (name, net) in come.iter().filter(|(n, _)| gone.get(*n) != come.get(*n)) {
        let path = format!("{ENGINE_FILES}/{name}");
        std::fs::write(&path, "")?;
        let none = None::<&str>;
        nix::mount::mount(Some(net.as_str()), path.as_str(), none, nix::mount::MsFlags::MS_BIND, none)?;
    }
    Ok(())
}
