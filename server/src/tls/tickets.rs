//! What a client shows to resume the TLS session of its control connection: tickets, and the session id of TLS 1.2.
//!
//! Of rustls' own means neither fits. Its ticketer changes keys every six hours, and a session may last longer. Its cache
//! takes a session from everybody, and gives a ticket of TLS 1.3 away only once, so that a client which does not read
//! from its data connections (one that uploads) has soon used up all that it was given.
//!
//! Invariants:
//! - the key of the tickets lives as long as the session, and is nowhere else;
//! - a data connection makes new tickets only if it was resumed itself. Otherwise somebody who reaches a data port before
//!   the client could do a full hand-shake there, be refused, and come again with the ticket of that hand-shake.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

/// The tickets of one session.
pub(super) struct SessionTickets(RandomizedNonceKey);

impl SessionTickets {
    pub(super) fn new() -> Result<SessionTickets, Unspecified> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key)?;
        RandomizedNonceKey::new(&AES_256_GCM, &key).map(SessionTickets)
    }

    fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let mut sealed = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::empty(), &mut sealed)?;
        Ok([&nonce.as_ref()[..], &sealed].concat())
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = ticket.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let plain = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

/// Tickets on the control connection: for everybody who has come to its end.
impl ProducesTickets for SessionTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME_SECS
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain).ok()
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(ticket)
    }
}

/// Tickets on one data connection.
#[derive(Debug)]
pub(super) struct DataTickets {
    session: Arc<SessionTickets>,
    witness: Arc<Witness>,
}

impl DataTickets {
    pub(super) fn new(session: Arc<SessionTickets>, witness: Arc<Witness>) -> DataTickets {
        DataTickets { session, witness }
    }
}

impl ProducesTickets for DataTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME_SECS
    }

    /// Nothing after a full hand-shake: a client of TLS 1.2 gets an empty ticket, which means "keep what you have".
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if self.witness.has_signed() { None } else { self.session.seal(plain).ok() }
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.session.open(ticket)
    }
}

/// The private key on one data connection. It sees whether the hand-shake is a full one: only then does the server sign,
/// and it does so before the client can end the hand-shake, so before there is any ticket.
#[derive(Debug)]
pub(super) struct Witness {
    key: Arc<dyn SigningKey>,
    signed: AtomicBool,
}

impl Witness {
    pub(super) fn new(key: Arc<dyn SigningKey>) -> Witness {
        Witness { key, signed: AtomicBool::new(false) }
    }

    fn has_signed(&self) -> bool {
        self.signed.load(Ordering::Relaxed)
    }
}

impl SigningKey for Witness {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.signed.store(true, Ordering::Relaxed);
        self.key.choose_scheme(offered)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

/// The session of TLS 1.2 that the control connection began: for clients without tickets.
#[derive(Default)]
pub(super) struct ControlId(Mutex<Option<(Vec<u8>, Vec<u8>)>>);

impl ControlId {
    fn find(&self, id: &[u8]) -> Option<Vec<u8>> {
        let entry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entry.as_ref().filter(|(known, _)| known == id).map(|(_, value)| value.clone())
    }
}

impl StoresServerSessions for ControlId {
    fn put(&self, id: Vec<u8>, value: Vec<u8>) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, value));
        true
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.find(id)
    }

    /// Only TLS 1.3 without tickets would take it away; TLS 1.2 comes again for every transfer.
    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.find(id)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// The same for data connections, which find it and add nothing.
#[derive(Debug)]
pub(super) struct DataId(pub(super) Arc<ControlId>);

impl StoresServerSessions for DataId {
    fn put(&self, _id: Vec<u8>, _value: Vec<u8>) -> bool {
        false
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.0.find(id)
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.0.find(id)
    }

    fn can_cache(&self) -> bool {
        false
    }
}

// Neither shows a secret.
impl fmt::Debug for SessionTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionTickets")
    }
}

impl fmt::Debug for ControlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ControlId")
    }
}

/// What clients are told: the most that RFC 8446 (4.6.1) allows. A session that is older, and has had no transfer for so
/// long, needs a new log-in.
const LIFETIME_SECS: u32 = 7 * 24 * 60 * 60;
