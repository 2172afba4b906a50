//! Options of extensions as libxtables reads them (`xtables_option_parse`): a table of entries, each with the type
//! of its value and what it goes together with.

use super::super::fail::Fail;
use super::super::number::{leading, whole};
use super::super::{addr, names};
use crate::wire::MacAddr;

/// Type of a value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Ty {
    /// No value.
    None,
    /// A number of 8 bits.
    U8,
    /// A number of 16 bits.
    U16,
    /// A number of 32 bits.
    U32,
    /// A number of 64 bits.
    U64,
    /// `A:B` of 16 bits each.
    U16Range,
    /// `A:B` of 32 bits each.
    U32Range,
    /// `A:B` of 64 bits each.
    U64Range,
    /// A number with a point.
    Double,
    /// Any text.
    Text,
    /// `VALUE/MASK`.
    Mark,
    /// `VALUE/MASK` or the name of a type of service; the mask of a name.
    Tos(u8),
    /// A syslog level by number or name.
    Level,
    /// An address, with a mask after `/`.
    HostMask,
    /// An address.
    Host,
    /// A protocol.
    Proto,
    /// Ports `A:B`.
    Ports,
    /// A prefix length or mask.
    Plen,
    /// A MAC address.
    Mac,
    /// Two words.
    Two,
}

/// An option.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Opt {
    /// Without the dashes.
    pub name: &'static str,
    /// Its number within the extension; options of one number are names of one thing.
    pub id: u8,
    /// Type of the value.
    pub ty: Ty,
    /// May be negated.
    pub inv: bool,
    /// Must be given.
    pub mand: bool,
    /// May be given again.
    pub multi: bool,
    /// Numbers of options that it may not stand together with, one bit each.
    pub excl: u32,
    /// Numbers of options that it needs.
    pub also: u32,
    /// Bounds of a number, or of the length of a text; 0 for those of the type.
    pub min: u64,
    /// See `min`.
    pub max: u64,
}

/// An option without any conditions.
pub const fn opt(name: &'static str, id: u8, ty: Ty) -> Opt {
    Opt { name, id, ty, inv: false, mand: false, multi: false, excl: 0, also: 0, min: 0, max: 0 }
}

impl Opt {
    /// May be negated.
    pub const fn inv(mut self) -> Self {
        self.inv = true;
        self
    }

    /// Must be given.
    pub const fn mand(mut self) -> Self {
        self.mand = true;
        self
    }

    /// May be given again.
    pub const fn multi(mut self) -> Self {
        self.multi = true;
        self
    }

    /// Not together with these.
    pub const fn excl(mut self, mask: u32) -> Self {
        self.excl = mask;
        self
    }

    /// Only together with these.
    pub const fn also(mut self, mask: u32) -> Self {
        self.also = mask;
        self
    }

    /// Bounds.
    pub const fn range(mut self, min: u64, max: u64) -> Self {
        self.min = min;
        self.max = max;
        self
    }
}

/// A value that was read.
#[derive(Clone, PartialEq, Debug)]
pub enum Val {
    /// None.
    None,
    /// A number.
    Num(u64),
    /// Parts of a range as given, and how many.
    Range(u64, u64, usize),
    /// A number with a point.
    Double(f64),
    /// Text.
    Text,
    /// Value and mask.
    Masked(u32, u32),
    /// A MAC address.
    Mac(MacAddr),
    /// The second of two words.
    Second(String),
}

/// An option that was given.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// Which.
    pub opt: Opt,
    /// Its value as written.
    pub arg: String,
    /// Its value as read.
    pub val: Val,
    /// Negated.
    pub inv: bool,
}

impl Item {
    /// The value as a number; 0 for what is none.
    pub fn num(&self) -> u64 {
        match self.val {
            Val::Num(n) => n,
            _ => 0,
        }
    }

    /// The value as a number that its type kept within 32 bits.
    pub fn u32(&self) -> u32 {
        u32::try_from(self.num()).unwrap_or(u32::MAX)
    }

    /// The value as a number that its type kept within 8 bits.
    pub fn u8(&self) -> u8 {
        u8::try_from(self.num()).unwrap_or(u8::MAX)
    }

