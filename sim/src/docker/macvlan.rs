//! The macvlan and ipvlan drivers (libnetwork drivers/macvlan, drivers/ipvlan): containers with an Ethernet address of
//! their own beside the host's. Nothing else on the host changes: no bridge, no rules, no forwarding.
//!
//! Kernel of the model: no ipvlan, no VLANs, no dummy devices. Networks that need one are answered as such a kernel
//! answers.

use super::network::NetSpec;
use super::types::{Endpoint, Network, Profile};
use super::{Docker, link};
use crate::kernel::macvlan::MacvlanMode;
use crate::kernel::types::{DevId, NetnsId};
use crate::op::{LinkChange, NewLink, Op, OpReply};

/// `macvlan_mode` as the driver reads it; `passthru` is not modelled.
fn mode(text: &str) -> Option<MacvlanMode> {
    match text {
        "" | "bridge" => Some(MacvlanMode::Bridge),
        "private" => Some(MacvlanMode::Private),
        "vepa" => Some(MacvlanMode::Vepa),
        _ => None,
    }
}

impl Network {
    /// Is it macvlan's or ipvlan's?
    pub fn on_parent(&self) -> bool {
        matches!(self.driver.as_str(), "macvlan" | "ipvlan")
    }
}

impl Docker<'_> {
    /// Makes a network of the driver (`CreateNetwork`, `parseNetworkOptions`).
    ///
    /// # Errors
    /// The driver's sentence.
    pub(super) fn macvlan_create(&mut self, spec: &NetSpec) -> Result<String, String> {
        let bare = self.profile() == Profile::V29 && spec.gateways.is_empty();
        let mut subnet = self.subnet_of(spec)?;
        if bare {
            // 29 leaves the address free: there is nobody to have it.
            subnet.gateway = None;
        }
        let parent = spec.options.get("parent").cloned().unwrap_or_default();
        let id = self.new_id();
        self.macvlan_options(spec)?;
        self.macvlan_parent(spec, &parent)?;
        let n = Network::local(spec, &id, &spec.driver, subnet, self.s.kernel.now());
        self.reserve(&n);
        self.em().networks.insert(id.clone(), n);
        if self.profile() == Profile::V20 {
            self.user_chain();
        }
        Ok(id)
    }

    fn macvlan_options(&self, spec: &NetSpec) -> Result<(), String> {
        let opt = |k: &str| spec.options.get(k).map_or("", String::as_str);
        if spec.driver == "ipvlan" {
            let m = opt("ipvlan_mode");
            if !matches!(m, "" | "l2" | "l3" | "l3s") {
                return Err(format!(
                    "requested ipvlan mode '{m}' is not valid, 'l2' mode is the ipvlan driver default"
                ));
            }
            let f = opt("ipvlan_flag");
            if self.profile() != Profile::V20 && !matches!(f, "" | "bridge" | "private" | "vepa") {
                return Err(format!("requested ipvlan flag '{f}' is not valid, 'bridge' is the ipvlan driver default"));
            }
            return Ok(());
        }
        let m = opt("macvlan_mode");
        if m == "passthru" {
            return Err("macvlan_mode=passthru is not modelled".into());
        }
        if mode(m).is_none() {
            return Err(format!(
                "requested macvlan mode '{m}' is not valid, 'bridge' mode is the macvlan driver default"
            ));
        }
        Ok(())
    }

    /// The parent must be there, or be one that the driver can make (`createNetwork`).
    fn macvlan_parent(&self, spec: &NetSpec, parent: &str) -> Result<(), String> {
        let kind = &spec.driver;
        if parent == "lo" {
            return Err(format!("loopback interface is not a valid {kind} parent link"));
        }
        if parent.is_empty() {
            // It would make a dummy device, which this kernel does not have (`createDummyLink`).
            return Err("operation not supported".into());
        }
        // Since 24 macvlan networks may share a parent.
        let shares = kind == "macvlan" && self.profile() != Profile::V20;
        let holder = self
            .e()
            .networks
            .values()
            .find(|n| n.driver == *kind && n.options.get("parent") == Some(&parent.to_owned()));
        if let Some(n) = holder.filter(|_| !shares) {
            let short = if kind == "macvlan" { "dm" } else { "di" };
            return Err(format!("network {short}-{} is already using parent interface {parent}", &n.id[..12]));
        }
        if self.s.kernel.dev_by_name(self.ns(), parent).is_some() {
            return Ok(());
        }
        let bad = format!("invalid subinterface vlan name {parent}, example formatting is eth0.10");
        let Some((of, vlan)) = parent.split_once('.').filter(|(_, v)| !v.contains('.')) else { return Err(bad) };
        let unread = |_| format!("unable to parse a valid vlan id from: {vlan} (ex. eth0.10 for vlan 10)");
        let vlan: i64 = vlan.parse().map_err(unread)?;
        if !(1..=4094).contains(&vlan) {
            return Err(format!("vlan id must be between 1-4094, received: {vlan}"));
        }
        if self.s.kernel.dev_by_name(self.ns(), of).is_none() {
            return Err(format!("failed to find master interface {of} on the Docker host: Link not found"));
        }
        Err(format!("failed to create {parent} vlan link: operation not supported"))
    }

    /// The container's interface, made beside the parent on the host (`Join`, `createMacVlan`).
    pub(super) fn macvlan_link(
        &mut self,
        n: &Network,
        ns: NetnsId,
        e: &Endpoint,
        ifname: String,
    ) -> Result<DevId, String> {
        if n.driver == "ipvlan" {
            return Err("failed to create the ipvlan port: operation not supported".into());
        }
        let parent = n.options.get("parent").map_or("", String::as_str);
        let Some(lower) = self.s.kernel.dev_by_name(self.ns(), parent) else {
            return Err(format!("error occurred looking up the macvlan parent iface {parent} error: Link not found"));
        };
        let wanted = n.options.get("macvlan_mode").map_or("", String::as_str);
        let mode = mode(wanted).unwrap_or(MacvlanMode::Bridge);
        let spec = link(self.ns(), &self.veth_name());
        let made = self.op(&Op::LinkAdd { spec, kind: NewLink::Macvlan { lower: Some(lower), mode } });
        let OpReply::Dev(dev) = made.map_err(|e| format!("failed to create the macvlan port: {e}"))? else {
            return Err("failed to create the macvlan port".into());
        };
        let mut changes = vec![LinkChange::Netns(ns), LinkChange::Name(ifname)];
        changes.extend(e.mac.map(LinkChange::Mac));
        self.change(dev, changes)?;
        Ok(dev)
    }

    /// What the driver has to say of published ports: a word in the log.
    pub(super) fn macvlan_ports(&mut self, n: &Network, exposed: bool, published: bool) {
        for (on, what) in [(exposed, "exposures"), (published, "mappings")] {
            if on {
                let text = format!("{} driver does not support port {what}", n.driver);
                self.em().log.push(text);
            }
        }
    }
}
