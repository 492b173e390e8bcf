//! What the server tells of itself: FEAT, OPTS, HELP, SITE HELP.

use crate::dialect::ftp::reply::FtpReply;
use crate::dialect::ftp::verbs::{VERBS, VerbRow};
use crate::representation::entry::FactSet;
use crate::server::core::Core;
use crate::server::io::{HashAlgorithm, TlsMode};
use crate::vocab::cause::Cause;

use super::{Ftp, say};

impl Ftp {
    /// RFC 2389 3.
    pub(super) fn features(&self, core: &mut Core) {
        let mut facts = Vec::new();
        self.facts.print_feature(&mut facts);
        let hashes = HashAlgorithm::ALL
            .map(|algorithm| format!("{}{}", algorithm.word(), if algorithm == self.hash { "*" } else { "" }));
        let mut lines = Vec::new();
        let security: &[&str] = if core.config.tls == TlsMode::Off { &[] } else { &["AUTH TLS", "PBSZ", "PROT"] };
        for feature in security.iter().chain(PLAIN_FEATURES) {
            lines.extend_from_slice(format!(" {feature}\r\n").as_bytes());
        }
        lines.extend_from_slice(format!(" HASH {}\r\n MLST ", hashes.join(";")).as_bytes());
        lines.extend_from_slice(&facts);
        lines.extend_from_slice(b"\r\n");
        say(core, FtpReply::Lines { code: 211, first: "Features", lines: &lines, last: "End" });
    }

    /// RFC 2389 4.
    pub(super) fn set_option(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        let argument = argument.trim_ascii();
        let blank = argument.iter().position(|&byte| byte == b' ').unwrap_or(argument.len());
        let (name, value) = (argument[..blank].to_ascii_uppercase(), argument[blank..].trim_ascii());
        match name.as_slice() {
            b"UTF8" | b"UTF-8" if value.eq_ignore_ascii_case(b"OFF") => return Err(Cause::BadParameter),
            b"UTF8" | b"UTF-8" => say(core, FtpReply::Done("Names are in UTF-8")),
            b"MLST" => {
                self.facts = FactSet::parse(value);
                let mut text = b"MLST OPTS ".to_vec();
                self.facts.print_selected(&mut text);
                say(core, FtpReply::Done(String::from_utf8_lossy(&text).trim_end()));
            }
            b"HASH" => {
                if !value.is_empty() {
                    let wanted = |algorithm: &HashAlgorithm| value.eq_ignore_ascii_case(algorithm.word().as_bytes());
                    self.hash = HashAlgorithm::ALL.into_iter().find(wanted).ok_or(Cause::BadParameter)?;
                }
                say(core, FtpReply::Done(self.hash.word()));
            }
            _ => return Err(Cause::BadArgument),
        }
        Ok(())
    }
}

pub(super) fn help(argument: &[u8], core: &mut Core) -> Result<(), Cause> {
    let word = argument.trim_ascii();
    if !word.is_empty() {
        let row = VerbRow::of_word(word).ok_or(Cause::BadParameter)?;
        let syntax = if row.syntax.is_empty() { row.word.to_owned() } else { format!("{} {}", row.word, row.syntax) };
        let line = format!(" {syntax}\r\n {}\r\n", row.meaning);
        say(core, FtpReply::Lines { code: 214, first: "Help", lines: line.as_bytes(), last: "End" });
        return Ok(());
    }
    let mut lines = Vec::new();
    let words: Vec<_> = VERBS.iter().map(|row| row.word).filter(|word| !word.contains(' ')).collect();
    for row in words.chunks(WORDS_PER_LINE) {
        for word in row {
            lines.extend_from_slice(format!(" {word:<7}").as_bytes());
        }
        let end = lines.trim_ascii_end().len();
        lines.truncate(end);
        lines.extend_from_slice(b"\r\n");
    }
    say(core, FtpReply::Lines { code: 214, first: "Commands", lines: &lines, last: "HELP and a verb tells more" });
    Ok(())
}

pub(super) fn site_help(core: &mut Core) {
    let mut lines = Vec::new();
    for row in VERBS {
        if let Some(word) = row.word.strip_prefix("SITE ") {
            lines.extend_from_slice(format!(" {}\r\n", format!("{word} {}", row.syntax).trim_end()).as_bytes());
        }
    }
    say(core, FtpReply::Lines { code: 214, first: "Commands of SITE", lines: &lines, last: "End" });
}

/// Those without a parameter that depends on the session.
const PLAIN_FEATURES: &[&str] = &[
    "AVBL",
    "CLNT",
    "EPRT",
    "EPSV",
    "HOST",
    "LANG EN*",
    "MDTM",
    "MFMT",
    "RANG STREAM",
    "REST STREAM",
    "SIZE",
    "TVFS",
    "UTF8",
    "XCRC",
    "XSHA256",
    "XSHA512",
];

const WORDS_PER_LINE: usize = 8;
