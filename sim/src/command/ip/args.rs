//! The words of an `ip` command, one after the other, and what `ip` says to wrong ones (lib/utils.c).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::command::{Exit, Proc, Refusal};
use crate::etc;

/// Why a command is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// What the tool prints to standard error, and its exit status.
    Say(String, i32),
    /// The same where the tool calls `exit` on the spot: the rest of a batch is not done either.
    Exit(String, i32),
    /// What the tool prints to standard output, successfully.
    Print(String),
    /// What the model lacks.
    Refused(Refusal),
}

impl Bad {
    /// The tool exits on the spot (`exit(-1)` of a usage, `exit(1)` of an address), instead of returning it.
    pub fn exits(&self) -> bool {
        matches!(self, Bad::Exit(..) | Bad::Say(_, 255) | Bad::Print(_))
    }

    /// Ends a command with it.
    ///
    /// # Errors
    /// The refusal.
    pub fn tell(self, p: &mut Proc<'_>) -> Exit {
        match self {
            Bad::Say(text, code) | Bad::Exit(text, code) => {
                p.err.push_str(&text);
                Ok(code)
            }
            Bad::Print(text) => {
                p.out.push_str(&text);
                Ok(0)
            }
            Bad::Refused(r) => Err(r),
        }
    }
}

/// `matches()`: a word may be cut short.
pub fn matches(word: &str, full: &str) -> bool {
    !word.is_empty() && full.starts_with(word)
}

/// The words of a command line.
#[derive(Clone, Debug)]
pub struct Args<'a> {
    argv: &'a [String],
    i: usize,
}

impl<'a> Args<'a> {
    /// All words but the tool's name.
    pub fn new(argv: &'a [String]) -> Self {
        Args { argv, i: 1 }
    }

    /// The next word, which stays.
    pub fn peek(&self) -> Option<&'a str> {
        self.argv.get(self.i).map(String::as_str)
    }

    /// Passes a word over.
    pub fn skip(&mut self) {
        self.i += 1;
    }

    /// The next word.
    #[expect(clippy::should_implement_trait, reason = "an iterator's other methods make no sense here")]
    pub fn next(&mut self) -> Option<&'a str> {
        let w = self.peek();
        self.i += usize::from(w.is_some());
        w
    }

    /// The next word is this one: it is taken.
    pub fn take(&mut self, word: &str) -> bool {
        let hit = self.peek() == Some(word);
        self.i += usize::from(hit);
        hit
    }

    /// The rest of the words.
    pub fn rest(&mut self) -> &'a [String] {
        let r = &self.argv[self.i.min(self.argv.len())..];
        self.i = self.argv.len();
        r
    }

    /// The value of an option (`NEXT_ARG`).
    ///
    /// # Errors
    /// There is none.
    pub fn value(&mut self) -> Result<&'a str, Bad> {
        self.next().ok_or_else(|| Bad::Say("Command line is not complete. Try option \"help\"\n".into(), 255))
    }

    /// A refusal about the next word.
    pub fn refuse(&self, what: &str) -> Bad {
        Bad::Refused(Refusal::new(what, self.i))
    }

    /// A refusal about the word just taken.
    pub fn refuse_last(&self, what: &str) -> Bad {
        Bad::Refused(Refusal::new(what, self.i.saturating_sub(1)))
    }

    /// A number.
    ///
    /// # Errors
    /// `argument "x" is wrong: …`.
    pub fn number<T: TryFrom<u64>>(&mut self, what: &str) -> Result<T, Bad> {
        let v = self.value()?;
        parse_u64(v).and_then(|n| T::try_from(n).ok()).ok_or_else(|| invarg(what, v))
    }

    /// `on` or `off`, as a flag of a device is given.
    ///
    /// # Errors
    /// `argument of "x" must be "on" or "off"`.
    pub fn on_off(&mut self, option: &str) -> Result<bool, Bad> {
        self.switch(option, "\"on\" or \"off\"")
    }

    /// `on` or `off`, as a setting of a bridge port is given (`parse_on_off`).
    ///
    /// # Errors
    /// `argument of "x" must be one of "off", "on"`.
    pub fn off_on(&mut self, option: &str) -> Result<bool, Bad> {
        self.switch(option, "one of \"off\", \"on\"")
    }

    fn switch(&mut self, option: &str, words: &str) -> Result<bool, Bad> {
        match self.value()? {
            "on" => Ok(true),
            "off" => Ok(false),
            v => Err(Bad::Say(format!("Error: argument of \"{option}\" must be {words}, not \"{v}\"\n"), 1)),
        }
    }

    /// An address (`get_addr`).
    ///
    /// # Errors
    /// It is none.
    pub fn addr(&mut self, family: &str) -> Result<Ipv4Addr, Bad> {
        let v = self.value()?;
        if v.contains(':') {
            return Err(self.refuse_last("IPv6 addresses: IPv6 is not modelled"));
        }
        parse_addr(v).ok_or_else(|| expected(&format!("{family} address"), v))
    }

    /// A prefix (`get_prefix`); says whether bits beyond it were set.
    ///
    /// # Errors
    /// It is none.
    pub fn prefix(&mut self, family: &str) -> Result<(Ipv4Net, bool), Bad> {
        let v = self.value()?;
        if v.contains(':') {
            return Err(self.refuse_last("IPv6 addresses: IPv6 is not modelled"));
        }
        parse_prefix(v, family)
    }

    /// A prefix that keeps the host's bits, as rules do.
    ///
    /// # Errors
    /// It is none.
    pub fn host_prefix(&mut self, family: &str) -> Result<Ipv4Net, Bad> {
        let v = self.value()?;
        if v.contains(':') {
            return Err(self.refuse_last("IPv6 addresses: IPv6 is not modelled"));
        }
        host_net(v, family)
    }
}

