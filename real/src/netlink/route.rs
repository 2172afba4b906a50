//! rtnetlink: typed messages of `netlink-packet-route`, and what everybody needs.
//!
//! The builders are that crate's own: `nl.change(&RouteNetlinkMessage::NewAddress(m), CREATE | EXCL)`.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NetlinkSerializable, ParseableParametrized};
pub use netlink_packet_route as message;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use nix::errno::Errno;

use super::{Dump, Netlink, NlError, Request};

/// A typed message as a request.
#[must_use]
pub fn request(m: &RouteNetlinkMessage, flags: u16) -> Request {
    let mut body = vec![0; m.buffer_len()];
    m.serialize(&mut body);
    Request { kind: m.message_type(), flags, body }
}

impl Netlink {
    /// Carries a typed change out.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn change(&mut self, m: &RouteNetlinkMessage, flags: u16) -> Result<(), NlError> {
        self.ack(&request(m, flags))
    }

    /// Asks for all objects of a kind (`RouteNetlinkMessage::GetLink(..)` and so on).
    ///
    /// # Errors
    /// What the kernel answered; `EBADMSG` where it answered something that the typed messages don't know.
    pub fn all(&mut self, m: &RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, NlError> {
        self.dump(&request(m, 0)).and_then(|d| typed(&d))
    }

    /// Index of the link of this name.
    ///
    /// # Errors
    /// `ENODEV` where there is none.
    pub fn link_index(&mut self, name: &str) -> Result<u32, NlError> {
        let mut m = LinkMessage::default();
        m.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let answer = self.get(&request(&RouteNetlinkMessage::GetLink(m), 0))?;
        // `struct ifinfomsg`: the index is at 4.
        let index = answer.iter().find(|m| m.kind >= 16).map(|m| super::attr::u32_at(m.body, 4));
        index.ok_or_else(|| NlError::new(Errno::ENODEV, ""))
    }

    /// Moves a link into the namespace of `netns`.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn set_link_netns(&mut self, index: u32, netns: BorrowedFd<'_>) -> Result<(), NlError> {
        self.set_link(index, |m| m.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd())))
    }

    /// Brings a link up or down.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn set_link_up(&mut self, index: u32, up: bool) -> Result<(), NlError> {
        self.set_link(index, |m| {
            m.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
            m.header.change_mask = LinkFlags::Up;
        })
    }

    /// Changes a link in the way that `how` fills the message.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn set_link(&mut self, index: u32, how: impl FnOnce(&mut LinkMessage)) -> Result<(), NlError> {
        let mut m = LinkMessage::default();
        m.header.index = index;
        how(&mut m);
        // RTM_NEWLINK, as `ip link set` does (`iplink_modify`).
        self.change(&RouteNetlinkMessage::NewLink(m), 0)
    }
}

/// The typed messages of a dump.
fn typed(d: &Dump) -> Result<Vec<RouteNetlinkMessage>, NlError> {
    let own = d.iter().filter(|m| m.kind >= 16);
    own.map(|m| {
        RouteNetlinkMessage::parse_with_param(m.body, m.kind).map_err(|e| NlError::new(Errno::EBADMSG, &e.to_string()))
    })
    .collect()
}
