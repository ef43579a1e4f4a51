//! The event loop: frames in, frames out, and what belongs to which part.

use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, UnixListener, UnixStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};

use crate::config::Config;
use crate::dns::{self, Queries};
use crate::link::Link;
use crate::listen::Listener;
use crate::outbox::ETHERNET_HEADER;
use crate::packet::{
    self, ALL_HOPS, ETHER_ARP, ETHER_IPV4, ETHER_IPV6, ICMP, ICMP6, Packet, Route, TCP, UDP, Unreachable,
};
use crate::ping::Pings;
use crate::tcp::Connections;
use crate::timers::Due;
use crate::token::Source;
use crate::udp::Udp;

/// How long a gateway without starter waits for a VMM.
const VMM_LIMIT: Duration = Duration::from_secs(30);
/// The longest frame: an IP packet of 65535 bytes, headers, and what a VMM may pad.
const MAX_FRAME: usize = 65_535 + ETHERNET_HEADER + 64;
const INBOX: usize = 256 << 10;
const PREFIX: usize = 4;
/// Frames' bytes taken before others have their turn.
const TURN: usize = 1 << 20;
const DATAGRAM: usize = 1 << 16;
const EVENTS: usize = 256;
const DNS_PORT: u16 = 53;
const BROADCAST: [u8; 6] = [0xff; 6];
const ARP_BYTES: usize = 28;
const ALL_NODES: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const NEIGHBOR_SOLICITATION: u8 = 135;
/// Hop-by-hop options, which multicast listener reports begin with.
const HOP_BY_HOP: u8 = 0;

/// Why a gateway ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The VMM closed its connection.
    VmmGone,
    /// The VMM sent what is no frame.
    BadFrame,
    /// Nobody connected, and the starter is gone.
    Abandoned,
}

struct PublishedPort {
    listener: TcpListener,
    like: IpAddr,
    guest_port: u16,
}

