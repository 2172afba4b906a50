//! What docker and dockerd say of wrong lines, by version: 20.10.24 and 28.5.2 as recorded, 29.7.2 after its source
//! (docker/cli, go-connections, moby/api). Where 29 says what 28.5 says the third column is empty.

use packetwalk_sim::docker::{Config, Profile};
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;

const SEE: &str = "\nSee 'docker run --help'.\n";
const RUN: &str = "\n\nRun 'docker run --help' for more information\n";

/// A line of `docker run`, what 20.10, 28.5 and 29 say without their last lines.
const RUNS: &[(&str, &str, &str, &str)] = &[
    (
        "-p published=80",
        "docker: No port specified: 80:/tcp<empty>.",
        "docker: No port specified: 80:/tcp<empty>",
        "docker: no port specified: 80:/tcp<empty>",
    ),
    (
        "-p published=80,x",
        "docker: invalid publish opts format (should be name=value but got 'x').",
        "docker: invalid publish opts format (should be name=value but got 'x')",
        "",
    ),
    ("-p 80:80/foo", "docker: Invalid proto: foo.", "docker: Invalid proto: foo", "docker: invalid proto: foo"),
    (
        "--expose 92-90",
        "docker: invalid range format for --expose: 92-90, error: Invalid range specified for the Port: 92-90.",
        "docker: invalid range format for --expose: 92-90, error: Invalid range specified for the Port: 92-90",
        "docker: invalid range format for --expose: invalid port range: 92-90",
    ),
    (
        "--expose x",
        "docker: invalid range format for --expose: x, error: strconv.ParseUint: parsing \"x\": invalid syntax.",
        "docker: invalid range format for --expose: x, error: strconv.ParseUint: parsing \"x\": invalid syntax",
        "docker: invalid range format for --expose: invalid start port 'x': invalid syntax",
    ),
    (
        "--mac-address 02-00-00-00-00",
        "docker: 02-00-00-00-00 is not a valid mac address.",
        "docker: 02-00-00-00-00 is not a valid mac address",
        "",
    ),
    (
        "--network n --network n",
        "docker: network \"n\" is specified multiple times.",
        "docker: network \"n\" is specified multiple times",
        "",
    ),
    ("--network ''", "docker: no name set for network.", "docker: no name set for network", ""),
    (
        "--restart always --rm",
        "docker: Conflicting options: --restart and --rm.",
        "docker: conflicting options: cannot specify both --restart and --rm",
        "",
    ),
    (
        "--cap-add FLY",
        "docker: Error response from daemon: invalid CapAdd: unknown capability: \"CAP_FLY\".",
        "docker: Error response from daemon: invalid CapAdd: unknown capability: \"CAP_FLY\"",
        "",
    ),
];

