//! A name server with a few names of its own: what a host's `dns:` starts.

use std::net::Ipv4Addr;

use super::dns::PORT;
use super::{Cx, Wake};
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::types::SockId;
use crate::trace::Recorder;
use crate::wire::dns::{Data, Message, QType, Rcode, Record};

/// Seconds its answers may be kept.
const TTL: u32 = 60;

/// The program: answers A queries for its names, with `NXDOMAIN` for all others.
#[derive(Clone, Debug)]
pub struct Named {
    zone: Vec<(String, Ipv4Addr)>,
}

impl Named {
    /// A server of names and their addresses.
    pub fn new(zone: impl IntoIterator<Item = (String, Ipv4Addr)>) -> Named {
        let zone = zone.into_iter().map(|(n, a)| (n.trim_end_matches('.').to_ascii_lowercase(), a)).collect();
        Named { zone }
    }

    /// Called by the kernel's wakeups.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => {
                let s = cx.socket(SockKind::Udp);
                cx.k.sock_mut(s).opts.reuseaddr = true;
                if cx.k.sock_bind(s, Ipv4Addr::UNSPECIFIED, PORT).is_err() {
                    cx.exit(1);
                }
            }
            Wake::Sock(s) => self.serve(cx, s),
            Wake::Timer(_) => {}
        }
    }

    fn serve<R: Recorder>(&self, cx: &mut Cx<'_, R>, s: SockId) {
        while let Some(Rcv::Udp { from, payload, .. }) = cx.k.sock_recv(s) {
            let Some(bytes) = Message::parse(&payload).and_then(|q| self.answer(&q).bytes(true)) else { continue };
            // An answer that cannot be sent is lost, as it is for any server.
            let _ = cx.k.udp_sendto(s, Some(from), bytes);
        }
    }

    /// What it answers to a query.
    pub fn answer(&self, q: &Message) -> Message {
        let wanted = q.name.to_ascii_lowercase();
        let found: Vec<Ipv4Addr> = self.zone.iter().filter(|(n, _)| *n == wanted).map(|(_, a)| *a).collect();
        let mut m = q.reply(if found.is_empty() { Rcode::NxDomain } else { Rcode::NoError });
        m.authoritative = true;
        m.recursion_available = true;
        if q.qtype == QType::A {
            m.answers =
                found.into_iter().map(|a| Record { name: q.name.clone(), ttl: TTL, data: Data::A(a) }).collect();
        }
        m
    }
}