    /// Value and mask.
    pub fn masked(&self) -> (u32, u32) {
        match self.val {
            Val::Masked(v, m) => (v, m),
            _ => (0, 0),
        }
    }

    /// Ports from .. to.
    pub fn ports(&self) -> (u16, u16) {
        match self.val {
            Val::Range(a, b, _) => (u16::try_from(a).unwrap_or(u16::MAX), u16::try_from(b).unwrap_or(u16::MAX)),
            _ => (0, u16::MAX),
        }
    }
}

/// Options given to an extension, in order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Given {
    /// Each with its value.
    pub items: Vec<Item>,
}

impl Given {
    /// The last option of a number.
    pub fn get(&self, id: u8) -> Option<&Item> {
        self.items.iter().rev().find(|i| i.opt.id == id)
    }

    /// An option of this number was given.
    pub fn has(&self, id: u8) -> bool {
        self.get(id).is_some()
    }

    /// Numbers of the options given, one bit each.
    pub fn flags(&self) -> u32 {
        self.items.iter().fold(0, |f, i| f | 1 << i.opt.id)
    }
}

/// Reads an option; `next` is the word that follows, for options of two.
pub fn read(ext: &str, o: &Opt, arg: Option<&str>, next: Option<&str>, inv: bool, g: &Given) -> Result<Item, Fail> {
    let name = o.name;
    if !o.multi && g.has(o.id) {
        return Err(Fail::param(format!("{ext}: option \"--{name}\" can only be used once.\n")));
    }
    if inv && !o.inv {
        return Err(Fail::param(format!("{ext}: option \"--{name}\" cannot be inverted.\n")));
    }
    let arg = arg.unwrap_or("");
    let val = value(ext, o, arg, next)?;
    Ok(Item { opt: *o, arg: arg.to_owned(), val, inv })
}

fn value(ext: &str, o: &Opt, arg: &str, next: Option<&str>) -> Result<Val, Fail> {
    Ok(match o.ty {
        Ty::None => Val::None,
        Ty::U8 => Val::Num(int(ext, o, arg, u64::from(u8::MAX))?),
        Ty::U16 => Val::Num(int(ext, o, arg, u64::from(u16::MAX))?),
        Ty::U32 => Val::Num(int(ext, o, arg, u64::from(u32::MAX))?),
        Ty::U64 => Val::Num(int(ext, o, arg, u64::MAX)?),
        Ty::U16Range => range(ext, o, arg, u64::from(u16::MAX))?,
        Ty::U32Range => range(ext, o, arg, u64::from(u32::MAX))?,
        Ty::U64Range => range(ext, o, arg, u64::MAX)?,
        Ty::Double => Val::Double(double(ext, o, arg)?),
        Ty::Text => text(o, arg)?,
        Ty::Mark => mark(ext, o, arg)?,
        Ty::Tos(mask) => tos(arg, mask)?,
        Ty::Level => Val::Num(level(arg)?),
        Ty::Host => Val::Masked(host(arg)?, u32::MAX),
        Ty::HostMask => match arg.split_once('/') {
            Some((a, m)) => Val::Masked(host(a)?, plen(ext, o, m)?),
            None => Val::Masked(host(arg)?, u32::MAX),
        },
        Ty::Plen => Val::Masked(0, plen(ext, o, arg)?),
        Ty::Proto => match names::protocol(arg) {
            Some(p) => Val::Num(u64::from(p)),
            None => return Err(Fail::param(format!("unknown protocol \"{arg}\" specified"))),
        },
        Ty::Ports => ports(ext, o, arg)?,
        Ty::Mac => Val::Mac(mac(arg).ok_or_else(|| Fail::param("Invalid MAC address specified."))?),
        Ty::Two => Val::Second(next.unwrap_or("").to_owned()),
    })
}

fn int(ext: &str, o: &Opt, arg: &str, max: u64) -> Result<u64, Fail> {
    let max = if o.max == 0 { max } else { o.max };
    whole(arg, o.min, max).ok_or_else(|| {
        let (name, min) = (o.name, o.min);
        Fail::param(format!("{ext}: bad value for option \"--{name}\", or out of range ({min}-{max}).\n"))
    })
}

