//! The kernel model: one file per Linux mechanism, under Linux's names.
//!
//! In reading order: [`types`] (ids, errno), [`netns`], [`link`], [`bridge`], [`neigh`], [`fib`],
//! [`route`] (input and output routing, path MTU), [`ip`], [`frag`], [`icmp`], [`udp`], [`tcp`],
//! [`socket`], [`vxlan`], [`macvlan`], [`sysctl`], [`mib`]. It knows packets and namespaces; it has never heard of Docker,
//! of commands or of scenario files.
//!
//! Everything is a method of [`Kernel`], generic over the recorder: with [`crate::trace::NoTrace`]
//! recording compiles to nothing.

pub mod apply;
pub(crate) mod br_netfilter;
pub mod bridge;
pub mod conntrack;
pub mod cred;
pub mod dev;
pub mod devinet;
pub mod ebtables;
pub mod expiry;
pub mod fib;
pub mod frag;
pub mod icmp;
pub mod igmp;
pub mod ip;
pub mod link;
pub mod macvlan;
pub mod mib;
pub mod nat;
pub mod neigh;
pub mod netfilter;
pub mod netns;
pub mod nsid;
pub mod route;
pub mod socket;
pub mod softirq;
pub mod sysctl;
pub mod tcp;
pub mod types;
pub mod udp;
pub mod vxlan;
pub mod xtables;

use crate::engine::{Queue, Rng};
use crate::trace::Recorder;
use crate::wire::MacAddr;
use crate::wire::PacketId;
use link::Device;
use netns::{Host, Netns};
use types::{DevId, HostId, Nanos, NetnsId};

/// All kernels of a world: they share the virtual clock and the wires.
#[derive(Clone, Debug)]
pub struct Kernel<R> {
    /// Hosts.
    pub hosts: Vec<Host>,
    /// Namespaces; slots are never reused.
    pub netns: Vec<Netns>,
    /// Devices; slots are never reused.
    pub devs: Vec<Device>,
    /// Frames on their way and timers that run.
    pub queue: Queue,
    /// The scenario's dice.
    pub rng: Rng,
    /// Dice of the groups' reports, which nobody's other numbers depend on.
    pub(crate) igmp_rng: Rng,
    /// What `net.ipv4.igmp_link_local_mcast_reports` begins with in a new namespace; a lab has it off.
    pub igmp_reports: bool,
    /// Tools of the hosts give base chains counters ([`xtables::Tables::counting`]).
    pub chains_count: bool,
    /// Carriers that changed and what has not followed from it yet, by host.
    pub(crate) linkwatch: indexmap::IndexMap<HostId, link::watch::LinkWatch, crate::FxBuild>,
    /// Next packet number.
    pub next_packet: u32,
    /// Sockets that something happened to, for the applications.
    pub wakeups: std::collections::VecDeque<socket::Wakeup>,
    /// Sockets; slots are never reused.
    pub socks: Vec<socket::Sock>,
    /// Packets held back for a while (`pneigh_enqueue`), by the number their timer carries.
    pub parked: Vec<Option<(DevId, crate::wire::Packet)>>,
    /// Packets whose fate the model does not know (`PACKETWALK_UNMODELLED`).
    pub unmodelled: u64,
    /// The way that a hook found for the packet it was shown, or why there is none (`skb_dst_set`).
    pub(crate) rerouted: Option<Result<route::Dst, types::Errno>>,
    /// A softirq runs, not a process (`in_softirq`).
    pub(crate) softirq: bool,
    /// How often a translation chose a port by chance: a live kernel chooses another.
    pub nat_rolls: u64,
    /// What bridges and tunnels forgot until then has been told ([`expiry`]).
    pub(crate) expired_until: Nanos,
    /// An ICMP message is on its way out (`icmp_xmit_lock`): no error is sent about it meanwhile.
    pub(crate) icmp_busy: bool,
    /// Devices that the frame being sent has gone through (`dev_xmit_recursion`).
    pub(crate) xmit_depth: u8,
    /// Frames received by devices so far (`lo` included).
    pub receptions: u64,
    /// Of these, how many there were when the last process got the processor.
    pub(crate) woken_at: u64,
    /// A frame went round a loop of bridges.
    pub circles: bool,
    /// Ethernet addresses that a live kernel made up, by the names of the devices: taken instead of rolling dice.
    pub rolled_macs: std::collections::BTreeMap<String, std::collections::VecDeque<MacAddr>>,
    /// What is done to the kernels from outside, where somebody asked for it.
    pub journal: Option<Box<Vec<crate::journal::Entry>>>,
    /// The recorder.
    pub rec: R,
    /// Whose processes are, those of root aside.
    pub(crate) creds: indexmap::IndexMap<types::Pid, cred::Cred, crate::FxBuild>,
}

