//! Everything that can go wrong for a person at the client, with its words and its exit code.
//!
//! It must not know how it came to it. Bytes of a server are shown escaped, so that they cannot play with a terminal.

use std::fmt;
use std::io;

use muxftp_proto::Escaped;
use rustix::process::Signal;

/// Why a command did not do what it was to do.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The command line, or a line at the prompt, is wrong.
    Usage(String),
    /// The server said no; the session goes on.
    Refused {
        /// What was asked for, escaped.
        what: String,
        code: u16,
        text: Vec<u8>,
    },
    /// No control connection.
    CannotConnect { server: String, reason: String },
    /// The session or the transfer broke.
    Broken { what: String, reason: String },
    /// A file or directory of this machine.
    Local { what: String, error: io::Error },
    /// Whoever reads our output has enough.
    OutputClosed,
    /// A signal ended it.
    Interrupted(i32),
    /// Parts of a command failed and were reported; the code of the first.
    Reported(u8),
}

impl Trouble {
    /// For a file or directory of this machine.
    pub(crate) fn local(doing: &str, name: impl fmt::Display, error: io::Error) -> Trouble {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Trouble::OutputClosed;
        }
        Trouble::Local { what: format!("{doing} {name}"), error }
    }

    /// The program's exit code, see [`crate::args::AFTER_HELP`].
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Trouble::OutputClosed => 0,
            Trouble::Refused { .. } => 1,
            Trouble::Usage(_) => 2,
            Trouble::CannotConnect { .. } => 3,
            Trouble::Broken { .. } => 4,
            Trouble::Local { .. } => 5,
            Trouble::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            Trouble::Reported(code) => *code,
        }
    }

    /// Whether a person or the system asked for the end.
    pub(crate) fn is_interruption(&self) -> bool {
        matches!(self, Trouble::Interrupted(_))
    }

    /// Whether the next command of a list still makes sense: not without a server, and not with a full disk.
    pub(crate) fn spares_the_rest(&self) -> bool {
        match self {
            Trouble::Local { error, .. } => !matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
            ),
            Trouble::Refused { .. } | Trouble::Broken { .. } | Trouble::Usage(_) => true,
            Trouble::CannotConnect { .. } | Trouble::OutputClosed | Trouble::Interrupted(_) | Trouble::Reported(_) => {
                false
            }
        }
    }
}

impl fmt::Display for Trouble {
    /// Empty when there is nothing to say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Usage(text) => f.write_str(text),
            Trouble::Refused { what, code: 0, text } => write!(f, "{what}: the server says no: {}", Escaped(text)),
            Trouble::Refused { what, code, text } => {
                write!(f, "{what}: the server says no: {code} {}", Escaped(text))
            }
            Trouble::CannotConnect { server, reason } => write!(f, "cannot connect to {server}: {reason}"),
            Trouble::Broken { what, reason } => write!(f, "{what}: {reason}"),
            Trouble::Local { what, error } => write!(f, "cannot {what}: {}", words(error)),
            Trouble::Interrupted(signal) if *signal == Signal::INT.as_raw() => f.write_str("interrupted"),
            Trouble::Interrupted(signal) => write!(f, "ended by signal {signal}"),
            Trouble::OutputClosed | Trouble::Reported(_) => Ok(()),
        }
    }
}

/// Said behind a trouble that does not [spare the rest](Trouble::spares_the_rest), when there is one.
pub(crate) fn report_rest_left() {
    eprintln!("muxftp: note: the rest is not tried, since it would fail the same way");
}

/// The system's words for an error, without its number.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_cannot_play_with_the_terminal() {
        let refused = Trouble::Refused { what: "GET x".into(), code: 550, text: b"\x1b[2Jno".to_vec() };
        assert_eq!(refused.to_string(), "GET x: the server says no: 550 \\u{1b}[2Jno");
    }

    #[test]
    fn a_closed_output_is_no_error() {
        let error = io::ErrorKind::BrokenPipe.into();
        let trouble = Trouble::local("write to", "standard output", error);
        assert_eq!((trouble.exit_code(), trouble.to_string().as_str()), (0, ""));
    }

    #[test]
    fn the_systems_words_come_without_their_number() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(words(&error), "No such file or directory");
        let trouble = Trouble::local("read", "x", error);
        assert_eq!(trouble.to_string(), "cannot read x: No such file or directory");
        assert_eq!(trouble.exit_code(), 5);
    }

    #[test]
    fn a_signal_is_in_the_exit_code() {
        assert_eq!(Trouble::Interrupted(Signal::INT.as_raw()).exit_code(), 130);
        assert_eq!(Trouble::Interrupted(Signal::TERM.as_raw()).exit_code(), 143);
    }
}
