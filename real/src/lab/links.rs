//! The devices of a namespace: asked for once, and then as the kernel tells of changes. Each question takes the lock of the
//! whole machine's devices (`rtnl_mutex`), for which labs side by side wait.

use std::collections::{BTreeMap, BTreeSet};

use crate::netlink::{self, Message, Netlink, Request, attr};

/// Group of what changes about links (`RTNLGRP_LINK`).
const GROUP: u32 = 1;
const INFO_KIND: u16 = 1;
/// Length of `struct ifinfomsg`; of zeros, it asks for any family and any device.
const HEADER: usize = 16;
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
    /// Devices by index: what the question told, and what was heard since; none until it is asked, and where something
    /// was told too fast.
    known: Option<BTreeMap<u32, Device>>,
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
        let (mut heard, known) = (self.known.is_none(), &mut self.known);
        let lost = self.hears.events(|m| {
            heard = true;
            if let Some(all) = known.as_mut() {
                note(all, &m);
            }
        });
        let lost = lost.unwrap_or(true);
        if lost {
            self.known = None;
        }
        heard || lost
    }

    /// The devices by index, as they were when [`Links::changed`] was last asked or later; none where they cannot be read.
    pub fn devices(&mut self) -> Vec<Device> {
        if self.known.is_none() {
            self.known = self.ask();
        }
        self.known.iter().flat_map(BTreeMap::values).cloned().collect()
    }

    fn ask(&mut self) -> Option<BTreeMap<u32, Device>> {
        let all = self.asks.dump(&Request::new(libc::RTM_GETLINK, 0, &[0; HEADER])).ok()?;
        let mut known = BTreeMap::new();
        all.iter().for_each(|m| note(&mut known, &m));
        Some(known)
    }

    /// Has the kernel do what linkwatch has put off for a device: a single look at it does (`rtnl_getlink`). The device
    /// may have gone.
    pub fn settle(&mut self, index: u32) {
        let mut head = [0u8; HEADER];
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

/// Takes note of what a message tells of a device. What a bridge tells of its ports (`AF_BRIDGE`) is of no interest here:
/// a port that leaves is told as if it were deleted.
fn note(known: &mut BTreeMap<u32, Device>, m: &Message<'_>) {
    if m.body.first() != Some(&(libc::AF_UNSPEC as u8)) {
        return;
    }
    match m.kind {
        libc::RTM_NEWLINK => known.extend(device(m).map(|d| (d.index, d))),
        libc::RTM_DELLINK if m.body.len() >= HEADER => drop(known.remove(&attr::u32_at(m.body, 4))),
        _ => {}
    }
}

fn device(m: &Message<'_>) -> Option<Device> {
    let attrs = m.body.get(HEADER..)?;
    let name = attr::find(attrs, libc::IFLA_IFNAME)?.str().to_owned();
    let mac = attr::find(attrs, libc::IFLA_ADDRESS).map_or(&[][..], |a| a.value);
    let mac = mac.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":");
    let info = attr::find(attrs, libc::IFLA_LINKINFO);
    let kind = info.and_then(|i| attr::find(i.value, INFO_KIND)).map_or("", |k| k.str()).to_owned();
    let link = attr::find(attrs, libc::IFLA_LINK).map_or(0, |a| a.u32());
    Some(Device { index: attr::u32_at(m.body, 4), link, name, mac, bridge: kind == "bridge" })
}
