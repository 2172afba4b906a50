//! `packetwalk list`.

use packetwalk_sim::scenario;

use crate::{End, load, out};

/// Runs it.
pub fn run() -> End {
    let mut text = String::new();
    let mut last = String::new();
    for (topic, name, source) in load::library() {
        if topic != last {
            if !last.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("{topic}\n"));
            last = topic;
        }
        let title = scenario::parse(source).map(|s| s.title).unwrap_or_default();
        text.push_str(&format!("  {name:<28} {title}\n"));
    }
    out::print(&text);
    End::Good
}
