//! Networks of the bridge driver: made, removed, looked at (libnetwork drivers/bridge/bridge.go, daemon/network.go).

use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use super::rules::{self, NetRules};
use super::types::{Network, Profile, Subnet};
use super::{Docker, link};
use crate::kernel::types::{DevId, Nanos};
use crate::op::{LinkChange, NewLink, Op, OpReply};

/// What `docker network create` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NetSpec {
    pub name: String,
    pub driver: String,
    pub subnets: Vec<String>,
    pub ranges: Vec<String>,
    pub gateways: Vec<String>,
    pub aux: Vec<(String, String)>,
    pub internal: bool,
    pub attachable: bool,
    pub options: IndexMap<String, String>,
    pub labels: IndexMap<String, String>,
    pub config_only: bool,
    pub config_from: Option<String>,
}

/// Prefix of the bridge driver's options.
const OPT: &str = "com.docker.network.bridge.";

impl Network {
    /// A yes-or-no option of the bridge driver.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        let v = self.options.get(&format!("{OPT}{name}"));
        v.map_or(default, |v| matches!(v.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    /// An option of the bridge driver.
    pub fn opt(&self, name: &str) -> Option<&str> {
        self.options.get(&format!("{OPT}{name}")).map(String::as_str)
    }

    /// `com.docker.network.driver.mtu`.
    pub fn mtu(&self) -> Option<u32> {
        self.options.get("com.docker.network.driver.mtu").and_then(|v| v.parse().ok()).filter(|m| *m != 0)
    }

    /// Where its containers send what is for others: `DefaultGatewayIPv4`, or the gateway.
    pub fn way_out(&self) -> Option<Ipv4Addr> {
        let s = self.subnets.first()?;
        s.aux.get("DefaultGatewayIPv4").copied().or(s.gateway)
    }

    /// Its gateway.
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        self.subnets.first().and_then(|s| s.gateway)
    }
}

/// `--subnet`, where 28 also wants it without host bits.
pub(in crate::docker) fn subnet_given(given: &str, v20: bool) -> Result<Ipv4Net, String> {
    let whole: Ipv4Net = given.parse().map_err(|_| match v20 {
        true => format!("Invalid subnet {given} : invalid CIDR address: {given}"),
        false => format!("invalid network config:\ninvalid subnet {given}: invalid CIDR block notation"),
    })?;
    let net = whole.trunc();
    if !v20 && net != whole {
        return Err(format!("invalid network config:\ninvalid subnet {given}: it should be {net}"));
    }
    Ok(net)
}

impl Network {
    /// A network of this host alone, as it was asked for.
    pub(super) fn local(spec: &NetSpec, id: &str, driver: &str, subnet: Subnet, created: Nanos) -> Network {
        Network { subnets: vec![subnet], ..Network::bare(spec, id, driver, created) }
    }

