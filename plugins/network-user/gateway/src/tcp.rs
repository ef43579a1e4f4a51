//! TCP: every connection of the guest ends here, and another one goes on to where it wanted.
//!
//! A connection is dialled on the host first and accepted from the guest only once it stands there, so that the guest sees
//! a refusal as a refusal.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Token};
use slab::Slab;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use socket2::SockRef;

use crate::dns;
use crate::link::{Link, Target};
use crate::packet::{self, Packet, Unreachable};
use crate::timers::Due;
use crate::token::Source;

/// Connections at the same time.
pub const MAX_CONNECTIONS: usize = 1024;
/// Connections at the same time that were not accepted on the other side yet.
const MAX_DIALLING: usize = 256;
/// So many connections get buffers for a fast stream, the others smaller ones: all of them together stay below 100 MiB.
const LARGE_BUFFERS: usize = 64;
const LARGE_BUFFER: usize = 256 << 10;
const SMALL_BUFFER: usize = 32 << 10;
/// What a first segment may bring along, bytes.
const MAX_SYN: usize = 2048;
const DIAL_LIMIT: Duration = Duration::from_secs(60);
const OFFER_LIMIT: Duration = Duration::from_secs(20);
const QUERY_LIMIT: Duration = Duration::from_secs(30);
/// Rounds of copying before others have their turn.
const ROUNDS: usize = 16;
const FIRST_OWN_PORT: u16 = 32_768;
const DNS_PORT: u16 = 53;
const TCP_FLAGS: usize = 13;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// The two ends of a connection as the guest sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ends {
    guest: SocketAddr,
    far: SocketAddr,
}

#[derive(Debug)]
enum Phase {
    /// The host's side is being connected; the guest's first segment waits. `next` is dialled if that fails.
    Dialling {
        syn: Vec<u8>,
        next: Option<SocketAddr>,
    },
    /// A connection to a published port; the guest's side is being connected. With a second address if nobody listens.
    Offering {
        other: Option<IpAddr>,
    },
    /// The guest's side stands, for a query to a resolver.
    AwaitingQuery,
    /// A resolver is being connected; after it, the one with this place.
    DiallingResolver {
        next: usize,
    },
    Open,
}

struct Connection {
    ends: Ends,
    phase: Phase,
    host: Option<TcpStream>,
    guest: Option<(SocketSet<'static>, SocketHandle)>,
    large: bool,
    readable: bool,
    writable: bool,
    host_ended: bool,
    host_told: bool,
    guest_ended: bool,
    deadline: Option<Instant>,
    timer: Option<Instant>,
    queued: bool,
}

/// All connections.
#[derive(Default)]
pub struct Connections {
    table: Slab<Connection>,
    places: HashMap<Ends, usize>,
    /// What has something to do.
    ready: VecDeque<usize>,
    /// What waits for room on the way to the guest.
    stalled: Vec<usize>,
    dialling: usize,
    large: usize,
    next_port: u16,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connections").field("count", &self.table.len()).finish_non_exhaustive()
    }
}

/// What became of a connection after some work on it.
enum Outcome {
    Waits,
    GoesOn,
    Gone,
    Broken,
}

impl Connections {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// Takes a segment of the guest.
    pub fn segment(&mut self, link: &mut Link, packet: &Packet<'_>) {
        let (Some((from, to)), Some(&flags)) = (packet.ports(), packet.payload.get(TCP_FLAGS)) else {
            link.counters.malformed += 1;
            return;
        };
        let ends = Ends { guest: (packet.source, from).into(), far: (packet.destination, to).into() };
        if let Some(&place) = self.places.get(&ends) {
            let connection = &mut self.table[place];
            if let Some((sockets, _)) = &mut connection.guest {
                link.stack.give(&mut link.out, sockets, packet.whole);
                self.wake(place);
            } else if flags & RST != 0 {
                self.remove(link, place);
            }
            return;
        }
        if flags & (SYN | ACK | RST) != SYN || from == 0 || to == 0 {
            refuse(link, packet);
            return;
        }
        match link.target(ends.far.ip(), to) {
            Target::Denied => packet::send_unreachable(&mut link.out, packet, Unreachable::Prohibited),
            Target::Nobody => packet::send_unreachable(&mut link.out, packet, Unreachable::Host),
            Target::Gateway if to == DNS_PORT && !link.config.name_servers.is_empty() => {
                self.answer(link, ends, packet);
            }
            Target::Gateway => refuse(link, packet),
            Target::Dial(..) if self.is_full() || packet.whole.len() > MAX_SYN => {
                link.counters.full += 1;
                refuse(link, packet);
            }
            Target::Dial(address, next) => self.dial(link, ends, packet, address, next),
        }
    }

