//! The few route-netlink requests that the guest makes (rtnetlink(7)).

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use super::Prefix;
use crate::error::AgentError;

const HEADER_BYTES: usize = 16;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const IFF_UP: u32 = 1;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// The host has given the address; nobody else can have it.
const IFA_F_NODAD: u8 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RTN_UNICAST: u8 = 1;

/// One request, being built.
#[derive(Debug)]
pub(super) struct Message {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Message {
    /// Changes the link of this index.
    pub(super) fn link(index: i32) -> Self {
        let mut body = vec![0; 16];
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        Self { kind: RTM_NEWLINK, flags: 0, body }
    }

    /// Brings the link up.
    pub(super) fn up(mut self) -> Self {
        self.body[8..12].copy_from_slice(&IFF_UP.to_ne_bytes());
        self.body[12..16].copy_from_slice(&IFF_UP.to_ne_bytes());
        self
    }

    /// Renames the link (it must be down).
    pub(super) fn name(self, name: &str) -> Self {
        let mut terminated = name.as_bytes().to_vec();
        terminated.push(0);
        self.attribute(IFLA_IFNAME, &terminated)
    }

    /// Sets the link's own address (it must be down).
    pub(super) fn mac(self, mac: [u8; 6]) -> Self {
        self.attribute(IFLA_ADDRESS, &mac)
    }

    /// Sets the MTU; 0 leaves it.
    pub(super) fn mtu(self, mtu: u32) -> Self {
        if mtu == 0 { self } else { self.attribute(IFLA_MTU, &mtu.to_ne_bytes()) }
    }

    /// Adds an address to a link.
    pub(super) fn address(index: i32, prefix: Prefix) -> Self {
        let mut body = vec![family(prefix.address), prefix.length, IFA_F_NODAD, RT_SCOPE_UNIVERSE];
        body.extend_from_slice(&index.to_ne_bytes());
        let octets = octets(prefix.address);
        let message = Self { kind: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_REPLACE, body };
        message.attribute(IFA_LOCAL, &octets).attribute(IFA_ADDRESS, &octets)
    }

    /// Adds a route; no destination is the default route.
    pub(super) fn route(destination: Option<Prefix>, gateway: Option<IpAddr>, interface: i32) -> Self {
        let any =
            destination.map(|prefix| prefix.address).or(gateway).unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let scope = if gateway.is_some() || any.is_ipv6() { RT_SCOPE_UNIVERSE } else { RT_SCOPE_LINK };
        let length = destination.map_or(0, |prefix| prefix.length);
        let mut body = vec![family(any), length, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST];
        body.extend_from_slice(&0u32.to_ne_bytes());
        let mut message = Self { kind: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, body };
        if let Some(prefix) = destination {
            message = message.attribute(RTA_DST, &octets(prefix.address));
        }
        if let Some(gateway) = gateway {
            message = message.attribute(RTA_GATEWAY, &octets(gateway));
        }
        message.attribute(RTA_OIF, &interface.to_ne_bytes())
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = (4 + value.len()) as u16;
        self.body.extend_from_slice(&length.to_ne_bytes());
        self.body.extend_from_slice(&kind.to_ne_bytes());
        self.body.extend_from_slice(value);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }

    fn encode(&self, sequence: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.body.len());
        bytes.extend_from_slice(&((HEADER_BYTES + self.body.len()) as u32).to_ne_bytes());
        bytes.extend_from_slice(&self.kind.to_ne_bytes());
        bytes.extend_from_slice(&(NLM_F_REQUEST | NLM_F_ACK | self.flags).to_ne_bytes());
        bytes.extend_from_slice(&sequence.to_ne_bytes());
        bytes.extend_from_slice(&0u32.to_ne_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn family(address: IpAddr) -> u8 {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    family.as_raw() as u8
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A route-netlink socket of the calling thread's network namespace.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// The index of a link.
    pub(super) fn index_of(&self, name: &str) -> Result<i32, AgentError> {
        let index = rustix::net::netdevice::name_to_index(&self.socket, name)
            .map_err(|error| AgentError::system(format_args!("find interface {name}"), io::Error::from(error)))?;
        i32::try_from(index).map_err(|_| AgentError::internal(format!("interface {name} has index {index}")))
    }

    /// Sends a request and waits for the kernel's answer, which it gives at once.
    pub(super) fn request(&mut self, message: &Message) -> io::Result<()> {
        self.sequence += 1;
        rustix::net::send(&self.socket, &message.encode(self.sequence), SendFlags::empty())?;
        let mut buffer = vec![0; 8192];
        loop {
            let (count, _) = rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty())?;
            if let Some(result) = acknowledgement(&buffer[..count], self.sequence) {
                return result;
            }
        }
    }
}

fn acknowledgement(bytes: &[u8], sequence: u32) -> Option<io::Result<()>> {
    let field = |at: usize| bytes.get(at..at + 4).and_then(|field| field.try_into().ok());
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    if kind != NLMSG_ERROR || u32::from_ne_bytes(field(8)?) != sequence {
        return None;
    }
    match i32::from_ne_bytes(field(HEADER_BYTES)?) {
        0 => Some(Ok(())),
        error => Some(Err(io::Error::from_raw_os_error(-error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_encoded_as_the_kernel_reads_it() {
        let gateway: IpAddr = [10, 0, 2, 2].into();
        let bytes = Message::route(None, Some(gateway), 2).encode(7);
        assert_eq!(bytes.len(), 16 + 12 + 8 + 8);
        assert_eq!(bytes[..4], 44u32.to_ne_bytes());
        assert_eq!(bytes[16..24], [2, 0, 0, 0, 254, 4, 0, 1]);
        assert_eq!(bytes[28..36], [8, 0, 5, 0, 10, 0, 2, 2]);
        assert_eq!(bytes[36..44], [8, 0, 4, 0, 2, 0, 0, 0]);
    }

    #[test]
    fn the_kernels_refusal_is_an_error() {
        let mut answer = vec![0; 36];
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        answer[8..12].copy_from_slice(&3u32.to_ne_bytes());
        answer[16..20].copy_from_slice(&(-libc::EEXIST).to_ne_bytes());
        assert!(acknowledgement(&answer, 2).is_none());
        let error = acknowledgement(&answer, 3).and_then(Result::err);
        assert_eq!(error.and_then(|error| error.raw_os_error()), Some(libc::EEXIST));
    }
}
