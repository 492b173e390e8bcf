//! Who may have a session: counts in total and per address.
//!
//! An IPv6 peer has a whole /64 to itself and is counted by it. Owned by the loop, so that no count can drift: what enters leaves when its session is removed.

use std::collections::HashMap;
use std::net::IpAddr;

use muxftp_proto::Cause;

use crate::failures::counted;

/// The counts of sessions.
#[derive(Debug)]
pub(super) struct Admission {
    sessions: usize,
    sessions_max: usize,
    per_address: HashMap<IpAddr, usize>,
    per_address_max: usize,
}

impl Admission {
    pub(super) fn new(sessions_max: usize, per_address_max: usize) -> Admission {
        Admission { sessions: 0, sessions_max, per_address: HashMap::new(), per_address_max }
    }

    /// Counts a session in.
    ///
    /// # Errors
    /// The limit that stands against it.
    pub(super) fn enter(&mut self, address: IpAddr) -> Result<(), Cause> {
        if self.sessions >= self.sessions_max {
            return Err(Cause::TooManySessions);
        }
        let count = self.per_address.entry(counted(address)).or_default();
        if *count >= self.per_address_max {
            return Err(Cause::TooManyFromAddress);
        }
        *count += 1;
        self.sessions += 1;
        Ok(())
    }

    /// Counts a session out.
    pub(super) fn leave(&mut self, address: IpAddr) {
        let address = counted(address);
        if let Some(count) = self.per_address.get_mut(&address) {
            *count -= 1;
            self.sessions -= 1;
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_hold_and_counts_return_to_nothing() {
        let [a, b] = ["127.0.0.1", "127.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        let mut admission = Admission::new(3, 2);
        assert_eq!(admission.enter(a), Ok(()));
        assert_eq!(admission.enter(mapped), Ok(()));
        assert_eq!(admission.enter(a), Err(Cause::TooManyFromAddress));
        assert_eq!(admission.enter(b), Ok(()));
        assert_eq!(admission.enter(b), Err(Cause::TooManySessions));
        admission.leave(mapped);
        assert_eq!(admission.enter(b), Ok(()));
        for address in [a, b, b] {
            admission.leave(address);
        }
        assert_eq!(admission.sessions, 0);
        assert!(admission.per_address.is_empty());
    }
    #[test]
    fn an_ipv6_network_is_one_address() {
        let [a, b, other] = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        let mut admission = Admission::new(3, 1);
        assert_eq!(admission.enter(a), Ok(()));
        assert_eq!(admission.enter(b), Err(Cause::TooManyFromAddress));
        assert_eq!(admission.enter(other), Ok(()));
        admission.leave(b);
        assert_eq!(admission.enter(b), Ok(()));
    }
}
