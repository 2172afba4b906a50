//! `ss -Hlntu`: protocol and local end, UDP first.

use serde_json::Value;

use super::link::Links;
use super::names;
use crate::netlink::attr::{self, find};
use crate::netlink::{self, Netlink, NlError, Request};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// Length of `struct inet_diag_req_v2`.
const REQUEST: usize = 56;
/// Length of `struct inet_diag_msg`.
const HEADER: usize = 72;
/// `TCP_CLOSE`: a UDP socket without another end. Asked of TCP, it would make the kernel walk every connection.
const CLOSE: u32 = 1 << 7;
/// `TCP_LISTEN`.
const LISTEN: u32 = 1 << 10;
const SKV6ONLY: u16 = 11;
const UDP: u8 = 17;
const TCP: u8 = 6;

/// The sockets that wait to be spoken to.
pub fn listeners(all: &Links<'_>) -> Result<Value, NlError> {
    let mut diag = Netlink::open(netlink::SOCK_DIAG)?;
    let mut out = Vec::new();
    for (proto, name, states) in [(UDP, "udp", CLOSE), (TCP, "tcp", LISTEN)] {
        for family in [names::INET, names::INET6] {
            let mut header = [0; REQUEST];
            header[..2].copy_from_slice(&[family, proto]);
            header[4..8].copy_from_slice(&states.to_ne_bytes());
            let dump = diag.dump(&Request::new(SOCK_DIAG_BY_FAMILY, 0, &header))?;
            let own = dump.iter().filter(|m| m.kind == SOCK_DIAG_BY_FAMILY && m.body.len() >= HEADER);
            out.extend(own.map(|m| Value::from(format!("{name} {}", local(all, m.body)))));
        }
    }
    Ok(Value::Array(out))
}

/// `inet_addr_print` of iproute2: `*` where an IPv6 socket takes IPv4 too.
fn local(all: &Links<'_>, body: &[u8]) -> String {
    let v6 = body[0] == names::INET6;
    let port = u16::from_be(attr::u16_at(body, 4));
    let src = &body[8..if v6 { 24 } else { 12 }];
    let v6only = find(&body[HEADER..], SKV6ONLY).is_some_and(|a| a.u8() != 0);
    let host = match (v6, v6only) {
        (true, false) if src.iter().all(|b| *b == 0) => "*".to_owned(),
        (true, _) => format!("[{}]", names::ip(src)),
        (false, _) => names::ip(src),
    };
    match attr::u32_at(body, 40) {
        0 => format!("{host}:{port}"),
        dev => format!("{host}%{}:{port}", all.name(dev)),
    }
}