/// A prefix that keeps the host's bits.
///
/// # Errors
/// It is none.
pub fn host_net(v: &str, family: &str) -> Result<Ipv4Net, Bad> {
    let (net, _) = parse_prefix(v, family)?;
    // What `parse_prefix` took for an address is one; `default` and its like have no bits to keep.
    let addr = parse_addr(v.split('/').next().unwrap_or(v)).unwrap_or(net.addr());
    Ok(Ipv4Net::new(addr, net.prefix_len()).unwrap_or(net))
}

/// `invarg`.
pub fn invarg(msg: &str, arg: &str) -> Bad {
    Bad::Say(format!("Error: argument \"{arg}\" is wrong: {msg}\n"), 255)
}

/// What `get_addr` and `get_prefix` exit with.
pub fn expected(what: &str, v: &str) -> Bad {
    Bad::Exit(format!("Error: {what} is expected rather than \"{v}\".\n"), 1)
}

/// A number as `strtoul` reads it: decimal, or hexadecimal with `0x`.
pub fn parse_u64(v: &str) -> Option<u64> {
    match v.strip_prefix("0x").or_else(|| v.strip_prefix("0X")) {
        Some(h) => u64::from_str_radix(h, 16).ok(),
        None => v.parse().ok(),
    }
}

/// An address; missing bytes at the end are zero (`inet_aton` as iproute2 does it).
pub fn parse_addr(v: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = v.split('.').collect();
    if parts.len() > 4 || v.is_empty() {
        return None;
    }
    let mut o = [0u8; 4];
    for (i, p) in parts.iter().enumerate() {
        o[i] = p.parse().ok().filter(|_| p.len() <= 3 && !p.starts_with('+'))?;
    }
    Some(o.into())
}

/// A prefix; `default`, `any` and `all` are everything, an address alone is itself.
///
/// # Errors
/// It is none.
pub fn parse_prefix(v: &str, family: &str) -> Result<(Ipv4Net, bool), Bad> {
    if matches!(v, "default" | "any" | "all") {
        return Ok((Ipv4Net::default(), false));
    }
    let bad = || expected(&format!("{family} prefix"), v);
    let (a, len) = match v.split_once('/') {
        Some((a, l)) => {
            let len = match l.parse::<u8>() {
                Ok(n) => n,
                // A mask such as 255.255.0.0.
                Err(_) => {
                    let m = u32::from(l.parse::<Ipv4Addr>().map_err(|_| bad())?);
                    if m.leading_ones() != m.count_ones() {
                        return Err(bad());
                    }
                    m.count_ones() as u8
                }
            };
            (a, len)
        }
        None => (v, 32),
    };
    let a = parse_addr(a).ok_or_else(bad)?;
    let n = Ipv4Net::new(a, len).map_err(|_| bad())?;
    Ok((n.trunc(), n.trunc() != n))
}

/// An address with a prefix length as `ip addr` takes it: the host's bits stay.
///
/// # Errors
/// It is none.
pub fn parse_host_prefix(v: &str) -> Result<(Ipv4Addr, u8, bool), Bad> {
    let bad = || expected("any valid prefix", v);
    let (a, len, given) = match v.split_once('/') {
        Some((a, l)) => {
            let n = match l.parse::<u8>() {
                Ok(n) => n,
                Err(_) => u32::from(l.parse::<Ipv4Addr>().map_err(|_| bad())?).count_ones() as u8,
            };
            (a, n, true)
        }
        None => (v, 32, false),
    };
    if len > 32 {
        return Err(bad());
    }
    Ok((parse_addr(a).ok_or_else(bad)?, len, given))
}

/// A table by number or name.
pub fn table(v: &str) -> Option<u32> {
    if v == "all" {
        return Some(0);
    }
    etc::rt_table(v).or_else(|| parse_u64(v)?.try_into().ok())
}

/// A table as a command names it: all of them by name, one by number.
pub fn table_word(t: u32) -> String {
    if t == 0 { "all".into() } else { t.to_string() }
}

/// Who made a route, by number or name.
pub fn proto(v: &str) -> Option<u8> {
    etc::rt_proto(v).or_else(|| parse_u64(v)?.try_into().ok())
}

/// A scope by number or name; `universe` is an older word.
pub fn scope(v: &str) -> Option<u8> {
    let v = if v == "universe" { "global" } else { v };
    etc::rt_scope(v).or_else(|| parse_u64(v)?.try_into().ok())
}

/// A protocol over IP, by decimal number or name (`inet_proto_a2n`).
pub fn inet_proto(v: &str) -> Option<u8> {
    v.parse().ok().or_else(|| etc::protocol(v))
}
