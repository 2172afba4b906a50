//! ebtables: the filter table of bridges (nf_tables' bridge family, as ebtables-nft uses it).
//!
//! INPUT sees frames for the host, FORWARD frames from port to port (once for each port they leave by), OUTPUT
//! frames of the host. They come before the IP hooks of `br_netfilter`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::Kernel;
use super::dev::PktType;
use super::types::{DevId, NetnsId};
use super::xtables::matches::{Neg, Ports};
use super::xtables::{Counters, IfMatch, Policy};
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Body, L4, MacAddr, Packet, parse};

/// Base chains of the filter table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum EbHook {
    Input = 0,
    Forward = 1,
    Output = 2,
}

impl EbHook {
    /// Name of the base chain.
    pub fn name(self) -> &'static str {
        ["INPUT", "FORWARD", "OUTPUT"][self as usize]
    }
}

/// What a rule asks of a frame; every option may be absent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct EbMatch {
    /// EtherType.
    pub proto: Option<Neg<u16>>,
    /// Address and mask.
    pub src: Option<Neg<(MacAddr, MacAddr)>>,
    pub dst: Option<Neg<(MacAddr, MacAddr)>>,
    pub iif: Option<Neg<IfMatch>>,
    pub oif: Option<Neg<IfMatch>>,
    pub ip_src: Option<Neg<(Ipv4Addr, Ipv4Addr)>>,
    pub ip_dst: Option<Neg<(Ipv4Addr, Ipv4Addr)>>,
    pub ip_tos: Option<Neg<u8>>,
    pub ip_proto: Option<Neg<u8>>,
    pub ip_sport: Option<Neg<Ports>>,
    pub ip_dport: Option<Neg<Ports>>,
    pub arp_op: Option<Neg<u16>>,
    pub arp_ip_src: Option<Neg<(Ipv4Addr, Ipv4Addr)>>,
    pub arp_ip_dst: Option<Neg<(Ipv4Addr, Ipv4Addr)>>,
    pub arp_mac_src: Option<Neg<(MacAddr, MacAddr)>>,
    pub arp_mac_dst: Option<Neg<(MacAddr, MacAddr)>>,
    /// `PACKET_HOST` 0, broadcast 1, multicast 2, otherhost 3.
    pub pkttype: Option<Neg<u8>>,
}

/// What a rule does.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum EbTarget {
    Accept,
    Drop,
    Continue,
    Return,
    Jump(Arc<str>),
}

/// A rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EbRule {
    /// What it asks.
    pub matches: EbMatch,
    /// What it does.
    pub target: EbTarget,
    /// The rule as `ebtables -L` prints it.
    pub text: Arc<str>,
    /// Packets and bytes (without the Ethernet header).
    pub counters: Counters,
}

/// A chain.
#[derive(Clone, Debug)]
pub struct EbChain {
    /// Its name.
    pub name: Arc<str>,
    /// A base chain's hook.
    pub hook: Option<EbHook>,
    /// A base chain's policy.
    pub policy: Policy,
    /// Its rules.
    pub rules: Vec<EbRule>,
}

/// The filter table; empty until it was used. Base chains come first, in the order of [`EbHook`].
#[derive(Clone, Debug, Default)]
pub struct Ebtables {
    /// Chains.
    pub chains: Vec<EbChain>,
}

impl Ebtables {
    /// Makes the base chains, where there are none.
    pub fn init(&mut self) {
        if self.chains.is_empty() {
            for hook in [EbHook::Input, EbHook::Forward, EbHook::Output] {
                let (name, rules) = (Arc::from(hook.name()), Vec::new());
                self.chains.push(EbChain { name, hook: Some(hook), policy: Policy::Accept, rules });
            }
        }
    }

    /// A chain by name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.chains.iter().position(|c| *c.name == *name)
    }
}

fn is<T: Copy>(m: Option<Neg<T>>, fits: impl FnOnce(T) -> bool) -> bool {
    m.is_none_or(|m| fits(m.value) != m.inv)
}

fn mac(m: Option<Neg<(MacAddr, MacAddr)>>, have: MacAddr) -> bool {
    is(m, |(want, mask)| have.0.iter().zip(&want.0).zip(&mask.0).all(|((h, w), m)| h & m == w & m))
}

fn addr(m: Option<Neg<(Ipv4Addr, Ipv4Addr)>>, have: Ipv4Addr) -> bool {
    is(m, |(want, mask)| u32::from(have) & u32::from(mask) == u32::from(want) & u32::from(mask))
}

impl EbMatch {
    fn fits<R: Recorder>(&self, k: &Kernel<R>, br: DevId, iif: Option<DevId>, oif: Option<DevId>, p: &Packet) -> bool {
        let key = |d: Option<DevId>| d.map_or(0, |d| IfMatch::key(&k.dev(d).name));
        is(self.proto, |t| p.ethertype() == t)
            && mac(self.src, p.src)
            && mac(self.dst, p.dst)
            && is(self.iif, |m| m.fits(key(iif)))
            && is(self.oif, |m| m.fits(key(oif)))
            && is(self.pkttype, |t| {
                let ty = PktType::of(p.dst, k.dev(br).mac);
                let code = match ty {
                    PktType::Host | PktType::Loopback => 0,
                    PktType::Broadcast => 1,
                    PktType::Multicast => 2,
                    PktType::OtherHost => 3,
                };
                code == t
            })
            && self.fits_ip(p)
            && self.fits_arp(p)
    }

