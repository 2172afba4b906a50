//! The settings of a daemon as flags of `dockerd` (cmd/dockerd/config.go, opts).

use std::net::IpAddr;

use ipnet::Ipv4Net;

use super::types::{Config, Profile};

/// Flags that are set or not.
const SWITCHES: [&str; 17] = [
    "--icc",
    "--iptables",
    "--ip-forward",
    "--ip-masq",
    "--userland-proxy",
    "--ip-forward-no-drop",
    "--allow-direct-routing",
    "--debug",
    "-D",
    "--experimental",
    "--init",
    "--ip6tables",
    "--ipv6",
    "--live-restore",
    "--no-new-privileges",
    "--raw-logs",
    "--selinux-enabled",
];

/// Flags with a value, and other switches, that every version of the daemon has, modelled or not.
const HAS: &str = " --add-runtime --authorization-plugin --bip --bridge -b --cgroup-parent --config-file --containerd \
                   --containerd-namespace --containerd-plugins-namespace --cpu-rt-period --cpu-rt-runtime --data-root \
                   --default-address-pool --default-cgroupns-mode --default-gateway --default-gateway-v6 \
                   --default-ipc-mode --default-runtime --default-shm-size --default-ulimit --dns --dns-opt --dns-search \
                   --exec-opt --exec-root --fixed-cidr --fixed-cidr-v6 --group -G --help --host -H --host-gateway-ip \
                   --init-path --insecure-registry --ip --label --log-driver --log-level -l --log-opt \
                   --max-concurrent-downloads --max-concurrent-uploads --max-download-attempts --metrics-addr --mtu \
                   --network-control-plane-mtu --node-generic-resource --oom-score-adjust --pidfile -p \
                   --registry-mirror --rootless --seccomp-profile --shutdown-timeout --storage-driver -s --storage-opt \
                   --swarm-default-advertise-addr --tls --tlscacert --tlscert --tlskey --tlsverify --userland-proxy-path \
                   --userns-remap --version -v ";
/// What 20.10 has, and no version since 23.
const ONCE: &str = " --api-cors-header --cluster-advertise --cluster-store --cluster-store-opt ";
/// And the other way round.
const SINCE: &str = " --allow-direct-routing --bridge-accept-fwmark --cdi-spec-dir --default-network-opt --feature \
                     --firewall-backend --http-proxy --https-proxy --ip-forward-no-drop --log-format --no-proxy \
                     --validate ";

/// The first flag that a version of the daemon does not have, in pflag's words.
pub fn unknown(flags: &[String], of: Profile) -> Option<String> {
    let mut it = flags.iter();
    while let Some(f) = it.next() {
        let name = f.split('=').next().unwrap_or(f);
        if !name.starts_with('-') {
            continue;
        }
        let listed = |l: &str| l.split_whitespace().any(|x| x == name);
        let switch = SWITCHES.contains(&name);
        let version = listed(if of == Profile::V20 { ONCE } else { SINCE });
        if !listed(HAS) && !version && (!switch || listed(SINCE)) {
            return Some(match name.strip_prefix("--") {
                Some(_) => format!("unknown flag: {name}"),
                None => format!("unknown shorthand flag: '{}' in {name}", name.chars().nth(1).unwrap_or('-')),
            });
        }
        let alone = ["--help", "--rootless", "--tls", "--tlsverify", "--version", "-v", "--validate"];
        if !switch && !alone.contains(&name) && !f.contains('=') && f.len() == name.len() {
            it.next();
        }
    }
    None
}

