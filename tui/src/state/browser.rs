//! The list of scenarios.

use super::Entry;
use crate::keys::Action;

/// The list, what of it is shown, and which one is chosen.
pub(crate) struct Browser {
    pub library: Vec<Entry>,
    pub filter: String,
    /// Numbers within the library.
    pub shown: Vec<usize>,
    /// Number within `shown`.
    pub chosen: usize,
}

impl Browser {
    /// A list by topic.
    pub fn new(library: Vec<Entry>) -> Browser {
        let shown = (0..library.len()).collect();
        Browser { library, filter: String::new(), shown, chosen: 0 }
    }

    /// The scenario under the bar.
    pub fn chosen(&self) -> Option<&Entry> {
        self.library.get(*self.shown.get(self.chosen)?)
    }

    /// Shows what has all of these words in its topic, name, title, topics or text.
    pub fn set_filter(&mut self, text: &str) {
        if self.filter == text {
            return;
        }
        let before = self.shown.get(self.chosen).copied();
        self.filter = text.to_owned();
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let fits = |e: &Entry| {
            let s = &e.scenario;
            let all = format!("{} {} {} {} {}", e.topic, s.name, s.title, s.topics.join(" "), s.about).to_lowercase();
            words.iter().all(|w| all.contains(w.as_str()))
        };
        self.shown = (0..self.library.len()).filter(|i| fits(&self.library[*i])).collect();
        self.chosen = self.shown.iter().position(|i| Some(*i) == before).unwrap_or(0);
    }

    /// A key.
    pub fn act(&mut self, a: Action, page: usize) {
        let last = self.shown.len().saturating_sub(1);
        self.chosen = match a {
            Action::Up => self.chosen.saturating_sub(1),
            Action::Down => self.chosen + 1,
            Action::PageUp => self.chosen.saturating_sub(page),
            Action::PageDown => self.chosen + page,
            Action::First => 0,
            Action::Last => last,
            Action::Close => {
                self.set_filter("");
                self.chosen
            }
            _ => self.chosen,
        }
        .min(self.shown.len().saturating_sub(1));
    }
}
