//! Names of devices on the command line (`xtables_parse_interface`).

use super::fail::Fail;

/// A name fits the kernel's 16 bytes.
pub fn check(name: &str) -> Result<(), Fail> {
    if name.len() > 15 {
        return Err(Fail::param(format!("interface name `{name}' must be shorter than IFNAMSIZ (15)")));
    }
    Ok(())
}

/// What the tool says of letters that no device has in its name.
pub fn warning(name: &str) -> String {
    if name.contains(['/', ' ']) {
        return format!(
            "Warning: weird character in interface `{name}' ('/' and ' ' are not allowed by the kernel).\n"
        );
    }
    String::new()
}
