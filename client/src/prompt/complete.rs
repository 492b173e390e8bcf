//! Completion at the prompt: commands, names on the server, names here.
//!
//! It must not print: the line editor owns the terminal meanwhile. A server that does not answer at once costs a short,
//! bounded wait and completes nothing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use muxftp_proto::Dialect;
use muxftp_proto::client::io::{ListingForm, Operation};
use rustyline::completion::{Completer, FilenameCompleter, Pair, Quote, escape, unescape};
use rustyline::{Context, Helper, Highlighter, Hinter, Validator};

use super::table::{Argument, COMMANDS, Row, find, is_offered};
use crate::content::{Content, Listing};
use crate::engine::{Engine, Watch};

/// The line editor's helper.
#[derive(Helper, Highlighter, Hinter, Validator)]
pub(super) struct Names {
    engine: Rc<RefCell<Engine>>,
    /// The names of a directory of the server, since the last command.
    known: RefCell<HashMap<String, Vec<String>>>,
    local: FilenameCompleter,
}

/// The word under the cursor.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    /// Where it begins in the line, behind its quotation mark.
    start: usize,
    /// Its place among the words; 0: the command.
    index: usize,
    /// Its text so far, without quoting.
    text: String,
    /// The quotation mark that is still open.
    quote: Option<char>,
}

impl Names {
    pub(super) fn new(engine: Rc<RefCell<Engine>>) -> Names {
        Names { engine, known: RefCell::default(), local: FilenameCompleter::new() }
    }

    /// A command was run: the server's names may be others now.
    pub(super) fn forget(&self) {
        self.known.borrow_mut().clear();
    }

