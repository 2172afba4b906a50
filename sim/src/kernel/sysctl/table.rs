//! The tables of settings: name, range, and where the value lives.

use super::types::{DevConf, NetSysctl};
use crate::kernel::neigh::NeighParms;
use crate::kernel::types::{Nanos, SEC};
use crate::op::NeighParm;

/// A setting that is one number of a `T`.
pub(super) struct Int<T> {
    /// Last part of its name.
    pub name: &'static str,
    /// Smallest value that may be written.
    pub min: i64,
    /// Largest value that may be written.
    pub max: i64,
    /// Reads it.
    pub get: fn(&T) -> i64,
    /// Writes it.
    pub set: fn(&mut T, i64),
}

const IMIN: i64 = i32::MIN as i64;
const IMAX: i64 = i32::MAX as i64;
/// One jiffy: the kernel of the recordings has `CONFIG_HZ=250`.
const JIFFY: Nanos = SEC / HZ as Nanos;
const HZ: i64 = 250;
/// `proc_dointvec_jiffies`: more seconds do not fit an int of jiffies.
const SMAX: i64 = IMAX / HZ;
/// `SKB_TRUESIZE(ETH_FRAME_LEN)`, what `unres_qlen` counts a packet as.
const TRUESIZE: i64 = 2090;

macro_rules! ints {
    ($($name:literal $field:ident $min:tt $max:tt;)*) => {
        &[$(Int {
            name: $name,
            min: $min as i64,
            max: $max as i64,
            get: |s| i64::from(s.$field),
            set: |s, v| s.$field = v as i32,
        }),*]
    };
}

/// `net.ipv4.*`; `ip_forward` and the two ranges are apart.
pub(super) const IPV4: &[Int<NetSysctl>] = ints! {
    "icmp_echo_ignore_all" icmp_echo_ignore_all 0 1;
    "icmp_echo_ignore_broadcasts" icmp_echo_ignore_broadcasts 0 1;
    "icmp_errors_use_inbound_ifaddr" icmp_errors_use_inbound_ifaddr 0 1;
    "icmp_ignore_bogus_error_responses" icmp_ignore_bogus_error_responses 0 1;
    "icmp_msgs_burst" icmp_msgs_burst 0 IMAX;
    "icmp_msgs_per_sec" icmp_msgs_per_sec 0 IMAX;
    "icmp_ratelimit" icmp_ratelimit_ms 0 IMAX;
    "icmp_ratemask" icmp_ratemask IMIN IMAX;
    "igmp_link_local_mcast_reports" igmp_link_local_mcast_reports 0 255;
    "ip_default_ttl" ip_default_ttl 1 255;
    "ip_forward_update_priority" ip_forward_update_priority 0 1;
    "ip_forward_use_pmtu" ip_forward_use_pmtu 0 255;
    "ip_no_pmtu_disc" ip_no_pmtu_disc 0 255;
    "ip_nonlocal_bind" ip_nonlocal_bind 0 255;
    "ip_unprivileged_port_start" ip_unprivileged_port_start 0 65535;
    "ipfrag_high_thresh" ipfrag_high_thresh 3_145_728 IMAX;
    "ipfrag_time" ipfrag_time_s (-SMAX) SMAX;
    "tcp_fin_timeout" tcp_fin_timeout_s (-SMAX) SMAX;
    "tcp_mtu_probing" tcp_mtu_probing 0 255;
    "tcp_retries1" tcp_retries1 0 255;
    "tcp_retries2" tcp_retries2 0 255;
    "tcp_sack" tcp_sack 0 255;
    "tcp_syn_linear_timeouts" tcp_syn_linear_timeouts 0 127;
    "tcp_syn_retries" tcp_syn_retries 1 127;
    "tcp_synack_retries" tcp_synack_retries 0 255;
    "tcp_timestamps" tcp_timestamps 0 255;
    "tcp_window_scaling" tcp_window_scaling 0 255;
};

/// `net.ipv4.route.*`.
pub(super) const ROUTE: &[Int<NetSysctl>] = ints! {
    "min_adv_mss" min_adv_mss IMIN IMAX;
    "min_pmtu" min_pmtu 68 IMAX;
    "mtu_expires" mtu_expires_s (-SMAX) SMAX;
};

macro_rules! flags {
    ($($name:literal $field:ident;)*) => {
        // `brnf_sysctl_call_tables`: whatever is not 0 is 1.
        &[$(Int {
            name: $name,
            min: IMIN,
            max: IMAX,
            get: |s| i64::from(s.$field),
            set: |s, v| s.$field = i32::from(v != 0),
        }),*]
    };
}

