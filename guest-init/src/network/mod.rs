//! The guest's network: loopback, and the cards, addresses and routes that the host asks for.

mod netlink;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use crate::error::{AgentError, Result};
use crate::proto::{Interface, Route};
use netlink::{Message, Netlink};

const LOOPBACK_INDEX: i32 = 1;
const CARDS: &str = "/sys/class/net";

/// Brings up the loopback interface of the calling thread's network namespace.
pub fn loopback_up() -> io::Result<()> {
    Netlink::open()?.request(&Message::link(LOOPBACK_INDEX).up())
}

/// The guest's network cards, as they were when it booted: no card comes or goes later.
#[derive(Debug, Default)]
pub struct Cards(Vec<Card>);

impl Cards {
    /// Finds the cards.
    pub fn find() -> io::Result<Self> {
        Ok(Self(find_cards(Path::new(CARDS))?))
    }

    /// Names, addresses and starts the cards, then adds the routes.
    pub fn configure(&self, interfaces: &[Interface], routes: &[Route]) -> Result<()> {
        let interfaces: Vec<CheckedInterface> = interfaces.iter().map(CheckedInterface::new).collect::<Result<_>>()?;
        let routes: Vec<CheckedRoute> = routes.iter().map(CheckedRoute::new).collect::<Result<_>>()?;
        if interfaces.is_empty() && routes.is_empty() {
            return Ok(());
        }
        let mut netlink = Netlink::open().map_err(|error| AgentError::system("open a netlink socket", error))?;
        for interface in &interfaces {
            interface.apply(self, &mut netlink)?;
        }
        for route in &routes {
            let index = netlink.index_of(&route.interface)?;
            let failed = |error| AgentError::system(format_args!("add the route to {}", route.destination_text), error);
            netlink.request(&Message::route(route.destination, route.gateway, index)).map_err(failed)?;
        }
        Ok(())
    }

    /// The card with this address; else the only one there is, which has the address of the template that it was cloned from.
    fn at(&self, mac: [u8; 6]) -> Option<Card> {
        match self.0.as_slice() {
            [only] => Some(*only),
            cards => cards.iter().find(|card| card.mac == mac).copied(),
        }
    }
}

/// An address with its prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let length: u8 = length.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (length <= longest).then_some(Self { address, length })
    }
}

struct CheckedInterface<'request> {
    request: &'request Interface,
    mac: [u8; 6],
    addresses: Vec<Prefix>,
}

impl<'request> CheckedInterface<'request> {
    fn new(request: &'request Interface) -> Result<Self> {
        let name = &request.name;
        check_name(name)?;
        let mac = parse_mac(&request.mac).ok_or_else(|| {
            AgentError::invalid(format!("interface {name}: {:?} is not a MAC address in lower case", request.mac))
        })?;
        let address = |text: &String| {
            Prefix::parse(text).ok_or_else(|| {
                AgentError::invalid(format!("interface {name}: {text:?} is not an address with a prefix length"))
            })
        };
        Ok(Self { request, mac, addresses: request.addresses.iter().map(address).collect::<Result<_>>()? })
    }

    fn apply(&self, cards: &Cards, netlink: &mut Netlink) -> Result<()> {
        let Interface { name, mac, mtu, .. } = self.request;
        let card = cards
            .at(self.mac)
            .ok_or_else(|| AgentError::not_found(format!("interface {name}: no network card has the address {mac}")))?;
        let failed = |error| AgentError::system(format_args!("configure interface {name}"), error);
        let index = card.index;
        let settings = Message::link(index).name(name).mtu(*mtu);
        let settings = if card.mac == self.mac { settings } else { settings.mac(self.mac) };
        netlink.request(&settings).map_err(failed)?;
        for prefix in &self.addresses {
            netlink.request(&Message::address(index, *prefix)).map_err(failed)?;
        }
        netlink.request(&Message::link(index).up()).map_err(failed)
    }
}

struct CheckedRoute {
    destination_text: String,
    destination: Option<Prefix>,
    gateway: Option<IpAddr>,
    interface: String,
}

