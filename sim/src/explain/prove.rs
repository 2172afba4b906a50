//! Tries changes on copies of the world. What makes the probe work is a fix; where no single change does, those that
//! take a blocker away are tried together, one after the other, and every blocker that came to light on the way is told.

use super::find::{Found, find};
use super::scene::Scene;
use super::{Blocker, Cause, Fix, Line, Why, copy, opens};
use crate::kernel::types::SEC;
use crate::scenario::run::{StepResult, WalkError, step};
use crate::scenario::{At, What};
use crate::session::Session;
use crate::shell::run_line;
use crate::trace::Outcome;

/// How many changes are tried at most.
const BUDGET: usize = 250;
/// How many blockers behind each other are looked for.
const DEPTH: usize = 4;
/// How many findings of one scene are followed.
const FINDINGS: usize = 10;
/// How many fixes are offered.
const OFFERED: usize = 3;
/// What may wait for a change: an entry that expires, a link that comes up.
const SETTLE: u64 = SEC / 10;

struct Search<'a> {
    what: &'a What,
    at: At,
    number: usize,
    tried: usize,
}

/// A world after the step, with what went wrong there.
struct Tried {
    works: bool,
    result: StepResult,
    found: Vec<Found>,
}

/// One blocker and the change that takes it away.
type Pace = (Blocker, Vec<Line>);

/// What tells one finding from another.
type Key = (Cause, String, String);

/// Changes that were tried.
struct Sorted<'f> {
    /// With them the line works.
    works: Vec<(&'f Found, &'f Vec<Line>)>,
    /// With them it fails for another reason.
    partly: Vec<Partly<'f>>,
}

/// A change that takes its blocker away, and what is behind.
struct Partly<'f> {
    f: &'f Found,
    fix: &'f Vec<Line>,
    changed: Session,
    next: Tried,
}

/// Explains a line; where no `fixes` are asked for, what they would open is not tried.
pub fn search(before: &Session, what: &What, at: At, number: usize, fixes: bool) -> Result<Why, WalkError> {
    let before = copy(before);
    let mut s = Search { what, at, number, tried: 0 };
    let first = s.run(&before)?;
    let r = &first.result;
    let mut why = Why {
        step: number,
        place: r.place.clone(),
        command: r.command.clone(),
        probe: r.probe,
        outcome: r.outcome(),
        blockers: Vec::new(),
        fixes: Vec::new(),
        tried: 0,
    };
    if first.works {
        return Ok(why);
    }
    let (ways, blockers) = s.mend(&before, &first);
    why.blockers = blockers;
    if why.blockers.is_empty() {
        why.blockers = vec![first.found.first().map_or_else(|| unexplained(r), |f| f.blocker.clone())];
    }
    why.tried = s.tried;
    if fixes {
        why.fixes = offer(&before, what, ways);
    }
    Ok(why)
}

fn unexplained(r: &StepResult) -> Blocker {
    Blocker {
        cause: Cause::Unexplained,
        at: r.place.clone(),
        says: "no decision on the way explains the outcome".to_owned(),
        evidence: Vec::new(),
    }
}

