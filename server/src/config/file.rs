//! The configuration file: from text to settings that may be absent, with every problem that can be found at once.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use muxftp_proto::Dialect;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tracing::level_filters::LevelFilter;

use super::address::{ListenSpec, PublicAddress, parse_dialect};
use super::reader::{Reader, Section, Source, directory_path, file_path, parse_table};
use super::value::{Allowance, Words};
use super::{
    AddressRange, Durability, GuestAccess, LogFormat, PortRange, Problem, SessionReuse, TlsMode, TlsVersion,
    UploadsWithoutClose,
};

/// What a file says; `None` where it says nothing.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FileSettings {
    pub(super) root: Option<PathBuf>,
    pub(super) listen: Option<Vec<FileListen>>,
    pub(super) data_ports: Option<PortRange>,
    pub(super) updown_data_ports: Option<PortRange>,
    pub(super) users: Option<PathBuf>,
    pub(super) guest: Option<GuestAccess>,
    pub(super) guest_root: Option<PathBuf>,
    pub(super) guest_allowance: Allowance,
    pub(super) public_address: Option<PublicAddress>,
    pub(super) metadata_service: Option<String>,
    pub(super) certificate: Option<Spanned<PathBuf>>,
    pub(super) key: Option<Spanned<PathBuf>>,
    pub(super) min_version: Option<Spanned<TlsVersion>>,
    pub(super) session_reuse: Option<Spanned<SessionReuse>>,
    pub(super) failures: Option<u32>,
    pub(super) failure_delay: Option<Duration>,
    pub(super) failure_window: Option<Duration>,
    pub(super) lock: Option<Duration>,
    pub(super) exempt: Option<Vec<AddressRange>>,
    pub(super) sessions: Option<u32>,
    pub(super) sessions_per_address: Option<u32>,
    pub(super) data_ports_per_address: Option<u32>,
    pub(super) data_connect: Option<Duration>,
    pub(super) stall: Option<Duration>,
    pub(super) storage: Option<Duration>,
    pub(super) idle: Option<Duration>,
    pub(super) login: Option<Duration>,
    pub(super) shutdown: Option<Duration>,
    pub(super) durability: Option<Durability>,
    pub(super) log_level: Option<LevelFilter>,
    pub(super) log_format: Option<LogFormat>,
}

/// A listener, and where it stands.
#[derive(Debug, PartialEq)]
pub(super) struct FileListen {
    pub(super) spec: ListenSpec,
    pub(super) address: Range<usize>,
    /// Of `tls`, else of the address.
    pub(super) tls: Range<usize>,
    pub(super) uploads_without_close: UploadsWithoutClose,
}

/// Reads a file's text. Settings that are wrong are `None` and stand among the problems.
pub(super) fn parse(source: Source<'_>, problems: &mut Vec<Problem>) -> FileSettings {
    let table = parse_table(source, problems);
    let mut reader = Reader { source, problems };
    let mut settings = FileSettings::default();
    top(&mut reader, table, &mut settings);
    settings
}

