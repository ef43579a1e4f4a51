//! What an event of the system belongs to.

use mio::Token;

/// The owner of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The starter's pipe.
    Control,
    /// The socket that the VMM connects to.
    Listener,
    /// The VMM's connection.
    Vmm,
    /// A TCP connection, by its place in the table.
    Tcp(usize),
    /// A UDP socket of the guest.
    Udp(usize),
    /// A query on its way to a resolver.
    Dns(usize),
    /// A ping socket.
    Ping(usize),
    /// A published port.
    Published(usize),
    /// The socket that tells what went over the link.
    Counters,
}

impl From<Source> for Token {
    fn from(source: Source) -> Self {
        let (kind, index) = match source {
            Source::Control => (0, 0),
            Source::Listener => (1, 0),
            Source::Vmm => (2, 0),
            Source::Tcp(index) => (3, index),
            Source::Udp(index) => (4, index),
            Source::Dns(index) => (5, index),
            Source::Ping(index) => (6, index),
            Source::Published(index) => (7, index),
            Source::Counters => (8, 0),
        };
        Token((index << 4) | kind)
    }
}

impl From<Token> for Source {
    fn from(Token(value): Token) -> Self {
        let index = value >> 4;
        match value & 15 {
            0 => Self::Control,
            1 => Self::Listener,
            2 => Self::Vmm,
            3 => Self::Tcp(index),
            4 => Self::Udp(index),
            5 => Self::Dns(index),
            6 => Self::Ping(index),
            7 => Self::Published(index),
            _ => Self::Counters,
        }
    }
}
