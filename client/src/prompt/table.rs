//! The table of commands: words, flags, arguments and help of each.
//!
//! It must not do anything.

/// The commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    List,
    Get,
    Put,
    GetMany,
    PutMany,
    Mirror,
    ChangeDirectory,
    Path,
    MakeDirectory,
    RemoveDirectory,
    Remove,
    Rename,
    Size,
    SetMode,
    Quote,
    Noop,
    LocalDirectory,
    LocalPath,
    Connect,
    Help,
    Exit,
}

/// What an argument is: so is it completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    Remote,
    Local,
    LocalDirectory,
    /// Nothing that can be completed.
    Word,
}

/// A command's row.
pub(super) struct Row {
    pub(super) verb: Verb,
    /// In lower case; the first is the one that help and completion show.
    pub(super) words: &'static [&'static str],
    /// The letters that may stand behind a dash before the arguments.
    pub(super) flags: &'static str,
    /// Its words are not read here, flags neither: it reads them as the command line does.
    pub(super) reads_words: bool,
    pub(super) arguments: &'static [Argument],
    /// How many of them must be there.
    pub(super) required: usize,
    /// The last of them may be repeated.
    pub(super) is_open: bool,
    pub(super) usage: &'static str,
    does: &'static str,
}

/// The row of a word, in any case.
pub(super) fn find(word: &str) -> Option<&'static Row> {
    COMMANDS.iter().find(|row| row.words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// The text of HELP.
pub(super) fn help() -> String {
    let mut text = String::new();
    for row in COMMANDS {
        text.push_str(&format!("{:<27} {}\n", row.usage, row.does));
    }
    text.push_str(&format!("{:<27} {}\n", "!command", "run a command of your shell here; alone: a shell"));
    text.push_str(NOTES);
    text
}

const fn row(
    verb: Verb,
    words: &'static [&'static str],
    arguments: (&'static [Argument], usize),
    usage: &'static str,
    does: &'static str,
) -> Row {
    let (arguments, required) = arguments;
    Row { verb, words, flags: "", reads_words: false, arguments, required, is_open: false, usage, does }
}

const fn flags(flags: &'static str, row: Row) -> Row {
    Row { flags, ..row }
}

const fn open(row: Row) -> Row {
    Row { is_open: true, ..row }
}

const fn reads_words(row: Row) -> Row {
    Row { reads_words: true, is_open: true, ..row }
}

use Argument::{Local, LocalDirectory, Remote, Word};

/// All commands.
pub(super) const COMMANDS: &[Row] = &[
    flags(
        "l",
        row(
            Verb::List,
            &["ls", "dir", "list"],
            (&[Remote], 0),
            "LS [-l] [directory]",
            "list the names on the server; -l: with size, time and rights",
        ),
    ),
    flags(
        "c",
        row(
            Verb::Get,
            &["get", "retrieve"],
            (&[Remote, Local], 1),
            "GET [-c] name [local]",
            "download a file, to a file or a directory here; -c: go on with one that broke off",
        ),
    ),
    flags(
        "c",
        row(
            Verb::Put,
            &["put", "store"],
            (&[Local, Remote], 1),
            "PUT [-c] local [name]",
            "upload a file, under its name or another; -c: only what the server's file lacks",
        ),
    ),
    open(row(
        Verb::GetMany,
        &["mget"],
        (&[Remote], 1),
        "MGET name...",
        "download files to the directory here; * ? [a-z] stand for parts of names",
    )),
    open(row(
        Verb::PutMany,
        &["mput"],
        (&[Local], 1),
        "MPUT local...",
        "upload files under their names; * ? [a-z] stand for parts of names",
    )),
    reads_words(row(
        Verb::Mirror,
        &["mirror"],
        (&[Word, Word], 2),
        "MIRROR [-R] [flags] from to",
        "copy a tree from the server to here, but for what is there already; -R: from here to the server; more below",
    )),
    row(Verb::ChangeDirectory, &["cd"], (&[Remote], 1), "CD directory", "change the directory on the server"),
    row(Verb::Path, &["pwd"], (&[], 0), "PWD", "show the directory on the server"),
    open(row(Verb::MakeDirectory, &["mkdir"], (&[Remote], 1), "MKDIR directory...", "make directories on the server")),
    open(row(
        Verb::RemoveDirectory,
        &["rmdir"],
        (&[Remote], 1),
        "RMDIR directory...",
        "remove empty directories on the server",
    )),
    open(row(Verb::Remove, &["rm", "delete"], (&[Remote], 1), "RM name...", "remove files on the server")),
    row(
        Verb::Rename,
        &["mv", "rename"],
        (&[Remote, Remote], 2),
        "MV name new-name",
        "rename a file or directory on the server",
    ),
    row(Verb::Size, &["size"], (&[Remote], 1), "SIZE name", "show how many bytes a file on the server has"),
    row(
        Verb::SetMode,
        &["chmod"],
        (&[Word, Remote], 2),
        "CHMOD mode name",
        "set rights on the server; the mode in octal digits, such as 644",
    ),
    open(row(
        Verb::Quote,
        &["quote"],
        (&[Word], 1),
        "QUOTE word...",
        "say a line to the server as it stands, and show the reply",
    )),
    row(
        Verb::Noop,
        &["noop"],
        (&[], 0),
        "NOOP",
        "tell the server that you are still there; a session that it closed is made anew",
    ),
    row(
        Verb::LocalDirectory,
        &["lcd"],
        (&[LocalDirectory], 0),
        "LCD [directory]",
        "change the directory here; alone: to your home",
    ),
    row(Verb::LocalPath, &["lpwd"], (&[], 0), "LPWD", "show the directory here"),
    row(Verb::Connect, &["connect", "open"], (&[Word], 1), "CONNECT url", "leave this server for another"),
    row(Verb::Help, &["help", "?"], (&[], 0), "HELP", "show this"),
    row(Verb::Exit, &["exit", "quit", "bye"], (&[], 0), "EXIT", "end (also QUIT, BYE, Ctrl-D)"),
];

/// What HELP ends with.
const NOTES: &str = "\
Flags of MIRROR: -v: name each file; -n: change nothing, only name what would be done; --delete: delete from the copy what
is not at the source; -x PATTERN: leave such names alone, on both sides; -P N: so many sessions. muxftp mirror --help tells more.
Tab completes names; Ctrl-C ends a transfer; a name with blanks stands in \"quotation marks\", one that begins with a
dash behind `--`. simple and updown have LS, GET and PUT only, without flags. No download is seen under its name before it
is whole: what GET -c has when it breaks off is in `name.part`, and the next GET -c goes on from there.
";
