//! Parts of a line of a dump.

use crate::command::iptables::fail::Fail;
use crate::command::iptables::number;
use crate::kernel::xtables::Counters;

/// Most bytes of an argument (`struct xt_param_buf`).
const PARAM_MAX: usize = 1024;
/// Most arguments of a line (`MAX_ARGC`).
const ARGS_MAX: usize = 255;

/// Words with spaces, tabs and line ends between them.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '\n']).filter(|w| !w.is_empty())
}

/// `[PACKETS:BYTES]` of a policy, whatever follows (`sscanf`).
pub fn counters(text: &str) -> Option<Counters> {
    let (packets, rest) = digits(text.strip_prefix('[')?)?;
    let (bytes, _) = digits(rest.strip_prefix(':')?)?;
    Some(Counters { packets, bytes })
}

fn digits(text: &str) -> Option<(u64, &str)> {
    let value = number::scan(text)?;
    let t = text.trim_start().trim_start_matches('+');
    Some((value, t.trim_start_matches(|c: char| c.is_ascii_digit())))
}

/// Packets and bytes as they are written.
pub type Written<'l> = (&'l str, &'l str);

/// The counters before a rule as they are written, and the rest of the line.
pub fn rule_counters(line: &str, n: usize) -> Result<(Option<Written<'_>>, &str), Fail> {
    let Some(text) = line.strip_prefix('[') else { return Ok((None, line)) };
    let need = |what: char| Fail::param(format!("Bad line {n}: need {what}"));
    let end = text.find(']').ok_or_else(|| need(']'))?;
    let rest = &text[end + 1..];
    // strtok: separators at the start are passed over, and the last part goes up to where it finds one.
    let t = text.trim_start_matches(':');
    if t.is_empty() {
        return Err(need(':'));
    }
    let (packets, after) = t.split_once(':').ok_or_else(|| need(']'))?;
    let after = after.trim_start_matches(']');
    if after.is_empty() {
        return Err(need(']'));
    }
    let bytes = after.split(']').next().unwrap_or("");
    Ok((Some((packets, bytes)), rest))
}

/// A line as arguments: in double quotes a backslash takes away the meaning of what follows.
pub fn arguments(line: &str) -> Result<Vec<String>, Fail> {
    let mut out = Vec::new();
    let (mut word, mut quoted, mut escaped) = (String::new(), false, false);
    for c in line.chars() {
        let ends = if quoted && escaped {
            escaped = false;
            false
        } else if quoted && c == '\\' {
            escaped = true;
            continue;
        } else if c == '"' {
            quoted = !quoted;
            if quoted {
                continue;
            }
            true
        } else if !quoted && matches!(c, ' ' | '\t' | '\n') {
            if word.is_empty() {
                continue;
            }
            true
        } else {
            false
        };
        if ends {
            out.push(std::mem::take(&mut word));
        } else {
            word.push(c);
        }
        if word.len() >= PARAM_MAX {
            return Err(Fail::param("Parameter too long!"));
        }
        if out.len() >= ARGS_MAX {
            return Err(Fail::param("Parser cannot handle more arguments"));
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    Ok(out)
}
