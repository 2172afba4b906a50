//! The list of scenarios.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::doc::{Doc, cut};
use super::look::{BAD, FAINT, GOOD, HEAD, HERE, PLACE};
use super::walk::{foot, frame_of};
use crate::keys::Context;
use crate::state::{Entry, State};

/// Draws it.
pub(super) fn render(state: &State, frame: &mut Frame<'_>) {
    let about_rows = if frame.area().height >= 34 { 12 } else { 8 };
    let [head, list, about, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(about_rows),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let all = state.browser.library.len();
    let passed = state.browser.library.iter().filter(|e| mark(state, e) == '✓').count();
    let mut title = vec![Span::styled(" packetwalk ", HEAD), Span::raw("  choose a scenario, walk its packets")];
    let right = format!("{passed} of {all} passed ");
    let used: usize = title.iter().map(Span::width).sum();
    let pad = usize::from(head.width).saturating_sub(used + right.chars().count());
    title.push(Span::raw(" ".repeat(pad)));
    title.push(Span::styled(right, GOOD));
    frame.render_widget(Paragraph::new(Line::from(title)), head);
    let name = if state.browser.filter.is_empty() {
        "scenarios".to_owned()
    } else {
        format!("scenarios with \"{}\": {} of {all}", state.browser.filter, state.browser.shown.len())
    };
    let inner = frame_of(frame, list, &name, true, None);
    rows(state, frame, inner);
    if let Some(e) = state.browser.chosen() {
        describe(state, e, frame, about);
    }
    foot(state, frame, bottom, Context::Browser);
}

/// Passed, walked or begun.
fn mark(state: &State, e: &Entry) -> char {
    match state.progress.0.get(&e.scenario.name) {
        Some(m) if m.passed() => '✓',
        Some(_) => '·',
        None => ' ',
    }
}

fn rows(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let b = &state.browser;
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut chosen = 0;
    let mut topic = "";
    let width = usize::from(area.width);
    let (name_w, steps_w) = (22, 9);
    for (i, n) in b.shown.iter().enumerate() {
        let e = &b.library[*n];
        if e.topic != topic {
            topic = &e.topic;
            lines.push(Line::styled(topic.to_owned(), PLACE));
        }
        let steps = match e.scenario.steps.len() {
            1 => "1 step".to_owned(),
            n => format!("{n} steps"),
        };
        let m = mark(state, e);
        let title_w = width.saturating_sub(name_w + steps_w + 4);
        let text = format!(
            "{:<name_w$} {:<title_w$}{steps:>steps_w$} ",
            cut(&e.scenario.name, name_w),
            cut(&e.scenario.title, title_w.saturating_sub(1))
        );
        let mut spans = vec![
            Span::styled(format!("{}{m} ", if i == b.chosen { '▶' } else { ' ' }), if m == '✓' { GOOD } else { FAINT }),
            Span::raw(text),
        ];
        if i == b.chosen {
            chosen = lines.len();
            spans = spans.into_iter().map(|s| s.patch_style(HERE)).collect();
        }
        lines.push(Line::from(spans));
    }
    if b.shown.is_empty() {
        lines.push(Line::styled("No scenario has all of these words. Esc: show them all", BAD));
    }
    let h = usize::from(area.height).max(1);
    let from = chosen.saturating_sub(h / 2).min(lines.len().saturating_sub(h));
    let shown: Vec<Line<'static>> = lines.into_iter().skip(from).take(h).collect();
    frame.render_widget(Paragraph::new(shown), area);
}

fn describe(state: &State, e: &Entry, frame: &mut Frame<'_>, area: Rect) {
    let inner = frame_of(frame, area, &e.scenario.name, false, None);
    let mut d = Doc::new(inner.width);
    d.para(&e.scenario.title, HEAD);
    for p in e.scenario.about.split("\n\n") {
        d.para(p, ratatui::style::Style::new());
    }
    let asks = e.scenario.steps.iter().filter(|s| s.ask.is_some()).count();
    let hosts: Vec<&str> = e.scenario.hosts.iter().map(|h| h.name.as_str()).collect();
    let mut facts = format!("Hosts: {}. Docker {}.", hosts.join(", "), e.scenario.engine);
    if asks > 0 {
        facts.push_str(&format!(" Questions: {asks}."));
    }
    if let Some(m) = state.progress.0.get(&e.scenario.name) {
        let what = if m.passed() {
            "passed"
        } else if m.walked {
            "walked to the end"
        } else {
            "begun"
        };
        facts.push_str(&format!(" You: {what}"));
        if m.asked > 0 {
            facts.push_str(&format!(", {} of {} answered rightly", m.right, m.asked));
        }
        facts.push('.');
    }
    d.para(&facts, FAINT);
    d.draw(frame, inner, 0);
}
