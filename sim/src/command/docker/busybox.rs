//! The images have busybox' `ip`, which prints less than iproute2.

/// A change that needs CAP_NET_ADMIN.
pub fn changes(command: &[String]) -> bool {
    let verbs = ["add", "del", "delete", "set", "replace", "change", "flush"];
    command[0].ends_with("ip") && command.len() > 2 && verbs.contains(&command[2].as_str())
}

/// What iproute2 printed, as busybox prints it.
pub fn form(command: &[String], text: &str) -> String {
    if command[0].rsplit('/').next() != Some("ip") {
        return text.to_owned();
    }
    text.lines().map(|l| line(l) + "\n").collect()
}

fn line(l: &str) -> String {
    if let Some((head, rest)) = l.split_once(" state ") {
        let tail = rest.split_once("qlen ").map_or(String::new(), |(_, n)| format!("qlen {n}"));
        // Busybox does not know the flag of a veth whose other end is elsewhere, and says that it is down.
        let head = if head.contains('@') { head.replacen('>', ",M-DOWN>", 1) } else { head.to_owned() };
        return format!("{head} {tail}");
    }
    if let Some((head, _)) = l.split_once(" link-netnsid ") {
        return head.to_owned();
    }
    l.replace(" proto kernel scope link src ", " scope link  src ")
}
