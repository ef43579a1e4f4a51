//! UDP: a socket of the host for each of the guest's, as RFC 4787 asks for: the mapping does not depend on where to, and
//! answers come from addresses that the guest has sent to.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mio::Interest;
use mio::net::UdpSocket;
use slab::Slab;
use socket2::{Domain, Socket, Type};

use crate::link::{Link, Target};
use crate::packet::{self, Packet, Unreachable, packet_bytes};
use crate::timers::Due;
use crate::token::Source;

/// Sockets of the guest at the same time.
pub const MAX_SOCKETS: usize = 512;
/// Clients of published ports at the same time.
const MAX_CLIENTS: usize = 1024;
/// Peers of one socket; the one that was added first makes room.
const MAX_PEERS: usize = 64;
/// RFC 4787, REQ-5, recommends five minutes.
const IDLE_LIMIT: Duration = Duration::from_secs(300);
/// Datagrams taken from one socket before others have their turn.
const BURST: usize = 64;
const FIRST_OWN_PORT: u16 = 32_768;

struct Peer {
    /// As the guest sees it.
    seen: SocketAddr,
    /// Where it really is.
    real: SocketAddr,
}

struct Endpoint {
    guest: SocketAddr,
    socket: UdpSocket,
    peers: Vec<Peer>,
    used: Instant,
    timer: Option<Instant>,
}

/// A published port.
struct Port {
    socket: UdpSocket,
    like: IpAddr,
    guest_port: u16,
}

/// Someone outside who talks to a published port.
struct Client {
    port: usize,
    remote: SocketAddr,
    /// Where the guest sees it.
    own: SocketAddr,
    used: Instant,
    timer: Option<Instant>,
}

/// The NAT table.
#[derive(Default)]
pub struct Udp {
    endpoints: Slab<Endpoint>,
    places: HashMap<SocketAddr, usize>,
    ports: HashMap<usize, Port>,
    clients: Slab<Client>,
    by_remote: HashMap<(usize, SocketAddr), usize>,
    by_own: HashMap<SocketAddr, usize>,
    next_port: u16,
}

impl std::fmt::Debug for Udp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Udp").field("sockets", &self.endpoints.len()).finish_non_exhaustive()
    }
}

impl Udp {
    /// How many sockets of the guest there are.
    pub fn count(&self) -> usize {
        self.endpoints.len()
    }

    /// Serves a published port.
    pub fn publish(&mut self, place: usize, socket: UdpSocket, like: IpAddr, guest_port: u16) {
        self.ports.insert(place, Port { socket, like, guest_port });
    }

    /// Takes a datagram of the guest that is not for this end's resolver.
    pub fn datagram(&mut self, link: &mut Link, packet: &Packet<'_>, from: u16, to: u16) {
        let Some(data) = packet.datagram() else {
            link.counters.malformed += 1;
            return;
        };
        let guest = SocketAddr::new(packet.source, from);
        let seen = SocketAddr::new(packet.destination, to);
        if let Some(&place) = self.by_own.get(&seen) {
            self.reply(link, packet, place, from, data);
            return;
        }
        let known = self.places.get(&guest).and_then(|&place| {
            let peer = self.endpoints[place].peers.iter().find(|peer| peer.seen == seen)?;
            Some((place, peer.real))
        });
        let sent = match known {
            Some((place, real)) => self.send(place, real, data),
            None => match link.target(seen.ip(), to) {
                Target::Denied => return packet::send_unreachable(&mut link.out, packet, Unreachable::Prohibited),
                Target::Nobody => return packet::send_unreachable(&mut link.out, packet, Unreachable::Host),
                Target::Gateway => return packet::send_unreachable(&mut link.out, packet, Unreachable::Port),
                Target::Dial(real, _) => self.place_for(link, guest).and_then(|place| {
                    let peers = &mut self.endpoints[place].peers;
                    if peers.len() == MAX_PEERS {
                        peers.remove(0);
                    }
                    peers.push(Peer { seen, real });
                    self.send(place, real, data)
                }),
            },
        };
        if let Err(error) = sent {
            tell_failure(link, packet, &error);
        }
    }