/// An exit status and all that is printed.
type Said = (i32, &'static str);

/// Other lines, with what each version makes of them.
const LINES: &[(&str, Said, Said, Said)] = &[
    (
        "docker network ls -f driver",
        (
            125,
            "invalid argument \"driver\" for \"-f, --filter\" flag: bad format of filter (expected name=value)\nSee 'docker network ls --help'.\n",
        ),
        (
            125,
            "invalid argument \"driver\" for \"-f, --filter\" flag: bad format of filter (expected name=value)\n\nUsage:  docker network ls [OPTIONS]\n\nRun 'docker network ls --help' for more information\n",
        ),
        (0, ""),
    ),
    (
        "docker container ls extra",
        (
            1,
            "\"docker container ls\" accepts no arguments.\nSee 'docker container ls --help'.\n\nUsage:  docker container ls [OPTIONS]\n\nList containers\n",
        ),
        (
            1,
            "docker: 'docker container ls' accepts no arguments\n\nUsage:  docker container ls [OPTIONS]\n\nRun 'docker container ls --help' for more information\n",
        ),
        (0, ""),
    ),
    (
        "docker port web x",
        (1, "strconv.ParseUint: parsing \"x\": invalid syntax\n"),
        (1, "Error: invalid port (x): strconv.ParseUint: parsing \"x\": invalid syntax\n"),
        (1, "invalid port 'x': invalid syntax\n"),
    ),
    (
        "docker network inspect -f '{{.Name' n",
        (64, "template parsing error: template: :1: unclosed action\n"),
        (64, "template parsing error: template: :1: unclosed action\n"),
        (0, ""),
    ),
    (
        "docker ps --format '{{.Nope}}'",
        (
            1,
            "failed to execute template: template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope in type *formatter.ContainerContext\n",
        ),
        (
            1,
            "failed to execute template: template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope in type *formatter.ContainerContext\n",
        ),
        (0, ""),
    ),
    (
        "docker inspect -f '{{.NetworkSettings.Ports}}' web",
        (0, "map[80/tcp:[{0.0.0.0 8080} {:: 8080}]]\n"),
        (0, "map[80/tcp:[{0.0.0.0 8080} {:: 8080}]]\n"),
        (0, ""),
    ),
    (
        "docker rename web ''",
        (1, "Error: Neither old nor new names may be empty\n"),
        (1, "Error: Neither old nor new names may be empty\n"),
        (0, ""),
    ),
    (
        "systemctl stop docker; docker network rm n",
        (1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"),
        (
            1,
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\nexit status 1\n",
        ),
        (0, ""),
    ),
    (
        "systemctl stop docker; dockerd --default-address-pool base=10.10.0.0/16",
        (
            1,
            "failed to start daemon: Error initializing network controller: error obtaining controller instance: invalid pools size: 0\n",
        ),
        (
            1,
            "failed to start daemon: Error initializing network controller: error obtaining controller instance: could not construct local address space: network at index 0 (&{10.10.0.0/16 0}) is not in canonical form\n",
        ),
        (0, ""),
    ),
    (
        "systemctl stop docker; dockerd --default-gateway 10.9.9.9",
        (
            1,
            "failed to start daemon: Error initializing network controller: Error creating default \"bridge\" network: auxiliary address: (DefaultGatewayIPv4:10.9.9.9) must belong to the master pool: 172.17.0.0/16\n",
        ),
        (
            1,
            "failed to start daemon: Error initializing network controller: error creating default \"bridge\" network: auxiliary address: (DefaultGatewayIPv4:10.9.9.9) must belong to the master pool: 172.17.0.0/16\n",
        ),
        (0, ""),
    ),
    (
        "systemctl stop docker; dockerd -b eth0",
        (
            1,
            "failed to start daemon: Error initializing network controller: Error creating default \"bridge\" network: existing interface eth0 is not a bridge\n",
        ),
        (
            1,
            "failed to start daemon: Error initializing network controller: error creating default \"bridge\" network: existing interface eth0 is not a bridge\n",
        ),
        (0, ""),
    ),
    // A file that is there when the daemon starts.
    (
        "echo '{\"mtu\": 1400, \"bip\": \"10.8.0.1/24\"}' > /etc/docker/daemon.json; systemctl restart docker; docker network inspect -f '{{(index .IPAM.Config 0).Subnet}} {{index .Options \"com.docker.network.driver.mtu\"}}' bridge",
        (0, "10.8.0.0/24 1400\n"),
        (0, "10.8.0.0/24 1400\n"),
        (0, ""),
    ),
    (
        "systemctl stop docker; echo '{\"nosuch\": 1}' > /etc/docker/daemon.json; dockerd",
        (
            1,
            "unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives don't match any configuration option: nosuch\n",
        ),
        (
            1,
            "unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives don't match any configuration option: nosuch\n",
        ),
        (0, ""),
    ),
];

fn said(p: Profile, line: &str) -> (i32, String) {
    let mut s = Session::new(1);
    s.profile = p;
    let nic = NicSpec {
        name: "eth0".into(),
        lan: "lan".into(),
        address: Some("10.1.0.2/24".parse().expect("a prefix")),
        mac: None,
        mtu: None,
        gateway: None,
    };
    let h = s.add_host(&HostSpec { name: "h".into(), nics: vec![nic], ..HostSpec::default() }).expect("a host");
    s.start_docker(h, p, Config::default()).expect("it starts");
    let ns = s.kernel.host(h).root_ns;
    let made = run_line(
        &mut s,
        h,
        ns,
        "mkdir -p /etc/docker; docker network create n; docker run -d --name web -p 8080:80 nginx",
    );
    assert_eq!(made.exit, 0, "{}", made.stderr);
    let r = run_line(&mut s, h, ns, line);
    match r.refusal {
        Some((r, _)) => (-1, r.to_string()),
        // A template that does not fit leaves an empty line.
        None => (r.exit, format!("{}{}", r.stdout.trim_start_matches('\n'), r.stderr)),
    }
}

#[test]
fn docker_run() {
    for (words, v20, v28, v29) in RUNS {
        let line = format!("docker run -d {words} nginx");
        assert_eq!(said(Profile::V20, &line), (125, format!("{v20}{SEE}")), "20.10: {line}");
        assert_eq!(said(Profile::V28, &line), (125, format!("{v28}{RUN}")), "28.5: {line}");
        let v29 = if v29.is_empty() { v28 } else { v29 };
        assert_eq!(said(Profile::V29, &line), (125, format!("{v29}{RUN}")), "29: {line}");
    }
}

#[test]
fn other_lines() {
    let own = |(status, text): &(i32, &str)| (*status, (*text).to_owned());
    for (line, v20, v28, v29) in LINES {
        assert_eq!(said(Profile::V20, line), own(v20), "20.10: {line}");
        assert_eq!(said(Profile::V28, line), own(v28), "28.5: {line}");
        let v29 = if v29.1.is_empty() { v28 } else { v29 };
        assert_eq!(said(Profile::V29, line), own(v29), "29: {line}");
    }
}
