//! The byte stream to the host: finding it, waiting on it, and the sessions on it.

pub mod edge;
pub mod link;
pub mod opening;
pub mod port;
pub mod session;
pub mod vsock;
