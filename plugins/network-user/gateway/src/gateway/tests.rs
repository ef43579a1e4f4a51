use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use super::*;
use crate::config::{Published, sample};
use crate::link::Traffic;
use crate::packet::tests::datagram;
use crate::packet::{fold, sum};

const GUEST_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn gateway(config: Config) -> Gateway {
    match Gateway::new(config, 7) {
        Ok(gateway) => gateway,
        Err(error) => panic!("{error}"),
    }
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&OWN_MAC[..], &GUEST_MAC, &ether_type.to_be_bytes(), payload].concat()
}

/// Gives a frame and returns what came back.
fn give(gateway: &mut Gateway, frame: &[u8]) -> Vec<Vec<u8>> {
    gateway.link.out.clear();
    gateway.frame(frame);
    gateway.work();
    gateway.link.out.frames()
}

/// A TCP segment without data.
fn segment(from: &str, to: &str, flags: u8, sequence: u32) -> Vec<u8> {
    let (Ok(from), Ok(to)) = (from.parse::<SocketAddr>(), to.parse::<SocketAddr>()) else { return Vec::new() };
    let mut out = crate::outbox::Outbox::new(OWN_MAC, GUEST_MAC);
    packet::send(&mut out, Route::new(from.ip(), to.ip(), TCP), 20, 16, |bytes| {
        bytes[..2].copy_from_slice(&from.port().to_be_bytes());
        bytes[2..4].copy_from_slice(&to.port().to_be_bytes());
        bytes[4..8].copy_from_slice(&sequence.to_be_bytes());
        bytes[12] = 0x50;
        bytes[13] = flags;
        bytes[14..16].copy_from_slice(&0xffff_u16.to_be_bytes());
    });
    out.frames().remove(0)
}

fn arp(target: [u8; 4], sender: [u8; 4]) -> Vec<u8> {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, 1];
    body.extend(GUEST_MAC);
    body.extend(sender);
    body.extend([0; 6]);
    body.extend(target);
    ethernet(ETHER_ARP, &body)
}

#[test]
fn arp_is_answered_for_the_gateway_and_the_host_alone() {
    let mut gateway = gateway(sample());
    for (last, answers) in [(1, 1), (3, 1), (2, 0), (4, 0)] {
        let frames = give(&mut gateway, &arp([10, 73, 0, last], [10, 73, 0, 2]));
        assert_eq!(frames.len(), answers, "{last}");
        if let Some(reply) = frames.first() {
            assert_eq!(reply[..14], [&GUEST_MAC[..], &OWN_MAC, &[8, 6]].concat());
            assert_eq!(reply[20..32], [&[0, 2][..], &OWN_MAC, &[10, 73, 0, last]].concat());
        }
    }
    assert!(give(&mut gateway, &arp([10, 73, 0, 1], [10, 73, 0, 9])).is_empty());
    assert_eq!(gateway.link.counters.spoofed, 1);
}

#[test]
fn neighbours_are_told_the_gateways_address() {
    let mut gateway = gateway(sample());
    let solicit = |hops: u8, target: u8| {
        let mut out = crate::outbox::Outbox::new(OWN_MAC, GUEST_MAC);
        let config = sample();
        let mut target_address = config.gateway.ipv6.octets();
        target_address[15] = target;
        let route = Route { hops, ..Route::new(config.guest.ipv6.into(), config.gateway.ipv6.into(), ICMP6) };
        packet::send(&mut out, route, 24, 2, |bytes| {
            bytes[0] = NEIGHBOR_SOLICITATION;
            bytes[8..24].copy_from_slice(&target_address);
        });
        out.frames().remove(0)
    };
    let frames = give(&mut gateway, &solicit(ALL_HOPS, 1));
    assert_eq!(frames[0][54], NEIGHBOR_SOLICITATION + 1);
    assert_eq!(frames[0][80..86], OWN_MAC);
    assert!(give(&mut gateway, &solicit(64, 1)).is_empty());
    assert!(give(&mut gateway, &solicit(ALL_HOPS, 9)).is_empty());
}

