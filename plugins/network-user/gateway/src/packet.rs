//! Reading IP packets and writing the few that this end makes itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::outbox::Outbox;

/// EtherType of IPv4.
pub const ETHER_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ETHER_ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const ETHER_IPV6: u16 = 0x86dd;
/// IP protocol numbers.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMPv6.
pub const ICMP6: u8 = 58;

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
const HOPS: u8 = 64;
/// Neighbour discovery is believed only with this many hops left (RFC 4861, section 7.1).
pub const ALL_HOPS: u8 = 255;
/// An error holds as much of its cause as fits in what every path carries (RFC 1812, 4.3.2.3; RFC 4443, 2.4).
const ERROR_BYTES_V4: usize = 576;
const ERROR_BYTES_V6: usize = 1280;

/// An IP packet of the guest.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'frame> {
    /// Sender.
    pub source: IpAddr,
    /// Destination.
    pub destination: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// Hops left.
    pub hops: u8,
    /// What follows the header.
    pub payload: &'frame [u8],
    /// All of it, without padding.
    pub whole: &'frame [u8],
}

impl<'frame> Packet<'frame> {
    /// Reads an IPv4 packet. `None` for what is malformed, and for fragments, which nothing here makes necessary.
    pub fn parse_v4(bytes: &'frame [u8]) -> Option<Self> {
        let header: &[u8; V4_HEADER] = bytes.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let header_length = usize::from(header[0] & 15) * 4;
        let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff;
        if header[0] >> 4 != 4 || header_length < V4_HEADER || length < header_length || fragment != 0 {
            return None;
        }
        let whole = bytes.get(..length)?;
        Some(Self {
            source: IpAddr::V4(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
            destination: IpAddr::V4(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
            protocol: header[9],
            hops: header[8],
            payload: &whole[header_length..],
            whole,
        })
    }

    /// Reads an IPv6 packet. Extension headers are left to whoever looks at the protocol.
    pub fn parse_v6(bytes: &'frame [u8]) -> Option<Self> {
        let header: &[u8; V6_HEADER] = bytes.first_chunk()?;
        let length = V6_HEADER + usize::from(u16::from_be_bytes([header[4], header[5]]));
        if header[0] >> 4 != 6 {
            return None;
        }
        let whole = bytes.get(..length)?;
        Some(Self {
            source: IpAddr::V6(address_v6(&header[8..24])?),
            destination: IpAddr::V6(address_v6(&header[24..40])?),
            protocol: header[6],
            hops: header[7],
            payload: &whole[V6_HEADER..],
            whole,
        })
    }

    /// Source and destination port of TCP and UDP.
    pub fn ports(&self) -> Option<(u16, u16)> {
        let &[a, b, c, d] = self.payload.first_chunk()?;
        Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    /// The data of a UDP datagram.
    pub fn datagram(&self) -> Option<&'frame [u8]> {
        let header: &[u8; UDP_HEADER] = self.payload.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        self.payload.get(UDP_HEADER..length)
    }
}

/// The address in 16 bytes.
pub fn address_v6(bytes: &[u8]) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = bytes.try_into().ok()?;
    Some(Ipv6Addr::from(octets))
}

/// The one's-complement sum of RFC 1071, to be folded by [`fold`].
pub fn sum(bytes: &[u8]) -> u64 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let whole: u64 = pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum();
    whole + rest.first().map_or(0, |&last| u64::from(last) << 8)
}

/// The checksum of a sum.
pub fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> u64 {
    let addresses = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => sum(&source.octets()) + sum(&destination.octets()),
        (IpAddr::V6(source), IpAddr::V6(destination)) => sum(&source.octets()) + sum(&destination.octets()),
        _ => 0,
    };
    addresses + u64::from(protocol) + length as u64
}

/// Where a packet comes from and goes to. Both addresses are of one family.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Sender.
    pub source: IpAddr,
    /// Destination.
    pub destination: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// Hops that it may go.
    pub hops: u8,
}

impl Route {
    /// A route with the usual number of hops.
    pub fn new(source: IpAddr, destination: IpAddr, protocol: u8) -> Self {
        Self { source, destination, protocol, hops: HOPS }
    }

    /// The way back.
    pub fn answer(packet: &Packet<'_>, protocol: u8) -> Self {
        Self::new(packet.destination, packet.source, protocol)
    }
}

/// Bytes of an IP packet with so much payload.
pub fn packet_bytes(destination: IpAddr, payload: usize) -> usize {
    payload + if destination.is_ipv4() { V4_HEADER } else { V6_HEADER }
}

/// Sends an IP packet; `fill` writes its payload, and `checksum` says where in the payload the checksum is.
pub fn send(out: &mut Outbox, route: Route, length: usize, checksum: usize, fill: impl FnOnce(&mut [u8])) {
    let Route { source, destination, protocol, hops } = route;
    out.packet(packet_bytes(destination, length), |bytes| {
        let payload = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let (header, payload) = bytes.split_at_mut(V4_HEADER);
                header[0] = 0x45;
                header[2..4].copy_from_slice(&((V4_HEADER + length) as u16).to_be_bytes());
                header[6] = 0x40;
                header[8] = hops;
                header[9] = protocol;
                header[12..16].copy_from_slice(&source.octets());
                header[16..20].copy_from_slice(&destination.octets());
                let check = fold(sum(header));
                header[10..12].copy_from_slice(&check.to_be_bytes());
                payload
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let (header, payload) = bytes.split_at_mut(V6_HEADER);
                header[0] = 0x60;
                header[4..6].copy_from_slice(&(length as u16).to_be_bytes());
                header[6] = protocol;
                header[7] = hops;
                header[8..24].copy_from_slice(&source.octets());
                header[24..40].copy_from_slice(&destination.octets());
                payload
            }
            _ => return,
        };
        fill(payload);
        let pseudo = if protocol == ICMP { 0 } else { pseudo_header(source, destination, protocol, length) };
        let check = match fold(pseudo + sum(payload)) {
            // In UDP zero stands for no checksum.
            0 if protocol == UDP => 0xffff,
            check => check,
        };
        payload[checksum..checksum + 2].copy_from_slice(&check.to_be_bytes());
    });
}

