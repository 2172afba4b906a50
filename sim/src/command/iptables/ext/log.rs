//! `-j LOG` (libxt_LOG).

use std::sync::Arc;

use super::opt::{Given, Ty, opt};
use super::{Ctx, TargetExt, quoted};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::targets::{LogTarget, Target};

const LEVEL: u8 = 8;
const PREFIX: u8 = 9;
/// Options that are flags; their number is the bit.
const FLAGS: [(&str, u8, &str); 5] = [
    ("log-tcp-sequence", 0, "tcp-sequence"),
    ("log-tcp-options", 1, "tcp-options"),
    ("log-ip-options", 2, "ip-options"),
    ("log-uid", 3, "uid"),
    ("log-macdecode", 5, "macdecode"),
];
const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
const DEFAULT: u8 = 4;

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "LOG",
    opts: &[
        opt("log-level", LEVEL, Ty::Level),
        opt("log-prefix", PREFIX, Ty::Text).range(1, 0),
        opt("log-tcp-sequence", 0, Ty::None),
        opt("log-tcp-options", 1, Ty::None),
        opt("log-ip-options", 2, Ty::None),
        opt("log-uid", 3, Ty::None),
        opt("log-macdecode", 5, Ty::None),
    ],
    check: Some(|i, _, _| {
        if i.opt.id == PREFIX && i.arg.contains('\n') {
            return Err(Fail::param("Newlines not allowed in --log-prefix"));
        }
        Ok(())
    }),
    build,
    save,
    list: |t, _, numeric| match t {
        Target::Log(l) => list(l, numeric),
        _ => String::new(),
    },
};

/// The kernel keeps 30 bytes, the last one zero.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(29);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Target, Fail> {
    Ok(Target::Log(LogTarget {
        level: g.get(LEVEL).map_or(DEFAULT, super::opt::Item::u8),
        flags: u8::try_from(g.flags() & 0x2f).unwrap_or(0),
        prefix: Arc::from(g.get(PREFIX).map_or("", |i| cut(&i.arg))),
    }))
}

fn save(t: &Target) -> String {
    let Target::Log(l) = t else { return String::new() };
    let mut out = String::new();
    if !l.prefix.is_empty() {
        out += &format!(" --log-prefix{}", quoted(&l.prefix));
    }
    if l.level != DEFAULT {
        out += &format!(" --log-level {}", l.level);
    }
    for (name, bit, _) in FLAGS {
        if l.flags & 1 << bit != 0 {
            out += &format!(" --{name}");
        }
    }
    out
}

fn list(l: &LogTarget, numeric: bool) -> String {
    let mut out = if numeric {
        format!(" LOG flags {} level {}", l.flags, l.level)
    } else {
        let level = LEVELS.get(usize::from(l.level)).copied().unwrap_or("");
        let flags = FLAGS.iter().filter(|(_, bit, _)| l.flags & 1 << bit != 0);
        flags.fold(format!(" LOG level {level}"), |out, (_, _, word)| format!("{out} {word}"))
    };
    if !l.prefix.is_empty() {
        out += &format!(" prefix \"{}\"", l.prefix);
    }
    out
}