    /// Something came for a socket of the guest.
    pub fn event(&mut self, link: &mut Link, place: usize, buffer: &mut [u8]) {
        let Some(endpoint) = self.endpoints.get_mut(place) else { return };
        for _ in 0..BURST {
            let (length, real) = match endpoint.socket.recv_from(buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // An error of an earlier datagram.
                Err(_) => continue,
            };
            let Some(seen) = endpoint.seen(real) else { continue };
            endpoint.used = Instant::now();
            deliver(link, seen, endpoint.guest, &buffer[..length]);
        }
        // There may be more, and nothing will say so again.
        let token = Source::Udp(place).into();
        if link.registry.reregister(&mut endpoint.socket, token, Interest::READABLE).is_err() {
            self.remove(link, place);
        }
    }

    /// Something came for a published port.
    pub fn published(&mut self, link: &mut Link, place: usize, buffer: &mut [u8]) {
        for _ in 0..BURST {
            let Some(port) = self.ports.get(&place) else { return };
            let (like, guest_port) = (port.like, port.guest_port);
            let (length, remote) = match port.socket.recv_from(buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => continue,
            };
            let Some(client) = self.client(link, place, remote, like) else {
                link.counters.full += 1;
                continue;
            };
            let guest = SocketAddr::new(link.guest(like), guest_port);
            deliver(link, self.clients[client].own, guest, &buffer[..length]);
        }
        if let Some(port) = self.ports.get_mut(&place) {
            // Fails for a descriptor that is not registered alone, and this one is.
            let _ = link.registry.reregister(&mut port.socket, Source::Published(place).into(), Interest::READABLE);
        }
    }

    /// A socket may have been idle for long enough.
    pub fn due(&mut self, link: &mut Link, place: usize) {
        let Some(endpoint) = self.endpoints.get_mut(place) else { return };
        endpoint.timer = None;
        let end = endpoint.used + IDLE_LIMIT;
        if end <= Instant::now() {
            self.remove(link, place);
        } else {
            link.timers.change(Due::Udp(place), None, Some(end));
            endpoint.timer = Some(end);
        }
    }

    /// A client may have been idle for long enough.
    pub fn client_due(&mut self, link: &mut Link, place: usize) {
        let Some(client) = self.clients.get_mut(place) else { return };
        client.timer = None;
        let end = client.used + IDLE_LIMIT;
        if end <= Instant::now() {
            self.remove_client(link, place);
        } else {
            link.timers.change(Due::Client(place), None, Some(end));
            client.timer = Some(end);
        }
    }

    fn send(&mut self, place: usize, real: SocketAddr, data: &[u8]) -> io::Result<()> {
        let endpoint = &mut self.endpoints[place];
        endpoint.used = Instant::now();
        match endpoint.socket.send_to(data, real) {
            // The host's queue is full; datagrams may be lost.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            // What an earlier datagram met; this one was not sent.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => endpoint.socket.send_to(data, real).map(drop),
            sent => sent.map(drop),
        }
    }

    fn place_for(&mut self, link: &mut Link, guest: SocketAddr) -> io::Result<usize> {
        if let Some(&place) = self.places.get(&guest) {
            return Ok(place);
        }
        if self.endpoints.len() >= MAX_SOCKETS {
            let oldest = self.endpoints.iter().min_by_key(|(_, endpoint)| endpoint.used).map(|(place, _)| place);
            if let Some(oldest) = oldest {
                self.remove(link, oldest);
            }
        }
        let socket = Socket::new(Domain::for_address(guest), Type::DGRAM.nonblocking(), None)?;
        if guest.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        let mut socket = UdpSocket::from_std(socket.into());
        let place = self.endpoints.vacant_key();
        link.registry.register(&mut socket, Source::Udp(place).into(), Interest::READABLE)?;
        let used = Instant::now();
        let timer = Some(used + IDLE_LIMIT);
        link.timers.change(Due::Udp(place), None, timer);
        self.places.insert(guest, place);
        Ok(self.endpoints.insert(Endpoint { guest, socket, peers: Vec::new(), used, timer }))
    }

