//! `/etc/docker/daemon.json` (daemon/config/config.go), which a daemon reads when it starts.

use serde_json::Value;

use super::flags::Why;
use super::types::{Config, Profile};

/// Keys, with the flag of `dockerd` that each stands for.
pub const KEYS: &[(&str, &str)] = &[
    ("allow-direct-routing", "--allow-direct-routing"),
    ("bip", "--bip"),
    ("bridge", "--bridge"),
    ("cluster-advertise", "--cluster-advertise"),
    ("cluster-store", "--cluster-store"),
    ("default-address-pools", "--default-address-pool"),
    ("default-gateway", "--default-gateway"),
    ("dns", "--dns"),
    ("dns-opts", "--dns-opt"),
    ("dns-search", "--dns-search"),
    ("experimental", "--experimental"),
    ("fixed-cidr", "--fixed-cidr"),
    ("hosts", "--host"),
    ("icc", "--icc"),
    ("ip", "--ip"),
    ("ip-forward", "--ip-forward"),
    ("ip-forward-no-drop", "--ip-forward-no-drop"),
    ("ip-masq", "--ip-masq"),
    ("ip6tables", "--ip6tables"),
    ("iptables", "--iptables"),
    ("live-restore", "--live-restore"),
    ("mtu", "--mtu"),
    ("userland-proxy", "--userland-proxy"),
];

/// Keys that the daemon has and the model has not.
const OTHERS: &str = " allow-nondistributable-artifacts authorization-plugins builder cgroup-parent containerd \
                      containerd-namespace cpu-rt-period cpu-rt-runtime data-root debug default-cgroupns-mode \
                      default-gateway-v6 default-ipc-mode default-network-opts default-runtime default-shm-size \
                      default-ulimits exec-opts exec-root features firewall-backend fixed-cidr-v6 graph group \
                      host-gateway-ip http-proxy https-proxy init init-path insecure-registries ipv6 labels log-driver \
                      log-format log-level log-opts max-concurrent-downloads max-concurrent-uploads \
                      max-download-attempts metrics-addr mirrors no-new-privileges no-proxy node-generic-resources \
                      oom-score-adjust pidfile proxies raw-logs registry-mirrors runtimes seccomp-profile \
                      selinux-enabled shutdown-timeout storage-driver storage-opts swarm-default-advertise-addr tls \
                      tlscacert tlscert tlskey tlsverify userland-proxy-path userns-remap ";

/// Where it is.
pub const PATH: &str = "/etc/docker/daemon.json";

impl Config {
    /// These settings with those of the file.
    ///
    /// # Errors
    /// The daemon's sentence, or the name of a key that is not modelled (the text ends so).
    pub fn with_file(&self, text: &str, of: Profile) -> Result<Config, String> {
        let said = |why: String| format!("unable to configure the Docker daemon with file {PATH}: {why}");
        let json: Value = serde_json::from_str(text).map_err(|e| match e.is_eof() {
            true => {
                said(format!("{}unexpected end of JSON input", if of == Profile::V20 { "" } else { "invalid JSON: " }))
            }
            false => format!("{PATH}, which is no JSON: {e}: not modelled"),
        })?;
        let Value::Object(all) = json else { return Err(format!("{PATH}, which is no object: not modelled")) };
        let mut unknown: Vec<&str> = all.keys().map(String::as_str).filter(|k| !known(k)).collect();
        unknown.sort_unstable();
        if !unknown.is_empty() {
            let text = "the following directives don't match any configuration option";
            return Err(said(format!("{text}: {}", unknown.join(", "))));
        }
        let mut c = self.clone();
        for (key, value) in &all {
            let Some((_, flag)) = KEYS.iter().find(|(k, _)| k == key) else {
                return Err(format!("{key} of {PATH}: not modelled"));
            };
            self.not_twice(key, flag, value).map_err(said)?;
            let one = |v: &Value| match v {
                Value::Object(o) => o.iter().map(|(k, v)| format!("{k}={}", plain(v))).collect::<Vec<_>>().join(","),
                v => plain(v),
            };
            let values: Vec<String> = match value {
                Value::Array(a) => a.iter().map(one).collect(),
                v => vec![one(v)],
            };
            for v in values {
                c.set(flag, &v, of).map_err(|why| match why {
                    Why::Odd(why) => format!("{key} of {PATH}: {why}: not modelled"),
                    Why::NotModelled => format!("{key} of {PATH}: not modelled"),
                })?;
            }
        }
        Ok(c)
    }

    /// What a flag says the file may not say too (`findConfigurationConflicts`).
    fn not_twice(&self, key: &str, flag: &str, value: &Value) -> Result<(), String> {
        let Some((_, ours)) = self.flags.iter().find(|(f, _)| f == flag).filter(|_| !value.is_array()) else {
            return Ok(());
        };
        let text = "the following directives are specified both as a flag and in the configuration file";
        Err(format!("{text}: {key}: (from flag: {ours}, from file: {})", plain(value)))
    }
}

fn known(key: &str) -> bool {
    KEYS.iter().any(|(k, _)| *k == key) || OTHERS.split_whitespace().any(|k| k == key)
}

fn plain(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Config, Profile};

    /// What 28.5.2 says (measured), and what a file changes.
    #[test]
    fn files() {
        let flags = Config::from_flags(&["--icc=true".to_owned()], Profile::V28).unwrap_or_default();
        let said = |text: &str| match flags.with_file(text, Profile::V28) {
            Ok(_) => String::new(),
            Err(e) => e.replace("unable to configure the Docker daemon with file /etc/docker/daemon.json: ", "E "),
        };
        let twice = "E the following directives are specified both as a flag and in the configuration file";
        for (text, want) in [
            ("{\"nosuch\": 1}", "E the following directives don't match any configuration option: nosuch".to_owned()),
            ("{\"mtu\": 1400", "E invalid JSON: unexpected end of JSON input".to_owned()),
            ("{\"icc\": false}", format!("{twice}: icc: (from flag: true, from file: false)")),
            ("{\"log-level\": \"debug\"}", "log-level of /etc/docker/daemon.json: not modelled".to_owned()),
            ("{}", String::new()),
        ] {
            assert_eq!(said(text), want, "{text}");
        }
        let text = "{\"mtu\": 1400, \"dns\": [\"1.1.1.1\", \"9.9.9.9\"], \"iptables\": false, \
                    \"default-address-pools\": [{\"base\": \"10.9.0.0/16\", \"size\": 24}]}";
        let c = flags.with_file(text, Profile::V28).unwrap_or_default();
        let pool = ("10.9.0.0/16".parse().unwrap_or_default(), 24);
        assert_eq!((c.mtu, c.dns.len(), c.iptables, c.pools), (1400, 2, false, vec![pool]));
    }
}