/// Bytes of the VMM that are no whole frame yet.
#[derive(Debug, Default)]
struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// One box's way out.
pub struct Gateway {
    poll: Poll,
    /// What the parts share.
    pub link: Link,
    tcp: Connections,
    udp: Udp,
    queries: Queries,
    pings: Pings,
    published: Vec<Option<PublishedPort>>,
    control: Option<RawFd>,
    listener: Option<UnixListener>,
    counters: Option<UnixListener>,
    vmm: Option<UnixStream>,
    readable: bool,
    blocked: bool,
    inbox: Inbox,
    datagram: Vec<u8>,
    abandoned_at: Option<Instant>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").field("link", &self.link).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway that nobody is connected to.
    pub fn new(config: Config, seed: u64) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        Ok(Self {
            poll,
            link: Link::new(config, registry, seed),
            tcp: Connections::default(),
            udp: Udp::default(),
            queries: Queries::default(),
            pings: Pings::default(),
            published: Vec::new(),
            control: None,
            listener: None,
            counters: None,
            vmm: None,
            readable: false,
            blocked: false,
            inbox: Inbox::default(),
            datagram: vec![0; DATAGRAM],
            abandoned_at: None,
        })
    }

    /// Serves published ports, in the order of the configuration.
    pub fn publish(&mut self, listeners: Vec<Listener>) -> io::Result<()> {
        for (place, listener) in listeners.into_iter().enumerate() {
            let port = &self.link.config.ports[place];
            let (like, guest_port) = (port.host_address, port.guest_port);
            let token = Source::Published(place).into();
            match listener {
                Listener::Tcp(mut listener) => {
                    self.link.registry.register(&mut listener, token, Interest::READABLE)?;
                    self.published.push(Some(PublishedPort { listener, like, guest_port }));
                }
                Listener::Udp(mut socket) => {
                    self.link.registry.register(&mut socket, token, Interest::READABLE)?;
                    self.udp.publish(place, socket, like, guest_port);
                    self.published.push(None);
                }
            }
        }
        Ok(())
    }

    /// Waits for the VMM on a socket, and watches the starter's pipe.
    pub fn listen(&mut self, mut listener: UnixListener, control: RawFd) -> io::Result<()> {
        self.link.registry.register(&mut listener, Source::Listener.into(), Interest::READABLE)?;
        self.listener = Some(listener);
        match self.link.registry.register(&mut SourceFd(&control), Source::Control.into(), Interest::READABLE) {
            Ok(()) => self.control = Some(control),
            // A file: whoever started this does not watch over it.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => self.abandon(),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tells everybody who connects to a socket what went over the link, and nothing else.
    pub fn tell(&mut self, mut listener: UnixListener) -> io::Result<()> {
        self.link.registry.register(&mut listener, Source::Counters.into(), Interest::READABLE)?;
        self.counters = Some(listener);
        Ok(())
    }

    /// Serves until the end.
    pub fn run(&mut self) -> io::Result<End> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let timeout = if self.has_work() {
                Some(Duration::ZERO)
            } else {
                self.link.timers.next().map(|at| at.saturating_duration_since(Instant::now()))
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                if let Some(end) = self.event(event)? {
                    return Ok(end);
                }
            }
            let now = Instant::now();
            while let Some(due) = self.link.timers.take(now) {
                match due {
                    Due::Vmm => return Ok(End::Abandoned),
                    Due::Tcp(place) => self.tcp.due(&mut self.link, place),
                    Due::Udp(place) => self.udp.due(&mut self.link, place),
                    Due::Client(place) => self.udp.client_due(&mut self.link, place),
                    Due::Dns(place) => self.queries.due(&mut self.link, place),
                    Due::Ping(place) => self.pings.due(&mut self.link, place),
                }
            }
            if let Some(end) = self.take_frames() {
                return Ok(end);
            }
            self.tcp.work(&mut self.link);
            if self.flush().is_err() {
                return Ok(End::VmmGone);
            }
        }
    }

    /// Sends what waits. To hear of room only when there was none saves an event for each frame that the VMM takes.
    fn flush(&mut self) -> io::Result<()> {
        let Some(vmm) = &mut self.vmm else { return Ok(()) };
        let blocked = !self.link.out.flush(vmm)?;
        if blocked != self.blocked {
            self.blocked = blocked;
            let interest = if blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            self.link.registry.reregister(vmm, Source::Vmm.into(), interest)?;
        }
        Ok(())
    }

    fn has_work(&self) -> bool {
        self.tcp.has_work() || (self.readable && !self.link.out.is_choked())
    }

    fn event(&mut self, event: &mio::event::Event) -> io::Result<Option<End>> {
        match Source::from(event.token()) {
            Source::Control => self.control_event(),
            Source::Listener => self.accept_vmm()?,
            Source::Vmm => self.readable |= event.is_readable() || event.is_read_closed() || event.is_error(),
            Source::Tcp(place) => self.tcp.event(&mut self.link, place, event),
            Source::Udp(place) => self.udp.event(&mut self.link, place, &mut self.datagram),
            Source::Dns(place) => self.queries.event(&mut self.link, place, &mut self.datagram),
            Source::Ping(place) => self.pings.event(&mut self.link, place),
            Source::Published(place) => self.published_event(place),
            Source::Counters => self.tell_counters(),
        }
        Ok(None)
    }

    fn control_event(&mut self) {
        let Some(control) = self.control else { return };
        let mut buffer = [0_u8; 256];
        loop {
            // SAFETY: the buffer is as long as is said, and the descriptor stays open for the life of the process.
            let count = unsafe { libc::read(control, buffer.as_mut_ptr().cast(), buffer.len()) };
            if count > 0 {
                continue;
            }
            if count < 0 && io::Error::last_os_error().kind() == ErrorKind::WouldBlock {
                return;
            }
            break;
        }
        let _ = self.link.registry.deregister(&mut SourceFd(&control));
        self.control = None;
        self.abandon();
    }

    /// The starter is gone: without a VMM there is an end to waiting.
    fn abandon(&mut self) {
        if self.vmm.is_none() {
            let at = Some(Instant::now() + VMM_LIMIT);
            self.link.timers.change(Due::Vmm, self.abandoned_at, at);
            self.abandoned_at = at;
        }
    }

    fn accept_vmm(&mut self) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let mut vmm = match listener.accept() {
            Ok((vmm, _)) => vmm,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        self.link.registry.register(&mut vmm, Source::Vmm.into(), Interest::READABLE)?;
        self.vmm = Some(vmm);
        // One VMM in a life: whoever comes later finds nobody.
        self.listener = None;
        self.link.timers.change(Due::Vmm, self.abandoned_at.take(), None);
        self.inbox.buffer = vec![0; INBOX];
        self.readable = true;
        Ok(())
    }

    /// Sixteen bytes always have room in a new socket, so nobody who asks is waited for.
    fn tell_counters(&self) {
        let Some(listener) = &self.counters else { return };
        loop {
            match listener.accept() {
                // Who has left already does not want to know.
                Ok((mut asker, _)) => _ = asker.write_all(&self.link.traffic().encode()),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(_) => return,
            }
        }
    }

    fn published_event(&mut self, place: usize) {
        let Some(Some(port)) = self.published.get(place) else {
            self.udp.published(&mut self.link, place, &mut self.datagram);
            return;
        };
        loop {
            match port.listener.accept() {
                Ok((host, _)) => self.tcp.offer(&mut self.link, host, port.like, port.guest_port),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                // Nothing more; descriptors do not run out, since all tables have their bounds.
                Err(_) => return,
            }
        }
    }

    /// Takes what the VMM has sent, within a turn.
    fn take_frames(&mut self) -> Option<End> {
        let mut inbox = std::mem::take(&mut self.inbox);
        let mut taken = 0;
        let mut end = None;
        while self.readable && taken < TURN && !self.link.out.is_choked() && end.is_none() {
            let Some(vmm) = &mut self.vmm else { break };
            match vmm.read(&mut inbox.buffer[inbox.end..]) {
                Ok(0) => end = Some(End::VmmGone),
                Ok(count) => {
                    taken += count;
                    inbox.end += count;
                    if !inbox.each_frame(|frame| self.frame(frame)) {
                        end = Some(End::BadFrame);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => end = Some(End::VmmGone),
            }
        }
        self.inbox = inbox;
        end
    }

    /// Takes one Ethernet frame of the guest.
    pub fn frame(&mut self, frame: &[u8]) {
        self.link.taken += frame.len() as u64;
        let Some((header, body)) = frame.split_first_chunk::<ETHERNET_HEADER>() else {
            self.link.counters.malformed += 1;
            return;
        };
        if header[6..12] != self.link.config.guest.mac {
            self.link.counters.spoofed += 1;
            return;
        }
        let packet = match u16::from_be_bytes([header[12], header[13]]) {
            ETHER_ARP => return self.arp(body),
            ETHER_IPV4 => Packet::parse_v4(body),
            ETHER_IPV6 => Packet::parse_v6(body),
            _ => None,
        };
        let Some(packet) = packet else {
            self.link.counters.malformed += 1;
            return;
        };
        // Groups and others on the link: nobody is there. The guest's first packets are of this kind.
        let group = header[0] & 1 == 1;
        if group && header[..6] != BROADCAST && packet.protocol != ICMP6 {
            return;
        }
        match (packet.source, packet.destination) {
            (IpAddr::V6(_), _) if packet.protocol == ICMP6 && self.neighbour(&packet) => {}
            (IpAddr::V6(_), _) if packet.protocol == HOP_BY_HOP => {}
            (source, _) if source != self.link.guest(source) => self.link.counters.spoofed += 1,
            (_, destination) if destination.is_multicast() => {}
            (_, IpAddr::V4(destination)) if destination.is_broadcast() => {}
            _ => self.packet(&packet),
        }
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        let link = &mut self.link;
        match (packet.protocol, packet.payload.first()) {
            (TCP, _) => self.tcp.segment(link, packet),
            (UDP, _) => match packet.ports() {
                Some((from, DNS_PORT)) if dns::is_resolver(link, packet.destination) => {
                    let Some(query) = packet.datagram() else { return };
                    let (guest, own) = ((packet.source, from).into(), (packet.destination, DNS_PORT).into());
                    self.queries.ask(link, guest, own, query);
                }
                Some((from, to)) if from != 0 && to != 0 => self.udp.datagram(link, packet, from, to),
                _ => link.counters.malformed += 1,
            },
            (ICMP, Some(&ECHO_REQUEST_V4)) if packet.source.is_ipv4() => self.pings.request(link, packet),
            (ICMP6, Some(&ECHO_REQUEST_V6)) if packet.source.is_ipv6() => self.pings.request(link, packet),
            // Errors and the rest of ICMP concern the guest alone.
            (ICMP | ICMP6, _) => {}
            _ => {
                link.counters.malformed += 1;
                packet::send_unreachable(&mut link.out, packet, Unreachable::Protocol);
            }
        }
    }

    fn arp(&mut self, body: &[u8]) {
        let Some(request) = body.first_chunk::<ARP_BYTES>() else {
            self.link.counters.malformed += 1;
            return;
        };
        let config = &self.link.config;
        // Ethernet and IPv4, a request, from the guest (or from nobody: a probe for duplicates).
        let sender = &request[14..18];
        if request[..8] != [0, 1, 8, 0, 6, 4, 0, 1] {
            return;
        }
        if request[8..14] != config.guest.mac || (sender != config.guest.ipv4.octets() && sender != [0; 4]) {
            self.link.counters.spoofed += 1;
            return;
        }
        let target = &request[24..28];
        if target != config.gateway.ipv4.octets() && target != config.host_access.ipv4.octets() {
            return;
        }
        let own = config.gateway.mac;
        if self.link.out.has_room() {
            self.link.out.frame(ETHER_ARP, ARP_BYTES, |reply| {
                reply[..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 2]);
                reply[8..14].copy_from_slice(&own);
                reply[14..18].copy_from_slice(target);
                reply[18..28].copy_from_slice(&request[8..18]);
            });
        }
    }

    /// Neighbour discovery and the like, which come from other addresses too. Returns whether the packet was of it.
    fn neighbour(&mut self, packet: &Packet<'_>) -> bool {
        let Some(&kind) = packet.payload.first() else { return true };
        if kind != NEIGHBOR_SOLICITATION {
            // 130 to 136 and 143 are listeners' reports, routers and neighbours.
            return matches!(kind, 130..=136 | 143);
        }
        let target = packet.payload.get(8..24).and_then(packet::address_v6);
        let config = &self.link.config;
        if packet.hops != ALL_HOPS || !target.is_some_and(|t| t == config.gateway.ipv6 || t == config.host_access.ipv6)
        {
            return true;
        }
        let (Some(target), IpAddr::V6(source)) = (target, packet.source) else { return true };
        let solicited = !source.is_unspecified();
        if solicited && source != config.guest.ipv6 && !source.is_unicast_link_local() {
            self.link.counters.spoofed += 1;
            return true;
        }
        let own = config.gateway.mac;
        let to = if solicited { source } else { ALL_NODES };
        let route = Route { hops: ALL_HOPS, ..Route::new(target.into(), to.into(), ICMP6) };
        if self.link.out.has_room() {
            packet::send(&mut self.link.out, route, 32, 2, |bytes| {
                bytes[0] = NEIGHBOR_SOLICITATION + 1;
                // Router, solicited, override.
                bytes[4] = 0xa0 | if solicited { 0x40 } else { 0 };
                bytes[8..24].copy_from_slice(&target.octets());
                bytes[24..26].copy_from_slice(&[2, 1]);
                bytes[26..32].copy_from_slice(&own);
            });
        }
        true
    }

    /// Works on connections without waiting for events, for tests.
    #[cfg(any(test, fuzzing))]
    pub fn work(&mut self) {
        self.tcp.work(&mut self.link);
    }

    /// How many TCP connections and UDP sockets there are, for tests.
    #[cfg(any(test, fuzzing))]
    pub fn counts(&self) -> (usize, usize) {
        (self.tcp.count(), self.udp.count())
    }
}

impl Inbox {
    /// Hands out the whole frames. Returns false for a length that no frame has.
    fn each_frame(&mut self, mut take: impl FnMut(&[u8])) -> bool {
        while let Some((prefix, rest)) = self.buffer[self.start..self.end].split_first_chunk::<PREFIX>() {
            let length = u32::from_be_bytes(*prefix) as usize;
            if !(ETHERNET_HEADER..=MAX_FRAME).contains(&length) {
                return false;
            }
            let Some(frame) = rest.get(..length) else { break };
            take(frame);
            self.start += PREFIX + length;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        true
    }
}

#[cfg(test)]
mod tests;
