//! The network did all that it should: the program at the far end says nothing.

use super::{Found, line};
use crate::explain::scene::{Flow, FlowL4, Scene};
use crate::explain::{Cause, world};
use crate::trace::Outcome;
use crate::trace::event::{Birth, EventKind};
use crate::wire::PacketId;

/// Where nothing else was found: a request that came to a program's socket, and no answer.
pub fn program(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let outcome = sc.result.outcome();
    if !out.is_empty() || !matches!(outcome, Some(Outcome::Stall | Outcome::Timeout | Outcome::Closed)) {
        return;
    }
    let came = sc.events().iter().enumerate().find_map(|(i, e)| match e.kind {
        EventKind::SocketDeliver { port, .. } if port != 0 && e.ns != sc.ns && is_own(sc, e.packet) => Some((i, port)),
        _ => None,
    });
    let Some((i, port)) = came else { return };
    let Some(flow) = sc.packet_before(i).and_then(Flow::of) else { return };
    let (proto, list) = match flow.l4 {
        // A connection that does not come to stand is no matter of the program.
        FlowL4::Tcp(..) if outcome != Some(Outcome::Timeout) => ("tcp", "ss -ltnp"),
        FlowL4::Udp(..) => ("udp", "ss -lunp"),
        _ => return,
    };
    let ns = sc.events()[i].ns;
    let place = world::place(sc.after, ns);
    let did = match outcome {
        Some(Outcome::Closed) => "closed the connection without an answer",
        _ => "never answered",
    };
    let says = format!("the request reached the program that listens on {proto} port {port} of {place}, and it {did}");
    let f = Found::new(Cause::ProgramSilent, place, says);
    out.push(f.shown(format!("a socket on {proto} port {port}"), Some(line(sc, ns, list))));
}

/// The packet is the step's own, though it may have come through a tunnel or as a copy.
fn is_own(sc: &Scene<'_>, mut id: PacketId) -> bool {
    for _ in 0..16 {
        match sc.birth(id) {
            (
                Some(p),
                Birth::Copy | Birth::Fragment | Birth::Reassembled | Birth::Encapsulated | Birth::Decapsulated,
            ) => id = p,
            _ => break,
        }
    }
    sc.events().iter().find(|e| e.packet == id).is_some_and(|e| e.ns == sc.ns)
}
