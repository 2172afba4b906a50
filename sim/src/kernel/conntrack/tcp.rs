//! TCP (net/netfilter/nf_conntrack_proto_tcp.c): state, window and timeout of a tracked connection.

pub(crate) mod states;
mod window;

pub use states::state_name;

use self::states::Index;
use self::window::Action;
use super::types::{Conn, CtDir, ProtoState, Status, TcpCt, TcpCtDir};
use crate::kernel::sysctl::NetSysctl;
use crate::kernel::types::{Nanos, SEC};
use crate::wire::Tcp;

/// `IP_CT_TCP_FLAG_WINDOW_SCALE`.
const WINDOW_SCALE: u8 = 0x01;
/// `IP_CT_TCP_FLAG_SACK_PERM`.
const SACK_PERM: u8 = 0x02;
/// `IP_CT_TCP_FLAG_CLOSE_INIT`: this side sent the first FIN.
const CLOSE_INIT: u8 = 0x04;
/// `IP_CT_TCP_FLAG_BE_LIBERAL`: picked up in the middle, the scale is not known.
const BE_LIBERAL: u8 = 0x08;
/// `IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED`.
const DATA_UNACKNOWLEDGED: u8 = 0x10;
/// `IP_CT_TCP_FLAG_MAXACK_SET`.
const MAXACK_SET: u8 = 0x20;
/// `IP_CT_EXP_CHALLENGE_ACK`, of `last_flags`.
const EXP_CHALLENGE_ACK: u8 = 0x40;
/// `IP_CT_TCP_SIMULTANEOUS_OPEN`, of `last_flags`.
const SIMULTANEOUS_OPEN: u8 = 0x80;

/// `before` of sequence numbers.
#[inline]
fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[inline]
fn after(a: u32, b: u32) -> bool {
    before(b, a)
}

/// `segment_seq_plus_len`.
#[inline]
fn segment_end(t: &Tcp) -> u32 {
    t.seq.wrapping_add(t.seq_len())
}

/// What became of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It belongs to the connection.
    Accept,
    /// It belongs to it, and the connection ends at once: a RST was the only answer.
    AcceptAndKill,
    /// It belongs to none.
    Invalid(&'static str),
    /// The connection was closed, and this begins another: end it, and look up again.
    Repeat,
}

/// `tcp_new`: may this segment begin a connection? Its state is set up.
fn begin(t: &Tcp, loose: bool) -> Result<TcpCt, &'static str> {
    let first = states::next(false, Index::of(t.flags), states::NONE);
    if first >= states::INVALID {
        return Err("it cannot begin a connection");
    }
    let mut ct = TcpCt { last_index: Index::None as u8, ..TcpCt::default() };
    let end = segment_end(t);
    let win = u32::from(t.window).max(1);
    let side = TcpCtDir { td_end: end, td_maxend: end, td_maxwin: win, ..TcpCtDir::default() };
    if first == states::SYN_SENT {
        ct.seen[0] = side;
        window::options(t, &mut ct.seen[0]);
    } else if loose {
        // In the middle of a connection: SACK and any scale are assumed.
        let flags = SACK_PERM | BE_LIBERAL;
        ct.seen[0] = TcpCtDir { td_maxend: end.wrapping_add(win), flags, ..side };
        ct.seen[1].flags = flags;
    } else {
        return Err("it is in the middle of a connection, and nf_conntrack_tcp_loose is 0");
    }
    Ok(ct)
}

/// What a state's own rules make of a segment.
enum Step {
    /// On to the window, with this state before and after.
    Check(u8, u8),
    /// It need not be in the window.
    InWindow(u8, u8),
    Done(Outcome),
}

/// `nf_conntrack_tcp_packet`.
pub(super) fn packet(c: &mut Conn, dir: CtDir, t: &Tcp, now: Nanos, s: &NetSysctl) -> Outcome {
    if !states::valid_flags(t.flags) {
        return Outcome::Invalid("invalid tcp flag combination");
    }
    if !c.status.contains(Status::CONFIRMED) {
        match begin(t, s.nf_conntrack_tcp_loose != 0) {
            Ok(ct) => c.proto = ProtoState::Tcp(ct),
            Err(why) => return Outcome::Invalid(why),
        }
    }
    let ProtoState::Tcp(mut ct) = c.proto else { return Outcome::Accept };
    let index = Index::of(t.flags);
    let (old, new, checked) = match step(&mut ct, c.status, dir, index, t, s) {
        Step::Check(old, new) => (old, new, false),
        Step::InWindow(old, new) => (old, new, true),
        Step::Done(o) => {
            c.proto = ProtoState::Tcp(ct);
            return o;
        }
    };
    if !checked {
        match window::in_window(&mut ct, dir, index, t, s.nf_conntrack_tcp_be_liberal != 0) {
            Action::Accept => {}
            Action::Ignore => {
                c.proto = ProtoState::Tcp(ct);
                return Outcome::Accept;
            }
            Action::Invalid(why) => {
                handle_invalid(c, &mut ct, dir, index, now, s);
                c.proto = ProtoState::Tcp(ct);
                return Outcome::Invalid(why);
            }
        }
    }
    ct.last_index = index as u8;
    ct.last_dir = dir as u8;
    ct.state = new;
    if old != new && new == states::FIN_WAIT {
        ct.seen[dir as usize].flags |= CLOSE_INIT;
    }
    c.proto = ProtoState::Tcp(ct);
    finish(c, &ct, index, old, new, now, s)
}

