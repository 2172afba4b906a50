//! `conntrack`: its lines, messages and exit statuses, as conntrack-tools 1.4.7 has them on Linux 6.18.

use std::sync::Arc;

use bytes::Bytes;
use packetwalk_sim::command::conntrack::list;
use packetwalk_sim::kernel::conntrack::{CtDir, Zone};
use packetwalk_sim::kernel::netfilter::{Hook, Verdict};
use packetwalk_sim::kernel::types::{HostId, MSEC, NetnsId};
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::HostSpec;
use packetwalk_sim::shell::run_line;
use packetwalk_sim::wire::packet::{TcpFlags, TcpOpts};
use packetwalk_sim::wire::{Body, Icmp, Ipv4, L4, MacAddr, Packet, PacketId, Tcp, Udp};

struct World {
    s: Session,
    h: HostId,
    ns: NetnsId,
}

impl World {
    fn new() -> World {
        let mut s = Session::new(1);
        let h = s.add_host(&HostSpec { name: "h".into(), ..HostSpec::default() }).expect("a host");
        let ns = s.kernel.host(h).root_ns;
        World { s, h, ns }
    }

    fn send(&mut self, l4: L4, from: &str, to: &str, zone: Zone) {
        let (src, dst) = (from.parse().expect("an address"), to.parse().expect("an address"));
        let ip = Ipv4 {
            tos: 0,
            id: 1,
            df: true,
            mf: false,
            frag_off: 0,
            ttl: 64,
            src,
            dst,
            gso_size: 0,
            options: Bytes::new(),
            l4,
        };
        let mac = MacAddr([0; 6]);
        let body = Body::Ipv4(Arc::new(ip));
        let id = PacketId(1);
        let mut p = Packet::new(id, mac, mac, body);
        p.nf.zone = zone;
        let k = &mut self.s.kernel;
        let dev = k.dev_by_name(self.ns, "lo").expect("lo");
        assert_eq!(k.nf_conntrack_in(self.ns, Hook::Output, dev, &mut p), Verdict::Accept);
        assert_eq!(k.nf_conntrack_confirm(self.ns, Hook::Postrouting, dev, &mut p), Verdict::Accept);
        // The next line comes a moment later.
        k.queue.now += MSEC;
    }

    /// Exit status, standard output, standard error.
    fn run(&mut self, line: &str) -> (i32, String, String) {
        let r = run_line(&mut self.s, self.h, self.ns, line);
        match r.refusal {
            Some((r, _)) => (-1, String::new(), r.to_string()),
            None => (r.exit, r.stdout, r.stderr),
        }
    }

    /// The lines that a line of shell prints.
    fn lines(&mut self, line: &str) -> Vec<String> {
        self.run(line).1.lines().map(str::to_owned).collect()
    }
}

fn udp(sport: u16, dport: u16) -> L4 {
    L4::Udp(Udp { sport, dport, payload: Bytes::from_static(b"xy") })
}

fn syn(sport: u16, dport: u16) -> L4 {
    let (seq, ack, window) = (1, 0, 64_240);
    let opts = TcpOpts::default();
    L4::Tcp(Tcp { sport, dport, seq, ack, flags: TcpFlags::SYN, window, opts, payload: Bytes::new() })
}

fn echo(ty: u8) -> L4 {
    L4::Icmp(Icmp { ty, code: 0, rest: 77 << 16, payload: Bytes::new() })
}

/// One of each.
fn world() -> World {
    let mut w = World::new();
    w.send(udp(4, 53), "10.0.0.1", "10.0.0.2", Zone::default());
    w.send(syn(4, 80), "10.0.0.1", "10.0.0.3", Zone { id: 7, dir: None });
    w.send(echo(8), "10.0.0.1", "10.0.0.2", Zone::default());
    w.send(echo(0), "10.0.0.2", "10.0.0.1", Zone::default());
    w.send(udp(5, 53), "10.0.1.1", "10.0.0.2", Zone { id: 8, dir: Some(CtDir::Original) });
    w.send(L4::Raw(50, Bytes::from_static(b"12345678")), "10.0.1.1", "10.0.0.2", Zone::default());
    w
}

