//! `-m string` (xt_string): bytes anywhere in an IP packet.

use std::sync::Arc;

use crate::kernel::xtables::view::{Fit, ask};
use crate::trace::event::Saw;
use crate::wire::{Ipv4, encode};

/// `-m string`: its algorithms find the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StringMatch {
    /// The bytes.
    pub pattern: Arc<[u8]>,
    /// `!` before it.
    pub inv: bool,
    /// `--icase`.
    pub icase: bool,
    /// `--from`: the first byte that is looked at, counted from the IP header.
    pub from: u16,
    /// `--to`: what is found ends before it.
    pub to: u16,
}

impl StringMatch {
    /// `skb_find_text` over the whole packet.
    pub(crate) fn check(&self, ip: &Ipv4) -> Fit {
        let bytes = encode::ipv4(ip);
        let end = bytes.len().min(usize::from(self.to));
        let part = bytes.get(usize::from(self.from)..end).unwrap_or_default();
        let same = |a: &[u8]| if self.icase { a.eq_ignore_ascii_case(&self.pattern) } else { *a == *self.pattern };
        let found = !self.pattern.is_empty() && part.windows(self.pattern.len()).any(same);
        ask(found != self.inv, "--string", || Saw::Found(if found { "it is there" } else { "it is not there" }))
    }
}
