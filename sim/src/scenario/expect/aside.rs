//! What is tried on copies of the world, so that nothing disturbs it: `reaches`, cell by cell, and `state`.

use std::net::Ipv4Addr;

use super::spot::{Spot, addresses, spots};
use super::{Failures, fits, parted};
use crate::app::probe::{Probe, ProbeReport};
use crate::explain::{explain, text};
use crate::kernel::types::NetnsId;
use crate::scenario::matrix::{By, Row, Target};
use crate::scenario::run::{WalkError, step};
use crate::scenario::{At, Expect, What};
use crate::session::Session;
use crate::trace::{DropReason, EventKind, Outcome};

/// Cells that one step may try.
const MAX_CELLS: usize = 4096;

/// What was tried beside a step.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    /// Cells of `reaches`, row by row.
    pub cells: Vec<Cell>,
    /// What the commands of `state` printed, in their order.
    pub printed: Vec<Printed>,
}

/// One cell of the matrix: one source, one target.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Where the target stands in the file.
    pub at: At,
    /// Source.
    pub from: String,
    /// Target with its port.
    pub to: String,
    /// How it is asked.
    pub by: By,
    /// The addresses of the target, in the order in which they are asked until one answers.
    pub addresses: Vec<Ipv4Addr>,
    /// It must answer; else it must not.
    pub want: bool,
    /// Address that was asked.
    pub address: Option<Ipv4Addr>,
    /// What came; none where the target has no address.
    pub outcome: Option<Outcome>,
    /// The target itself answered, be it with a refusal.
    pub answered: bool,
    /// What happened to the packet last.
    pub parted: Option<String>,
    /// Cause, evidence and fix, at the first of a step's cells that must answer and does not.
    pub why: Option<String>,
}

impl Cell {
    /// Whether it is as expected. What met something unmodelled proves nothing.
    pub fn holds(&self) -> bool {
        match self.outcome {
            Some(Outcome::Unmodelled | Outcome::UnknownState) => false,
            o if self.want => o == Some(Outcome::Reply),
            _ => !self.answered,
        }
    }

    /// What came, in words.
    pub fn got(&self) -> String {
        let (Some(o), Some(a)) = (self.outcome, self.address) else { return "it has no address".into() };
        let own = if self.answered && o != Outcome::Reply { " by the target itself" } else { "" };
        format!("{}{own} ({a})", o.as_str())
    }
}

/// What a command printed.
#[derive(Clone, Debug)]
pub struct Printed {
    /// Standard output.
    pub stdout: String,
    /// Standard error, or what is not modelled.
    pub stderr: String,
}

/// Tries what an expectation wants tried.
///
/// # Errors
/// A place that is not there, with its line and column.
pub fn look(s: &Session, e: &Expect) -> Result<Aside, WalkError> {
    let mut out = Aside::default();
    for row in &e.reaches {
        try_row(s, row, &mut out.cells)?;
    }
    if let Some(c) = out.cells.iter_mut().find(|c| c.want && !c.holds()) {
        c.why = why(s, c);
    }
    for q in &e.state {
        let r = step(&mut s.clone(), 0, &q.action.what, q.action.at)?;
        let stderr = r.refusal.map_or(r.stderr, |(what, _)| format!("not modelled: {what}"));
        out.printed.push(Printed { stdout: r.stdout, stderr });
    }
    Ok(out)
}

fn try_row(s: &Session, row: &Row, cells: &mut Vec<Cell>) -> Result<(), WalkError> {
    let mut tried = vec![false; row.targets.len()];
    let begin = cells.len();
    for from in find(s, &row.from, row.at)? {
        for (t, tried) in row.targets.iter().zip(&mut tried) {
            if let Ok(a) = t.name.parse::<Ipv4Addr>() {
                cells.push(cell(s, &from, t, t.text(), &[a], None));
                *tried = true;
                continue;
            }
            for to in find(s, &t.name, t.at)?.iter().filter(|to| to.ns != from.ns) {
                let whole = Target { name: to.name.clone(), ..t.clone() }.text();
                *tried = true;
                // A group and one of its members may both be named.
                if cells[begin..].iter().any(|c| (&c.from, &c.to, c.want) == (&from.name, &whole, t.want)) {
                    continue;
                }
                cells.push(cell(s, &from, t, whole, &addresses(s, to.ns, from.ns), Some(to.ns)));
            }
            if cells.len() > MAX_CELLS {
                return Err(WalkError {
                    at: row.at,
                    what: format!("`reaches` has more than {MAX_CELLS} cells"),
                    help: "ask for fewer, or split the scenario".into(),
                });
            }
        }
    }
    // What `none` stands for has one place in the file, and the row's own place may be among it.
    let alone = |t: &Target| !row.targets.iter().zip(&tried).any(|(o, tried)| *tried && o.at == t.at);
    match row.targets.iter().zip(&tried).find(|(t, tried)| !**tried && alone(t)) {
        Some((t, _)) => Err(WalkError {
            at: t.at,
            what: format!("`{}` is nobody but `{}` itself", t.name, row.from),
            help: "a place always reaches itself, by `lo`; leave it out".into(),
        }),
        None => Ok(()),
    }
}

