//! Addresses and masks as iptables reads and prints them.

use std::net::Ipv4Addr;

use super::fail::Fail;
use super::number::whole;

/// A dotted address; iptables fills up missing bytes of a network with zeros, never of a mask.
fn dotted(text: &str, mask: bool) -> Option<u32> {
    // The tool copies at most 19 bytes.
    let cut = text.char_indices().nth(19).map_or(text, |(i, _)| &text[..i]);
    let parts: Vec<&str> = cut.splitn(4, '.').collect();
    if mask && parts.len() < 4 {
        return None;
    }
    let mut bytes = [0u8; 4];
    for (to, part) in bytes.iter_mut().zip(&parts) {
        *to = u8::try_from(whole(part, 0, 255)?).ok()?;
    }
    Some(u32::from_be_bytes(bytes))
}

/// A mask: dotted, or a number of bits.
fn mask(text: &str) -> Result<u32, Fail> {
    if let Some(m) = dotted(text, true) {
        return Ok(m);
    }
    let Some(bits) = whole(text, 0, 32) else {
        return Err(Fail::param(format!("invalid mask `{text}' specified")));
    };
    Ok(from_bits(u32::try_from(bits).unwrap_or(32)))
}

/// The mask of a prefix length.
pub fn from_bits(bits: u32) -> u32 {
    if bits == 0 { 0 } else { u32::MAX << (32 - bits.min(32)) }
}

/// Names that every host has: `/etc/hosts` and `/etc/networks` of Debian.
fn known_name(text: &str) -> Option<u32> {
    match text {
        "localhost" | "ip4-localhost" => Some(u32::from(Ipv4Addr::LOCALHOST)),
        "default" => Some(0),
        "loopback" => Some(0x7f00_0000),
        "link-local" => Some(0xa9fe_0000),
        _ => None,
    }
}

/// One `-s` or `-d`: addresses with masks, with commas between them (`xtables_ipparse_multiple`).
pub fn list(text: &str) -> Result<Vec<(u32, u32)>, Fail> {
    text.split(',').map(|p| one(p.trim_start())).collect()
}

fn one(text: &str) -> Result<(u32, u32), Fail> {
    if text.len() > 255 {
        return Err(Fail::param("Hostname too long"));
    }
    let (name, m) = match text.rsplit_once('/') {
        Some((n, m)) => (n, mask(m)?),
        None => (text, u32::MAX),
    };
    if m == 0 {
        return Ok((0, 0));
    }
    match dotted(name, false).or_else(|| known_name(name)) {
        Some(a) => Ok((a & m, m)),
        None => Err(Fail::param(format!("host/network `{name}' not found"))),
    }
}

/// Length of a mask that is a prefix.
pub fn prefix_len(mask: u32) -> Option<u32> {
    let ones = mask.leading_ones();
    (mask == from_bits(ones)).then_some(ones)
}

/// `/24`, or `/255.0.255.0` for what is no prefix.
pub fn save_mask(mask: u32) -> String {
    match prefix_len(mask) {
        Some(n) => n.to_string(),
        None => Ipv4Addr::from(mask).to_string(),
    }
}

/// As lists print a mask: nothing for a single address.
pub fn list_mask(mask: u32) -> String {
    if mask == u32::MAX { String::new() } else { format!("/{}", save_mask(mask)) }
}

/// An address as lists print it without `-n`.
pub fn any_name(addr: u32) -> String {
    let name = ["localhost", "default", "loopback", "link-local"].into_iter().find(|n| known_name(n) == Some(addr));
    name.map_or_else(|| Ipv4Addr::from(addr).to_string(), str::to_owned)
}

/// An address as `inet_aton(3)` reads it: one to four numbers, of which the last fills what is left.
pub fn aton(text: &str) -> Option<u32> {
    let parts: Vec<&str> = text.split('.').collect();
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut out = 0u32;
    for (i, p) in first.iter().enumerate() {
        out |= u32::try_from(whole(p, 0, 255)?).ok()? << (24 - 8 * i);
    }
    let left = 32 - 8 * u32::try_from(first.len()).ok()?;
    let n = whole(last, 0, u64::MAX >> (64 - left))?;
    Some(out | u32::try_from(n).ok()?)
}

/// A single address as `inet_pton(3)` reads it.
pub fn strict(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}
