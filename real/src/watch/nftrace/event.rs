//! An event as the kernel sends it.

use super::own::{NAME, NFTABLES};
use super::packet::PacketKey;
use super::{Family, Verdict};
use crate::netlink::Message;
use crate::netlink::attr::{Attr, Table};

/// Changes of tables, chains and rules.
pub const NFNLGRP_NFTABLES: u32 = 7;
/// Traces.
pub const NFNLGRP_NFTRACE: u32 = 9;
const DELTABLE: u16 = NFTABLES << 8 | 2;
const NEWGEN: u16 = NFTABLES << 8 | 15;
const TRACE: u16 = NFTABLES << 8 | 17;
/// Length of `struct nfgenmsg`.
const HEADER: usize = 4;
const POLICY: u32 = 1;
const RETURN: u32 = 2;
const RULE: u32 = 3;

/// What a socket of both groups hears.
pub enum Event {
    /// The rules are of this generation now.
    Generation(u32),
    /// Our own table is gone (`nft flush ruleset`).
    Cut,
    /// A packet met a decision.
    Trace(Trace),
}

/// What decided.
pub enum What {
    /// The rule of this handle.
    Rule(u64),
    /// The end of a chain.
    End,
    /// A policy.
    Policy,
}

/// One decision.
pub struct Trace {
    /// `nfgen_family`: whose table.
    pub family: Family,
    /// The kernel's trace id.
    pub id: u32,
    /// `NFTA_TRACE_TABLE`.
    pub table: String,
    /// `NFTA_TRACE_CHAIN`.
    pub chain: String,
    /// `NFTA_TRACE_TYPE` and what belongs to it.
    pub what: What,
    /// `NFTA_TRACE_VERDICT` or `NFTA_TRACE_POLICY`.
    pub verdict: Verdict,
    /// The packet, where the event has headers; inside, where they are IPv4.
    pub key: Option<Option<PacketKey>>,
    /// `NFTA_TRACE_IIF`.
    pub iif: Option<u32>,
    /// `NFTA_TRACE_OIF`.
    pub oif: Option<u32>,
    /// `NFTA_TRACE_MARK`.
    pub mark: u32,
}

impl Event {
    /// Reads one; none for what is of no interest, events of our own table among it.
    pub fn read(m: &Message<'_>) -> Option<Self> {
        let body = m.body.get(HEADER..)?;
        match m.kind {
            NEWGEN => Table::<2>::new(body).get(1).map(|a| Event::Generation(a.be32())),
            DELTABLE => Table::<2>::new(body).get(1).filter(|a| a.str() == NAME).map(|_| Event::Cut),
            TRACE => trace(Family::of(m.body[0]), &Table::new(body)).map(Event::Trace),
            _ => None,
        }
    }
}

fn trace(family: Family, t: &Table<'_, 18>) -> Option<Trace> {
    let table = t.get(1)?.str();
    if table == NAME {
        return None;
    }
    let (what, verdict) = match t.get(4)?.be32() {
        // Linux 6.18 says the end of a chain as a rule without a handle that goes on.
        RULE | RETURN => (t.get(3).map_or(What::End, |a| What::Rule(a.be64())), verdict(t.get(5)?)),
        POLICY => (What::Policy, code(t.get(16)?.be32(), "")),
        _ => return None,
    };
    let network = t.get(8);
    Some(Trace {
        family,
        id: t.get(6)?.be32(),
        table: table.to_owned(),
        chain: t.get(2).map_or("", |a| a.str()).to_owned(),
        what,
        verdict,
        key: network.map(|n| PacketKey::read(n.value, t.get(9).map_or(&[], |a| a.value))),
        iif: t.get(10).map(|a| a.be32()),
        oif: t.get(12).map(|a| a.be32()),
        mark: t.get(14).map_or(0, |a| a.be32()),
    })
}

fn verdict(a: Attr<'_>) -> Verdict {
    let t = Table::<3>::new(a.value);
    code(t.get(1).map_or(0, |a| a.be32()), t.get(2).map_or("", |a| a.str()))
}

/// `enum nft_verdicts` below zero, `NF_*` above; the upper half of `NF_DROP` may carry an error number.
fn code(n: u32, chain: &str) -> Verdict {
    match n.cast_signed() {
        -1 | -2 => Verdict::Continue,
        -3 => Verdict::Jump(chain.to_owned()),
        -4 => Verdict::Goto(chain.to_owned()),
        -5 => Verdict::Return,
        _ => match n & 0xff {
            0 => Verdict::Drop,
            1 => Verdict::Accept,
            2 => Verdict::Stolen,
            3 => Verdict::Queue,
            4 => Verdict::Repeat,
            _ => Verdict::Unknown(n),
        },
    }
}
