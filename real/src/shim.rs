//! Tools that are ours: inside a lab this program is found under their names, ahead of the machine's own.

mod nft;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::lab::engine::{self, Inside};
use crate::program;

/// Their names.
pub const NAMES: &[&str] = &["serve", "docker", "dockerd", "service", "systemctl", "pipework", "nft"];

/// Set in the environment of a lab's commands.
pub const IN_LAB: &str = "PACKETWALK_LAB";

/// Name of the process that enters a container: its argument is an [`Inside`] as JSON.
pub const ENTER: &str = "packetwalk-inside";

/// Where the tools of a container's image are, where this machine has them.
pub const IMAGE_TOOLS: &str = "/run/packetwalk/image";

/// Where this process was started as one of our tools in a lab, it does what the tool does.
pub fn run() -> Option<ExitCode> {
    std::env::var_os(IN_LAB)?;
    let argv: Vec<String> = std::env::args().collect();
    let name = argv.first()?.rsplit('/').next()?;
    match name {
        "nft" => Some(nft::run(&argv)),
        "serve" => Some(program::serve_main(&argv)),
        "packetwalk-pause" => loop {
            std::thread::park();
        },
        ENTER => Some(match serde_json::from_str(argv.get(1)?) {
            Ok(inside) => enter(&inside),
            Err(_) => ExitCode::from(125),
        }),
        _ if NAMES.contains(&name) => Some(call(argv)),
        _ => None,
    }
}

/// `docker` and its like: what the model's engine does.
fn call(argv: Vec<String>) -> ExitCode {
    match engine::ask(argv) {
        Ok(told) => {
            if let Some(inside) = told.inside {
                return enter(&inside);
            }
            // Where nobody reads any more, the tool's status is what is left to tell.
            let _ = std::io::stdout().write_all(told.out.as_bytes());
            let _ = std::io::stderr().write_all(told.err.as_bytes());
            ExitCode::from(told.exit as u8)
        }
        Err(e) => {
            eprintln!("packetwalk: no lab around this tool: {e}");
            ExitCode::from(125)
        }
    }
}

/// Enters a container and becomes the command.
fn enter(i: &Inside) -> ExitCode {
    let failed = match go_in(i) {
        Ok(()) => {
            let mut cmd = Command::new(&i.argv[0]);
            cmd.args(&i.argv[1..]).env("PATH", format!("{IMAGE_TOOLS}:/usr/sbin:/usr/bin:/sbin:/bin"));
            cmd.exec()
        }
        Err(e) => e,
    };
    eprintln!("packetwalk: {}: {failed}", i.argv[0]);
    ExitCode::from(if failed.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
}

fn go_in(i: &Inside) -> std::io::Result<()> {
    let net = std::fs::File::open(&i.net)?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)?;
    setns(&net, CloneFlags::CLONE_NEWNET)?;
    nix::unistd::sethostname(&i.hostname)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    // Where sysfs cannot be mounted, the host's is seen.
    let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, none);
    for (path, text) in &i.files {
        let copy = format!("/run/packetwalk/{}.{}", path.replace('/', "_"), std::process::id());
        std::fs::write(&copy, text)?;
        if Path::new(path).exists() {
            mount(Some(copy.as_str()), &std::fs::canonicalize(path)?, none, MsFlags::MS_BIND, none)?;
        }
        std::fs::remove_file(&copy)?;
    }
    std::env::set_current_dir("/")
}