    fn fits_ip(&self, p: &Packet) -> bool {
        let asks = self.ip_src.is_some() || self.ip_dst.is_some() || self.ip_tos.is_some() || self.ip_proto.is_some();
        let Some(ip) = p.ipv4() else { return !asks };
        let ports = match &ip.l4 {
            L4::Tcp(t) => Some((t.sport, t.dport)),
            L4::Udp(u) => Some((u.sport, u.dport)),
            L4::Raw(6 | 17, b) if ip.frag_off == 0 => parse::ports(b),
            _ => None,
        };
        let within = |m: Option<Neg<Ports>>, have: Option<u16>| match (m, have) {
            (None, _) => true,
            (Some(m), Some(p)) => (m.value.0..=m.value.1).contains(&p) != m.inv,
            (Some(_), None) => false,
        };
        addr(self.ip_src, ip.src)
            && addr(self.ip_dst, ip.dst)
            && is(self.ip_tos, |t| ip.tos == t)
            && is(self.ip_proto, |n| ip.proto() == n)
            && within(self.ip_sport, ports.map(|p| p.0))
            && within(self.ip_dport, ports.map(|p| p.1))
    }

    fn fits_arp(&self, p: &Packet) -> bool {
        let asks = self.arp_op.is_some()
            || self.arp_ip_src.is_some()
            || self.arp_ip_dst.is_some()
            || self.arp_mac_src.is_some()
            || self.arp_mac_dst.is_some();
        let Body::Arp(a) = &p.body else { return !asks };
        is(self.arp_op, |op| a.op == op)
            && addr(self.arp_ip_src, a.spa)
            && addr(self.arp_ip_dst, a.tpa)
            && mac(self.arp_mac_src, a.sha)
            && mac(self.arp_mac_dst, a.tha)
    }
}

impl<R: Recorder> Kernel<R> {
    /// Shows a frame to the table; says whether it goes on.
    #[inline]
    pub(crate) fn ebt_hook(
        &mut self,
        hook: EbHook,
        br: DevId,
        iif: Option<DevId>,
        oif: Option<DevId>,
        p: &mut Packet,
    ) -> bool {
        let ns = self.devs[br.ix()].netns;
        if self.netns[ns.ix()].nf.ebt.chains.is_empty() {
            return true;
        }
        let mut ebt = std::mem::take(&mut self.netns[ns.ix()].nf.ebt);
        let accepted = self.ebt_do_table(ns, &mut ebt, hook, br, iif, oif, p);
        self.netns[ns.ix()].nf.ebt = ebt;
        if !accepted {
            self.drop_at(iif.or(oif).unwrap_or(br), p, DropReason::NETFILTER_DROP, "nft_do_chain");
        }
        accepted
    }

    #[expect(clippy::too_many_arguments, reason = "a table, a hook, and the frame with its devices")]
    fn ebt_do_table(
        &mut self,
        ns: NetnsId,
        ebt: &mut Ebtables,
        hook: EbHook,
        br: DevId,
        iif: Option<DevId>,
        oif: Option<DevId>,
        p: &mut Packet,
    ) -> bool {
        let bytes = p.frame_len() as u64 - 14;
        let (mut chain, mut at) = (hook as usize, 0);
        let mut stack: Vec<(usize, usize)> = Vec::new();
        loop {
            let Some(c) = ebt.chains.get_mut(chain) else { return true };
            let Some(rule) = c.rules.get_mut(at) else {
                match stack.pop() {
                    Some(caller) => (chain, at) = caller,
                    None => {
                        let policy = c.policy;
                        if R::ON && policy == Policy::Drop {
                            let kind = EventKind::EbPolicy { chain: c.name.clone(), policy };
                            self.rec.event(self.queue.now, ns, iif.or(oif), Some(p), kind);
                        }
                        return policy == Policy::Accept;
                    }
                }
                continue;
            };
            at += 1;
            let fits = rule.matches.fits(self, br, iif, oif, p);
            if R::ON {
                let (name, number, text) = (c.name.clone(), at as u32, rule.text.clone());
                let kind = EventKind::EbRule { chain: name, number, text, fits };
                self.rec.event(self.queue.now, ns, iif.or(oif), Some(p), kind);
            }
            if !fits {
                continue;
            }
            rule.counters.packets += 1;
            rule.counters.bytes += bytes;
            match rule.target.clone() {
                EbTarget::Continue => {}
                EbTarget::Accept => return true,
                EbTarget::Drop => return false,
                EbTarget::Return => at = usize::MAX,
                EbTarget::Jump(to) => match ebt.find(&to) {
                    Some(to) if stack.len() < 16 => {
                        stack.push((chain, at));
                        (chain, at) = (to, 0);
                    }
                    _ => return false,
                },
            }
        }
    }
}
