//! Images of the model: which ports they open and expose, and what their first process is called.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::engine::Rng;
use crate::session::Session;

/// The environment that every image of the model sets.
pub const ENV: &[&str] = &["PATH=/bin:/usr/bin"];

/// The id of an image: 64 hex digits, the same for the same name everywhere.
pub fn id(name: &str) -> String {
    let mut h = FxHasher::default();
    name.strip_suffix(":latest").unwrap_or(name).hash(&mut h);
    let mut dice = Rng::new(h.finish());
    (0..4).map(|_| format!("{:016x}", dice.next_u64())).collect()
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Name, without a tag.
    pub name: Cow<'static, str>,
    /// Ports its program listens on; true for UDP.
    pub ports: Cow<'static, [(bool, u16)]>,
    /// Ports it exposes (`EXPOSE`), listened on or not.
    pub exposes: Cow<'static, [(bool, u16)]>,
    /// Its command, as `docker ps` shows it.
    pub command: Cow<'static, str>,
}

impl Image {
    const fn new(
        name: &'static str,
        ports: &'static [(bool, u16)],
        exposes: &'static [(bool, u16)],
        command: &'static str,
    ) -> Image {
        Image {
            name: Cow::Borrowed(name),
            ports: Cow::Borrowed(ports),
            exposes: Cow::Borrowed(exposes),
            command: Cow::Borrowed(command),
        }
    }

    /// An image of a scenario's own.
    pub fn own(name: &str, listens: Vec<(bool, u16)>, exposes: Vec<(bool, u16)>) -> Image {
        let words: Vec<String> =
            listens.iter().map(|(udp, p)| format!(" {p}{}", if *udp { "/udp" } else { "" })).collect();
        let command = if words.is_empty() { "sh".to_owned() } else { format!("/bin/serve{}", words.concat()) };
        let more = exposes.into_iter().filter(|p| !listens.contains(p));
        let exposes: Vec<_> = listens.iter().copied().chain(more.collect::<Vec<_>>()).collect();
        Image { name: name.to_owned().into(), ports: listens.into(), exposes: exposes.into(), command: command.into() }
    }
}

/// All of them, as the recordings have them.
#[rustfmt::skip]
pub const IMAGES: &[Image] = &[
    Image::new("nginx", &[(false, 80)], &[(false, 80)], "/bin/serve 80"),
    Image::new("httpd", &[(false, 80)], &[(false, 80)], "/bin/serve 80"),
    Image::new("redis", &[(false, 6379)], &[(false, 6379)], "/bin/serve 6379"),
    Image::new("mysql", &[(false, 3306), (false, 33060)], &[(false, 3306), (false, 33060)], "/bin/serve 3306 33060"),
    Image::new("zookeeper", &[(false, 2181), (false, 8080)], &[(false, 2181), (false, 2888), (false, 3888), (false, 8080)], "/bin/serve 2181 8080"),
    Image::new("node-red", &[(false, 1880)], &[(false, 1880)], "/bin/serve 1880"),
    Image::new("coredns", &[(false, 53), (true, 53)], &[(false, 53), (true, 53)], "/bin/serve 53 53/udp"),
    Image::new("echo", &[(false, 7), (true, 7), (false, 9000), (true, 9000)], &[], "/bin/serve 7 7/udp 9000 9000/udp"),
    Image::new("busybox", &[], &[], "sh"),
    Image::new("alpine", &[], &[], "/bin/sh"),
    Image::new("ubuntu", &[], &[], "/bin/bash"),
];

impl Session {
    /// An image by name, the scenario's own before those built in; a tag or a registry says nothing.
    pub fn image(&self, name: &str) -> Option<&Image> {
        let last = name.rsplit('/').next().unwrap_or(name);
        let bare = last.split([':', '@']).next().unwrap_or(last);
        self.images.get(name).or_else(|| self.images.get(bare)).or_else(|| IMAGES.iter().find(|i| i.name == bare))
    }
}
