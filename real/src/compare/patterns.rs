//! Patterns that are written in the program, each made once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use regex_lite::Regex;

/// A pattern; none where it is none, which its first use tells.
pub fn pattern(text: &'static str) -> Option<&'static Regex> {
    static MADE: Mutex<BTreeMap<&str, Option<&Regex>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    // There are as many as are written down, and they serve to the end.
    *made.entry(text).or_insert_with(|| Regex::new(text).ok().map(|r| &*Box::leak(Box::new(r))))
}

/// A text with all that a pattern fits put otherwise.
pub fn replaced(t: &str, text: &'static str, with: &str) -> String {
    pattern(text).map_or_else(|| t.to_owned(), |r| r.replace_all(t, with).into_owned())
}
