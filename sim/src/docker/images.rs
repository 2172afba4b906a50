//! Images of the model: which ports they open and expose, and what their first process is called.

/// An image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Name, without a tag.
    pub name: &'static str,
    /// Ports it listens on; true for UDP.
    pub ports: &'static [(bool, u16)],
    /// Ports it exposes.
    pub exposes: &'static [&'static str],
    /// Its command, as `docker ps` shows it.
    pub command: &'static str,
}

/// All of them, as the recordings have them.
#[rustfmt::skip]
pub const IMAGES: &[Image] = &[
    Image { name: "nginx", ports: &[(false, 80)], exposes: &["80/tcp"], command: "/bin/serve 80" },
    Image { name: "httpd", ports: &[(false, 80)], exposes: &["80/tcp"], command: "/bin/serve 80" },
    Image { name: "redis", ports: &[(false, 6379)], exposes: &["6379/tcp"], command: "/bin/serve 6379" },
    Image { name: "mysql", ports: &[(false, 3306), (false, 33060)], exposes: &["3306/tcp", "33060/tcp"], command: "/bin/serve 3306 33060" },
    Image { name: "zookeeper", ports: &[(false, 2181), (false, 8080)], exposes: &["2181/tcp", "2888/tcp", "3888/tcp", "8080/tcp"], command: "/bin/serve 2181 8080" },
    Image { name: "node-red", ports: &[(false, 1880)], exposes: &["1880/tcp"], command: "/bin/serve 1880" },
    Image { name: "coredns", ports: &[(false, 53), (true, 53)], exposes: &["53/tcp", "53/udp"], command: "/bin/serve 53 53/udp" },
    Image { name: "echo", ports: &[(false, 7), (true, 7), (false, 9000), (true, 9000)], exposes: &[], command: "/bin/serve 7 7/udp 9000 9000/udp" },
    Image { name: "busybox", ports: &[], exposes: &[], command: "sh" },
    Image { name: "alpine", ports: &[], exposes: &[], command: "/bin/sh" },
    Image { name: "ubuntu", ports: &[], exposes: &[], command: "/bin/bash" },
];

/// An image by name; a tag or a registry says nothing.
pub fn find(name: &str) -> Option<&'static Image> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let bare = last.split([':', '@']).next().unwrap_or(last);
    IMAGES.iter().find(|i| i.name == bare)
}
