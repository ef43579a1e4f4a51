//! ICMP echo: answered for the gateway itself, and carried to the outside by ping sockets where the host allows them.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::Interest;
use mio::unix::SourceFd;
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use crate::link::{Link, Target};
use crate::packet::{self, ICMP, ICMP6, Packet, Route, Unreachable, packet_bytes};
use crate::timers::Due;
use crate::token::Source;

/// Senders of echo requests at the same time.
pub const MAX_PINGS: usize = 32;
const MAX_PEERS: usize = 16;
const IDLE_LIMIT: Duration = Duration::from_secs(60);
const HEADER: usize = 8;

struct Pinger {
    v4: bool,
    identifier: u16,
    socket: Socket,
    peers: Vec<IpAddr>,
    used: Instant,
    timer: Option<Instant>,
}

/// The guest's senders of echo requests.
#[derive(Default)]
pub struct Pings {
    table: Slab<Pinger>,
}

impl std::fmt::Debug for Pings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pings").field("count", &self.table.len()).finish()
    }
}

impl Pings {
    /// Takes an echo request of the guest.
    pub fn request(&mut self, link: &mut Link, packet: &Packet<'_>) {
        let Some((header, _)) = packet.payload.split_first_chunk::<HEADER>() else {
            link.counters.malformed += 1;
            return;
        };
        match link.target(packet.destination, 0) {
            Target::Gateway => answer(link, packet),
            Target::Denied => packet::send_unreachable(&mut link.out, packet, Unreachable::Prohibited),
            Target::Nobody => packet::send_unreachable(&mut link.out, packet, Unreachable::Host),
            Target::Dial(to, _) => {
                let identifier = u16::from_be_bytes([header[4], header[5]]);
                let sent =
                    self.place_for(link, to.is_ipv4(), identifier).and_then(|place| self.send(place, to, packet));
                if let Err(error) = sent {
                    let why = match error.kind() {
                        io::ErrorKind::NetworkUnreachable => Unreachable::Network,
                        io::ErrorKind::PermissionDenied => Unreachable::Prohibited,
                        _ => Unreachable::Host,
                    };
                    packet::send_unreachable(&mut link.out, packet, why);
                }
            }
        }
    }

    /// Replies came.
    pub fn event(&mut self, link: &mut Link, place: usize) {
        let Some(pinger) = self.table.get_mut(place) else { return };
        let mut buffer = [MaybeUninit::uninit(); 9216];
        // Until nothing is left or an error says the same; the guest's own requests bound how much there can be.
        while let Ok((length, from)) = pinger.socket.recv_from(&mut buffer) {
            // SAFETY: the call has filled so many bytes.
            let reply = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), length) };
            let Some(from) = from.as_socket().map(|from| from.ip()) else { continue };
            let kind = if pinger.v4 { 0 } else { 129 };
            if length < HEADER || reply[0] != kind || !pinger.peers.contains(&from) {
                continue;
            }
            pinger.used = Instant::now();
            let route = Route::new(from, link.guest(from), if pinger.v4 { ICMP } else { ICMP6 });
            if packet_bytes(from, length) > link.config.mtu.into() || !link.out.has_room() {
                continue;
            }
            packet::send(&mut link.out, route, length, 2, |bytes| {
                bytes.copy_from_slice(reply);
                bytes[2..4].fill(0);
                bytes[4..6].copy_from_slice(&pinger.identifier.to_be_bytes());
            });
        }
    }

    /// A sender may have been idle for long enough.
    pub fn due(&mut self, link: &mut Link, place: usize) {
        let Some(pinger) = self.table.get_mut(place) else { return };
        pinger.timer = None;
        let end = pinger.used + IDLE_LIMIT;
        if end <= Instant::now() {
            self.remove(link, place);
        } else {
            link.timers.change(Due::Ping(place), None, Some(end));
            pinger.timer = Some(end);
        }
    }

    fn send(&mut self, place: usize, to: SocketAddr, packet: &Packet<'_>) -> io::Result<()> {
        let pinger = &mut self.table[place];
        pinger.used = Instant::now();
        if !pinger.peers.contains(&to.ip()) {
            if pinger.peers.len() == MAX_PEERS {
                pinger.peers.remove(0);
            }
            pinger.peers.push(to.ip());
        }
        pinger.socket.send_to(packet.payload, &to.into()).map(drop)
    }

    fn place_for(&mut self, link: &mut Link, v4: bool, identifier: u16) -> io::Result<usize> {
        let known = self.table.iter().find(|(_, pinger)| pinger.v4 == v4 && pinger.identifier == identifier);
        if let Some((place, _)) = known {
            return Ok(place);
        }
        if self.table.len() >= MAX_PINGS {
            let oldest = self.table.iter().min_by_key(|(_, pinger)| pinger.used).map(|(place, _)| place);
            if let Some(oldest) = oldest {
                self.remove(link, oldest);
            }
        }
        let socket = socket(v4)?;
        let place = self.table.vacant_key();
        link.registry.register(&mut SourceFd(&socket.as_raw_fd()), Source::Ping(place).into(), Interest::READABLE)?;
        let used = Instant::now();
        let timer = Some(used + IDLE_LIMIT);
        link.timers.change(Due::Ping(place), None, timer);
        Ok(self.table.insert(Pinger { v4, identifier, socket, peers: Vec::new(), used, timer }))
    }

    fn remove(&mut self, link: &mut Link, place: usize) {
        let pinger = self.table.remove(place);
        let _ = link.registry.deregister(&mut SourceFd(&pinger.socket.as_raw_fd()));
        link.timers.change(Due::Ping(place), pinger.timer, None);
    }
}

/// A ping socket. Fails with `PermissionDenied` where the host allows none to this group.
pub fn socket(v4: bool) -> io::Result<Socket> {
    let (domain, protocol) = if v4 { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    Socket::new(domain, Type::DGRAM.nonblocking(), Some(protocol))
}

fn answer(link: &mut Link, packet: &Packet<'_>) {
    if !link.out.has_room() {
        return;
    }
    let (protocol, kind) = if packet.source.is_ipv4() { (ICMP, 0) } else { (ICMP6, 129) };
    packet::send(&mut link.out, Route::answer(packet, protocol), packet.payload.len(), 2, |bytes| {
        bytes.copy_from_slice(packet.payload);
        bytes[0] = kind;
        bytes[2..4].fill(0);
    });
}
