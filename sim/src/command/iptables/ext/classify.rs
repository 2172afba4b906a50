//! `-j CLASSIFY` (libxt_CLASSIFY): kept in its canonical form.

use super::TargetExt;
use super::kept::{aside_target, target_args};
use super::opt::{Ty, opt};
use crate::command::iptables::fail::Fail;

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "CLASSIFY",
    opts: &[opt("set-class", 0, Ty::Text).mand()],
    check: Some(|i, _, _| class(&i.arg).map(|_| ())),
    build: |g, _| {
        let class = g.get(0).map_or(Ok(String::new()), |i| class(&i.arg))?;
        Ok(aside_target("CLASSIFY", &format!(" --set-class {class}")))
    },
    save: |t| target_args(t).to_owned(),
    list: |t, _, _| format!(" CLASSIFY set{}", target_args(t).replace("--set-class ", "")),
};

/// `MAJOR:MINOR`, each of 16 bits in hexadecimal.
fn class(text: &str) -> Result<String, Fail> {
    let bad = || Fail::param(format!("Bad class value \"{text}\""));
    let (a, b) = text.split_once(':').ok_or_else(bad)?;
    let half = |t: &str| u32::from_str_radix(t.trim_start_matches("0x"), 16).map_err(|_| bad());
    Ok(format!("{:04x}:{:04x}", half(a)? & 0xffff, half(b)? & 0xffff))
}
