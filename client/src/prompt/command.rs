//! Lines at the prompt: read into commands.
//!
//! It must not do anything.

use muxftp_proto::Dialect;

use super::table::{Row, Verb, find, usage};

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing.
    Empty,
    /// A command, its flags, and its arguments in the number that it takes.
    Command(Verb, String, Vec<String>),
    /// A command of the shell; empty: a shell.
    Shell(String),
}

/// Reads a line. Words are separated by blanks and quoted as in a shell; commands are read in any case.
///
/// # Errors
/// What is wrong, and what would be right.
pub(super) fn parse(line: &str, dialect: Dialect) -> Result<Line, String> {
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
        return Err(format!("`{}` is not a command; HELP lists them", muxftp_proto::Escaped(word.as_bytes())));
    };
    let flags = match row.reads_words {
        true => Some(String::new()),
        false => take_flags(row, &mut words),
    };
    let flags = flags.ok_or_else(|| format!("usage: {}", usage(row, dialect)))?;
    let is_too_long = !row.is_open && words.len() > row.arguments.len();
    if words.len() < row.required || is_too_long {
        let hint = match is_too_long && !row.arguments.is_empty() {
            true => "; put a name with blanks into quotation marks",
            false => "",
        };
        return Err(format!("usage: {}{hint}", usage(row, dialect)));
    }
    Ok(Line::Command(row.verb, flags, words))
}

/// Takes the flags from the words of a command that has some, and a `--` behind them; `None`: it does not have this one.
fn take_flags(row: &Row, words: &mut Vec<String>) -> Option<String> {
    let mut flags = String::new();
    while let Some(letters) = words.first().and_then(|word| word.strip_prefix('-')).filter(|rest| !rest.is_empty()) {
        let is_end = letters == "-";
        if !is_end && !row.flags.is_empty() {
            letters.chars().all(|letter| row.flags.contains(letter)).then_some(())?;
            flags.push_str(letters);
        } else if !is_end {
            break;
        }
        words.remove(0);
        if is_end {
            break;
        }
    }
    Some(flags)
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
    use super::super::table::{COMMANDS, help};
    use super::*;

    fn command(verb: Verb, words: &[&str]) -> Result<Line, String> {
        flagged(verb, "", words)
    }

    fn flagged(verb: Verb, flags: &str, words: &[&str]) -> Result<Line, String> {
        Ok(Line::Command(verb, flags.to_owned(), words.iter().map(|word| (*word).to_owned()).collect()))
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
            ("ls -l", flagged(Verb::List, "l", &[])),
            ("ls -l -- -l", flagged(Verb::List, "l", &["-l"])),
            ("RETRIEVE -c a", flagged(Verb::Get, "c", &["a"])),
            ("store -- -c", command(Verb::Put, &["-c"])),
            ("put -", command(Verb::Put, &["-"])),
            ("mirror -x '*.o' -- a b", command(Verb::Mirror, &["-x", "*.o", "--", "a", "b"])),
            ("rm -x 'y z' w", command(Verb::Remove, &["-x", "y z", "w"])),
            ("quote SITE CHMOD 644 a", command(Verb::Quote, &["SITE", "CHMOD", "644", "a"])),
            ("?", command(Verb::Help, &[])),
            ("!ls -l 'x y'", Ok(Line::Shell("ls -l 'x y'".to_owned()))),
            ("!", Ok(Line::Shell(String::new()))),
        ] {
            assert_eq!(parse(line, Dialect::Ftp), read, "{line:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, hint) in [
            ("get", "usage: GET [-c] name [local]"),
            ("put", "usage: PUT [-c] local [name]"),
            ("get my notes txt", "quotation marks"),
            ("lpwd x", "usage: LPWD"),
            ("get -x a", "usage: GET"),
            ("mget", "usage: MGET"),
            ("get 'x", "not closed"),
            ("frobnicate", "HELP"),
            ("\x1b[2J", "\\u{1b}"),
        ] {
            let wrong = parse(line, Dialect::Ftp).unwrap_err();
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
        for row in COMMANDS {
            assert!(row.required <= row.arguments.len());
            let all = help(Dialect::Ftp, 200);
            assert!(all.lines().any(|line| line.starts_with(row.usage)), "{}", row.usage);
        }
    }

    #[test]
    fn help_fits_the_terminal_and_shows_what_works() {
        for width in [20, 30, 40, 63, 64, 80, 132] {
            for dialect in Dialect::ALL {
                let text = help(dialect, width);
                for line in text.lines().filter(|line| line.split_whitespace().count() > 1) {
                    let term = COMMANDS.iter().any(|row| [row.usage, usage(row, dialect)].contains(&line));
                    assert!(line.chars().count() <= width || term, "{width}: {line}");
                }
            }
        }
        for dialect in Dialect::OF_CLIENTS {
            let text = help(dialect, 80);
            assert!(text.contains("GET name [local]") && !text.contains("-c"), "{text}");
            assert!(!text.lines().any(|line| line.starts_with("MKDIR") || line.starts_with("SIZE")), "{text}");
            assert_eq!(text.matches("MKDIR").count(), 1, "the line of the others: {text}");
        }
    }

    #[test]
    fn words_of_other_clients_are_understood_in_any_case() {
        for (line, verb) in [
            ("download a", Verb::Get),
            ("DOWNLOAD a", Verb::Get),
            ("Upload a", Verb::Put),
            ("UPLOAD a", Verb::Put),
            ("LIST", Verb::List),
            ("dir", Verb::List),
        ] {
            assert!(matches!(parse(line, Dialect::Simple), Ok(Line::Command(read, ..)) if read == verb), "{line}");
        }
        assert_eq!(parse("get", Dialect::Simple), Err("usage: GET name [local]".to_owned()));
        let words = ["h".to_owned(), "8080".to_owned()];
        let connect = Line::Command(Verb::Connect, String::new(), words.to_vec());
        assert_eq!(parse("connect h 8080", Dialect::Ftp), Ok(connect));
    }
}