    fn remove(&mut self, link: &mut Link, place: usize) {
        let mut endpoint = self.endpoints.remove(place);
        let _ = link.registry.deregister(&mut endpoint.socket);
        link.timers.change(Due::Udp(place), endpoint.timer, None);
        self.places.remove(&endpoint.guest);
    }

    /// The guest answers a client of a published port.
    fn reply(&mut self, link: &mut Link, packet: &Packet<'_>, place: usize, from: u16, data: &[u8]) {
        let client = &mut self.clients[place];
        match self.ports.get(&client.port) {
            Some(port) if port.guest_port == from => {
                client.used = Instant::now();
                // As with every datagram, what the host cannot send now is lost.
                let _ = port.socket.send_to(data, client.remote);
            }
            _ => packet::send_unreachable(&mut link.out, packet, Unreachable::Port),
        }
    }

    fn client(&mut self, link: &mut Link, port: usize, remote: SocketAddr, like: IpAddr) -> Option<usize> {
        let used = Instant::now();
        if let Some(&place) = self.by_remote.get(&(port, remote)) {
            self.clients[place].used = used;
            return Some(place);
        }
        if self.clients.len() >= MAX_CLIENTS {
            let oldest = self.clients.iter().min_by_key(|(_, client)| client.used).map(|(place, _)| place)?;
            self.remove_client(link, oldest);
        }
        let address = link.gateway(like);
        let own = (0..=MAX_CLIENTS).find_map(|_| {
            self.next_port = self.next_port.wrapping_add(1).max(FIRST_OWN_PORT);
            let own = SocketAddr::new(address, self.next_port);
            (!self.by_own.contains_key(&own)).then_some(own)
        })?;
        let timer = Some(used + IDLE_LIMIT);
        let place = self.clients.insert(Client { port, remote, own, used, timer });
        link.timers.change(Due::Client(place), None, timer);
        self.by_remote.insert((port, remote), place);
        self.by_own.insert(own, place);
        Some(place)
    }

    fn remove_client(&mut self, link: &mut Link, place: usize) {
        let client = self.clients.remove(place);
        link.timers.change(Due::Client(place), client.timer, None);
        self.by_remote.remove(&(client.port, client.remote));
        self.by_own.remove(&client.own);
    }
}

impl Endpoint {
    /// How the guest sees a sender; `None` when it may not be heard.
    fn seen(&self, real: SocketAddr) -> Option<SocketAddr> {
        if let Some(peer) = self.peers.iter().find(|peer| peer.real == real) {
            return Some(peer.seen);
        }
        // Another port of an address that the guest has sent to; not of the host's loopback, where each port counts.
        let known = self.peers.iter().any(|peer| peer.real.ip() == real.ip() && peer.seen.ip() == real.ip());
        known.then_some(SocketAddr::new(real.ip(), real.port()))
    }
}

fn deliver(link: &mut Link, from: SocketAddr, guest: SocketAddr, data: &[u8]) {
    let fits = packet_bytes(guest.ip(), 8 + data.len()) <= link.config.mtu.into();
    if fits && link.out.has_room() {
        packet::send_datagram(&mut link.out, from, guest, data);
    } else {
        link.counters.full += 1;
    }
}

fn tell_failure(link: &mut Link, packet: &Packet<'_>, error: &io::Error) {
    let why = match error.kind() {
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Unreachable::Network,
        ErrorKind::HostUnreachable => Unreachable::Host,
        ErrorKind::ConnectionRefused => Unreachable::Port,
        ErrorKind::PermissionDenied => Unreachable::Prohibited,
        // Too long for the way, or no room: lost, as datagrams may be.
        _ => {
            link.counters.full += 1;
            return;
        }
    };
    packet::send_unreachable(&mut link.out, packet, why);
}
