//! What the sender's own kernel refuses, and what the model refuses.

use super::Found;
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::trace::Outcome;

/// The line could not do what it says.
pub fn refused(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let place = world::place(sc.after, sc.ns);
    if let Some((r, _)) = &sc.result.refusal {
        let what = r.to_string();
        let what = what.strip_prefix("not modelled: ").unwrap_or(&what);
        out.push(Found::new(Cause::Unmodelled, place, format!("the model does not have this: {what}")));
        return;
    }
    let why = match sc.result.outcome() {
        Some(Outcome::NoDevice) => "there is no such device",
        Some(Outcome::NoAddress) => "the address to send from is none of its own",
        Some(Outcome::Invalid) => "its kernel does not accept the request",
        _ => return,
    };
    let told = sc.result.report.as_ref().and_then(|r| r.local_errno.clone()).unwrap_or_default();
    if told == "ENETDOWN" {
        let s = sc.after;
        for d in s.kernel.devs_of(sc.ns).filter(|d| d.alive && !d.is_up()) {
            let at = format!("{place}/{}", d.name);
            let show = super::line(sc, sc.ns, format!("ip link show {}", d.name));
            let says = format!("{at} is down, and the request was to leave by it ({told})");
            out.push(
                Found::new(Cause::LinkDown, at, says)
                    .shown(format!("{} is DOWN", d.name), Some(show))
                    .fix(vec![super::line(sc, sc.ns, format!("ip link set {} up", d.name))]),
            );
        }
    }
    let f = Found::new(Cause::Refused, place.clone(), format!("{place}: {why} ({told})"));
    out.push(f.shown("its devices and addresses", Some(super::line(sc, sc.ns, "ip addr"))));
}
