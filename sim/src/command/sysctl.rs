//! `sysctl` of procps 4.0.2.

use super::{Exit, Proc, Refusal};
use crate::kernel::sysctl::{SysctlError, list, segments};
use crate::kernel::types::Errno;

const USAGE: &str = "
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all            display all variables
  -A                   alias of -a
  -X                   alias of -a
      --deprecated     include deprecated parameters to listing
      --dry-run        Print the key and values but do not write
  -b, --binary         print value without new line
  -e, --ignore         ignore unknown variables errors
  -N, --names          print variable names without values
  -n, --values         print only values of the given variable(s)
  -p, --load[=<file>]  read values from file
  -f                   alias of -p
      --system         read values from all system directories
  -r, --pattern <expression>
                       select setting that match expression
  -q, --quiet          do not echo variable set
  -w, --write          enable writing a value to variable
  -o                   does nothing
  -x                   does nothing
  -d                   alias of -h

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see sysctl(8).
";

/// Options as given.
#[derive(Default)]
struct Opts {
    all: bool,
    binary: bool,
    dry_run: bool,
    ignore: bool,
    names: bool,
    values: bool,
    quiet: bool,
    write: bool,
    help: bool,
    version: bool,
}

/// Runs `sysctl`.
///
/// # Errors
/// Options and settings that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut o = Opts::default();
    let mut words: Vec<(usize, &str)> = Vec::new();
    let mut only_words = false;
    for (i, a) in argv.iter().enumerate().skip(1) {
        if only_words || a == "-" || !a.starts_with('-') {
            words.push((i, a));
        } else if a == "--" {
            only_words = true;
        } else if let Some(bad) = option(&mut o, a, i)? {
            p.err.push_str(&bad);
            p.out.push_str(USAGE);
            return Ok(0);
        }
        if o.help {
            p.out.push_str(USAGE);
            return Ok(0);
        }
        if o.version {
            p.out.push_str("sysctl from procps-ng 4.0.2\n");
            return Ok(0);
        }
    }
    if o.all {
        for name in list(&p.sess.kernel, p.ns) {
            show(p, &o, &name);
        }
        return Ok(0);
    }
    if words.is_empty() {
        if argv.len() == 1 {
            p.err.push_str(USAGE);
        } else {
            p.err.push_str("sysctl: no variables specified\nTry `sysctl --help' for more information.\n");
        }
        return Ok(1);
    }
    let mut failed = 0;
    for (i, w) in words {
        let ok = match w.split_once('=') {
            Some((name, value)) => write(p, &o, name, value, i)?,
            None if o.write => {
                p.err.push_str("sysctl: command line(0): invalid syntax, continuing...\n");
                false
            }
            None => read(p, &o, w, i)?,
        };
        failed += i32::from(!ok);
    }
    Ok(failed)
}

/// One word of options; what is said of one that does not exist.
fn option(o: &mut Opts, word: &str, arg: usize) -> Result<Option<String>, Refusal> {
    if let Some(long) = word.strip_prefix("--") {
        match long {
            "all" => o.all = true,
            "binary" => o.binary = true,
            "dry-run" => o.dry_run = true,
            "deprecated" => {}
            "help" => o.help = true,
            "ignore" => o.ignore = true,
            "names" => o.names = true,
            "quiet" => o.quiet = true,
            "values" => o.values = true,
            "version" => o.version = true,
            "write" => o.write = true,
            "system" => return Err(Refusal::new("sysctl --system", arg)),
            _ if long.starts_with("load") || long.starts_with("pattern") => {
                return Err(Refusal::new(format!("sysctl {word}"), arg));
            }
            _ => return Ok(Some(format!("sysctl: unrecognized option '{word}'\n"))),
        }
        return Ok(None);
    }
    for c in word.chars().skip(1) {
        match c {
            'a' | 'A' | 'X' => o.all = true,
            'b' => o.binary = true,
            'e' => o.ignore = true,
            'N' => o.names = true,
            'n' => o.values = true,
            'q' => o.quiet = true,
            'w' => o.write = true,
            'h' | 'd' => o.help = true,
            'V' => o.version = true,
            'o' | 'x' => {}
            'p' | 'f' | 'r' => return Err(Refusal::new(format!("sysctl -{c}"), arg)),
            _ => return Ok(Some(format!("sysctl: invalid option -- '{c}'\n"))),
        }
    }
    Ok(None)
}