    fn remote(&self, word: &Word) -> Vec<Pair> {
        let directory = word.text.rfind('/').map_or("", |slash| &word.text[..=slash]);
        let mut known = self.known.borrow_mut();
        let names = known.entry(directory.to_owned()).or_insert_with(|| self.list(directory));
        candidates(directory, names, word)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let path = directory.trim_end_matches('/');
        let operation = Operation::List { path: (!path.is_empty()).then(|| path.into()), form: ListingForm::Names };
        let watch = Watch { limit: Some(PATIENCE), ..Watch::default() };
        let listing = Content::Listing(Listing::collect());
        let mut engine = self.engine.borrow_mut();
        let done = engine.forget_interruption().and_then(|()| engine.run(&operation, listing, "complete", watch));
        match done.map(|done| done.content) {
            Ok(Content::Listing(listing)) => listing.names().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let word = word_at(&line[..pos]);
        if line.trim_start().starts_with('!') {
            return self.local.complete_path(line, pos);
        }
        if word.index == 0 {
            let dialect = self.engine.borrow().server().dialect;
            return Ok((word.start, commands(&word.text, dialect)));
        }
        let row = line.split_whitespace().next().and_then(find);
        let at = |row: &Row| {
            if row.is_open { word.index.min(row.arguments.len()) } else { word.index.saturating_sub(flags(line)) }
        };
        match row.and_then(|row| row.arguments.get(at(row).checked_sub(1)?)) {
            None | Some(Argument::Word) => Ok((pos, Vec::new())),
            Some(Argument::Remote) => Ok((word.start, self.remote(&word))),
            Some(Argument::Local) => self.local.complete_path(line, pos),
            Some(Argument::LocalDirectory) => {
                let (start, mut pairs) = self.local.complete_path(line, pos)?;
                pairs.retain(|pair| pair.replacement.ends_with('/'));
                Ok((start, pairs))
            }
        }
    }
}

/// How many words behind the command are flags.
fn flags(line: &str) -> usize {
    line.split_whitespace().skip(1).take_while(|word| word.len() > 1 && word.starts_with('-')).count()
}

/// The commands that begin so, in the case in which they are being typed.
fn commands(begun: &str, dialect: Dialect) -> Vec<Pair> {
    let upper = begun.chars().any(char::is_uppercase);
    let offered = COMMANDS.iter().filter(|row| is_offered(row, dialect)).map(|row| row.words[0]);
    let words = offered.filter(|word| {
        word.len() >= begun.len()
            && word.is_char_boundary(begun.len())
            && word[..begun.len()].eq_ignore_ascii_case(begun)
    });
    words
        .map(|word| {
            let word = if upper { word.to_ascii_uppercase() } else { word.to_owned() };
            Pair { display: word.clone(), replacement: format!("{word} ") }
        })
        .collect()
}

/// The names that begin as the word does. One that would play with the terminal is left out: it can be had by its URL.
fn candidates(directory: &str, names: &[String], word: &Word) -> Vec<Pair> {
    let begun = &word.text[directory.len()..];
    // Nothing can be escaped between single quotes.
    let unfit = |c: char| c.is_control() || (c == '\'' && word.quote == Some('\''));
    let quoted = |path: String| match word.quote {
        Some('\'') => path,
        Some(_) => escape(path, Some('\\'), |c| matches!(c, '"' | '\\'), Quote::Double),
        _ => escape(path, Some('\\'), |c| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'), Quote::None),
    };
    names
        .iter()
        .filter(|name| name.starts_with(begun) && !name.contains(unfit))
        .map(|name| Pair { display: name.clone(), replacement: quoted(format!("{directory}{name}")) })
        .collect()
}

/// The last word of what stands before the cursor, by the rules of [`super::command::parse`].
fn word_at(line: &str) -> Word {
    let (mut start, mut index, mut quote, mut inside, mut escaped) = (0, 0, None, false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != Some('\'') => {
                if !inside {
                    (start, inside) = (at, true);
                }
                escaped = true;
            }
            '"' | '\'' if quote.is_none() => (start, inside, quote) = (at + 1, true, Some(c)),
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            c if c.is_whitespace() => {
                index += usize::from(inside);
                (start, inside) = (line.len(), false);
            }
            _ if !inside => (start, inside) = (at, true),
            _ => {}
        }
    }
    let start = if inside { start } else { line.len() };
    let raw = &line[start..];
    let text = if quote == Some('\'') { raw.into() } else { unescape(raw, Some('\\')) };
    Word { start, index, text: text.into_owned(), quote }
}

/// How long Tab may take.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_under_the_cursor_is_found() {
        for (line, start, index, text) in [
            ("", 0, 0, ""),
            ("ge", 0, 0, "ge"),
            ("get ", 4, 1, ""),
            ("get no", 4, 1, "no"),
            ("get my\\ no", 4, 1, "my no"),
            ("get \"my no", 5, 1, "my no"),
            ("get 'my no", 5, 1, "my no"),
            ("get 'my notes' x", 15, 2, "x"),
            ("  get  a ", 9, 2, ""),
        ] {
            let word = word_at(line);
            assert_eq!((word.start, word.index, word.text.as_str()), (start, index, text), "{line:?}");
        }
    }

    #[test]
    fn what_is_completed_is_read_as_the_name() {
        let names = ["my notes.txt".to_owned(), "it's".to_owned(), "plain".to_owned(), "bad\x1b".to_owned()];
        for (line, wanted) in
            [("get my", "my notes.txt"), ("get \"my", "my notes.txt"), ("get it", "it's"), ("get pl", "plain")]
        {
            let word = word_at(line);
            let pairs = candidates("", &names, &word);
            assert_eq!(pairs.len(), 1, "{line:?}");
            let close = word.quote.map(String::from).unwrap_or_default();
            let completed = format!("{}{}{close}", &line[..word.start], pairs[0].replacement);
            let read = super::super::command::parse(&completed, muxftp_proto::Dialect::Ftp).unwrap();
            let super::super::command::Line::Command(_, _, words) = read else { panic!("{completed}") };
            assert_eq!(words, [wanted], "{completed}");
        }
        assert!(candidates("", &names, &word_at("get bad")).is_empty());
    }

    #[test]
    fn names_in_directories_keep_their_directory() {
        let names = ["a.jpg".to_owned(), "b.jpg".to_owned()];
        let pairs = candidates("photos/", &names, &word_at("get photos/a"));
        assert_eq!(pairs.len(), 1);
        assert_eq!(pairs[0].replacement, "photos/a.jpg");
    }

    #[test]
    fn commands_are_completed_in_their_case() {
        let texts = |begun| commands(begun, Dialect::Ftp).into_iter().map(|pair| pair.replacement).collect::<Vec<_>>();
        assert_eq!(texts("g"), ["get "]);
        assert_eq!(texts("GE"), ["GET "]);
        assert_eq!(texts("m"), ["mget ", "mput ", "mirror ", "mkdir ", "mv "]);
        assert_eq!(texts("l"), ["ls ", "lcd ", "lpwd "]);
        assert!(texts("é").is_empty());
    }
}
