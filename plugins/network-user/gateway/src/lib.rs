//! The user-space NAT of a box: it takes the Ethernet frames of one guest from a Unix socket and carries what they ask for by
//! ordinary sockets of the host. What the guest may reach is decided where the packet leaves, on the address that is dialled.

pub mod config;
#[cfg(target_os = "linux")]
pub mod confine;
pub mod dns;
pub mod error;
pub mod gateway;
pub mod link;
pub mod listen;
pub mod outbox;
pub mod packet;
pub mod ping;
pub mod policy;
pub mod tcp;
pub mod timers;
pub mod token;
pub mod udp;