/// Numbers with colons between them; an empty first one is 0, an empty second one as big as can be.
fn range(ext: &str, o: &Opt, arg: &str, max: u64) -> Result<Val, Fail> {
    let name = o.name;
    let (mut got, mut n, mut left) = ([0u64; 2], 0, arg);
    loop {
        if n == 2 {
            let text = format!("{ext}: Too many components for option \"--{name}\" (max: 2)\n");
            return Err(Fail::param(text));
        }
        let rest = if left.is_empty() || left.starts_with(':') {
            got[n] = if n == 1 { max } else { 0 };
            left
        } else {
            let Some((v, rest)) = leading(left).filter(|(v, _)| *v <= max) else {
                let text =
                    format!("{ext}: bad value for option \"--{name}\" near \"{left}\", or out of range (0-{max}).\n");
                return Err(Fail::param(text));
            };
            got[n] = v;
            rest
        };
        n += 1;
        match rest.strip_prefix(':') {
            Some(more) => left = more,
            None if rest.is_empty() => return Ok(Val::Range(got[0], got[1], n)),
            None => {
                let text = format!("{ext}: Argument to \"--{name}\" has unexpected characters near \"{rest}\".\n");
                return Err(Fail::param(text));
            }
        }
    }
}

fn double(ext: &str, o: &Opt, arg: &str) -> Result<f64, Fail> {
    let bounded = o.min != o.max;
    #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
    let fits = |v: f64| !bounded || (v >= o.min as f64 && v <= o.max as f64);
    arg.trim_start().parse::<f64>().ok().filter(|v| v.is_finite() && fits(*v)).ok_or_else(|| {
        let Opt { name, min, max, .. } = o;
        Fail::param(format!("{ext}: bad value for option \"--{name}\", or out of range ({min}-{max}).\n"))
    })
}

fn text(o: &Opt, arg: &str) -> Result<Val, Fail> {
    let n = arg.len() as u64;
    if o.min != 0 && n < o.min {
        return Err(Fail::param(format!("Argument must have a minimum length of {} characters\n", o.min)));
    }
    if o.max != 0 && n > o.max {
        return Err(Fail::param(format!("Argument must have a maximum length of {} characters\n", o.max)));
    }
    Ok(Val::Text)
}

/// `VALUE/MASK` (`xtopt_parse_markmask`).
fn mark(ext: &str, o: &Opt, arg: &str) -> Result<Val, Fail> {
    let name = o.name;
    let number = |t| leading(t).and_then(|(v, rest)| Some((u32::try_from(v).ok()?, rest)));
    let bad = || Fail::param(format!("{ext}: bad integer value for option \"--{name}\", or out of range.\n"));
    let (value, rest) = number(arg).ok_or_else(bad)?;
    let (mask, rest) = match rest.strip_prefix('/') {
        Some(m) => number(m).ok_or_else(bad)?,
        None => (u32::MAX, rest),
    };
    if !rest.is_empty() {
        return Err(Fail::param(format!("{ext}: trailing garbage after value for option \"--{name}\".\n")));
    }
    Ok(Val::Masked(value, mask))
}

/// Types of service that have a name.
pub const TOS_NAMES: [(&str, u8); 5] = [
    ("Minimize-Delay", 0x10),
    ("Maximize-Throughput", 0x08),
    ("Maximize-Reliability", 0x04),
    ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
];

fn tos(arg: &str, mask_of_name: u8) -> Result<Val, Fail> {
    let illegal = || Fail::param(format!("Illegal value: \"{arg}\""));
    let byte = |t| leading(t).filter(|(v, _)| *v <= 255);
    if whole(arg, 0, 255).is_some() || byte(arg).is_some_and(|(_, rest)| rest.starts_with('/')) {
        let (value, rest) = byte(arg).ok_or_else(illegal)?;
        let (mask, rest) = match rest.strip_prefix('/') {
            Some(m) => byte(m).ok_or_else(illegal)?,
            None => (255, rest),
        };
        if !rest.is_empty() {
            return Err(illegal());
        }
        return Ok(Val::Masked(u32::try_from(value).unwrap_or(0), u32::try_from(mask).unwrap_or(0)));
    }
    match TOS_NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(arg)) {
        Some((_, v)) => Ok(Val::Masked(u32::from(*v), u32::from(mask_of_name))),
        None => Err(Fail::param(format!("Symbolic name \"{arg}\" is unknown"))),
    }
}

