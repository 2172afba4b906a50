//! Every setting by its name: reading, writing, listing.

use super::lacking::is_lacking;
use super::table::{self, Int, find};
use super::types::{DevConf, NetSysctl};
use crate::kernel::Kernel;
use crate::kernel::neigh::NeighParms;
use crate::kernel::types::{DevId, Errno, NetnsId};
use crate::trace::Recorder;

/// Why a setting could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SysctlError {
    /// Linux has no such file.
    NotFound,
    /// Linux has it, the model does not.
    Unmodelled,
    /// The write was refused.
    Errno(Errno),
}

const INVALID: SysctlError = SysctlError::Errno(Errno::EINVAL);

/// Whose value of a `conf` or `neigh` setting.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    All,
    Default,
    Dev(DevId),
}

/// Where a setting lives.
enum Target {
    Net(&'static Int<NetSysctl>),
    Conf(Who, &'static Int<DevConf>),
    Neigh(Who, &'static Int<NeighParms>),
    Conf6(Who, usize),
    PortRange,
    PingRange,
    /// `nf_conntrack_count`, read only.
    CtCount,
}

/// The parts of a name below `/proc/sys`, by the rule of sysctl(8): whichever of `.` and `/` comes first
/// separates, and the other one stands for it within a part.
pub fn segments(name: &str) -> Vec<String> {
    let slash = name.find(['.', '/']).is_some_and(|i| name[i..].starts_with('/'));
    if slash {
        name.split('/').map(str::to_owned).collect()
    } else {
        name.split('.').map(|s| s.replace('/', ".")).collect()
    }
}

/// One number as `proc_get_long` reads it: decimal, `0x` or octal, up to a blank; and the rest.
fn number(text: &str) -> Result<(i64, &str), SysctlError> {
    let t = text.trim_start();
    let end = t.find(char::is_whitespace).unwrap_or(t.len());
    let (word, rest) = t.split_at(end);
    let (neg, digits) = word.strip_prefix('-').map_or((false, word), |d| (true, d));
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(d) => (d, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(INVALID);
    }
    let v = i64::from_str_radix(digits, radix).map_err(|_| INVALID)?;
    Ok((if neg { -v } else { v }, rest))
}

/// A number within the range of its entry.
fn parse<T>(e: &Int<T>, value: &str) -> Result<i64, SysctlError> {
    let (v, _) = number(value)?;
    if (e.min..=e.max).contains(&v) { Ok(v) } else { Err(INVALID) }
}

/// Two numbers; the second keeps its value when only one is given.
fn pair(value: &str, old: (i64, i64), min: i64, max: i64) -> Result<(i64, i64), SysctlError> {
    let (a, rest) = number(value)?;
    let b = if rest.trim().is_empty() { old.1 } else { number(rest)?.0 };
    let fits = |v| (min..=max).contains(&v);
    if fits(a) && fits(b) { Ok((a, b)) } else { Err(INVALID) }
}

impl<R: Recorder> Kernel<R> {
    fn sysctl_who(&self, ns: NetnsId, name: &str) -> Result<Who, SysctlError> {
        match name {
            "all" => Ok(Who::All),
            "default" => Ok(Who::Default),
            _ => self.dev_by_name(ns, name).map(Who::Dev).ok_or(SysctlError::NotFound),
        }
    }

    fn sysctl_target(&self, ns: NetnsId, name: &str) -> Result<Target, SysctlError> {
        let parts = segments(name);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let lacking = |dir: &str, last: &str| {
            if is_lacking(dir, last) { SysctlError::Unmodelled } else { SysctlError::NotFound }
        };
        match parts[..] {
            ["net", "ipv4", "ip_forward"] => {
                find(table::CONF, "forwarding").map(|e| Target::Conf(Who::All, e)).ok_or(SysctlError::NotFound)
            }
            ["net", "ipv4", "ip_local_port_range"] => Ok(Target::PortRange),
            ["net", "ipv4", "ping_group_range"] => Ok(Target::PingRange),
            ["net", "ipv4", last] => find(table::IPV4, last).map(Target::Net).ok_or_else(|| lacking("ipv4", last)),
            ["net", "ipv4", "route", last] => {
                find(table::ROUTE, last).map(Target::Net).ok_or_else(|| lacking("ipv4/route", last))
            }
            ["net", "bridge", last] => {
                find(table::BRIDGE, last).map(Target::Net).ok_or_else(|| lacking("bridge", last))
            }
            ["net", "netfilter", "nf_conntrack_count"] => Ok(Target::CtCount),
            ["net", "netfilter", last] => {
                find(table::NETFILTER, last).map(Target::Net).ok_or_else(|| lacking("netfilter", last))
            }
            ["net", "ipv4", "conf", who, last] => {
                let who = self.sysctl_who(ns, who)?;
                find(table::CONF, last).map(|e| Target::Conf(who, e)).ok_or_else(|| lacking("ipv4/conf/*", last))
            }
            ["net", "ipv4", "neigh", "default", last] if is_first(self, ns) && find(table::GC, last).is_some() => {
                find(table::GC, last).map(Target::Net).ok_or(SysctlError::NotFound)
            }
            ["net", "ipv4", "neigh", name, last] => match self.sysctl_who(ns, name)? {
                Who::All => Err(SysctlError::NotFound),
                // Registered once, by `arp_init`: only the first namespace of a host shows it.
                Who::Default if !is_first(self, ns) => Err(SysctlError::NotFound),
                Who::Default if is_lacking("ipv4/neigh/default", last) => Err(SysctlError::Unmodelled),
                who => {
                    find(table::NEIGH, last).map(|e| Target::Neigh(who, e)).ok_or_else(|| lacking("ipv4/neigh/*", last))
                }
            },
            ["net", "ipv6", "conf", who, last] => {
                let who = self.sysctl_who(ns, who)?;
                let i = table::CONF6.iter().position(|n| *n == last);
                i.map(|i| Target::Conf6(who, i)).ok_or_else(|| lacking("ipv6/conf/*", last))
            }
            ["net", "ipv6", "neigh", who, last] if who == "default" || self.dev_by_name(ns, who).is_some() => {
                Err(lacking("ipv6/neigh/*", last))
            }
            ["net", dir, last] => Err(lacking(dir, last)),
            ["net", dir, sub, last] => Err(lacking(&format!("{dir}/{sub}"), last)),
            _ => Err(SysctlError::NotFound),
        }
    }

    /// The settings of the first namespace of a host, where those live that its namespaces share.
    pub(crate) fn host_sysctl(&self, ns: NetnsId) -> &NetSysctl {
        let root = self.hosts.get(self.ns(ns).host.ix()).map_or(ns, |h| h.root_ns);
        &self.ns(root).sysctl
    }

    /// Reads a setting, by its name with dots; a device name may hold `/` for its own dots.
    ///
    /// # Errors
    /// Where there is none.
    pub fn sysctl_get(&self, ns: NetnsId, name: &str) -> Result<String, SysctlError> {
        let target = self.sysctl_target(ns, name)?;
        let s = &self.ns(ns).sysctl;
        let v = match target {
            Target::Net(e) if of_the_host(e.name) => (e.get)(self.host_sysctl(ns)),
            Target::Net(e) => (e.get)(s),
            Target::Conf(Who::All, e) => (e.get)(&s.all),
            Target::Conf(Who::Default, e) => (e.get)(&s.default),
            Target::Conf(Who::Dev(d), e) => (e.get)(&self.dev(d).conf),
            Target::Neigh(Who::Dev(d), e) => (e.get)(&self.dev(d).neigh_parms),
            Target::Neigh(_, e) => (e.get)(&s.neigh_default),
            Target::Conf6(Who::All, i) => i64::from(ipv6(s, 0)[i]),
            Target::Conf6(Who::Default, i) => i64::from(ipv6(s, 1)[i]),
            Target::Conf6(Who::Dev(d), i) => i64::from(s.ipv6_dev.get(&d).copied().unwrap_or_else(|| ipv6(s, 1))[i]),
            Target::PortRange => return Ok(format!("{}\t{}", s.ip_local_port_range.0, s.ip_local_port_range.1)),
            Target::PingRange => return Ok(format!("{}\t{}", s.ping_group_range.0, s.ping_group_range.1)),
            Target::CtCount => i64::from(self.ns(ns).nf.ct.live(self.now())),
        };
        Ok(v.to_string())
    }

    /// Writes a setting.
    ///
    /// # Errors
    /// Where there is none, or the value is refused.
    pub fn sysctl_set(&mut self, ns: NetnsId, name: &str, value: &str) -> Result<(), SysctlError> {
        match self.sysctl_target(ns, name)? {
            Target::Net(e) => self.set_net_sysctl(ns, e, value)?,
            Target::Conf(who, e) => {
                let v = parse(e, value)?;
                if who == Who::All && e.name == "forwarding" {
                    self.inet_forward_change(ns, v as i32);
                    return Ok(());
                }
                match who {
                    Who::All => (e.set)(&mut self.ns_mut(ns).sysctl.all, v),
                    Who::Default => (e.set)(&mut self.ns_mut(ns).sysctl.default, v),
                    Who::Dev(d) => (e.set)(&mut self.dev_mut(d).conf, v),
                }
            }
            Target::Neigh(who, e) => {
                let v = parse(e, value)?;
                match who {
                    Who::Dev(d) => (e.set)(&mut self.dev_mut(d).neigh_parms, v),
                    _ => (e.set)(&mut self.ns_mut(ns).sysctl.neigh_default, v),
                }
            }
            Target::CtCount => return Err(SysctlError::Errno(Errno::EACCES)),
            Target::Conf6(who, i) => {
                let v = i32::try_from(number(value)?.0).map_err(|_| INVALID)?;
                self.set_ipv6(ns, who, i, v);
            }
            Target::PortRange => {
                let s = &mut self.ns_mut(ns).sysctl;
                let old = (i64::from(s.ip_local_port_range.0), i64::from(s.ip_local_port_range.1));
                let (a, b) = pair(value, old, 1, 65535)?;
                // `ipv4_local_port_range`: upwards, and clear of the privileged ports.
                if b < a || a < i64::from(s.ip_unprivileged_port_start) {
                    return Err(INVALID);
                }
                s.ip_local_port_range = (a as i32, b as i32);
            }
            Target::PingRange => {
                let s = &mut self.ns_mut(ns).sysctl;
                let (a, b) = pair(value, s.ping_group_range, 0, i64::from(i32::MAX))?;
                s.ping_group_range = if b < a { (1, 0) } else { (a, b) };
            }
        }
        Ok(())
    }

    fn set_net_sysctl(&mut self, ns: NetnsId, e: &Int<NetSysctl>, value: &str) -> Result<(), SysctlError> {
        if of_the_host(e.name) && !is_first(self, ns) {
            // Mode 0444 outside the first namespace.
            return Err(SysctlError::Errno(Errno::EACCES));
        }
        let v = parse(e, value)?;
        let s = &mut self.ns_mut(ns).sysctl;
        if e.name == "ip_unprivileged_port_start" && v > i64::from(s.ip_local_port_range.0) {
            return Err(INVALID);
        }
        (e.set)(s, v);
        Ok(())
    }

    /// `devinet_sysctl_forward`, `inet_forward_change`: only a change does anything.
    fn inet_forward_change(&mut self, ns: NetnsId, on: i32) {
        let n = &mut self.netns[ns.ix()];
        if n.sysctl.all.forwarding == on {
            return;
        }
        n.sysctl.all.forwarding = on;
        n.sysctl.all.accept_redirects = i32::from(on == 0);
        n.sysctl.default.forwarding = on;
        for d in n.devs.values() {
            self.devs[d.ix()].conf.forwarding = on;
        }
    }

    /// `addrconf_sysctl_forward`, `addrconf_sysctl_disable`: `all` takes everything along; `accept_ra` only itself.
    fn set_ipv6(&mut self, ns: NetnsId, who: Who, i: usize, v: i32) {
        let n = &mut self.netns[ns.ix()];
        let s = &mut n.sysctl;
        let old = ipv6(s, 1);
        for d in n.devs.values() {
            let e = s.ipv6_dev.entry(*d).or_insert(old);
            if who == Who::Dev(*d) || (who == Who::All && table::CONF6[i] != "accept_ra") {
                e[i] = v;
            }
        }
        let row = match i {
            0 => &mut s.ipv6_disable,
            1 => &mut s.ipv6_accept_ra,
            _ => &mut s.ipv6_forwarding,
        };
        match who {
            Who::All if i == 1 => row[0] = v,
            Who::All => *row = [v, v],
            Who::Default => row[1] = v,
            Who::Dev(_) => {}
        }
    }
}

/// One variable of the kernel, whatever the namespace.
fn of_the_host(name: &str) -> bool {
    matches!(name, "nf_conntrack_max" | "nf_conntrack_buckets")
}

/// The namespace its host booted with (`init_net`); a switch has no host.
fn is_first<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> bool {
    k.hosts.get(k.ns(ns).host.ix()).is_some_and(|h| h.root_ns == ns)
}

/// `net.ipv6.conf.{all,default}`: row 0 or 1.
fn ipv6(s: &NetSysctl, row: usize) -> [i32; 3] {
    [s.ipv6_disable[row], s.ipv6_accept_ra[row], s.ipv6_forwarding[row]]
}

/// Names of all settings of a namespace, sorted (`sysctl -a`); the dots of a device's name are slashes.
pub fn list<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Vec<String> {
    let mut out = Vec::new();
    for n in table::IPV4.iter().map(|e| e.name).chain(["ip_forward", "ip_local_port_range", "ping_group_range"]) {
        out.push(format!("net.ipv4.{n}"));
    }
    out.extend(table::ROUTE.iter().map(|e| format!("net.ipv4.route.{}", e.name)));
    out.extend(table::BRIDGE.iter().map(|e| format!("net.bridge.{}", e.name)));
    out.extend(table::NETFILTER.iter().map(|e| format!("net.netfilter.{}", e.name)));
    out.push("net.netfilter.nf_conntrack_count".to_owned());
    if is_first(k, ns) {
        out.extend(table::GC.iter().map(|e| format!("net.ipv4.neigh.default.{}", e.name)));
    }
    let devs: Vec<String> = k.devs_of(ns).map(|d| d.name.replace('.', "/")).collect();
    for who in ["all", "default"].into_iter().chain(devs.iter().map(String::as_str)) {
        out.extend(table::CONF.iter().map(|e| format!("net.ipv4.conf.{who}.{}", e.name)));
        out.extend(table::CONF6.iter().map(|n| format!("net.ipv6.conf.{who}.{n}")));
        if who != "all" && (who != "default" || is_first(k, ns)) {
            out.extend(table::NEIGH.iter().map(|e| format!("net.ipv4.neigh.{who}.{}", e.name)));
        }
    }
    out.sort_unstable();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::NoTrace;

    #[test]
    fn forwarding_takes_every_device_along() {
        let mut k = Kernel::new(1, NoTrace);
        let host = k.add_host("h");
        let ns = k.host(host).root_ns;
        assert_eq!(k.sysctl_set(ns, "net.ipv4.ip_forward", " 0x1 "), Ok(()));
        for who in ["all", "default", "lo"] {
            assert_eq!(k.sysctl_get(ns, &format!("net/ipv4/conf/{who}/forwarding")).as_deref(), Ok("1"));
        }
        assert_eq!(k.sysctl_set(ns, "net.ipv4.ip_forward", "1a"), Err(INVALID));
        assert_eq!(k.sysctl_set(ns, "net.ipv4.ip_default_ttl", "0"), Err(INVALID));
        assert_eq!(k.sysctl_get(ns, "net.ipv4.tcp_rmem"), Err(SysctlError::Unmodelled));
        assert_eq!(k.sysctl_get(ns, "net.ipv4.nosuch"), Err(SysctlError::NotFound));
        assert!(list(&k, ns).iter().all(|n| k.sysctl_get(ns, n).is_ok()));
    }
}
