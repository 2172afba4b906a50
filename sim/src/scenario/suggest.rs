//! Did you mean: the nearest of a few words.

/// The word of `all` that is nearest to `word`, if any is near enough.
pub fn closest<'a>(word: &str, all: &[&'a str]) -> Option<&'a str> {
    let most = match word.chars().count() {
        0..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let near = |c: &&&'a str| distance(word, c);
    all.iter().min_by_key(near).filter(|c| distance(word, c) <= most && distance(word, c) < c.chars().count()).copied()
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut d = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in d.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in d[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            d[i][j] = (d[i - 1][j] + 1).min(d[i][j - 1] + 1).min(d[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                d[i][j] = d[i][j].min(d[i - 2][j - 2] + 1);
            }
        }
    }
    d[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words() {
        assert_eq!(closest("expcet", &["expect", "run", "say"]), Some("expect"));
        assert_eq!(closest("pnig", &["ping", "ip"]), Some("ping"));
        assert_eq!(closest("zebra", &["ping", "ip"]), None);
        assert_eq!(closest("nmap", &["trap", "nc"]), None);
    }
}
