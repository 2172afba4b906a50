//! What must hold of any text given to `iptables-restore`; the fuzz target of that name uses this file too.

use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::HostSpec;
use packetwalk_sim::shell::run_line;

/// Loads a dump into a new world; what it then has, where all of it was taken.
fn load(tool: &str, dump: &str, counters: &str) -> Result<String, String> {
    let mut s = Session::new(1);
    let h = s.add_host(&HostSpec { name: "h".into(), ..HostSpec::default() })?;
    let ns = s.kernel.host(h).root_ns;
    s.write_file(h, ns, "/tmp/dump", dump, false).map_err(|e| e.strerror().to_owned())?;
    let loaded = run_line(&mut s, h, ns, &format!("{tool}-restore {counters} /tmp/dump"));
    let saved = run_line(&mut s, h, ns, &format!("{tool}-save -c"));
    match loaded.refusal {
        Some((r, _)) => Err(r.to_string()),
        None if loaded.exit != 0 => Err(loaded.stderr),
        None => Ok(tables(&saved.stdout)),
    }
}

/// The tables of a dump by name: ip_tables gives the newest first. Its comments tell the time.
fn tables(dump: &str) -> String {
    let lines: String = dump.lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect();
    let mut out: Vec<&str> = lines.split_inclusive("COMMIT\n").collect();
    out.sort_unstable();
    out.concat()
}

/// Neither tool panics; what was taken and saved is taken again, and saved the same. Says whether it was taken.
///
/// # Errors
/// What differs.
pub fn stable(text: &str) -> Result<bool, String> {
    let mut taken = false;
    for tool in ["iptables", "iptables-legacy"] {
        let Ok(once) = load(tool, text, "") else { continue };
        taken = true;
        // A backslash at the end of a line puts the newline into a text; iptables prints it, and cannot read it again.
        if !once.lines().all(|l| l.starts_with(['*', ':', '[']) || l == "COMMIT") {
            continue;
        }
        let twice = load(tool, &once, "-c").map_err(|e| format!("{tool} does not take what it saved: {e}\n{once}"))?;
        if once != twice {
            return Err(format!("{tool} saved\n{once}and after it was restored\n{twice}"));
        }
    }
    Ok(taken)
}
