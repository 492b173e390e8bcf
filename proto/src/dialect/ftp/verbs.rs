//! The table of the verbs of `ftp`: what each needs, where it comes from, how it is written.
//!
//! Whatever is said of a verb in general is said here, and only here: the server's session reads it before it looks at a
//! command, `HELP` and `FEAT` are printed from it, `docs/rfc.md` is checked against it.

use crate::dialect::foreign::is_foreign;
use crate::vocab::cause::Cause;
use crate::vocab::permission::Permission;

/// A command of `ftp`. Those after SITE are written as its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the verb of its name; the table says what it does")]
pub enum Verb {
    User,
    Pass,
    Acct,
    Cwd,
    Cdup,
    Smnt,
    Rein,
    Quit,
    Port,
    Pasv,
    Type,
    Stru,
    Mode,
    Retr,
    Stor,
    Stou,
    Appe,
    Allo,
    Rest,
    Rnfr,
    Rnto,
    Abor,
    Dele,
    Rmd,
    Mkd,
    Pwd,
    List,
    Nlst,
    Site,
    SiteChmod,
    SiteUtime,
    SiteHelp,
    Syst,
    Stat,
    Help,
    Noop,
    Feat,
    Opts,
    Lang,
    Eprt,
    Epsv,
    Mdtm,
    Size,
    Mlst,
    Mlsd,
    Host,
    Mfmt,
    Hash,
    Rang,
    Xcrc,
    Xsha256,
    Xsha512,
    Avbl,
    Clnt,
    Auth,
    Pbsz,
    Prot,
    Ccc,
}

/// Whether something follows the verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// Nothing may.
    None,
    /// Something may.
    Optional,
    /// Something must.
    Required,
}

/// What is said of one verb.
#[derive(Debug, Clone, Copy)]
pub struct VerbRow {
    /// The verb.
    pub verb: Verb,
    /// As it is written; two words after SITE.
    pub word: &'static str,
    /// Another way to write it: the X forms of RFC 1123.
    pub alias: Option<&'static str>,
    /// Whether something follows.
    pub argument: Argument,
    /// Only after a login.
    pub login: bool,
    /// Answered at once while a transfer runs; the others wait for its end.
    pub in_transfer: bool,
    /// The right that the account must have; for an optional path (STAT), only when it is given.
    pub permission: Option<Permission>,
    /// Where it is defined.
    pub rfc: &'static str,
    /// Its arguments, for people.
    pub syntax: &'static str,
    /// What it does, for people.
    pub meaning: &'static str,
}