const UDP: &str = "udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=4 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 \
                   sport=53 dport=4 mark=0 use=1";
const TCP: &str = "tcp      6 119 SYN_SENT src=10.0.0.1 dst=10.0.0.3 sport=4 dport=80 [UNREPLIED] src=10.0.0.3 \
                   dst=10.0.0.1 sport=80 dport=4 mark=0 zone=7 use=1";
const ICMP: &str = "icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=77 src=10.0.0.2 dst=10.0.0.1 type=0 \
                    code=0 id=77 mark=0 use=1";
const ZONE: &str = "udp      17 29 src=10.0.1.1 dst=10.0.0.2 sport=5 dport=53 zone-orig=8 [UNREPLIED] src=10.0.0.2 \
                    dst=10.0.1.1 sport=53 dport=5 mark=0 use=1";
const ESP: &str = "unknown  50 599 src=10.0.1.1 dst=10.0.0.2 [UNREPLIED] src=10.0.0.2 dst=10.0.1.1 mark=0 use=1";

#[test]
fn the_list_and_its_filters() {
    let mut w = world();
    assert_eq!(list(&w.s.kernel, w.ns), [UDP, TCP, ICMP, ZONE, ESP]);
    let (code, out, err) = w.run("conntrack -L");
    assert_eq!((code, out), (0, [UDP, TCP, ICMP, ZONE, ESP, ""].join("\n")));
    assert_eq!(err, "conntrack v1.4.7 (conntrack-tools): 5 flow entries have been shown.\n");
    let cases: &[(&str, &[&str])] = &[
        ("-p udp", &[UDP, ZONE]),
        ("-p 17 -s 10.0.0.1", &[UDP]),
        ("-s 10.0.1.0/24", &[ZONE, ESP]),
        ("--orig-dst 10.0.0.3", &[TCP]),
        ("-r 10.0.0.3", &[TCP]),
        ("-q 10.0.1.1 -p UDP", &[ZONE]),
        ("-p udp --sport 5", &[ZONE]),
        ("-p tcp --orig-port-dst 80", &[TCP]),
        ("-p tcp --reply-port-src 80 --reply-port-dst 4", &[TCP]),
        ("-p tcp --state SYN_SENT", &[TCP]),
        ("-p tcp --state ESTABLISHED", &[]),
        ("-p icmp --icmp-type 8 --icmp-id 77", &[ICMP]),
        ("-u SEEN_REPLY", &[ICMP]),
        ("-u UNREPLIED -p tcp", &[TCP]),
        ("-u ASSURED", &[]),
        ("-w 7", &[TCP]),
        ("--zone 0 -p udp", &[UDP, ZONE]),
        ("--orig-zone 8", &[ZONE]),
        ("-m 1", &[]),
        ("--mark 0/0xff -p tcp", &[TCP]),
        ("-n", &[]),
        ("--dst-nat 10.0.0.2", &[]),
        ("-f ipv6", &[]),
        ("dying", &[]),
    ];
    for (words, want) in cases {
        assert_eq!(w.lines(&format!("conntrack -L {words}")), *want, "{words}");
    }
    assert_eq!(w.lines("conntrack -L -p tcp -o extended,id"), [format!("ipv4     2 {TCP} id=2")]);
    assert_eq!(w.lines("conntrack -C"), ["5"]);
    assert_eq!(
        w.lines("conntrack -S"),
        ["cpu=0   \tfound=0 invalid=0 insert=0 insert_failed=0 drop=0 early_drop=0 error=0 search_restart=0 \
          clash_resolve=0 chaintoolong=0 "]
    );
}

#[test]
fn counters_are_shown_and_zeroed() {
    let mut w = World::new();
    w.run("sysctl -w net.netfilter.nf_conntrack_acct=1");
    w.send(echo(8), "10.0.0.1", "10.0.0.2", Zone::default());
    let shown = |n: &str| {
        format!(
            "icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=77 {n} [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 \
             type=0 code=0 id=77 packets=0 bytes=0 mark=0 use=1"
        )
    };
    assert_eq!(w.lines("conntrack -L -z"), [shown("packets=1 bytes=28")]);
    assert_eq!(w.lines("conntrack -L"), [shown("packets=0 bytes=0")]);
}