    /// A connection came in on a published port. The guest is offered it at the family of the port first.
    pub fn offer(&mut self, link: &mut Link, mut host: TcpStream, like: IpAddr, guest_port: u16) {
        if self.is_full() {
            link.counters.full += 1;
            reset(&host);
            return;
        }
        prepare(&host);
        let mut other: IpAddr = link.config.guest.ipv6.into();
        if like.is_ipv6() {
            other = link.config.guest.ipv4.into();
        }
        let guest = SocketAddr::new(link.guest(like), guest_port);
        let Some(ends) = self.free_ends(link, guest) else {
            reset(&host);
            return;
        };
        let large = self.large < LARGE_BUFFERS;
        let token = Token::from(Source::Tcp(self.table.vacant_key()));
        let registered = link.registry.register(&mut host, token, Interest::READABLE | Interest::WRITABLE);
        let (Some(set), Ok(())) = (connect_guest(link, ends, large), registered) else {
            reset(&host);
            return;
        };
        self.large += usize::from(large);
        let phase = Phase::Offering { other: Some(other) };
        let connection = Connection { large, ..Connection::new(ends, phase, Some(host), Some(set), OFFER_LIMIT) };
        let place = self.table.insert(connection);
        self.enter(link, place, ends);
    }

    /// Something happened to a connection's socket of the host.
    pub fn event(&mut self, link: &mut Link, place: usize, event: &Event) {
        let Some(connection) = self.table.get_mut(place) else { return };
        let Some(host) = &connection.host else { return };
        connection.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        connection.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
        match connection.phase {
            Phase::Dialling { .. } | Phase::DiallingResolver { .. } => match host.take_error() {
                Ok(Some(error)) | Err(error) => self.dial_failed(link, place, &error),
                Ok(None) if host.peer_addr().is_ok() => self.dialled(link, place),
                Ok(None) => {}
            },
            _ => {
                if event.is_error() && matches!(host.take_error(), Ok(Some(_)) | Err(_)) {
                    self.break_off(link, place);
                    return;
                }
                self.wake(place);
            }
        }
    }

    /// A connection's time has come.
    pub fn due(&mut self, link: &mut Link, place: usize) {
        let Some(connection) = self.table.get_mut(place) else { return };
        connection.timer = None;
        if connection.deadline.is_none_or(|deadline| deadline > Instant::now()) {
            self.wake(place);
            return;
        }
        match connection.phase {
            Phase::Dialling { .. } => self.dial_failed(link, place, &ErrorKind::TimedOut.into()),
            _ => self.break_off(link, place),
        }
    }