/// What a switch is set to (`strconv.ParseBool`).
fn truth(v: &str) -> Option<bool> {
    match v {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

impl Config {
    /// Flags of `dockerd`.
    ///
    /// # Errors
    /// A flag that is not modelled (the text ends so), or what pflag says of a value.
    pub fn from_flags(flags: &[String], of: Profile) -> Result<Config, String> {
        let mut c = Config::default();
        let mut it = flags.iter();
        while let Some(f) = it.next() {
            let (name, value) = f.split_once('=').map_or((f.as_str(), None), |(n, v)| (n, Some(v.to_owned())));
            let switch = SWITCHES.contains(&name);
            if !name.starts_with('-') || ["--help", "--rootless", "--tls", "--tlsverify", "--validate"].contains(&name)
            {
                return Err(format!("dockerd {f}: not modelled"));
            }
            let value = match value {
                Some(v) => v,
                None if switch => "true".to_owned(),
                None => it.next().cloned().ok_or_else(|| format!("flag needs an argument: {f}"))?,
            };
            c.set(name, &value, of).map_err(|why| match why {
                Why::Odd(why) => {
                    let shown = match name {
                        "-b" | "--bridge" => "-b, --bridge",
                        "-H" | "--host" => "-H, --host",
                        n => n,
                    };
                    format!("invalid argument \"{value}\" for \"{shown}\" flag: {why}")
                }
                Why::NotModelled => format!("dockerd {f}: not modelled"),
            })?;
            c.flags.push((name.to_owned(), value));
        }
        Ok(c)
    }

    /// One setting by its flag.
    pub(super) fn set(&mut self, name: &str, v: &str, of: Profile) -> Result<(), Why> {
        let v20 = of == Profile::V20;
        let odd = |why: String| Err(Why::Odd(why));
        let yes = truth(v);
        if SWITCHES.contains(&name) && yes.is_none() {
            return odd(format!("strconv.ParseBool: parsing \"{v}\": invalid syntax"));
        }
        let yes = yes.unwrap_or_default();
        let address = || {
            v.parse().map_err(|_| {
                Why::Odd(if v20 { format!("{v} is not an ip address") } else { format!("failed to parse IP: \"{v}\"") })
            })
        };
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
            // What cannot be read of these two the daemon finds out while it sets its bridge up.
            "--bip" => self.bip = Some(v.to_owned()),
            "--fixed-cidr" => match v.parse() {
                Ok(net) => self.fixed_cidr = Some(net),
                Err(_) => self.unread = Some(fixed_cidr(v, of)),
            },
            "--mtu" => match v.parse() {
                Ok(n) => self.mtu = n,
                Err(_) => return odd(format!("strconv.ParseInt: parsing \"{v}\": invalid syntax")),
            },
            "--ip" => self.ip = Some(address()?),
            "--default-gateway" => self.default_gateway = Some(address()?),
            "--dns" if v.trim().parse::<IpAddr>().is_err() => {
                return odd(match v20 {
                    true => format!("{v} is not an ip address"),
                    false => format!("invalid string being converted to IP address: {v}"),
                });
            }
            "--dns" => self.dns.push(v.to_owned()),
            "--dns-search" if !domain(v) => return odd(format!("{v} is not a valid domain")),
            "--dns-search" => self.dns_search.push(v.to_owned()),
            "--dns-opt" => self.dns_opts.push(v.to_owned()),
            "--cluster-store" => self.cluster_store = Some(v.to_owned()),
            "--cluster-advertise" => self.cluster_advertise = Some(v.to_owned()),
            "-H" | "--host" => self.hosts.push(v.to_owned()),
            "--default-address-pool" => self.pool(v, of)?,
            _ => return Err(Why::NotModelled),
        }
        Ok(())
    }

    /// `--default-address-pool base=…,size=…` (opts/address_pools.go); what is wrong with a pool as a whole shows when
    /// the daemon starts.
    fn pool(&mut self, v: &str, of: Profile) -> Result<(), Why> {
        let v20 = of == Profile::V20;
        let (mut base, mut size) = ("", 0i64);
        for part in v.split(',') {
            let Some((key, value)) = part.split_once('=') else {
                return Err(Why::Odd(format!("invalid field '{part}' must be a key=value pair")));
            };
            match key.trim().to_lowercase().as_str() {
                "base" if v20 || value.parse::<Ipv4Net>().is_ok() => base = value,
                "base" if !value.contains('/') => {
                    let why = format!("netip.ParsePrefix(\"{value}\"): no '/'");
                    return Err(Why::Odd(format!("invalid base prefix \"{value}\": {why}")));
                }
                "base" => return Err(Why::NotModelled),
                "size" => {
                    let shown = if v20 { value } else { v };
                    let why = format!("strconv.Atoi: parsing \"{value}\": invalid syntax");
                    let odd = || Why::Odd(format!("invalid size value: \"{shown}\" (must be integer): {why}"));
                    size = value.parse().map_err(|_| odd())?;
                }
                other => return Err(Why::Odd(format!("unexpected key '{other}' in '{part}'"))),
            }
        }
        let net = base.parse::<Ipv4Net>().ok();
        match net.zip(u8::try_from(size).ok()) {
            Some((net, size)) if odd_pool(self.pools.len(), base, net, size.into(), of).is_none() => {
                self.pools.push((net, size));
            }
            _ if self.unread.is_some() => {}
            Some((net, _)) => self.unread = odd_pool(self.pools.len(), base, net, size, of),
            None if v20 => {
                let why = format!("invalid base pool \"{base}\": invalid CIDR address: {base}");
                self.unread = Some(format!("error obtaining controller instance: {why}"));
            }
            None => {
                let shown = if net.is_some() { base } else { "invalid Prefix" };
                self.unread = Some(space(self.pools.len(), &format!("(&{{{shown} {size}}}) is not in canonical form")));
            }
        }
        Ok(())
    }
}

/// Why a setting is not taken.
pub(super) enum Why {
    /// Its value is none, in pflag's words.
    Odd(String),
    /// The model does not have it.
    NotModelled,
}

fn fixed_cidr(v: &str, of: Profile) -> String {
    let what = if of == Profile::V20 { "" } else { "parse fixed-cidr failed: " };
    format!("{what}invalid CIDR address: {v}")
}

fn space(index: usize, why: &str) -> String {
    format!(
        "error obtaining controller instance: could not construct local address space: network at index {index} {why}"
    )
}

/// What a starting daemon says of a pool that it cannot use: up to 27 ipamutils, since 28 `ipam.newAddrSpace`.
fn odd_pool(index: usize, base: &str, net: Ipv4Net, size: i64, of: Profile) -> Option<String> {
    let bits = i64::from(net.prefix_len());
    if of == Profile::V20 {
        let wrong = size <= 0 || size <= bits;
        if wrong {
            return Some(format!("error obtaining controller instance: invalid pools size: {size}"));
        }
        let text = "Error creating default \"bridge\" network: failed to parse pool request for address space";
        let more = "\"LocalDefault\" pool \"<nil>\" subpool \"\": Invalid Address Pool";
        return (size > 32).then(|| format!("{text} {more}"));
    }
    if size <= 0 || net.trunc() != net {
        return Some(space(index, &format!("(&{{{base} {size}}}) is not in canonical form")));
    }
    if size < bits {
        let why =
            format!("(&{{{base} {size}}}) has a smaller prefix (/{bits}) than the target size of that pool (/{size})");
        return Some(space(index, &why));
    }
    let text = "error creating default \"bridge\" network: failed to allocate gateway ()";
    (size > 32).then(|| format!("{text}: invalid pool id: LocalDefault/invalid Prefix"))
}

/// opts.ValidateDNSSearch.
fn domain(d: &str) -> bool {
    let label = |l: &str| !l.is_empty() && l.len() < 64 && l.chars().all(|c| c.is_alphanumeric() || c == '-');
    let d = d.trim();
    d == "." || (d.len() < 255 && d.chars().any(char::is_alphabetic) && d.trim_end_matches('.').split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::{Config, Profile};

    /// What pflag says (measured on 20.10.24 and 28.5.2).
    #[test]
    fn odd_values() {
        let rows = [
            ("--mtu=x", "strconv.ParseInt: parsing \"x\": invalid syntax", ""),
            ("--icc=maybe", "strconv.ParseBool: parsing \"maybe\": invalid syntax", ""),
            ("--ip=x", "x is not an ip address", "failed to parse IP: \"x\""),
            ("--dns=x", "x is not an ip address", "invalid string being converted to IP address: x"),
            ("--dns-search=a_b", "a_b is not a valid domain", ""),
            ("--default-address-pool=x", "invalid field 'x' must be a key=value pair", ""),
            ("--default-address-pool=base=10.0.0.0/8,foo=x", "unexpected key 'foo' in 'foo=x'", ""),
        ];
        for (flag, v20, v28) in rows {
            let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
            let said = |of| Config::from_flags(&[flag.to_owned()], of).err();
            let want = |why: &str| Some(format!("invalid argument \"{value}\" for \"{name}\" flag: {why}"));
            assert_eq!(said(Profile::V20), want(v20), "{flag}");
            assert_eq!(said(Profile::V28), want(if v28.is_empty() { v20 } else { v28 }), "{flag}");
        }
    }

    /// What the daemon finds out later (measured).
    #[test]
    fn odd_pools() {
        let of = |size: &str, of| {
            let flag = format!("--default-address-pool=base=10.10.0.0/16{size}");
            Config::from_flags(&[flag], of).ok().and_then(|c| c.unread).unwrap_or_default()
        };
        for (size, v20, v28) in [
            ("", "invalid pools size: 0", "index 0 (&{10.10.0.0/16 0}) is not in canonical form"),
            (",size=8", "invalid pools size: 8", "has a smaller prefix (/16) than the target size of that pool (/8)"),
            (",size=40", "subpool \"\": Invalid Address Pool", "invalid pool id: LocalDefault/invalid Prefix"),
            (",size=24", "", ""),
        ] {
            assert!(of(size, Profile::V20).ends_with(v20), "{size}: {}", of(size, Profile::V20));
            assert!(of(size, Profile::V28).ends_with(v28), "{size}: {}", of(size, Profile::V28));
        }
    }
}
