//! `nft` of this machine, without what is not the person's: the tables that a tracer made.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use crate::tool;
use crate::watch::nftrace::OWN_TABLE;

/// Runs it.
pub fn run(argv: &[String]) -> ExitCode {
    let Some(real) = tool::find_in_lab("nft") else {
        eprintln!("nft: not found");
        return ExitCode::from(127);
    };
    let mut nft = Command::new(real);
    nft.args(&argv[1..]);
    let failed = if argv[1..].iter().flat_map(|w| w.split_whitespace()).any(|w| w == "list") {
        match nft.stderr(std::process::Stdio::inherit()).output() {
            Ok(done) => {
                // Where nobody reads any more, the tool's status is what is left to tell.
                let _ = std::io::stdout().write_all(without_ours(&String::from_utf8_lossy(&done.stdout)).as_bytes());
                return ExitCode::from(done.status.code().unwrap_or(1) as u8);
            }
            Err(e) => e,
        }
    } else {
        nft.exec()
    };
    eprintln!("nft: {failed}");
    ExitCode::from(126)
}

/// A listing without the tables of tracers: lines that name one, and blocks of one up to its closing brace.
fn without_ours(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours = matches!(words[..], ["table", _, OWN_TABLE] | ["table", _, OWN_TABLE, "{"]);
        inside |= ours && line.trim_end().ends_with('{');
        if !ours && !inside {
            out.push_str(line);
        }
        inside &= line.trim_end() != "}";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_tracers_are_left_out() {
        let tables = "table ip nat\ntable inet packetwalk\ntable bridge packetwalk\ntable ip6 nat\n";
        assert_eq!(without_ours(tables), "table ip nat\ntable ip6 nat\n");
        let ours = "table inet packetwalk {\n\tchain output {\n\t\tmeta nftrace set 1 accept\n\t}\n}\n";
        let theirs = "table ip packetwalks {\n\tchain a {\n\t}\n}\n";
        assert_eq!(without_ours(&format!("{theirs}{ours}{theirs}")), format!("{theirs}{theirs}"));
    }
}