/// The states' own rules.
fn step(ct: &mut TcpCt, status: Status, dir: CtDir, index: Index, t: &Tcp, s: &NetSysctl) -> Step {
    let old = ct.state;
    let new = states::next(dir == CtDir::Reply, index, old);
    match new {
        states::SYN_SENT if old >= states::TIME_WAIT => {
            let closed = (ct.seen[0].flags | ct.seen[1].flags) & CLOSE_INIT != 0;
            let aborted = ct.last_dir == dir as u8 && ct.last_index == Index::Rst as u8;
            if closed || aborted { Step::Done(Outcome::Repeat) } else { ignored(ct, dir, index, t, old) }
        }
        states::IGNORE => ignored(ct, dir, index, t, old),
        states::INVALID => Step::Done(Outcome::Invalid("no such segment is due in this state")),
        // RFC 5961: the ACK may answer a stray SYN, and not the last FIN.
        states::TIME_WAIT
            if old == states::LAST_ACK
                && index == Index::Ack
                && ct.last_dir != dir as u8
                && ct.last_index == Index::Syn as u8
                && ct.last_flags & EXP_CHALLENGE_ACK != 0 =>
        {
            ct.last_flags &= !EXP_CHALLENGE_ACK;
            Step::Done(Outcome::Accept)
        }
        states::SYN_SENT2 => {
            ct.last_flags |= SIMULTANEOUS_OPEN;
            Step::Check(old, new)
        }
        states::SYN_RECV if dir == CtDir::Reply && index == Index::Ack && ct.last_flags & SIMULTANEOUS_OPEN != 0 => {
            Step::Check(old, states::ESTABLISHED)
        }
        states::CLOSE if index == Index::Rst => reset(ct, status, dir, t, s),
        _ => Step::Check(old, new),
    }
}

/// A segment that passes though the entry may be out of step with both ends: what it says is noted, for the answer
/// will tell who is right.
fn ignored(ct: &mut TcpCt, dir: CtDir, index: Index, t: &Tcp, old: u8) -> Step {
    let answers_ignored_syn =
        index == Index::SynAck && ct.last_index == Index::Syn as u8 && ct.last_dir != dir as u8 && t.ack == ct.last_end;
    if answers_ignored_syn {
        ct.last_flags &= !EXP_CHALLENGE_ACK;
        ct.seen[usize::from(ct.last_dir & 1)] = TcpCtDir {
            td_end: ct.last_end,
            td_maxend: ct.last_end,
            td_maxwin: u32::from(ct.last_win).max(1),
            td_scale: ct.last_wscale,
            flags: ct.last_flags,
            ..ct.seen[usize::from(ct.last_dir & 1)]
        };
        let mine = &mut ct.seen[dir as usize];
        *mine = TcpCtDir { flags: mine.flags & BE_LIBERAL, ..TcpCtDir::default() };
        return Step::Check(states::SYN_SENT, states::SYN_RECV);
    }
    ct.last_index = index as u8;
    ct.last_dir = dir as u8;
    ct.last_seq = t.seq;
    ct.last_end = segment_end(t);
    ct.last_win = t.window;
    if index == Index::Syn && dir == CtDir::Original {
        let mut seen = TcpCtDir::default();
        window::options(t, &mut seen);
        ct.last_flags = seen.flags & (WINDOW_SCALE | SACK_PERM);
        ct.last_wscale = seen.td_scale;
        if old == states::LAST_ACK {
            ct.last_flags |= EXP_CHALLENGE_ACK;
        }
    }
    if old == states::SYN_SENT && index == Index::Ack && dir == CtDir::Reply {
        ct.last_ack = t.ack;
    }
    Step::Done(Outcome::Accept)
}

