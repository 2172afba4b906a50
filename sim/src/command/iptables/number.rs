//! Numbers as the C library and libxtables read them.

/// A number at the start of a text as `strtoul(3)` with base 0 reads it, and what follows it. None where there is
/// none, where it is negative, or too big for 64 bits (`xtables_strtoul`).
pub fn leading(text: &str) -> Option<(u64, &str)> {
    let t = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let t = t.strip_prefix('+').unwrap_or(t);
    let (digits, radix) = match t.strip_prefix("0x").or_else(|| t.strip_prefix("0X")) {
        Some(hex) if hex.starts_with(|c: char| c.is_ascii_hexdigit()) => (hex, 16),
        _ if t.starts_with('0') => (t, 8),
        _ => (t, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let value = u64::from_str_radix(&digits[..end], radix).ok()?;
    Some((value, &digits[end..]))
}

/// A whole word as a number within bounds.
pub fn whole(text: &str, min: u64, max: u64) -> Option<u64> {
    leading(text).filter(|(v, rest)| rest.is_empty() && (min..=max).contains(v)).map(|(v, _)| v)
}

/// A number of at most 32 bits at the start, and the rest.
pub fn leading_u32(text: &str, max: u32) -> Option<(u32, &str)> {
    let (v, rest) = leading(text)?;
    u32::try_from(v).ok().filter(|v| *v <= max).map(|v| (v, rest))
}

/// As `sscanf("%llu")` reads: decimal digits at the start, whatever follows.
pub fn scan(text: &str) -> Option<u64> {
    let t = text.trim_start();
    let t = t.strip_prefix('+').unwrap_or(t);
    let end = t.find(|c: char| !c.is_ascii_digit()).unwrap_or(t.len());
    if end == 0 {
        return None;
    }
    Some(t[..end].parse().unwrap_or(u64::MAX))
}

/// As `atoi(3)` reads: 0 where there is no number.
pub fn atoi(text: &str) -> i64 {
    let t = text.trim_start();
    let (sign, t) = match t.strip_prefix('-') {
        Some(t) => (-1, t),
        None => (1, t.strip_prefix('+').unwrap_or(t)),
    };
    let end = t.find(|c: char| !c.is_ascii_digit()).unwrap_or(t.len());
    t[..end].parse::<i64>().map_or(0, |v| sign * v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        assert_eq!(leading("0x10/7"), Some((16, "/7")));
        assert_eq!(leading("010"), Some((8, "")));
        assert_eq!(leading("08"), Some((0, "8")));
        assert_eq!(leading("-1"), None);
        assert_eq!(leading("0xg"), Some((0, "xg")));
        assert_eq!(whole("256", 0, 255), None);
        assert_eq!(atoi("-3x"), -3);
    }
}
