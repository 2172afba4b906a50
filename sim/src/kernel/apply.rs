//! Carries out ops: one arm each, no logic of its own.

use super::Kernel;
use super::sysctl::set_parm;
use super::types::{DevId, Errno};
use crate::op::{Op, OpError, OpReply};
use crate::trace::Recorder;

impl<R: Recorder> Kernel<R> {
    /// Carries out one op.
    ///
    /// # Errors
    /// The errno and the sentence of the kernel.
    pub fn apply(&mut self, op: &Op) -> Result<OpReply, OpError> {
        let kept = self.journal.is_some() && !matches!(op, Op::Xtables { .. });
        // A batch of rules tells by itself.
        let called = |d: DevId| {
            let x = self.dev(d);
            crate::journal::Called { dev: d, netns: x.netns, name: x.name.to_string() }
        };
        let devs = if kept { op.devs().into_iter().map(called).collect() } else { Vec::new() };
        let done = self.carry_out(op);
        if kept {
            let told = done.as_ref().copied().map_err(|e| e.errno);
            self.note(crate::journal::Entry::Op(op.clone(), told, devs));
        }
        self.linkwatch_unlocked();
        done
    }

    /// Writes into the journal, where one is kept.
    pub fn note(&mut self, entry: crate::journal::Entry) {
        if let Some(j) = &mut self.journal {
            j.push(entry);
        }
    }

    fn carry_out(&mut self, op: &Op) -> Result<OpReply, OpError> {
        match op {
            Op::NetnsAdd { host, name, label } => {
                if let Some(n) = name
                    && self.host(*host).named.contains_key(n)
                {
                    return Err(Errno::EEXIST.into());
                }
                let host_name = self.host(*host).name.clone();
                let label = match (label, name) {
                    (Some(l), _) => l.clone(),
                    (None, Some(n)) => format!("{host_name}/ns:{n}"),
                    (None, None) => format!("{host_name}/ns"),
                };
                let ns = self.new_netns(*host, label);
                if let Some(n) = name {
                    self.hosts[host.ix()].named.insert(n.clone(), ns);
                }
                return Ok(OpReply::Netns(ns));
            }
            Op::NetnsDel { host, name } => {
                let gone = self.hosts[host.ix()].named.shift_remove(name).ok_or(OpError::from(Errno::ENOENT))?;
                self.netns_put(gone);
            }
            Op::LinkAdd { spec, kind } => return self.op_link_add(spec, kind).map(OpReply::Dev),
            Op::LinkDel { dev } => self.op_link_del(*dev)?,
            Op::LinkSet { dev, changes } => self.op_link_set(*dev, changes)?,
            Op::AddrAdd { dev, addr, replace } => self.op_addr_add(*dev, addr, *replace)?,
            Op::AddrDel { dev, local, prefix, peer, label } => {
                self.op_addr_del(*dev, *local, *prefix, *peer, label.as_deref())?;
            }
            Op::RouteAdd { netns, verb, route } => self.op_route_add(*netns, *verb, route)?,
            Op::RouteDel { netns, route, match_kind } => self.op_route_del(*netns, route, *match_kind)?,
            Op::RouteFlushCache { netns } => self.ns_mut(*netns).exceptions.by_dst.clear(),
            Op::RuleAdd { netns, rule, auto_pref } => self.op_rule_add(*netns, rule, *auto_pref)?,
            Op::RuleDel { netns, rule } => self.op_rule_del(*netns, rule)?,
            Op::NeighAdd { dev, dst, verb, lladdr, nud, extern_learn } => {
                self.op_neigh_add(*dev, *dst, *verb, *lladdr, *nud, *extern_learn)?;
            }
            Op::NeighDel { dev, dst } => self.op_neigh_del(*dev, *dst)?,
            Op::NeighProxy { netns, dev, dst, add } => self.op_neigh_proxy(*netns, *dev, *dst, *add)?,
            Op::FdbAdd { dev, mac, kind, verb, sticky, extern_learn, on_self } => {
                self.fdb_target(*dev, *on_self)?;
                self.op_fdb_add(*dev, *mac, *kind, *verb, (*sticky, *extern_learn))?;
            }
            Op::VxlanFdbAdd { dev, mac, dst, state, verb, extern_learn } => {
                self.vxlan_fdb_add(*dev, *mac, dst, *state, *verb, *extern_learn)?;
            }
            Op::VxlanFdbDel { dev, mac, dst } => self.vxlan_fdb_del(*dev, *mac, dst)?,
            Op::FdbDel { dev, mac, on_self } => {
                self.fdb_target(*dev, *on_self)?;
                self.op_fdb_del(*dev, *mac)?;
            }
            Op::Xtables { netns, variant, batch } => self.xt_commit(*netns, *variant, batch).map_err(|e| e.errno)?,
            Op::Ip6Tables { netns, tables } => self.ns_mut(*netns).nf.xt.add_v6(tables),
            Op::NeighTbl { dev, parms } => {
                for (parm, value) in parms {
                    set_parm(&mut self.dev_mut(*dev).neigh_parms, *parm, *value);
                }
            }
            Op::Sysctl { netns, name, value } => self.sysctl_set(*netns, name, value).map_err(|e| match e {
                super::sysctl::SysctlError::Errno(e) => OpError::from(e),
                _ => OpError::from(Errno::ENOENT),
            })?,
        }
        Ok(OpReply::Done)
    }
}
