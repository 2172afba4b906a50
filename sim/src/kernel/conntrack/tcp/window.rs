//! Is a segment within the window (`tcp_in_window`)? By the bounds of Guido van Rooij's "Real Stateful TCP Packet
//! Filtering in IP Filter".

use super::states::{self, Index};
use super::{BE_LIBERAL, DATA_UNACKNOWLEDGED, MAXACK_SET, SACK_PERM, WINDOW_SCALE, after, before, segment_end};
use crate::kernel::conntrack::types::{CtDir, TcpCt, TcpCtDir};
use crate::wire::Tcp;
use crate::wire::packet::TcpFlags;

/// What the window says of a segment (`enum nf_ct_tcp_action`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Accept,
    /// It passes, and changes nothing.
    Ignore,
    Invalid(&'static str),
}

/// `MAXACKWINCONST`: how far behind an acknowledgment may be at least.
const MAX_ACK_WINDOW: u32 = 66_000;
/// `TCP_MAX_WSCALE`.
const MAX_WSCALE: u8 = 14;

/// `tcp_options`: scale and SACK of a SYN. A header without options changes nothing.
pub(super) fn options(t: &Tcp, side: &mut TcpCtDir) {
    if t.opts.is_empty() {
        return;
    }
    side.td_scale = 0;
    side.flags &= BE_LIBERAL;
    if t.opts.sack_perm {
        side.flags |= SACK_PERM;
    }
    if let Some(w) = t.opts.wscale {
        side.td_scale = w.min(MAX_WSCALE);
        side.flags |= WINDOW_SCALE;
    }
}

/// `tcp_init_sender`: a SYN or SYN-ACK begins a side.
fn init_sender(sender: &mut TcpCtDir, receiver: &mut TcpCtDir, t: &Tcp, dir: CtDir) {
    let end = segment_end(t);
    sender.td_end = end;
    sender.td_maxend = end;
    sender.td_maxwin = u32::from(t.window).max(1);
    options(t, sender);
    // RFC 1323: both sides must send the option.
    if dir == CtDir::Reply && sender.flags & receiver.flags & WINDOW_SCALE == 0 {
        sender.td_scale = 0;
        receiver.td_scale = 0;
    }
}

/// The numbers of a segment as the checks use them.
struct Seg {
    seq: u32,
    end: u32,
    ack: u32,
    /// Right edge of the highest SACK block, else `ack`.
    sack: u32,
}

impl Seg {
    fn of(t: &Tcp, receiver: &TcpCtDir) -> Seg {
        let blocks = if receiver.flags & SACK_PERM != 0 { t.opts.sack.as_slice() } else { &[] };
        let sack = blocks.iter().fold(t.ack, |most, (_, right)| if after(*right, most) { *right } else { most });
        Seg { seq: t.seq, end: segment_end(t), ack: t.ack, sack }
    }
}

/// `tcp_in_window`: checks a segment, and notes what it says of both windows where it is accepted.
pub(super) fn in_window(ct: &mut TcpCt, dir: CtDir, index: Index, t: &Tcp, liberal: bool) -> Action {
    let state = ct.state;
    let [a, b] = &mut ct.seen;
    let (sender, receiver) = if dir == CtDir::Original { (a, b) } else { (b, a) };
    let mut g = Seg::of(t, receiver);
    if let Some(done) = begin(sender, receiver, t, dir, state, &g) {
        return done;
    }
    let flag = |f| t.flags.contains(f);
    // Without an acknowledgment, or with the zero of a broken RST: taken as if it fitted.
    if !flag(TcpFlags::ACK) || (flag(TcpFlags::RST) && g.ack == 0) {
        g.ack = receiver.td_end;
        g.sack = g.ack;
    }
    if flag(TcpFlags::RST) && g.seq == 0 && state == states::SYN_SENT {
        g.seq = sender.td_end;
        g.end = g.seq;
    }
    match check(sender, receiver, &g) {
        Action::Accept => {}
        // A liberal tracker takes it, and learns nothing from it.
        _ if liberal || sender.flags & BE_LIBERAL != 0 => return Action::Accept,
        other => return other,
    }
    learn(sender, receiver, t, &g);
    if index == Index::Ack {
        note_retransmission(ct, dir, &g, t.window);
    }
    Action::Accept
}