#[test]
fn frames_of_other_senders_are_dropped_and_counted() {
    let mut gateway = gateway(sample());
    let packet = datagram("10.73.0.9:1000", "192.0.2.1:9", b"x");
    assert!(give(&mut gateway, &ethernet(ETHER_IPV4, &packet)).is_empty());
    let packet = datagram("[fda3:5b0c:73::9]:1000", "[2001:db8::1]:9", b"x");
    assert!(give(&mut gateway, &ethernet(ETHER_IPV6, &packet)).is_empty());
    let mut frame = ethernet(ETHER_IPV4, &datagram("10.73.0.2:1000", "192.0.2.1:9", b"x"));
    frame[11] = 9;
    assert!(give(&mut gateway, &frame).is_empty());
    assert_eq!(gateway.link.counters.spoofed, 3);
    assert_eq!(gateway.counts(), (0, 0));
}

#[test]
fn what_is_denied_is_told_and_nothing_is_opened() {
    let mut gateway = gateway(sample());
    for to in ["127.0.0.1:80", "169.254.169.254:80", "10.73.0.3:81", "100.100.100.200:80"] {
        let frames = give(&mut gateway, &segment("10.73.0.2:1000", to, 2, 1));
        assert_eq!(frames[0][34..36], [3, 13], "{to}");
        let packet = datagram("10.73.0.2:1000", to, b"x");
        assert_eq!(give(&mut gateway, &ethernet(ETHER_IPV4, &packet))[0][34..36], [3, 13], "{to}");
    }
    let frames = give(&mut gateway, &segment("[fda3:5b0c:73::2]:1000", "[::ffff:127.0.0.1]:80", 2, 1));
    assert_eq!(frames[0][54..56], [1, 1]);
    assert_eq!(gateway.link.counters.denied, 9);
    assert_eq!(gateway.counts(), (0, 0));
}

#[test]
fn a_port_of_the_gateway_that_nobody_serves_is_refused() {
    let mut gateway = gateway(sample());
    let frames = give(&mut gateway, &segment("10.73.0.2:1000", "10.73.0.1:80", 2, 1));
    assert_eq!(frames[0][47] & 4, 4);
    let packet = datagram("10.73.0.2:1000", "10.73.0.1:80", b"x");
    assert_eq!(give(&mut gateway, &ethernet(ETHER_IPV4, &packet))[0][34..36], [3, 3]);
}

#[test]
fn an_echo_request_to_the_gateway_is_answered() {
    let mut gateway = gateway(sample());
    let mut out = crate::outbox::Outbox::new(OWN_MAC, GUEST_MAC);
    let route = Route::new([10, 73, 0, 2].into(), [10, 73, 0, 1].into(), ICMP);
    packet::send(&mut out, route, 12, 2, |bytes| {
        bytes.copy_from_slice(&[8, 0, 0, 0, 1, 2, 0, 3, b'p', b'i', b'n', b'g']);
    });
    let frames = give(&mut gateway, &out.frames()[0]);
    assert_eq!(frames[0][34], 0);
    assert_eq!(frames[0][38..], [1, 2, 0, 3, b'p', b'i', b'n', b'g']);
    assert_eq!(fold(sum(&frames[0][34..])), 0);
}

#[test]
fn a_flood_of_connections_takes_no_more_than_the_table() {
    let mut config = sample();
    config.name_servers = vec![([127, 0, 0, 1], 1).into()];
    let mut gateway = gateway(config);
    for port in 1..=u16::MAX {
        let frame = segment(&format!("10.73.0.2:{port}"), "10.73.0.1:53", 2, 1);
        assert_eq!(give(&mut gateway, &frame).len(), 1);
    }
    assert_eq!(gateway.counts().0, crate::tcp::MAX_CONNECTIONS);
    // Resets make room again.
    for port in 1..=u16::MAX {
        give(&mut gateway, &segment(&format!("10.73.0.2:{port}"), "10.73.0.1:53", 4, 2));
    }
    assert_eq!(gateway.counts().0, 0);
}

#[test]
fn a_flood_of_datagrams_takes_no_more_than_the_table() {
    let server =
        UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).map_or(9, |address| address.port());
    let mut config = sample();
    config.host_access.ports = vec![server];
    let mut gateway = gateway(config);
    for port in 1..=2000 {
        let packet = datagram(&format!("10.73.0.2:{port}"), &format!("10.73.0.3:{server}"), b"x");
        give(&mut gateway, &ethernet(ETHER_IPV4, &packet));
    }
    assert_eq!(gateway.counts().1, crate::udp::MAX_SOCKETS);
}

