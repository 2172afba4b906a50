//! Drops, routing look-ups and neighbour changes, as the kernel's tracepoints tell them. Needs real root.
//!
//! The tracepoints are opened by `perf_event_open`: all of it is file descriptors, no setting of tracefs is touched, and
//! a process that is killed leaves nothing. tracefs is only read, for numbers and layouts; where it is not mounted it is
//! mounted in a mount namespace of a thread of its own.
//!
//! To close them takes 250 ms (two grace periods for each of 7 tracepoints), which the kernel's worker spends when the
//! [`Watch`] goes, and whoever is killed spends himself: one [`Watch`] per process, for all of its cases.
//!
//! # Whose event it is
//!
//! A tracepoint fires for the whole machine and does not name a namespace. What tells our packets from others:
//!
//! 1. **The process.** A veth hands a packet to the other end in the sender's own context, and so on through bridges and
//!    routers: most events carry the thread that sent. [`At::tid`] is a number of *our* pid namespace and 0 for everybody
//!    outside of it, so in a pid namespace of our own, [`At::tid`] not 0 says that it is ours.
//! 2. **The device.** `skb:kfree_skb` names an skb by its address; [`Drop::seen`] is the device where that address was
//!    last queued or received (`net:net_dev_queue`, `net:netif_receive_skb`), with length and time. The time is
//!    `CLOCK_REALTIME`, as that of an AF_PACKET capture, so a drop can be joined to a captured frame.
//!
//! What can be confused: work put off to a timer (an unanswered ARP, `neigh_invalidate`) or to `ksoftirqd` runs in
//! anybody's name; a device of the machine that has the name of ours; and an skb that was freed without a drop, whose
//! memory serves again before it passes a device ([`Drop::seen`] is then of the packet before: compare protocol and time).
//! Unmodified payload of our own (AF_PACKET clones) is freed by `consume_skb`, which is no drop.

mod format;
mod idle;
mod ring;
mod symbols;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::thread;

use format::{Format, Formats};
pub use idle::Idle;
use ring::{RING, Ring, Sample};
use symbols::Functions;
pub use symbols::Symbols;

const KFREE_SKB: &str = "skb/kfree_skb";
const RECEIVE: &str = "net/netif_receive_skb";
const QUEUE: &str = "net/net_dev_queue";
const FIB: &str = "fib/fib_table_lookup";
const NEIGH_UPDATE: &str = "neigh/neigh_update";
const NEIGH_SEND: &str = "neigh/neigh_event_send_done";
const NEIGH_TIMER: &str = "neigh/neigh_timer_handler";
const ALL: [&str; 7] = [KFREE_SKB, RECEIVE, QUEUE, FIB, NEIGH_UPDATE, NEIGH_SEND, NEIGH_TIMER];
const WITH_SWITCH: [&str; 8] = [KFREE_SKB, RECEIVE, QUEUE, FIB, NEIGH_UPDATE, NEIGH_SEND, NEIGH_TIMER, idle::SWITCH];

/// How many sightings of skbs are kept: the addresses that a machine's network uses at a time are far fewer.
const SIGHTINGS: usize = 1 << 14;

/// When and where an event was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// `CLOCK_REALTIME`, as of a captured frame.
    pub time_ns: u64,
    /// The CPU.
    pub cpu: u32,
    /// The thread that ran, in our pid namespace; 0 for one outside.
    pub tid: u32,
    /// In a softirq, which may have interrupted the thread for another's sake: a timer, a packet of elsewhere.
    pub softirq: bool,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `skb:kfree_skb`: a packet was dropped.
    Drop(Drop),
    /// `fib:fib_table_lookup`: a routing table was asked.
    Fib(Fib),
    /// `neigh:*`: an IPv4 neighbour changed, was used, or its timer ran.
    Neigh(Neigh),
}

impl Event {
    /// When and where it was.
    #[must_use]
    pub fn at(&self) -> &At {
        match self {
            Event::Drop(d) => &d.at,
            Event::Fib(f) => &f.at,
            Event::Neigh(n) => &n.at,
        }
    }
}

/// A packet was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// When and where.
    pub at: At,
    /// Address of the skb.
    pub skb: u64,
    /// EtherType, 0 where it has none.
    pub protocol: u16,
    /// `enum skb_drop_reason` without its prefix (`NETFILTER_DROP`).
    pub reason: String,
    /// Address in the function that dropped it; [`Watch::function`] tells its name.
    pub location: u64,
    /// Where it was last on a device.
    pub seen: Option<Seen>,
}