/// A RST: is its sequence number one that the receiver would believe?
fn reset(ct: &mut TcpCt, status: Status, dir: CtDir, t: &Tcp, s: &NetSysctl) -> Step {
    let old = ct.state;
    let mut new = states::CLOSE;
    // `tcp_can_early_drop`: closing, the addresses may have been used anew.
    if matches!(old, states::FIN_WAIT..=states::CLOSE) {
        return Step::InWindow(old, new);
    }
    let other = &ct.seen[dir.other() as usize];
    // `nf_conntrack_tcp_established`.
    let established = old == states::ESTABLISHED && status.contains(Status::ASSURED);
    if other.flags & MAXACK_SET != 0 && ct.last_index != Index::Syn as u8 {
        if t.seq == 0 && !established {
            return Step::Check(old, new);
        }
        if before(t.seq, other.td_maxack) && s.nf_conntrack_tcp_ignore_invalid_rst == 0 {
            return Step::Done(Outcome::Invalid("invalid rst"));
        }
        let last = ct.last_index == Index::Ack as u8 && ct.last_dir == dir as u8 && t.seq == ct.last_end;
        if !established || t.seq == other.td_maxack || last {
            return Step::Check(old, new);
        }
        // Not exactly the number that is due: the receiver may answer with a challenge ACK.
        new = old;
    }
    let let_through =
        (status.contains(Status::SEEN_REPLY) && ct.last_index == Index::Syn as u8 && ct.last_dir != dir as u8)
            || (!status.contains(Status::ASSURED) && ct.last_index == Index::Ack as u8);
    if let_through && t.ack == ct.last_end {
        return Step::InWindow(old, new);
    }
    let challenged = old == states::SYN_SENT
        && ct.last_index == Index::Ack as u8
        && ct.last_dir == CtDir::Reply as u8
        && t.seq == ct.last_ack;
    if challenged { Step::InWindow(old, new) } else { Step::Check(old, new) }
}

/// `nf_tcp_handle_invalid`: a FIN or RST out of the window, and one of the other side: the end is near.
fn handle_invalid(c: &mut Conn, ct: &mut TcpCt, dir: CtDir, index: Index, now: Nanos, s: &NetSysctl) {
    let fixed = c.status.contains(Status::FIXED_TIMEOUT);
    if !c.status.contains(Status::ASSURED) || fixed || !matches!(index, Index::Rst | Index::Fin) {
        return;
    }
    let last_ends = ct.last_index == Index::Fin as u8 || ct.last_index == Index::Rst as u8;
    if ct.last_dir == dir as u8 || !last_ends {
        ct.last_index = index as u8;
        ct.last_dir = dir as u8;
        return;
    }
    let left = c.left(now);
    let unack = super::core::secs(s.nf_conntrack_tcp_timeout_unacknowledged);
    if left >= 120 * SEC && left > unack {
        c.refresh(now, unack);
    }
}

/// Timeout and status after a segment in the window.
fn finish(c: &mut Conn, ct: &TcpCt, index: Index, old: u8, new: u8, now: Nanos, s: &NetSysctl) -> Outcome {
    let of = states::timeout(s, new);
    let retrans = super::core::secs(s.nf_conntrack_tcp_timeout_max_retrans);
    let unack = super::core::secs(s.nf_conntrack_tcp_timeout_unacknowledged);
    let waiting = (ct.seen[0].flags | ct.seen[1].flags) & DATA_UNACKNOWLEDGED != 0;
    let mut timeout = if i32::from(ct.retrans) >= s.nf_conntrack_tcp_max_retrans && of > retrans {
        retrans
    } else if index == Index::Rst {
        states::timeout(s, states::CLOSE)
    } else if waiting && of > unack {
        unack
    } else if ct.last_win == 0 && of > retrans {
        retrans
    } else {
        of
    };
    if !c.status.contains(Status::SEEN_REPLY) {
        if index == Index::Rst {
            return Outcome::AcceptAndKill;
        }
        // A SYN sent again does not make the entry live longer.
        if index == Index::Syn && old == states::SYN_SENT {
            return Outcome::Accept;
        }
        if new == states::ESTABLISHED {
            timeout = timeout.min(unack);
        }
    } else if matches!(old, states::SYN_RECV | states::ESTABLISHED) && new == states::ESTABLISHED {
        c.status |= Status::ASSURED;
    }
    c.refresh(now, timeout);
    Outcome::Accept
}

/// `nf_conntrack_tcp_set_closing`: the kernel itself reset the connection (REJECT with a RST).
pub(super) fn set_closing(c: &mut Conn, now: Nanos, s: &NetSysctl) {
    let ProtoState::Tcp(ct) = &mut c.proto else { return };
    if !c.status.contains(Status::CONFIRMED) || ct.state == states::CLOSE {
        return;
    }
    ct.state = states::CLOSE;
    c.refresh(now, states::timeout(s, states::CLOSE));
}
