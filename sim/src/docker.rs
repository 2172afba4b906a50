//! The Docker engine: policy. It knows daemons, networks and containers, and asks the kernel for links, addresses,
//! routes and rules by ops; it never touches a packet.
//!
//! In reading order: [`types`] (what an engine keeps). Facts are moby's and libnetwork's, by version
//! ([`types::Profile`]).

pub mod types;

pub use types::{Config, Container, Endpoint, Engine, Network, Profile};
