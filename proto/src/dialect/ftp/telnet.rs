//! The Telnet commands in a control connection (RFC 959 4.1, RFC 854): dropped, wherever the pieces are cut.
//!
//! Clients send them before ABOR, partly as urgent data: IAC IP, IAC DM. A doubled IAC is the byte 255; before anything
//! that is no command it stands for itself, since some clients send names in Latin-1 without doubling it.

/// Where in a Telnet command the last piece has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TelnetFilter {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    /// IAC.
    Command,
    /// IAC and WILL, WONT, DO or DONT.
    Option,
    /// IAC IP: the DM of a Synch may have lost its IAC to the urgent pointer.
    Interrupted,
}

impl TelnetFilter {
    /// Whether all of `input` is text.
    pub(crate) fn is_clean(&self, input: &[u8]) -> bool {
        self.state == State::Text && !input.contains(&IAC)
    }

    /// Appends the text of `input`.
    pub(crate) fn filter(&mut self, input: &[u8], out: &mut Vec<u8>) {
        for &byte in input {
            self.state = match (self.state, byte) {
                (State::Text | State::Interrupted, IAC) => State::Command,
                (State::Interrupted, DM) | (State::Option, _) => State::Text,
                (State::Text | State::Interrupted, text) => {
                    out.push(text);
                    State::Text
                }
                (State::Command, WILL..=DONT) => State::Option,
                (State::Command, IP) => State::Interrupted,
                (State::Command, SE..WILL) => State::Text,
                (State::Command, IAC) => {
                    out.push(IAC);
                    State::Text
                }
                (State::Command, text) => {
                    out.extend_from_slice(&[IAC, text]);
                    State::Text
                }
            };
        }
    }
}

const SE: u8 = 240;
const DM: u8 = 242;
const IP: u8 = 244;
const WILL: u8 = 251;
const DONT: u8 = 254;
/// Begins a Telnet command.
pub(crate) const IAC: u8 = 255;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut filter, mut out) = (TelnetFilter::default(), Vec::new());
        for piece in pieces {
            filter.filter(piece, &mut out);
        }
        out
    }

    #[test]
    fn commands_vanish_and_text_stays() {
        let table: &[(&[u8], &[u8])] = &[
            (b"ABOR\r\n", b"ABOR\r\n"),
            (b"\xff\xf4\xff\xf2ABOR\r\n", b"ABOR\r\n"),
            (b"\xff\xf4\xf2ABOR\r\n", b"ABOR\r\n"),
            (b"\xff\xf4ABOR\r\n", b"ABOR\r\n"),
            (b"\xff\xfb\x01NOOP", b"NOOP"),
            (b"RETR a\xff\xffb", b"RETR a\xffb"),
            (b"RETR \xffa", b"RETR \xffa"),
            (b"\xf2", b"\xf2"),
        ];
        for (input, expected) in table {
            assert_eq!(text(&[input]), *expected, "{input:?}");
            assert_eq!(text(&input.chunks(1).collect::<Vec<_>>()), *expected, "{input:?} byte by byte");
        }
    }

    proptest! {
        #[test]
        fn clean_text_is_not_touched(input in proptest::collection::vec(any::<u8>(), 0..60)) {
            if TelnetFilter::default().is_clean(&input) {
                prop_assert_eq!(text(&[&input]), input);
            } else {
                prop_assert!(text(&[&input]).len() <= input.len());
            }
        }
    }
}