/// The name as it is printed: dots between the parts, slashes within them.
fn shown(parts: &[String]) -> String {
    parts.iter().map(|s| s.replace('.', "/")).collect::<Vec<_>>().join(".")
}

/// There is no such file.
fn no_file(p: &mut Proc<'_>, o: &Opts, parts: &[String]) -> bool {
    if o.ignore {
        return true;
    }
    // A file where a directory would have to be.
    let within = (1..parts.len()).any(|n| p.sess.kernel.sysctl_get(p.ns, &shown(&parts[..n])).is_ok());
    let why = if within { Errno::ENOTDIR } else { Errno::ENOENT };
    p.err.push_str(&format!("sysctl: cannot stat /proc/sys/{}: {why}\n", parts.join("/")));
    false
}

fn read(p: &mut Proc<'_>, o: &Opts, word: &str, arg: usize) -> Result<bool, Refusal> {
    let parts = segments(word.trim());
    let name = shown(&parts);
    match p.sess.kernel.sysctl_get(p.ns, &name) {
        Ok(_) => {
            show(p, o, &name);
            Ok(true)
        }
        Err(SysctlError::Unmodelled) => Err(Refusal::new(format!("sysctl {name}"), arg)),
        Err(_) => {
            // A directory shows everything below it.
            let dir = format!("{name}.");
            let below: Vec<String> = list(&p.sess.kernel, p.ns).into_iter().filter(|n| n.starts_with(&dir)).collect();
            for n in &below {
                show(p, o, n);
            }
            Ok(!below.is_empty() || no_file(p, o, &parts))
        }
    }
}

/// Prints a setting that exists.
fn show(p: &mut Proc<'_>, o: &Opts, name: &str) {
    let Ok(v) = p.sess.kernel.sysctl_get(p.ns, name) else { return };
    let line = if o.names {
        format!("{name}\n")
    } else if o.binary {
        v
    } else if o.values {
        format!("{v}\n")
    } else {
        format!("{name} = {v}\n")
    };
    p.out.push_str(&line);
}

fn write(p: &mut Proc<'_>, o: &Opts, name: &str, value: &str, arg: usize) -> Result<bool, Refusal> {
    let name = name.trim();
    let parts = segments(name.strip_prefix('-').unwrap_or(name));
    let (name, value) = (shown(&parts), value.trim());
    if parts == [""] {
        p.err.push_str("sysctl: Path is not under /proc/sys/: /proc/sys/\n");
        return Ok(false);
    }
    if p.inside && p.sess.read_only(p.host, p.ns, "/proc/sys/") {
        p.err.push_str(&format!("sysctl: error setting key '{name}': {}\n", Errno::EROFS));
        return Ok(false);
    }
    let done = if o.dry_run {
        p.sess.kernel.sysctl_get(p.ns, &name).map(|_| ())
    } else {
        p.sess.kernel.sysctl_set(p.ns, &name, value)
    };
    match done {
        Ok(()) => {}
        Err(SysctlError::Unmodelled) => return Err(Refusal::new(format!("sysctl {name}"), arg)),
        Err(SysctlError::NotFound) => {
            let dir = format!("{name}.");
            if list(&p.sess.kernel, p.ns).iter().any(|n| n.starts_with(&dir)) {
                p.err.push_str(&format!("sysctl: setting key \"{name}\": {}\n", Errno::EINVAL));
                return Ok(true);
            }
            return Ok(no_file(p, o, &parts));
        }
        // A file that is not writable: said with whatever errno there was before, and no failure.
        Err(SysctlError::Errno(Errno::EACCES)) => {
            p.err.push_str(&format!("sysctl: setting key \"{name}\": {}\n", Errno::EINVAL));
            return Ok(true);
        }
        Err(SysctlError::Errno(e)) => {
            p.err.push_str(&format!("sysctl: setting key \"{name}\": {e}\n"));
            return Ok(false);
        }
    }
    if !o.quiet {
        let line = if o.binary {
            value.to_owned()
        } else if o.values || o.names {
            format!("{value}\n")
        } else {
            format!("{name} = {value}\n")
        };
        p.out.push_str(&line);
    }
    Ok(true)
}
