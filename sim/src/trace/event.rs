//! One decision at one place at one virtual time about one packet, with its evidence.

mod verdict;

use crate::kernel::conntrack::Tuple;
use crate::kernel::fib::RuleAction;
use crate::kernel::neigh::Nud;
use crate::kernel::netfilter::Hook;
use crate::kernel::types::{DevId, Nanos, NetnsId, SockId};
use crate::kernel::xtables::{Policy, TableKind, Variant};
use crate::trace::DropReason;
use crate::wire::{MacAddr, PacketId};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::Arc;
pub use verdict::*;

/// An event of a walk.
#[derive(Clone, Debug)]
pub struct Event {
    /// Virtual time.
    pub at: Nanos,
    /// Namespace.
    pub ns: NetnsId,
    /// Device, where the decision was taken at one.
    pub dev: Option<DevId>,
    /// Packet; 0 where the event is about none.
    pub packet: PacketId,
    /// Its content at the time: index + 1 into `Trace::snaps`.
    pub snap: u32,
    /// What was decided.
    pub kind: EventKind,
}

/// Why a packet came into being.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Birth {
    /// A socket sent it.
    Sent,
    /// A copy, made to flood or to deliver twice.
    Copy,
    /// The kernel answers another packet: echo reply, ARP reply, RST, ICMP error, ACK.
    Answer,
    /// Asks for a neighbour that another packet waits for.
    Solicit,
    /// A piece of a datagram that was too big.
    Fragment,
    /// The whole, put together from pieces.
    Reassembled,
    /// A repetition by a timer.
    Retransmit,
    /// A datagram around a frame.
    Encapsulated,
    /// The frame that was in a datagram.
    Decapsulated,
}

