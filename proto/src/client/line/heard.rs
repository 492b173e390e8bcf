//! Replies as the client session takes them up: owning their text, so that the line buffer is free again.

use crate::vocab::reply::Answer;

/// A final reply.
#[derive(Debug)]
pub(super) enum Final {
    Complete,
    Refused { code: u16, text: Vec<u8> },
}

/// An [`Answer`] that owns its text.
pub(super) enum Heard {
    Opening { port: u16, size: Option<u64> },
    Accepted,
    Goodbye,
    Name(Vec<u8>),
    Final(Final),
}

impl From<Answer<'_>> for Heard {
    fn from(answer: Answer<'_>) -> Heard {
        match answer {
            Answer::Opening { port, size } => Heard::Opening { port, size },
            Answer::Accepted => Heard::Accepted,
            Answer::Goodbye => Heard::Goodbye,
            Answer::Complete => Heard::Final(Final::Complete),
            Answer::Refused { code, text } => Heard::Final(Final::Refused { code, text: text.to_vec() }),
        }
    }
}

impl Heard {
    /// For people: what came where it had no place.
    pub(super) fn describe(self) -> Vec<u8> {
        match self {
            Heard::Opening { port, .. } => format!("a data port ({port})").into_bytes(),
            Heard::Accepted => b"a bare OK".to_vec(),
            Heard::Goodbye => b"a goodbye".to_vec(),
            Heard::Name(line) => line,
            Heard::Final(Final::Complete) => b"a completion".to_vec(),
            Heard::Final(Final::Refused { text, .. }) => text,
        }
    }
}
