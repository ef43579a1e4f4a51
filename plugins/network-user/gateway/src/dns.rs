//! DNS: queries to the gateway's address go to the host's resolvers; names of the gateway's own are answered here.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mio::Interest;
use mio::net::UdpSocket;
use slab::Slab;
use socket2::{Domain, Socket, Type};

use crate::config::Config;
use crate::link::Link;
use crate::packet::{self, packet_bytes};
use crate::timers::Due;
use crate::token::Source;

/// Queries on their way at the same time.
pub const MAX_QUERIES: usize = 128;
/// How long a resolver may take before the next one is asked.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
const MAX_QUERY: usize = 4096;
const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;
const TIME_TO_LIVE: u32 = 60;
/// All that is needed of a message to know its first question: header, the longest name, type and class.
const FIRST_QUESTION: usize = HEADER + 255 + 4;
const HOST_NAME: &[u8] = b"\x04host\x03a3s\x08internal\x00";
const OWN_ZONE: &[u8] = b"\x03a3s\x08internal\x00";

struct Question {
    /// In the form of the wire, lower case.
    name: Vec<u8>,
    kind: u16,
    class: u16,
    end: usize,
}

/// Reads the one question of a query. `None` for what is no query.
fn question(message: &[u8]) -> Option<Question> {
    let header: &[u8; HEADER] = message.first_chunk()?;
    let is_query = header[2] & 0x80 == 0 && u16::from_be_bytes([header[4], header[5]]) >= 1;
    let mut name = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*message.get(at)?);
        // Neither pointers nor extended labels have a place in a question.
        if length > 63 || name.len() + length + 1 > 255 {
            return None;
        }
        name.extend(message.get(at..=at + length)?.iter().map(u8::to_ascii_lowercase));
        at += length + 1;
        if length == 0 {
            break;
        }
    }
    let &[a, b, c, d] = message.get(at..)?.first_chunk()?;
    let (kind, class) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    is_query.then_some(Question { name, kind, class, end: at + 4 })
}

/// The answer to a question of the gateway's own zone; `None` for all others.
fn own_answer(message: &[u8], config: &Config) -> Option<Vec<u8>> {
    let question = question(message)?;
    if !is_in_own_zone(&question.name) {
        return None;
    }
    if question.name != HOST_NAME || config.host_access.ports.is_empty() {
        return Some(answer(message, &question, NAME_ERROR, &[]));
    }
    let data = match (question.kind, question.class) {
        (TYPE_A, CLASS_IN) => config.host_access.ipv4.octets().to_vec(),
        (TYPE_AAAA, CLASS_IN) => config.host_access.ipv6.octets().to_vec(),
        _ => Vec::new(),
    };
    Some(answer(message, &question, 0, &data))
}

fn is_in_own_zone(name: &[u8]) -> bool {
    let mut rest = name;
    while let Some(&length) = rest.first() {
        if rest == OWN_ZONE {
            return true;
        }
        if length == 0 {
            return false;
        }
        rest = rest.get(usize::from(length) + 1..).unwrap_or_default();
    }
    false
}

/// A response with at most one record, of the question's own name and type.
fn answer(query: &[u8], question: &Question, code: u8, data: &[u8]) -> Vec<u8> {
    let mut message = query[..question.end].to_vec();
    message[2] = 0x84 | (query[2] & 0x79);
    message[3] = 0x80 | code;
    message[4..HEADER].copy_from_slice(&[0, 1, 0, u8::from(!data.is_empty()), 0, 0, 0, 0]);
    if !data.is_empty() {
        message.extend([0xc0, HEADER as u8]);
        message.extend(question.kind.to_be_bytes());
        message.extend(CLASS_IN.to_be_bytes());
        message.extend(TIME_TO_LIVE.to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
    }
    message
}

/// What the first query of a TCP connection is.
#[derive(Debug, PartialEq, Eq)]
pub enum First {
    /// Not known yet.
    Incomplete,
    /// One to be answered so, length included.
    Own(Vec<u8>),
    /// One for the resolvers.
    Forward,
}

/// Looks at what a client sent first over TCP: messages behind their length (2 bytes).
pub fn first_of_stream(stream: &[u8], config: &Config) -> First {
    let Some((&prefix, message)) = stream.split_first_chunk::<2>() else { return First::Incomplete };
    let length = usize::from(u16::from_be_bytes(prefix));
    if message.len() < length.min(FIRST_QUESTION) {
        return First::Incomplete;
    }
    let message = &message[..message.len().min(length)];
    match own_answer(message, config) {
        Some(answer) => First::Own([&(answer.len() as u16).to_be_bytes()[..], &answer].concat()),
        None => First::Forward,
    }
}

struct Query {
    guest: SocketAddr,
    own: SocketAddr,
    server: usize,
    socket: Option<UdpSocket>,
    message: Vec<u8>,
    timer: Option<Instant>,
}

/// Queries over UDP that wait for an answer.
#[derive(Default)]
pub struct Queries {
    table: Slab<Query>,
}

impl std::fmt::Debug for Queries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Queries").field("count", &self.table.len()).finish()
    }
}

impl Queries {
    /// Takes a query of the guest.
    pub fn ask(&mut self, link: &mut Link, guest: SocketAddr, own: SocketAddr, message: &[u8]) {
        if question(message).is_none() || message.len() > MAX_QUERY {
            link.counters.malformed += 1;
            return;
        }
        if let Some(answer) = own_answer(message, &link.config) {
            respond(link, own, guest, &answer);
            return;
        }
        if self.table.len() >= MAX_QUERIES {
            link.counters.full += 1;
            return;
        }
        let query = Query { guest, own, server: 0, socket: None, message: message.to_vec(), timer: None };
        let place = self.table.insert(query);
        self.send(link, place);
    }

