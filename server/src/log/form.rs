//! What lines look like, as text and as JSON.
//!
//! Nothing that a peer sends can end a line, look like a field of ours, or move the cursor of a terminal: see [`Shown`].

use std::fmt;

use muxftp_proto::Escaped;
use tracing::Subscriber;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use super::queue::{Queue, ToQueue};
use crate::config::Log;
use crate::limits;

/// Bytes of a peer (or of a file) as the value of a field: cut, and without control characters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    bytes: &'a [u8],
    /// So many bytes are shown.
    most: usize,
}

impl<'a> Shown<'a> {
    /// A name, or a text.
    pub(crate) fn new(bytes: &'a [u8]) -> Shown<'a> {
        Shown { bytes, most: limits::LOG_VALUE_BYTES }
    }

    /// A path, or several lines of a text.
    pub(crate) fn long(bytes: &'a [u8]) -> Shown<'a> {
        Shown { bytes, most: limits::LOG_PATH_BYTES }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bytes.len() <= self.most {
            return Escaped(self.bytes).fmt(f);
        }
        let mut end = self.most;
        // Not in the middle of a character, which would then be shown as bytes.
        while end > self.most.saturating_sub(3) && self.bytes[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        write!(f, "{}\u{2026}({} bytes)", Escaped(&self.bytes[..end]), self.bytes.len())
    }
}

/// `2026-11-21T01:02:03.456789Z  INFO transfer session=7 peer=127.0.0.1:40112 verb=GET path="my notes.txt" ...`
pub(super) fn text(config: Log, queue: &'static Queue) -> impl Subscriber + Send + Sync {
    let fields = debug_fn(|writer, field, value: &dyn fmt::Debug| match field.name() {
        "message" => fmt::Write::write_fmt(&mut OneLine(writer), format_args!("{value:?}")),
        name => {
            write!(writer, "{name}=")?;
            match QUOTED.contains(&name) || !is_a_word(value) {
                true => quote(writer, value),
                false => write!(writer, "{value:?}"),
            }
        }
    });
    builder(config).with_ansi(false).fmt_fields(fields.delimited(" ")).with_writer(ToQueue(queue)).finish()
}

pub(super) fn json(config: Log, queue: &'static Queue) -> impl Subscriber + Send + Sync {
    builder(config).json().flatten_event(true).with_writer(ToQueue(queue)).finish()
}

fn builder(
    config: Log,
) -> SubscriberBuilder<
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    tracing::level_filters::LevelFilter,
> {
    tracing_subscriber::fmt().with_max_level(config.level).with_target(false).log_internal_errors(false)
}

/// Whether a value can be told from further fields without quotes. A string of ours comes with its own.
fn is_a_word(value: &dyn fmt::Debug) -> bool {
    let mut looked_at = Word::default();
    let all_safe = fmt::Write::write_fmt(&mut looked_at, format_args!("{value:?}")).is_ok();
    all_safe && !looked_at.is_empty || looked_at.starts_with_quote
}

fn quote(writer: &mut Writer<'_>, value: &dyn fmt::Debug) -> fmt::Result {
    writer.write_char('"')?;
    fmt::Write::write_fmt(&mut QuotesEscaped(writer), format_args!("{value:?}"))?;
    writer.write_char('"')
}

/// Looks at text piece by piece; an error at the first character that needs quotes.
struct Word {
    is_empty: bool,
    starts_with_quote: bool,
}

impl Default for Word {
    fn default() -> Word {
        Word { is_empty: true, starts_with_quote: false }
    }
}

impl fmt::Write for Word {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_empty {
            self.starts_with_quote = text.starts_with('"');
        }
        self.is_empty &= text.is_empty();
        let is_safe = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\');
        if text.bytes().all(is_safe) { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Passes text on with `"` as `\"` and without control characters. Backslashes stay: [`Shown`] has doubled them.
struct QuotesEscaped<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for QuotesEscaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (index, piece) in text.split('"').enumerate() {
            if index > 0 {
                self.0.write_str("\\\"")?;
            }
            match piece.contains(char::is_control) {
                true => write!(self.0, "{}", Escaped(piece.as_bytes()))?,
                false => self.0.write_str(piece)?,
            }
        }
        Ok(())
    }
}

/// Passes text on without control characters: a message may name a file.
struct OneLine<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write!(self.0, "{}", Escaped(text.as_bytes()))
    }
}

/// Fields whose words are somebody else's: in quotes whatever they hold, so that a pattern over the log can rely on it.
const QUOTED: [&str; 3] = ["path", "user", "error"];
