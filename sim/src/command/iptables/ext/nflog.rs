//! `-j NFLOG` (libxt_NFLOG): kept in its canonical form.

use super::kept::{aside_target, target_args};
use super::opt::{Ty, opt};
use super::{TargetExt, quoted};

const GROUP: u8 = 0;
const PREFIX: u8 = 1;
const RANGE: u8 = 2;
const SIZE: u8 = 3;
const THRESHOLD: u8 = 4;

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "NFLOG",
    opts: &[
        opt("nflog-group", GROUP, Ty::U16),
        opt("nflog-prefix", PREFIX, Ty::Text).range(1, 0),
        opt("nflog-range", RANGE, Ty::U32).excl(1 << SIZE),
        opt("nflog-size", SIZE, Ty::U32).excl(1 << RANGE),
        opt("nflog-threshold", THRESHOLD, Ty::U16),
    ],
    check: None,
    build: |g, _| {
        let mut out = g.get(PREFIX).map_or_else(String::new, |p| format!(" --nflog-prefix{}", quoted(&p.arg)));
        for id in [GROUP, SIZE, RANGE, THRESHOLD] {
            if let Some(i) = g.get(id).filter(|i| i.num() != 0 || id == SIZE) {
                out += &format!(" --{} {}", i.opt.name, i.num());
            }
        }
        Ok(aside_target("NFLOG", &out))
    },
    save: |t| target_args(t).to_owned(),
    list: |t, _, _| target_args(t).replace(" --", " "),
};
