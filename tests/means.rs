//! `packetwalk compare` with fewer means: as an ordinary user, where user namespaces are forbidden, and where a tool is
//! missing.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

/// An ordinary user: nobody.
const NOBODY: u32 = 65534;
/// One of each kind whose live run does not hang on what the kernel picks at random.
const SCENARIOS: [&str; 9] = [
    "forwarding-off",
    "rp-filter",
    "namespaces",
    "masquerade",
    "hairpin",
    "bridge-publish",
    "container-files",
    "internal-network",
    "cross-host",
];
/// Where an ordinary user finds the program.
const PROGRAM: &str = "/mnt/packetwalk";

fn main() {
    let args = Arguments::from_args();
    let root = geteuid().is_root();
    let allowed = root && user_namespaces();
    let trial = |name: &str, may: bool, what: fn() -> Result<(), Failed>| {
        // A mount namespace is a thread's.
        let run = move || std::thread::spawn(what).join().unwrap_or_else(|_| Err("it panicked".into()));
        Trial::test(name, run).with_ignored_flag(!may)
    };
    let all = vec![
        trial("as_an_ordinary_user", allowed, as_an_ordinary_user),
        trial("user_namespaces_forbidden", allowed, user_namespaces_forbidden),
        trial("no_tools", root, no_tools),
    ];
    libtest_mimic::run(&args, all).exit();
}

/// Whether an ordinary user may have a user namespace.
fn user_namespaces() -> bool {
    let mut cmd = Command::new("unshare");
    cmd.args(["--user", "--map-root-user", "true"]).uid(NOBODY).gid(NOBODY);
    cmd.output().is_ok_and(|o| o.status.success())
}

/// A mount namespace in which everybody finds the program.
fn place() -> Result<(), Failed> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("tmpfs"), "/mnt", Some("tmpfs"), MsFlags::empty(), none)?;
    std::fs::write(PROGRAM, "")?;
    mount(Some(env!("CARGO_BIN_EXE_packetwalk")), PROGRAM, none, MsFlags::MS_BIND, none)?;
    Ok(())
}

fn compare(scenario: &str) -> Command {
    let mut cmd = Command::new(PROGRAM);
    cmd.args(["compare", scenario]).current_dir("/");
    cmd
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// The lines that say whether something is equal; of drops, lookups and neighbours' changes only root can say it.
fn verdicts(out: &Output) -> Vec<String> {
    let text = said(out);
    let all = text.lines().filter(|l| l.ends_with(" equal") || l.ends_with(" differs") || l.starts_with("  op:"));
    let all = all.filter(|l| !["drops", "lookups", "neigh"].iter().any(|p| l.starts_with(&format!("  {p} "))));
    all.map(str::to_owned).collect()
}

/// How often a scenario is run before a difference counts: a frame may be overwritten by who it goes to before it is read.
const RUNS: usize = 3;

fn as_an_ordinary_user() -> Result<(), Failed> {
    place()?;
    let mut wrong = String::new();
    for s in SCENARIOS {
        let mut told = String::new();
        for run in 1..=RUNS {
            let theirs = compare(s).uid(NOBODY).gid(NOBODY).output()?;
            let ours = compare(s).output()?;
            if !said(&theirs).contains("not compared: drops, lookups, neigh: ") {
                return Err(format!(
                    "{s}: that drops, lookups and neigh are not compared is not told:\n{}",
                    said(&theirs)
                )
                .into());
            }
            if verdicts(&theirs) == verdicts(&ours) && !verdicts(&theirs).is_empty() {
                told.clear();
                break;
            }
            eprintln!("{s}: run {run} of {RUNS} differs between root and an ordinary user");
            told = format!("as root:\n{}as an ordinary user:\n{}", said(&ours), said(&theirs));
        }
        wrong.push_str(&told);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

/// It ends with 3, names what is missing, and what to do.
fn missing(out: &Output, what: &[&str]) -> Result<(), Failed> {
    let text = said(out);
    let named = what.iter().all(|w| text.contains(w)) && text.contains("help: ");
    if out.status.code() == Some(3) && named { Ok(()) } else { Err(format!("{:?}: {text}", out.status).into()) }
}

/// In a user namespace of the test's own, where no others may be made within.
fn user_namespaces_forbidden() -> Result<(), Failed> {
    place()?;
    let line = format!("echo 0 > /proc/sys/user/max_user_namespaces && exec {PROGRAM} compare rp-filter");
    let mut cmd = Command::new("unshare");
    // Nobody's limit but this one's; it takes a privilege there to set it.
    cmd.args(["--user", "--map-user=1000", "--keep-caps", "sh", "-c", &line]).current_dir("/");
    missing(&cmd.output()?, &["user namespaces", "user.max_user_namespaces"])
}

/// Each tool's place is taken by a file that cannot be executed.
fn no_tools() -> Result<(), Failed> {
    place()?;
    let none = None::<&str>;
    let hide = |name: &str| -> Result<(), Failed> {
        for dir in ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
            let path = Path::new(dir).join(name);
            if path.is_file() && std::fs::canonicalize(&path)? != Path::new("/dev/null") {
                mount(Some("/etc/passwd"), &path, none, MsFlags::MS_BIND, none)?;
            }
        }
        Ok(())
    };
    hide("conntrack")?;
    missing(&compare("stale-conntrack").output()?, &["conntrack", "apt install conntrack"])?;
    hide("iptables-nft-restore")?;
    missing(&compare("bridge-publish").output()?, &["iptables-nft-restore", "apt install iptables"])?;
    hide("ip")?;
    missing(&compare("namespaces").output()?, &["ip: ", "apt install iproute2"])
}