impl CheckedRoute {
    fn new(route: &Route) -> Result<Self> {
        let text = &route.destination;
        let destination = match text.as_str() {
            "default" => None,
            prefix => Some(
                Prefix::parse(prefix)
                    .ok_or_else(|| AgentError::invalid(format!("route {prefix:?} is neither default nor a prefix")))?,
            ),
        };
        let gateway = match route.gateway.as_str() {
            "" => None,
            gateway => Some(
                gateway
                    .parse()
                    .map_err(|_| AgentError::invalid(format!("route {text}: {gateway:?} is not an address")))?,
            ),
        };
        check_name(&route.interface)?;
        Ok(Self { destination_text: text.clone(), destination, gateway, interface: route.interface.clone() })
    }
}

fn check_name(name: &str) -> Result<()> {
    let valid = (1..=15).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':');
    if valid { Ok(()) } else { Err(AgentError::invalid(format!("{name:?} is not an interface name"))) }
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut mac {
        let part = parts.next()?;
        let digits = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        *octet = (part.len() == 2 && digits).then(|| u8::from_str_radix(part, 16).ok())??;
    }
    parts.next().is_none().then_some(mac)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Card {
    index: i32,
    mac: [u8; 6],
}

fn find_cards(directory: &Path) -> io::Result<Vec<Card>> {
    let mut cards = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // Devices of software (loopback, bridges) are no cards.
        if !path.join("device").exists() {
            continue;
        }
        let index = fs::read_to_string(path.join("ifindex"))?.trim().parse();
        let mac = parse_mac(fs::read_to_string(path.join("address"))?.trim());
        cards.extend(index.ok().zip(mac).map(|(index, mac)| Card { index, mac }));
    }
    Ok(cards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_checked() {
        assert_eq!(Prefix::parse("10.0.2.15/24").map(|prefix| prefix.length), Some(24));
        assert_eq!(Prefix::parse("fd00::2/64").map(|prefix| prefix.length), Some(64));
        for wrong in ["10.0.2.15", "10.0.2.15/33", "fd00::2/129", "x/8", "/8"] {
            assert_eq!(Prefix::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_card_is_found_by_its_address_or_as_the_only_one() -> io::Result<()> {
        let directory = std::env::temp_dir().join(format!("a3s-cards-{}", std::process::id()));
        let add = |name: &str, index: &str, address: &str| -> io::Result<()> {
            let card = directory.join(name);
            fs::create_dir_all(&card)?;
            fs::write(card.join("ifindex"), index)?;
            fs::write(card.join("address"), format!("{address}\n"))
        };
        let find = |last| find_cards(&directory).map(|cards| Cards(cards).at([2, 0, 0, 0, 0, last]));
        add("lo", "1", "00:00:00:00:00:00")?;
        assert_eq!(find(1)?, None);
        add("eth0", "2", "02:00:00:00:00:00")?;
        fs::create_dir(directory.join("eth0/device"))?;
        let only = Card { index: 2, mac: [2, 0, 0, 0, 0, 0] };
        assert_eq!(find(0)?, Some(only));
        assert_eq!(find(1)?, Some(only));
        add("eth1", "3", "02:00:00:00:00:02")?;
        fs::create_dir(directory.join("eth1/device"))?;
        assert_eq!(find(0)?, Some(only));
        assert_eq!(find(1)?, None);
        fs::remove_dir_all(&directory)
    }

    #[test]
    fn a_wrong_request_is_refused_before_anything_is_changed() {
        let interface = |name: &str, mac: &str, address: &str| Interface {
            name: name.into(),
            mac: mac.into(),
            addresses: vec![address.into()],
            mtu: 0,
        };
        assert!(CheckedInterface::new(&interface("eth0", "52:54:00:12:34:56", "10.0.2.15/24")).is_ok());
        for (name, mac, address) in [
            ("../x", "52:54:00:12:34:56", "10.0.2.15/24"),
            ("eth0", "52:54:00:12:34", "10.0.2.15/24"),
            ("eth0", "52:54:00:12:34:5G", "10.0.2.15/24"),
            ("eth0", "52:54:00:12:34:56", "10.0.2.15"),
        ] {
            assert!(CheckedInterface::new(&interface(name, mac, address)).is_err(), "{name} {mac} {address}");
        }
    }
}