#[test]
fn malformed_frames_are_counted() {
    let mut gateway = gateway(sample());
    let whole = segment("10.73.0.2:1000", "192.0.2.1:80", 2, 1);
    for cut in 0..whole.len() {
        assert!(give(&mut gateway, &whole[..cut]).is_empty(), "{cut}");
    }
    assert_eq!(gateway.link.counters.malformed, whole.len() as u64);
}

/// A VMM that sends a length that no frame has, or leaves, ends the gateway.
#[test]
fn a_vmm_that_sends_no_frames_ends_it() {
    let directory = std::env::temp_dir().join(format!("a3s-gateway-{}", std::process::id()));
    for (bytes, end) in
        [(&[0xff; 4][..], End::BadFrame), (&[0, 0, 0, 3][..], End::BadFrame), (&[0, 0][..], End::VmmGone)]
    {
        let mut gateway = gateway(sample());
        let outcome = (|| {
            let listener = std::os::unix::net::UnixListener::bind(&directory)?;
            listener.set_nonblocking(true)?;
            let (reader, _writer) = std::io::pipe()?;
            gateway.listen(UnixListener::from_std(listener), std::os::fd::AsRawFd::as_raw_fd(&reader))?;
            let mut vmm = std::os::unix::net::UnixStream::connect(&directory)?;
            vmm.write_all(bytes)?;
            drop(vmm);
            gateway.run()
        })();
        let removed = std::fs::remove_file(&directory);
        assert_eq!(outcome.ok(), Some(end));
        assert!(removed.is_ok());
    }
}

#[test]
fn a_connection_to_a_published_port_is_offered_to_the_guest() {
    let mut config = sample();
    config.ports = vec![Published {
        host_address: [127, 0, 0, 1].into(),
        host_port: 0,
        guest_port: 80,
        protocol: crate::config::Protocol::Tcp,
    }];
    let mut gateway = gateway(config);
    let outcome = (|| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (host, _) = listener.accept()?;
        host.set_nonblocking(true)?;
        gateway.tcp.offer(&mut gateway.link, mio::net::TcpStream::from_std(host), [127, 0, 0, 1].into(), 80);
        gateway.work();
        io::Result::Ok(gateway.link.out.frames())
    })();
    let frames = outcome.unwrap_or_default();
    assert_eq!(frames.len(), 1);
    // From the gateway to the guest's port, a first segment.
    assert_eq!(frames[0][26..34], [10, 73, 0, 1, 10, 73, 0, 2]);
    assert_eq!(frames[0][36..38], [0, 80]);
    assert_eq!(frames[0][47] & 0x3f, 2);
}

/// What the guest sends is counted whatever becomes of it, and what it is sent; whoever asks is told both.
#[test]
fn what_went_over_the_link_is_told_to_who_asks() {
    let mut gateway = gateway(sample());
    let mut foreign = ethernet(ETHER_IPV4, &datagram("10.73.0.2:1000", "192.0.2.1:9", b"x"));
    foreign[11] = 9;
    let request = arp([10, 73, 0, 1], [10, 73, 0, 2]);
    assert!(give(&mut gateway, &foreign).is_empty());
    assert!(give(&mut gateway, &[0; 3]).is_empty());
    let reply = give(&mut gateway, &request).concat();
    let expected = Traffic { received: reply.len() as u64, sent: (foreign.len() + 3 + request.len()) as u64 };
    assert_eq!(gateway.link.traffic(), expected);
    let path = std::env::temp_dir().join(format!("a3s-counters-{}", std::process::id()));
    let told = (|| {
        let listener = std::os::unix::net::UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        gateway.tell(UnixListener::from_std(listener))?;
        let mut answers = Vec::new();
        for _ in 0..2 {
            let mut asker = std::os::unix::net::UnixStream::connect(&path)?;
            drop(std::os::unix::net::UnixStream::connect(&path)?);
            gateway.tell_counters();
            let mut answer = Vec::new();
            asker.read_to_end(&mut answer)?;
            answers.push(answer);
        }
        io::Result::Ok(answers)
    })();
    assert!(std::fs::remove_file(&path).is_ok());
    let bytes = [reply.len() as u64, (foreign.len() + 3 + request.len()) as u64].map(u64::to_le_bytes).concat();
    assert_eq!(told.ok(), Some(vec![bytes.clone(), bytes]));
}
