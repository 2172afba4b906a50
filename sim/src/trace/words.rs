//! Packets, ICMP messages and drop reasons in words.

use super::DropReason;
use crate::wire::packet::{Body, Icmp, Ipv4, L4, Packet, TcpFlags};

/// A packet in one line: what it is, from where to where.
pub fn packet(p: &Packet) -> String {
    match &p.body {
        Body::Arp(a) if a.op == 1 && a.spa == a.tpa => format!("ARP announcement: {} is at {}", a.spa, a.sha),
        Body::Arp(a) if a.op == 1 => format!("ARP who has {}? tell {}", a.tpa, a.spa),
        Body::Arp(a) => format!("ARP {} is at {}", a.spa, a.sha),
        Body::Ipv4(ip) => ipv4(ip),
        Body::Other(t, b) => format!("EtherType {t:#06x}, {} bytes", b.len()),
    }
}

fn ipv4(ip: &Ipv4) -> String {
    let (src, dst) = (ip.src, ip.dst);
    let mut text = match &ip.l4 {
        L4::Icmp(i) => format!("{} {src} > {dst}", icmp_message(i)),
        L4::Udp(u) => format!("UDP {src}:{} > {dst}:{}", u.sport, u.dport),
        L4::Tcp(t) => {
            let mut s = format!("TCP {src}:{} > {dst}:{} [{}]", t.sport, t.dport, flags(t.flags));
            if !t.payload.is_empty() {
                s.push_str(&format!(" {} bytes of data", t.payload.len()));
            }
            s
        }
        L4::Raw(p, _) if ip.is_fragment() => format!("fragment of protocol {p} {src} > {dst}"),
        L4::Raw(p, _) => format!("protocol {p} {src} > {dst}"),
    };
    text.push_str(&format!(", ttl {}", ip.ttl));
    if !matches!(ip.l4, L4::Tcp(_)) || ip.total_len() > 1000 {
        text.push_str(&format!(", {} bytes", ip.total_len()));
    }
    if ip.is_fragment() {
        text.push_str(&format!(" at offset {}", usize::from(ip.frag_off) * 8));
    } else if ip.df && ip.total_len() > 576 {
        text.push_str(", DF");
    }
    text
}

/// The flags of a TCP segment: `SYN,ACK`.
pub fn flags(f: TcpFlags) -> String {
    let names = [
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::ACK, "ACK"),
        (TcpFlags::URG, "URG"),
    ];
    names.iter().filter(|(b, _)| f.contains(*b)).map(|x| x.1).collect::<Vec<_>>().join(",")
}

fn icmp_message(i: &Icmp) -> String {
    match i.ty {
        0 | 8 => format!("ICMP {} seq {}", icmp(i.ty, i.code), i.rest & 0xffff),
        3 if i.code == 4 => format!("ICMP {} (mtu {})", icmp(3, 4), i.rest & 0xffff),
        _ => format!("ICMP {}", icmp(i.ty, i.code)),
    }
}

/// The name of an ICMP type and code.
pub fn icmp(ty: u8, code: u8) -> String {
    let name = match (ty, code) {
        (0, _) => "echo reply",
        (8, _) => "echo request",
        (3, 0) => "network unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => "fragmentation needed",
        (3, 5) => "source route failed",
        (3, 9 | 10 | 13) => "prohibited",
        (5, _) => "redirect",
        (11, 0) => "time exceeded in transit",
        (11, 1) => "time exceeded while reassembling",
        (12, _) => "parameter problem",
        _ => return format!("type {ty} code {code}"),
    };
    name.to_owned()
}

/// What two functions drop for two reasons, and say of neither.
pub const TOO_BIG_OR_DOWN: &str = "too big for the device, or the device is down";