/// `net.bridge.*`.
pub(super) const BRIDGE: &[Int<NetSysctl>] = flags! {
    "bridge-nf-call-arptables" bridge_nf_call_arptables;
    "bridge-nf-call-ip6tables" bridge_nf_call_ip6tables;
    "bridge-nf-call-iptables" bridge_nf_call_iptables;
};

/// `net.ipv4.neigh.default.*` of a host's first namespace: what all of its namespaces share.
pub(super) const GC: &[Int<NetSysctl>] = ints! {
    "gc_thresh2" gc_thresh2 0 IMAX;
    "gc_thresh3" gc_thresh3 0 IMAX;
};

/// `net.netfilter.*`; `nf_conntrack_count` is apart. Every packet of the model has a right checksum, so
/// `nf_conntrack_checksum` has nothing to check.
pub(super) const NETFILTER: &[Int<NetSysctl>] = ints! {
    "nf_conntrack_acct" nf_conntrack_acct 0 1;
    "nf_conntrack_buckets" nf_conntrack_buckets 0 IMAX;
    "nf_conntrack_checksum" nf_conntrack_checksum 0 1;
    "nf_conntrack_events" nf_conntrack_events 0 2;
    "nf_conntrack_generic_timeout" nf_conntrack_generic_timeout (-SMAX) SMAX;
    "nf_conntrack_icmp_timeout" nf_conntrack_icmp_timeout (-SMAX) SMAX;
    "nf_conntrack_max" nf_conntrack_max 0 IMAX;
    "nf_conntrack_tcp_be_liberal" nf_conntrack_tcp_be_liberal 0 1;
    "nf_conntrack_tcp_ignore_invalid_rst" nf_conntrack_tcp_ignore_invalid_rst 0 1;
    "nf_conntrack_tcp_loose" nf_conntrack_tcp_loose 0 1;
    "nf_conntrack_tcp_max_retrans" nf_conntrack_tcp_max_retrans 0 255;
    "nf_conntrack_tcp_timeout_close" nf_conntrack_tcp_timeout_close (-SMAX) SMAX;
    "nf_conntrack_tcp_timeout_close_wait" nf_conntrack_tcp_timeout_close_wait (-SMAX) SMAX;
    "nf_conntrack_tcp_timeout_established" nf_conntrack_tcp_timeout_established (-SMAX) SMAX;
    "nf_conntrack_tcp_timeout_fin_wait" nf_conntrack_tcp_timeout_fin_wait (-SMAX) SMAX;
    "nf_conntrack_tcp_timeout_last_ack" nf_conntrack_tcp_timeout_last_ack (-SMAX) SMAX;
    "nf_conntrack_tcp_timeout_max_retrans" nf_conntrack_tcp_timeout_max_retrans (-SMAX) SMAX;
    "nf_conntrack_tcp_timeout_syn_recv" nf_conntrack_tcp_timeout_syn_recv (-SMAX) SMAX;
    "nf_conntrack_tcp_timeout_syn_sent" nf_conntrack_tcp_timeout_syn_sent (-SMAX) SMAX;
    "nf_conntrack_tcp_timeout_time_wait" nf_conntrack_tcp_timeout_time_wait (-SMAX) SMAX;
    "nf_conntrack_tcp_timeout_unacknowledged" nf_conntrack_tcp_timeout_unacknowledged (-SMAX) SMAX;
    "nf_conntrack_udp_timeout" nf_conntrack_udp_timeout (-SMAX) SMAX;
    "nf_conntrack_udp_timeout_stream" nf_conntrack_udp_timeout_stream (-SMAX) SMAX;
};

macro_rules! conf {
    ($($field:ident)*) => {
        &[$(Int {
            name: stringify!($field),
            min: IMIN,
            max: IMAX,
            get: |s| i64::from(s.$field),
            set: |s, v| s.$field = v as i32,
        }),*]
    };
}

/// `net.ipv4.conf.DEV.*`.
pub(super) const CONF: &[Int<DevConf>] = conf! {
    accept_local accept_redirects accept_source_route arp_accept arp_announce arp_evict_nocarrier arp_filter
    arp_ignore arp_notify bc_forwarding bootp_relay disable_policy disable_xfrm drop_gratuitous_arp
    drop_unicast_in_l2_multicast force_igmp_version forwarding ignore_routes_with_linkdown log_martians medium_id
    promote_secondaries proxy_arp proxy_arp_pvlan route_localnet rp_filter secure_redirects send_redirects
    shared_media src_valid_mark tag
};

