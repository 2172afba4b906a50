//! What the recorder of engines does to a namespace by looking at it.

use packetwalk_sim::kernel::types::{DevId, NetnsId};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::state;
use serde_json::{Map, Value};

use crate::recording::{list, text};

/// What the recorder reads before its `ip route` is done; the rest it reads after.
const BEFORE: &[&str] = &["link", "addr", "route", "rule"];

/// The state of a namespace as the recorder's tools find it, one after another.
///
/// `ip route` asks for each device that its routes name by itself, which has the kernel do for that device what
/// linkwatch put off (`linkwatch_sync_dev`): a bridge that just lost its last port is still shown as up,
/// and a moment later its neighbours are gone.
pub(super) fn netns_state(s: &mut Session, ns: NetnsId) -> Value {
    let first = state::netns_state(&s.kernel, ns);
    let named = |s: &Session, dev: DevId| {
        let d = s.kernel.dev(dev);
        d.alive && d.netns == ns && list(&first["route"]).iter().any(|r| text(&r["dev"]) == d.name.as_str())
    };
    for dev in (0..s.kernel.devs.len() as u32).map(DevId) {
        if named(s, dev) {
            s.kernel.rtnl_getlink(dev);
        }
    }
    let (Value::Object(mut first), Value::Object(mut then)) = (first, state::netns_state(&s.kernel, ns)) else {
        return Value::Null;
    };
    then.retain(|part, _| !BEFORE.contains(&part.as_str()));
    let early: Map<String, Value> = BEFORE.iter().filter_map(|part| first.remove_entry(*part)).collect();
    Value::Object(early.into_iter().chain(then).collect())
}