impl<R: Recorder> Kernel<R> {
    /// A world without hosts.
    pub fn new(seed: u64, rec: R) -> Self {
        Kernel {
            hosts: Vec::new(),
            netns: Vec::new(),
            devs: Vec::new(),
            queue: Queue::default(),
            rng: Rng::new(seed),
            igmp_rng: Rng::new(!seed),
            igmp_reports: true,
            chains_count: false,
            linkwatch: Default::default(),
            next_packet: 1,
            wakeups: std::collections::VecDeque::new(),
            socks: Vec::new(),
            parked: Vec::new(),
            unmodelled: 0,
            rerouted: None,
            softirq: false,
            nat_rolls: 0,
            expired_until: 0,
            icmp_busy: false,
            xmit_depth: 0,
            receptions: 0,
            woken_at: 0,
            circles: false,
            rolled_macs: std::collections::BTreeMap::new(),
            journal: None,
            rec,
            creds: Default::default(),
        }
    }

    /// Virtual time.
    #[inline]
    pub fn now(&self) -> Nanos {
        self.queue.now
    }

    /// A device.
    #[inline]
    pub fn dev(&self, id: DevId) -> &Device {
        &self.devs[id.ix()]
    }

    /// A device, to be changed.
    #[inline]
    pub fn dev_mut(&mut self, id: DevId) -> &mut Device {
        &mut self.devs[id.ix()]
    }

    /// A namespace.
    #[inline]
    pub fn ns(&self, id: NetnsId) -> &Netns {
        &self.netns[id.ix()]
    }

    /// A namespace, to be changed.
    #[inline]
    pub fn ns_mut(&mut self, id: NetnsId) -> &mut Netns {
        &mut self.netns[id.ix()]
    }

    /// The namespace that holds a device.
    #[inline]
    pub fn ns_of(&self, dev: DevId) -> &Netns {
        &self.netns[self.devs[dev.ix()].netns.ix()]
    }

    /// A host.
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.ix()]
    }

    /// A device by its name within a namespace.
    pub fn dev_by_name(&self, ns: NetnsId, name: &str) -> Option<DevId> {
        self.ns(ns).devs.values().copied().find(|d| self.dev(*d).name.as_str() == name)
    }

    /// The devices of a namespace, by ifindex.
    pub fn devs_of(&self, ns: NetnsId) -> impl Iterator<Item = &Device> + '_ {
        self.ns(ns).devs.values().map(|d| self.dev(*d))
    }

    /// A number for a new packet.
    #[inline]
    pub(crate) fn packet_id(&mut self) -> PacketId {
        let id = PacketId(self.next_packet);
        self.next_packet = self.next_packet.wrapping_add(1);
        id
    }

    /// A number for a packet that comes of another: none where that one is not told of.
    #[inline]
    pub(crate) fn packet_id_from(&mut self, parent: PacketId) -> PacketId {
        if parent == PacketId::UNTOLD { parent } else { self.packet_id() }
    }
}