impl Search<'_> {
    /// Runs the line in a copy of a world.
    fn run(&mut self, world: &Session) -> Result<Tried, WalkError> {
        let mut after = world.clone();
        let result = step(&mut after, self.number, self.what, self.at)?;
        let works = result.outcome() == Some(Outcome::Reply);
        let ns = world.place(&result.place).map(|p| p.1).ok();
        let found = match ns {
            Some(ns) if !works => find(&Scene { before: world, after: &after, result: &result, ns }),
            _ => Vec::new(),
        };
        Ok(Tried { works, result, found })
    }

    /// The line in the world after a change; none where the change cannot be made, or enough was tried.
    fn with(&mut self, world: &Session, lines: &[Line]) -> Option<(Session, Tried)> {
        if self.tried >= BUDGET {
            return None;
        }
        self.tried += 1;
        let changed = apply(world, lines)?;
        let tried = self.run(&changed).ok()?;
        Some((changed, tried))
    }

    /// Tries the changes of findings, but for those that were `met` before: which make the line work (only the `first`
    /// one, where that is enough), and which take their blocker away.
    fn try_each<'f>(&mut self, world: &Session, found: &'f [Found], met: &[Key], first: bool) -> Sorted<'f> {
        let mut sorted = Sorted { works: Vec::new(), partly: Vec::new() };
        for f in found.iter().take(FINDINGS).filter(|f| !met.contains(&f.key())) {
            for fix in &f.fixes {
                let Some((changed, next)) = self.with(world, fix) else { continue };
                if next.works {
                    sorted.works.push((f, fix));
                    if first {
                        return sorted;
                    }
                } else if !next.found.iter().any(|x| x.key() == f.key()) {
                    sorted.partly.push(Partly { f, fix, changed, next });
                }
            }
        }
        sorted
    }

    /// Ways to make the line work, and the blockers that they take away.
    fn mend(&mut self, world: &Session, first: &Tried) -> (Vec<Vec<Line>>, Vec<Blocker>) {
        let mut sorted = self.try_each(world, &first.found, &[], false);
        // A program where none was does not mend what is known to be wrong, nor what another change of the same cause mends.
        let stood_in = |w: &(&Found, &Vec<Line>)| w.1.iter().any(Line::stands_in);
        if !sorted.works.is_empty() && sorted.works.iter().all(stood_in) {
            let instead: Vec<Key> = sorted.works.iter().map(|w| w.0.key()).collect();
            let other_way = |p: &Partly<'_>| instead.contains(&p.f.key()) && !p.fix.iter().any(Line::stands_in);
            let wrong = |p: &Partly<'_>| p.f.is_known() || other_way(p);
            let (wrong, _): (Vec<_>, Vec<_>) = sorted.partly.drain(..).partition(wrong);
            if let Some(paces) = self.behind(wrong, &[], 0) {
                return self.together(world, paces);
            }
        }
        let known = sorted.works.iter().find(|(f, _)| f.is_known());
        if let Some((f, _)) = known.or(sorted.works.first()) {
            let mut single: Vec<Vec<Line>> = Vec::new();
            // What mends what is known to be wrong comes before what would let the probe through as well.
            let (first, rest): (Vec<_>, Vec<_>) = sorted.works.iter().partition(|(g, _)| g.key() == f.key());
            for (_, fix) in first.into_iter().chain(rest) {
                if !single.contains(fix) {
                    single.push((*fix).clone());
                }
            }
            let (key, first) = (f.key(), f.blocker.clone());
            return (single, self.beneath(sorted.partly, &key).unwrap_or_else(|| vec![first]));
        }
        match self.behind(sorted.partly, &[], 0) {
            Some(paces) => self.together(world, paces),
            None => (Vec::new(), Vec::new()),
        }
    }

    /// What an exception above all rules lets the packet past: the rule that dropped it, and those that would have dropped
    /// it behind that rule.
    fn beneath(&mut self, partly: Vec<Partly<'_>>, key: &Key) -> Option<Vec<Blocker>> {
        let deleted = |p: &Partly<'_>| p.f.key() == *key && p.fix.iter().any(|l| l.command.contains(" -D "));
        let rest = partly.into_iter().filter(deleted).collect();
        Some(self.behind(rest, &[], 0)?.into_iter().map(|p| p.0).collect())
    }

    /// The changes of several blockers as one.
    fn together(&mut self, world: &Session, paces: Vec<Pace>) -> (Vec<Vec<Line>>, Vec<Blocker>) {
        let paces = self.needed(world, paces);
        let lines = paces.iter().flat_map(|p| p.1.iter().cloned()).collect();
        (vec![lines], paces.into_iter().map(|p| p.0).collect())
    }

    /// The blockers behind those that are already away.
    fn deeper(&mut self, world: &Session, t: &Tried, met: &[Key], depth: usize) -> Option<Vec<Pace>> {
        let sorted = self.try_each(world, &t.found, met, true);
        if let Some((f, fix)) = sorted.works.first() {
            return Some(vec![(f.blocker.clone(), (*fix).clone())]);
        }
        if depth >= DEPTH { None } else { self.behind(sorted.partly, met, depth) }
    }

    /// Looks behind each change that took its blocker away, until one leads to where the line works.
    fn behind(&mut self, partly: Vec<Partly<'_>>, met: &[Key], depth: usize) -> Option<Vec<Pace>> {
        partly.into_iter().find_map(|p| {
            let met: Vec<Key> = met.iter().cloned().chain([p.f.key()]).collect();
            let mut paces = self.deeper(&p.changed, &p.next, &met, depth + 1)?;
            paces.insert(0, (p.f.blocker.clone(), p.fix.clone()));
            Some(paces)
        })
    }

    /// Leaves out what is not needed.
    fn needed(&mut self, world: &Session, mut paces: Vec<Pace>) -> Vec<Pace> {
        let mut i = 0;
        while i < paces.len() && paces.len() > 1 {
            let others = paces.iter().enumerate().filter(|(j, _)| *j != i);
            let lines: Vec<Line> = others.flat_map(|(_, p)| p.1.iter().cloned()).collect();
            match self.with(world, &lines) {
                Some((_, t)) if t.works => drop(paces.remove(i)),
                _ => i += 1,
            }
        }
        paces
    }
}

/// A copy of a world in which lines were typed; none where one of them fails.
pub fn apply(world: &Session, lines: &[Line]) -> Option<Session> {
    let mut s = world.clone();
    for l in lines {
        let (host, ns) = s.place(&l.place).ok()?;
        let ran = run_line(&mut s, host, ns, &l.command);
        if ran.refusal.is_some() || ran.exit != 0 {
            return None;
        }
    }
    s.advance(SETTLE);
    s.kernel.rec = crate::trace::Trace::default();
    s.marks = crate::session::Marks::default();
    Some(s)
}

/// How much a line changes, by its words: a policy or a whole table is more than a rule, and all routes more than one.
fn breadth(l: &Line) -> usize {
    let words: Vec<&str> = l.command.split_whitespace().collect();
    let has = |w: &str| words.contains(&w);
    match () {
        () if has("-P") || has("-F") || has("restart") => 5,
        () if has("serve") || has("default") => 3,
        () if has("network") || has("mtu") => 2,
        () => 1,
    }
}

/// The fixes with what else they let through, the smallest first.
fn offer(world: &Session, what: &What, ways: Vec<Vec<Line>>) -> Vec<Fix> {
    // What works without a line of it is no better with it.
    let needless = |w: &Vec<Line>| ways.iter().any(|o| o.len() < w.len() && o.iter().all(|l| w.contains(l)));
    let mut ways: Vec<Vec<Line>> = ways.iter().filter(|w| !needless(w)).cloned().collect();
    ways.sort_by_key(|w| w.iter().map(breadth).sum::<usize>());
    ways.truncate(2 * OFFERED);
    if ways.is_empty() {
        return Vec::new();
    }
    let others = opens::Others::of(world, what);
    let mut fixes: Vec<Fix> = ways.into_iter().map(|lines| others.fix(world, lines)).collect();
    // What stands in for a program that is not there comes last.
    let size = |f: &Fix| f.lines.iter().map(breadth).sum::<usize>();
    fixes.sort_by_key(|f| (f.has_stand_in(), f.closes.len(), f.opens.len(), size(f)));
    fixes.truncate(OFFERED);
    fixes
}
