//! Makes a suite of scenario files out of the library: `suite 1000 DIRECTORY`, each under a name of its own. `packetwalk test DIRECTORY` then says how long such a suite takes.

use std::error::Error;
use std::path::{Path, PathBuf};

fn files(dir: &Path, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    all.sort();
    for p in all {
        if p.is_dir() {
            files(&p, out)?;
        } else if p.extension().is_some_and(|e| e == "yaml") {
            out.push(p);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(count), Some(to)) = (args.next(), args.next()) else { return Err("usage: suite COUNT DIRECTORY".into()) };
    let count: usize = count.parse()?;
    let mut library = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"), &mut library)?;
    std::fs::create_dir_all(&to)?;
    for (i, from) in library.iter().cycle().take(count).enumerate() {
        let text = std::fs::read_to_string(from)?;
        let stem = from.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("{stem}-{i:04}");
        let renamed = text.replacen(&format!("name: {stem}"), &format!("name: {name}"), 1);
        std::fs::write(Path::new(&to).join(format!("{name}.yaml")), renamed)?;
    }
    Ok(())
}
