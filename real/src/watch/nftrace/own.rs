//! The table that switches tracing on.

use crate::netlink::attr::Write;
use crate::netlink::{APPEND, CREATE, EXCL, Netlink, NlError, Request};

/// Name of the table; its events are left out.
pub const NAME: &str = "packetwalk";
/// `NFNL_SUBSYS_NFTABLES`.
pub const NFTABLES: u16 = 10;
const NEWTABLE: u16 = NFTABLES << 8;
const GETTABLE: u16 = NFTABLES << 8 | 1;
const DELTABLE: u16 = NFTABLES << 8 | 2;
const NEWCHAIN: u16 = NFTABLES << 8 | 3;
const NEWRULE: u16 = NFTABLES << 8 | 6;
/// `NFPROTO_INET`: seen by nobody who asks for tables of `ip`.
const INET: u8 = 1;
/// `NFPROTO_BRIDGE`.
const BRIDGE: u8 = 7;
/// Before `NF_IP_PRI_RAW_BEFORE_DEFRAG` (-450) and every priority of ebtables.
const EARLIEST: i32 = -1000;
/// `NF_INET_PRE_ROUTING` and `NF_INET_LOCAL_OUT`, which bridges number alike: where packets enter.
const HOOKS: [(&str, u32); 2] = [("prerouting", 0), ("output", 3)];
const NFT_REG_VERDICT: u32 = 0;
const NFT_REG_1: u32 = 1;
const NF_ACCEPT: u32 = 1;
const NFT_META_NFTRACE: u32 = 12;

/// Removes it.
pub fn remove(nl: &mut Netlink) {
    for family in [INET, BRIDGE] {
        let mut r = Request::new(DELTABLE, 0, &[family, 0, 0, 0]);
        r.body.put_str(1, NAME);
        // Not there: somebody flushed the ruleset, or there never was one for bridges.
        let _ = nl.transaction(NFTABLES, &[r]);
    }
}

/// Makes it for IP and, where the kernel has that family, for bridges.
pub fn make(nl: &mut Netlink) -> Result<(), NlError> {
    let mut there = Request::new(GETTABLE, 0, &[INET, 0, 0, 0]);
    there.body.put_str(1, NAME);
    // An earlier tracer of this namespace left it. To try and be refused would cost a grace period (`__nf_tables_abort`).
    if nl.get(&there).is_ok() {
        return Ok(());
    }
    nl.transaction(NFTABLES, &table(INET))?;
    // A kernel without nf_tables_bridge has no ebtables-nft to be traced either.
    let _ = nl.transaction(NFTABLES, &table(BRIDGE));
    Ok(())
}

fn table(family: u8) -> Vec<Request> {
    let mut table = Request::new(NEWTABLE, CREATE | EXCL, &[family, 0, 0, 0]);
    table.body.put_str(1, NAME);
    let mut all = vec![table];
    for (chain, hook) in HOOKS {
        all.extend([self::chain(family, chain, hook), rule(family, chain)]);
    }
    all
}

/// `chain C { type filter hook H priority -1000; policy accept; }`.
fn chain(family: u8, name: &str, hook: u32) -> Request {
    let mut r = Request::new(NEWCHAIN, CREATE, &[family, 0, 0, 0]);
    r.body.put_str(1, NAME);
    r.body.put_str(3, name);
    r.body.put_nest(4, |b| {
        b.put_be32(1, hook);
        b.put_be32(2, EARLIEST.cast_unsigned());
    });
    r.body.put_str(7, "filter");
    r
}

/// `meta nftrace set 1 accept`: with the verdict, our own chain costs one event instead of two, and an accept ends only it.
fn rule(family: u8, chain: &str) -> Request {
    let mut r = Request::new(NEWRULE, CREATE | APPEND, &[family, 0, 0, 0]);
    r.body.put_str(1, NAME);
    r.body.put_str(2, chain);
    r.body.put_nest(4, |b| {
        expression(b, "immediate", |b| {
            b.put_be32(1, NFT_REG_1);
            b.put_nest(2, |b| b.put(1, &[1]));
        });
        expression(b, "meta", |b| {
            b.put_be32(2, NFT_META_NFTRACE);
            b.put_be32(3, NFT_REG_1);
        });
        expression(b, "immediate", |b| {
            b.put_be32(1, NFT_REG_VERDICT);
            b.put_nest(2, |b| b.put_nest(2, |b| b.put_be32(1, NF_ACCEPT)));
        });
    });
    r
}

/// One element of `NFTA_RULE_EXPRESSIONS`.
fn expression(b: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Vec<u8>)) {
    b.put_nest(1, |b| {
        b.put_str(1, name);
        b.put_nest(2, data);
    });
}
