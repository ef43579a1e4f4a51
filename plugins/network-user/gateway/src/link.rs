//! What every part of a gateway works with: the way to the guest, the event queue, the clock.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use mio::Registry;
use smoltcp::iface::{Config as InterfaceConfig, Interface, SocketSet};
use smoltcp::phy::{Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant as StackInstant;
use smoltcp::wire::HardwareAddress;

use crate::config::{Config, End};
use crate::outbox::Outbox;
use crate::policy;
use crate::timers::Timers;

/// What was dropped since the start.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Frames with a sender that is not the guest.
    pub spoofed: u64,
    /// Frames that are no packet, or of a protocol that is not carried.
    pub malformed: u64,
    /// Packets to what no guest reaches.
    pub denied: u64,
    /// Packets for which there was no room.
    pub full: u64,
}

/// What went over the link since the start, bytes of Ethernet frames.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// To the guest.
    pub received: u64,
    /// From the guest, also what was dropped.
    pub sent: u64,
}

impl Traffic {
    /// Bytes of [`Traffic::encode`].
    pub const BYTES: usize = 16;

    /// As it is told: two numbers, little-endian.
    pub fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.received.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sent.to_le_bytes());
        bytes
    }
}

/// Where something that the guest sends to really goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To be dialled; of two addresses the second is for when nobody listens at the first.
    Dial(SocketAddr, Option<SocketAddr>),
    /// The gateway itself.
    Gateway,
    /// Nothing is there.
    Nobody,
    /// Must not be reached.
    Denied,
}

/// The parts' common ground.
#[derive(Debug)]
pub struct Link {
    /// Frames to the guest.
    pub out: Outbox,
    /// TCP towards the guest.
    pub stack: Stack,
    /// The event queue.
    pub registry: Registry,
    /// What is due.
    pub timers: Timers,
    /// The configuration.
    pub config: Config,
    /// What was dropped.
    pub counters: Counters,
    /// Bytes of the guest's frames.
    pub taken: u64,
}

impl Link {
    /// A link that nothing has come over.
    pub fn new(config: Config, registry: Registry, seed: u64) -> Self {
        let mtu = config.mtu.into();
        let out = Outbox::new(config.guest.mac, config.gateway.mac);
        Self {
            out,
            stack: Stack::new(mtu, seed),
            registry,
            timers: Timers::default(),
            config,
            counters: Counters::default(),
            taken: 0,
        }
    }

    /// What went over it so far.
    pub fn traffic(&self) -> Traffic {
        Traffic { received: self.out.added(), sent: self.taken }
    }

    /// What a destination of the guest means. The one place that decides what is dialled.
    pub fn target(&mut self, address: IpAddr, port: u16) -> Target {
        let Config { guest, gateway, host_access, .. } = &self.config;
        let is = |end: IpAddr| address == end;
        if is(gateway.ipv4.into()) || is(gateway.ipv6.into()) {
            return Target::Gateway;
        }
        if is(host_access.ipv4.into()) || is(host_access.ipv6.into()) {
            if !host_access.ports.contains(&port) {
                self.counters.denied += 1;
                return Target::Denied;
            }
            let loopback =
                (SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)));
            return if address.is_ipv4() {
                Target::Dial(loopback.0, Some(loopback.1))
            } else {
                Target::Dial(loopback.1, Some(loopback.0))
            };
        }
        if on_link(address, guest) {
            return Target::Nobody;
        }
        if policy::forbidden(address) {
            self.counters.denied += 1;
            return Target::Denied;
        }
        // On the machine that fuzzes nothing is dialled.
        if cfg!(fuzzing) { Target::Nobody } else { Target::Dial(SocketAddr::new(address, port), None) }
    }

    /// The guest's address of a family.
    pub fn guest(&self, like: IpAddr) -> IpAddr {
        address_of(&self.config.guest, like)
    }

    /// This end's address of a family.
    pub fn gateway(&self, like: IpAddr) -> IpAddr {
        address_of(&self.config.gateway, like)
    }
}

