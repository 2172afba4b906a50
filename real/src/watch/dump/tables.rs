//! `iptables-save -c`, `iptables-legacy-save -c`, `ebtables-save`: by the real tools, where there are tables at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use serde_json::Value;

use super::Unread;
use crate::netlink::attr;
use crate::netlink::{Netlink, NlError, Request};

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE`.
const GETTABLE: u16 = 0xa01;
/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE`.
const NEWTABLE: u16 = 0xa00;
/// `NFPROTO_IPV4` and the tables that `iptables-nft` knows there.
const IP: (u8, &[&str]) = (2, &["raw", "mangle", "nat", "filter", "security"]);
/// `NFPROTO_BRIDGE` and those of `ebtables-nft`.
const BRIDGE: (u8, &[&str]) = (7, &["filter", "nat", "broute"]);

/// Where the tools are that print tables.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    iptables_save: Option<PathBuf>,
    iptables_legacy_save: Option<PathBuf>,
    ebtables_save: Option<PathBuf>,
}

impl Tools {
    /// Looks for them: a variant by its own name first, since `iptables-save` may be either.
    #[must_use]
    pub fn find() -> Self {
        let first = |names: &[&str]| names.iter().find_map(|n| crate::tool::find(n));
        Tools {
            iptables_save: first(&["iptables-nft-save", "iptables-save"]),
            iptables_legacy_save: first(&["iptables-legacy-save"]),
            ebtables_save: first(&["ebtables-nft-save", "ebtables-save"]),
        }
    }
}

/// The rules of all three, where there are any.
pub fn rules(nf: &mut Netlink, tools: &Tools, unread: &mut Vec<Unread>) -> Result<Vec<(&'static str, Value)>, NlError> {
    let legacy = match fs::read_to_string("/proc/thread-self/net/ip_tables_names") {
        Ok(names) => !names.trim().is_empty(),
        // A kernel without them.
        Err(e) if e.kind() == io::ErrorKind::NotFound => false,
        Err(e) => {
            unread.push(Unread { what: "iptables_legacy", why: format!("cannot see whether there are tables: {e}") });
            false
        }
    };
    let mut out = Vec::new();
    let mut part = |what, there: bool, tool: &Option<PathBuf>, args: &[&str], package: &str| {
        if !there {
            return;
        }
        let missing = || format!("its -save tool is not installed (Debian package {package})");
        match tool.as_deref().ok_or_else(missing).and_then(|t| save(t, args)) {
            Ok(v) => out.push((what, v)),
            Err(why) => unread.push(Unread { what, why }),
        }
    };
    part("iptables", has(nf, IP)?, &tools.iptables_save, &["-c"], "iptables");
    part("iptables_legacy", legacy, &tools.iptables_legacy_save, &["-c"], "iptables");
    part("ebtables", has(nf, BRIDGE)?, &tools.ebtables_save, &[], "ebtables");
    Ok(out)
}

/// Whether the namespace has one of these tables of a family.
fn has(nf: &mut Netlink, (family, names): (u8, &[&str])) -> Result<bool, NlError> {
    let dump = match nf.dump(&Request::new(GETTABLE, 0, &[family, 0, 0, 0])) {
        // A kernel without nf_tables (`nfnetlink_rcv_msg`), or without that family.
        Err(e) if matches!(e.errno, Errno::EINVAL | Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP) => return Ok(false),
        d => d?,
    };
    let mut tables = dump.iter().filter(|m| m.kind == NEWTABLE);
    Ok(tables.any(|m| {
        let name = m.body.get(4..).and_then(|b| attr::find(b, 1));
        name.is_some_and(|a| names.contains(&a.str()))
    }))
}

/// What a tool prints, line by line, without comments.
fn save(tool: &Path, args: &[&str]) -> Result<Value, String> {
    let run = Command::new(tool).args(args).stdin(Stdio::null()).output();
    let out = run.map_err(|e| format!("{}: {e}", tool.display()))?;
    if !out.status.success() {
        return Err(format!("{}: {}", tool.display(), String::from_utf8_lossy(&out.stderr).trim()));
    }
    let text = String::from_utf8_lossy(&out.stdout);
    Ok(text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).map(Value::from).collect())
}