    /// Something happened to a query's socket.
    pub fn event(&mut self, link: &mut Link, place: usize, buffer: &mut [u8]) {
        let Some(query) = self.table.get_mut(place) else { return };
        let Some(socket) = &query.socket else { return };
        match socket.recv(buffer) {
            Ok(length) if buffer.get(..2) == query.message.get(..2) && length >= HEADER => {
                let (own, guest) = (query.own, query.guest);
                respond(link, own, guest, &buffer[..length]);
                self.remove(link, place);
            }
            // Not the answer: someone else's guess.
            Ok(_) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) => {}
            Err(_) => self.next(link, place),
        }
    }

    /// A resolver has taken too long.
    pub fn due(&mut self, link: &mut Link, place: usize) {
        let Some(query) = self.table.get_mut(place) else { return };
        query.timer = None;
        self.next(link, place);
    }

    fn next(&mut self, link: &mut Link, place: usize) {
        self.table[place].server += 1;
        self.send(link, place);
    }

    /// Asks the resolvers from the present one on, until one takes the query.
    fn send(&mut self, link: &mut Link, place: usize) {
        loop {
            let query = &mut self.table[place];
            query.close(link);
            let Some(&server) = link.config.name_servers.get(query.server) else {
                if let Some(question) = question(&query.message) {
                    let failure = answer(&query.message, &question, SERVER_FAILURE, &[]);
                    let (own, guest) = (query.own, query.guest);
                    respond(link, own, guest, &failure);
                }
                self.remove(link, place);
                return;
            };
            if let Ok(socket) = query_socket(link, place, server, &query.message) {
                query.socket = Some(socket);
                let due = Some(Instant::now() + ANSWER_LIMIT);
                link.timers.change(Due::Dns(place), query.timer, due);
                query.timer = due;
                return;
            }
            query.server += 1;
        }
    }

    fn remove(&mut self, link: &mut Link, place: usize) {
        let mut query = self.table.remove(place);
        query.close(link);
        link.timers.change(Due::Dns(place), query.timer, None);
    }
}

impl Query {
    fn close(&mut self, link: &mut Link) {
        if let Some(mut socket) = self.socket.take() {
            let _ = link.registry.deregister(&mut socket);
        }
    }
}

/// A socket of its own for each query: its port is as hard to guess as the kernel makes it.
fn query_socket(link: &Link, place: usize, server: SocketAddr, message: &[u8]) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(server), Type::DGRAM.nonblocking(), None)?;
    socket.connect(&server.into())?;
    let mut socket = UdpSocket::from_std(socket.into());
    link.registry.register(&mut socket, Source::Dns(place).into(), Interest::READABLE)?;
    socket.send(message)?;
    Ok(socket)
}

fn respond(link: &mut Link, own: SocketAddr, guest: SocketAddr, message: &[u8]) {
    let fits = packet_bytes(guest.ip(), 8 + message.len()) <= link.config.mtu.into();
    if fits && link.out.has_room() {
        packet::send_datagram(&mut link.out, own, guest, message);
    } else {
        link.counters.full += 1;
    }
}

/// Whether an address is one that queries are sent to.
pub fn is_resolver(link: &Link, address: IpAddr) -> bool {
    address == link.gateway(address)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::sample;

    pub(crate) fn query(name: &[u8], kind: u16) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend(name);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        message
    }

    #[test]
    fn the_hosts_name_is_answered_with_its_address() {
        let answer = own_answer(&query(b"\x04HOST\x03a3s\x08Internal\x00", TYPE_A), &sample()).unwrap_or_default();
        assert_eq!(answer[..4], [0xab, 0xcd, 0x85, 0x80]);
        assert_eq!(answer[answer.len() - 4..], [10, 73, 0, 3]);
        let none = own_answer(&query(HOST_NAME, 16), &sample()).unwrap_or_default();
        assert_eq!(none[3..8], [0x80, 0, 1, 0, 0]);
    }

    #[test]
    fn without_host_access_and_for_other_names_of_the_zone_there_is_nothing() {
        let mut config = sample();
        assert_eq!(own_answer(&query(b"\x01x\x03a3s\x08internal\x00", TYPE_A), &config).map(|a| a[3] & 15), Some(3));
        config.host_access.ports.clear();
        assert_eq!(own_answer(&query(HOST_NAME, TYPE_A), &config).map(|answer| answer[3] & 15), Some(3));
        assert_eq!(own_answer(&query(b"\x08internal\x00", TYPE_A), &config), None);
        assert_eq!(own_answer(&query(b"\x07example\x00", TYPE_A), &config), None);
    }

    #[test]
    fn what_is_no_query_is_none() {
        let whole = query(b"\x07example\x00", TYPE_A);
        for cut in 0..whole.len() {
            assert!(question(&whole[..cut]).is_none(), "{cut}");
        }
        let mut response = whole.clone();
        response[2] |= 0x80;
        assert!(question(&response).is_none());
        assert!(question(&query(b"\xc0\x0c", TYPE_A)).is_none());
        assert!(question(&query(&[b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(5), TYPE_A)).is_none());
    }

    #[test]
    fn a_stream_is_known_by_its_first_question() {
        let message = query(HOST_NAME, TYPE_A);
        let stream = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
        assert_eq!(first_of_stream(&stream[..stream.len() - 1], &sample()), First::Incomplete);
        assert!(matches!(first_of_stream(&stream, &sample()), First::Own(_)));
        let other = query(b"\x07example\x00", TYPE_A);
        let stream = [&(other.len() as u16).to_be_bytes()[..], &other].concat();
        assert_eq!(first_of_stream(&stream, &sample()), First::Forward);
        assert_eq!(first_of_stream(&[0, 0], &sample()), First::Forward);
    }
}
