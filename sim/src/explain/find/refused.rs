//! Routes and routing rules whose only purpose is to refuse: blackhole, unreachable, prohibit.

use super::{Found, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::fib::{RouteType, RuleAction, table};
use crate::trace::event::{EventKind, FibResult};

/// A look-up ended at a route or a rule that refuses.
pub fn by_route(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let EventKind::Fib { key, result } = &e.kind else { return };
    let place = world::place(sc.after, e.ns);
    match result {
        FibResult::Route { route, .. }
            if matches!(route.kind, RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit) =>
        {
            let (kind, of) = (
                route.kind.as_str(),
                if route.table == table::MAIN { String::new() } else { format!(" table {}", route.table) },
            );
            let says = format!("a route of {place} says that nothing may go to {}: {kind} {}{of}", key.dst, route.dst);
            let f = Found::new(Cause::RefusedByRoute, place, says)
                .shown(format!("{kind} {}", route.dst), Some(line(sc, e.ns, format!("ip route show{of}"))))
                .fix(vec![line(sc, e.ns, format!("ip route del {}{of}", route.dst))]);
            out.push(f);
        }
        FibResult::Rule { pref, action } => {
            let does = match action {
                RuleAction::Blackhole => "blackhole",
                RuleAction::Unreachable => "unreachable",
                RuleAction::Prohibit => "prohibit",
                _ => return,
            };
            let says = format!("routing rule {pref} of {place} says that nothing may go to {}: {does}", key.dst);
            let f = Found::new(Cause::RefusedByRoute, place, says)
                .shown(format!("rule {pref}: {does}"), Some(line(sc, e.ns, "ip rule show")))
                .fix(vec![line(sc, e.ns, format!("ip rule del pref {pref}"))]);
            out.push(f);
        }
        _ => {}
    }
}
