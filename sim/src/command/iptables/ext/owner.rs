//! `-m owner` (libxt_owner).

use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::number::leading_u32;
use crate::kernel::xtables::matches::{Match, Neg, OwnerMatch};

const UID: u8 = 0;
const GID: u8 = 1;
const EXISTS: u8 = 2;
const SUPPL: u8 = 3;

/// Users and groups that every Debian has.
const USERS: [(&str, u32); 18] = [
    ("root", 0),
    ("daemon", 1),
    ("bin", 2),
    ("sys", 3),
    ("sync", 4),
    ("games", 5),
    ("man", 6),
    ("lp", 7),
    ("mail", 8),
    ("news", 9),
    ("uucp", 10),
    ("proxy", 13),
    ("www-data", 33),
    ("backup", 34),
    ("list", 38),
    ("irc", 39),
    ("_apt", 42),
    ("nobody", 65534),
];
const GROUPS: [(&str, u32); 38] = [
    ("root", 0),
    ("daemon", 1),
    ("bin", 2),
    ("sys", 3),
    ("adm", 4),
    ("tty", 5),
    ("disk", 6),
    ("lp", 7),
    ("mail", 8),
    ("news", 9),
    ("uucp", 10),
    ("man", 12),
    ("proxy", 13),
    ("kmem", 15),
    ("dialout", 20),
    ("fax", 21),
    ("voice", 22),
    ("cdrom", 24),
    ("floppy", 25),
    ("tape", 26),
    ("sudo", 27),
    ("audio", 29),
    ("dip", 30),
    ("www-data", 33),
    ("backup", 34),
    ("operator", 37),
    ("list", 38),
    ("irc", 39),
    ("src", 40),
    ("shadow", 42),
    ("utmp", 43),
    ("video", 44),
    ("sasl", 45),
    ("plugdev", 46),
    ("staff", 50),
    ("games", 60),
    ("users", 100),
    ("nogroup", 65534),
];

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
    let table: &[(&str, u32)] = if i.opt.id == UID { &USERS } else { &GROUPS };
    if let Some((_, n)) = table.iter().find(|(name, _)| *name == i.arg) {
        return Ok((*n, *n));
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
    let tables: [(&[(&str, u32)], _); 2] = [(&USERS, o.uid), (&GROUPS, o.gid)];
    for ((table, ids), word) in tables.into_iter().zip(&words[1..]) {
        let Some(Neg { value: (a, b), inv }) = ids else { continue };
        let name = table.iter().find(|(_, n)| *n == a && !numeric && a == b).map(|(n, _)| (*n).to_owned());
        let text = name.unwrap_or_else(|| if a == b { a.to_string() } else { format!("{a}-{b}") });
        out += &format!("{} {word} {text}", bang(inv));
    }
    if o.suppl_groups {
        out += &format!(" {}", words[3]);
    }
    out
}