    /// Whether there is something left to do.
    pub fn has_work(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Works on every connection that has something to do, once.
    pub fn work(&mut self, link: &mut Link) {
        if link.out.has_room() {
            for place in std::mem::take(&mut self.stalled) {
                self.wake(place);
            }
        }
        for _ in 0..self.ready.len() {
            let Some(place) = self.ready.pop_front() else { break };
            let Some(connection) = self.table.get_mut(place) else { continue };
            connection.queued = false;
            self.serve(link, place);
        }
    }

    fn is_full(&self) -> bool {
        self.table.len() >= MAX_CONNECTIONS || self.dialling >= MAX_DIALLING
    }

    fn wake(&mut self, place: usize) {
        let Some(connection) = self.table.get_mut(place) else { return };
        if !connection.queued {
            connection.queued = true;
            self.ready.push_back(place);
        }
    }

    /// Makes a connection known and gives it its first turn.
    fn enter(&mut self, link: &mut Link, place: usize, ends: Ends) {
        self.places.insert(ends, place);
        let connection = &mut self.table[place];
        if connection.is_dialling() {
            self.dialling += 1;
        }
        connection.set_timer(link, place, connection.deadline);
        self.wake(place);
    }

    fn dial(&mut self, link: &mut Link, ends: Ends, packet: &Packet<'_>, to: SocketAddr, next: Option<SocketAddr>) {
        let phase = Phase::Dialling { syn: packet.whole.to_vec(), next };
        let place = self.table.insert(Connection::new(ends, phase, None, None, DIAL_LIMIT));
        self.enter(link, place, ends);
        if let Err(error) = self.connect_host(link, place, to) {
            self.dial_failed(link, place, &error);
        }
    }

    fn connect_host(&mut self, link: &mut Link, place: usize, to: SocketAddr) -> std::io::Result<()> {
        let connection = &mut self.table[place];
        let mut host = TcpStream::connect(to)?;
        link.registry.register(&mut host, Source::Tcp(place).into(), Interest::READABLE | Interest::WRITABLE)?;
        prepare(&host);
        connection.readable = false;
        connection.writable = false;
        connection.host = Some(host);
        Ok(())
    }

    fn dialled(&mut self, link: &mut Link, place: usize) {
        let connection = &mut self.table[place];
        self.dialling -= 1;
        let phase = std::mem::replace(&mut connection.phase, Phase::Open);
        connection.deadline = Some(Instant::now() + OFFER_LIMIT);
        if let Phase::Dialling { syn, .. } = phase {
            connection.large = self.large < LARGE_BUFFERS;
            self.large += usize::from(connection.large);
            connection.accept(link, &syn);
        }
        self.wake(place);
    }

    fn dial_failed(&mut self, link: &mut Link, place: usize, error: &std::io::Error) {
        let connection = &mut self.table[place];
        connection.drop_host(link);
        match &mut connection.phase {
            Phase::Dialling { next, .. } if next.is_some() => {
                let Some(to) = next.take() else { return };
                if let Err(error) = self.connect_host(link, place, to) {
                    self.dial_failed(link, place, &error);
                }
            }
            Phase::Dialling { syn, .. } => {
                let syn = std::mem::take(syn);
                tell_failure(link, &syn, error);
                self.remove(link, place);
            }
            Phase::DiallingResolver { next } => {
                let place_of_next = *next;
                *next += 1;
                match link.config.name_servers.get(place_of_next).copied() {
                    None => self.break_off(link, place),
                    Some(server) => {
                        if let Err(error) = self.connect_host(link, place, server) {
                            self.dial_failed(link, place, &error);
                        }
                    }
                }
            }
            _ => self.break_off(link, place),
        }
    }

    /// Accepts a connection to the resolver; where it goes is decided by its first query.
    fn answer(&mut self, link: &mut Link, ends: Ends, packet: &Packet<'_>) {
        if self.is_full() {
            link.counters.full += 1;
            refuse(link, packet);
            return;
        }
        let mut connection = Connection::new(ends, Phase::AwaitingQuery, None, None, QUERY_LIMIT);
        connection.accept(link, packet.whole);
        let place = self.table.insert(connection);
        self.enter(link, place, ends);
    }

    fn free_ends(&mut self, link: &Link, guest: SocketAddr) -> Option<Ends> {
        let own = link.gateway(guest.ip());
        (0..=MAX_CONNECTIONS).find_map(|_| {
            self.next_port = self.next_port.wrapping_add(1).max(FIRST_OWN_PORT);
            let ends = Ends { guest, far: SocketAddr::new(own, self.next_port) };
            (!self.places.contains_key(&ends)).then_some(ends)
        })
    }

    fn serve(&mut self, link: &mut Link, place: usize) {
        for _ in 0..ROUNDS {
            let connection = &mut self.table[place];
            let outcome = match connection.phase {
                Phase::Open => connection.copy(link),
                Phase::Offering { .. } => connection.offering(link),
                Phase::AwaitingQuery => return self.query(link, place),
                Phase::Dialling { .. } | Phase::DiallingResolver { .. } => Outcome::Waits,
            };
            match outcome {
                Outcome::GoesOn => {}
                Outcome::Gone => return self.remove(link, place),
                Outcome::Broken => return self.refused_or_broken(link, place),
                Outcome::Waits => return self.rest(link, place),
            }
        }
        self.wake(place);
    }

    /// Sets the timer of a connection that waits.
    fn rest(&mut self, link: &mut Link, place: usize) {
        let connection = &mut self.table[place];
        let Some((sockets, _)) = &mut connection.guest else {
            return connection.set_timer(link, place, connection.deadline);
        };
        if !link.stack.drain(&mut link.out, sockets) {
            self.stalled.push(place);
            return;
        }
        let at = [link.stack.due(sockets), connection.deadline].into_iter().flatten().min();
        connection.set_timer(link, place, at);
    }

    fn query(&mut self, link: &mut Link, place: usize) {
        let connection = &mut self.table[place];
        let Some((sockets, handle)) = &mut connection.guest else { return };
        let socket = sockets.get_mut::<Socket>(*handle);
        // A reset during the handshake makes it listen again.
        if matches!(socket.state(), State::Closed | State::TimeWait | State::Listen) {
            return self.remove(link, place);
        }
        let queued = socket.recv_queue();
        let head = socket.peek(queued).unwrap_or_default();
        match dns::first_of_stream(head, &link.config) {
            dns::First::Incomplete if socket.state() == State::CloseWait => socket.close(),
            dns::First::Incomplete => {}
            dns::First::Own(answer) => {
                let length = queued;
                // What a client asks afterwards, it asks on another connection.
                if socket.send_slice(&answer).is_err() || socket.recv(|_| (length, ())).is_err() {
                    socket.abort();
                }
                socket.close();
            }
            dns::First::Forward if connection.host.is_none() => {
                connection.phase = Phase::DiallingResolver { next: 0 };
                connection.deadline = None;
                self.dialling += 1;
                return self.dial_failed(link, place, &ErrorKind::NotConnected.into());
            }
            dns::First::Forward => {}
        }
        self.rest(link, place);
    }

    /// The guest refused an offer, or a connection broke.
    fn refused_or_broken(&mut self, link: &mut Link, place: usize) {
        let connection = &mut self.table[place];
        if let Phase::Offering { other } = &mut connection.phase
            && let Some(other) = other.take()
        {
            let (port, large, old) = (connection.ends.guest.port(), connection.large, connection.ends);
            let ends = self.free_ends(link, SocketAddr::new(other, port));
            if let Some((ends, set)) = ends.and_then(|ends| Some((ends, connect_guest(link, ends, large)?))) {
                let connection = &mut self.table[place];
                connection.guest = Some(set);
                connection.ends = ends;
                self.places.remove(&old);
                self.places.insert(ends, place);
                self.wake(place);
                return;
            }
        }
        self.break_off(link, place);
    }

    /// Ends a connection with a reset on both sides.
    fn break_off(&mut self, link: &mut Link, place: usize) {
        let Some(connection) = self.table.get_mut(place) else { return };
        if let Some(host) = &connection.host {
            reset(host);
        }
        if let Some((sockets, handle)) = &mut connection.guest {
            sockets.get_mut::<Socket>(*handle).abort();
            link.stack.drain(&mut link.out, sockets);
        } else if let Phase::Dialling { syn, .. } = &connection.phase {
            let syn = syn.clone();
            tell_failure(link, &syn, &ErrorKind::TimedOut.into());
        }
        self.remove(link, place);
    }

    fn remove(&mut self, link: &mut Link, place: usize) {
        let mut connection = self.table.remove(place);
        connection.set_timer(link, place, None);
        connection.drop_host(link);
        self.places.remove(&connection.ends);
        self.large -= usize::from(connection.large);
        self.dialling -= usize::from(connection.is_dialling());
        self.stalled.retain(|&other| other != place);
    }
}

impl Connection {
    fn new(
        ends: Ends,
        phase: Phase,
        host: Option<TcpStream>,
        guest: Option<(SocketSet<'static>, SocketHandle)>,
        limit: Duration,
    ) -> Self {
        Self {
            ends,
            phase,
            host,
            guest,
            large: false,
            readable: false,
            writable: false,
            host_ended: false,
            host_told: false,
            guest_ended: false,
            deadline: Some(Instant::now() + limit),
            timer: None,
            queued: false,
        }
    }

    fn is_dialling(&self) -> bool {
        matches!(self.phase, Phase::Dialling { .. } | Phase::DiallingResolver { .. })
    }

    fn set_timer(&mut self, link: &mut Link, place: usize, at: Option<Instant>) {
        link.timers.change(Due::Tcp(place), self.timer, at);
        self.timer = at;
    }

    fn drop_host(&mut self, link: &mut Link) {
        if let Some(mut host) = self.host.take() {
            // A descriptor that is closed leaves the queue by itself where this fails.
            let _ = link.registry.deregister(&mut host);
        }
    }

    /// Lets the guest's first segment make the guest's side.
    fn accept(&mut self, link: &mut Link, syn: &[u8]) {
        let mut socket = socket(self.large);
        let (address, port) = (self.ends.far.ip(), self.ends.far.port());
        // Fails for port 0 alone, which does not get here.
        if socket.listen((address, port)).is_ok() {
            let mut sockets = SocketSet::new(Vec::with_capacity(1));
            let handle = sockets.add(socket);
            link.stack.give(&mut link.out, &mut sockets, syn);
            self.guest = Some((sockets, handle));
        }
    }

    /// A connection to a published port, until the guest has answered.
    fn offering(&mut self, link: &mut Link) -> Outcome {
        let Some((sockets, handle)) = &mut self.guest else { return Outcome::Broken };
        link.stack.drain(&mut link.out, sockets);
        match sockets.get_mut::<Socket>(*handle).state() {
            State::SynSent | State::SynReceived => Outcome::Waits,
            State::Closed => Outcome::Broken,
            _ => {
                self.phase = Phase::Open;
                self.deadline = None;
                Outcome::GoesOn
            }
        }
    }

    /// Copies what is there in both directions.
    fn copy(&mut self, link: &mut Link) -> Outcome {
        let (Some((sockets, handle)), Some(host)) = (&mut self.guest, &mut self.host) else { return Outcome::Broken };
        let socket = sockets.get_mut::<Socket>(*handle);
        let mut moved = false;
        if self.readable && !self.host_ended && socket.can_send() {
            let read = socket.send(|buffer| match host.read(buffer) {
                Ok(count) => (count, Ok(count)),
                Err(error) => (0, Err(error)),
            });
            match read {
                Ok(Ok(0)) => {
                    self.host_ended = true;
                    socket.close();
                }
                Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Ok(Err(error)) if error.kind() != ErrorKind::Interrupted => return Outcome::Broken,
                _ => {}
            }
            moved = true;
        }
        if self.writable && socket.can_recv() {
            let written = socket.recv(|buffer| match host.write(buffer) {
                Ok(count) => (count, Ok(())),
                Err(error) => (0, Err(error)),
            });
            match written {
                Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Ok(Err(error)) if error.kind() != ErrorKind::Interrupted => return Outcome::Broken,
                _ => {}
            }
            moved = true;
        }
        self.guest_ended |=
            matches!(socket.state(), State::CloseWait | State::Closing | State::LastAck | State::TimeWait);
        if self.guest_ended && !self.host_told && !socket.can_recv() {
            self.host_told = true;
            if host.shutdown(Shutdown::Write).is_err() && !self.host_ended {
                return Outcome::Broken;
            }
        }
        let sent = link.stack.drain(&mut link.out, sockets);
        let state = sockets.get_mut::<Socket>(*handle).state();
        if state != State::SynReceived {
            self.deadline = None;
        }
        match state {
            // Reset by the guest during the handshake.
            State::Listen => Outcome::Broken,
            State::Closed if !(self.guest_ended && self.host_ended) => Outcome::Broken,
            // The link loses nothing, so nobody will ask for the last acknowledgement again.
            State::Closed | State::TimeWait if self.host_told && sent => Outcome::Gone,
            _ if moved => Outcome::GoesOn,
            _ => Outcome::Waits,
        }
    }
}

fn socket(large: bool) -> Socket<'static> {
    let size = if large { LARGE_BUFFER } else { SMALL_BUFFER };
    let mut socket = Socket::new(SocketBuffer::new(vec![0; size]), SocketBuffer::new(vec![0; size]));
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket
}

fn connect_guest(link: &mut Link, ends: Ends, large: bool) -> Option<(SocketSet<'static>, SocketHandle)> {
    let mut socket = socket(large);
    let local = (ends.far.ip(), ends.far.port());
    socket.connect(link.stack.context(), (ends.guest.ip(), ends.guest.port()), local).ok()?;
    let mut sockets = SocketSet::new(Vec::with_capacity(1));
    let handle = sockets.add(socket);
    Some((sockets, handle))
}

/// Options of a connection's socket on the host. A connection whose other side vanished is found by the kernel.
fn prepare(host: &TcpStream) {
    let _ = host.set_nodelay(true);
    let _ = SockRef::from(host).set_keepalive(true);
}

/// Has the peer see a reset instead of an orderly end once the socket is closed.
fn reset(host: &TcpStream) {
    let _ = SockRef::from(host).set_linger(Some(Duration::ZERO));
}

/// Answers a segment with a reset, unless it is one.
fn refuse(link: &mut Link, packet: &Packet<'_>) {
    if !link.out.is_choked() {
        link.stack.give(&mut link.out, &mut SocketSet::new(Vec::new()), packet.whole);
    }
}

/// Has the guest see on its side what the host saw on its own.
fn tell_failure(link: &mut Link, syn: &[u8], error: &std::io::Error) {
    let packet =
        if syn.first().is_some_and(|first| first >> 4 == 6) { Packet::parse_v6(syn) } else { Packet::parse_v4(syn) };
    let Some(packet) = packet else { return };
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => refuse(link, &packet),
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            packet::send_unreachable(&mut link.out, &packet, Unreachable::Network);
        }
        ErrorKind::PermissionDenied => packet::send_unreachable(&mut link.out, &packet, Unreachable::Prohibited),
        _ => packet::send_unreachable(&mut link.out, &packet, Unreachable::Host),
    }
}
