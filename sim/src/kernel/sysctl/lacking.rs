//! Settings that Linux 6.18 has and the model does not: refused by name, not kept in silence.

/// One directory below `/proc/sys/net`, with what the model lacks of it.
pub(super) struct Lacking {
    /// The directory; `*` is any device.
    pub dir: &'static str,
    /// Names separated by blanks.
    pub names: &'static str,
}

impl Lacking {
    const fn new(dir: &'static str, names: &'static str) -> Self {
        Lacking { dir, names }
    }
}

/// All of them.
pub(super) const LACKING: &[Lacking] = &[
    Lacking::new(
        "ipv4",
        "fib_multipath_hash_fields fib_multipath_hash_policy fib_multipath_hash_seed fib_multipath_use_neigh \
         fib_notify_on_flag_change fwmark_reflect icmp_echo_enable_probe igmp_max_memberships igmp_max_msf \
         igmp_qrv ip_autobind_reuse ip_dynaddr ip_early_demux \
         ip_local_reserved_ports ipfrag_low_thresh ipfrag_max_dist nexthop_compat_mode raw_l3mdev_accept \
         tcp_abort_on_overflow tcp_adv_win_scale tcp_allowed_congestion_control tcp_app_win tcp_autocorking \
         tcp_available_congestion_control tcp_backlog_ack_defer tcp_base_mss tcp_challenge_ack_limit \
         tcp_child_ehash_entries tcp_comp_sack_delay_ns tcp_comp_sack_nr tcp_comp_sack_slack_ns \
         tcp_congestion_control tcp_dsack tcp_early_demux tcp_early_retrans tcp_ecn tcp_ecn_fallback \
         tcp_ecn_option tcp_ecn_option_beacon tcp_ehash_entries tcp_fack tcp_fastopen \
         tcp_fastopen_blackhole_timeout_sec tcp_fastopen_key tcp_frto tcp_fwmark_accept tcp_invalid_ratelimit \
         tcp_keepalive_intvl tcp_keepalive_probes tcp_keepalive_time tcp_l3mdev_accept tcp_limit_output_bytes \
         tcp_max_reordering tcp_max_syn_backlog tcp_max_tw_buckets tcp_migrate_req tcp_min_rtt_wlen \
         tcp_min_snd_mss tcp_min_tso_segs tcp_moderate_rcvbuf tcp_mtu_probe_floor tcp_no_metrics_save \
         tcp_no_ssthresh_metrics_save tcp_notsent_lowat tcp_orphan_retries tcp_pacing_ca_ratio \
         tcp_pacing_ss_ratio tcp_pingpong_thresh tcp_plb_cong_thresh tcp_plb_enabled \
         tcp_plb_idle_rehash_rounds tcp_plb_rehash_rounds tcp_plb_suspend_rto_sec tcp_probe_interval \
         tcp_probe_threshold tcp_recovery tcp_reflect_tos tcp_reordering tcp_retrans_collapse tcp_rfc1337 \
         tcp_rmem tcp_rto_max_ms tcp_rto_min_us tcp_shrink_window tcp_slow_start_after_idle tcp_stdurg \
         tcp_syncookies tcp_thin_linear_timeouts tcp_tso_rtt_log tcp_tso_win_divisor tcp_tw_reuse \
         tcp_tw_reuse_delay tcp_wmem tcp_workaround_signed_windows udp_child_hash_entries udp_early_demux \
         udp_hash_entries udp_l3mdev_accept udp_rmem_min udp_wmem_min xfrm4_gc_thresh",
    ),
    Lacking::new("ipv4/route", "flush"),
    Lacking::new("ipv4/conf/*", "igmpv2_unsolicited_report_interval igmpv3_unsolicited_report_interval mc_forwarding"),
    Lacking::new("ipv4/neigh/*", "interval_probe_time_ms proxy_qlen"),
    Lacking::new("bridge", "bridge-nf-filter-pppoe-tagged bridge-nf-filter-vlan-tagged bridge-nf-pass-vlan-input-dev"),
    Lacking::new(
        "netfilter",
        "nf_conntrack_expect_max nf_conntrack_frag6_high_thresh nf_conntrack_frag6_low_thresh \
         nf_conntrack_frag6_timeout nf_conntrack_gre_timeout nf_conntrack_gre_timeout_stream \
         nf_conntrack_icmpv6_timeout nf_conntrack_log_invalid nf_conntrack_sctp_timeout_closed \
         nf_conntrack_sctp_timeout_cookie_echoed nf_conntrack_sctp_timeout_cookie_wait \
         nf_conntrack_sctp_timeout_established nf_conntrack_sctp_timeout_heartbeat_sent \
         nf_conntrack_sctp_timeout_shutdown_ack_sent nf_conntrack_sctp_timeout_shutdown_recd \
         nf_conntrack_sctp_timeout_shutdown_sent nf_conntrack_timestamp nf_hooks_lwtunnel",
    ),
    Lacking::new(
        "ipv6",
        "anycast_src_echo_reply auto_flowlabels bindv6only fib_multipath_hash_fields \
         fib_multipath_hash_policy fib_notify_on_flag_change flowlabel_consistency flowlabel_reflect \
         flowlabel_state_ranges fwmark_reflect idgen_delay idgen_retries ioam6_id ioam6_id_wide \
         ip6frag_high_thresh ip6frag_low_thresh ip6frag_time ip_nonlocal_bind max_dst_opts_length \
         max_dst_opts_number max_hbh_length max_hbh_opts_number seg6_flowlabel xfrm6_gc_thresh",
    ),
    Lacking::new(
        "ipv6/route",
        "flush gc_elasticity gc_interval gc_min_interval gc_min_interval_ms gc_thresh gc_timeout max_size \
         min_adv_mss mtu_expires skip_notify_on_dev_down",
    ),
    Lacking::new(
        "ipv6/icmp",
        "echo_ignore_all echo_ignore_anycast echo_ignore_multicast error_anycast_as_unicast ratelimit \
         ratemask",
    ),
    Lacking::new(
        "ipv6/conf/*",
        "accept_dad accept_ra_defrtr accept_ra_from_local accept_ra_min_hop_limit accept_ra_min_lft \
         accept_ra_mtu accept_ra_pinfo accept_ra_rt_info_max_plen accept_ra_rt_info_min_plen \
         accept_ra_rtr_pref accept_redirects accept_source_route accept_untracked_na addr_gen_mode autoconf \
         dad_transmits disable_policy drop_unicast_in_l2_multicast drop_unsolicited_na enhanced_dad \
         force_forwarding force_mld_version force_tllao hop_limit ignore_routes_with_linkdown ioam6_enabled \
         ioam6_id ioam6_id_wide keep_addr_on_down max_addresses max_desync_factor mc_forwarding \
         mldv1_unsolicited_report_interval mldv2_unsolicited_report_interval mtu ndisc_evict_nocarrier \
         ndisc_notify ndisc_tclass optimistic_dad proxy_ndp ra_defrtr_metric ra_honor_pio_life \
         ra_honor_pio_pflag regen_max_retry regen_min_advance router_probe_interval router_solicitation_delay \
         router_solicitation_interval router_solicitation_max_interval router_solicitations rpl_seg_enabled \
         seg6_enabled seg6_require_hmac stable_secret suppress_frag_ndisc temp_prefered_lft temp_valid_lft \
         use_oif_addrs_only use_optimistic use_tempaddr",
    ),
    Lacking::new(
        "ipv6/neigh/*",
        "anycast_delay app_solicit base_reachable_time base_reachable_time_ms delay_first_probe_time \
         gc_stale_time interval_probe_time_ms locktime mcast_resolicit mcast_solicit proxy_delay proxy_qlen \
         retrans_time retrans_time_ms ucast_solicit unres_qlen unres_qlen_bytes",
    ),
    Lacking::new(
        "core",
        "optmem_max rmem_default rmem_max rps_default_mask somaxconn tstamp_allow_data txrehash wmem_default \
         wmem_max xfrm_acq_expires xfrm_aevent_etime xfrm_aevent_rseqth xfrm_larval_drop",
    ),
    // Of the first namespace of a host only.
    Lacking::new("ipv4/neigh/default", "gc_interval gc_thresh1"),
    Lacking::new(
        "ipv4",
        "inet_peer_maxttl inet_peer_minttl inet_peer_threshold tcp_available_ulp \
         tcp_low_latency tcp_max_orphans tcp_mem udp_mem",
    ),
    Lacking::new(
        "core",
        "bpf_jit_enable busy_poll busy_read default_qdisc dev_weight message_burst message_cost netdev_budget \
         netdev_max_backlog warnings",
    ),
];

/// Linux has this setting: its directory, and its last part.
pub(super) fn is_lacking(dir: &str, name: &str) -> bool {
    LACKING.iter().any(|l| l.dir == dir && l.names.split_whitespace().any(|n| n == name))
}
