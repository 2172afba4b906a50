//! `socat` (1.7.4.4, or 1.8 where iptables is newer too): TCP and UDP, either end, with standard input, a pipe or a command on the other side.

mod address;
mod line;

use super::opts::seconds;
use super::{Exit, Proc, Refusal};
use crate::app::Program;
use crate::app::socat::{self, Address, Listen, Socat, SocatSpec};
use crate::kernel::types::{MSEC, Nanos};
use crate::trace::Outcome;

/// Why a command line is not carried out.
enum Bad {
    /// socat's own error: what its log says.
    Said(String),
    /// A name that has no address: what its log says.
    NoName(String),
    /// socat has it, the model has not.
    Refused(Refusal),
}

impl From<Refusal> for Bad {
    fn from(r: Refusal) -> Bad {
        Bad::Refused(r)
    }
}

/// Runs `socat`.
///
/// # Errors
/// Addresses and options that the model has not, or one that waits in the foreground for somebody who cannot come.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let spec = match read(p, argv) {
        Ok(s) => s,
        Err(Bad::Refused(r)) => return Err(r),
        Err(Bad::Said(text)) => return said(p, &text),
        Err(Bad::NoName(text)) => {
            p.fail_report(Outcome::ResolveFailed, None);
            return said(p, &text);
        }
    };
    if matches!(spec.first, Address::Listen(_)) && !p.background && p.deadline.is_none() {
        return Err(Refusal::new("socat that waits in the foreground, for ever: add &", 0));
    }
    let Some(app) = p.run_program("socat", Program::Socat(Socat::new(spec)), None) else { return Ok(0) };
    let a = p.sess.apps.get(app);
    p.out.push_str(&a.out);
    p.err.push_str(&a.err);
    p.report = a.report.outcome.is_some().then(|| a.report.clone());
    Ok(a.exit.unwrap_or(1))
}

fn said(p: &mut Proc<'_>, text: &str) -> Exit {
    let line = socat::line(p.sess.kernel.now(), p.pid, 'E', text);
    p.err.push_str(&line);
    Ok(1)
}

/// How long one end may still talk after the other has ended.
const LINGER: Nanos = 500 * MSEC;

fn read(p: &mut Proc<'_>, argv: &[String]) -> Result<SocatSpec, Bad> {
    let (mut one_way, mut linger, mut idle, mut verbose) = (None, LINGER, None, 0);
    let mut i = 1;
    while let Some(a) = argv.get(i).filter(|a| a.starts_with('-') && a.len() > 1) {
        let value = |i: &mut usize| match a.len() {
            2 => {
                *i += 1;
                argv.get(*i).and_then(|v| seconds(v))
            }
            _ => seconds(&a[2..]),
        };
        match a.as_bytes()[1] {
            b'u' if a.len() == 2 => one_way = Some(true),
            b'U' if a.len() == 2 => one_way = Some(false),
            b'4' if a.len() == 2 => {}
            b'd' if a == "-d" && verbose == 0 => verbose = 1,
            b't' => linger = value(&mut i).ok_or_else(|| no_number(a))?,
            b'T' => idle = Some(value(&mut i).ok_or_else(|| no_number(a))?),
            b'V' | b'h' | b'?' | b'd' | b'D' | b'l' | b'v' | b'x' | b'r' | b'R' | b'b' | b's' | b'S' | b'g' | b'L'
            | b'W' | b'6' => return Err(Refusal::new(format!("socat {a}"), i).into()),
            _ => return Err(Bad::Said(format!("unknown option \"{a}\"; use option \"-h\" for help"))),
        }
        i += 1;
    }
    let words = &argv[i.min(argv.len())..];
    let [first, second] = words else {
        let n = words.len();
        return Err(Bad::Said(format!("exactly 2 addresses required (there are {n}); use option \"-h\" for help")));
    };
    let first = address::read(p, first, i)?;
    let second = address::read(p, second, i + 1)?;
    let (first, second, turned) = in_order(first, second, i)?;
    let one_way = one_way.map(|there: bool| there != turned);
    // A system whose iptables is newer than Debian 12's has a newer socat too.
    let newer = p.sess.iptables != super::iptables::RELEASE;
    Ok(SocatSpec { first, second, one_way, linger, idle, newer, input: p.stdin.clone().into() })
}

fn no_number(a: &str) -> Bad {
    Bad::Said(format!("option {a}: no number of seconds"))
}

/// The address that waits first, where one does, and whether the two changed places for it.
fn in_order(first: Address, second: Address, arg: usize) -> Result<(Address, Address, bool), Bad> {
    let waits = |a: &Address| matches!(a, Address::Listen(_));
    match (waits(&first), waits(&second)) {
        (true, true) => Err(Refusal::new("socat with two addresses that wait", arg).into()),
        (false, true) => match (&first, &second) {
            // It connects before anybody has come, and only then waits.
            (Address::Connect(_), _) => Err(Refusal::new("socat that connects, and then waits", arg).into()),
            (_, Address::Listen(Listen { fork: true, .. })) => {
                Err(Refusal::new("socat with fork at its second address", arg + 1).into())
            }
            _ => Ok((second, first, true)),
        },
        _ => Ok((first, second, false)),
    }
}
