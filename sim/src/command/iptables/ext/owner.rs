//! `-m owner` (libxt_owner).

use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::number::leading_u32;
use crate::etc::users;
use crate::kernel::xtables::matches::{Match, Neg, OwnerMatch};

const UID: u8 = 0;
const GID: u8 = 1;
const EXISTS: u8 = 2;
const SUPPL: u8 = 3;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "owner",
    opts: &[
        opt("uid-owner", UID, Ty::Text).inv(),
        opt("gid-owner", GID, Ty::Text).inv(),
        opt("socket-exists", EXISTS, Ty::None).inv(),
        opt("suppl-groups", SUPPL, Ty::None),
    ],
    check: Some(check),
    build,
    save: |m| dump(m, ["--socket-exists", "--uid-owner", "--gid-owner", "--suppl-groups"], true),
    list: |m, _, numeric| {
        let words = ["owner socket exists", "owner UID match", "owner GID match", "incl. suppl. groups"];
        dump(m, words, numeric)
    },
};

fn ids(i: &Item) -> Result<(u32, u32), Fail> {
    let known = if i.opt.id == UID { users::user(&i.arg).map(|u| u.0) } else { users::group(&i.arg) };
    if let Some(n) = known {
        return Ok((n, n));
    }
    let bad = || Fail::param(format!("owner: Bad value for \"--{}\" option: \"{}\"", i.opt.name, i.arg));
    // The kernel has no room for the last number, which means none.
    let one = |t| leading_u32(t, u32::MAX - 1);
    let (from, rest) = one(&i.arg).ok_or_else(bad)?;
    let (to, rest) = match rest.strip_prefix(['-', ':']) {
        Some(more) => one(more).ok_or_else(bad)?,
        None => (from, rest),
    };
    if rest.is_empty() { Ok((from, to)) } else { Err(bad()) }
}

fn check(i: &Item, g: &Given, _: &Ctx<'_>) -> Result<(), Fail> {
    match i.opt.id {
        UID | GID => ids(i).map(|_| ()),
        SUPPL if !g.has(GID) => {
            Err(Fail::param("owner: Bad value for \"--suppl-groups\" option: \"you need to use --gid-owner first\""))
        }
        _ => Ok(()),
    }
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    if g.flags() & 0x7 == 0 {
        let text = "owner: At least one of --uid-owner, --gid-owner or --socket-exists is required";
        return Err(Fail::param(text));
    }
    let mut o = OwnerMatch::default();
    for i in &g.items {
        match i.opt.id {
            UID => o.uid = Some(Neg { value: ids(i)?, inv: i.inv }),
            GID => o.gid = Some(Neg { value: ids(i)?, inv: i.inv }),
            EXISTS => o.socket_exists = Some(!i.inv),
            _ => o.suppl_groups = true,
        }
    }
    Ok(Match::Owner(o))
}

fn dump(m: &Match, words: [&str; 4], numeric: bool) -> String {
    let Match::Owner(o) = m else { return String::new() };
    let mut out = o.socket_exists.map_or_else(String::new, |yes| format!("{} {}", bang(!yes), words[0]));
    for ((ids, user), word) in [(o.uid, true), (o.gid, false)].into_iter().zip(&words[1..]) {
        let Some(Neg { value: (a, b), inv }) = ids else { continue };
        let name = if user { users::user_name(a) } else { users::group_name(a) };
        let name = name.filter(|_| !numeric && a == b).map(str::to_owned);
        let text = name.unwrap_or_else(|| if a == b { a.to_string() } else { format!("{a}-{b}") });
        out += &format!("{} {word} {text}", bang(inv));
    }
    if o.suppl_groups {
        out += &format!(" {}", words[3]);
    }
    out
}