/// All verbs, in the order of their definition.
#[rustfmt::skip]
pub const VERBS: &[VerbRow] = &[
    // verb, word, argument, login, in transfer, permission, RFC, syntax, meaning
    row(Verb::User, "USER", Argument::Required, OPEN, WAITS, None, "959 4.1.1", "name", "Names the user"),
    row(Verb::Pass, "PASS", Argument::Optional, OPEN, WAITS, None, "959 4.1.1", "password", "Gives the user's password"),
    row(Verb::Acct, "ACCT", Argument::Required, OPEN, WAITS, None, "959 4.1.1", "account", "Is not needed here"),
    row(Verb::Cwd, "CWD", Argument::Required, LOGIN, WAITS, None, "959 4.1.1", "directory", "Goes to a directory").or("XCWD"),
    row(Verb::Cdup, "CDUP", Argument::None, LOGIN, WAITS, None, "959 4.1.1", "", "Goes to the directory above").or("XCUP"),
    row(Verb::Smnt, "SMNT", Argument::Required, LOGIN, WAITS, None, "959 4.1.1", "path", "Is not offered"),
    row(Verb::Rein, "REIN", Argument::None, OPEN, WAITS, None, "959 4.1.1", "", "Begins the session anew"),
    row(Verb::Quit, "QUIT", Argument::None, OPEN, WAITS, None, "959 4.1.1", "", "Ends the session, after a running transfer"),
    row(Verb::Port, "PORT", Argument::Required, LOGIN, WAITS, None, "959 4.1.2", "h1,h2,h3,h4,p1,p2", "The server is to connect there"),
    row(Verb::Pasv, "PASV", Argument::None, LOGIN, WAITS, None, "959 4.1.2", "", "The client will connect (IPv4)"),
    row(Verb::Type, "TYPE", Argument::Required, LOGIN, WAITS, None, "959 4.1.2", "A | I | L 8", "Sets the representation of files"),
    row(Verb::Stru, "STRU", Argument::Required, LOGIN, WAITS, None, "959 4.1.2", "F", "Sets the structure of files"),
    row(Verb::Mode, "MODE", Argument::Required, LOGIN, WAITS, None, "959 4.1.2", "S", "Sets the transfer mode"),
    row(Verb::Retr, "RETR", Argument::Required, LOGIN, WAITS, Some(Permission::Read), "959 4.1.3", "file", "Sends a file"),
    row(Verb::Stor, "STOR", Argument::Required, LOGIN, WAITS, Some(Permission::Write), "959 4.1.3", "file", "Takes a file"),
    row(Verb::Stou, "STOU", Argument::Optional, LOGIN, WAITS, Some(Permission::Write), "959 4.1.3, 1123 4.1.2.9", "[name]", "Takes a file under a new name"),
    row(Verb::Appe, "APPE", Argument::Required, LOGIN, WAITS, Some(Permission::Append), "959 4.1.3", "file", "Adds to the end of a file"),
    row(Verb::Allo, "ALLO", Argument::Required, LOGIN, WAITS, None, "959 4.1.3", "bytes", "Asks whether there is room"),
    row(Verb::Rest, "REST", Argument::Required, LOGIN, WAITS, None, "959 4.1.3, 3659 5", "position", "Where the next transfer begins"),
    row(Verb::Rnfr, "RNFR", Argument::Required, LOGIN, WAITS, Some(Permission::Rename), "959 4.1.3", "path", "Names what is to be renamed"),
    row(Verb::Rnto, "RNTO", Argument::Required, LOGIN, WAITS, Some(Permission::Rename), "959 4.1.3", "path", "Renames it"),
    row(Verb::Abor, "ABOR", Argument::None, LOGIN, AT_ONCE, None, "959 4.1.3", "", "Ends the running transfer"),
    row(Verb::Dele, "DELE", Argument::Required, LOGIN, WAITS, Some(Permission::Delete), "959 4.1.3", "file", "Removes a file"),
    row(Verb::Rmd, "RMD", Argument::Required, LOGIN, WAITS, Some(Permission::Delete), "959 4.1.3", "directory", "Removes an empty directory").or("XRMD"),
    row(Verb::Mkd, "MKD", Argument::Required, LOGIN, WAITS, Some(Permission::Mkdir), "959 4.1.3", "directory", "Makes a directory").or("XMKD"),
    row(Verb::Pwd, "PWD", Argument::None, LOGIN, WAITS, None, "959 4.1.3", "", "Tells the working directory").or("XPWD"),
    row(Verb::List, "LIST", Argument::Optional, LOGIN, WAITS, Some(Permission::List), "959 4.1.3", "[path | pattern]", "Sends lines as of ls -l"),
    row(Verb::Nlst, "NLST", Argument::Optional, LOGIN, WAITS, Some(Permission::List), "959 4.1.3", "[path | pattern]", "Sends names"),
    row(Verb::Site, "SITE", Argument::Required, LOGIN, WAITS, None, "959 4.1.3", "command", "See SITE HELP"),
    row(Verb::SiteChmod, "SITE CHMOD", Argument::Required, LOGIN, WAITS, Some(Permission::Write), "-", "mode path", "Sets permission bits"),
    row(Verb::SiteUtime, "SITE UTIME", Argument::Required, LOGIN, WAITS, Some(Permission::Write), "-", "time path | path time time time UTC", "Sets the time of change"),
    row(Verb::SiteHelp, "SITE HELP", Argument::None, LOGIN, WAITS, None, "-", "", "Tells the commands of SITE"),
    row(Verb::Syst, "SYST", Argument::None, OPEN, WAITS, None, "959 4.1.3", "", "Tells the kind of system"),
    row(Verb::Stat, "STAT", Argument::Optional, OPEN, AT_ONCE, Some(Permission::List), "959 4.1.3", "[path]", "Tells the state, or lists on the control connection"),
    row(Verb::Help, "HELP", Argument::Optional, OPEN, WAITS, None, "959 4.1.3", "[verb]", "Tells the commands"),
    row(Verb::Noop, "NOOP", Argument::None, OPEN, AT_ONCE, None, "959 4.1.3", "", "Does nothing"),
    row(Verb::Feat, "FEAT", Argument::None, OPEN, WAITS, None, "2389 3", "", "Tells the extensions"),
    row(Verb::Opts, "OPTS", Argument::Required, OPEN, WAITS, None, "2389 4", "UTF8 ON | MLST facts | HASH [name]", "Sets an option of an extension"),
    row(Verb::Lang, "LANG", Argument::Optional, OPEN, WAITS, None, "2640 4", "[EN]", "Sets the language of replies"),
    row(Verb::Eprt, "EPRT", Argument::Required, LOGIN, WAITS, None, "2428 2", "|family|address|port|", "The server is to connect there"),
    row(Verb::Epsv, "EPSV", Argument::Optional, LOGIN, WAITS, None, "2428 3", "[1 | 2 | ALL]", "The client will connect"),
    row(Verb::Mdtm, "MDTM", Argument::Required, LOGIN, WAITS, Some(Permission::List), "3659 3", "path", "Tells the time of change"),
    row(Verb::Size, "SIZE", Argument::Required, LOGIN, WAITS, Some(Permission::List), "3659 4", "file", "Tells how many bytes RETR would send"),
    row(Verb::Mlst, "MLST", Argument::Optional, LOGIN, WAITS, Some(Permission::List), "3659 7", "[path]", "Tells the facts of one name"),
    row(Verb::Mlsd, "MLSD", Argument::Optional, LOGIN, WAITS, Some(Permission::List), "3659 7", "[directory]", "Sends the facts of all names in a directory"),
    row(Verb::Host, "HOST", Argument::Required, OPEN, WAITS, None, "7151 3", "name", "Names the server that is meant"),
    row(Verb::Mfmt, "MFMT", Argument::Required, LOGIN, WAITS, Some(Permission::Write), "draft-somers-ftp-mfxx", "time path", "Sets the time of change"),
    row(Verb::Hash, "HASH", Argument::Required, LOGIN, WAITS, Some(Permission::Read), "draft-bryan-ftpext-hash", "file", "Tells the hash of a file, or of the range of RANG"),
    row(Verb::Rang, "RANG", Argument::Required, LOGIN, WAITS, None, "draft-bryan-ftp-range", "first last", "Which bytes the next RETR or HASH is about"),
    row(Verb::Xcrc, "XCRC", Argument::Required, LOGIN, WAITS, Some(Permission::Read), "-", "file [first last]", "Tells the CRC32 of a file"),
    row(Verb::Xsha256, "XSHA256", Argument::Required, LOGIN, WAITS, Some(Permission::Read), "-", "file [first last]", "Tells the SHA-256 of a file"),
    row(Verb::Xsha512, "XSHA512", Argument::Required, LOGIN, WAITS, Some(Permission::Read), "-", "file [first last]", "Tells the SHA-512 of a file"),
    row(Verb::Avbl, "AVBL", Argument::Optional, LOGIN, WAITS, Some(Permission::List), "draft-peterson-streamlined-ftp", "[directory]", "Tells how many bytes there is room for"),
    row(Verb::Auth, "AUTH", Argument::Required, OPEN, WAITS, None, "4217 4", "TLS", "Encrypts the control connection"),
    row(Verb::Pbsz, "PBSZ", Argument::Required, OPEN, WAITS, None, "4217 8", "0", "Comes before PROT"),
    row(Verb::Prot, "PROT", Argument::Required, OPEN, WAITS, None, "4217 9", "P | C", "Encrypts data connections, or does not"),
    row(Verb::Ccc, "CCC", Argument::None, OPEN, WAITS, None, "4217 6", "", "Is not offered: it would end the encryption"),
    row(Verb::Clnt, "CLNT", Argument::Required, OPEN, WAITS, None, "-", "name", "Names the client's program"),
];

