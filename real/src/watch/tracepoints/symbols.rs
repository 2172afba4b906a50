//! Functions of the kernel by address (`/proc/kallsyms`).

use std::fs;

/// Functions, by address.
#[derive(Debug)]
pub struct Symbols(Vec<(u64, String)>);

impl Symbols {
    /// Whether the kernel shows them.
    #[must_use]
    pub fn known(&self) -> bool {
        !self.0.is_empty()
    }

    /// Reads them; empty where the kernel hides them (`kptr_restrict`).
    #[must_use]
    pub fn read() -> Self {
        let text = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
        Symbols::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut all: Vec<(u64, String)> = text.lines().filter_map(line).collect();
        all.sort_unstable_by_key(|(a, _)| *a);
        Symbols(all)
    }

    /// Name of the function around an address, or the address.
    #[must_use]
    pub fn function(&self, addr: u64) -> String {
        let at = self.0.partition_point(|(a, _)| *a <= addr);
        at.checked_sub(1).map_or_else(|| format!("{addr:#x}"), |i| self.0[i].1.clone())
    }
}

/// `ffffffff81f63250 T nft_do_chain [module]`: code only, without the padding before functions.
fn line(l: &str) -> Option<(u64, String)> {
    let mut w = l.split_whitespace();
    let addr = u64::from_str_radix(w.next()?, 16).ok().filter(|a| *a != 0)?;
    let code = matches!(w.next()?, "t" | "T" | "w" | "W");
    let name = w.next()?;
    (code && !name.starts_with("__pfx_")).then(|| (addr, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_around() {
        let s = Symbols::parse("10 T a\n20 D data\n30 t __pfx_b\n40 t b [mod]\n0 T hidden\n");
        assert_eq!((s.function(0x10), s.function(0x3f), s.function(0x41)), ("a".into(), "a".into(), "b".into()));
        assert_eq!(s.function(5), "0x5");
    }
}
