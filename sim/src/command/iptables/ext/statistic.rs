//! `-m statistic` (libxt_statistic).

use super::opt::{Given, Item, Ty, Val, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{Match, StatisticMatch, StatisticMode};

const MODE: u8 = 0;
const PROBABILITY: u8 = 1;
const EVERY: u8 = 2;
const PACKET: u8 = 3;
const ONE: f64 = 2_147_483_648.0;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "statistic",
    opts: &[
        opt("mode", MODE, Ty::Text).mand(),
        opt("probability", PROBABILITY, Ty::Double).inv().range(0, 1).excl(1 << EVERY | 1 << PACKET),
        opt("every", EVERY, Ty::U32).inv().range(1, 0).excl(1 << PROBABILITY).also(1 << PACKET),
        opt("packet", PACKET, Ty::U32).excl(1 << PROBABILITY).also(1 << EVERY),
    ],
    check: Some(|i, _, _| match (i.opt.id, i.arg.as_str()) {
        (MODE, "random" | "nth") | (PROBABILITY.., _) => Ok(()),
        (_, mode) => Err(Fail::param(format!("Bad mode \"{mode}\""))),
    }),
    build,
    save: |m| dump(m, "--"),
    list: |m, _, _| format!(" statistic{}", dump(m, "")),
};

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    let inv = g.items.iter().any(|i| i.inv);
    let random = g.get(MODE).is_none_or(|m| m.arg == "random");
    if random {
        let Some(Item { val: Val::Double(p), .. }) = g.get(PROBABILITY) else {
            return Err(Fail::param("--probability must be specified when using random mode"));
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2^31, not negative")]
        let p = (ONE * p).round() as u32;
        return Ok(Match::Statistic(StatisticMatch { mode: StatisticMode::Random(p), inv }));
    }
    let (every, packet) = (g.get(EVERY), g.get(PACKET));
    if every.is_none() && packet.is_none() {
        return Err(Fail::param("--every and --packet must be specified when using nth mode"));
    }
    // A missing option is told of by its partner; here it only has to be some number.
    let (every, packet) = (every.map_or(1, Item::u32), packet.map_or(0, Item::u32));
    if packet > every - 1 {
        return Err(Fail::param("the --packet p must be 0 <= p <= n-1"));
    }
    Ok(Match::Statistic(StatisticMatch { mode: StatisticMode::Nth { every, packet }, inv }))
}

fn dump(m: &Match, prefix: &str) -> String {
    let Match::Statistic(s) = m else { return String::new() };
    let not = bang(s.inv);
    match s.mode {
        StatisticMode::Random(p) => {
            format!(" {prefix}mode random{not} {prefix}probability {:.11}", f64::from(p) / ONE)
        }
        StatisticMode::Nth { every, packet } => {
            let first = format!(" {prefix}mode nth{not} {prefix}every {every}");
            let tail =
                if packet != 0 || !prefix.is_empty() { format!(" {prefix}packet {packet}") } else { String::new() };
            first + &tail
        }
    }
}
