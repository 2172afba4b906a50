//! The netlink client, in a network namespace of its own.

mod common;

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;

use common::in_netns;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use packetwalk_real::netlink::route::message::address::{AddressAttribute, AddressMessage};
use packetwalk_real::netlink::route::message::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage,
};
use packetwalk_real::netlink::route::message::{AddressFamily, RouteNetlinkMessage};
use packetwalk_real::netlink::{self, CREATE, EXCL, Netlink};

fn veth(a: &str, b: &str) -> RouteNetlinkMessage {
    let mut peer = LinkMessage::default();
    peer.attributes.push(LinkAttribute::IfName(b.to_owned()));
    let mut m = LinkMessage::default();
    m.attributes.push(LinkAttribute::IfName(a.to_owned()));
    m.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    RouteNetlinkMessage::NewLink(m)
}

#[test]
fn a_pair_an_address_and_a_move() {
    in_netns(|| {
        let mut nl = Netlink::open(netlink::ROUTE).unwrap();
        nl.change(&veth("a", "b"), CREATE | EXCL).unwrap();
        let a = nl.link_index("a").unwrap();
        let mut m = AddressMessage::default();
        m.header.family = AddressFamily::Inet;
        m.header.prefix_len = 24;
        m.header.index = a;
        let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        m.attributes.extend([AddressAttribute::Local(ip), AddressAttribute::Address(ip)]);
        nl.change(&RouteNetlinkMessage::NewAddress(m), CREATE | EXCL).unwrap();
        nl.set_link_up(a, true).unwrap();

        let links = nl.all(&RouteNetlinkMessage::GetLink(LinkMessage::default())).unwrap();
        assert_eq!(links.len(), 3, "lo, a and b");

        let home = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let other = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        let b = nl.link_index("b").unwrap();
        nl.set_link_netns(b, other.as_fd()).unwrap();
        assert_eq!(nl.link_index("b").unwrap_err().errno, Errno::ENODEV);
        let mut there = Netlink::open(netlink::ROUTE).unwrap();
        there.link_index("b").unwrap();
        setns(&home, CloneFlags::CLONE_NEWNET).unwrap();
        nl.link_index("a").unwrap();
    });
}

#[test]
fn a_refusal_has_the_kernels_words() {
    in_netns(|| {
        let mut nl = Netlink::open(netlink::ROUTE).unwrap();
        nl.change(&veth("a", "b"), CREATE | EXCL).unwrap();
        let again = nl.change(&veth("a", "c"), CREATE | EXCL).unwrap_err();
        assert_eq!(again.errno, Errno::EEXIST);
        let a = nl.link_index("a").unwrap();
        let e = nl.set_link(a, |m| m.attributes.push(LinkAttribute::Mtu(1 << 20))).unwrap_err();
        assert_eq!(e.errno, Errno::EINVAL);
        assert!(e.message.contains("mtu"), "{e}");
        nl.link_index("a").unwrap();
    });
}