fn secs(t: Nanos) -> i64 {
    (t / SEC) as i64
}

fn from_secs(v: i64) -> Nanos {
    v as Nanos * SEC
}

fn ms(t: Nanos) -> i64 {
    (t / 1_000_000) as i64
}

/// `msecs_to_jiffies` rounds up.
fn from_ms(v: i64) -> Nanos {
    (v as Nanos * 1_000_000).div_ceil(JIFFY) * JIFFY
}

/// `jiffies_to_clock_t`: ticks of 1/100 s.
fn ticks(t: Nanos) -> i64 {
    (t / JIFFY) as i64 * 100 / HZ
}

/// `clock_t_to_jiffies`.
fn from_ticks(v: i64) -> Nanos {
    (v * HZ / 100) as Nanos * JIFFY
}

macro_rules! parms {
    ($($name:literal $field:ident $max:tt $get:expr, $set:expr;)*) => {
        &[$(Int {
            name: $name,
            min: 0,
            max: $max as i64,
            get: |s| $get(s.$field),
            set: |s, v| s.$field = $set(v),
        }),*]
    };
}

/// `net.ipv4.neigh.DEV.*`.
pub(super) const NEIGH: &[Int<NeighParms>] = parms! {
    "anycast_delay" anycast_delay IMAX ticks, from_ticks;
    "app_solicit" app_solicit IMAX i64::from, to_u32;
    "base_reachable_time" base_reachable_time SMAX secs, from_secs;
    "base_reachable_time_ms" base_reachable_time IMAX ms, from_ms;
    "delay_first_probe_time" delay_probe_time SMAX secs, from_secs;
    "gc_stale_time" gc_staletime SMAX secs, from_secs;
    "locktime" locktime IMAX ticks, from_ticks;
    "mcast_resolicit" mcast_resolicit IMAX i64::from, to_u32;
    "mcast_solicit" mcast_solicit IMAX i64::from, to_u32;
    "proxy_delay" proxy_delay IMAX ticks, from_ticks;
    "retrans_time" retrans_time IMAX ticks, from_ticks;
    "retrans_time_ms" retrans_time IMAX ms, from_ms;
    "ucast_solicit" ucast_solicit IMAX i64::from, to_u32;
    "unres_qlen" queue_len_bytes (IMAX / TRUESIZE) packets, from_packets;
    "unres_qlen_bytes" queue_len_bytes IMAX i64::from, to_u32;
};

/// `neightbl_set`: as the files are written, but all times in ms.
pub(crate) fn set_parm(p: &mut NeighParms, parm: NeighParm, value: u64) {
    let time = || (value.saturating_mul(1_000_000)).div_ceil(JIFFY).saturating_mul(JIFFY);
    match parm {
        NeighParm::BaseReachableTime => p.base_reachable_time = time(),
        NeighParm::RetransTime => p.retrans_time = time(),
        NeighParm::GcStaletime => p.gc_staletime = time(),
        NeighParm::DelayProbeTime => p.delay_probe_time = time(),
        NeighParm::QueueLen => p.queue_len_bytes = from_packets(i64::from(value as u32)),
        NeighParm::AppProbes => p.app_solicit = value as u32,
        NeighParm::UcastProbes => p.ucast_solicit = value as u32,
        NeighParm::McastProbes => p.mcast_solicit = value as u32,
        NeighParm::AnycastDelay => p.anycast_delay = time(),
        NeighParm::ProxyDelay => p.proxy_delay = time(),
        NeighParm::Locktime => p.locktime = time(),
    }
}

fn to_u32(v: i64) -> u32 {
    v as u32
}

fn packets(bytes: u32) -> i64 {
    i64::from(bytes) / TRUESIZE
}

fn from_packets(v: i64) -> u32 {
    (v * TRUESIZE) as u32
}

/// `net.ipv6.conf.DEV.*`, in the order of [`NetSysctl`]'s values of a device.
pub(super) const CONF6: &[&str] = &["disable_ipv6", "accept_ra", "forwarding"];

/// Finds an entry by the last part of its name.
pub(super) fn find<T>(table: &'static [Int<T>], name: &str) -> Option<&'static Int<T>> {
    table.iter().find(|e| e.name == name)
}