/// The first segment of a side, or a SYN that begins it anew. Some where nothing is left to check.
fn begin(sender: &mut TcpCtDir, receiver: &mut TcpCtDir, t: &Tcp, dir: CtDir, state: u8, g: &Seg) -> Option<Action> {
    let syn = t.flags.contains(TcpFlags::SYN);
    let simultaneous = syn && !t.flags.contains(TcpFlags::ACK);
    if sender.td_maxwin == 0 {
        if syn {
            init_sender(sender, receiver, t, dir);
            return simultaneous.then_some(Action::Accept);
        }
        // In the middle of a connection: what the segment says must do.
        sender.td_end = g.end;
        sender.td_maxwin = (u32::from(t.window) << sender.td_scale).max(1);
        sender.td_maxend = g.end.wrapping_add(sender.td_maxwin);
        if receiver.td_maxwin == 0 {
            receiver.td_end = g.sack;
            receiver.td_maxend = g.sack;
        } else if g.sack == receiver.td_end.wrapping_add(1) {
            // Likely the answer to a keepalive.
            receiver.td_end = receiver.td_end.wrapping_add(1);
        }
    } else if syn && after(g.end, sender.td_end) && matches!(state, states::SYN_SENT | states::SYN_RECV) {
        init_sender(sender, receiver, t, dir);
        if dir == CtDir::Reply && simultaneous {
            return Some(Action::Accept);
        }
    }
    None
}

/// The four bounds. A segment beyond its window by no more than a window still moves `td_end`.
fn check(sender: &mut TcpCtDir, receiver: &TcpCtDir, g: &Seg) -> Action {
    let oldest_ack = receiver.td_end.wrapping_sub(sender.td_maxwin.max(MAX_ACK_WINDOW)).wrapping_sub(1);
    let oldest_seq = sender.td_end.wrapping_sub(receiver.td_maxwin).wrapping_sub(1);
    let ack_ok = after(g.sack, oldest_ack);
    let ack_seen = before(g.sack, receiver.td_end.wrapping_add(1));
    if !before(g.seq, sender.td_maxend.wrapping_add(1)) {
        let overshot = g.end.wrapping_sub(sender.td_maxend).wrapping_add(1);
        let in_window = receiver.td_maxwin != 0 && after(g.end, oldest_seq);
        if in_window && ack_ok && overshot <= receiver.td_maxwin && ack_seen {
            sender.td_end = g.end;
            sender.flags |= DATA_UNACKNOWLEDGED;
            return Action::Ignore;
        }
        return Action::Invalid("SEQ is over upper bound (over the window of the receiver)");
    }
    if !ack_seen {
        return Action::Invalid("ACK is over upper bound (ACKed data not seen yet)");
    }
    if receiver.td_maxwin != 0 && !after(g.end, oldest_seq) {
        // Data that was acknowledged already, sent again.
        return Action::Ignore;
    }
    if ack_ok { Action::Accept } else { Action::Ignore }
}

/// What an accepted segment says of both sides.
fn learn(sender: &mut TcpCtDir, receiver: &mut TcpCtDir, t: &Tcp, g: &Seg) {
    let mut win = u32::from(t.window);
    if !t.flags.contains(TcpFlags::SYN) {
        win <<= sender.td_scale;
    }
    sender.td_maxwin = sender.td_maxwin.max(win.wrapping_add(g.sack.wrapping_sub(g.ack)));
    let beyond = after(g.end, sender.td_maxend).then(|| g.end.wrapping_sub(sender.td_maxend));
    if after(g.end, sender.td_end) {
        sender.td_end = g.end;
        sender.flags |= DATA_UNACKNOWLEDGED;
    }
    if t.flags.contains(TcpFlags::ACK) {
        if sender.flags & MAXACK_SET == 0 {
            sender.td_maxack = g.ack;
            sender.flags |= MAXACK_SET;
        } else if after(g.ack, sender.td_maxack) {
            sender.td_maxack = g.ack;
        }
    }
    if let (true, Some(more)) = (receiver.td_maxwin != 0, beyond) {
        receiver.td_maxwin = receiver.td_maxwin.wrapping_add(more);
    }
    if after(g.sack.wrapping_add(win), receiver.td_maxend.wrapping_sub(1)) {
        receiver.td_maxend = g.sack.wrapping_add(win.max(1));
    }
    if g.ack == receiver.td_end {
        receiver.flags &= !DATA_UNACKNOWLEDGED;
    }
}

/// The same ACK again counts as a retransmission.
fn note_retransmission(ct: &mut TcpCt, dir: CtDir, g: &Seg, window: u16) {
    let same = ct.last_dir == dir as u8
        && ct.last_seq == g.seq
        && ct.last_ack == g.ack
        && ct.last_end == g.end
        && ct.last_win == window;
    if same {
        ct.retrans = ct.retrans.wrapping_add(1);
        return;
    }
    ct.last_dir = dir as u8;
    ct.last_seq = g.seq;
    ct.last_ack = g.ack;
    ct.last_end = g.end;
    ct.last_win = window;
    ct.retrans = 0;
}
