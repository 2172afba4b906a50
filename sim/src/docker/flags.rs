//! The settings of a daemon as flags of `dockerd` (cmd/dockerd/config.go).

use super::types::Config;

impl Config {
    /// Flags of `dockerd`.
    ///
    /// # Errors
    /// A flag that is not modelled, or a value that cannot be read.
    pub fn from_flags(flags: &[String]) -> Result<Config, String> {
        let mut c = Config::default();
        let mut it = flags.iter();
        while let Some(f) = it.next() {
            let (name, value) = f.split_once('=').map_or((f.as_str(), None), |(n, v)| (n, Some(v.to_owned())));
            let flag = matches!(
                name,
                "--icc"
                    | "--iptables"
                    | "--ip-forward"
                    | "--ip-masq"
                    | "--userland-proxy"
                    | "--ip-forward-no-drop"
                    | "--allow-direct-routing"
                    | "--debug"
                    | "-D"
                    | "--experimental"
                    | "--init"
                    | "--ip6tables"
                    | "--ipv6"
                    | "--live-restore"
                    | "--no-new-privileges"
                    | "--raw-logs"
                    | "--selinux-enabled"
            );
            let value = match value {
                Some(v) => v,
                None if flag => "true".to_owned(),
                None => it.next().cloned().ok_or_else(|| format!("flag needs an argument: {f}"))?,
            };
            c.set(name, &value).map_err(|e| format!("dockerd {f}: {e}"))?;
        }
        Ok(c)
    }

    fn set(&mut self, name: &str, v: &str) -> Result<(), String> {
        let yes = v == "true" || v == "1";
        let bad = |_| format!("invalid value {v}");
        match name {
            "--icc" => self.icc = yes,
            "--iptables" => self.iptables = yes,
            "--ip6tables" => self.ip6tables = Some(yes),
            "--experimental" => self.experimental = yes,
            "--ip-forward" => self.ip_forward = yes,
            "--ip-forward-no-drop" => self.ip_forward_no_drop = yes,
            "--ip-masq" => self.ip_masq = yes,
            "--live-restore" => self.live_restore = yes,
            "--userland-proxy" => self.userland_proxy = yes,
            "--allow-direct-routing" => self.allow_direct_routing = yes,
            "-b" | "--bridge" => self.bridge = Some(v.to_owned()),
            // What cannot be read the daemon finds out while it sets its bridge up.
            "--bip" => self.bip = Some(v.to_owned()),
            "--fixed-cidr" => self.fixed_cidr = Some(v.parse().map_err(|_| format!("invalid CIDR address: {v}"))?),
            "--mtu" => self.mtu = v.parse().map_err(|_| format!("invalid value {v}"))?,
            "--ip" => self.ip = Some(v.parse().map_err(bad)?),
            "--default-gateway" => self.default_gateway = Some(v.parse().map_err(bad)?),
            "--dns" => self.dns.push(v.to_owned()),
            "--dns-search" => self.dns_search.push(v.to_owned()),
            "--dns-opt" => self.dns_opts.push(v.to_owned()),
            "--cluster-store" => self.cluster_store = Some(v.to_owned()),
            "--cluster-advertise" => self.cluster_advertise = Some(v.to_owned()),
            "-H" | "--host" => self.hosts.push(v.to_owned()),
            "--default-address-pool" => {
                let field =
                    |k: &str| v.split(',').find_map(|p| p.strip_prefix(k)?.strip_prefix('=').map(str::to_owned));
                let base = field("base").and_then(|b| b.parse().ok());
                let size = field("size").and_then(|s| s.parse().ok());
                let pool = base.zip(size).ok_or_else(|| format!("invalid value {v}"))?;
                self.pools.push(pool);
            }
            _ => return Err("not modelled".into()),
        }
        Ok(())
    }
}
