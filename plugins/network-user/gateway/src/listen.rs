//! The published ports' listeners, bound while there still may be the privilege to.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use mio::net::{TcpListener, UdpSocket};
use socket2::{Domain, Socket, Type};

use crate::config::{Protocol, Published};
use crate::error::StartError;

const BACKLOG: i32 = 128;

/// The socket of a published port.
#[derive(Debug)]
pub enum Listener {
    /// Takes connections.
    Tcp(TcpListener),
    /// Takes datagrams.
    Udp(UdpSocket),
}

/// Binds every port. Returns the listeners, and the ports as they were chosen.
pub fn bind_all(ports: &[Published]) -> Result<(Vec<Listener>, Vec<Published>), StartError> {
    let mut listeners = Vec::with_capacity(ports.len());
    let mut chosen = Vec::with_capacity(ports.len());
    for port in ports {
        let (listener, number) = bind(port).map_err(|error| failure(port, &error))?;
        listeners.push(listener);
        chosen.push(Published { host_port: number, ..port.clone() });
    }
    Ok((listeners, chosen))
}

fn bind(port: &Published) -> io::Result<(Listener, u16)> {
    let address = SocketAddr::new(port.host_address, port.host_port);
    let tcp = port.protocol == Protocol::Tcp;
    let socket = Socket::new(Domain::for_address(address), if tcp { Type::STREAM } else { Type::DGRAM }, None)?;
    if address.is_ipv6() {
        // `::` and `0.0.0.0` can both be published.
        socket.set_only_v6(true)?;
    }
    if tcp {
        // Otherwise connections of an earlier box that ended a moment ago keep the port.
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let number = socket.local_addr()?.as_socket().map_or(port.host_port, |bound| bound.port());
    if tcp {
        socket.listen(BACKLOG)?;
        return Ok((Listener::Tcp(TcpListener::from_std(socket.into())), number));
    }
    Ok((Listener::Udp(UdpSocket::from_std(socket.into())), number))
}

fn failure(port: &Published, error: &io::Error) -> StartError {
    let code = match error.kind() {
        ErrorKind::AddrInUse => "PORT_IN_USE",
        ErrorKind::PermissionDenied => "PERMISSION_DENIED",
        ErrorKind::AddrNotAvailable => "INVALID_ARGUMENT",
        _ => "NETWORK_FAILED",
    };
    let Published { host_address, host_port, protocol, .. } = port;
    let address = match host_address {
        IpAddr::V4(address) => format!("{address}:{host_port}"),
        IpAddr::V6(address) => format!("[{address}]:{host_port}"),
    };
    let protocol = if *protocol == Protocol::Tcp { "tcp" } else { "udp" };
    StartError::system(code, format_args!("{protocol} port {address} cannot be published"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(address: &str, port: u16, protocol: Protocol) -> Vec<Published> {
        address.parse().map_or(Vec::new(), |host_address| {
            vec![Published { host_address, host_port: port, guest_port: 80, protocol }]
        })
    }

    #[test]
    fn a_port_that_is_taken_is_told_with_its_address() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let first = bind_all(&published("127.0.0.1", 0, protocol));
            let port = first.as_ref().map_or(0, |(_, ports)| ports[0].host_port);
            assert_ne!(port, 0);
            let error = bind_all(&published("127.0.0.1", port, protocol)).err();
            assert_eq!(error.as_ref().map(|error| error.code), Some("PORT_IN_USE"));
            assert!(error.is_some_and(|error| error.message.contains(&format!("127.0.0.1:{port}"))));
        }
    }

    #[test]
    fn an_address_of_another_machine_is_no_address_to_listen_on() {
        let error = bind_all(&published("192.0.2.1", 0, Protocol::Tcp)).err();
        assert_eq!(error.map(|error| error.code), Some("INVALID_ARGUMENT"));
    }
}
