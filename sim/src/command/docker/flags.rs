//! Options of the command line, as pflag reads them: `--name VALUE`, `--name=VALUE`, `-p VALUE`, `-pVALUE`, `-itd`.

use super::super::Refusal;

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
        self.get(name).is_some_and(|v| v == "true")
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
                    g.options.push(((*name).to_owned(), "true".into()));
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

/// Options that a command of Docker has, modelled or not.
pub struct Has {
    /// With a value.
    pub values: &'static [&'static str],
    /// Without.
    pub switches: &'static [&'static str],
    /// Letters of options with a value, and of those without.
    pub letters: (&'static str, &'static str),
    /// Options may follow other words.
    pub interspersed: bool,
}

/// What one word of a command line is.
enum Word {
    /// An option, whose value is the next word.
    Open(String),
    /// An option that needs no further word.
    Closed,
    /// No option.
    Plain,
    /// An option that the command does not have.
    Unknown(String),
}

fn word(a: &str, has: &Has) -> Word {
    if let Some(long) = a.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or(long);
        return match (has.values.contains(&name), has.switches.contains(&name)) {
            (true, _) if !long.contains('=') => Word::Open(a.to_owned()),
            (false, false) if name != "help" => Word::Unknown(format!("unknown flag: --{name}")),
            _ => Word::Closed,
        };
    }
    let Some(letters) = a.strip_prefix('-').filter(|l| !l.is_empty()) else { return Word::Plain };
    for (i, c) in letters.char_indices() {
        if has.letters.0.contains(c) {
            let last = i + c.len_utf8() == letters.len();
            return if last { Word::Open(format!("'{c}' in -{}", &letters[i..])) } else { Word::Closed };
        }
        if !has.letters.1.contains(c) && (c != 'h' || has.letters.0.contains('h')) {
            return Word::Unknown(format!("unknown shorthand flag: '{c}' in -{}", &letters[i..]));
        }
    }
    Word::Closed
}

/// pflag's sentence for the first option that a command does not have, or that has no value.
pub fn unknown(args: &[String], has: &Has) -> Option<String> {
    let mut it = args.iter();
    while let Some(a) = it.next() {
        match word(a, has) {
            _ if a == "--" => return None,
            Word::Unknown(e) => return Some(e),
            Word::Open(option) if it.next().is_none() => return Some(format!("flag needs an argument: {option}")),
            Word::Plain if !has.interspersed => return None,
            _ => {}
        }
    }
    None
}

/// How many words are no options.
pub fn positional(args: &[String], has: &Has) -> usize {
    let (mut n, mut i) = (0, 0);
    while let Some(a) = args.get(i) {
        match word(a, has) {
            _ if a == "--" => return n + args.len() - i - 1,
            Word::Plain if !has.interspersed => return args.len() - i,
            Word::Plain => n += 1,
            Word::Open(_) => i += 1,
            _ => {}
        }
        i += 1;
    }
    n
}