fn top(reader: &mut Reader<'_>, table: DeTable<'_>, settings: &mut FileSettings) {
    let mut top = Section::new("", table);
    settings.root = top.take("root").and_then(|value| reader.string(&value, directory_path));
    settings.users = top.take("users").and_then(|value| reader.string(&value, |text| Ok(PathBuf::from(text))));
    settings.data_ports = top.take("data_ports").and_then(|value| reader.string(&value, PortRange::from_str));
    settings.updown_data_ports =
        top.take("updown_data_ports").and_then(|value| reader.string(&value, PortRange::from_str));
    settings.public_address =
        top.take("public_address").and_then(|value| reader.string(&value, PublicAddress::from_str));
    settings.metadata_service =
        top.take("metadata_service").and_then(|value| reader.string(&value, |text| Ok(text.to_owned())));
    settings.listen = top.take("listen").and_then(|value| reader.listeners(value));

    let mut guest = reader.section(&mut top, "guest");
    settings.guest = guest.take("access").and_then(|value| reader.string(&value, GuestAccess::parse));
    settings.guest_root = guest.take("root").and_then(|value| reader.string(&value, directory_path));
    settings.guest_allowance = reader.allowance(&mut guest);
    reader.finish(guest);

    let mut tls = reader.section(&mut top, "tls");
    settings.certificate = tls.take("certificate").and_then(|value| reader.spanned(&value, file_path));
    settings.key = tls.take("key").and_then(|value| reader.spanned(&value, file_path));
    settings.min_version = tls.take("min_version").and_then(|value| reader.spanned(&value, TlsVersion::parse));
    settings.session_reuse = tls.take("session_reuse").and_then(|value| reader.spanned(&value, SessionReuse::parse));
    reader.finish(tls);

    let mut logins = reader.section(&mut top, "logins");
    settings.failures = logins.take("failures").and_then(|value| reader.count(&value));
    settings.failure_delay = logins.take("delay").and_then(|value| reader.duration(&value));
    settings.failure_window = logins.take("window").and_then(|value| reader.duration(&value));
    settings.lock = logins.take("lock").and_then(|value| reader.duration(&value));
    settings.exempt = logins.take("exempt").and_then(|value| reader.addresses(&value));
    reader.finish(logins);

    let mut limits = reader.section(&mut top, "limits");
    settings.sessions = limits.take("sessions").and_then(|value| reader.count(&value));
    settings.sessions_per_address = limits.take("sessions_per_address").and_then(|value| reader.count(&value));
    settings.data_ports_per_address = limits.take("data_ports_per_address").and_then(|value| reader.count(&value));
    reader.finish(limits);

    let mut timeouts = reader.section(&mut top, "timeouts");
    settings.data_connect = timeouts.take("data_connect").and_then(|value| reader.duration(&value));
    settings.stall = timeouts.take("stall").and_then(|value| reader.duration(&value));
    settings.storage = timeouts.take("storage").and_then(|value| reader.duration(&value));
    settings.idle = timeouts.take("idle").and_then(|value| reader.duration(&value));
    settings.login = timeouts.take("login").and_then(|value| reader.duration(&value));
    settings.shutdown = timeouts.take("shutdown").and_then(|value| reader.duration(&value));
    reader.finish(timeouts);

    let mut files = reader.section(&mut top, "files");
    settings.durability = files.take("durability").and_then(|value| reader.string(&value, Durability::parse));
    reader.finish(files);

    let mut log = reader.section(&mut top, "log");
    settings.log_level = log.take("level").and_then(|value| reader.string(&value, LevelFilter::parse));
    settings.log_format = log.take("format").and_then(|value| reader.string(&value, LogFormat::parse));
    reader.finish(log);

    reader.finish(top);
}

impl Reader<'_> {
    /// `[[listen]]`, all of them; `None` when one of them is wrong.
    fn listeners(&mut self, value: Spanned<DeValue<'_>>) -> Option<Vec<FileListen>> {
        let span = value.span();
        let tables = match value.into_inner() {
            DeValue::Array(tables) if !tables.is_empty() => tables,
            _ => return self.refuse(span, "listeners are written as [[listen]], each with `dialect` and `address`"),
        };
        let specs: Vec<_> = tables.into_iter().map(|table| self.listener(table)).collect();
        specs.into_iter().collect()
    }

    fn listener(&mut self, value: Spanned<DeValue<'_>>) -> Option<FileListen> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            return self.refuse(span, "a listener is a table: [[listen]] with `dialect` and `address`");
        };
        let mut section = Section::new("listen", table);
        let (dialect, address, tls) = (section.take("dialect"), section.take("address"), section.take("tls"));
        let without_close = section.take("tls_uploads_without_close");
        self.finish(section);
        let (Some(dialect), Some(address)) = (&dialect, &address) else {
            return self.refuse(span, "a listener needs both `dialect` and `address`");
        };
        let address_span = address.span();
        let dialect = self.string(dialect, parse_dialect);
        let address = self.string(address, |text| Ok(text.to_owned()));
        let tls_span = tls.as_ref().map_or_else(|| address_span.clone(), Spanned::span);
        let uploads_without_close = match without_close {
            Some(value) if dialect.is_some_and(|dialect| dialect != Dialect::Ftp) => {
                let message = "`tls_uploads_without_close` is for listeners of ftp; the other dialects have no TLS";
                return self.refuse(value.span(), message);
            }
            Some(value) => self.string(&value, UploadsWithoutClose::parse)?,
            None => UploadsWithoutClose::default(),
        };
        let mode = match tls {
            Some(_) if dialect.is_some_and(|dialect| dialect != Dialect::Ftp) => {
                return self.refuse(tls_span, "`tls` is for listeners of ftp; the other dialects have no TLS");
            }
            Some(value) => Some(self.string(&value, TlsMode::parse)?),
            None => None,
        };
        let spec = ListenSpec { dialect: dialect?, address: address?, tls: mode };
        Some(FileListen { spec, address: address_span, tls: tls_span, uploads_without_close })
    }
}
