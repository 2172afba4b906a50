//! The forms a walk goes out in: pictures with a packet's way, captures; and `filter` and `diff`.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::Value;

fn packetwalk(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packetwalk")).args(args).env("NO_COLOR", "1").output().expect("it starts")
}

fn text(args: &[&str]) -> String {
    let o = packetwalk(args);
    assert!(o.stderr.is_empty(), "{}", String::from_utf8_lossy(&o.stderr));
    String::from_utf8(o.stdout).expect("UTF-8")
}

fn snapshot(name: &str, shown: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/forms");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, shown));
}

#[test]
fn pictures() {
    for form in ["mermaid", "dot", "svg"] {
        snapshot(&format!("published-{form}"), &text(&["run", "bridge-publish", "--step", "1", "--format", form]));
        snapshot(&format!("dropped-{form}"), &text(&["run", "isolation", "--step", "1", "--format", form]));
    }
}

/// Names of the elements and values of an attribute in an XML text.
fn elements(xml: &str, attribute: &str) -> Vec<(String, Option<String>)> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut out = Vec::new();
    loop {
        match reader.read_event().expect("XML") {
            Event::Eof => return out,
            Event::Start(e) | Event::Empty(e) => {
                let name = String::from_utf8_lossy(e.name().as_ref()).into_owned();
                let value = e.try_get_attribute(attribute).expect("attributes");
                out.push((name, value.map(|v| String::from_utf8_lossy(&v.value).into_owned())));
            }
            Event::Text(t) => drop(t.decode().expect("UTF-8")),
            _ => {}
        }
    }
}

#[test]
fn every_picture_of_the_library_is_xml() {
    let list = text(&["list"]);
    let names = list.lines().filter(|l| l.starts_with("  ")).filter_map(|l| l.split_whitespace().next());
    for name in names {
        let o = packetwalk(&["run", name, "--format", "svg"]);
        let xml = String::from_utf8(o.stdout).expect("UTF-8");
        let all = elements(&xml, "class");
        assert_eq!(all.first().map(|x| x.0.as_str()), Some("svg"), "{name}");
        let has = |class: &str| all.iter().any(|x| x.1.as_deref() == Some(class));
        assert!(has("page") && has("host"), "{name}");
        assert!(!xml.contains("NaN") && !xml.contains("inf"), "{name}");
    }
}

#[test]
fn a_picture_shows_hops_rewrites_and_drops() {
    let all = elements(&text(&["run", "bridge-publish", "--step", "1", "--format", "svg"]), "class");
    let count = |class: &str| all.iter().filter(|x| x.1.as_deref() == Some(class)).count();
    assert!(count("hop") >= 5 && count("hop back") >= 5, "{all:?}");
    assert!(count("rewrite") >= 2 && count("drop") == 0);
    let all = elements(&text(&["run", "isolation", "--step", "1", "--format", "svg"]), "class");
    assert!(all.iter().any(|x| x.1.as_deref() == Some("drop")));
}

#[test]
fn a_step_that_is_not_there() {
    for (args, says) in [
        (&["run", "veth", "--format", "svg", "--step", "99"][..], "there is no step 99"),
        (&["run", "veth", "--format", "svg", "--step", "0"], "there is no step 0"),
        (&["run", "veth", "--step", "1", "--format", "json"], "--step is not for json"),
        (&["run", "veth", "--format", "svg", "-o", "/no/such/folder/x.svg"], "/no/such/folder"),
    ] {
        let o = packetwalk(args);
        assert_eq!(o.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&o.stderr).contains(says), "{}", String::from_utf8_lossy(&o.stderr));
    }
}

#[test]
fn a_capture_holds_named_interfaces_frames_and_comments() {
    let bytes = packetwalk(&["run", "bridge-publish", "--format", "pcapng"]).stdout;
    let mut reader = PcapNgReader::new(&bytes[..]).expect("pcapng");
    let (mut interfaces, mut frames, mut comments) = (0, 0, 0);
    while let Some(block) = reader.next_block() {
        match block.expect("a block") {
            Block::InterfaceDescription(i) => {
                assert!(i.options.iter().any(|o| matches!(o, InterfaceDescriptionOption::IfTsResol(9))));
                interfaces += 1;
            }
            Block::EnhancedPacket(p) => {
                assert_eq!(p.data.len(), p.original_len as usize);
                frames += 1;
                comments += p.options.iter().filter(|o| matches!(o, EnhancedPacketOption::Comment(_))).count();
            }
            _ => {}
        }
    }
    assert!(interfaces > 4 && frames > 20 && comments > 20, "{interfaces} {frames} {comments}");
}

const DUMP: &str = "*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
-A INPUT -p tcp -m tcp --dport 23 -j REJECT
-A INPUT -p tcp -m u32 --u32 0&0xFF=1 -m tcp --dport 24 -j DROP
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
";

/// Runs `filter` on a dump: exit status, what it prints, and its errors.
fn filter(dump: &str, args: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_packetwalk"))
        .args(["filter", "-"])
        .args(args.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // Where the arguments are no good it may be gone before it reads.
    let _ = child.stdin.take().expect("a pipe").write_all(dump.as_bytes());
    let o = child.wait_with_output().expect("it ends");
    let plain = |b: Vec<u8>| String::from_utf8(b).expect("UTF-8");
    (o.status.code(), plain(o.stdout), plain(o.stderr))
}

const IN: &str = "--in eth0 --out docker0 --src 192.168.91.2 --dst 192.168.91.128 --dport 8080";

#[test]
fn filter_translates_before_it_filters() {
    let (code, out, _) = filter(DUMP, &format!("{IN} --address eth0=192.168.91.128/24"));
    assert_eq!(code, Some(0), "{out}");
    snapshot("filter-accept", &out);
    let (code, out, _) = filter(DUMP, IN);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("say --address") && out.contains("policy   DROP"), "{out}");
    let (_, json, _) = filter(DUMP, &format!("{IN} --address eth0=192.168.91.128/24 --format json"));
    let v: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(v["verdict"], "accept");
    let missed = v["steps"].as_array().and_then(|l| l.iter().find(|s| s["result"] == "missed")).expect("one");
    assert_eq!((&missed["chain"], &missed["number"]), (&"FORWARD".into(), &1.into()));
    assert_eq!(missed["option"], "--ctstate");
}

