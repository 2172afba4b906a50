//! A place to be killed in: a mount namespace whose mounts are shared, as a machine's are, and whose `/run`, `/tmp` and
//! `/var` nobody else writes to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Where the program is found in there.
pub const PROGRAM: &str = "/mnt/packetwalk";
/// Folders in which programs leave things.
const WRITTEN: [&str; 4] = ["/run", "/tmp", "/var", "/home"];

/// Brings the calling thread, and what it starts, into such a place.
pub fn enter() {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).expect("a mount namespace");
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
    let tmpfs = |at: &str| mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), none).expect("a tmpfs");
    tmpfs("/mnt");
    // A copy: who builds meanwhile takes no file away.
    fs::copy(env!("CARGO_BIN_EXE_packetwalk"), PROGRAM).expect("the program");
    WRITTEN.into_iter().for_each(tmpfs);
    fs::create_dir_all("/var/lib").expect("a folder");
    std::os::unix::fs::symlink("/run", "/var/run").expect("a link");
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SHARED, none).expect("shared mounts");
}

/// Mounts, and the files that were left where programs leave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    mounts: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
}

impl Look {
    /// What came and what went since an earlier look.
    pub fn since(&self, before: &Look) -> Vec<String> {
        let mounts = self.mounts.symmetric_difference(&before.mounts).map(|m| format!("mount {m}"));
        let files = self.files.symmetric_difference(&before.files).map(|f| format!("file {}", f.display()));
        mounts.chain(files).collect()
    }
}

/// Looks around.
pub fn look() -> Look {
    let mut files = BTreeSet::new();
    WRITTEN.iter().for_each(|d| walk(Path::new(d), &mut files));
    // What a scenario might write elsewhere.
    for dir in ["/etc", "/root", "/opt", "/mnt"] {
        files.extend(fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()));
    }
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").expect("mounts");
    Look { mounts: mounts.lines().map(str::to_owned).collect(), files }
}

fn walk(dir: &Path, into: &mut BTreeSet<PathBuf>) {
    for e in fs::read_dir(dir).into_iter().flatten().flatten() {
        if e.file_type().is_ok_and(|t| t.is_dir()) {
            walk(&e.path(), into);
        }
        into.insert(e.path());
    }
}
