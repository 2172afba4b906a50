//! `LOG`: the line that the kernel writes (`nf_log_ip_packet`, net/netfilter/nf_log_syslog.c).

use std::fmt::Write;

use super::LogTarget;
use crate::kernel::Kernel;
use crate::kernel::cred::ROOT;
use crate::kernel::ip::KERNEL_SOCKET;
use crate::kernel::types::{DevId, SockId};
use crate::kernel::xtables::view::HookAt;
use crate::trace::Recorder;
use crate::wire::packet::TcpFlags;
use crate::wire::{Ipv4, L4, Packet, parse};

const TCP_SEQUENCE: u8 = 1;
const UID: u8 = 8;
const MACDECODE: u8 = 0x20;

impl LogTarget {
    /// The line, without the time.
    pub(crate) fn line<R: Recorder>(&self, k: &Kernel<R>, at: &HookAt, p: &Packet) -> String {
        let mut s = String::new();
        let name = |d: Option<DevId>| d.map(|d| k.dev(d).name.to_string()).unwrap_or_default();
        let _ = write!(s, "{}IN={} OUT={} ", self.prefix, name(at.iif), name(at.oif));
        if p.nf.bridged {
            let port = |n: u32| name(n.checked_sub(1).map(DevId));
            if p.nf.physin != 0 && at.iif != Some(DevId(p.nf.physin - 1)) {
                let _ = write!(s, "PHYSIN={} ", port(p.nf.physin));
            }
            if p.nf.physout != 0 && at.oif != Some(DevId(p.nf.physout - 1)) {
                let _ = write!(s, "PHYSOUT={} ", port(p.nf.physout));
            }
        }
        if at.iif.is_some() {
            if self.flags & MACDECODE != 0 {
                let _ = write!(s, "MACSRC={} MACDST={} MACPROTO=0800 ", p.src, p.dst);
            } else {
                let _ = write!(s, "MAC={}:{}:08:00 ", p.dst, p.src);
            }
        }
        if let Some(ip) = p.ipv4() {
            self.ip(&mut s, ip, true);
        }
        if self.flags & UID != 0 && p.nf.sock != 0 {
            let cred = match p.nf.sock {
                KERNEL_SOCKET => &ROOT,
                n => k.sock_cred(SockId(n - 1)),
            };
            let _ = write!(s, "UID={} GID={} ", cred.uid, cred.gid);
        }
        if p.mark != 0 {
            let _ = write!(s, "MARK=0x{:x} ", p.mark);
        }
        s
    }

    fn ip(&self, s: &mut String, ip: &Ipv4, outer: bool) {
        let _ = write!(
            s,
            "SRC={} DST={} LEN={} TOS=0x{:02X} PREC=0x{:02X} TTL={} ID={} ",
            ip.src,
            ip.dst,
            ip.total_len(),
            ip.tos & 0x1e,
            ip.tos & 0xe0,
            ip.ttl,
            ip.id
        );
        if ip.df {
            s.push_str("DF ");
        }
        if ip.mf {
            s.push_str("MF ");
        }
        if ip.frag_off != 0 {
            let _ = write!(s, "FRAG:{} ", ip.frag_off);
        }
        match &ip.l4 {
            L4::Tcp(t) => {
                let _ = write!(s, "PROTO=TCP SPT={} DPT={} ", t.sport, t.dport);
                if self.flags & TCP_SEQUENCE != 0 {
                    let _ = write!(s, "SEQ={} ACK={} ", t.seq, t.ack);
                }
                let _ = write!(s, "WINDOW={} RES=0x00 ", t.window);
                for (flag, word) in [
                    (TcpFlags::URG, "URG "),
                    (TcpFlags::ACK, "ACK "),
                    (TcpFlags::PSH, "PSH "),
                    (TcpFlags::RST, "RST "),
                    (TcpFlags::SYN, "SYN "),
                    (TcpFlags::FIN, "FIN "),
                ] {
                    if t.flags.contains(flag) {
                        s.push_str(word);
                    }
                }
                s.push_str("URGP=0 ");
            }
            L4::Udp(u) => {
                let _ = write!(s, "PROTO=UDP SPT={} DPT={} LEN={} ", u.sport, u.dport, 8 + u.payload.len());
            }
            L4::Icmp(i) => {
                let _ = write!(s, "PROTO=ICMP TYPE={} CODE={} ", i.ty, i.code);
                match i.ty {
                    0 | 8 => {
                        let _ = write!(s, "ID={} SEQ={} ", i.rest >> 16, i.rest & 0xffff);
                    }
                    3 | 11 | 5 if outer => {
                        if i.ty == 5 {
                            let _ = write!(s, "GATEWAY={} ", std::net::Ipv4Addr::from(i.rest));
                        }
                        if let Some(inner) = parse::ipv4(&i.payload) {
                            s.push('[');
                            self.ip(s, &inner, false);
                            s.push_str("] ");
                        }
                        if (i.ty, i.code) == (3, 4) {
                            let _ = write!(s, "MTU={} ", i.rest & 0xffff);
                        }
                    }
                    _ => {}
                }
            }
            L4::Raw(proto, _) => {
                let _ = write!(s, "PROTO={proto} ");
            }
        }
    }
}
