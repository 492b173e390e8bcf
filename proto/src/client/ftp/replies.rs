//! The replies that each command can have.
//!
//! A reply that its command cannot have belongs to another command: from then on no reply can be attributed, so the
//! session ends. The numbers are those of RFC 959 5.4, RFC 1123, 2228, 2389, 2428, 3659 and 4217, and those that servers
//! in use give in their place (200 for 250, 250 for 257, 334 for 234). Words never count.
//!
//! It must not know the session, nor values in replies.

/// What may come back for one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fitting {
    /// A person's line with a verb that is not in the table.
    Any,
    /// One of these, or a refusal.
    These(&'static [u16], Kind),
}

/// What a command has to do with data connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: 1xx, 425 and 426 belong to another command.
    Plain,
    /// Nothing, and no file either: refusals that are about a file (RFC 959 4.2: x5z) belong to another command.
    Session,
    /// It agrees on one: 425 is possible.
    Port,
    /// It uses one: 1xx, 425 and 426 are possible.
    Data,
}

impl Fitting {
    /// Of the greeting (120: ready later).
    pub(super) const GREETING: Fitting = Fitting::These(&[120, 220], Kind::Plain);

    /// Of a command line.
    pub(super) fn of(line: &[u8]) -> Fitting {
        let word = line.split(|&byte| byte == b' ').next().unwrap_or_default();
        let row =
            REPLIES.iter().find(|(words, ..)| words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())));
        row.map_or(Fitting::Any, |&(_, positive, kind)| Fitting::These(positive, kind))
    }

    /// Whether this reply can belong to the command.
    pub(super) fn allows(self, code: u16) -> bool {
        let Fitting::These(positive, kind) = self else { return true };
        match code {
            DATA_CONNECTION_FAILED => matches!(kind, Kind::Port | Kind::Data),
            TRANSFER_ABORTED => kind == Kind::Data,
            100..=199 => kind == Kind::Data || positive.contains(&code),
            200..=399 => positive.contains(&code),
            450..=459 | 550..=559 => kind != Kind::Session,
            _ => true,
        }
    }
}

/// RFC 959 5.4: of a data connection that cannot be made, and of one that broke.
const DATA_CONNECTION_FAILED: u16 = 425;
const TRANSFER_ABORTED: u16 = 426;

type Row = (&'static [&'static str], &'static [u16], Kind);

/// Verbs, and their replies that are no refusals. Any refusal is taken for one: servers choose its number freely.
#[rustfmt::skip]
const REPLIES: &[Row] = &[
    // RFC 959; 232 and 234 are RFC 2228's.
    (&["USER"], &[230, 232, 331, 332], Kind::Plain),
    (&["PASS"], &[202, 230, 232, 332], Kind::Plain),
    (&["ACCT"], &[202, 230], Kind::Plain),
    (&["TYPE", "MODE", "STRU", "NOOP"], &[200], Kind::Session),
    (&["QUIT"], &[221], Kind::Session),
    (&["CWD", "XCWD", "CDUP", "XCUP"], &[200, 250], Kind::Plain),
    (&["DELE", "RMD", "XRMD", "RNTO"], &[200, 250], Kind::Plain),
    (&["MKD", "XMKD"], &[250, 257], Kind::Plain),
    (&["PWD", "XPWD"], &[257], Kind::Plain),
    (&["RNFR", "REST"], &[350], Kind::Plain),
    (&["SITE"], &[200, 202, 211, 214, 250], Kind::Plain),
    (&["SYST"], &[215], Kind::Plain),
    (&["STAT"], &[211, 212, 213], Kind::Plain),
    (&["HELP"], &[211, 214], Kind::Plain),
    (&["PASV"], &[227], Kind::Port),
    (&["PORT"], &[200], Kind::Port),
    (&["RETR", "STOR", "STOU", "APPE", "LIST", "NLST"], &[226, 250], Kind::Data),
    // RFC 2428.
    (&["EPSV"], &[229], Kind::Port),
    (&["EPRT"], &[200], Kind::Port),
    // RFC 2389.
    (&["FEAT"], &[211], Kind::Plain),
    (&["OPTS"], &[200, 202], Kind::Plain),
    // RFC 3659 and draft-somers-ftp-mfxx.
    (&["SIZE", "MDTM"], &[213], Kind::Plain),
    (&["MLST"], &[250], Kind::Plain),
    (&["MLSD"], &[226, 250], Kind::Data),
    (&["MFMT"], &[200, 213, 250], Kind::Plain),
    // RFC 2228 and 4217.
    (&["AUTH"], &[234, 334], Kind::Plain),
    (&["PBSZ", "PROT", "CCC"], &[200], Kind::Plain),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_held_against_its_command() {
        for (line, right, wrong) in [
            ("SIZE a", &[213, 550, 421, 502][..], &[200, 226, 229, 250, 257, 331, 350, 150, 425, 426][..]),
            ("dele b", &[250, 200, 450, 550], &[213, 221, 226, 227, 230, 257, 350, 150, 426]),
            ("MKD d", &[257, 250, 521, 550], &[200, 213, 226]),
            ("EPSV", &[229, 425, 500, 522], &[200, 227, 213, 426, 150]),
            ("RETR a", &[110, 125, 150, 226, 250, 425, 426, 451, 550], &[200, 213, 221, 225, 350]),
            ("QUIT", &[221, 500], &[200, 226, 250, 331, 550, 450]),
            ("TYPE I", &[200, 504, 530], &[220, 226, 229, 550]),
            ("SITE CHMOD 644 a", &[200, 250, 202, 500], &[226, 213, 257]),
            ("AUTH TLS", &[234, 334, 502, 534], &[200, 220, 230]),
            ("XSHA256 a", &[150, 250, 213, 226], &[]),
        ] {
            let fitting = Fitting::of(line.as_bytes());
            for code in right {
                assert!(fitting.allows(*code), "{line}: {code}");
            }
            for code in wrong {
                assert!(!fitting.allows(*code), "{line}: {code}");
            }
        }
        assert!(Fitting::GREETING.allows(120) && Fitting::GREETING.allows(220) && !Fitting::GREETING.allows(230));
    }

    #[test]
    fn each_verb_has_one_row() {
        let mut words: Vec<_> = REPLIES.iter().flat_map(|(words, ..)| *words).collect();
        let count = words.len();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), count);
    }
}
