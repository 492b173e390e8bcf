//! The address that PASV tells: fixed, of a name, or of the cloud's metadata service (EC2, IMDSv2).
//!
//! Looking it up waits for others, so it is done on a worker's thread, at the start and then now and then. It must not know
//! sessions.

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::config::{Config, PublicAddress};
use crate::limits;

/// What PASV tells, as far as it is known.
#[derive(Debug)]
pub(crate) struct Advertised {
    source: PublicAddress,
    service: String,
    current: Option<Ipv4Addr>,
    /// When it was last asked for.
    asked: Option<Instant>,
}

impl Advertised {
    pub(crate) fn new(config: &Config) -> Advertised {
        let current = match config.public_address {
            PublicAddress::Fixed(address) => Some(address),
            _ => None,
        };
        Advertised {
            source: config.public_address.clone(),
            service: config.metadata_service.clone(),
            current,
            asked: None,
        }
    }

    /// The address, if it is not the one at which the client has come.
    pub(crate) fn current(&self) -> Option<Ipv4Addr> {
        self.current
    }

    /// What is to be looked up now, if anything is.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Lookup> {
        let fresh = |asked: Instant| now.saturating_duration_since(asked) < LOOKUP_EVERY;
        let needed = matches!(self.source, PublicAddress::Name(_) | PublicAddress::Auto);
        if !needed || self.asked.is_some_and(fresh) {
            return None;
        }
        self.asked = Some(now);
        Some(Lookup { source: self.source.clone(), service: self.service.clone() })
    }

    /// An answer; without one the last address holds, or else the one at which the client has come.
    pub(crate) fn found(&mut self, found: Result<Ipv4Addr, String>) {
        match found {
            Ok(address) if self.current != Some(address) => {
                info!(%address, "the public address, told by PASV");
                self.current = Some(address);
            }
            Ok(_) => {}
            Err(error) if self.current.is_none() => {
                warn!("the public address is not known ({error}): PASV tells the address at which the client has come");
            }
            Err(error) => warn!("the public address cannot be looked up again ({error})"),
        }
    }
}

/// A question for a worker.
#[derive(Debug)]
pub(crate) struct Lookup {
    source: PublicAddress,
    service: String,
}

impl Lookup {
    /// Asks, and waits for the answer: seconds, at most.
    pub(crate) fn run(&self) -> Result<Ipv4Addr, String> {
        match &self.source {
            PublicAddress::Own | PublicAddress::Fixed(_) => Err("nothing is to be looked up".to_owned()),
            PublicAddress::Name(name) => address_of(name),
            PublicAddress::Auto => ask_service(&self.service),
        }
    }
}

fn address_of(name: &str) -> Result<Ipv4Addr, String> {
    let mut found = (name, 0).to_socket_addrs().map_err(|error| format!("`{name}`: {error}"))?;
    let v4 = found.find_map(|address| match address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    v4.ok_or_else(|| format!("`{name}` has no IPv4 address"))
}

/// IMDSv2: a token first, then the question with it. A service that only knows the first version is not asked.
fn ask_service(service: &str) -> Result<Ipv4Addr, String> {
    let failed = |error: ureq::Error| format!("{service}: {error}");
    let config = ureq::Agent::config_builder().timeout_global(Some(SERVICE_TIMEOUT)).proxy(None).build();
    let agent = ureq::Agent::new_with_config(config);
    let mut token = agent
        .put(format!("{service}/latest/api/token"))
        .header("X-aws-ec2-metadata-token-ttl-seconds", "60")
        .send_empty()
        .map_err(failed)?;
    let token = token.body_mut().with_config().limit(limits::METADATA_BYTES_MAX).read_to_string().map_err(failed)?;
    let mut answer = agent
        .get(format!("{service}/latest/meta-data/public-ipv4"))
        .header("X-aws-ec2-metadata-token", token.trim())
        .call()
        .map_err(failed)?;
    let text = answer.body_mut().with_config().limit(limits::METADATA_BYTES_MAX).read_to_string().map_err(failed)?;
    text.trim().parse().map_err(|_| format!("{service}: `{}` is no IPv4 address", text.trim().escape_debug()))
}

/// A machine's address rarely changes, and a server may run for months.
const LOOKUP_EVERY: Duration = Duration::from_secs(300);

/// The service is on the same host, or it is not there.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(2);
