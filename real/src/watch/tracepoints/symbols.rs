//! Functions of the kernel by address (`/proc/kallsyms`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::thread::{self, JoinHandle};

/// The names of functions that were asked for. To read all symbols takes the kernel 50 ms: it is begun early, aside.
pub struct Functions {
    /// What is being read, until somebody asks.
    begun: RefCell<Option<JoinHandle<Symbols>>>,
    symbols: RefCell<Symbols>,
    told: RefCell<BTreeMap<u64, String>>,
}

impl Functions {
    /// Begins to read them.
    pub fn begin() -> Functions {
        Functions {
            begun: RefCell::new(Some(thread::spawn(Symbols::read))),
            symbols: RefCell::default(),
            told: RefCell::default(),
        }
    }

    /// Name of the function around an address, or the address.
    pub fn function(&self, addr: u64) -> String {
        self.told.borrow_mut().entry(addr).or_insert_with(|| self.ask(addr)).clone()
    }

    fn ask(&self, addr: u64) -> String {
        let mut symbols = self.symbols.borrow_mut();
        if let Some(read) = self.begun.take().and_then(|b| b.join().ok()) {
            *symbols = read;
        }
        // A module that came meanwhile has functions of its own.
        if symbols.modules != modules() {
            *symbols = Symbols::read();
        }
        symbols.function(addr)
    }
}

/// Functions, by address.
#[derive(Debug, Default)]
pub struct Symbols {
    /// The modules that were there.
    modules: String,
    text: String,
    /// Address of each, and where its name is in the text.
    at: Vec<(u64, std::ops::Range<usize>)>,
}

/// The modules that are loaded; nothing where the kernel has none.
fn modules() -> String {
    fs::read_to_string("/proc/modules").unwrap_or_default()
}

impl Symbols {
    /// Whether the kernel shows them.
    #[must_use]
    pub fn known(&self) -> bool {
        !self.at.is_empty()
    }

    /// Reads them; empty where the kernel hides them (`kptr_restrict`).
    #[must_use]
    pub fn read() -> Self {
        // First, lest one that comes meanwhile counts as read.
        let modules = modules();
        Symbols { modules, ..Symbols::parse(fs::read_to_string("/proc/kallsyms").unwrap_or_default()) }
    }

    fn parse(text: String) -> Self {
        let mut at: Vec<_> = text.lines().filter_map(|l| line(&text, l)).collect();
        at.sort_unstable_by_key(|(a, _)| *a);
        Symbols { modules: String::new(), text, at }
    }

    /// Name of the function around an address, or the address.
    #[must_use]
    pub fn function(&self, addr: u64) -> String {
        let at = self.at.partition_point(|(a, _)| *a <= addr);
        at.checked_sub(1).map_or_else(|| format!("{addr:#x}"), |i| self.text[self.at[i].1.clone()].to_owned())
    }
}

/// `ffffffff81f63250 T nft_do_chain [module]`: code only, without the padding before functions.
fn line(text: &str, l: &str) -> Option<(u64, std::ops::Range<usize>)> {
    let mut w = l.split_whitespace();
    let addr = u64::from_str_radix(w.next()?, 16).ok().filter(|a| *a != 0)?;
    let code = matches!(w.next()?, "t" | "T" | "w" | "W");
    let name = w.next()?;
    let from = name.as_ptr() as usize - text.as_ptr() as usize;
    (code && !name.starts_with("__pfx_")).then(|| (addr, from..from + name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_around() {
        let s = Symbols::parse("10 T a\n20 D data\n30 t __pfx_b\n40 t b [mod]\n0 T hidden\n".into());
        assert_eq!((s.function(0x10), s.function(0x3f), s.function(0x41)), ("a".into(), "a".into(), "b".into()));
        assert_eq!(s.function(5), "0x5");
    }
}
