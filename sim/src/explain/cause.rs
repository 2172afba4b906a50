//! The causes, with their codes. `docs/causes.md` is made of this file.

macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $scenario:literal;)+) => {
        /// Why a probe fails.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Cause {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Cause {
            /// All of them.
            pub const ALL: &[Cause] = &[$(Cause::$name,)+];

            /// Its code, which never changes.
            pub fn code(self) -> &'static str {
                match self { $(Cause::$name => $code,)+ }
            }

            /// What it means.
            pub fn about(self) -> String {
                match self { $(Cause::$name => [$($doc),+].map(str::trim).join(" "),)+ }
            }

            /// The library scenario that shows it; empty where none does.
            pub fn scenario(self) -> &'static str {
                match self { $(Cause::$name => $scenario,)+ }
            }
        }
    };
}

causes! {
    /// A host got a packet for another and does not forward: `net.ipv4.ip_forward` is 0, or its device's `forwarding` is.
    ForwardingDisabled = "forwarding-disabled", "forwarding-off";
    /// A rule of the firewall dropped or rejected the packet.
    DroppedByRule = "dropped-by-rule", "raw-before-filter";
    /// No rule accepted the packet, and the chain's policy is DROP.
    DroppedByPolicy = "dropped-by-policy", "forward-policy";
    /// Docker keeps its networks apart, and hosts from addressing containers directly; or a bridge keeps isolated ports
    /// apart, or macvlans their mode.
    Isolation = "isolation", "isolation";
    /// Containers on one bridge may not talk: inter-container communication is off (`icc`).
    IccDisabled = "icc-disabled", "icc-false";
    /// The container is on the network, but its port is not published.
    NotPublished = "not-published", "gateway-modes";
    /// Docker's chains are gone: something flushed them, and the engine was not told.
    DockerRulesMissing = "docker-rules-missing", "flushed-rules";
    /// A sender or a router has no route to the destination.
    NoRoute = "no-route", "no-route-on-router";
    /// A route or a routing rule is there to refuse: blackhole, unreachable, prohibit.
    RefusedByRoute = "refused-by-route", "routes-that-refuse";
    /// A routing rule sends the packet by another table than the main one, and that way leads nowhere.
    PolicyRoute = "policy-route", "policy-route";
    /// A routing rule is gone, so that a table which has the route is never asked.
    RoutingRuleMissing = "routing-rule-missing", "rule-gone";
    /// The answer leaves by another way than the request came by, and is lost there: the mark or the routing rule that was
    /// to lead it back is missing.
    ReplyByOtherWay = "reply-by-other-way", "two-providers";
    /// The request arrived; whoever answers has no route back.
    NoReturnRoute = "no-return-route", "no-way-back";
    /// A private source left without being translated, and the far side does not know the way back.
    MasqueradeMissing = "masquerade-missing", "masquerade";
    /// Routers send the packet round in a circle until its time to live is used up.
    RoutingLoop = "routing-loop", "routing-loop";
    /// The time to live is too small for the way.
    TtlTooSmall = "ttl-too-small", "time-to-live";
    /// The way back to the sender leaves by another device, and `rp_filter` drops such packets, or keeps ARP silent.
    RpFilter = "rp-filter", "rp-filter";
    /// An address that has no business on that wire: 127.0.0.0/8 from outside, or one of the host's own as a source.
    Martian = "martian", "localnet";
    /// Nobody answered ARP for the next hop.
    NeighbourFailed = "neighbour-failed", "vxlan-by-hand";
    /// The neighbour table is full (`gc_thresh3`): there is no room for the next hop, or for whoever asks.
    NeighbourTableFull = "neighbour-table-full", "neighbour-overflow";
    /// The neighbour table names an Ethernet address that is no longer the neighbour's.
    StaleNeighbour = "stale-neighbour", "stale-arp";
    /// Two hosts have the address, that of IP or of Ethernet, and the wrong one was heard.
    DuplicateAddress = "duplicate-address", "duplicate-address";
    /// A device lost the address that others send to, or never had one.
    AddressMissing = "address-missing", "lost-address";
    /// The route leads to a gateway that is not there or leads nowhere, while another would do.
    WrongGateway = "wrong-gateway", "wrong-gateway";
    /// No place of the scenario has the address.
    NoSuchAddress = "no-such-address", "host-unreachable";
    /// Two networks claim the same addresses, and the wrong one wins.
    SubnetOverlap = "subnet-overlap", "overlapping-subnet";
    /// A veth end that belongs to a bridge is not its port.
    PortNotEnslaved = "port-not-enslaved", "veth-not-enslaved";
    /// A device on the way is down.
    LinkDown = "link-down", "bridge-down";
    /// Bridges are connected twice, and frames go round between them for ever.
    BridgeLoop = "bridge-loop", "bridge-loop";
    /// A bridge does not send a frame back out of the port it came in by.
    HairpinOff = "hairpin-off", "hairpin";
    /// A macvlan cannot reach the host on whose device it lies.
    MacvlanHost = "macvlan-host", "macvlan";
    /// The packet arrived, and nothing listens on that port.
    NoListener = "no-listener", "nothing-listens";
    /// The request came to the program that listens, and the program never answered.
    ProgramSilent = "program-silent", "silent-program";
    /// The host is told not to answer pings (`icmp_echo_ignore_all`).
    EchoIgnored = "echo-ignored", "icc-and-silence";
    /// Something listens on the port, but on another address, such as 127.0.0.1.
    ListenerOnLoopback = "listener-on-loopback", "host-service";
    /// Connection tracking remembers the flow from before the rules changed: address translation is only asked for its
    /// first packet.
    StaleConntrack = "stale-conntrack", "stale-conntrack";
    /// A rule that translated the destination is gone (connection tracking still remembers connections that it led on), or one
    /// that should does not fit.
    TranslationMissing = "translation-missing", "nat-flushed";
    /// The table of connections is full.
    ConntrackFull = "conntrack-full", "conntrack-full";
    /// Connection tracking holds a packet for INVALID, so that it is not translated back.
    ConntrackInvalid = "conntrack-invalid", "invalid";
    /// The program answers from another address than was asked, and the client does not know the answer for one.
    ReplyFromOtherAddress = "reply-from-other-address", "second-address";
    /// The answer takes a way on which its source is not translated back: the client does not know the connection.
    ReplyNotTranslated = "reply-not-translated", "dnat-way-back";
    /// A packet is too big for a device on the way and must not be cut; the sender is told.
    MtuTooSmall = "mtu-too-small", "path-mtu";
    /// A packet is too big for a device on the way, and the message that says so is lost.
    MtuBlackHole = "mtu-black-hole", "container-path-mtu";
    /// The tunnel's datagrams are blocked between the hosts.
    VxlanPortBlocked = "vxlan-port-blocked", "overlay-ports-blocked";
    /// The far host has no VXLAN device with the network's number.
    VniMismatch = "vni-mismatch", "wrong-number";
    /// The far host's VXLAN listens on another UDP port.
    VxlanPortMismatch = "vxlan-port-mismatch", "wrong-number";
    /// The forwarding database does not know behind which host the receiver is, or names the wrong one.
    FdbMissing = "fdb-missing", "stale-peer";
    /// The name is not known to whom was asked.
    NameNotFound = "name-not-found", "names";
    /// Nodes of a cluster do not hear what the others know: port 7946 between them is blocked.
    GossipBlocked = "gossip-blocked", "overlay-ports-blocked";
    /// No name server answered.
    ResolverUnreachable = "resolver-unreachable", "loopback-resolver";
    /// The kernel refused the request itself: no such device or address, or a wrong argument.
    Refused = "refused-locally", "container-mode";
    /// The packet met something that the model does not have.
    Unmodelled = "unmodelled", "odd-bits";
    /// No cause was found.
    Unexplained = "unexplained", "";
}

impl Cause {
    /// The cause of a code.
    pub fn by_code(code: &str) -> Option<Cause> {
        Cause::ALL.iter().copied().find(|c| c.code() == code)
    }
}
