//! tmp
#![allow(missing_docs)]
use std::fmt;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestAccess {
    Off,
    ReadOnly,
    ReadWrite,
}
impl GuestAccess {
    pub fn may_read(self) -> bool {
        self != GuestAccess::Off
    }
    pub fn may_write(self) -> bool {
        self == GuestAccess::ReadWrite
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}
impl PortRange {
    pub fn new(first: u16, last: u16) -> Option<PortRange> {
        (first > 0 && first <= last).then_some(PortRange { first, last })
    }
    pub fn first(self) -> u16 {
        self.first
    }
    pub fn iter(self) -> std::ops::RangeInclusive<u16> {
        self.first..=self.last
    }
    pub fn contains(self, p: u16) -> bool {
        self.iter().contains(&p)
    }
}
impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}
