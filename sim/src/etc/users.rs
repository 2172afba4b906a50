//! `/etc/passwd` and `/etc/group` as Debian 12 ships them.

/// Users, their numbers and their groups'.
pub const USERS: [(&str, u32, u32); 18] = [
    ("root", 0, 0),
    ("daemon", 1, 1),
    ("bin", 2, 2),
    ("sys", 3, 3),
    ("sync", 4, 65534),
    ("games", 5, 60),
    ("man", 6, 12),
    ("lp", 7, 7),
    ("mail", 8, 8),
    ("news", 9, 9),
    ("uucp", 10, 10),
    ("proxy", 13, 13),
    ("www-data", 33, 33),
    ("backup", 34, 34),
    ("list", 38, 38),
    ("irc", 39, 39),
    ("_apt", 42, 65534),
    ("nobody", 65534, 65534),
];

/// Groups and their numbers.
pub const GROUPS: [(&str, u32); 38] = [
    ("root", 0),
    ("daemon", 1),
    ("bin", 2),
    ("sys", 3),
    ("adm", 4),
    ("tty", 5),
    ("disk", 6),
    ("lp", 7),
    ("mail", 8),
    ("news", 9),
    ("uucp", 10),
    ("man", 12),
    ("proxy", 13),
    ("kmem", 15),
    ("dialout", 20),
    ("fax", 21),
    ("voice", 22),
    ("cdrom", 24),
    ("floppy", 25),
    ("tape", 26),
    ("sudo", 27),
    ("audio", 29),
    ("dip", 30),
    ("www-data", 33),
    ("backup", 34),
    ("operator", 37),
    ("list", 38),
    ("irc", 39),
    ("src", 40),
    ("shadow", 42),
    ("utmp", 43),
    ("video", 44),
    ("sasl", 45),
    ("plugdev", 46),
    ("staff", 50),
    ("games", 60),
    ("users", 100),
    ("nogroup", 65534),
];

/// A user's number and its group's.
pub fn user(name: &str) -> Option<(u32, u32)> {
    USERS.iter().find(|u| u.0 == name).map(|u| (u.1, u.2))
}

/// A user's name.
pub fn user_name(uid: u32) -> Option<&'static str> {
    USERS.iter().find(|u| u.1 == uid).map(|u| u.0)
}

/// A group's number.
pub fn group(name: &str) -> Option<u32> {
    GROUPS.iter().find(|g| g.0 == name).map(|g| g.1)
}

/// A group's name.
pub fn group_name(gid: u32) -> Option<&'static str> {
    GROUPS.iter().find(|g| g.1 == gid).map(|g| g.0)
}
