//! `-m time` (libxt_time): kept in its canonical form.

use super::kept::{listed, match_args, opaque_match};
use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, MatchExt};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::number::whole;
use crate::kernel::xtables::matches::Match;

const DATESTART: u8 = 0;
const DATESTOP: u8 = 1;
const TIMESTART: u8 = 2;
const TIMESTOP: u8 = 3;
const CONTIGUOUS: u8 = 4;
const WEEKDAYS: u8 = 5;
const MONTHDAYS: u8 = 6;
const KERNELTZ: u8 = 9;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// The last second that 31 bits hold.
const END: &str = "2038-01-19T03:14:07";

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "time",
    opts: &[
        opt("datestart", DATESTART, Ty::Text),
        opt("datestop", DATESTOP, Ty::Text),
        opt("timestart", TIMESTART, Ty::Text),
        opt("timestop", TIMESTOP, Ty::Text),
        opt("contiguous", CONTIGUOUS, Ty::None),
        opt("weekdays", WEEKDAYS, Ty::Text).inv(),
        opt("monthdays", MONTHDAYS, Ty::Text).inv(),
        opt("localtz", 7, Ty::None).excl(1 << 8 | 1 << KERNELTZ),
        opt("utc", 8, Ty::None).excl(1 << 7 | 1 << KERNELTZ),
        opt("kerneltz", KERNELTZ, Ty::None).excl(1 << 7 | 1 << 8),
    ],
    check: Some(|i, _, _| match i.opt.id {
        DATESTART | DATESTOP => date(&i.arg).map(|_| ()),
        TIMESTART | TIMESTOP => clock(&i.arg).map(|_| ()),
        WEEKDAYS => weekdays(i).map(|_| ()),
        MONTHDAYS => monthdays(i).map(|_| ()),
        _ => Ok(()),
    }),
    build,
    save: |m| match_args(m).to_owned(),
    list: |m, _, _| listed("time", match_args(m)),
};

fn clock(text: &str) -> Result<String, Fail> {
    let bad = || {
        let text = format!("invalid time \"{text}\" specified, should be hh:mm[:ss] format and within the boundaries");
        Fail::param(text)
    };
    let decimal = |t: &str, max: u64| {
        let n: u64 = t.parse().map_err(|_| bad())?;
        if n <= max { Ok(n) } else { Err(bad()) }
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (h, m, s) = match parts[..] {
        [h, m] => (h, m, "0"),
        [h, m, s] => (h, m, s),
        _ => return Err(bad()),
    };
    Ok(format!("{:02}:{:02}:{:02}", decimal(h, 23)?, decimal(m, 59)?, decimal(s, 59)?))
}

fn date(text: &str) -> Result<String, Fail> {
    let bad =
        || Fail::param(format!("invalid date \"{text}\" specified, should be YYYY[-MM[-DD[Thh[:mm[:ss]]]]] format"));
    let (day, time) = text.split_once('T').map_or((text, None), |(d, t)| (d, Some(t)));
    let mut parts = day.split('-');
    let number = |t: Option<&str>, min: u64, max: u64| {
        t.map_or(Ok(min), |t| t.parse::<u64>().ok().filter(|n| (min..=max).contains(n)).ok_or_else(bad))
    };
    let (y, m, d) = (number(parts.next(), 1970, 2038)?, number(parts.next(), 1, 12)?, number(parts.next(), 1, 31)?);
    let mut t = time.unwrap_or("0").split(':');
    let (h, min, s) = (number(t.next(), 0, 23)?, number(t.next(), 0, 59)?, number(t.next(), 0, 59)?);
    Ok(format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}"))
}

/// Days of the week by name, by the start of a name, or by number.
fn weekdays(i: &Item) -> Result<String, Fail> {
    let mut set = [false; 7];
    for w in i.arg.split(',') {
        let by_number = whole(w, 1, 7).and_then(|n| usize::try_from(n - 1).ok());
        let by_name =
            || DAYS.iter().position(|d| w.len() >= 2 && d[..2].eq_ignore_ascii_case(w.get(..2).unwrap_or("")));
        match by_number.or_else(by_name) {
            Some(d) => set[d] = true,
            None => return Err(Fail::param(format!("{w} is not a valid day specifier"))),
        }
    }
    Ok(DAYS.iter().zip(set).filter(|(_, on)| *on != i.inv).map(|(d, _)| *d).collect::<Vec<_>>().join(","))
}

fn monthdays(i: &Item) -> Result<String, Fail> {
    let mut set = [false; 32];
    for w in i.arg.split(',') {
        match whole(w, 1, 31).and_then(|n| usize::try_from(n).ok()) {
            Some(d) => set[d] = true,
            None => return Err(Fail::param(format!("{w} is not a valid day specifier"))),
        }
    }
    let on = (1..32).filter(|d| set[*d] != i.inv);
    Ok(on.map(|d| d.to_string()).collect::<Vec<_>>().join(","))
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    let mut out = String::new();
    if g.has(TIMESTART) || g.has(TIMESTOP) {
        let start = g.get(TIMESTART).map_or(Ok("00:00:00".to_owned()), |i| clock(&i.arg))?;
        let stop = g.get(TIMESTOP).map_or(Ok("23:59:59".to_owned()), |i| clock(&i.arg))?;
        if start != "00:00:00" || stop != "23:59:59" {
            out += &format!(" --timestart {start} --timestop {stop}");
        }
    }
    if let Some(i) = g.get(MONTHDAYS) {
        out += &format!(" --monthdays {}", monthdays(i)?);
    }
    if let Some(i) = g.get(WEEKDAYS) {
        out += &format!(" --weekdays {}", weekdays(i)?);
    }
    if let Some(i) = g.get(DATESTART) {
        out += &format!(" --datestart {}", date(&i.arg)?);
    }
    out += &format!(" --datestop {}", g.get(DATESTOP).map_or(Ok(END.to_owned()), |i| date(&i.arg))?);
    out += if g.has(KERNELTZ) { " --kerneltz" } else { "" };
    out += if g.has(CONTIGUOUS) { " --contiguous" } else { "" };
    Ok(opaque_match("time", &out, false))
}