/// A packet on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Name of the device.
    pub dev: String,
    /// Whether it was received there, not sent.
    pub received: bool,
    /// Length of the packet: received, without its Ethernet header.
    pub len: u32,
    /// `CLOCK_REALTIME`.
    pub time_ns: u64,
}

/// A routing table was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fib {
    /// When and where.
    pub at: At,
    /// The table.
    pub table: u32,
    /// 0, or what the table said (`-EHOSTUNREACH`, `-EAGAIN` for nothing found).
    pub err: i32,
    /// Index of the device it must leave by, or 0.
    pub oif: u32,
    /// Index of the device it came by, or 0.
    pub iif: u32,
    /// IP protocol, where ports were given.
    pub proto: u8,
    /// Source, unspecified where it is not chosen yet.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// The answer's gateway.
    pub gateway: Option<Ipv4Addr>,
    /// The answer's device.
    pub dev: Option<String>,
    /// Ports, where given.
    pub ports: (u16, u16),
}

/// An IPv4 neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neigh {
    /// When and where.
    pub at: At,
    /// The event (`neigh_update`).
    pub event: &'static str,
    /// Its device.
    pub dev: String,
    /// Its address.
    pub dst: Ipv4Addr,
    /// `NUD_*` as it is.
    pub state: u8,
    /// `NUD_*` as it becomes, of `neigh_update`.
    pub new_state: Option<u8>,
}

