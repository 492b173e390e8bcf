//! Who may do what, where and how much, among those who are there now: the guest, and each user with a session.
//!
//! Owned by the loop, so that no count can drift. It must not know how a password is checked.
//!
//! # Invariants
//! - The count of an account equals its sessions.
//! - All sessions of a user have the same account: one root, one quota, one measure of each rate.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use muxftp_proto::{Cause, Permissions};
use muxftp_reactor::{Key, Table};

use super::lanes::Place;
use super::rate::Rate;
use crate::config::Allowance;
use crate::storage::{Quota, Root};

/// The guest, or a user.
pub(super) struct Account {
    name: String,
    pub(super) root: Arc<Root>,
    pub(super) place: Place,
    quota: Option<Arc<Quota>>,
    pub(super) permissions: Permissions,
    pub(super) down: Option<Rate>,
    pub(super) up: Option<Rate>,
    /// The disk was slow just now: until then workers write.
    pub(super) slow_until: Option<Instant>,
    sessions: u32,
    sessions_max: Option<u32>,
    per_address: HashMap<IpAddr, u32>,
    per_address_max: Option<u32>,
}

/// All accounts that are in use.
pub(super) struct Accounts {
    accounts: Table<Account>,
    by_name: HashMap<String, Key>,
    guest: Key,
}

/// A directory, opened and measured for an account.
pub(super) struct Opened {
    pub(super) root: Root,
    place: Place,
    pub(super) quota: Option<Arc<Quota>>,
}

impl Opened {
    /// Puts a quota on a root, if the account has one, and measures what is there: not for the thread of the sockets.
    pub(super) fn new(root: Root, place: Place, allowance: &Allowance) -> Opened {
        if allowance.quota_bytes.is_none() && allowance.quota_files.is_none() {
            return Opened { root, place, quota: None };
        }
        let quota = Arc::new(Quota::new(allowance.quota_bytes, allowance.quota_files));
        quota.reset(root.measure());
        Opened { root: root.with_quota(Arc::clone(&quota)), place, quota: Some(quota) }
    }
}

impl Accounts {
    pub(super) fn new(guest: Opened, permissions: Permissions, allowance: &Allowance) -> Accounts {
        let mut accounts = Table::new();
        let guest = accounts.insert(Account::new("guest", guest, permissions, allowance));
        Accounts { accounts, by_name: HashMap::new(), guest }
    }

    pub(super) fn guest(&self) -> Key {
        self.guest
    }

    /// The account of a user who has sessions, or whose last upload is still on its way to the disk.
    pub(super) fn find(&self, name: &str) -> Option<Key> {
        self.by_name.get(name).copied()
    }

    /// The account of a user who has none yet.
    pub(super) fn add(&mut self, name: &str, opened: Opened, permissions: Permissions, allowance: &Allowance) -> Key {
        let key = self.accounts.insert(Account::new(name, opened, permissions, allowance));
        self.by_name.insert(name.to_owned(), key);
        key
    }

    /// What the users' file says now holds for all sessions from now on.
    pub(super) fn update(&mut self, key: Key, permissions: Permissions, allowance: &Allowance) {
        if let Some(account) = self.accounts.get_mut(key) {
            account.permissions = permissions;
            account.set_bounds(allowance);
            if let Some(quota) = &account.quota {
                quota.set_bounds(allowance.quota_bytes, allowance.quota_files);
            }
        }
    }

    pub(super) fn get(&mut self, key: Key) -> Option<&mut Account> {
        self.accounts.get_mut(key)
    }

    /// Counts a session in.
    ///
    /// # Errors
    /// The bound that stands against it.
    pub(super) fn enter(&mut self, key: Key, address: IpAddr) -> Result<(), Cause> {
        let account = self.accounts.get_mut(key).ok_or(Cause::OutOfResources)?;
        if account.sessions_max.is_some_and(|most| account.sessions >= most) {
            return Err(Cause::TooManyOfUser);
        }
        if let Some(most) = account.per_address_max {
            let count = account.per_address.entry(address.to_canonical()).or_default();
            if *count >= most {
                return Err(Cause::TooManyFromAddress);
            }
            *count += 1;
        }
        account.sessions += 1;
        Ok(())
    }

    /// Counts a session out; a user without sessions is forgotten, and measured anew when he comes back.
    pub(super) fn leave(&mut self, key: Key, address: IpAddr) {
        let Some(account) = self.accounts.get_mut(key) else { return };
        account.sessions -= 1;
        if let Some(count) = account.per_address.get_mut(&address.to_canonical()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                account.per_address.remove(&address.to_canonical());
            }
        }
        // Others hold the quota while an upload is on its way to the disk: measured then, it would be missed.
        let is_used = account.quota.as_ref().is_some_and(|quota| Arc::strong_count(quota) > 2);
        if account.sessions == 0 && key != self.guest && !is_used {
            self.by_name.remove(&account.name);
            self.accounts.remove(key);
        }
    }
}

impl Account {
    fn new(name: &str, opened: Opened, permissions: Permissions, allowance: &Allowance) -> Account {
        let mut account = Account {
            name: name.to_owned(),
            root: Arc::new(opened.root),
            place: opened.place,
            quota: opened.quota,
            permissions,
            down: None,
            up: None,
            slow_until: None,
            sessions: 0,
            sessions_max: None,
            per_address: HashMap::new(),
            per_address_max: None,
        };
        account.set_bounds(allowance);
        account
    }

    fn set_bounds(&mut self, allowance: &Allowance) {
        self.sessions_max = allowance.sessions;
        self.per_address_max = allowance.sessions_per_address;
        Rate::set(&mut self.down, allowance.rate_down);
        Rate::set(&mut self.up, allowance.rate_up);
    }

    /// The name in the log.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}