impl VerbRow {
    const fn or(mut self, alias: &'static str) -> VerbRow {
        self.alias = Some(alias);
        self
    }

    /// The row of a verb.
    pub(crate) fn of_verb(verb: Verb) -> &'static VerbRow {
        VERBS.iter().find(|row| row.verb == verb).expect("a test finds a row for each verb")
    }

    /// The verb that is written so, without regard to case.
    pub fn of_word(word: &[u8]) -> Option<&'static VerbRow> {
        VERBS.iter().find(|row| row.is_written(word))
    }

    fn is_written(&self, word: &[u8]) -> bool {
        let is = |name: &str| name.as_bytes().eq_ignore_ascii_case(word);
        is(self.word) || self.alias.is_some_and(is)
    }
}

/// Cuts a command line into its verb and the argument.
///
/// One blank stands between them: a second one belongs to the argument, since names may begin with one. The command of
/// SITE is a verb of its own.
///
/// # Errors
/// [`Cause::UnknownCommand`], [`Cause::OtherDialect`] for the verbs of `simple` and `updown`, or [`Cause::NotFtp`] for
/// what other protocols begin with.
pub fn parse_line(line: &[u8]) -> Result<(&'static VerbRow, &[u8]), Cause> {
    let line = line.trim_ascii_start();
    let (word, argument) = cut(line);
    match VerbRow::of_word(word) {
        Some(row) if row.verb == Verb::Site => {
            let (word, rest) = cut(argument.trim_ascii_start());
            let full = [b"SITE ", word].concat();
            Ok(VerbRow::of_word(&full).map_or((row, argument), |site| (site, rest)))
        }
        Some(row) => Ok((row, argument)),
        None if FOREIGN.iter().any(|foreign| word == foreign.as_bytes()) || is_foreign(line) => Err(Cause::NotFtp),
        None if is_of_another_dialect(word) => Err(Cause::OtherDialect),
        None => Err(Cause::UnknownCommand),
    }
}

