//! Targets with little to say: `CHECKSUM`, `TRACE`.

use super::TargetExt;
use super::opt::{Ty, opt};
use crate::kernel::xtables::targets::Target;

/// `CHECKSUM --checksum-fill`.
pub static CHECKSUM: TargetExt = TargetExt {
    name: "CHECKSUM",
    opts: &[opt("checksum-fill", 0, Ty::None).mand()],
    check: None,
    build: |_, _| Ok(Target::Checksum),
    save: |_| " --checksum-fill".to_owned(),
    list: |_, _, _| " CHECKSUM fill".to_owned(),
};

/// `TRACE`.
pub static TRACE: TargetExt = TargetExt {
    name: "TRACE",
    opts: &[],
    check: None,
    build: |_, _| Ok(Target::Trace),
    save: |_| String::new(),
    list: |_, _, _| String::new(),
};