/// What a drop means, in a plain sentence: by its reason, or, where the kernel gives none, by the function that dropped.
pub fn drop(reason: DropReason, func: &str) -> &'static str {
    use DropReason as D;
    match reason {
        D::NOT_SPECIFIED => match func {
            "br_handle_frame_finish" => {
                "the bridge must not send it by that port: it came in there and hairpin is off, or the port is shut"
            }
            "br_nf_dev_queue_xmit" => "too big for the port, and a bridge tells nobody",
            "br_dev_queue_push_xmit" | "__dev_forward_skb2" => TOO_BIG_OR_DOWN,
            "icmp_echo" => "this host is told not to answer pings",
            "ip_error" => "a route or a routing rule says that it must not go there",
            _ => "the kernel says no more than that",
        },
        D::NO_SOCKET => "nothing listens on that port",
        D::OTHERHOST => "the frame is addressed to another host's Ethernet address",
        D::UNICAST_IN_L2_MULTICAST => "a unicast packet in a multicast frame",
        D::IP_CSUM | D::ICMP_CSUM => "the checksum is wrong",
        D::IP_INHDR => "the IP header is not acceptable here: its time to live ran out, or it is malformed",
        D::IP_RPFILTER => "rp_filter: the way back to the source would not leave by the device it came in by",
        D::IP_LOCALNET => "an address of 127.0.0.0/8 on the wire, and route_localnet is 0",
        D::IP_LOCAL_SOURCE => "the source is one of this host's own addresses",
        D::IP_INVALID_SOURCE => "such an address cannot be a source",
        D::IP_INVALID_DEST => "such an address cannot be a destination",
        D::IP_INADDRERRORS => "not for this host, and forwarding is off here",
        D::IP_INNOROUTES => "no route to the destination",
        D::IP_OUTNOROUTES => "this host has no route to the destination",
        D::IP_NOPROTO => "nobody here speaks that protocol",
        D::PKT_TOO_BIG => "bigger than the MTU of the way on, and it may not be fragmented",
        D::NEIGH_FAILED => "nobody answered ARP for the next hop",
        D::NEIGH_QUEUEFULL => "too many packets already wait for that neighbour",
        D::QUEUE_PURGE => "what it waited for went away",
        D::NEIGH_CREATEFAIL => "the neighbour table is full (gc_thresh3), and has no room for the next hop",
        D::NEIGH_DEAD => "there can be no entry for that neighbour",
        D::FRAG_REASM_TIMEOUT => "the other pieces never came",
        D::DUP_FRAG => "this piece came before",
        D::TCP_RESET => "a reset",
        D::TCP_CLOSE => "the connection is closed",
        D::TCP_OLD_SEQUENCE | D::TCP_OLD_DATA => "data that came before",
        D::TCP_ABORT_ON_DATA => "data for a socket that its program has closed",
        D::TCP_FLAGS => "flags that make no sense in this state",
        D::DEV_READY => "the device is down",
        D::NO_TX_TARGET => "there is no port it could leave by",
        D::BRIDGE_INGRESS_STP_STATE => "the bridge or its port does not forward",
        D::BRIDGE_NON_FORWARDING_PORT => "the port does not forward",
        D::NETFILTER_DROP => "a firewall rule or policy",
        D::LOCAL_MAC => "the tunnel's own frame came back to it",
        D::VXLAN_INVALID_HDR => "the VXLAN header is malformed",
        D::VXLAN_VNI_NOT_FOUND => "no VXLAN device here has that VNI",
        D::VXLAN_ENTRY_EXISTS => "the tunnel's fdb says the sender is at another host, and the entry does not move",
        D::IP_TTL_EXPIRED => "its time to live ran out",
        D::PACKETWALK_BOUND => "this world's own bound on hops or queues was reached",
        D::PACKETWALK_UNMODELLED => "a rule asks for something that the model does not have",
        D::SOCKET_RCVBUFF => "the socket's buffer is full",
        _ => "the kernel says no more than that",
    }
}

/// How often: `not at all`, `once`, `3 times`.
pub fn times(n: u32) -> String {
    match n {
        0 => "not at all".to_owned(),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}
