//! What pflag finds wrong with the options of a command line, in its words.

use super::flags::truth;

/// Options that a command of Docker has, modelled or not.
pub struct Has {
    /// With a value.
    pub values: &'static [&'static str],
    /// Without.
    pub switches: &'static [&'static str],
    /// Letters and the long names that they stand for.
    pub letters: &'static [(char, &'static str)],
    /// Options may follow other words.
    pub interspersed: bool,
}

impl Has {
    fn long(&self, letter: char) -> Option<&'static str> {
        self.letters.iter().find(|(c, _)| *c == letter).map(|(_, n)| *n)
    }

    /// An option as the sentences about its value name it: `-n, --last`.
    fn shown(&self, name: &str) -> String {
        match self.letters.iter().find(|(_, n)| *n == name) {
            Some((c, _)) => format!("-{c}, --{name}"),
            None => format!("--{name}"),
        }
    }
}

/// What one word of a command line is.
enum Word<'a> {
    /// Options with their values.
    Given(Vec<(&'a str, &'a str)>),
    /// An option whose value is the next word, after others without, and how it is called where there is none.
    Open(Vec<(&'a str, &'a str)>, &'a str, String),
    /// No option.
    Plain,
    /// Nothing that follows is an option.
    End,
    /// An option that the command does not have.
    Unknown(String),
}

fn word<'a>(a: &'a str, has: &Has) -> Word<'a> {
    if a == "--" {
        return Word::End;
    }
    if let Some(long) = a.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v)));
        return match (has.values.contains(&name), value) {
            (true, None) => Word::Open(Vec::new(), name, a.to_owned()),
            (true, Some(v)) => Word::Given(vec![(name, v)]),
            _ if has.switches.contains(&name) || name == "help" => Word::Given(vec![(name, value.unwrap_or("true"))]),
            _ => Word::Unknown(format!("unknown flag: --{name}")),
        };
    }
    let Some(letters) = a.strip_prefix('-').filter(|l| !l.is_empty()) else { return Word::Plain };
    let mut given = Vec::new();
    for (i, c) in letters.char_indices() {
        let rest = &letters[i + c.len_utf8()..];
        let Some(name) = has.long(c) else {
            if c == 'h' {
                return Word::Given(given);
            }
            return Word::Unknown(format!("unknown shorthand flag: '{c}' in -{}", &letters[i..]));
        };
        match rest.strip_prefix('=') {
            Some(v) if !v.is_empty() => given.push((name, v)),
            _ if has.switches.contains(&name) => {
                given.push((name, "true"));
                continue;
            }
            _ if rest.is_empty() => return Word::Open(given, name, format!("'{c}' in -{}", &letters[i..])),
            _ => given.push((name, rest)),
        }
        break;
    }
    Word::Given(given)
}

/// Options whose values are numbers.
const NUMBERS: [&str; 14] = [
    "blkio-weight",
    "cpu-period",
    "cpu-quota",
    "cpu-shares",
    "gw-priority",
    "health-retries",
    "last",
    "memory-swappiness",
    "oom-score-adj",
    "pids-limit",
    "stop-timeout",
    "time",
    "timeout",
    "max-snapshots",
];

/// Options whose values are numbers without a sign.
const UNSIGNED: [&str; 2] = ["data-path-port", "default-addr-pool-mask-length"];

/// What is wrong with the value of an option, whatever the command.
fn odd(name: &str, value: &str, has: &Has) -> Option<String> {
    let number = |what: &str, e: &std::num::ParseIntError| {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        let why = match e.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.{what}: parsing \"{value}\": {why}")
    };
    let why = match name {
        _ if has.switches.contains(&name) => {
            truth(value).is_none().then(|| format!("strconv.ParseBool: parsing \"{value}\": invalid syntax"))?
        }
        _ if NUMBERS.contains(&name) => number("ParseInt", &value.parse::<i64>().err()?),
        _ if UNSIGNED.contains(&name) => number("ParseUint", &value.parse::<u32>().err()?),
        // opts.FilterOpt.
        "filter" if !value.is_empty() && !value.contains('=') => {
            "bad format of filter (expected name=value)".to_owned()
        }
        // opts.ValidateLabel.
        "label" if value.split('=').next().is_some_and(|k| k.trim().is_empty()) => {
            format!("invalid label '{value}': empty name")
        }
        _ => return None,
    };
    Some(format!("invalid argument \"{value}\" for \"{}\" flag: {why}", has.shown(name)))
}

/// pflag's sentence for the first option that a command does not have, that has no value, or an odd one.
pub fn fault(args: &[String], has: &Has) -> Option<String> {
    let mut it = args.iter();
    while let Some(a) = it.next() {
        let mut given = match word(a, has) {
            Word::End => return None,
            Word::Plain if !has.interspersed => return None,
            Word::Plain => continue,
            Word::Unknown(e) => return Some(e),
            Word::Given(all) => all.into_iter().map(|(n, v)| (n, v.to_owned())).collect::<Vec<_>>(),
            Word::Open(all, name, shown) => {
                let all = all.into_iter().map(|(n, v)| (n, v.to_owned()));
                match it.next() {
                    Some(v) => all.chain([(name, v.clone())]).collect(),
                    None => return Some(format!("flag needs an argument: {shown}")),
                }
            }
        };
        if let Some(e) = given.drain(..).find_map(|(n, v)| odd(n, &v, has)) {
            return Some(e);
        }
    }
    None
}

/// The words that are no options.
pub fn plain(args: &[String], has: &Has) -> Vec<String> {
    let (mut all, mut i) = (Vec::new(), 0);
    while let Some(a) = args.get(i) {
        match word(a, has) {
            Word::End => {
                all.extend_from_slice(&args[i + 1..]);
                break;
            }
            Word::Plain if !has.interspersed => return args[i..].to_vec(),
            Word::Plain => all.push(a.clone()),
            Word::Open(..) => i += 1,
            _ => {}
        }
        i += 1;
    }
    all
}