    /// The same without its pool.
    pub(super) fn bare(spec: &NetSpec, id: &str, driver: &str, created: Nanos) -> Network {
        Network {
            id: id.to_owned(),
            name: spec.name.clone(),
            driver: driver.to_owned(),
            scope: "local".into(),
            auto_subnet: spec.subnets.is_empty(),
            subnets: Vec::new(),
            internal: spec.internal,
            attachable: spec.attachable,
            options: spec.options.clone(),
            labels: spec.labels.clone(),
            created,
            bridge: None,
            bridge_name: String::new(),
            bridge_kept: false,
            config: None,
            config_from: spec.config_from.clone(),
        }
    }
}

/// `trusted_host_interfaces`: names with colons between them.
fn trusted(n: &Network) -> Vec<String> {
    let names = n.opt("trusted_host_interfaces").unwrap_or("").split(':');
    names.filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

impl Docker<'_> {
    /// What the rules of a network depend on.
    pub fn net_rules(&self, n: &Network) -> NetRules {
        let c = &self.e().config;
        let mode = n.opt("gateway_mode_ipv4").unwrap_or("nat");
        NetRules {
            bridge: n.bridge_name.clone(),
            net: n.subnets.first().map(|s| s.net).unwrap_or_default(),
            icc: n.flag("enable_icc", true),
            masquerade: n.flag("enable_ip_masquerade", true),
            internal: n.internal,
            proxy: c.userland_proxy,
            host_ip: n.options.get("com.docker.network.host_ipv4").and_then(|v| v.parse().ok()),
            routed: mode == "routed",
            unprotected: mode == "nat-unprotected",
            direct: c.allow_direct_routing,
            trusted: trusted(n),
        }
    }

    /// `docker network create`: its id.
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn network_create(&mut self, spec: &NetSpec) -> Result<String, String> {
        self.check_name(&spec.name)?;
        let spec = &match self.configured(spec)? {
            Ok(spec) => spec,
            Err(id) => return Ok(id),
        };
        self.check_driver(spec)?;
        let off = |v: &&String| matches!(v.as_str(), "0" | "f" | "F" | "false" | "FALSE" | "False");
        if self.profile() != Profile::V20 && spec.options.get("com.docker.network.enable_ipv4").is_some_and(|v| off(&v))
        {
            return Err("IPv4 or IPv6 must be enabled".into());
        }
        match spec.driver.as_str() {
            "macvlan" | "ipvlan" => return self.macvlan_create(spec),
            "overlay" => return self.overlay_create(spec),
            _ => {}
        }
        let subnet = self.subnet_of(spec)?;
        // The driver reads its options when the pool is taken already, which 20.10 does not come back to.
        self.check_options(spec)?;
        let id = self.new_id();
        let name = spec.options.get("com.docker.network.bridge.name").cloned();
        let bridge_name = name.filter(|n| !n.is_empty()).unwrap_or_else(|| format!("br-{}", &id[..12]));
        if bridge_name.len() > 15 {
            let text = "numerical result out of range";
            return Err(match self.profile() {
                Profile::V20 => format!("failed to check bridge interface existence: {text}"),
                _ => text.to_owned(),
            });
        }
        self.stale_default(&bridge_name);
        self.check_bridge(&id, &bridge_name, &subnet)?;
        let now = self.s.kernel.now();
        let bridge_kept = self.s.kernel.dev_by_name(self.ns(), &bridge_name).is_some();
        let n = Network { bridge_name, bridge_kept, ..Network::local(spec, &id, "bridge", subnet, now) };
        self.reserve(&n);
        if let Err(e) = self.bring_up(n) {
            self.em().addresses.shift_remove(&id);
            return Err(e);
        }
        Ok(id)
    }

    /// Gateway and auxiliary addresses are taken.
    pub(super) fn reserve(&mut self, n: &Network) {
        let mut list = Vec::new();
        for s in &n.subnets {
            list.extend(s.gateway);
            list.extend(s.aux.values().copied());
        }
        self.em().addresses.insert(n.id.clone(), list);
    }

    /// The device, its rules, and the network is there (`createNetwork`).
    pub(super) fn bring_up(&mut self, mut n: Network) -> Result<(), String> {
        let dev = self.bridge_device(&n)?;
        n.bridge = Some(dev);
        self.forwarding();
        let c = &self.e().config;
        let (proxy, icc) = (c.userland_proxy, n.flag("enable_icc", true));
        let ns = self.ns();
        if !proxy {
            self.sysctl(ns, &format!("net.ipv4.conf.{}.route_localnet", n.bridge_name.replace('.', "/")), "1");
        }
        if !icc || (!proxy && self.profile() != Profile::V20) {
            self.sysctl(ns, "net.bridge.bridge-nf-call-iptables", "1");
        }
        let (p, r) = (self.profile(), self.net_rules(&n));
        let calls = rules::network(p, &r);
        if let Err(e) = self.calls(&calls) {
            // What 28 set up as a whole it takes down as a whole; its first rules, like 20.10's, stay.
            if p != Profile::V20 && !e.starts_with("Failed to Setup") {
                self.undo_network(&calls);
            }
            return Err(e);
        }
        self.change(dev, vec![LinkChange::Up(true)])?;
        // It reads the link again, to know its flags (`setupDeviceUp`).
        self.s.kernel.rtnl_getlink(dev);
        self.em().networks.insert(n.id.clone(), n);
        // Up to 27 after every network (`arrangeUserFilterRule`).
        if self.profile() == Profile::V20 && !self.e().taking_over {
            self.user_chain();
        }
        Ok(())
    }

    /// Forwarding is switched on for a network that needs it (28 and later); 20.10 does so when it starts.
    fn forwarding(&mut self) {
        if self.profile() != Profile::V20 {
            self.enable_forwarding();
        }
    }

    fn bridge_device(&mut self, n: &Network) -> Result<DevId, String> {
        let ns = self.ns();
        let gateway = n.gateway();
        let prefix = n.subnets.first().map_or(16, |s| s.net.prefix_len());
        if let Some(dev) = self.s.kernel.dev_by_name(ns, &n.bridge_name) {
            if self.s.kernel.dev(dev).bridge().is_none() {
                return Err(format!("existing interface {} is not a bridge", n.bridge_name));
            }
            self.readdress(dev, gateway, prefix)?;
            return Ok(dev);
        }
        let mac = self.random_mac();
        let mut spec = link(ns, &n.bridge_name);
        spec.mac = Some(mac);
        let OpReply::Dev(dev) = self.op(&Op::LinkAdd { spec, kind: NewLink::Bridge(Vec::new()) })? else {
            return Err("the bridge was not made".into());
        };
        if let Some(mtu) = n.mtu().filter(|_| self.profile() != Profile::V20) {
            // The engine has the number of the error alone.
            self.change(dev, vec![LinkChange::Mtu(mtu)]).map_err(|_| "invalid argument".to_owned())?;
        }
        if let Some(g) = gateway.filter(|_| !n.flag("inhibit_ipv4", false)) {
            self.address(dev, g, prefix)?;
        }
        Ok(dev)
    }

    /// A bridge that was there gets the address it should have (`setup_ipv4.go`).
    fn readdress(&mut self, dev: DevId, gateway: Option<Ipv4Addr>, prefix: u8) -> Result<(), String> {
        let Some(g) = gateway else { return Ok(()) };
        let have = self.s.kernel.dev(dev).addrs.clone();
        if have.iter().any(|a| a.local == g && a.prefix == prefix) {
            return Ok(());
        }
        if let Some(a) = have.first() {
            let (local, prefix) = (a.local, Some(a.prefix));
            self.op(&Op::AddrDel { dev, local, prefix, peer: None, label: None })?;
        }
        self.address(dev, g, prefix)
    }

    fn check_name(&self, name: &str) -> Result<(), String> {
        if name.is_empty() {
            return Err(match self.profile() {
                Profile::V20 => "network with name  already exists".into(),
                _ => "invalid name: name is empty".into(),
            });
        }
        if matches!(name, "bridge" | "host" | "none" | "default") {
            return Err(format!("operation is not permitted on predefined {name} network"));
        }
        if self.e().networks.values().any(|n| n.name == name) {
            return Err(format!("network with name {name} already exists"));
        }
        Ok(())
    }

    fn check_driver(&self, spec: &NetSpec) -> Result<(), String> {
        match spec.driver.as_str() {
            "" | "bridge" => {}
            "host" => return Err("only one instance of \"host\" network is allowed".into()),
            "null" => return Err("only one instance of \"null\" network is allowed".into()),
            "macvlan" | "ipvlan" | "overlay" => return Ok(()),
            other => {
                return Err(format!("plugin \"{other}\" not found"));
            }
        }
        Ok(())
    }

    /// What the bridge driver is told (`parseNetworkOptions`).
    fn check_options(&self, spec: &NetSpec) -> Result<(), String> {
        let bad = |key: &str, v: &str, why: &str| Err(format!("failed to parse {key} value: {v} ({why})"));
        for key in ["enable_icc", "enable_ip_masquerade", "inhibit_ipv4"] {
            let key = format!("{OPT}{key}");
            if let Some(v) = spec.options.get(&key)
                && !matches!(
                    v.as_str(),
                    "1" | "t" | "T" | "true" | "TRUE" | "True" | "0" | "f" | "F" | "false" | "FALSE" | "False"
                )
            {
                return bad(&key, v, &format!("strconv.ParseBool: parsing \"{v}\": invalid syntax"));
            }
        }
        for key in [&format!("{OPT}host_binding_ipv4"), "com.docker.network.host_ipv4"] {
            if let Some(v) = spec.options.get(key).filter(|v| v.parse::<std::net::IpAddr>().is_err()) {
                return bad(key, v, "nil ip");
            }
        }
        let mode = spec.options.get(&format!("{OPT}gateway_mode_ipv4")).filter(|_| self.profile() != Profile::V20);
        match mode.map(String::as_str) {
            None | Some("" | "nat" | "nat-unprotected" | "routed") => {}
            Some("isolated") if spec.internal => {}
            Some("isolated") => {
                return Err("gateway mode 'isolated' can only be used for an internal network".into());
            }
            Some(other) => {
                return bad(&format!("{OPT}gateway_mode_ipv4"), other, &format!("unknown gateway mode {other}"));
            }
        }
        let key = "com.docker.network.driver.mtu";
        if let Some(v) = spec.options.get(key) {
            match v.parse::<i64>() {
                Ok(n) if n < 0 => return Err(format!("invalid MTU number: {n}")),
                Ok(_) => {}
                Err(_) => return bad(key, v, &format!("strconv.Atoi: parsing \"{v}\": invalid syntax")),
            }
        }
        if spec.subnets.len() > 1 {
            return Err("bridge driver doesn't support multiple subnets".into());
        }
        Ok(())
    }

    pub(super) fn subnet_of(&mut self, spec: &NetSpec) -> Result<Subnet, String> {
        let v20 = self.profile() == Profile::V20;
        // An isolated network's bridge has no address, and none is kept for it.
        let mode = spec.options.get(&format!("{OPT}gateway_mode_ipv4"));
        let isolated = !v20 && mode.is_some_and(|m| m == "isolated");
        let mut aux = IndexMap::new();
        for (k, v) in &spec.aux {
            aux.insert(k.clone(), v.parse().map_err(|_| format!("invalid auxiliary address {v}"))?);
        }
        let Some(given) = spec.subnets.first() else {
            let net = self.next_pool()?;
            let s = Subnet { net, given: None, range: None, gateway: None, gateway_given: false, aux };
            let gateway = super::ipam::lowest(&s, |_| false).filter(|_| !isolated);
            return Ok(Subnet { gateway, ..s });
        };
        let net = subnet_given(given, v20)?;
        if self.overlaps(&net) {
            let text = "Pool overlaps with other one on this address space";
            return Err(if v20 { text.into() } else { format!("invalid pool request: {text}") });
        }
        let range = match spec.ranges.first() {
            Some(r) => Some(r.parse::<Ipv4Net>().map_err(|_| format!("invalid ip-range {r}"))?.trunc()),
            None => None,
        };
        if let Some(r) = range.filter(|r| !v20 && r.prefix_len() < net.prefix_len()) {
            let why = format!("CIDR block is bigger than its parent subnet {net}");
            return Err(format!("invalid network config:\ninvalid ip-range {r}: {why}"));
        }
        let asked = match spec.gateways.first() {
            Some(g) => Some(g.parse::<Ipv4Addr>().map_err(|_| format!("invalid gateway {g}"))?),
            None => None,
        };
        if let Some(g) = asked.filter(|g| !net.contains(g)) {
            return Err(format!("failed to allocate gateway ({g}): Requested address is out of range"));
        }
        if let Some((k, a)) = aux.iter().find(|(_, a): &(_, &Ipv4Addr)| !net.contains(*a)) {
            return Err(format!("auxiliary address: ({k}:{a}) must belong to the master pool: {net}"));
        }
        let kept = |a: &Ipv4Addr| super::ipam::ends(self.profile(), &net).is_some_and(|e| e.contains(a));
        if let Some(g) = asked.filter(kept) {
            return Err(format!("failed to allocate gateway ({g}): Address already in use"));
        }
        let s = Subnet {
            net,
            given: Some(given.clone()),
            range,
            gateway: None,
            gateway_given: asked.is_some(),
            aux: IndexMap::new(),
        };
        // Up to 28 both ends of a pool of two addresses are taken.
        let none = v20 && net.prefix_len() >= 31;
        let gateway = asked.or_else(|| super::ipam::lowest(&s, |_| none)).filter(|_| !isolated || asked.is_some());
        if gateway.is_none() && !isolated {
            return Err("failed to allocate gateway (): No available addresses on this pool".into());
        }
        // The gateway is chosen before (`ipamAllocateVersion`).
        if let Some((k, a)) = aux.iter().find(|(_, a)| kept(a) || gateway == Some(**a)) {
            return Err(format!("failed to allocate secondary ip address ({k}:{a}): Address already in use"));
        }
        Ok(Subnet { gateway, aux, ..s })
    }

    fn check_bridge(&self, id: &str, name: &str, s: &Subnet) -> Result<(), String> {
        for n in self.e().networks.values().filter(|n| n.driver == "bridge") {
            let why = if n.bridge_name == name {
                "networks have same bridge name"
            } else if n.subnets.iter().any(|x| x.net.contains(&s.net.network()) || s.net.contains(&x.net.network())) {
                "networks have overlapping IPv4"
            } else {
                continue;
            };
            let (a, b) = (&n.id, &n.bridge_name);
            return Err(format!("cannot create network {id} ({name}): conflicts with network {a} ({b}): {why}"));
        }
        Ok(())
    }

    /// 20.10's driver takes any network on docker0 for the default one, and one that is there for stale: it goes
    /// (`checkConflict`).
    fn stale_default(&mut self, name: &str) {
        if self.profile() != Profile::V20 || name != "docker0" {
            return;
        }
        let old = self.e().networks.values().find(|n| n.bridge_name == name).cloned();
        if let Some(n) = old {
            let (p, r) = (self.profile(), self.net_rules(&n));
            self.undo_network(&rules::network(p, &r));
            if let Some(n) = self.em().networks.get_mut(&n.id) {
                n.bridge_name.clear();
            }
        }
    }

    /// The jumps to nat DOCKER belong to all networks.
    fn undo_network(&mut self, calls: &[rules::Call]) {
        let own = |c: &&rules::Call| !matches!(c.bare(), rules::Call::Append(_, "PREROUTING" | "OUTPUT", _));
        let calls: Vec<rules::Call> = calls.iter().filter(own).cloned().collect();
        self.undo(&calls);
    }

    /// Containers that are on a network at this moment.
    pub fn members(&self, network: &str) -> Vec<(String, super::Endpoint)> {
        let of = |c: &super::Container| {
            let e = c.endpoints.values().find(|e| e.network == network && !e.id.is_empty());
            e.map(|e| (c.id.clone(), e.clone()))
        };
        self.e().containers.values().filter_map(of).collect()
    }

    /// Names and ids of a network's endpoints: those of docker_gwbridge are called after their sandbox.
    fn active_endpoints(&self, n: &Network) -> Vec<(String, String)> {
        let outside = n.name == super::gwbridge::NAME;
        let name = |id: &String| match self.e().containers.get(id) {
            Some(c) if outside => format!("gateway_{}", c.sandbox.get(..12).unwrap_or("")),
            Some(c) => c.name.clone(),
            None => String::new(),
        };
        let mut all: Vec<_> = self.members(&n.id).iter().map(|(c, e)| (name(c), e.id.clone())).collect();
        if outside {
            let balancers = self.e().overlays.values().filter_map(|o| o.balancer.as_ref()?.outside.as_ref());
            all.extend(balancers.map(|e| ("gateway_ingress-sbox".to_owned(), e.id.clone())));
        }
        all
    }

    /// `docker network rm`.
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn network_remove(&mut self, key: &str) -> Result<(), String> {
        let Some(n) = self.e().network(key).cloned() else { return Err(format!("network {key} not found")) };
        if matches!(n.name.as_str(), "bridge" | "host" | "none") {
            return Err(format!("{} is a pre-defined network and cannot be removed", n.name));
        }
        if n.scope != "local" {
            return self.overlay_remove(&n);
        }
        if n.config.is_some() && self.config_in_use(&n) {
            return Err(format!("error while removing network: configuration network \"{}\" is in use", n.name));
        }
        let members = self.active_endpoints(&n);
        if !members.is_empty() {
            let (name, id) = (&n.name, &n.id);
            if self.profile() == Profile::V20 {
                return Err(format!("error while removing network: network {name} id {id} has active endpoints"));
            }
            let list: Vec<String> =
                members.iter().map(|(name, id)| format!("name:\"{name}\" id:\"{}\"", &id[..12])).collect();
            let list = list.join(", ");
            return Err(format!("error while removing network: network {name} has active endpoints ({list})"));
        }
        self.take_down(&n, true);
        Ok(())
    }

    /// Rules and device go, and what the engine knew of it.
    pub(super) fn take_down(&mut self, n: &Network, device: bool) {
        if n.on_parent() || n.config.is_some() {
            self.em().networks.shift_remove(&n.id);
            self.em().addresses.shift_remove(&n.id);
            return;
        }
        let (p, r) = (self.profile(), self.net_rules(n));
        self.undo_network(&rules::network(p, &r));
        if let Some(dev) = n.bridge.filter(|_| device && !n.bridge_kept)
            && let Err(e) = self.op(&Op::LinkDel { dev })
        {
            self.em().log.push(format!("failed to remove bridge interface {}: {e}", n.bridge_name));
        }
        self.em().networks.shift_remove(&n.id);
        self.em().addresses.shift_remove(&n.id);
    }

    /// `docker network prune` of those that `wanted` takes: the names of those that went.
    pub fn network_prune(&mut self, wanted: impl Fn(&Network) -> bool) -> Vec<String> {
        let all: Vec<Network> = self.e().networks.values().cloned().collect();
        let mut gone = Vec::new();
        for n in all {
            let builtin = matches!(n.name.as_str(), "bridge" | "host" | "none");
            let builtin = builtin || n.scope != "local" || n.name == super::gwbridge::NAME || n.config.is_some();
            if !builtin && wanted(&n) && self.members(&n.id).is_empty() {
                self.take_down(&n, true);
                gone.push(n.name);
            }
        }
        gone
    }
}
