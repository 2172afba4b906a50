//! A packet's layers as fields, each with its place in the bytes.

use bytes::Bytes;
use packetwalk_sim::trace::words;
use packetwalk_sim::wire::MacAddr;
use packetwalk_sim::wire::packet::{Body, Ipv4, L4, Packet};
use packetwalk_sim::wire::{encode, parse};

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub name: &'static str,
    pub value: String,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub name: &'static str,
    pub fields: Vec<Field>,
    /// It is inside a tunnel.
    pub inner: bool,
}

/// UDP ports that VXLAN is spoken on: IANA's, and Linux's old one.
const VXLAN: [u16; 2] = [4789, 8472];

/// The layers of a frame, from the outside in.
pub(crate) fn layers(p: &Packet) -> Vec<Layer> {
    let mut out = Vec::new();
    frame(p, false, &mut out);
    out
}

fn f(name: &'static str, value: impl ToString) -> Field {
    Field { name, value: value.to_string() }
}

/// An Ethernet address; `lo` has none, and a packet that was not sent yet.
fn mac(a: MacAddr) -> String {
    if a == MacAddr::ZERO { "none".into() } else { a.to_string() }
}

/// The receiver's: where the sender's is there already, the neighbour table has not been asked yet.
fn receiver(p: &Packet) -> String {
    if p.dst == MacAddr::ZERO && p.src != MacAddr::ZERO { "not known yet".into() } else { mac(p.dst) }
}

fn frame(p: &Packet, inner: bool, out: &mut Vec<Layer>) {
    let what = match p.ethertype() {
        0x0800 => "IPv4".to_owned(),
        0x0806 => "ARP".to_owned(),
        n => format!("{n:#06x}"),
    };
    out.push(Layer {
        name: "Ethernet",
        fields: vec![f("from", mac(p.src)), f("to", receiver(p)), f("carries", what)],
        inner,
    });
    match &p.body {
        Body::Arp(a) => {
            let op = if a.op == 1 { "request: who has it?" } else { "reply: it is at" };
            let fields = vec![
                f("kind", op),
                f("sender", format!("{} {}", a.spa, a.sha)),
                f("target", format!("{} {}", a.tpa, a.tha)),
            ];
            out.push(Layer { name: "ARP", fields, inner });
        }
        Body::Ipv4(ip) => ipv4(ip, inner, out),
        Body::Other(_, b) => out.push(Layer { name: "data", fields: vec![f("bytes", b.len())], inner }),
    }
}

fn ipv4(ip: &Ipv4, inner: bool, out: &mut Vec<Layer>) {
    let mut fields = vec![
        f("source", ip.src),
        f("destination", ip.dst),
        f("ttl", ip.ttl),
        f("length", ip.total_len()),
        f("id", ip.id),
    ];
    let mut flags = Vec::new();
    if ip.df {
        flags.push("do not fragment".to_owned());
    }
    if ip.mf {
        flags.push("more fragments follow".to_owned());
    }
    if ip.frag_off > 0 {
        flags.push(format!("offset {}", u32::from(ip.frag_off) * 8));
    }
    if !flags.is_empty() {
        fields.push(f("flags", flags.join(", ")));
    }
    if ip.tos != 0 {
        fields.push(f("tos", format!("{:#04x}", ip.tos)));
    }
    out.push(Layer { name: "IPv4", fields, inner });
    l4(&ip.l4, inner, out);
}

fn l4(l: &L4, inner: bool, out: &mut Vec<Layer>) {
    match l {
        L4::Icmp(i) => {
            let mut fields =
                vec![f("message", words::icmp(i.ty, i.code)), f("type/code", format!("{}/{}", i.ty, i.code))];
            match i.ty {
                0 | 8 => {
                    fields.push(f("id", i.rest >> 16));
                    fields.push(f("seq", i.rest & 0xffff));
                }
                3 if i.code == 4 => fields.push(f("mtu", i.rest & 0xffff)),
                _ => {}
            }
            if let Some(q) = parse::ipv4(&i.payload).filter(|_| !matches!(i.ty, 0 | 8)) {
                fields.push(f("about", format!("{} > {}", q.src, q.dst)));
            }
            fields.push(f("data", format!("{} bytes", i.payload.len())));
            out.push(Layer { name: "ICMP", fields, inner });
        }
        L4::Udp(u) => {
            let fields = vec![
                f("source port", u.sport),
                f("dest. port", u.dport),
                f("data", format!("{} bytes", u.payload.len())),
            ];
            out.push(Layer { name: "UDP", fields, inner });
            if VXLAN.contains(&u.dport) && !inner {
                vxlan(&u.payload, out);
            }
        }
        L4::Tcp(t) => {
            let mut fields = vec![
                f("source port", t.sport),
                f("dest. port", t.dport),
                f("flags", words::flags(t.flags)),
                f("seq", t.seq),
                f("ack", t.ack),
                f("window", t.window),
            ];
            if let Some(m) = t.opts.mss {
                fields.push(f("mss", m));
            }
            fields.push(f("data", format!("{} bytes", t.payload.len())));
            out.push(Layer { name: "TCP", fields, inner });
        }
        L4::Raw(p, b) => {
            out.push(Layer { name: "data", fields: vec![f("protocol", p), f("bytes", b.len())], inner });
        }
    }
}

/// RFC 7348: flags, reserved, 24 bits of network identifier, reserved; then the frame.
fn vxlan(b: &Bytes, out: &mut Vec<Layer>) {
    let Some(h) = b.get(..8) else { return };
    let vni = u32::from_be_bytes([0, h[4], h[5], h[6]]);
    out.push(Layer { name: "VXLAN", fields: vec![f("vni", vni)], inner: false });
    if let Some(p) = parse::frame(&b.slice(8..)) {
        frame(&p, true, out);
    }
}

/// The bytes of a frame.
pub(crate) fn bytes(p: &Packet) -> Vec<u8> {
    encode::frame(p)
}
