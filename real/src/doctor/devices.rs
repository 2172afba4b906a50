//! Kinds of devices: one of each is made.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, InfoVeth, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage, MacVlanMode,
};

use super::{About, Check, Group};
use crate::netlink::{self, CREATE, EXCL, Netlink, NlError};

/// Tries veth, bridge, vxlan and macvlan, in a namespace of our own.
pub fn all() -> Vec<Check> {
    let about = |what, costs, remedy| About { group: Group::Devices, what, costs, remedy };
    let veth = about("veth", "every comparison", "modprobe veth; the kernel option is CONFIG_VETH");
    let bridge = about(
        "bridge",
        "scenarios with LANs, bridges or Docker",
        "modprobe bridge; the kernel option is CONFIG_BRIDGE",
    );
    let vxlan = about(
        "vxlan",
        "scenarios with overlay networks or tunnels",
        "modprobe vxlan; the kernel option is CONFIG_VXLAN",
    );
    let macvlan =
        about("macvlan", "scenarios with macvlan networks", "modprobe macvlan; the kernel option is CONFIG_MACVLAN");
    let mut nl = match Netlink::open(netlink::ROUTE) {
        Ok(nl) => nl,
        Err(e) => return vec![veth.tried(Err(e))],
    };
    let mut peer = LinkMessage::default();
    peer.attributes.push(LinkAttribute::IfName("pwb".into()));
    let vni = InfoData::Vxlan(vec![InfoVxlan::Id(42), InfoVxlan::Port(4789)]);
    let mode = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)]);
    let mut make = |about: About, kind, data, lower| about.tried(make(&mut nl, kind, data, lower));
    vec![
        make(veth, InfoKind::Veth, Some(InfoData::Veth(InfoVeth::Peer(peer))), None),
        make(bridge, InfoKind::Bridge, None, None),
        make(vxlan, InfoKind::Vxlan, Some(vni), None),
        make(macvlan, InfoKind::MacVlan, Some(mode), Some("pwb")),
    ]
}

fn make(nl: &mut Netlink, kind: InfoKind, data: Option<InfoData>, lower: Option<&str>) -> Result<String, NlError> {
    let mut m = LinkMessage::default();
    m.attributes.push(LinkAttribute::IfName(format!("pw-{kind}")));
    if let Some(lower) = lower {
        m.attributes.push(LinkAttribute::Link(nl.link_index(lower)?));
    }
    let mut info = vec![LinkInfo::Kind(kind)];
    info.extend(data.map(LinkInfo::Data));
    m.attributes.push(LinkAttribute::LinkInfo(info));
    nl.change(&RouteNetlinkMessage::NewLink(m), CREATE | EXCL).map(|()| String::new())
}
