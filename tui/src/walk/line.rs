//! What the reader types, and what was done as a scenario file.

use packetwalk_sim::app::probe::Probe;
use packetwalk_sim::scenario::{self, What};
use packetwalk_sim::shell::check_line;

use super::{Walk, line_of};

/// Reads `PLACE$ command` or `PLACE> probe`.
pub(crate) fn parse(text: &str) -> Result<What, String> {
    let text = once(text.trim());
    let form = "type PLACE$ command, such as node1$ ip route, or PLACE> probe, such as client> ping 10.0.0.2";
    let split = text.char_indices().find(|(_, c)| matches!(c, '$' | '>') || c.is_whitespace());
    let Some((i, sign @ ('$' | '>'))) = split else { return Err(form.to_owned()) };
    let (place, rest) = (text[..i].to_owned(), text[i + 1..].trim());
    if place.is_empty() || rest.is_empty() {
        return Err(form.to_owned());
    }
    if sign == '$' {
        // What no scenario file may have is no step either: nothing of it runs.
        if let Some(p) = check_line(rest).into_iter().next() {
            return Err(if p.help.is_empty() { p.what } else { format!("{}; {}", p.what, p.help) });
        }
        return Ok(What::Command { place, line: rest.to_owned() });
    }
    match Probe::parse(rest) {
        Ok(probe) => Ok(What::Probe { place, probe }),
        Err((what, _)) if check_line(rest).is_empty() => Err(format!("{what}; a command is typed as {place}$ {rest}")),
        Err((what, _)) => Err(what),
    }
}

/// Without the place that stood there already, where a whole `PLACE$ command` was typed behind it.
fn once(text: &str) -> &str {
    let Some((first, rest)) = text.split_once(char::is_whitespace) else { return text };
    let place = |w: &str| w.len() > 1 && w.ends_with(['$', '>']);
    let second = rest.split_whitespace().next().unwrap_or_default();
    if place(first) && place(second) { rest.trim_start() } else { text }
}

/// A text in YAML: JSON's strings are YAML's too.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What was walked until a chapter as a scenario of its own: hosts and setup as they were, the steps that were done.
pub(crate) fn as_file(walk: &Walk, name: &str, until: usize) -> Result<String, String> {
    let mut out = String::new();
    for line in walk.source.lines().take_while(|l| !l.starts_with("steps:")) {
        if line.starts_with("name:") {
            out.push_str(&format!("name: {}", quoted(name)));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out.push_str("steps:\n");
    for p in walk.plan.iter().take(until) {
        let mut head = "  - ";
        if let Some(say) = &p.step.say {
            out.push_str(&format!("{head}say: {}\n", quoted(say)));
            head = "    ";
        }
        match &p.step.action.what {
            What::Nothing => {}
            What::Sleep(ns) => {
                out.push_str(&format!("{head}sleep: {}\n", *ns as f64 / 1e9));
            }
            what => out.push_str(&format!("{head}run: {}\n", quoted(&line_of(what)))),
        }
    }
    match scenario::parse(&out) {
        Ok(_) => Ok(out),
        Err(e) => Err(format!("this cannot be written as a scenario: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        assert!(
            matches!(parse("web$ ping -c1 db"), Ok(What::Command { place, line }) if place == "web" && line == "ping -c1 db")
        );
        assert!(matches!(parse(" client> tcp 10.0.0.2:80 "), Ok(What::Probe { place, .. }) if place == "client"));
        assert!(parse("ping db").is_err());
        assert!(parse("client> fly").is_err());
        assert!(parse("client> curl http://10.0.0.2/").is_err_and(|e| e.ends_with("client$ curl http://10.0.0.2/")));
        assert!(parse("web$ ip route del default; sl").is_err_and(|e| e.starts_with("not modelled: the tool sl")));
        assert!(parse("$ ls").is_err());
    }
}
