//! `bridge` (iproute2 6.1): ports and the forwarding database of bridges.

mod fdb;
mod flush;
mod link;
mod vxlan;

pub(crate) use vxlan::vxlan_entries;

use super::{Exit, Proc, Refusal};
use crate::kernel::types::{DevId, NetnsId};
use crate::op::{Op, OpError};

const USAGE: &str = "\
Usage: bridge [ OPTIONS ] OBJECT { COMMAND | help }
       bridge [ -force ] -batch filename
where  OBJECT := { link | fdb | mdb | vlan | monitor }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] |
                    -o[neline] | -t[imestamp] | -n[etns] name |
                    -c[ompressvlans] -color -p[retty] -j[son] }
";

/// Options before the object, and where the words after it begin.
pub(crate) struct Ctx<'a> {
    /// All words.
    pub argv: &'a [String],
    /// Word to be read next.
    pub at: usize,
    /// Namespace.
    pub ns: NetnsId,
    /// `-j`.
    pub json: bool,
    /// `-d`.
    pub details: bool,
    /// `-s`.
    pub stats: bool,
    /// `-o`.
    pub oneline: bool,
}

impl<'a> Ctx<'a> {
    /// The next word, where there is one.
    pub fn next(&mut self) -> Option<&'a str> {
        let w = self.argv.get(self.at)?;
        self.at += 1;
        Some(w)
    }

    /// The value of an option: without one the tool gives up.
    pub fn value(&mut self, p: &mut Proc<'_>) -> Result<&'a str, i32> {
        self.next().ok_or_else(|| fail(p, "Command line is not complete. Try option \"help\"\n"))
    }
}

/// The word is the start of the keyword (`matches` of iproute2).
pub(crate) fn matches(word: &str, keyword: &str) -> bool {
    !word.is_empty() && keyword.starts_with(word)
}

/// Writes an error and gives the exit status of `exit(-1)`.
pub(crate) fn fail(p: &mut Proc<'_>, text: &str) -> i32 {
    p.err.push_str(text);
    255
}

/// Carries an op out and says what the kernel answered.
pub(crate) fn rtnl(p: &mut Proc<'_>, op: &Op) -> i32 {
    match p.sess.kernel.apply(op) {
        Ok(_) => 0,
        Err(OpError { msg: Some(m), .. }) => fail(p, &format!("Error: {m}.\n")),
        Err(e) => fail(p, &format!("RTNETLINK answers: {}\n", e.errno)),
    }
}

/// A device by name, or the tool's words about it.
pub(crate) fn device(p: &mut Proc<'_>, ns: NetnsId, name: &str, what: &str) -> Result<DevId, i32> {
    match p.sess.kernel.dev_by_name(ns, name) {
        Some(d) => Ok(d),
        None => Err(fail(p, &format!("Cannot find {what} \"{name}\"\n"))),
    }
}

/// Why a command ended before it was done.
pub(crate) enum Stop {
    /// With an exit status.
    Exit(i32),
    /// The model has it not.
    Refused(Refusal),
}

impl From<i32> for Stop {
    fn from(s: i32) -> Self {
        Stop::Exit(s)
    }
}

impl From<Refusal> for Stop {
    fn from(r: Refusal) -> Self {
        Stop::Refused(r)
    }
}

/// Runs `bridge`.
///
/// # Errors
/// Objects and options that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut c = Ctx { argv, at: 1, ns: p.ns, json: false, details: false, stats: false, oneline: false };
    match object(p, &mut c) {
        Ok(status) | Err(Stop::Exit(status)) => Ok(status),
        Err(Stop::Refused(r)) => Err(r),
    }
}

fn object(p: &mut Proc<'_>, c: &mut Ctx<'_>) -> Result<i32, Stop> {
    while let Some(w) = c.argv.get(c.at).filter(|w| w.starts_with('-')) {
        let at = c.at;
        c.at += 1;
        let o = if w.starts_with("--") { &w[1..] } else { w.as_str() };
        if matches(o, "-help") {
            return Ok(fail(p, USAGE));
        } else if matches(o, "-Version") {
            p.out.push_str("bridge utility, 6.1.0\n");
            return Ok(0);
        } else if matches(o, "-stats") || matches(o, "-statistics") {
            c.stats = true;
        } else if matches(o, "-details") {
            c.details = true;
        } else if matches(o, "-oneline") {
            c.oneline = true;
        } else if matches(o, "-netns") {
            let name = c.value(p)?;
            match p.sess.kernel.host(p.host).named.get(name) {
                Some(ns) => c.ns = *ns,
                None => {
                    let text = format!("Cannot open network namespace \"{name}\": No such file or directory\n");
                    return Ok(fail(p, &text));
                }
            }
        } else if matches(o, "-json") {
            c.json = true;
        } else if o == "-c" || o == "-compressvlans" || matches(o, "-force") || o == "-4" {
        } else if ["-timestamp", "-family", "-6", "-color", "-pretty", "-batch"].iter().any(|k| matches(o, k)) {
            return Err(Refusal::new(format!("bridge {w}"), at).into());
        } else {
            return Ok(fail(p, &format!("Option \"{w}\" is unknown, try \"bridge help\".\n")));
        }
    }
    let at = c.at;
    let Some(w) = c.next() else { return Ok(fail(p, USAGE)) };
    if matches(w, "link") {
        link::run(p, c)
    } else if matches(w, "fdb") {
        fdb::run(p, c)
    } else if ["mdb", "vlan", "monitor", "vni"].iter().any(|k| matches(w, k)) {
        Err(Refusal::new(format!("bridge {w}"), at).into())
    } else if matches(w, "help") {
        Ok(fail(p, USAGE))
    } else {
        Ok(fail(p, &format!("Object \"{w}\" is unknown, try \"bridge help\".\n")))
    }
}
