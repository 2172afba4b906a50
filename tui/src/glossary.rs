//! The words of container networking, for somebody who has never seen them.

/// A word and what it means.
pub(crate) const WORDS: &[(&str, &str)] = &[
    (
        "ACCEPT",
        "What a firewall rule says when it lets a packet through. The same table's later rules are not asked any more; other tables and hooks still are.",
    ),
    (
        "address",
        "A number that names a place. An IP address (172.17.0.2) names a device of a host or container across networks; an Ethernet address (02:42:ac:11:00:02) names a device on one cable.",
    ),
    (
        "ARP",
        "The question \"who has this IP address?\", asked to everybody on one cable. The owner answers with its Ethernet address. Without an answer no packet can be sent.",
    ),
    (
        "bridge",
        "A switch made of software inside a host. Cables are plugged into its ports. It learns which Ethernet address is behind which port, and sends frames there. docker0 is a bridge.",
    ),
    ("broadcast", "A frame for everybody on the cable. ARP questions are broadcasts."),
    (
        "chain",
        "A list of firewall rules, asked one after the other from the top. The first rule that fits and decides ends it. Base chains (INPUT, FORWARD …) hang on hooks; others are jumped to.",
    ),
    ("connection", "Packets that belong together: the same two addresses and ports, in both directions."),
    (
        "conntrack",
        "Connection tracking. The kernel writes down every connection it sees. So a firewall can tell a new connection from an answer, and NAT knows how to translate answers back.",
    ),
    (
        "container",
        "Programs in namespaces of their own. For the network it is a namespace: own devices, own addresses, own routes, own firewall.",
    ),
    ("default route", "The way for every destination that no other route fits, usually to the next router."),
    (
        "DNAT",
        "Rewriting where a packet goes to. Publishing a port with docker -p makes such a rule: the host's address and port become the container's.",
    ),
    (
        "docker-proxy",
        "A small program that Docker starts for a published port. It takes connections that DNAT's rules do not reach, such as those to 127.0.0.1, and passes them on.",
    ),
    (
        "DROP",
        "What a firewall rule says when a packet is to vanish. The sender is not told, and waits until it gives up (timeout).",
    ),
    (
        "ESTABLISHED",
        "The state of a connection that has seen packets in both directions. Most firewalls let everything through that belongs to one.",
    ),
    (
        "FDB",
        "Forwarding database: a bridge's table of which Ethernet address is behind which port. A VXLAN tunnel has one too: which address is on which host.",
    ),
    (
        "flooding",
        "What a bridge does with a frame whose receiver it does not know: every port but the one it came from gets a copy.",
    ),
    (
        "FORWARD",
        "The hook for packets that pass through a host on their way elsewhere. All traffic of containers to the outside comes by here.",
    ),
    (
        "forwarding",
        "A host passes packets on that are not for itself: it is a router then. The switch is net.ipv4.ip_forward, which Docker sets.",
    ),
    ("frame", "What travels on a cable: a packet with Ethernet addresses in front."),
    ("gateway", "A router that packets are handed to when their destination is not on the same cable."),
    (
        "hairpin",
        "A packet leaves by the port it came in by. A bridge does not do that unless told to; a container that calls its own published port needs it.",
    ),
    ("hop", "One stop on a packet's way: one host or namespace that it passes through."),
    (
        "hook",
        "One of five places in the kernel where every packet is shown to the firewall: PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING.",
    ),
    (
        "ICMP",
        "Messages about the network itself: ping's questions and answers, and errors such as \"no such host\" or \"too big\".",
    ),
    ("INPUT", "The hook for packets that are for the host itself. Packets for its containers do not come by here."),
    ("iptables", "The tool that writes firewall rules, and the name of that firewall."),
    (
        "jump",
        "A rule that sends the packet through another chain. If nothing there decides, it comes back to the rule after the jump.",
    ),
    (
        "layer",
        "A packet is wrapped several times: data in TCP or UDP, that in IP, that in Ethernet. Each wrapping is a layer, with addresses of its own.",
    ),
    (
        "lo",
        "The loopback device, address 127.0.0.1: a namespace talking to itself. Every container has one of its own.",
    ),
    ("MAC address", "Another name for an Ethernet address."),
    (
        "macvlan",
        "A way to give a container an Ethernet address of its own on the host's network card, without a bridge.",
    ),
    (
        "masquerade",
        "Rewriting the sender of a packet to the host's own address, so that answers find their way back. Docker does it for what containers send to the outside.",
    ),
    (
        "MTU",
        "The longest packet that a cable or tunnel carries, usually 1500 bytes. What is longer is cut, or refused.",
    ),
    (
        "namespace",
        "A network of its own inside a host: own devices, addresses, routes and firewall. It sees nothing of the others. Every container has one.",
    ),
    ("NAT", "Network address translation: rewriting addresses on the way. See DNAT, masquerade."),
    (
        "neighbour",
        "Somebody on the same cable, reached without a router. The neighbour table holds what ARP found out.",
    ),
    ("NEW", "The state of a connection of which only the first packet was seen."),
    ("OUTPUT", "The hook for packets that a program on this host made."),
    (
        "overlay",
        "A network across several hosts that looks like one cable to containers. Docker builds it from VXLAN tunnels.",
    ),
    ("packet", "A piece of data with a sender's and a receiver's address, sent on its own through the network."),
    ("policy", "What becomes of a packet when no rule of a base chain decided: ACCEPT or DROP."),
    (
        "port",
        "Two things. A number that names a program on a host (80 is the web). And a socket of a bridge that a cable is plugged into.",
    ),
    ("POSTROUTING", "The hook just before a packet leaves. Masquerading happens here."),
    (
        "PREROUTING",
        "The hook just after a packet came in. DNAT happens here, before the kernel decides where the packet goes.",
    ),
    ("published port", "A port of the host that leads to a port of a container: docker run -p 8080:80."),
    ("REJECT", "What a firewall rule says when a packet is refused and its sender told so at once."),
    (
        "route",
        "An entry that says where packets for some addresses go: out of which device, to which router. The one with the longest fitting prefix wins.",
    ),
    (
        "rp_filter",
        "A check against forged senders: a packet is dropped when an answer would not leave by the device it came in by.",
    ),
    ("rule", "A line of a firewall: what a packet must look like, and what becomes of it then."),
    ("SNAT", "Rewriting who a packet comes from. Masquerade is one kind of it."),
    ("socket", "The end of a connection inside a program. A packet has arrived when a socket takes it."),
    ("SYN", "The first packet of a TCP connection. The answer is SYN,ACK, and then ACK: the handshake."),
    (
        "table",
        "Rules of a firewall that belong together: filter decides what passes, nat translates, mangle changes, raw comes before tracking. Also: a list of routes.",
    ),
    (
        "TTL",
        "Time to live: a number in every packet that each router lowers by one. At 0 the packet is dropped, so that none circles for ever.",
    ),
    ("tunnel", "Whole frames carried inside other packets, so that two hosts look as if they shared a cable."),
    (
        "veth",
        "A pair of devices with a cable between: what goes into one comes out of the other. One end is in the container as eth0, the other in the host, usually plugged into a bridge.",
    ),
    ("VNI", "The number of a VXLAN network. Both ends must use the same."),
    ("VXLAN", "A tunnel that carries Ethernet frames in UDP datagrams, on port 4789 with Docker."),
];
