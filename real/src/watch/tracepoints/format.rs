//! `events/*/*/format` of tracefs: the number of a tracepoint, where its fields are, and the names of drop reasons.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::ring::Sample;

/// Where tracefs is, or can be mounted.
const TRACEFS: &str = "/sys/kernel/tracing";

/// A tracepoint.
#[derive(Clone, Debug, Default)]
pub struct Format {
    /// Its number, as perf takes it.
    pub id: u64,
    fields: Vec<Field>,
    /// The numbers that the kernel prints by name.
    symbols: BTreeMap<u32, String>,
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    offset: usize,
    /// `__data_loc`: offset and length of the text are what is there.
    elsewhere: bool,
}

/// Tracepoints by name.
pub struct Formats(BTreeMap<&'static str, Format>);

impl Formats {
    /// One of those that were asked for.
    pub fn get(&self, name: &str) -> &Format {
        &self.0[name]
    }

    /// Takes it.
    pub fn take(&mut self, name: &str) -> Format {
        self.0.remove(name).unwrap_or_default()
    }
}

/// Reads tracepoints' descriptions.
pub fn read(names: &[&'static str]) -> io::Result<Formats> {
    if Path::new(TRACEFS).join("events").exists() {
        return read_at(names);
    }
    // A mount is seen by the threads of its mount namespace only: a thread of its own, and it is gone with it.
    std::thread::scope(|s| {
        let there = s.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let none: Option<&str> = None;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            mount(Some("tracefs"), TRACEFS, Some("tracefs"), MsFlags::MS_RDONLY, none)?;
            read_at(names)
        });
        there.join().unwrap_or_else(|_| Err(io::Error::other("the thread that reads tracefs panicked")))
    })
}

fn read_at(names: &[&'static str]) -> io::Result<Formats> {
    let one = |name: &&'static str| {
        let path = format!("{TRACEFS}/events/{name}/format");
        let text = fs::read_to_string(&path).map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))?;
        Ok((*name, Format::parse(&text)))
    };
    names.iter().map(one).collect::<io::Result<_>>().map(Formats)
}

impl Format {
    fn parse(text: &str) -> Self {
        let mut out = Format::default();
        for line in text.lines() {
            if let Some(id) = line.strip_prefix("ID: ") {
                out.id = id.trim().parse().unwrap_or(0);
            } else if let Some(field) = line.trim_start().strip_prefix("field:") {
                out.fields.extend(Field::parse(field));
            } else if line.starts_with("print fmt:") {
                out.symbols = symbols(line);
            }
        }
        out
    }

    /// Whether it has such a field.
    pub fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|f| f.name == field)
    }

    fn at<'a>(&self, s: &'a Sample, field: &str) -> &'a [u8] {
        let found = self.fields.iter().find(|f| f.name == field);
        found.and_then(|f| s.raw.get(f.offset..)).unwrap_or_default()
    }

    /// A number of one byte; 0 where there is no such field, as for the next ones.
    pub fn u8(&self, s: &Sample, field: &str) -> u8 {
        self.at(s, field).first().copied().unwrap_or(0)
    }

    /// A number of two bytes.
    pub fn u16(&self, s: &Sample, field: &str) -> u16 {
        self.at(s, field).first_chunk().map_or(0, |b| u16::from_ne_bytes(*b))
    }

    /// A number of four bytes.
    pub fn u32(&self, s: &Sample, field: &str) -> u32 {
        self.at(s, field).first_chunk().map_or(0, |b| u32::from_ne_bytes(*b))
    }

    /// A number or address of eight bytes.
    pub fn u64(&self, s: &Sample, field: &str) -> u64 {
        self.at(s, field).first_chunk().map_or(0, |b| u64::from_ne_bytes(*b))
    }

    /// An IPv4 address.
    pub fn ipv4(&self, s: &Sample, field: &str) -> Ipv4Addr {
        self.at(s, field).first_chunk::<4>().map_or(Ipv4Addr::UNSPECIFIED, |b| Ipv4Addr::from(*b))
    }

    /// A text, in place or elsewhere in the record.
    pub fn text(&self, s: &Sample, field: &str) -> String {
        let elsewhere = self.fields.iter().any(|f| f.name == field && f.elsewhere);
        let at = if elsewhere {
            let start = usize::from(self.u16(s, field));
            s.raw.get(start..).unwrap_or_default()
        } else {
            self.at(s, field)
        };
        let end = at.iter().position(|b| *b == 0).unwrap_or(at.len());
        String::from_utf8_lossy(&at[..end]).into_owned()
    }

    /// The name that the kernel prints for a number.
    pub fn symbol(&self, n: u32) -> String {
        self.symbols.get(&n).cloned().unwrap_or_else(|| n.to_string())
    }
}

impl Field {
    /// `unsigned short protocol; offset:32; size:2; signed:0;`
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let declared = parts.next()?;
        let offset = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
        let name = declared.rsplit([' ', '*']).next()?;
        let name = name.split('[').next()?.to_owned();
        Some(Field { name, offset, elsewhere: declared.starts_with("__data_loc") })
    }
}

/// The pairs `{ 12, "NETFILTER_DROP" }` of a print format.
fn symbols(line: &str) -> BTreeMap<u32, String> {
    let pair = |p: &str| {
        let (n, name) = p.split_once(',')?;
        let name = name.split('"').nth(1)?;
        Some((n.trim().parse().ok()?, name.to_owned()))
    };
    line.split('{').skip(1).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::tracepoints::At;

    #[test]
    fn fields_and_symbols() {
        let f = Format::parse(
            "name: kfree_skb\nID: 2310\nformat:\n\
             \tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
             \tfield:__data_loc char[] name;\toffset:16;\tsize:4;\tsigned:0;\n\
             \tfield:__u8 src[4];\toffset:20;\tsize:4;\tsigned:0;\n\
             print fmt: \"%s\", __print_symbolic(REC->reason, { 2, \"NOT_SPECIFIED\" }, { 3, \"NO_SOCKET\" })\n",
        );
        let mut raw = vec![0; 8];
        raw.extend(7u64.to_ne_bytes());
        raw.extend(24u16.to_ne_bytes());
        raw.extend(5u16.to_ne_bytes());
        raw.extend([10, 0, 0, 1]);
        raw.extend(b"eth0\0");
        let s = Sample { at: At::default(), raw };
        assert_eq!((f.id, f.u64(&s, "skbaddr"), f.text(&s, "name")), (2310, 7, "eth0".to_owned()));
        assert_eq!(
            (f.ipv4(&s, "src"), f.symbol(3), f.symbol(9)),
            (Ipv4Addr::new(10, 0, 0, 1), "NO_SOCKET".into(), "9".into())
        );
    }
}