/// The tracepoints cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Where tracepoints are described.
    #[error("cannot read tracefs: {0} (drops and look-ups need real root; run as root to compare them)")]
    Tracefs(#[source] io::Error),
    /// A tracepoint of this kernel lacks or differs.
    #[error("this kernel's tracepoint {0} has no field {1}")]
    Format(&'static str, &'static str),
    /// Opening them.
    #[error("cannot open tracepoint {0}: {1} (it needs CAP_PERFMON in the first user namespace)")]
    Open(&'static str, #[source] io::Error),
}

/// Watches the tracepoints of the whole machine.
pub struct Watch {
    layouts: Layouts,
    rings: Vec<(&'static str, Ring)>,
    functions: Functions,
    seen: BTreeMap<u64, Seen>,
    lost: u64,
    idle: Idle,
}

/// Where the fields are.
struct Layouts {
    drop: Format,
    receive: Format,
    queue: Format,
    fib: Format,
    neigh: [(&'static str, Format); 3],
}

impl Watch {
    /// Opens the tracepoints on every CPU.
    ///
    /// # Errors
    /// Where we are not real root, or the kernel has other tracepoints.
    pub fn start() -> Result<Self, WatchError> {
        let mut f = format::read(&WITH_SWITCH).map_err(WatchError::Tracefs)?;
        let switch = f.take(idle::SWITCH);
        let listening = thread::spawn(move || idle::look(&switch));
        let mut rings = Vec::new();
        for name in ALL {
            let all = ring::open(f.get(name).id, RING).map_err(|e| WatchError::Open(name, e))?;
            rings.extend(all.into_iter().map(|(_, r)| (name, r)));
        }
        let layouts = Layouts::new(&mut f)?;
        let functions = Functions::begin();
        let idle = listening.join().unwrap_or_else(|p| std::panic::resume_unwind(p));
        Ok(Watch { layouts, rings, functions, seen: BTreeMap::new(), lost: 0, idle })
    }

    /// Of which processors' idle task perf tells nothing, so that what a timer does there is missing.
    #[must_use]
    pub fn idle(&self) -> &Idle {
        &self.idle
    }

    /// What happened since the last call, in order of time.
    pub fn drain(&mut self) -> Vec<Event> {
        let mut raw = Vec::new();
        // One for all, lest it change their order.
        let offset = ring::realtime();
        for (name, ring) in &mut self.rings {
            // What a process of others sends and looks up for itself is none of ours.
            let wanted: fn(&At) -> bool = match *name {
                FIB | QUEUE | RECEIVE => |at| at.tid != 0 || at.softirq,
                _ => |_| true,
            };
            self.lost += ring.drain(offset, wanted, |s| raw.push((*name, s)));
        }
        raw.sort_by_key(|(_, s)| s.at.time_ns);
        raw.into_iter().filter_map(|(name, s)| self.event(name, &s)).collect()
    }

    /// How many events may be missing since this was last asked, because they were not read in time.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// The function around an address of the kernel's code (`nft_do_chain`); the address where symbols are hidden.
    #[must_use]
    pub fn function(&self, location: u64) -> String {
        self.functions.function(location)
    }

    fn event(&mut self, name: &'static str, s: &Sample) -> Option<Event> {
        match name {
            KFREE_SKB => Some(Event::Drop(self.dropped(s))),
            FIB => Some(Event::Fib(self.layouts.fib(s))),
            RECEIVE | QUEUE => {
                self.sighted(name == RECEIVE, s);
                None
            }
            _ => self.layouts.neigh(name, s).map(Event::Neigh),
        }
    }

    fn sighted(&mut self, received: bool, s: &Sample) {
        let f = if received { &self.layouts.receive } else { &self.layouts.queue };
        let seen = Seen { dev: f.text(s, "name"), received, len: f.u32(s, "len"), time_ns: s.at.time_ns };
        if self.seen.len() >= SIGHTINGS {
            self.seen.clear();
        }
        self.seen.insert(f.u64(s, "skbaddr"), seen);
    }

    fn dropped(&mut self, s: &Sample) -> Drop {
        let f = &self.layouts.drop;
        let skb = f.u64(s, "skbaddr");
        Drop {
            at: s.at,
            skb,
            protocol: f.u16(s, "protocol"),
            reason: f.symbol(f.u32(s, "reason")),
            location: f.u64(s, "location"),
            // The memory may serve another packet next.
            seen: self.seen.remove(&skb),
        }
    }
}

impl std::ops::Drop for Watch {
    fn drop(&mut self) {
        ring::let_go(self.rings.drain(..).map(|(_, r)| r).collect());
    }
}

impl Layouts {
    fn new(f: &mut Formats) -> Result<Self, WatchError> {
        let mut take = |name: &'static str, fields: &[&'static str]| {
            let format = f.take(name);
            match fields.iter().find(|x| !format.has(x)) {
                Some(x) => Err(WatchError::Format(name, x)),
                None => Ok(format),
            }
        };
        let device = ["skbaddr", "len", "name"];
        let neigh = ["family", "dev", "nud_state", "primary_key4"];
        Ok(Layouts {
            drop: take(KFREE_SKB, &["skbaddr", "location", "protocol", "reason"])?,
            receive: take(RECEIVE, &device)?,
            queue: take(QUEUE, &device)?,
            fib: take(FIB, &["tb_id", "err", "oif", "iif", "proto", "src", "dst", "gw4", "sport", "dport", "name"])?,
            neigh: [
                (NEIGH_UPDATE, take(NEIGH_UPDATE, &neigh)?),
                (NEIGH_SEND, take(NEIGH_SEND, &neigh)?),
                (NEIGH_TIMER, take(NEIGH_TIMER, &neigh)?),
            ],
        })
    }

    fn fib(&self, s: &Sample) -> Fib {
        let f = &self.fib;
        let gateway = f.ipv4(s, "gw4");
        let dev = f.text(s, "name");
        Fib {
            at: s.at,
            table: f.u32(s, "tb_id"),
            err: f.u32(s, "err").cast_signed(),
            oif: f.u32(s, "oif"),
            iif: f.u32(s, "iif"),
            proto: f.u8(s, "proto"),
            src: f.ipv4(s, "src"),
            dst: f.ipv4(s, "dst"),
            gateway: Some(gateway).filter(|g| !g.is_unspecified()),
            // Nothing found is `-`.
            dev: Some(dev).filter(|d| !d.is_empty() && d != "-"),
            ports: (f.u16(s, "sport"), f.u16(s, "dport")),
        }
    }

    fn neigh(&self, name: &'static str, s: &Sample) -> Option<Neigh> {
        let (event, f) = self.neigh.iter().find(|(n, _)| *n == name)?;
        const AF_INET: u32 = 2;
        (f.u32(s, "family") == AF_INET).then(|| Neigh {
            at: s.at,
            event: event.trim_start_matches("neigh/"),
            dev: f.text(s, "dev"),
            dst: f.ipv4(s, "primary_key4"),
            state: f.u8(s, "nud_state"),
            new_state: f.has("new_state").then(|| f.u8(s, "new_state")),
        })
    }
}
