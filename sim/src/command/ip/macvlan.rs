//! `type macvlan` of `ip link` (ip/iplink_macvlan.c).

use super::args::{Args, Bad, matches};
use crate::kernel::macvlan::MacvlanMode;

const USAGE: &str = "Usage: ... macvlan mode MODE [flag MODE_FLAG] MODE_OPTS [bcqueuelen BC_QUEUE_LEN]

MODE: private | vepa | bridge | passthru | source
MODE_FLAG: null | nopromisc | nodst
MODE_OPTS: for mode \"source\":
	macaddr { { add | del } <macaddr> | set [ <macaddr> [ <macaddr>  ... ] ] | flush }
BC_QUEUE_LEN: Length of the rx queue for broadcast/multicast: [0-4294967295]
";

/// Reads the options to the end of the line.
pub(super) fn parse(a: &mut Args<'_>) -> Result<Option<MacvlanMode>, Bad> {
    let mut mode = None;
    while let Some(w) = a.next() {
        if matches(w, "mode") {
            mode = Some(match a.value()? {
                "private" => MacvlanMode::Private,
                "vepa" => MacvlanMode::Vepa,
                "bridge" => MacvlanMode::Bridge,
                m @ ("passthru" | "source") => return Err(a.refuse_last(&format!("ip link type macvlan mode {m}"))),
                m => {
                    let known = "\"private\", \"vepa\", \"bridge\", \"passthru\" or \"source\"";
                    return Err(Bad::Say(format!("Error: argument of \"mode\" must be {known}, not \"{m}\"\n"), 1));
                }
            });
        } else if w == "nopromisc" {
            let text = "macvlan: nopromisc flag only valid in passthru mode\n";
            return Err(Bad::Say(format!("{text}{USAGE}"), 1));
        } else if ["flag", "macaddr", "nodst", "bcqueuelen", "bclim"].iter().any(|n| matches(w, n)) {
            return Err(a.refuse_last(&format!("ip link type macvlan {w}")));
        } else if matches(w, "help") {
            return Err(Bad::Say(USAGE.into(), 1));
        } else {
            return Err(Bad::Say(format!("macvlan: unknown option \"{w}\"?\n{USAGE}"), 1));
        }
    }
    Ok(mode)
}
