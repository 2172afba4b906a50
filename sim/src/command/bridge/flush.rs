//! `bridge fdb flush`: entries of a bridge, of one of its ports or of all, are taken out (`br_fdb_delete_bulk`).

use super::fdb::USAGE;
use super::{Ctx, Stop, device, fail, matches, rtnl};
use crate::command::{Proc, Refusal};
use crate::kernel::bridge::{FdbEntry, FdbKind};
use crate::kernel::types::DevId;
use crate::op::Op;

/// Which entries go.
#[derive(Default)]
struct Wanted {
    /// Of this port.
    port: Option<DevId>,
    /// Of this kind, or of any but it.
    kind: Option<(FdbKind, bool)>,
    /// With this flag, or without it.
    sticky: Option<bool>,
    extern_learn: Option<bool>,
}

impl Wanted {
    fn fits(&self, e: &FdbEntry) -> bool {
        self.port.is_none_or(|p| p == e.dev)
            && self.kind.is_none_or(|(kind, yes)| (e.kind == kind) == yes)
            && self.sticky.is_none_or(|s| s == e.sticky)
            && self.extern_learn.is_none_or(|x| x == e.extern_learn)
    }
}

/// Runs the command from behind `flush`.
///
/// # Errors
/// What is not modelled: two states at once, VLANs, a tunnel's own table.
pub(super) fn run(p: &mut Proc<'_>, c: &mut Ctx<'_>) -> Result<i32, Stop> {
    let (mut dev, mut brport, mut on_self, mut on_master) = (None, None, false, false);
    let mut w = Wanted::default();
    while let Some(word) = c.next() {
        let at = c.at - 1;
        let (yes, state) = word.strip_prefix("no").map_or((true, word), |rest| (false, rest));
        match state {
            "permanent" | "static" | "dynamic" => {
                let kind = match state {
                    "permanent" => FdbKind::Local,
                    "static" => FdbKind::Static,
                    _ => FdbKind::Learned,
                };
                if w.kind.replace((kind, yes)).is_some() {
                    return Err(Refusal::new("bridge fdb flush with two states", at).into());
                }
                continue;
            }
            "sticky" => w.sticky = Some(yes),
            "extern_learn" => w.extern_learn = Some(yes),
            "added_by_user" | "offloaded" => return Err(Refusal::new(format!("bridge fdb flush {word}"), at).into()),
            _ => match word {
                "dev" => dev = Some(c.value(p)?),
                "brport" => brport = Some(c.value(p)?),
                "vlan" => return Err(Refusal::new("bridge fdb flush vlan", at).into()),
                "self" => on_self = true,
                "master" => on_master = true,
                word if matches(word, "help") => return Ok(fail(p, USAGE)),
                // Whatever else is there is taken for an address that nobody looks at.
                _ => {}
            },
        }
    }
    let Some(name) = dev else { return Ok(fail(p, "Device is a required argument.\n")) };
    let dev = device(p, c.ns, name, "bridge device")?;
    if let Some(name) = brport {
        w.port = Some(device(p, c.ns, name, "bridge port device")?);
    }
    let d = p.sess.kernel.dev(dev);
    // Without a word the device's own table is meant.
    on_self |= !on_master;
    if on_self && d.vxlan().is_some() {
        return Err(Refusal::new("bridge fdb flush of a tunnel's own table", c.at - 1).into());
    }
    let bridge = match (on_self, d.bridge().is_some(), d.master) {
        (true, true, _) => dev,
        (false, _, Some(br)) => {
            w.port = Some(dev);
            br
        }
        _ => return Ok(fail(p, "RTNETLINK answers: Operation not supported\n")),
    };
    let gone: Vec<_> = p.sess.kernel.fdb_of(bridge).into_iter().filter(|(_, e)| w.fits(e)).collect();
    for (mac, e) in gone {
        let status = rtnl(p, &Op::FdbDel { dev: e.dev, on_self: e.dev == bridge, mac });
        if status != 0 {
            return Ok(status);
        }
    }
    Ok(0)
}
