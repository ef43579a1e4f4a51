//! The document that says what to serve (`config.schema.json`). Unknown keys are refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::StartError;

/// Version of the document.
pub const VERSION: u32 = 1;
/// Most ports that can be published.
pub const MAX_PUBLISHED: usize = 1024;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// What a gateway serves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// [`VERSION`].
    pub version: u32,
    /// Where to listen for the VMM. Absolute; must not exist.
    pub socket: PathBuf,
    /// Where to tell what went over the link. Absolute; must not exist.
    pub counters: PathBuf,
    /// Largest IP packet on the link, bytes.
    pub mtu: u16,
    /// The guest's end of the link.
    pub guest: End,
    /// This end of the link; its addresses answer DNS.
    pub gateway: End,
    /// What stands for the host.
    pub host_access: HostAccess,
    /// Ports of the host that lead to the guest.
    pub ports: Vec<Published>,
    /// Resolvers of the host, in their order.
    pub name_servers: Vec<SocketAddr>,
    /// User and group to run under; given exactly when started by root.
    #[serde(default)]
    pub identity: Option<Identity>,
}

/// One end of the link.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct End {
    /// Six octets, lower-case hexadecimal with colons.
    #[serde(deserialize_with = "mac")]
    pub mac: Mac,
    /// IPv4 address.
    pub ipv4: Ipv4Addr,
    /// IPv6 address.
    pub ipv6: Ipv6Addr,
}

/// The addresses that stand for the host's loopback, and the ports that can be reached there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HostAccess {
    /// IPv4 address.
    pub ipv4: Ipv4Addr,
    /// IPv6 address.
    pub ipv6: Ipv6Addr,
    /// Ports of the host's loopback; empty for none.
    pub ports: Vec<u16>,
}

/// A port of the host that leads to the guest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Published {
    /// Address to listen on.
    pub host_address: IpAddr,
    /// 0 chooses one.
    pub host_port: u16,
    /// 1 to 65535.
    pub guest_port: u16,
    /// Transport.
    pub protocol: Protocol,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// User and group ids.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Identity {
    /// Not 0.
    pub uid: u32,
    /// Not 0.
    pub gid: u32,
}

impl Config {
    /// Reads and checks a document.
    pub fn parse(text: &[u8]) -> Result<Self, StartError> {
        let config: Self = serde_json::from_slice(text)
            .map_err(|error| invalid(format!("the configuration cannot be read: {error}")))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), StartError> {
        if self.version != VERSION {
            return Err(invalid(format!("configuration version {} is not known", self.version)));
        }
        if self.mtu < 1280 {
            return Err(invalid(format!("mtu {} is below 1280", self.mtu)));
        }
        if !self.socket.is_absolute() || !self.counters.is_absolute() {
            return Err(invalid("a socket's path is not absolute"));
        }
        if self.ports.len() > MAX_PUBLISHED {
            return Err(invalid(format!("{} published ports are more than {MAX_PUBLISHED}", self.ports.len())));
        }
        if self.ports.iter().any(|port| port.guest_port == 0) || self.host_access.ports.contains(&0) {
            return Err(invalid("port 0 cannot be reached"));
        }
        if self.identity.is_some_and(|identity| identity.uid == 0 || identity.gid == 0) {
            return Err(invalid("a gateway does not run as root"));
        }
        Ok(())
    }
}

fn invalid(message: impl Into<String>) -> StartError {
    StartError::new("INVALID_ARGUMENT", message)
}

fn mac<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Mac, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_mac(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not an Ethernet address")))
}

fn parse_mac(text: &str) -> Option<Mac> {
    let parts: Vec<&str> = text.split(':').collect();
    let parts: [&str; 6] = parts.try_into().ok()?;
    let mut mac = [0; 6];
    for (octet, part) in mac.iter_mut().zip(parts) {
        if part.len() != 2 || part.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    // The lowest bit of the first octet is that of groups.
    (mac[0] & 1 == 0).then_some(mac)
}

/// A configuration for tests: no published port, no resolver, no host access.
#[cfg(any(test, fuzzing))]
pub fn sample() -> Config {
    let end = |last: u8| End {
        mac: [2, 0, 0, 0, 0, last],
        ipv4: Ipv4Addr::new(10, 73, 0, last),
        ipv6: Ipv6Addr::new(0xfda3, 0x5b0c, 0x73, 0, 0, 0, 0, last.into()),
    };
    let host = end(3);
    Config {
        version: VERSION,
        socket: "/nonexistent".into(),
        counters: "/nonexistent".into(),
        mtu: 65_520,
        guest: end(2),
        gateway: end(1),
        host_access: HostAccess { ipv4: host.ipv4, ipv6: host.ipv6, ports: vec![8080] },
        ports: Vec::new(),
        name_servers: Vec::new(),
        identity: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"version":1,"socket":"/run/x.sock","counters":"/run/y.sock","mtu":1500,
        "guest":{"mac":"02:00:00:00:00:02","ipv4":"10.73.0.2","ipv6":"fd00::2"},
        "gateway":{"mac":"02:00:00:00:00:01","ipv4":"10.73.0.1","ipv6":"fd00::1"},
        "hostAccess":{"ipv4":"10.73.0.3","ipv6":"fd00::3","ports":[]},
        "ports":[{"hostAddress":"::","hostPort":0,"guestPort":80,"protocol":"tcp"}],
        "nameServers":["127.0.0.53:53","[fe80::1%2]:53"]}"#;

    fn code(text: &str) -> Option<&'static str> {
        Config::parse(text.as_bytes()).err().map(|error| error.code)
    }

    #[test]
    fn a_whole_document_is_read() {
        let config = Config::parse(WHOLE.as_bytes()).map_err(|error| error.message);
        assert_eq!(config.map(|config| config.guest.mac), Ok([2, 0, 0, 0, 0, 2]));
    }

    #[test]
    fn what_is_wrong_or_unknown_is_refused() {
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"mtu\":1500", "\"mtu\":576"),
            ("/run/x.sock", "x.sock"),
            ("/run/y.sock", "y.sock"),
            ("\"guestPort\":80", "\"guestPort\":0"),
            ("02:00:00:00:00:02", "03:00:00:00:00:02"),
            ("02:00:00:00:00:02", "02:00:00:00:00:0G"),
            ("\"ports\":[]", "\"ports\":[],\"more\":1"),
            ("\"nameServers\"", "\"identity\":{\"uid\":0,\"gid\":1},\"nameServers\""),
            ("\"nameServers\"", "\"other\":1,\"nameServers\""),
            ("\"tcp\"", "\"sctp\""),
        ] {
            assert_eq!(code(&WHOLE.replace(from, to)), Some("INVALID_ARGUMENT"), "{to}");
        }
    }
}
