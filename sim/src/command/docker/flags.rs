//! Options of the command line, as pflag reads them: `--name VALUE`, `--name=VALUE`, `-p VALUE`, `-pVALUE`, `-itd`.

use super::super::Refusal;

/// What a switch is set to (`strconv.ParseBool`).
pub fn truth(v: &str) -> Option<bool> {
    match v {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// The options of a command.
pub struct Known {
    /// With a value: long names, or one letter.
    pub values: &'static [&'static str],
    /// Without.
    pub switches: &'static [&'static str],
    /// Short letters and the long names that they stand for.
    pub short: &'static [(char, &'static str)],
}

/// What was given.
#[derive(Debug, Default)]
pub struct Given {
    /// Options in order; switches have `true`.
    pub options: Vec<(String, String)>,
    /// The rest.
    pub words: Vec<String>,
}

impl Given {
    /// The last value of an option.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// All values of an option.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The switch is on.
    pub fn on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| truth(v) == Some(true))
    }
}

/// Reads the words of a command; with `interspersed` options may follow other words.
///
/// # Errors
/// An option that is not known.
pub fn read(cmd: &str, args: &[String], k: &Known, interspersed: bool) -> Result<Given, Refusal> {
    let mut g = Given::default();
    let mut i = 0;
    while i < args.len() {
        let a = &args[i];
        let at = i;
        let refuse = || Refusal::new(format!("docker {cmd} {a}"), at);
        if a == "--" {
            g.words.extend_from_slice(&args[i + 1..]);
            break;
        }
        if let Some(long) = a.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v.to_owned())));
            if k.switches.contains(&name) {
                g.options.push((name.to_owned(), value.unwrap_or_else(|| "true".into())));
            } else if k.values.contains(&name) {
                let value = match value {
                    Some(v) => v,
                    None => {
                        i += 1;
                        args.get(i).cloned().ok_or_else(refuse)?
                    }
                };
                g.options.push((name.to_owned(), value));
            } else {
                return Err(refuse());
            }
        } else if let Some(letters) = a.strip_prefix('-').filter(|l| !l.is_empty()) {
            for (pos, c) in letters.char_indices() {
                let Some((_, name)) = k.short.iter().find(|(s, _)| *s == c) else { return Err(refuse()) };
                if k.switches.contains(name) {
                    let value = letters[pos + c.len_utf8()..].strip_prefix('=');
                    g.options.push(((*name).to_owned(), value.unwrap_or("true").to_owned()));
                    if value.is_some() {
                        break;
                    }
                    continue;
                }
                let rest = letters[pos + c.len_utf8()..].trim_start_matches('=');
                let value = if rest.is_empty() {
                    i += 1;
                    args.get(i).cloned().ok_or_else(refuse)?
                } else {
                    rest.to_owned()
                };
                g.options.push(((*name).to_owned(), value));
                break;
            }
        } else if interspersed {
            g.words.push(a.clone());
        } else {
            g.words.extend_from_slice(&args[i..]);
            break;
        }
        i += 1;
    }
    Ok(g)
}
