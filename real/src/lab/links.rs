//! The devices of a namespace: asked for only where something told of a change. Each question takes the lock of the whole
//! machine's devices (`rtnl_mutex`), for which labs side by side wait.

use crate::netlink::{self, Message, Netlink, Request, attr};

/// Group of what changes about links (`RTNLGRP_LINK`).
const GROUP: u32 = 1;
const INFO_KIND: u16 = 1;

/// A device of the live kernel.
pub struct Device {
    /// Index.
    pub index: u32,
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
    /// Nobody has looked yet.
    new: bool,
}

impl Links {
    /// Opens the sockets in the namespace of this thread.
    ///
    /// # Errors
    /// Where the kernel allows none.
    pub fn open() -> std::io::Result<Links> {
        let hears = Netlink::open(netlink::ROUTE)?;
        hears.join(GROUP)?;
        Ok(Links { asks: Netlink::open(netlink::ROUTE)?, hears, new: true })
    }

    /// Did something change since this was last asked? What cannot be read may have.
    pub fn changed(&mut self) -> bool {
        let mut heard = std::mem::take(&mut self.new);
        let lost = self.hears.events(|_| heard = true).unwrap_or(true);
        heard || lost
    }

    /// The devices, none where they cannot be read.
    pub fn devices(&mut self) -> Vec<Device> {
        self.ask().unwrap_or_default()
    }

    fn ask(&mut self) -> Option<Vec<Device>> {
        // `struct ifinfomsg`: any family, any device.
        let all = self.asks.dump(&Request::new(libc::RTM_GETLINK, 0, &[0; 16])).ok()?;
        let found: Vec<_> = all.iter().filter(|m| m.kind == libc::RTM_NEWLINK).filter_map(|m| device(&m)).collect();
        for Device { index, .. } in &found {
            // A single look settles what linkwatch has not told yet (rtnl_getlink); a device may have gone.
            let mut head = [0u8; 16];
            head[4..8].copy_from_slice(&index.to_ne_bytes());
            let _ = self.asks.get(&Request::new(libc::RTM_GETLINK, 0, &head));
        }
        Some(found)
    }
}

fn device(m: &Message<'_>) -> Option<Device> {
    let attrs = m.body.get(16..)?;
    let name = attr::find(attrs, libc::IFLA_IFNAME)?.str().to_owned();
    let mac = attr::find(attrs, libc::IFLA_ADDRESS).map_or(&[][..], |a| a.value);
    let mac = mac.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":");
    let info = attr::find(attrs, libc::IFLA_LINKINFO);
    let kind = info.and_then(|i| attr::find(i.value, INFO_KIND)).map_or("", |k| k.str()).to_owned();
    Some(Device { index: attr::u32_at(m.body, 4), name, mac, bridge: kind == "bridge" })
}
