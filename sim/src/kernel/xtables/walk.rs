//! A packet walks the rules of a base chain (`nft_do_chain`, `ipt_do_table`).

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::matches::written::Answer;
use super::matches::{Match, conntrack::check_state};
use super::targets::{NatTarget, RejectWith, Target, mangle};
use super::types::{Policy, RuleSlot, Table, TableKind, Variant};
use super::view::{Cx, Fit, Head, HookAt};
use crate::kernel::Kernel;
use crate::trace::event::{Miss, RuleAt, RuleVerdict};
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::Packet;

/// Deepest nesting of chains: nf_tables' own bound.
const JUMPS: usize = 16;

/// How a walk through a table ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Walked {
    Accept,
    Drop,
    Reject(RejectWith),
    Nat(NatTarget),
    /// It met something the model does not have.
    Unmodelled,
}

/// What a rule that fitted wants.
enum Next {
    On,
    Into { chain: u32, come_back: bool },
    Back,
    End(Walked),
}

impl<R: Recorder> Kernel<R> {
    /// Walks the table's base chain of the hook, where it has one.
    #[inline]
    pub(crate) fn xt_walk(&mut self, at: &HookAt, v: Variant, t: TableKind, p: &mut Packet) -> Walked {
        let slot = &mut self.netns[at.ns.ix()].nf.xt.variants[v as usize].by_kind[t as usize];
        let Some(mut table) = slot.take() else { return Walked::Accept };
        let end = match table.base[at.hook as usize] {
            Some(base) => self.xt_run(Arc::make_mut(&mut table), base, at, v, t, p),
            None => Walked::Accept,
        };
        self.netns[at.ns.ix()].nf.xt.variants[v as usize].by_kind[t as usize] = Some(table);
        end
    }

