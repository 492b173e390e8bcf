//! Names that a server lists: printed as they come, or kept for completion.
//!
//! Invariant: what goes to a terminal is escaped; what goes anywhere else is as it came, but for the lines' ends.

use std::io::{self, IsTerminal, Write};

use muxftp_client::limits;
use muxftp_proto::Escaped;

/// Where the names go.
#[derive(Debug)]
pub(crate) enum Listing {
    /// To standard output.
    Print { pending: Vec<u8>, how: Printing },
    /// Into memory, as far as it is worth it.
    Collect { bytes: Vec<u8> },
}

/// What is done to lines on their way to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Printing {
    /// Nothing.
    AsTheyCome,
    /// They end as lines do here: those of `ftp` come with CR LF.
    LocalEnds,
    /// That too, and they cannot play with a terminal.
    Escaped,
}

impl Listing {
    /// For standard output; `has_network_ends`: the lines end in CR LF.
    pub(crate) fn print(has_network_ends: bool) -> Listing {
        let how = match (io::stdout().is_terminal(), has_network_ends) {
            (true, _) => Printing::Escaped,
            (false, true) => Printing::LocalEnds,
            (false, false) => Printing::AsTheyCome,
        };
        Listing::Print { pending: Vec::new(), how }
    }

    /// For completion.
    pub(crate) fn collect() -> Listing {
        Listing::Collect { bytes: Vec::new() }
    }

    /// Takes the next bytes.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Listing::Print { how: Printing::AsTheyCome, .. } => io::stdout().write_all(bytes),
            Listing::Print { pending, how } => {
                pending.extend_from_slice(bytes);
                print_lines(pending, *how, &mut io::stdout().lock())
            }
            Listing::Collect { bytes: kept } => {
                let room = limits::COLLECTED_BYTES_MAX.saturating_sub(kept.len());
                kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
                Ok(())
            }
        }
    }

    /// All bytes have come.
    ///
    /// # Errors
    /// Standard output does not take them.
    pub(crate) fn finish(self) -> io::Result<()> {
        if let Listing::Print { pending, how } = &self
            && !pending.is_empty()
        {
            print_line(pending, *how, &mut io::stdout().lock())?;
        }
        io::stdout().flush()
    }

    /// Whether more came than is kept.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(self, Listing::Collect { bytes } if bytes.len() >= limits::COLLECTED_BYTES_MAX)
    }

    /// Whether the last line has its end.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Listing::Collect { bytes } if bytes.last().is_none_or(|&last| last == b'\n'))
    }

    /// The lines that were collected, without their ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = match self {
            Listing::Print { pending, .. } => pending,
            Listing::Collect { bytes } => bytes,
        };
        lines(bytes)
    }

    /// Those that are text.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.lines().filter_map(|line| str::from_utf8(line).ok())
    }
}

/// Prints and removes the lines that are whole; one that is longer than any name is printed in parts.
fn print_lines(pending: &mut Vec<u8>, how: Printing, out: &mut impl Write) -> io::Result<()> {
    let whole = match pending.iter().rposition(|&byte| byte == b'\n') {
        Some(end) => end + 1,
        None if pending.len() > limits::LISTED_LINE_BYTES_MAX => pending.len(),
        None => return Ok(()),
    };
    for line in lines(&pending[..whole]) {
        print_line(line, how, out)?;
    }
    pending.drain(..whole);
    Ok(())
}

fn print_line(line: &[u8], how: Printing, out: &mut impl Write) -> io::Result<()> {
    match how {
        Printing::Escaped => writeln!(out, "{}", Escaped(line)),
        Printing::AsTheyCome | Printing::LocalEnds => out.write_all(line).and_then(|()| out.write_all(b"\n")),
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(how: Printing, parts: &[&[u8]]) -> (String, Vec<u8>) {
        let (mut pending, mut out) = (Vec::new(), Vec::new());
        for part in parts {
            pending.extend_from_slice(part);
            print_lines(&mut pending, how, &mut out).unwrap();
        }
        (String::from_utf8(out).unwrap(), pending)
    }

    #[test]
    fn lines_are_printed_whole_and_escaped_wherever_they_are_cut() {
        let text = b"a\r\n\x1b[2Jb\nc";
        for cut in 0..text.len() {
            let parts = [&text[..cut], &text[cut..]];
            let (out, rest) = printed(Printing::Escaped, &parts);
            assert_eq!((out.as_str(), rest.as_slice()), ("a\n\\u{1b}[2Jb\n", &b"c"[..]), "cut at {cut}");
            let (out, _) = printed(Printing::LocalEnds, &parts);
            assert_eq!(out, "a\n\x1b[2Jb\n", "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let (_, rest) = printed(Printing::Escaped, &[&vec![b'x'; limits::LISTED_LINE_BYTES_MAX + 1]]);
        assert!(rest.is_empty());
    }

    #[test]
    fn what_is_collected_is_bounded() {
        let mut listing = Listing::collect();
        for _ in 0..10 {
            listing.receive(&vec![b'x'; 1 << 20]).unwrap();
        }
        assert_eq!(listing.names().map(str::len).sum::<usize>(), limits::COLLECTED_BYTES_MAX);
    }
}