fn address_of(end: &End, like: IpAddr) -> IpAddr {
    if like.is_ipv4() { end.ipv4.into() } else { end.ipv6.into() }
}

/// Whether an address is in the guest's own subnet: a /29, a /64.
fn on_link(address: IpAddr, guest: &End) -> bool {
    match address {
        IpAddr::V4(address) => u32::from(address) >> 3 == u32::from(guest.ipv4) >> 3,
        IpAddr::V6(address) => u128::from(address) >> 64 == u128::from(guest.ipv6) >> 64,
    }
}

/// smoltcp's interface. Sockets are not kept in it: each connection has a set of its own, so that a packet costs the same
/// however many connections there are.
pub struct Stack {
    interface: Interface,
    mtu: usize,
    started: Instant,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stack").field("mtu", &self.mtu).finish_non_exhaustive()
    }
}

impl Stack {
    fn new(mtu: usize, seed: u64) -> Self {
        let mut config = InterfaceConfig::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut out = Outbox::new([0; 6], [0; 6]);
        let mut interface =
            Interface::new(config, &mut Wire { packet: None, out: &mut out, mtu }, StackInstant::from_micros(0));
        interface.set_any_ip(true);
        Self { interface, mtu, started: Instant::now() }
    }

    fn at(&self, now: Instant) -> StackInstant {
        StackInstant::from_micros(now.saturating_duration_since(self.started).as_micros() as i64)
    }

    /// Gives a packet to the sockets of a set. What none of them takes is answered with a reset.
    pub fn give(&mut self, out: &mut Outbox, sockets: &mut SocketSet<'_>, packet: &[u8]) {
        let now = self.at(Instant::now());
        let mut wire = Wire { packet: Some(packet), out, mtu: self.mtu };
        self.interface.poll_ingress_single(now, &mut wire, sockets);
    }

    /// Sends what the sockets of a set have to say. Returns whether all of it was sent.
    pub fn drain(&mut self, out: &mut Outbox, sockets: &mut SocketSet<'_>) -> bool {
        let now = self.at(Instant::now());
        let mut wire = Wire { packet: None, out, mtu: self.mtu };
        loop {
            if !wire.out.has_room() {
                return false;
            }
            if self.interface.poll_egress(now, &mut wire, sockets) == smoltcp::iface::PollResult::None {
                return true;
            }
        }
    }

    /// When the sockets of a set want to be drained again.
    pub fn due(&mut self, sockets: &SocketSet<'_>) -> Option<Instant> {
        let now = self.at(Instant::now());
        let at = self.interface.poll_at(now, sockets)?;
        Some(self.started + std::time::Duration::from_micros(at.total_micros().max(0) as u64))
    }

    /// What a socket needs to connect.
    pub fn context(&mut self) -> &mut smoltcp::iface::Context {
        self.interface.context()
    }
}

/// The link as smoltcp sees it: at most one packet in, any number out.
struct Wire<'a> {
    packet: Option<&'a [u8]>,
    out: &'a mut Outbox,
    mtu: usize,
}

struct Incoming<'a>(&'a [u8]);

impl RxToken for Incoming<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

struct Outgoing<'a>(&'a mut Outbox);

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        self.0.packet(length, write)
    }
}

impl Device for Wire<'_> {
    type RxToken<'a>
        = Incoming<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Outgoing<'a>
    where
        Self: 'a;

    fn receive(&mut self, _now: StackInstant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let packet = self.packet.take()?;
        // An answer is small; the guest is not read from any more before it could become too much.
        Some((Incoming(packet), Outgoing(self.out)))
    }

    fn transmit(&mut self, _now: StackInstant) -> Option<Self::TxToken<'_>> {
        self.out.has_room().then_some(Outgoing(self.out))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        // What comes through a socket of this machine is whole; what goes to the guest is checked there.
        let mut checksum = ChecksumCapabilities::default();
        checksum.tcp = Checksum::Tx;
        checksum.ipv4 = Checksum::Tx;
        capabilities.checksum = checksum;
        capabilities
    }
}