#[test]
fn filter_knows_states_hooks_tables_and_refusals() {
    let all = [
        ("--in docker0 --out eth0 --src 172.17.0.2 --dst 9.9.9.9 --dport 80 --state ESTABLISHED", 0, "accept"),
        (
            "--in docker0 --out eth0 --src 172.17.0.2 --dst 9.9.9.9 --dport 80 --state RELATED --table filter",
            0,
            "accept",
        ),
        ("--in docker0 --out eth0 --src 172.17.0.2 --dst 9.9.9.9 --dport 80 --state INVALID", 1, "it has INVALID"),
        ("--in docker0 --out eth0 --src 172.17.0.2 --dst 9.9.9.9 --dport 80", 1, "policy   DROP"),
        ("--in eth0 --src 9.9.9.9 --dst 10.0.0.1 --dport 23", 1, "= reject"),
        ("--in eth0 --src 9.9.9.9 --dst 10.0.0.1 --dport 24", 3, "= unmodelled"),
        ("--in eth0 --src 9.9.9.9 --dst 10.0.0.1 --proto icmp", 0, "= accept"),
        (
            "--out eth0 --src 172.17.0.2 --dst 9.9.9.9 --dport 80 --hook POSTROUTING",
            3,
            "MASQUERADE takes the address of eth0",
        ),
        (
            "--out eth0 --src 172.17.0.2 --dst 9.9.9.9 --dport 80 --hook POSTROUTING --address eth0=192.0.2.1/24",
            0,
            "leaves as TCP 192.0.2.1:40000",
        ),
    ];
    for (args, code, says) in all {
        let (got, out, err) = filter(DUMP, args);
        assert_eq!(got, Some(code), "{args}\n{out}{err}");
        assert!(out.contains(says), "{args}\n{out}");
    }
}

#[test]
fn filter_tells_bad_input() {
    let bad = "*filter\n-A FORWARD -p tcp --dprot 80 -j DROP\nCOMMIT\n";
    let (code, _, err) = filter(bad, IN);
    assert_eq!(code, Some(2));
    assert!(err.contains("unknown option \"--dprot\"") && err.contains("Error occurred at line: 2"), "{err}");
    for (args, says) in [
        ("--src 1.1.1.1 --dst 2.2.2.2 --dport 80", "the packet has no way"),
        ("--in eth0 --src 1.1.1.1 --dst 2.2.2.2 --dport 80 --hook FORWARD", "FORWARD wants --in and --out"),
        ("--in eth0 --src 1.1.1.1 --dst 2.2.2.2", "wants --dport"),
        ("--in eth0 --src 1.1.1.1 --dst 2.2.2.2 --dport 80 --state OLD", "UNTRACKED"),
        ("--in eth0 --src 1.1.1.1 --dst 2.2.2.2 --dport 80 --hook SIDE", "POSTROUTING"),
    ] {
        let (code, _, err) = filter(DUMP, args);
        assert_eq!(code, Some(2), "{args}: {err}");
        assert!(err.contains(says), "{args}: {err}");
    }
    assert_eq!(
        packetwalk(&["filter", "/no/such/file", "--in", "e", "--src", "1.1.1.1", "--dst", "1.1.1.2"]).status.code(),
        Some(2)
    );
}

#[test]
fn diff_of_engines_rules_and_scenarios() {
    let o = packetwalk(&["diff", "isolation", "--engine", "20.10", "--engine", "28.5"]);
    assert_eq!(o.status.code(), Some(1));
    snapshot("diff-engines", &String::from_utf8_lossy(&o.stdout));
    assert_eq!(packetwalk(&["diff", "veth", "veth"]).status.code(), Some(0));
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("rules.v4");
    std::fs::write(&file, "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -p icmp -j ACCEPT\nCOMMIT\n").expect("written");
    let rules = format!("router={}", file.display());
    let o = packetwalk(&["diff", "dmz", "--rules", &rules, "--format", "json"]);
    assert_eq!(o.status.code(), Some(1), "{}", String::from_utf8_lossy(&o.stderr));
    let v: Value = serde_json::from_slice(&o.stdout).expect("JSON");
    let changed = |probe: &str| v["changes"].as_array().expect("a list").iter().any(|c| c["probe"] == probe);
    assert!(changed("outside -> web:80") && !changed("router -> web:80"), "{v:#}");
    let both = packetwalk(&["diff", "dmz", "--rules", &rules, "--rules", &rules]);
    assert_eq!(both.status.code(), Some(0), "{}", String::from_utf8_lossy(&both.stdout));
    for bad in [
        &["diff", "veth"][..],
        &["diff", "veth", "--engine", "29"],
        &["diff", "veth", "--engine", "29", "--engine", "17"],
        &["diff", "dmz", "--rules", "nobody=x"],
        &["diff", "dmz", "--rules", "router=/no/such/file"],
        &["diff", "veth", "dmz"],
    ] {
        assert_eq!(packetwalk(bad).status.code(), Some(2), "{bad:?}");
    }
}
