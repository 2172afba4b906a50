//! SNMP counters of a namespace, by the names that `nstat` prints (net/ipv4/proc.c).

macro_rules! mib {
    ($($name:ident),* $(,)?) => {
        /// One counter.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(usize)]
        #[allow(missing_docs)]
        pub enum MibItem { $($name),* }

        /// Every counter, in the order of `/proc/net/snmp` and `/proc/net/netstat`.
        pub const ALL: &[MibItem] = &[$(MibItem::$name),*];

        impl MibItem {
            /// The name that `nstat` prints.
            pub fn name(self) -> &'static str {
                const NAMES: &[&str] = &[$(stringify!($name)),*];
                NAMES[self as usize]
            }
        }
    };
}

mib! {
    IpInReceives, IpInHdrErrors, IpInAddrErrors, IpForwDatagrams, IpInUnknownProtos, IpInDiscards, IpInDelivers,
    IpOutRequests, IpOutDiscards, IpOutNoRoutes, IpReasmTimeout, IpReasmReqds, IpReasmOKs, IpReasmFails,
    IpFragOKs, IpFragFails, IpFragCreates, IpOutTransmits,
    IcmpInMsgs, IcmpInErrors, IcmpInCsumErrors, IcmpInDestUnreachs, IcmpInTimeExcds, IcmpInParmProbs,
    IcmpInSrcQuenchs, IcmpInRedirects, IcmpInEchos, IcmpInEchoReps, IcmpInTimestamps, IcmpInTimestampReps,
    IcmpInAddrMasks, IcmpInAddrMaskReps, IcmpOutMsgs, IcmpOutErrors, IcmpOutRateLimitGlobal, IcmpOutRateLimitHost,
    IcmpOutDestUnreachs, IcmpOutTimeExcds, IcmpOutParmProbs, IcmpOutSrcQuenchs, IcmpOutRedirects, IcmpOutEchos,
    IcmpOutEchoReps, IcmpOutTimestamps, IcmpOutTimestampReps, IcmpOutAddrMasks, IcmpOutAddrMaskReps,
    IcmpMsgInType0, IcmpMsgInType3, IcmpMsgInType5, IcmpMsgInType8, IcmpMsgInType11,
    IcmpMsgOutType0, IcmpMsgOutType3, IcmpMsgOutType5, IcmpMsgOutType8, IcmpMsgOutType11,
    TcpActiveOpens, TcpPassiveOpens, TcpAttemptFails, TcpEstabResets, TcpInSegs, TcpOutSegs, TcpRetransSegs,
    TcpInErrs, TcpOutRsts, TcpInCsumErrors,
    UdpInDatagrams, UdpNoPorts, UdpInErrors, UdpOutDatagrams, UdpRcvbufErrors, UdpSndbufErrors, UdpInCsumErrors,
    UdpIgnoredMulti, UdpMemErrors,
    TcpExtEmbryonicRsts, TcpExtTW, TcpExtDelayedACKs, TcpExtListenDrops, TcpExtTCPHPHits, TcpExtTCPPureAcks,
    TcpExtTCPHPAcks, TcpExtTCPAbortOnData, TcpExtTCPAbortOnClose, TcpExtTCPAbortOnTimeout, TcpExtTCPTimeouts, TcpExtTCPLossProbes, TcpExtTCPBacklogCoalesce,
    TcpExtTCPRetransFail, TcpExtTCPRcvCoalesce, TcpExtTCPSynRetrans, TcpExtTCPOrigDataSent, TcpExtTCPWinProbe,
    TcpExtTCPDelivered,
    TcpExtTcpTimeoutRehash, TcpExtIPReversePathFilter,
    IpExtInNoRoutes, IpExtInTruncatedPkts, IpExtInMcastPkts, IpExtOutMcastPkts, IpExtInBcastPkts, IpExtOutBcastPkts,
    IpExtInOctets, IpExtOutOctets, IpExtInMcastOctets, IpExtOutMcastOctets, IpExtInBcastOctets, IpExtOutBcastOctets,
    IpExtInCsumErrors, IpExtInNoECTPkts, IpExtInECT1Pkts, IpExtInECT0Pkts, IpExtInCEPkts, IpExtReasmOverlaps,
}

/// The counters of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mib([u64; ALL.len()]);

impl Default for Mib {
    fn default() -> Self {
        Mib([0; ALL.len()])
    }
}

impl Mib {
    /// Adds one.
    #[inline]
    pub fn inc(&mut self, item: MibItem) {
        self.0[item as usize] += 1;
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&mut self, item: MibItem, n: u64) {
        self.0[item as usize] += n;
    }

    /// Present value.
    #[inline]
    pub fn get(&self, item: MibItem) -> u64 {
        self.0[item as usize]
    }
}
