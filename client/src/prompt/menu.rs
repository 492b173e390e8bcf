//! `muxftp --menu`: numbers in place of commands.
//!
//! It must not know how anything is done: each choice becomes a command of the prompt.

use super::table::Verb;

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// A command, and what has to be asked for it.
    Do(Verb, &'static [&'static str]),
    Exit,
}

/// What is shown before each choice.
pub(super) const MENU: &str = "\
1  upload a file
2  download a file
3  list the files
4  exit
";

/// Reads a choice: its number, or its first word.
///
/// # Errors
/// What would be a choice.
pub(super) fn read(line: &str) -> Result<Choice, String> {
    match line.trim().to_ascii_lowercase().as_str() {
        "1" | "upload" => Ok(Choice::Do(Verb::Put, &["file to upload", "name on the server (empty: the same)"])),
        "2" | "download" => Ok(Choice::Do(Verb::Get, &["file to download", "name here (empty: the same)"])),
        "3" | "list" => Ok(Choice::Do(Verb::List, &[])),
        "4" | "exit" | "quit" => Ok(Choice::Exit),
        _ => Err("choose 1, 2, 3 or 4".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_the_menu_is_a_choice() {
        for line in MENU.lines() {
            let mut words = line.split_whitespace();
            let (number, word) = (words.next().unwrap(), words.next().unwrap());
            assert_eq!(read(number), read(word), "{line}");
            assert!(read(number).is_ok(), "{line}");
        }
        for wrong in ["", "5", "0", "upload x"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
