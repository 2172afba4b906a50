//! Groups that the kernel listens to of its own accord, and how it tells the link (net/ipv4/igmp.c, RFC 3376).
//!
//! Of these there is one: a bridge with multicast snooping joins all-snoopers, 224.0.0.106, while it is up
//! (`br_multicast_join_snoopers`). It says so in two reports, which run through OUTPUT and POSTROUTING and out of all its
//! ports: rules count them, connections are kept of them, other bridges learn from them. Nobody asked for them, so the
//! recorder is not told.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::Kernel;
use super::ip::IpMeta;
use super::route::OutputKey;
use super::types::{DevId, MSEC, Nanos};
use crate::engine::Timer;
use crate::trace::Recorder;
use crate::wire::{L4, PacketId};

/// Protocol number (`IPPROTO_IGMP`).
const IGMP: u8 = 2;
/// Where reports go (`IGMPV3_ALL_MCR`).
const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
/// The group of those that listen in on groups (`INADDR_ALLSNOOPERS_GROUP`).
const ALL_SNOOPERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 106);
/// How often a change is told (`IGMP_QUERY_ROBUSTNESS_VARIABLE`).
const ROBUSTNESS: u8 = 2;
/// Most that the second report waits (`IGMP_V3_UNSOLICITED_REPORT_INTERVAL`).
const INTERVAL: Nanos = 1_000 * MSEC;
/// The least that a report waits: two jiffies (`igmp_ifc_start_timer`), at 250 Hz.
const LEAST: Nanos = 8 * MSEC;
/// `IPOPT_RA`: every router on the way looks at the packet.
const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];

/// What a device has to tell of its group (`struct in_device`, `mr_ifc_count`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reports {
    /// How often still.
    left: u8,
    /// It left the group, and did not join it.
    leaving: bool,
    /// Tells a timer that still counts from one that was stopped.
    generation: u32,
}

impl<R: Recorder> Kernel<R> {
    /// `br_multicast_join_snoopers`, `br_multicast_leave_snoopers` of a bridge that is up.
    pub(crate) fn br_multicast_snoopers(&mut self, br: DevId, join: bool) {
        let d = self.dev(br);
        // `IGMP_V1_SEEN`, `IGMP_V2_SEEN`: the older versions' reports are not modelled.
        let all = &self.ns(d.netns).sysctl;
        let older = |v: i32| matches!(v, 1 | 2);
        let told = all.igmp_link_local_mcast_reports != 0
            && !older(all.all.force_igmp_version)
            && !older(d.conf.force_igmp_version);
        let Some(b) = self.dev_mut(br).bridge_mut() else { return };
        if !told || !b.mcast_snooping && join {
            return;
        }
        b.reports = Reports { left: ROBUSTNESS, leaving: !join, generation: b.reports.generation + 1 };
        self.igmp_ifc_start_timer(br, 0);
    }

    /// `ip_mc_down`: what was to be told stays untold.
    pub(crate) fn ip_mc_down(&mut self, br: DevId) {
        if let Some(b) = self.dev_mut(br).bridge_mut() {
            b.reports = Reports { generation: b.reports.generation + 1, ..Reports::default() };
        }
    }

    /// `igmp_ifc_start_timer`.
    fn igmp_ifc_start_timer(&mut self, br: DevId, most: Nanos) {
        let Some(generation) = self.dev(br).bridge().map(|b| b.reports.generation) else { return };
        let after = LEAST + if most == 0 { 0 } else { self.igmp_rng.below(most) };
        self.queue.mod_timer(after, Timer::Igmp { dev: br, generation });
    }

    /// `igmp_ifc_timer_expire`.
    pub(crate) fn igmp_timer(&mut self, br: DevId, generation: u32) {
        let d = self.dev(br);
        let (alive, up) = (d.alive, d.is_up());
        let Some(b) = self.dev_mut(br).bridge_mut() else { return };
        if !alive || !up || b.reports.generation != generation || b.reports.left == 0 {
            return;
        }
        b.reports.left -= 1;
        let (again, leaving) = (b.reports.left > 0, b.reports.leaving);
        self.igmpv3_send_cr(br, leaving);
        if again {
            self.igmp_ifc_start_timer(br, INTERVAL);
        }
    }

    /// `igmpv3_send_cr`, `igmpv3_newpack`: one record, of a change to excluding nobody or to including nobody.
    fn igmpv3_send_cr(&mut self, br: DevId, leaving: bool) {
        let d = self.dev(br);
        let ns = d.netns;
        let own: Vec<Ipv4Addr> = d.addrs.iter().map(|a| a.local).collect();
        let key = OutputKey { oif: Some(br), ..OutputKey::to(ALL_ROUTERS, IGMP) };
        let Ok(mut rt) = self.ip_route_output(ns, key, None) else { return };
        // `igmpv3_get_srcaddr`: an address of this device or none.
        if !own.contains(&rt.src) {
            rt.src = Ipv4Addr::UNSPECIFIED;
        }
        let meta = IpMeta { tos: 0xc0, ttl: Some(1), df: true, parent: Some(PacketId::UNTOLD), ..IpMeta::sent() };
        let mut p = self.ip_packet(rt.src, ALL_ROUTERS, L4::Raw(IGMP, report(leaving)), meta);
        if let Some(ip) = p.ipv4_mut() {
            ip.options = Bytes::from_static(&ROUTER_ALERT);
        }
        // What a rule drops is repeated all the same.
        let _ = self.local_out(ns, &rt, ALL_ROUTERS, p);
    }
}

/// A report with one record about all-snoopers (RFC 3376, 4.2).
fn report(leaving: bool) -> Bytes {
    let kind = if leaving { 3 } else { 4 };
    let mut b = [0x22, 0, 0, 0, 0, 0, 0, 1, kind, 0, 0, 0, 0, 0, 0, 0];
    b[12..].copy_from_slice(&ALL_SNOOPERS.octets());
    let sum: u32 = b.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    b[2..4].copy_from_slice(&sum.to_be_bytes());
    Bytes::copy_from_slice(&b)
}
