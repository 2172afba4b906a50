//! A state becomes a frame.

mod browser;
mod device;
mod doc;
mod evidence;
mod look;
mod now;
mod packet;
mod panel;
mod picture;
mod prompt;
mod steps;
mod walk;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use crate::panes::MIN;
use crate::state::State;
use crate::state::panel::Panel;

/// Draws a state.
pub fn render(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < MIN.0 || area.height < MIN.1 {
        too_small(frame, area);
    } else {
        match &state.walk {
            Some(w) => walk::render(state, w, frame),
            None => browser::render(state, frame),
        }
        match &state.panel {
            Some(Panel::Prompt(p)) => prompt::render(state, p, frame),
            Some(p) => panel::render(state, p, frame),
            None => {}
        }
    }
    look::fit(frame.buffer_mut(), state.look);
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let (width, height) = (area.width, area.height);
    // The shortest says what matters first, and fits anywhere.
    let lines = match width < 42 {
        true => vec![
            Line::from(format!("{width}x{height} is small:")),
            Line::from(format!("make it {}x{},", MIN.0, MIN.1)),
            Line::from("or press Ctrl-C."),
        ],
        false => vec![
            Line::from(format!("This terminal has {width}x{height} characters.")),
            Line::from(format!("packetwalk needs {}x{}: make it larger,", MIN.0, MIN.1)),
            Line::from("or press Ctrl-C."),
        ],
    };
    frame.render_widget(Paragraph::new(lines), area);
}

#[cfg(test)]
mod tests {
    /// What a key changes stands in `state`, how it looks in `view`, under one name.
    #[test]
    fn every_part_of_the_state_has_its_view() {
        let src = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let all = std::fs::read_dir(format!("{src}/state")).expect("the folder");
        let names: Vec<_> = all.flatten().map(|f| f.file_name()).collect();
        assert!(!names.is_empty());
        for n in names {
            let of = std::path::Path::new(src).join("view").join(&n);
            assert!(of.exists(), "{} is missing", of.display());
        }
    }
}