#[test]
fn get_update_delete_flush() {
    let mut w = world();
    let get = "conntrack -G -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 4 --dport";
    assert_eq!(w.lines(&format!("{get} 53")), [UDP.replace("use=1", "use=2")]);
    let (code, _, err) = w.run(&format!("{get} 54"));
    assert_eq!((code, err.contains("Operation failed: such conntrack doesn't exist")), (1, true));
    let said =
        |n: usize, done: &str| format!("conntrack v1.4.7 (conntrack-tools): {n} flow entries have been {done}.\n");
    let (code, _, err) = w.run("conntrack -U -p tcp -m 5");
    assert_eq!((code, err), (0, said(1, "updated")));
    assert_eq!(w.lines("conntrack -L -m 5"), [TCP.replace("mark=0", "mark=5")]);
    assert_eq!(w.run("conntrack -D -s 9.9.9.9"), (1, String::new(), said(0, "deleted")));
    assert_eq!(w.run("conntrack -D -p icmp"), (0, format!("{ICMP}\n"), said(1, "deleted")));
    assert_eq!(w.run("conntrack -L -p icmp"), (0, String::new(), said(0, "shown")));
    let flushed = "conntrack v1.4.7 (conntrack-tools): connection tracking table has been emptied.\n";
    assert_eq!(w.run("conntrack -F"), (0, String::new(), flushed.to_owned()));
    assert_eq!(w.lines("conntrack -C"), ["0"]);
}

#[test]
fn wrong_lines() {
    let mut w = world();
    let cases = [
        ("-X", "unknown option `-X'"),
        ("-L --foo", "unknown option `--foo'"),
        ("-L --dport 80 -p tcp", "unknown option `--dport'"),
        ("-L -p udp --state ESTABLISHED", "unknown option `--state'"),
        ("-L -p tcp --state FOO", "unknown TCP state `FOO'"),
        ("-L -p foo", "`foo' unsupported protocol"),
        ("-L -p 300", "`300' unsupported protocol"),
        ("-L -f foo", "`foo' unsupported protocol"),
        ("-L -s foo", "Invalid IP address `foo'"),
        ("-L -s 1.2.3.4/255.255.0.0", "Invalid netmask"),
        ("-L -s", "option `-s' requires an argument"),
        ("-L --reply-src", "option `--reply-src' requires an argument"),
        ("-L -g 10.9.0.0/16", "CIDR notation unavailable for `--dst-nat'"),
        ("-L -u FOO", "Bad parameter `FOO'"),
        ("-L -o foo", "Bad parameter `foo'"),
        ("-L foo", "unknown type `foo'"),
        ("-L -D", "Invalid commands combination"),
        ("-L -t 5", "Illegal option `--timeout' with this command"),
        ("-F -p tcp", "Illegal option `--protonum' with this command"),
        ("-D -p icmp -z", "Illegal option `--zero' with this command"),
        ("-G", "You need to supply the `--protonum' option for this command"),
        ("-G -p tcp", "you have to specify `--src' and `--dst'"),
        ("-G -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 4", "you have to specify `--sport' and `--dport'"),
    ];
    for (words, text) in cases {
        let want = format!(
            "conntrack v1.4.7 (conntrack-tools): {text}\nTry `conntrack -h' or 'conntrack --help' for more \
             information.\n"
        );
        assert_eq!(w.run(&format!("conntrack {words}")), (2, String::new(), want), "{words}");
    }
    for refused in ["-I -p tcp", "-A", "-L -o xml"] {
        assert_eq!(w.run(&format!("conntrack {refused}")).0, -1, "{refused}");
    }
    let (code, _, err) = w.run("conntrack -L -u SRC_NAT");
    assert_eq!(code, 1);
    assert_eq!(
        err,
        "WARNING: ignoring SRC_NAT, use --src-nat instead\nconntrack v1.4.7 (conntrack-tools): Operation failed: \
         invalid parameters\n"
    );
}
