//! The journal of a world: what was done to its kernels from outside, in order, so that a second backend can do the
//! same to a real one.
//!
//! It is off unless somebody asks ([`crate::kernel::Kernel::journal`]). Packets leave no trace in it, only ops,
//! programs that start and end, and who did it: a line's own tool, or an engine behind it ([`Entry::Begin`]).

use crate::kernel::types::{DevId, Errno, HostId, NetnsId};
use crate::op::{LinkChange, NewLink, Op, OpReply};

/// A device as it was called when something was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// Device.
    pub dev: DevId,
    /// Its namespace then.
    pub netns: NetnsId,
    /// Its name then.
    pub name: String,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A host's kernel began; its own namespace.
    Host(HostId, NetnsId),
    /// The namespace of the LANs' switches.
    Switch(NetnsId),
    /// An op and its answer, with the devices that it speaks of.
    Op(Op, Result<OpReply, Errno>, Vec<Called>),
    /// A program began, by the number of its application.
    Spawn(u32),
    /// A program ended or was ended.
    Exit(u32),
    /// A program stands still, or goes on.
    Freeze(u32, bool),
    /// A tool that stands for more than itself (`docker`, `pipework`) began, with its words: what follows up to
    /// [`Entry::End`] was done by it. Without words: an engine of its own accord.
    Begin(Vec<String>),
    /// It ended: exit status, standard output and error.
    End(i32, String, String),
    /// A command inside a container began (`docker exec`), with its namespace and words: what follows up to
    /// [`Entry::Inside`] without words was done by that command.
    Inside(NetnsId, Vec<String>),
}

impl Op {
    /// The devices that it speaks of.
    pub fn devs(&self) -> Vec<DevId> {
        match self {
            Op::LinkAdd { kind: NewLink::Macvlan { lower, .. }, .. } => lower.iter().copied().collect(),
            Op::LinkAdd { kind: NewLink::Vxlan(c), .. } => c.lower.iter().copied().collect(),
            Op::LinkSet { dev, changes } => {
                let masters = changes.iter().filter_map(|c| if let LinkChange::Master(m) = c { *m } else { None });
                std::iter::once(*dev).chain(masters).collect()
            }
            Op::LinkDel { dev }
            | Op::AddrAdd { dev, .. }
            | Op::AddrDel { dev, .. }
            | Op::NeighAdd { dev, .. }
            | Op::NeighDel { dev, .. }
            | Op::VxlanFdbAdd { dev, .. }
            | Op::VxlanFdbDel { dev, .. }
            | Op::FdbAdd { dev, .. }
            | Op::FdbDel { dev, .. } => vec![*dev],
            Op::RouteAdd { route, .. } | Op::RouteDel { route, .. } => route.dev.iter().copied().collect(),
            Op::NeighProxy { dev, .. } => dev.iter().copied().collect(),
            _ => Vec::new(),
        }
    }
}
