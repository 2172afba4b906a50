//! What a scenario file says of Docker: `dockerd:` of a host, and the names that its command lines make.

use super::node::{Node, Value};
use super::read::{Reader, field};
use super::{Action, What};
use crate::docker::config_file::KEYS;
use crate::docker::images::Image;
use crate::docker::{Config, Profile};

impl Reader {
    /// The flags of a host's daemon; none for `dockerd: false`.
    pub(super) fn dockerd(&mut self, n: &Node) -> Option<Vec<String>> {
        match &n.value {
            Value::Null => return Some(Vec::new()),
            Value::Scalar(t) if t == "true" => return Some(Vec::new()),
            Value::Scalar(t) if t == "false" => return None,
            _ => {}
        }
        let names: Vec<&str> = KEYS.iter().map(|k| k.0).collect();
        let mut flags = Vec::new();
        for (key, at, value) in self.map(n, "dockerd", &names)? {
            let Some((_, flag)) = KEYS.iter().find(|k| k.0 == key) else { continue };
            let values: Vec<String> = match &value.value {
                Value::List(l) => l.iter().filter_map(|x| self.daemon_value(x, key)).collect(),
                _ => self.daemon_value(value, key).into_iter().collect(),
            };
            for v in values {
                let one = vec![format!("{flag}={v}")];
                if let Err(why) = Config::from_flags(&one, Profile::default()) {
                    self.issue(at, why, format!("write `{key}` as in daemon.json"));
                }
                flags.extend(one);
            }
        }
        Some(flags)
    }

    /// `images:`.
    pub(super) fn images(&mut self, n: &Node) -> Vec<Image> {
        let mut out = Vec::new();
        for (name, _, x) in self.map(n, "images", &[]).unwrap_or_default() {
            let Some(f) = self.map(x, "an image", &["listen", "expose"]) else { continue };
            let [listen, expose] =
                ["listen", "expose"].map(|k| field(&f, k).map(|n| self.ports(n, k)).unwrap_or_default());
            out.push(Image::own(name, listen, expose));
        }
        out
    }

    /// A value: a text, or a pool's `{base: …, size: …}`.
    fn daemon_value(&mut self, n: &Node, key: &str) -> Option<String> {
        let Value::Map(m) = &n.value else { return self.text(n, key) };
        let mut parts = Vec::new();
        for (k, _, v) in m {
            parts.push(format!("{k}={}", self.text(v, k)?));
        }
        Some(parts.join(","))
    }

    /// Notes the containers that a command line makes, so that they can be places; and whether it runs `docker`.
    pub(super) fn containers_of(&mut self, words: &[&str]) {
        if let Some(i) = words.windows(2).position(|w| w == ["network", "create"]) {
            self.networks.extend(words[i + 2..].iter().filter(|w| !w.starts_with('-')).map(|w| (*w).to_owned()));
        }
        for (i, w) in words.iter().enumerate() {
            let next = words.get(i + 1).copied();
            match (*w, next) {
                ("--name", Some(name)) => self.name(name),
                ("rename", _) => words.get(i + 2).iter().for_each(|n| self.name(n)),
                _ => w.strip_prefix("--name=").into_iter().for_each(|n| self.name(n)),
            }
        }
    }

    fn name(&mut self, name: &str) {
        self.places.insert(name.to_owned());
    }
}

/// Do a scenario's lines run `docker` on a host, and none `dockerd`? Then its daemon runs from the start.
pub(super) fn implied(host: &str, actions: &[&Action]) -> bool {
    let lines = || {
        actions.iter().filter_map(|a| match &a.what {
            What::Command { place, line } if place == host => Some(line.as_str()),
            _ => None,
        })
    };
    let runs = |tool: &str| lines().any(|l| words(l).any(|w| w == tool));
    runs("docker") && !runs("dockerd")
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || matches!(c, ';' | '"' | '\'' | '&' | '|' | '(' | ')' | '`' | '$'))
}
