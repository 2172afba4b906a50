//! The devices of a namespace: asked for only where something told of a change. Each question takes the lock of the whole
//! machine's devices (`rtnl_mutex`), for which labs side by side wait.

use std::collections::BTreeSet;

use crate::netlink::{self, Message, Netlink, Request, attr};

/// Group of what changes about links (`RTNLGRP_LINK`).
const GROUP: u32 = 1;
const INFO_KIND: u16 = 1;
/// Index of `lo`, whose carrier is always there.
pub const LO: u32 = 1;

/// A device of the live kernel.
#[derive(Clone)]
pub struct Device {
    /// Index.
    pub index: u32,
    /// Index of the device it hangs on, which may be in another namespace: of a veth its peer (`IFLA_LINK`); 0 of none.
    pub link: u32,
    /// Name.
    pub name: String,
    /// Ethernet address.
    pub mac: String,
    /// It is a bridge.
    pub bridge: bool,
}

/// Two sockets of a namespace; a socket stays in it, and a thread for each look costs more than the look.
pub struct Links {
    asks: Netlink,
    hears: Netlink,
    /// What the last question told, until something changed.
    known: Option<Vec<Device>>,
}

impl Links {
    /// Opens the sockets in the namespace of this thread.
    ///
    /// # Errors
    /// Where the kernel allows none.
    pub fn open() -> std::io::Result<Links> {
        let hears = Netlink::open(netlink::ROUTE)?;
        hears.join(GROUP)?;
        Ok(Links { asks: Netlink::open(netlink::ROUTE)?, hears, known: None })
    }

    /// Did something change since this was last asked? What cannot be read may have.
    pub fn changed(&mut self) -> bool {
        let mut heard = self.known.is_none();
        let lost = self.hears.events(|_| heard = true).unwrap_or(true);
        if heard || lost {
            self.known = None;
        }
        heard || lost
    }

    /// The devices, as they were when [`Links::changed`] was last asked or later; none where they cannot be read.
    pub fn devices(&mut self) -> Vec<Device> {
        if self.known.is_none() {
            self.known = self.ask();
        }
        self.known.clone().unwrap_or_default()
    }

    fn ask(&mut self) -> Option<Vec<Device>> {
        // `struct ifinfomsg`: any family, any device.
        let all = self.asks.dump(&Request::new(libc::RTM_GETLINK, 0, &[0; 16])).ok()?;
        Some(all.iter().filter(|m| m.kind == libc::RTM_NEWLINK).filter_map(|m| device(&m)).collect())
    }

    /// Has the kernel do what linkwatch has put off for a device: a single look at it does (`rtnl_getlink`). The device
    /// may have gone.
    pub fn settle(&mut self, index: u32) {
        let mut head = [0u8; 16];
        head[4..8].copy_from_slice(&index.to_ne_bytes());
        let _ = self.asks.get(&Request::new(libc::RTM_GETLINK, 0, &head));
    }
}

/// The devices, by namespace, whose carrier may have changed when something did in some of the namespaces: all in these, and
/// what hangs on one of theirs or has one of theirs hanging on it. By index alone, which may name some too many.
pub fn touched(all: &[(bool, Vec<Device>)]) -> Vec<Vec<u32>> {
    let near = || all.iter().filter(|s| s.0).flat_map(|s| &s.1).filter(|d| d.index != LO);
    let indices: BTreeSet<u32> = near().map(|d| d.index).collect();
    let links: BTreeSet<u32> = near().map(|d| d.link).filter(|l| *l != 0).collect();
    let may = |d: &Device| links.contains(&d.index) || indices.contains(&d.link);
    let of = |(changed, devs): &(bool, Vec<Device>)| {
        devs.iter().filter(|d| d.index != LO && (*changed || may(d))).map(|d| d.index).collect()
    };
    all.iter().map(of).collect()
}

fn device(m: &Message<'_>) -> Option<Device> {
    let attrs = m.body.get(16..)?;
    let name = attr::find(attrs, libc::IFLA_IFNAME)?.str().to_owned();
    let mac = attr::find(attrs, libc::IFLA_ADDRESS).map_or(&[][..], |a| a.value);
    let mac = mac.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":");
    let info = attr::find(attrs, libc::IFLA_LINKINFO);
    let kind = info.and_then(|i| attr::find(i.value, INFO_KIND)).map_or("", |k| k.str()).to_owned();
    let link = attr::find(attrs, libc::IFLA_LINK).map_or(0, |a| a.u32());
    Some(Device { index: attr::u32_at(m.body, 4), link, name, mac, bridge: kind == "bridge" })
}
