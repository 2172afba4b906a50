//! Patterns of the shell: `*`, `?`, `[a-z]`, `[!a]`, and `\` before a character that means itself.

/// One element of a pattern.
enum Part {
    Any,
    One,
    Char(char),
    Set(bool, Vec<(char, char)>),
}

fn compile(pattern: &str) -> Vec<Part> {
    let c: Vec<char> = pattern.chars().collect();
    let (mut out, mut i) = (Vec::new(), 0);
    while i < c.len() {
        match c[i] {
            '*' => out.push(Part::Any),
            '?' => out.push(Part::One),
            '\\' if i + 1 < c.len() => {
                i += 1;
                out.push(Part::Char(c[i]));
            }
            '[' => {
                let not = matches!(c.get(i + 1), Some('!' | '^'));
                let start = i + 1 + usize::from(not);
                let close = (start + 1..c.len()).find(|j| c[*j] == ']');
                match close {
                    Some(end) => {
                        let (mut set, mut j) = (Vec::new(), start);
                        while j < end {
                            if j + 2 < end && c[j + 1] == '-' {
                                set.push((c[j], c[j + 2]));
                                j += 3;
                            } else {
                                set.push((c[j], c[j]));
                                j += 1;
                            }
                        }
                        out.push(Part::Set(not, set));
                        i = end;
                    }
                    None => out.push(Part::Char('[')),
                }
            }
            ch => out.push(Part::Char(ch)),
        }
        i += 1;
    }
    out
}

/// Whether the whole text fits the pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    let p = compile(pattern);
    let t: Vec<char> = text.chars().collect();
    let (mut i, mut j) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while j < t.len() {
        let fits = match p.get(i) {
            Some(Part::Any) => {
                star = Some((i, j));
                i += 1;
                continue;
            }
            Some(Part::One) => true,
            Some(Part::Char(c)) => *c == t[j],
            Some(Part::Set(not, set)) => set.iter().any(|(a, b)| (*a..=*b).contains(&t[j])) != *not,
            None => false,
        };
        if fits {
            i += 1;
            j += 1;
        } else if let Some((si, sj)) = star {
            i = si + 1;
            j = sj + 1;
            star = Some((si, sj + 1));
        } else {
            return false;
        }
    }
    p[i..].iter().all(|x| matches!(x, Part::Any))
}

/// Puts a `\` before every character that would mean something in a pattern.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (p, t, want) in [
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("?", "x", true),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "", true),
            ("*", "", true),
            ("veth*", "veth12", true),
            ("[", "[", true),
        ] {
            assert_eq!(matches(p, t), want, "{p} {t}");
        }
    }
}
