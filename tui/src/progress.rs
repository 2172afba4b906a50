//! What the reader has done so far: kept as one line per scenario.

use std::collections::BTreeMap;

/// What was done of one scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Walked to its end.
    pub walked: bool,
    /// Questions answered rightly, the best time.
    pub right: u32,
    /// Questions it asks.
    pub asked: u32,
}

impl Mark {
    /// Walked to the end, and every question answered rightly.
    pub fn passed(&self) -> bool {
        self.walked && self.right >= self.asked
    }
}

/// Marks by the scenario's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress(pub BTreeMap<String, Mark>);

impl Progress {
    /// Reads what [`Progress::text`] wrote; a line that is not understood is passed over.
    pub fn parse(text: &str) -> Progress {
        let line = |l: &str| {
            let mut w = l.split('\t');
            let name = w.next()?.to_owned();
            let mark =
                Mark { walked: w.next()? == "walked", right: w.next()?.parse().ok()?, asked: w.next()?.parse().ok()? };
            Some((name, mark))
        };
        Progress(text.lines().filter_map(line).collect())
    }

    /// One line per scenario: name, `walked` or `begun`, right answers, questions.
    pub fn text(&self) -> String {
        let one = |(name, m): (&String, &Mark)| {
            let walked = if m.walked { "walked" } else { "begun" };
            format!("{name}\t{walked}\t{}\t{}\n", m.right, m.asked)
        };
        self.0.iter().map(one).collect()
    }

    /// Notes what was done; the best of all times counts. Tells whether anything changed.
    pub(crate) fn note(&mut self, name: &str, walked: bool, right: u32, asked: u32) -> bool {
        let old = self.0.get(name).copied();
        let m = self.0.entry(name.to_owned()).or_default();
        m.walked |= walked;
        m.right = m.right.max(right);
        m.asked = asked;
        old != Some(*m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let mut p = Progress::default();
        assert!(p.note("bridge-publish", true, 1, 1));
        assert!(!p.note("bridge-publish", false, 0, 1), "worse than before changes nothing");
        p.note("veth", false, 0, 2);
        assert_eq!(Progress::parse(&p.text()), p);
        assert!(p.0["bridge-publish"].passed() && !p.0["veth"].passed());
        assert_eq!(Progress::parse("nonsense\n\na\tb\n"), Progress::default());
    }
}
