//! `getopt_long(3)` of glibc, in the mode in which every word is returned in order.
//!
//! iptables looks at `argv[optind - 1]` in places and learns new options while it reads: so this keeps the index
//! as glibc does, and takes the options anew with every call.

/// Whether an option has a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// No.
    No,
    /// The rest of the word, or the next one.
    Yes,
    /// Only the rest of the word.
    Maybe,
}

/// A long option.
#[derive(Clone, Copy, Debug)]
pub struct Long {
    /// Without the dashes.
    pub name: &'static str,
    /// Its value.
    pub arg: Arg,
    /// What it is returned as.
    pub code: Code,
}

/// What a word of the command line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// A basic option, by its letter.
    Short(char),
    /// An option of an extension: number of the loaded extension, number of the option there.
    Ext(usize, u8),
    /// No option.
    Word,
    /// An option whose value is missing (`:`).
    Missing,
    /// No such option (`?`).
    Unknown,
}

/// Where reading stands.
#[derive(Debug)]
pub struct Getopt {
    /// All words.
    pub argv: Vec<String>,
    /// The next word.
    pub optind: usize,
    /// Value of the last option, or the word itself.
    pub optarg: Option<String>,
    /// Letters of the present word yet to be read.
    rest: Option<String>,
}

impl Getopt {
    /// Before the first word after the tool's name.
    pub fn new(argv: Vec<String>) -> Self {
        Getopt { argv, optind: 1, optarg: None, rest: None }
    }

    /// The word before the next one.
    pub fn last(&self) -> &str {
        self.argv.get(self.optind.wrapping_sub(1)).map_or("", String::as_str)
    }

    /// The next word is a value and no option (`xs_has_arg`): takes it.
    pub fn take_value(&mut self) -> Option<String> {
        let w = self.argv.get(self.optind).filter(|w| !w.starts_with(['-', '!']))?.clone();
        self.optind += 1;
        Some(w)
    }

    /// The next option; none at the end.
    pub fn next(&mut self, short: &[(char, Arg)], long: &[Long]) -> Option<Code> {
        self.optarg = None;
        let letters = match self.rest.take() {
            Some(r) => r,
            None => {
                let word = self.argv.get(self.optind)?;
                if word == "--" {
                    self.optind += 1;
                    return None;
                }
                if !word.starts_with('-') || word.len() == 1 {
                    self.optarg = Some(word.clone());
                    self.optind += 1;
                    return Some(Code::Word);
                }
                if let Some(l) = word.strip_prefix("--") {
                    let l = l.to_owned();
                    return Some(self.long(&l, long));
                }
                word[1..].to_owned()
            }
        };
        Some(self.short(&letters, short))
    }

    fn long(&mut self, text: &str, long: &[Long]) -> Code {
        self.optind += 1;
        let (name, value) = match text.split_once('=') {
            Some((n, v)) => (n, Some(v)),
            None => (text, None),
        };
        let Some(found) = find(name, long) else { return Code::Unknown };
        match (found.arg, value) {
            (Arg::No, Some(_)) => return Code::Unknown,
            (Arg::Yes, None) => match self.argv.get(self.optind) {
                Some(w) => {
                    self.optarg = Some(w.clone());
                    self.optind += 1;
                }
                None => return Code::Missing,
            },
            (_, v) => self.optarg = v.map(str::to_owned),
        }
        found.code
    }

    fn short(&mut self, letters: &str, short: &[(char, Arg)]) -> Code {
        let mut chars = letters.chars();
        let Some(c) = chars.next() else { return Code::Unknown };
        let rest = chars.as_str();
        if rest.is_empty() {
            self.optind += 1;
        }
        let known = short.iter().find(|(s, _)| *s == c);
        match known.map(|k| k.1) {
            Some(Arg::Yes | Arg::Maybe) if !rest.is_empty() => {
                self.optarg = Some(rest.to_owned());
                self.optind += 1;
            }
            Some(Arg::Yes) => match self.argv.get(self.optind) {
                Some(w) => {
                    self.optarg = Some(w.clone());
                    self.optind += 1;
                }
                None => return Code::Missing,
            },
            _ => self.rest = (!rest.is_empty()).then(|| rest.to_owned()),
        }
        known.map_or(Code::Unknown, |_| Code::Short(c))
    }
}

/// An option by its name, or by the start of it where that is enough.
fn find<'l>(name: &str, long: &'l [Long]) -> Option<&'l Long> {
    if let Some(l) = long.iter().find(|l| l.name == name) {
        return Some(l);
    }
    let mut starts = long.iter().filter(|l| l.name.starts_with(name));
    let first = starts.next()?;
    starts.all(|l| l.arg == first.arg && l.code == first.code).then_some(first)
}
