//! What an engine makes up, called after what it belongs to: ids, MACs, host ends of veths.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::patterns::replaced;

/// Addresses that the kernel made up, and what they are called.
#[derive(Default)]
pub struct Names {
    /// A host has an engine.
    pub engine: bool,
    text: Vec<(String, String)>,
    /// The same for hexadecimal bytes of frames.
    pub bytes: Vec<(String, String)>,
}

impl Names {
    /// Those of the devices in some states, less what a command wrote.
    pub fn of<'a>(states: impl Iterator<Item = &'a Map<String, Value>>, commands: &str) -> Names {
        let mut made: BTreeMap<String, String> = BTreeMap::new();
        // A bridge may have the address of one of its ports: they come first.
        let all: Vec<(&String, &Value)> = states.flatten().collect();
        let bridge = |l: &Value| l["linkinfo"]["info_kind"] == "bridge";
        for (pass, (ns, v)) in [false, true].into_iter().flat_map(|b| all.iter().map(move |x| (b, *x))) {
            for l in v["link"].as_array().into_iter().flatten().filter(|l| bridge(l) == pass) {
                let mac = l["address"].as_str().unwrap_or("");
                let fixed = mac.starts_with("52:54:00") || mac == "00:00:00:00:00:00" || commands.contains(mac);
                if mac.len() == 17 && !fixed {
                    let dev = l["ifname"].as_str().unwrap_or("");
                    made.entry(mac.to_owned()).or_insert_with(|| format!("mac({ns}:{dev})"));
                }
            }
        }
        let mut n = Names::default();
        for (mac, name) in made {
            n.bytes.push((mac.replace(':', ""), name.clone()));
            // A bridge's id writes an address without leading zeros.
            let short: Vec<&str> = mac.split(':').map(|b| b.strip_prefix('0').unwrap_or(b)).collect();
            n.text.push((format!("8000.{}", short.join(":")), format!("8000.{name}")));
            // arping writes capitals.
            n.text.push((mac.to_uppercase(), name.clone()));
            n.text.push((mac, name));
        }
        n
    }

    /// Adds what an engine made up: ids that commands printed, and veth ends by what they lead to.
    pub fn docker<'a>(
        &mut self,
        steps: impl Iterator<Item = (&'a str, &'a str)>,
        states: impl Iterator<Item = &'a Map<String, Value>>,
    ) {
        self.engine = true;
        let id = |t: &str| t.len() == 64 && t.bytes().all(|b| b.is_ascii_hexdigit()) || swarm_id(t);
        for (cmd, out) in steps.filter(|(_, o)| id(o.trim())) {
            let id = out.trim();
            let words: Vec<&str> = cmd.split_whitespace().collect();
            let after = words.iter().position(|w| *w == "--name").and_then(|i| words.get(i + 1)).copied();
            let name = match words.get(1) {
                Some(&"network") => format!("net({})", words.last().unwrap_or(&"")),
                _ => format!("id({})", after.unwrap_or("?")),
            };
            let hex = |t: &str| t.bytes().map(|b| format!("{b:02x}")).collect::<String>();
            self.text.push((id.to_owned(), name.clone()));
            self.short(id, &name);
            self.bytes.push((hex(&id[..12]), format!("{name}/12")));
        }
        for (_, v) in states.flatten() {
            for l in v["link"].as_array().into_iter().flatten() {
                if let (Some(n), Some(peer)) = (l["ifname"].as_str(), l["peer"].as_str())
                    && n.len() == 11
                    && n.starts_with("veth")
                {
                    self.text.push((n.to_owned(), format!("veth({peer})")));
                }
            }
        }
    }

    /// Networks whose ids no command printed: made in a script, or by the engine.
    pub fn networks(&mut self, ids: &[(String, String)]) {
        for (id, name) in ids {
            if !self.text.iter().any(|(k, _)| k == id) {
                self.text.push((id.clone(), format!("net({name})")));
                self.short(id, &format!("net({name})"));
            }
        }
        // A device may be called after a network.
        let ids: Vec<(String, String)> = self.text.iter().filter(|(_, n)| n.ends_with("/12")).cloned().collect();
        for (_, name) in self.text.iter_mut().chain(&mut self.bytes).filter(|(_, n)| n.contains("mac(")) {
            *name = replaced(&Names::apply(&ids, name), r"\bveth[0-9a-f]{7}\b", "vethN");
        }
    }

    /// The beginnings of an id that name something: 12 digits, and 10 or 9 in the files of namespaces.
    fn short(&mut self, id: &str, name: &str) {
        for n in [12, 10, 9].into_iter().filter(|n| *n == 12 || name.starts_with("net(")) {
            self.text.push((id[..n].to_owned(), format!("{name}/{n}")));
        }
    }

    /// Names them within a text.
    pub fn name(&self, t: &str) -> String {
        let t = Names::apply(&self.text, t);
        let t = replaced(&t, r"\bveth[0-9a-f]{7}\b", "vethN");
        let t = replaced(&t, r"\b[0-9a-f][26ae](?::[0-9a-f]{2}){5}\b", "MAC");
        let t = replaced(&t, r"8000\.[0-9a-f][26ae][0-9a-f]{10}", "8000.MAC");
        let t = replaced(&t, r"\bgateway_[0-9a-f]{12}\b", "gateway_ID12");
        let t = replaced(&t, r"SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}", "SWMTKN-1-TOKEN");
        let t = replaced(&t, r"\b[0-9a-z]{25}\b", "SWARMID");
        replaced(&replaced(&t, r"\b[0-9a-f]{64}\b", "ID"), r"\b[0-9a-f]{12}\b", "ID12")
    }

    /// A text with every pair carried out, in order.
    pub fn apply(pairs: &[(String, String)], t: &str) -> String {
        let mut t = t.to_owned();
        for (a, b) in pairs {
            if t.contains(a.as_str()) {
                t = t.replace(a.as_str(), b);
            }
        }
        t
    }

    /// Names them within a value.
    pub fn value(&self, v: &Value) -> Value {
        match v {
            Value::String(s) if self.engine => Value::String(self.name(s)),
            Value::String(s) => Value::String(Names::apply(&self.text, s)),
            Value::Array(a) => a.iter().map(|x| self.value(x)).collect(),
            Value::Object(m) => {
                let key = |k: &String| if self.engine { self.name(k) } else { k.clone() };
                m.iter().map(|(k, x)| (key(k), self.value(x))).collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }
}

/// The networks that a recording lists: id and name.
pub fn network_ids(states: &Value) -> Vec<(String, String)> {
    let hosts = states.as_object().into_iter().flat_map(|m| m.values()).filter_map(|s| s["docker"].as_object());
    let nets = hosts.flat_map(|m| m.values()).flat_map(|h| h["network_inspect"].as_array().into_iter().flatten());
    let pair = |n: &Value| (n["Id"].as_str().unwrap_or("").to_owned(), n["Name"].as_str().unwrap_or("").to_owned());
    nets.map(pair).filter(|(id, _)| id.len() == 64 || swarm_id(id)).collect()
}

/// An id of swarm mode: 25 digits of 36.
fn swarm_id(t: &str) -> bool {
    t.len() == 25 && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}
