//! Programs of other users: who they say they are, as Debian 12 does, and what `-m owner` makes of what they send.

use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;

/// A line, its exit status, and what it writes to both.
const LINES: &[(&str, i32, &str)] = &[
    ("id", 0, "uid=0(root) gid=0(root) groups=0(root)\n"),
    ("setpriv --reuid 65534 --clear-groups id", 0, "uid=65534(nobody) gid=0(root) groups=0(root)\n"),
    ("setpriv --reuid=nobody --regid=nogroup --clear-groups id -u", 0, "65534\n"),
    ("setpriv --regid 5 --groups 5,10 id", 0, "uid=0(root) gid=5(tty) groups=5(tty),10(uucp)\n"),
    (
        "setpriv --regid 5 id",
        1,
        "setpriv: --[re]gid requires --keep-groups, --clear-groups, --init-groups, or --groups\n",
    ),
    ("setpriv --reuid nosuch id", 1, "setpriv: failed to parse reuid: 'nosuch'\n"),
    ("setpriv --reuid 4242 whoami", 1, "whoami: cannot find name for user ID 4242\n"),
    ("runuser -u nobody -- id", 0, "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\n"),
    ("su nobody -c id", 1, "This account is currently not available.\n"),
    ("su -s /bin/sh www-data -c 'id -u; whoami'", 0, "33\nwww-data\n"),
    (
        "su nosuch -c id",
        1,
        "su: user nosuch does not exist or the user entry does not contain all the required fields\n",
    ),
    ("setpriv --reuid 1 ip link", -1, "not modelled: ip as another user than root"),
];

/// A line that sends one datagram or nothing, and the number of packets that the rule for users 1 to 100 then counts.
const SENT: &[(&str, u32)] = &[
    ("bash -c 'echo > /dev/udp/10.1.0.2/9'", 0),
    ("setpriv --reuid 101 bash -c 'echo > /dev/udp/10.1.0.2/9'", 0),
    ("setpriv --reuid 100 bash -c 'echo > /dev/udp/10.1.0.2/9'", 1),
    ("su -s /bin/bash www-data -c 'echo > /dev/udp/10.1.0.2/9'", 2),
    ("setpriv --reuid 1 sh -c \"bash -c 'echo > /dev/udp/10.1.0.2/9'\"", 3),
];

fn world() -> (Session, impl Fn(&mut Session, &str) -> (i32, String)) {
    let mut s = Session::new(1);
    let nic = NicSpec {
        name: "eth0".into(),
        lan: "lan".into(),
        address: Some("10.1.0.2/24".parse().expect("a prefix")),
        mac: None,
        mtu: None,
        gateway: None,
    };
    let h = s.add_host(&HostSpec { name: "h1".into(), nics: vec![nic], ..HostSpec::default() }).expect("a host");
    let ns = s.kernel.host(h).root_ns;
    let run = move |s: &mut Session, line: &str| {
        let r = run_line(s, h, ns, line);
        match r.refusal {
            Some((r, _)) => (-1, r.to_string()),
            None => (r.exit, r.stdout + &r.stderr),
        }
    };
    (s, run)
}

#[test]
fn who_they_are() {
    let (mut s, run) = world();
    for (line, exit, text) in LINES {
        assert_eq!(run(&mut s, line), (*exit, (*text).to_owned()), "{line}");
    }
}

#[test]
fn whose_packets_are_counted() {
    let (mut s, run) = world();
    let made = run(&mut s, "iptables -A OUTPUT -p udp -m owner --uid-owner 1-100");
    assert_eq!(made, (0, String::new()));
    for (line, counted) in SENT {
        assert_eq!(run(&mut s, line).0, 0, "{line}");
        let (_, rules) = run(&mut s, "iptables-save -c | grep uid-owner");
        assert!(rules.starts_with(&format!("[{counted}:")), "{line}: {rules}");
    }
}
