//! Which chains hang where, and which place each rule has in its chain.
//!
//! A rule is traced by its handle, which is never given out again within a table; its number changes with every change
//! before it. The book is of one generation of the rules, and read anew when an event says that there is another.

use std::io;

use super::own::NFTABLES;
use super::{Family, Hook};
use crate::netlink::attr::{self, Table};
use crate::netlink::{self, Dump, Netlink, NlError, Request};

const NEWCHAIN: u16 = NFTABLES << 8 | 3;
const GETCHAIN: u16 = NFTABLES << 8 | 4;
const NEWRULE: u16 = NFTABLES << 8 | 6;
const GETRULE: u16 = NFTABLES << 8 | 7;
/// Length of `struct nfgenmsg`.
const HEADER: usize = 4;

#[derive(Debug)]
struct Chain {
    family: Family,
    table: String,
    name: String,
    base: Option<(Hook, i32)>,
    /// Handles, in order.
    rules: Vec<u64>,
}

/// The chains of a namespace.
#[derive(Debug)]
pub struct Book {
    nl: Netlink,
    chains: Vec<Chain>,
    /// The lower half of the generation that was read (`nfgen_res_id`); none before the first look.
    read: Option<u16>,
    /// The generation that an event spoke of last.
    wanted: Option<u16>,
    /// The one that the rules were read for: rules that had changed once more by then are not read again and again.
    asked: Option<u16>,
}

impl Book {
    /// An empty one, in this thread's namespace.
    pub fn open() -> io::Result<Self> {
        Ok(Book { nl: Netlink::open(netlink::NETFILTER)?, chains: Vec::new(), read: None, wanted: None, asked: None })
    }

    /// The rules are of another generation now.
    pub fn changed(&mut self, generation: u32) {
        self.wanted = Some((generation & 0xffff) as u16);
    }

    /// Reads the rules anew if they changed.
    pub fn current(&mut self) -> io::Result<()> {
        if self.asked != self.wanted {
            self.asked = self.wanted;
            if self.wanted != self.read {
                self.refresh()?;
            }
        }
        Ok(())
    }

    /// Reads the rules.
    pub fn refresh(&mut self) -> Result<(), NlError> {
        let chains = self.nl.dump(&Request::new(GETCHAIN, 0, &[0; HEADER]))?;
        let rules = self.nl.dump(&Request::new(GETRULE, 0, &[0; HEADER]))?;
        self.read = generation(&chains).or(generation(&rules));
        self.chains = chains.iter().filter(|m| m.kind == NEWCHAIN).filter_map(|m| chain(m.body)).collect();
        for m in rules.iter().filter(|m| m.kind == NEWRULE) {
            let Some(body) = m.body.get(HEADER..) else { continue };
            let t = Table::<4>::new(body);
            let text = |kind| t.get(kind).map_or("", |a| a.str());
            if let Some(c) = self.chains.iter_mut().find(|c| c.is(Family::of(m.body[0]), text(1), text(2))) {
                c.rules.extend(t.get(3).map(|a| a.be64()));
            }
        }
        Ok(())
    }

    fn chain(&self, family: Family, table: &str, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|c| c.is(family, table, name))
    }

    /// Hook and priority of a base chain; none for others.
    pub fn base(&self, family: Family, table: &str, name: &str) -> Option<(Hook, i32)> {
        self.chain(family, table, name).and_then(|c| c.base)
    }

    /// Place of a rule in its chain, from 1. None where the rules that were read are not those of the event.
    pub fn number(&self, family: Family, table: &str, name: &str, handle: u64) -> Option<u32> {
        if self.wanted.is_some() && self.wanted != self.read {
            return None;
        }
        let at = self.chain(family, table, name)?.rules.iter().position(|h| *h == handle)?;
        u32::try_from(at + 1).ok()
    }
}

impl Chain {
    fn is(&self, family: Family, table: &str, name: &str) -> bool {
        self.family == family && self.table == table && self.name == name
    }
}

/// `nfgen_res_id` of a dump: the lower half of the generation (`nft_base_seq_be16`).
fn generation(d: &Dump) -> Option<u16> {
    let first = d.iter().find(|m| matches!(m.kind, NEWCHAIN | NEWRULE))?;
    Some(u16::from_be(attr::u16_at(first.body, 2)))
}

fn chain(body: &[u8]) -> Option<Chain> {
    let t = Table::<5>::new(body.get(HEADER..)?);
    let base = t.get(4).map(|a| Table::<3>::new(a.value)).and_then(|h| {
        let priority = h.get(2).map_or(0, |a| a.be32().cast_signed());
        Some((Hook::of(h.get(1)?.be32())?, priority))
    });
    let text = |kind| t.get(kind).map_or("", |a| a.str()).to_owned();
    Some(Chain { family: Family::of(body[0]), table: text(1), name: text(3), base, rules: Vec::new() })
}