fn find(s: &Session, name: &str, at: At) -> Result<Vec<Spot>, WalkError> {
    let help = "a namespace, container or network must be there when the step is reached";
    spots(s, name).map_err(|what| WalkError { at, what, help: help.into() })
}

/// Asks a target at its addresses, one after the other, until one answers.
fn cell(s: &Session, from: &Spot, t: &Target, to: String, all: &[Ipv4Addr], ns: Option<NetnsId>) -> Cell {
    let mut out = Cell {
        at: t.at,
        from: from.name.clone(),
        to,
        by: t.by,
        addresses: all.to_vec(),
        want: t.want,
        address: None,
        outcome: None,
        answered: false,
        parted: None,
        why: None,
    };
    for a in all {
        let mut world = s.clone();
        let first = world.kernel.rec.events.len();
        let Ok(probe) = Probe::parse(&t.by.probe(*a)) else { continue };
        let r = world.probe(from.host, from.ns, &probe);
        let answered = answered(&world, first, &r, ns);
        // The first one is told, unless another says more.
        if out.outcome.is_none() || answered || r.outcome == Some(Outcome::Unmodelled) {
            out.outcome = Some(r.outcome.unwrap_or(Outcome::Timeout));
            out.address = Some(*a);
            out.answered = answered;
            out.parted = parted::end(&world, &world.kernel.rec.events[first..]);
        }
        if answered {
            break;
        }
    }
    out
}

/// Why a cell that must answer does not.
fn why(s: &Session, c: &Cell) -> Option<String> {
    let probe = Probe::parse(&c.by.probe(c.address?)).ok()?;
    let w = explain(s, &What::Probe { place: c.from.clone(), probe }, c.at, 0).ok()?;
    (!w.blockers.is_empty()).then(|| text::text(&w))
}

/// Did the target itself answer? A refusal counts where its packet came as far as the target and found no socket
/// there; one by a firewall does not.
fn answered(s: &Session, first: usize, r: &ProbeReport, target: Option<NetnsId>) -> bool {
    let closed = |e: &crate::trace::Event| {
        target.is_none_or(|ns| e.ns == ns) && matches!(e.kind, EventKind::Drop { reason: DropReason::NO_SOCKET, .. })
    };
    match r.outcome {
        Some(Outcome::Reply | Outcome::Closed | Outcome::Stall | Outcome::Reset) => true,
        Some(Outcome::Refused | Outcome::UnreachablePort) => s.kernel.rec.events[first..].iter().any(closed),
        _ => false,
    }
}

/// Holds what was tried against what was expected.
pub(super) fn check(e: &Expect, got: &Aside, f: &mut Failures<'_>) {
    for c in got.cells.iter().filter(|c| !c.holds()) {
        let want = match c.want {
            true => format!("{} reaches {}", c.from, c.to),
            false => format!("{} does not reach {}", c.from, c.to),
        };
        f.add_at(c.at, "reaches", want, c.got(), c.parted.clone());
        if let Some(failure) = f.list.last_mut() {
            failure.why.clone_from(&c.why);
        }
    }
    for (q, p) in e.state.iter().zip(&got.printed) {
        for want in q.want.iter().filter(|w| !fits(w, &p.stdout)) {
            let said = if p.stdout.is_empty() { &p.stderr } else { &p.stdout };
            let said = if said.is_empty() { "nothing" } else { said };
            f.add_at(q.at, "state", want, said, None);
        }
    }
}