/// Kinds of events.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// The packet was handed to the device (`dev_queue_xmit`).
    Tx,
    /// The device received it (`__netif_receive_skb`).
    Rx,
    /// The bridge noted the sender's port (`br_fdb_update`): new, or moved from another port.
    BrLearn {
        /// Port.
        port: DevId,
        /// Port it was known at before.
        moved_from: Option<DevId>,
    },
    /// The bridge looked the destination up.
    BrLookup {
        /// The bridge.
        bridge: DevId,
        /// What the FDB said.
        verdict: BrVerdict,
    },
    /// The bridge passed a port over.
    BrSkip {
        /// Port.
        port: DevId,
        /// Why.
        why: BrSkip,
    },
    /// The bridge sends the frame out of a port (`__br_forward`, `deliver_clone`).
    BrForward {
        /// Port.
        port: DevId,
    },
    /// The bridge hands the frame to the host (`br_pass_frame_up`).
    BrUp {
        /// The bridge, which now is the receiving device.
        bridge: DevId,
    },
    /// A routing rule was tried and did not decide.
    RuleMissed {
        /// Its preference.
        pref: u32,
        /// Its action.
        action: RuleAction,
        /// Why not.
        why: RuleMiss,
    },
    /// A routing lookup ended (`fib_lookup`).
    Fib {
        /// What was looked for.
        key: FlowKey,
        /// What was found.
        result: FibResult,
    },
    /// A source address was chosen for a packet that had none.
    SourceChosen {
        /// The address.
        src: Ipv4Addr,
        /// The route's `src` said so; else the device's first address of fitting scope.
        by_route: bool,
    },
    /// The source address was checked against the way back.
    SourceCheck {
        /// Verdict.
        verdict: SourceCheck,
    },
    /// For this host (`ip_local_deliver`).
    LocalIn,
    /// To be forwarded: TTL before and after (`ip_forward`).
    Forward {
        /// TTL before.
        ttl: u8,
    },
    /// The next hop's entry was looked up.
    Neigh {
        /// Next hop.
        ip: Ipv4Addr,
        /// State of the entry at that moment, `None` where it was just made.
        nud: Nud,
        /// Its address, where valid.
        lladdr: Option<MacAddr>,
    },
    /// The packet waits for the neighbour.
    NeighWait {
        /// Next hop.
        ip: Ipv4Addr,
    },
    /// An entry changed its state.
    NeighState {
        /// Neighbour.
        ip: Ipv4Addr,
        /// Before.
        old: Nud,
        /// After.
        new: Nud,
        /// Its address now.
        lladdr: Option<MacAddr>,
    },
    /// An ARP packet was read (`arp_process`).
    Arp {
        /// What it did.
        verdict: ArpVerdict,
    },
    /// The datagram was cut (`ip_fragment`).
    Fragmented {
        /// Into how many pieces.
        pieces: u16,
        /// For this MTU.
        mtu: u32,
    },
    /// A piece waits for the others (`ip_defrag`): it ends with them, put together or dropped.
    FragWait,
    /// The datagram is whole again.
    Reassembled {
        /// From how many pieces.
        pieces: u16,
    },
    /// A super-packet was cut into its segments, which go on alone (`ip_finish_output_gso`).
    Segmented {
        /// Into how many.
        pieces: u16,
    },
    /// The frame was put into a datagram, which goes on in its place (`vxlan_xmit_one`).
    Encap {
        /// Network identifier.
        vni: u32,
        /// Destination of the datagram.
        remote: Ipv4Addr,
        /// The datagram.
        outer: PacketId,
    },
    /// The frame in the datagram was taken out, and goes on in its place (`vxlan_rcv`).
    Decap {
        /// Network identifier.
        vni: u32,
        /// Device that receives the frame.
        dev: DevId,
        /// The frame.
        inner: PacketId,
    },
    /// The tunnel looked the receiver up.
    VxlanLookup {
        /// Entry that was found: the receiver's own, or the all-zero default.
        mac: MacAddr,
        /// How many destinations it has.
        remotes: u16,
    },
    /// The tunnel noted where the sender is (`vxlan_snoop`): new, or moved from another host.
    VxlanLearn {
        /// Host.
        remote: Ipv4Addr,
        /// Host it was known at before.
        moved_from: Option<Ipv4Addr>,
    },
    /// The tunnel was asked for a neighbour (`arp_reduce`).
    VxlanProxy {
        /// The neighbour.
        ip: Ipv4Addr,
        /// Address that was answered, where there is an entry.
        lladdr: Option<MacAddr>,
    },
    /// The tunnel answered a frame that is too big for it (`iptunnel_pmtud_build_icmp`): what goes on is the answer.
    VxlanTooBig {
        /// Room for the inner packet, in bytes.
        mtu: u32,
    },
    /// A macvlan had to do with the frame.
    Macvlan {
        /// The device that gets it next.
        dev: DevId,
        /// Why.
        verdict: MacvlanVerdict,
    },
    /// A path MTU was learnt (`ip_rt_update_pmtu`).
    PmtuLearned {
        /// Destination.
        dst: Ipv4Addr,
        /// MTU in bytes.
        mtu: u32,
    },
    /// A redirect was taken (`__ip_do_redirect`).
    RedirectTaken {
        /// Destination.
        dst: Ipv4Addr,
        /// New gateway.
        gateway: Ipv4Addr,
    },
    /// An ICMP error is about to be sent about the packet (`icmp_send`).
    IcmpError {
        /// Type.
        ty: u8,
        /// Code.
        code: u8,
    },
    /// An ICMP message was not sent: the rate limit of its destination is spent.
    IcmpLimited {
        /// Type.
        ty: u8,
        /// Code.
        code: u8,
    },
    /// The kernel answered an echo request (`icmp_reply`).
    EchoReply,
    /// A socket took the packet.
    SocketDeliver {
        /// The socket.
        sock: SockId,
        /// Its local port, 0 for raw sockets.
        port: u16,
        /// Its process.
        process: Option<u32>,
    },
    /// A raw socket took a copy of the packet, which goes on.
    SocketCopy {
        /// The socket.
        sock: SockId,
        /// Its process.
        process: Option<u32>,
    },
    /// A TCP connection changed its state (`tcp_set_state`).
    TcpState {
        /// The socket.
        sock: SockId,
        /// Before.
        old: &'static str,
        /// After.
        new: &'static str,
    },
    /// The packet ended here, and served its purpose: an ARP packet read, a reply without listener, a duplicate ACK.
    Consumed {
        /// What it was for.
        what: &'static str,
    },
    /// The packet ended here, unwanted.
    Drop {
        /// The kernel's reason.
        reason: DropReason,
        /// The function that dropped it.
        func: &'static str,
    },
    /// A base chain was entered at a hook.
    XtChain {
        /// Set of tables.
        variant: Variant,
        /// Hook.
        hook: Hook,
        /// Table.
        table: TableKind,
    },
    /// A rule was tried and did not fit.
    XtMissed {
        /// The rule.
        at: RuleAt,
        /// Why not.
        miss: Miss,
    },
    /// A rule fitted.
    XtMatched {
        /// The rule.
        at: RuleAt,
        /// What it did.
        verdict: RuleVerdict,
    },
    /// The end of a base chain was reached: its policy decides.
    XtPolicy {
        /// Set of tables.
        variant: Variant,
        /// Hook.
        hook: Hook,
        /// Table.
        table: TableKind,
        /// The policy.
        policy: Policy,
    },
    /// A rule of ebtables was tried.
    EbRule {
        /// Chain.
        chain: Arc<str>,
        /// Number within the chain, from 1.
        number: u32,
        /// The rule as `ebtables -L` prints it.
        text: Arc<str>,
        /// Whether it fitted.
        fits: bool,
    },
    /// The end of a base chain of ebtables was reached.
    EbPolicy {
        /// Chain.
        chain: Arc<str>,
        /// The policy.
        policy: Policy,
    },
    /// Connection tracking looked at the packet.
    Ct {
        /// Hook.
        hook: Hook,
        /// What came of it.
        verdict: CtVerdict,
        /// The connection before, where there was one and the packet changed it.
        before: Option<Box<CtView>>,
        /// The connection now.
        after: Option<Box<CtView>>,
    },
    /// Address translation rewrote the packet: addresses and ports before and after.
    Nat {
        /// Hook.
        hook: Hook,
        /// Before.
        before: Tuple,
        /// After.
        after: Tuple,
    },
    /// An entry of a table was too old: it is gone since then.
    Expired {
        /// The entry.
        what: Expired,
    },
    /// The kernel's log line of a `LOG` rule.
    Log {
        /// The line, as `dmesg` shows it.
        line: Arc<str>,
    },
    /// A loop of packets was cut: the world's bound on hops was reached.
    Bound {
        /// Which bound.
        what: &'static str,
    },
}

/// A prefix as evidence.
pub type Prefix = Ipv4Net;

impl EventKind {
    /// The packet of the event has come to its end.
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            EventKind::Drop { .. }
                | EventKind::Consumed { .. }
                | EventKind::SocketDeliver { .. }
                | EventKind::EchoReply
                | EventKind::Fragmented { .. }
                | EventKind::Segmented { .. }
                | EventKind::Encap { .. }
                | EventKind::Decap { .. }
        )
    }
}
