//! Lines at the prompt: read into commands.
//!
//! It must not do anything. One table holds the words, the arguments and the help of each command.

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing.
    Empty,
    /// A command, and its arguments in the number that it takes.
    Command(Verb, Vec<String>),
    /// A command of the shell; empty: a shell.
    Shell(String),
}

/// The commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    List,
    Get,
    Put,
    LocalDirectory,
    LocalPath,
    Help,
    Exit,
}

/// What an argument is: so is it completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    Remote,
    Local,
    LocalDirectory,
}

/// A command's row.
pub(super) struct Row {
    pub(super) verb: Verb,
    /// In lower case; the first is the one that help and completion show.
    pub(super) words: &'static [&'static str],
    pub(super) arguments: &'static [Argument],
    /// How many of them must be there.
    required: usize,
    usage: &'static str,
    does: &'static str,
}

/// All commands.
pub(super) const COMMANDS: [Row; 7] = [
    Row {
        verb: Verb::List,
        words: &["ls", "dir", "list"],
        arguments: &[Argument::Remote],
        required: 0,
        usage: "LS [directory]",
        does: "list the names on the server",
    },
    Row {
        verb: Verb::Get,
        words: &["get"],
        arguments: &[Argument::Remote, Argument::Local],
        required: 1,
        usage: "GET name [local]",
        does: "download a file, to a file or a directory here",
    },
    Row {
        verb: Verb::Put,
        words: &["put"],
        arguments: &[Argument::Local, Argument::Remote],
        required: 1,
        usage: "PUT local [name]",
        does: "upload a file, under its name or another",
    },
    Row {
        verb: Verb::LocalDirectory,
        words: &["lcd"],
        arguments: &[Argument::LocalDirectory],
        required: 0,
        usage: "LCD [directory]",
        does: "change the directory here; alone: to your home",
    },
    Row {
        verb: Verb::LocalPath,
        words: &["lpwd"],
        arguments: &[],
        required: 0,
        usage: "LPWD",
        does: "show the directory here",
    },
    Row { verb: Verb::Help, words: &["help", "?"], arguments: &[], required: 0, usage: "HELP", does: "show this" },
    Row {
        verb: Verb::Exit,
        words: &["exit", "quit", "bye"],
        arguments: &[],
        required: 0,
        usage: "EXIT",
        does: "end (also QUIT, BYE, Ctrl-D)",
    },
];

/// Reads a line. Words are separated by blanks and quoted as in a shell; commands are read in any case.
///
/// # Errors
/// What is wrong, and what would be right.
pub(super) fn parse(line: &str) -> Result<Line, String> {
    let line = line.trim();
    if let Some(command) = line.strip_prefix('!') {
        return Ok(Line::Shell(command.trim().to_owned()));
    }
    let Some(mut words) = split(line) else {
        return Err("a quotation mark is not closed".to_owned());
    };
    if words.is_empty() {
        return Ok(Line::Empty);
    }
    let word = words.remove(0);
    let Some(row) = find(&word) else {
        return Err(format!("`{}` is no command here; HELP lists them", muxftp_proto::Escaped(word.as_bytes())));
    };
    if words.len() < row.required || words.len() > row.arguments.len() {
        let hint = if words.len() > row.arguments.len() && !row.arguments.is_empty() {
            "; a name with blanks stands in quotation marks"
        } else {
            ""
        };
        return Err(format!("usage: {}{hint}", row.usage));
    }
    Ok(Line::Command(row.verb, words))
}

/// The row of a word, in any case.
pub(super) fn find(word: &str) -> Option<&'static Row> {
    COMMANDS.iter().find(|row| row.words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// The text of HELP.
pub(super) fn help() -> String {
    let mut text = String::new();
    for row in &COMMANDS {
        text.push_str(&format!("{:<18} {}\n", row.usage, row.does));
    }
    text.push_str(&format!("{:<18} {}\n", "!command", "run a command of your shell here; alone: a shell"));
    text.push_str("Tab completes names; Ctrl-C ends a transfer; a name with blanks stands in \"quotation marks\".\n");
    text
}

/// A `#` is a character of names here, not the start of a comment.
fn split(line: &str) -> Option<Vec<String>> {
    let mut escaped = String::with_capacity(line.len());
    let mut quote = None;
    let mut after_backslash = false;
    for c in line.chars() {
        let bare = quote.is_none() && !after_backslash;
        if c == '#' && bare {
            escaped.push('\\');
        }
        if after_backslash {
            after_backslash = false;
        } else {
            match (c, quote) {
                ('\\', None | Some('"')) => after_backslash = true,
                ('"' | '\'', None) => quote = Some(c),
                (_, Some(open)) if c == open => quote = None,
                _ => {}
            }
        }
        escaped.push(c);
    }
    shlex::split(&escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(verb: Verb, words: &[&str]) -> Result<Line, String> {
        Ok(Line::Command(verb, words.iter().map(|word| (*word).to_owned()).collect()))
    }

    #[test]
    fn lines_are_read() {
        for (line, read) in [
            ("", Ok(Line::Empty)),
            ("  ", Ok(Line::Empty)),
            ("LS", command(Verb::List, &[])),
            ("dir photos", command(Verb::List, &["photos"])),
            ("Get notes.txt", command(Verb::Get, &["notes.txt"])),
            ("get 'my notes.txt' n.txt", command(Verb::Get, &["my notes.txt", "n.txt"])),
            ("get my\\ notes.txt", command(Verb::Get, &["my notes.txt"])),
            ("put \"a \\\"b\\\"\" c", command(Verb::Put, &["a \"b\"", "c"])),
            ("get #1 a#b", command(Verb::Get, &["#1", "a#b"])),
            ("get '#1' \"#2\"", command(Verb::Get, &["#1", "#2"])),
            ("get \\#1", command(Verb::Get, &["#1"])),
            ("quit", command(Verb::Exit, &[])),
            ("BYE", command(Verb::Exit, &[])),
            ("?", command(Verb::Help, &[])),
            ("!ls -l 'x y'", Ok(Line::Shell("ls -l 'x y'".to_owned()))),
            ("!", Ok(Line::Shell(String::new()))),
        ] {
            assert_eq!(parse(line), read, "{line:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, hint) in [
            ("get", "usage: GET name [local]"),
            ("put", "usage: PUT local [name]"),
            ("get my notes txt", "quotation marks"),
            ("lpwd x", "usage: LPWD"),
            ("get 'x", "not closed"),
            ("frobnicate", "HELP"),
            ("\x1b[2J", "\\u{1b}"),
        ] {
            let wrong = parse(line).unwrap_err();
            assert!(wrong.contains(hint), "{line:?}: {wrong}");
        }
    }

    #[test]
    fn each_word_names_one_command_and_help_shows_all() {
        let mut words: Vec<_> = COMMANDS.iter().flat_map(|row| row.words).collect();
        words.sort();
        let count = words.len();
        words.dedup();
        assert_eq!(words.len(), count);
        for row in &COMMANDS {
            assert!(row.required <= row.arguments.len());
            assert!(help().contains(row.usage));
        }
    }
}