fn level(arg: &str) -> Result<u64, Fail> {
    if let Some(n) = whole(arg, 0, 7) {
        return Ok(n);
    }
    const LEVELS: [(&str, u64); 9] = [
        ("alert", 1),
        ("crit", 2),
        ("debug", 7),
        ("emerg", 0),
        ("error", 3),
        ("info", 6),
        ("notice", 5),
        ("panic", 0),
        ("warning", 4),
    ];
    match LEVELS.iter().find(|(n, _)| *n == arg) {
        Some((_, v)) => Ok(*v),
        None => Err(Fail::param(format!("log level \"{arg}\" unknown\n"))),
    }
}

/// An address as `getaddrinfo(3)` reads it: a name is looked up, and there is nobody to ask.
fn host(arg: &str) -> Result<u32, Fail> {
    if arg == "localhost" {
        return Ok(0x7f00_0001);
    }
    addr::aton(arg).ok_or_else(|| {
        let why = if arg.is_empty() { "Name or service not known" } else { "Temporary failure in name resolution" };
        Fail::param(format!("getaddrinfo: {why}\n"))
    })
}

/// A number of bits, or a mask as an address; one that is no prefix comes out as all ones.
fn plen(ext: &str, o: &Opt, arg: &str) -> Result<u32, Fail> {
    if let Some(n) = whole(arg, 0, 32) {
        return Ok(addr::from_bits(u32::try_from(n).unwrap_or(32)));
    }
    let name = o.name;
    let mask = addr::aton(arg).ok_or_else(|| {
        Fail::param(format!(
            "{ext}: bad value for option \"--{name}\", neither a valid network mask nor valid CIDR (0-32).\n"
        ))
    })?;
    Ok(addr::prefix_len(mask).map_or(u32::MAX, addr::from_bits))
}

fn ports(ext: &str, o: &Opt, arg: &str) -> Result<Val, Fail> {
    let mut got = [0u64, 65535];
    let mut n = 0;
    for part in arg.split(':') {
        if n == 2 {
            let name = o.name;
            let text = format!("{ext}: Too many components for option \"--{name}\" (max: 2)\n");
            return Err(Fail::param(text));
        }
        if !part.is_empty() {
            let Some(p) = names::any_port(part) else {
                return Err(Fail::param(format!("Port \"{part}\" does not resolve to anything.\n")));
            };
            got[n] = u64::from(p);
        }
        n += 1;
    }
    if n == 1 {
        got[1] = got[0];
    }
    Ok(Val::Range(got[0], got[1], n))
}

/// Six numbers of one or two hexadecimal digits.
fn mac(arg: &str) -> Option<MacAddr> {
    let mut bytes = [0u8; 6];
    let parts: Vec<&str> = arg.split(':').collect();
    if parts.len() != 6 {
        return None;
    }
    for (to, p) in bytes.iter_mut().zip(&parts) {
        if p.len() > 2 {
            return None;
        }
        *to = if p.is_empty() { 0 } else { u8::from_str_radix(p, 16).ok()? };
    }
    Some(MacAddr(bytes))
}

/// What must hold of the options as a whole (`xtables_options_fcheck`).
pub fn finish(ext: &str, opts: &[Opt], g: &Given) -> Result<(), Fail> {
    let flags = g.flags();
    for o in opts {
        let name = o.name;
        if o.mand && flags & 1 << o.id == 0 {
            return Err(Fail::param(format!("{ext}: option \"--{name}\" must be specified\n")));
        }
        if flags & 1 << o.id == 0 {
            continue;
        }
        for id in (0..32).filter(|i| *i != o.id) {
            let Some(other) = opts.iter().find(|p| p.id == id) else { continue };
            let (bit, there) = (1 << id, flags & 1 << id != 0);
            if o.also & bit != 0 && !there {
                let text = format!("{ext}: option \"--{name}\" also requires \"--{}\".\n", other.name);
                return Err(Fail::param(text));
            }
            if o.excl & bit != 0 && there {
                let text = format!("{ext}: option \"--{name}\" cannot be used together with \"--{}\".\n", other.name);
                return Err(Fail::param(text));
            }
        }
    }
    Ok(())
}