fn is_of_another_dialect(word: &[u8]) -> bool {
    ["LS", "EXIT", "UPLOAD", "DOWNLOAD", "READY"].iter().any(|verb| word.eq_ignore_ascii_case(verb.as_bytes()))
}

fn cut(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == b' ') {
        Some(blank) => (&text[..blank], &text[blank + 1..]),
        None => (text, b""),
    }
}

#[allow(clippy::too_many_arguments, reason = "the columns of a table")]
const fn row(
    verb: Verb,
    word: &'static str,
    argument: Argument,
    login: bool,
    in_transfer: bool,
    permission: Option<Permission>,
    rfc: &'static str,
    syntax: &'static str,
    meaning: &'static str,
) -> VerbRow {
    VerbRow { verb, word, alias: None, argument, login, in_transfer, permission, rfc, syntax, meaning }
}

const OPEN: bool = false;
const LOGIN: bool = true;
const WAITS: bool = false;
const AT_ONCE: bool = true;

/// How browsers and mail clients begin, even without the rest that [`is_foreign`] looks for: such a connection ends at its
/// first line.
const FOREIGN: &[&str] =
    &["GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "DELETE", "CONNECT", "TRACE", "EHLO", "HELO"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_has_one_row_and_one_word() {
        for (index, row) in VERBS.iter().enumerate() {
            assert_eq!(VERBS.iter().position(|other| other.verb == row.verb), Some(index), "{row:?}");
            for word in [Some(row.word), row.alias].into_iter().flatten() {
                assert_eq!(VERBS.iter().filter(|other| other.is_written(word.as_bytes())).count(), 1, "{word}");
            }
            assert_eq!(row.syntax.is_empty(), row.argument == Argument::None, "{row:?}");
            assert!(row.permission.is_none() || row.login || row.verb == Verb::Stat, "{row:?}");
        }
    }

    #[test]
    fn lines_are_cut_into_verb_and_argument() {
        let table = [
            ("RETR a", Ok((Verb::Retr, "a"))),
            ("retr  a ", Ok((Verb::Retr, " a "))),
            ("  NOOP", Ok((Verb::Noop, ""))),
            ("XPWD", Ok((Verb::Pwd, ""))),
            ("SITE CHMOD 644 a b", Ok((Verb::SiteChmod, "644 a b"))),
            ("site help", Ok((Verb::SiteHelp, ""))),
            ("SITE EXEC x", Ok((Verb::Site, "EXEC x"))),
            ("SITE", Ok((Verb::Site, ""))),
            ("", Err(Cause::UnknownCommand)),
            ("RETRa", Err(Cause::UnknownCommand)),
            ("GET / HTTP/1.1", Err(Cause::NotFtp)),
            ("EHLO mail", Err(Cause::NotFtp)),
            ("propfind / http/1.1", Err(Cause::NotFtp)),
            ("Host: localhost:2121", Err(Cause::NotFtp)),
            ("RETR x HTTP/1.1", Ok((Verb::Retr, "x HTTP/1.1"))),
            ("CWD Host: x", Ok((Verb::Cwd, "Host: x"))),
            ("ls photos", Err(Cause::OtherDialect)),
            ("UPLOAD a 7", Err(Cause::OtherDialect)),
        ];
        for (line, expected) in table {
            let cut = parse_line(line.as_bytes()).map(|(row, argument)| (row.verb, argument));
            assert_eq!(cut, expected.map(|(verb, argument): (_, &str)| (verb, argument.as_bytes())), "{line:?}");
        }
    }
}