/// Sends a UDP datagram. Both addresses are of one family.
pub fn send_datagram(out: &mut Outbox, source: SocketAddr, destination: SocketAddr, data: &[u8]) {
    let length = UDP_HEADER + data.len();
    send(out, Route::new(source.ip(), destination.ip(), UDP), length, 6, |bytes| {
        bytes[..2].copy_from_slice(&source.port().to_be_bytes());
        bytes[2..4].copy_from_slice(&destination.port().to_be_bytes());
        bytes[4..6].copy_from_slice(&(length as u16).to_be_bytes());
        bytes[UDP_HEADER..].copy_from_slice(data);
    });
}

/// Why a packet did not get where it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// No way there.
    Network,
    /// The host does not answer.
    Host,
    /// Nobody listens.
    Port,
    /// This end refuses to carry it.
    Prohibited,
    /// The protocol is not carried.
    Protocol,
}

/// Tells the guest that a packet did not get there.
pub fn send_unreachable(out: &mut Outbox, packet: &Packet<'_>, why: Unreachable) {
    if out.is_choked() {
        return;
    }
    let v4 = packet.source.is_ipv4();
    let (kind, code) = match (v4, why) {
        (true, Unreachable::Network) => (3, 0),
        (true, Unreachable::Host) => (3, 1),
        (true, Unreachable::Protocol) => (3, 2),
        (true, Unreachable::Port) => (3, 3),
        (true, Unreachable::Prohibited) => (3, 13),
        (false, Unreachable::Network) => (1, 0),
        (false, Unreachable::Prohibited) => (1, 1),
        (false, Unreachable::Host) => (1, 3),
        (false, Unreachable::Port) => (1, 4),
        (false, Unreachable::Protocol) => (4, 1),
    };
    let most = if v4 { ERROR_BYTES_V4 - V4_HEADER } else { ERROR_BYTES_V6 - V6_HEADER } - 8;
    let cause = &packet.whole[..packet.whole.len().min(most)];
    let route = Route::answer(packet, if v4 { ICMP } else { ICMP6 });
    send(out, route, 8 + cause.len(), 2, |bytes| {
        bytes[0] = kind;
        bytes[1] = code;
        if !v4 && why == Unreachable::Protocol {
            // Points at the next-header field.
            bytes[7] = 6;
        }
        bytes[8..].copy_from_slice(cause);
    });
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A UDP packet as a guest sends it.
    pub(crate) fn datagram(source: &str, destination: &str, data: &[u8]) -> Vec<u8> {
        let mut out = Outbox::new([0; 6], [0; 6]);
        if let (Ok(source), Ok(destination)) = (source.parse(), destination.parse()) {
            send_datagram(&mut out, source, destination, data);
        }
        out.frames().remove(0).split_off(14)
    }

    #[test]
    fn what_is_written_is_read() {
        for (source, destination) in [("10.0.0.1:7", "10.0.0.2:9"), ("[fd00::1]:7", "[fd00::2]:9")] {
            let bytes = datagram(source, destination, b"hello");
            let parse = if source.starts_with('[') { Packet::parse_v6 } else { Packet::parse_v4 };
            let packet = parse(&bytes);
            assert_eq!(packet.and_then(|packet| packet.ports()), Some((7, 9)));
            assert_eq!(packet.and_then(|packet| packet.datagram()), Some(&b"hello"[..]));
            let check = packet.map(|packet| {
                fold(pseudo_header(packet.source, packet.destination, UDP, packet.payload.len()) + sum(packet.payload))
            });
            assert_eq!(check, Some(0));
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let whole = datagram("10.0.0.1:7", "10.0.0.2:9", b"hello");
        for cut in 0..whole.len() {
            assert!(Packet::parse_v4(&whole[..cut]).is_none(), "{cut}");
        }
        for (at, value) in [(0, 0x44), (0, 0x4f), (0, 0x65), (3, 255), (3, 19), (6, 0x20), (7, 1)] {
            let mut wrong = whole.clone();
            wrong[at] = value;
            assert!(Packet::parse_v4(&wrong).is_none_or(|packet| packet.datagram().is_none()), "{at} {value}");
        }
    }

    #[test]
    fn an_error_holds_its_cause_and_no_more_than_fits() {
        let bytes = datagram("10.0.0.1:7", "10.0.0.2:9", &[1; 2000]);
        let mut out = Outbox::new([0; 6], [0; 6]);
        if let Some(packet) = Packet::parse_v4(&bytes) {
            send_unreachable(&mut out, &packet, Unreachable::Port);
        }
        let frames = out.frames();
        assert_eq!(frames[0].len(), 14 + 576);
        assert_eq!(frames[0][34..36], [3, 3]);
        assert_eq!(frames[0][42..62], bytes[..20]);
    }
}