    fn xt_run(
        &mut self,
        table: &mut Table,
        base: u32,
        at: &HookAt,
        v: Variant,
        t: TableKind,
        p: &mut Packet,
    ) -> Walked {
        let Some(ip) = p.ipv4() else { return Walked::Accept };
        let (head, bytes) = (Head::of(self, at, ip), ip.total_len() as u64);
        self.xt_event(at, p, || EventKind::XtChain { variant: v, hook: at.hook, table: t });
        let mut stack: ArrayVec<(u32, usize), JUMPS> = ArrayVec::new();
        let (mut chain, mut i) = (base, 0);
        loop {
            let Some(c) = table.chain_mut(chain as usize) else { return Walked::Accept };
            let name = &c.name;
            let mut next = Next::Back;
            while let Some(slot) = c.rules.get_mut(i) {
                i += 1;
                if !slot.ip.fits(&head) {
                    if R::ON
                        && let Some(miss) = slot.ip.miss(&head, at)
                    {
                        let rule = place(v, t, at, name, i, slot);
                        self.xt_event(at, p, || EventKind::XtMissed { at: rule, miss });
                    }
                    continue;
                }
                match self.xt_rule(slot, bytes, at, p) {
                    Ok(n) => {
                        if R::ON {
                            let rule = place(v, t, at, name, i, slot);
                            let verdict = verdict(&n, &slot.rule.target);
                            self.xt_event(at, p, || EventKind::XtMatched { at: rule, verdict });
                        }
                        next = n;
                    }
                    Err(miss) => {
                        if R::ON {
                            let rule = place(v, t, at, name, i, slot);
                            self.xt_event(at, p, || EventKind::XtMissed { at: rule, miss });
                        }
                        continue;
                    }
                }
                if !matches!(next, Next::On) {
                    break;
                }
                next = Next::Back;
            }
            match next {
                Next::On => {}
                Next::Into { chain: to, come_back } => {
                    if come_back && stack.try_push((chain, i)).is_err() {
                        return Walked::Unmodelled;
                    }
                    (chain, i) = (to, 0);
                }
                Next::Back => match stack.pop() {
                    Some(caller) => (chain, i) = caller,
                    None => return self.xt_policy(table, base, bytes, at, v, t, p),
                },
                Next::End(w) => return w,
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "where the walk stands")]
    fn xt_policy(
        &mut self,
        table: &mut Table,
        base: u32,
        bytes: u64,
        at: &HookAt,
        v: Variant,
        t: TableKind,
        p: &mut Packet,
    ) -> Walked {
        let Some(c) = table.chain_mut(base as usize) else { return Walked::Accept };
        if c.counted {
            c.counters.packets += 1;
            c.counters.bytes += bytes;
        }
        let policy = c.policy;
        self.xt_event(at, p, || EventKind::XtPolicy { variant: v, hook: at.hook, table: t, policy });
        match policy {
            Policy::Accept => Walked::Accept,
            Policy::Drop => Walked::Drop,
        }
    }

    /// One rule whose built-in part fits: its matches, its counters, its target.
    #[inline]
    fn xt_rule(&mut self, slot: &mut RuleSlot, bytes: u64, at: &HookAt, p: &mut Packet) -> Result<Next, Miss> {
        let rule = &*slot.rule;
        let mut unknown = false;
        for (i, m) in rule.matches.iter().enumerate() {
            match m {
                Match::Limit(l) => l.check(&mut slot.memory[i], self.queue.now)?,
                Match::Statistic(s) => s.check(&mut slot.memory[i], &mut self.rng)?,
                Match::Written(w) => match w.check(&mut slot.memory[i], self, at, p) {
                    Answer::Fit(fit) => fit?,
                    Answer::Hotdrop => return Ok(Next::End(Walked::Drop)),
                },
                Match::Opaque(_) => unknown = true,
                m => {
                    let Some(ip) = p.ipv4() else { return Ok(Next::On) };
                    m.check(&Cx { k: self, at, p, ip })?;
                }
            }
        }
        if unknown {
            // Whether the rule fits is not known; that matters unless it does nothing.
            return match slot.rule.target {
                Target::None | Target::Log(_) | Target::Trace | Target::Aside(_) => Ok(Next::On),
                _ => Ok(Next::End(Walked::Unmodelled)),
            };
        }
        slot.counters.packets += 1;
        slot.counters.bytes += bytes;
        Ok(self.xt_target(slot, at, p))
    }

    fn xt_target(&mut self, slot: &RuleSlot, at: &HookAt, p: &mut Packet) -> Next {
        match &slot.rule.target {
            Target::None | Target::Checksum | Target::Trace | Target::Aside(_) => return Next::On,
            Target::Accept => return Next::End(Walked::Accept),
            Target::Drop => return Next::End(Walked::Drop),
            Target::Return => return Next::Back,
            Target::Jump(_) => return Next::Into { chain: slot.jump, come_back: true },
            Target::Goto(_) => return Next::Into { chain: slot.jump, come_back: false },
            Target::Reject(w) => return Next::End(Walked::Reject(*w)),
            Target::Nat(n) => return Next::End(Walked::Nat(*n)),
            Target::Opaque(_) => return Next::End(Walked::Unmodelled),
            Target::Log(l) => {
                if R::ON {
                    let line: Arc<str> = l.line(self, at, p).into();
                    self.xt_event(at, p, || EventKind::Log { line });
                }
            }
            Target::Mark(m) => m.apply(p),
            Target::Connmark(c) => c.apply(self, at, p),
            Target::Ct(c) => {
                c.apply(p);
                // CT ends the walk like ACCEPT does not: the next rule is asked.
            }
            Target::TcpMss(set) => self.xt_tcpmss(at, *set, p),
            Target::Ttl(t) => t.apply(p),
            Target::Tos { value, mask } => mangle::set_tos(p, *value, *mask),
            Target::Dscp(v) => mangle::set_tos(p, v << 2, 0xfc),
        }
        Next::On
    }

    /// Records an event at a hook.
    #[inline]
    pub(crate) fn xt_event(&mut self, at: &HookAt, p: &mut Packet, kind: impl FnOnce() -> EventKind) {
        if R::ON {
            self.rec.event(self.queue.now, at.ns, at.dev(), Some(p), kind());
        }
    }

    /// Ends a packet at a hook.
    pub(crate) fn nf_drop(&mut self, at: &HookAt, p: &mut Packet, reason: DropReason, func: &'static str) {
        self.xt_event(at, p, || EventKind::Drop { reason, func });
    }
}

impl Match {
    /// Fits, or what did not.
    #[inline]
    fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        match self {
            Match::Tcp(m) => m.check(cx),
            Match::Udp(m) => m.check(cx),
            Match::Icmp(m) => m.check(cx),
            Match::Multiport(m) => m.check(cx),
            Match::Iprange(m) => m.check(cx),
            Match::Mac(m) => m.check(cx),
            Match::Mark(m) => m.check(cx),
            Match::Connmark(m) => m.check_connection(cx),
            Match::Conntrack(m) => m.check(cx),
            Match::State(m) => check_state(m, cx),
            Match::Addrtype(m) => m.check(cx),
            Match::Physdev(m) => m.check(cx),
            Match::Owner(m) => m.check(cx),
            Match::Ttl(m) => m.check(cx),
            Match::Length(m) => m.check(cx),
            Match::Tos(m) => m.check(cx),
            Match::Dscp(m) => m.check_dscp(cx),
            Match::Pkttype(m) => m.check(cx),
            Match::Rpfilter(m) => m.check(cx),
            // Asked elsewhere: they remember, or nobody knows.
            Match::Limit(_) | Match::Statistic(_) | Match::Written(_) | Match::Comment(_) | Match::Opaque(_) => Ok(()),
        }
    }
}

fn place(variant: Variant, table: TableKind, at: &HookAt, chain: &Arc<str>, number: usize, slot: &RuleSlot) -> RuleAt {
    RuleAt { variant, hook: at.hook, table, chain: chain.clone(), number: number as u32, rule: slot.rule.clone() }
}

fn verdict(n: &Next, target: &Target) -> RuleVerdict {
    match n {
        Next::On => RuleVerdict::Continue,
        Next::Back => RuleVerdict::Return,
        Next::Into { .. } if matches!(target, Target::Goto(_)) => RuleVerdict::Goto,
        Next::Into { .. } => RuleVerdict::Jump,
        Next::End(Walked::Accept) => RuleVerdict::Accept,
        Next::End(Walked::Drop) => RuleVerdict::Drop,
        Next::End(Walked::Reject(_)) => RuleVerdict::Reject,
        Next::End(Walked::Nat(_)) => RuleVerdict::Nat,
        Next::End(Walked::Unmodelled) => RuleVerdict::Unmodelled,
    }
}
