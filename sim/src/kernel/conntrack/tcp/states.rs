//! TCP's states as a bystander sees them: what a segment does to them, and how long they last.

use crate::kernel::conntrack::core::secs;
use crate::kernel::sysctl::NetSysctl;
use crate::kernel::types::Nanos;
use crate::wire::packet::TcpFlags;

/// `enum tcp_conntrack`.
pub(crate) const NONE: u8 = 0;
/// A SYN was seen.
pub(crate) const SYN_SENT: u8 = 1;
/// A SYN-ACK was seen.
pub(crate) const SYN_RECV: u8 = 2;
/// An ACK was seen.
pub(crate) const ESTABLISHED: u8 = 3;
/// A FIN was seen.
pub(crate) const FIN_WAIT: u8 = 4;
/// An ACK after a FIN.
pub(crate) const CLOSE_WAIT: u8 = 5;
/// The second FIN.
pub(crate) const LAST_ACK: u8 = 6;
/// The last ACK.
pub(crate) const TIME_WAIT: u8 = 7;
/// A RST.
pub(crate) const CLOSE: u8 = 8;
/// SYNs in both directions.
pub(crate) const SYN_SENT2: u8 = 9;
/// Not a state: the segment is invalid (`TCP_CONNTRACK_MAX`).
pub(crate) const INVALID: u8 = 10;
/// Not a state: the segment passes, and changes nothing (`TCP_CONNTRACK_IGNORE`).
pub(crate) const IGNORE: u8 = 11;

const NAMES: [&str; 10] = [
    "NONE",
    "SYN_SENT",
    "SYN_RECV",
    "ESTABLISHED",
    "FIN_WAIT",
    "CLOSE_WAIT",
    "LAST_ACK",
    "TIME_WAIT",
    "CLOSE",
    "SYN_SENT2",
];

/// A state's name, as `conntrack -L` prints it.
pub fn state_name(state: u8) -> &'static str {
    NAMES.get(usize::from(state)).copied().unwrap_or("NONE")
}

/// What a segment is, by its flags (`enum tcp_bit_set`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Index {
    Syn = 0,
    SynAck = 1,
    Fin = 2,
    Ack = 3,
    Rst = 4,
    None = 5,
}

impl Index {
    /// `get_conntrack_index`.
    pub fn of(f: TcpFlags) -> Index {
        if f.contains(TcpFlags::RST) {
            Index::Rst
        } else if f.contains(TcpFlags::SYN) {
            if f.contains(TcpFlags::ACK) { Index::SynAck } else { Index::Syn }
        } else if f.contains(TcpFlags::FIN) {
            Index::Fin
        } else if f.contains(TcpFlags::ACK) {
            Index::Ack
        } else {
            Index::None
        }
    }
}

/// `tcp_valid_flags`; PSH is always allowed.
pub(crate) fn valid_flags(f: TcpFlags) -> bool {
    let f = f - TcpFlags::PSH;
    let urgent = f.contains(TcpFlags::URG);
    match f - TcpFlags::URG {
        x if x == TcpFlags::SYN || x == TcpFlags::ACK || x == TcpFlags::FIN | TcpFlags::ACK => true,
        x if x == TcpFlags::SYN | TcpFlags::ACK || x == TcpFlags::RST || x == TcpFlags::RST | TcpFlags::ACK => !urgent,
        _ => false,
    }
}

const SSS: u8 = SYN_SENT;
const SSR: u8 = SYN_RECV;
const SES: u8 = ESTABLISHED;
const SFW: u8 = FIN_WAIT;
const SCW: u8 = CLOSE_WAIT;
const SLA: u8 = LAST_ACK;
const STW: u8 = TIME_WAIT;
const SCL: u8 = CLOSE;
const SS2: u8 = SYN_SENT2;
const SIV: u8 = INVALID;
const SIG: u8 = IGNORE;

/// `tcp_conntracks`: by direction, kind of segment and present state, the next state.
#[rustfmt::skip]
const NEXT: [[[u8; 10]; 6]; 2] = [
    // From the client.
    //        SNO  SSS  SSR  SES  SFW  SCW  SLA  STW  SCL  SS2
    [
        /* syn    */ [SSS, SSS, SIG, SIG, SIG, SIG, SIG, SSS, SSS, SS2],
        /* synack */ [SIV, SIV, SSR, SIV, SIV, SIV, SIV, SIV, SIV, SSR],
        /* fin    */ [SIV, SIV, SFW, SFW, SLA, SLA, SLA, STW, SCL, SIV],
        /* ack    */ [SES, SIV, SES, SES, SCW, SCW, STW, STW, SCL, SIV],
        /* rst    */ [SIV, SCL, SCL, SCL, SCL, SCL, SCL, SCL, SCL, SCL],
        /* none   */ [SIV; 10],
    ],
    // From the server.
    [
        /* syn    */ [SIV, SS2, SIV, SIV, SIV, SIV, SIV, SSS, SIV, SS2],
        /* synack */ [SIV, SSR, SIG, SIG, SIG, SIG, SIG, SIG, SIG, SSR],
        /* fin    */ [SIV, SIV, SFW, SFW, SLA, SLA, SLA, STW, SCL, SIV],
        /* ack    */ [SIV, SIG, SSR, SES, SCW, SCW, STW, STW, SCL, SIG],
        /* rst    */ [SIV, SCL, SCL, SCL, SCL, SCL, SCL, SCL, SCL, SCL],
        /* none   */ [SIV; 10],
    ],
];

/// The state after a segment; [`INVALID`] and [`IGNORE`] are none.
pub(crate) fn next(reply: bool, index: Index, state: u8) -> u8 {
    NEXT[usize::from(reply)][index as usize][usize::from(state.min(SYN_SENT2))]
}

/// `timeouts[state]`: how long a state lasts without a segment.
pub(crate) fn timeout(s: &NetSysctl, state: u8) -> Nanos {
    secs(match state {
        SYN_RECV => s.nf_conntrack_tcp_timeout_syn_recv,
        ESTABLISHED => s.nf_conntrack_tcp_timeout_established,
        FIN_WAIT => s.nf_conntrack_tcp_timeout_fin_wait,
        CLOSE_WAIT => s.nf_conntrack_tcp_timeout_close_wait,
        LAST_ACK => s.nf_conntrack_tcp_timeout_last_ack,
        TIME_WAIT => s.nf_conntrack_tcp_timeout_time_wait,
        CLOSE => s.nf_conntrack_tcp_timeout_close,
        // SYN_SENT2 has no setting of its own.
        SYN_SENT2 => 120,
        _ => s.nf_conntrack_tcp_timeout_syn_sent,
    })
}
