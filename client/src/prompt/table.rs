//! The table of commands: words, flags, arguments and help of each.
//!
//! It must not do anything.

use muxftp_proto::Dialect;

use super::layout;

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
    /// Usage and effect in dialects other than `ftp`; `None`: they do not have the command.
    plain: Option<(&'static str, &'static str)>,
}

/// The row of a word, in any case.
pub(super) fn find(word: &str) -> Option<&'static Row> {
    COMMANDS.iter().find(|row| row.words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// Whether this dialect has the command.
pub(super) fn is_offered(row: &Row, dialect: Dialect) -> bool {
    dialect == Dialect::Ftp || row.plain.is_some()
}

/// The usage of a command in this dialect.
pub(super) fn usage(row: &Row, dialect: Dialect) -> &'static str {
    match row.plain {
        Some((usage, _)) if dialect != Dialect::Ftp => usage,
        _ => row.usage,
    }
}

/// The text of HELP: the commands of this dialect, in lines of at most `width` columns.
pub(super) fn help(dialect: Dialect, width: usize) -> String {
    let is_ftp = dialect == Dialect::Ftp;
    let mut text = String::new();
    for row in COMMANDS.iter().filter(|row| is_offered(row, dialect)) {
        let (usage, does) = row.plain.filter(|_| !is_ftp).unwrap_or((row.usage, row.does));
        layout::entry(usage, does, width, &mut text);
    }
    layout::entry("!command", "run a command of your shell here; without one: a shell", width, &mut text);
    let notes = if is_ftp { NOTES } else { PLAIN_NOTES };
    for note in notes {
        layout::paragraph(note, 0, width, &mut text);
    }
    if !is_ftp {
        let others: Vec<_> = COMMANDS.iter().filter(|row| !is_offered(row, dialect)).map(|row| row.words[0]).collect();
        let others = others.join(", ").to_ascii_uppercase();
        layout::paragraph(&format!("Only ftp has more commands: {others}."), 0, width, &mut text);
    }
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
    Row { verb, words, flags: "", reads_words: false, arguments, required, is_open: false, usage, does, plain: None }
}

const fn flags(flags: &'static str, row: Row) -> Row {
    Row { flags, ..row }
}

/// A command that all dialects have, in the same words.
const fn common(row: Row) -> Row {
    Row { plain: Some((row.usage, row.does)), ..row }
}

/// A command that all dialects have, with less in those other than `ftp`.
const fn plain(usage: &'static str, does: &'static str, row: Row) -> Row {
    Row { plain: Some((usage, does)), ..row }
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
    plain(
        "LS [directory]",
        "list the names on the server",
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
    ),
    plain(
        "GET name [local]",
        "download a file, to a file or a directory here (also DOWNLOAD)",
        flags(
            "c",
            row(
                Verb::Get,
                &["get", "download", "retrieve"],
                (&[Remote, Local], 1),
                "GET [-c] name [local]",
                "download a file, to a file or a directory here; -c: continue one that broke off (also DOWNLOAD)",
            ),
        ),
    ),
    plain(
        "PUT local [name]",
        "upload a file, under its name or another (also UPLOAD)",
        flags(
            "c",
            row(
                Verb::Put,
                &["put", "upload", "store"],
                (&[Local, Remote], 1),
                "PUT [-c] local [name]",
                "upload a file, under its name or another; -c: only what the server's file lacks (also UPLOAD)",
            ),
        ),
    ),
    common(open(row(
        Verb::GetMany,
        &["mget"],
        (&[Remote], 1),
        "MGET name...",
        "download files to the directory here; * ? [a-z] match parts of names",
    ))),
    common(open(row(
        Verb::PutMany,
        &["mput"],
        (&[Local], 1),
        "MPUT local...",
        "upload files under their names; * ? [a-z] match parts of names",
    ))),
    reads_words(row(
        Verb::Mirror,
        &["mirror"],
        (&[Word, Word], 2),
        "MIRROR [-R] [flags] from to",
        "copy a tree from the server to here, skipping files that are up to date; -R: from here to the server; flags below",
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
        "send a line to the server as it is, and show the reply",
    )),
    row(
        Verb::Noop,
        &["noop"],
        (&[], 0),
        "NOOP",
        "keep the session alive; one that the server has closed is made again",
    ),
    common(row(
        Verb::LocalDirectory,
        &["lcd"],
        (&[LocalDirectory], 0),
        "LCD [directory]",
        "change the directory here; without one: to your home",
    )),
    common(row(Verb::LocalPath, &["lpwd"], (&[], 0), "LPWD", "show the directory here")),
    common(row(
        Verb::Connect,
        &["connect", "open"],
        (&[Word, Word], 1),
        "CONNECT host port",
        "leave this server for another; also CONNECT url",
    )),
    common(row(Verb::Help, &["help", "?"], (&[], 0), "HELP", "show this")),
    common(row(Verb::Exit, &["exit", "quit", "bye"], (&[], 0), "EXIT", "end (also QUIT, BYE, Ctrl-D)")),
];

/// What HELP ends with, a paragraph each.
const NOTES: &[&str] = &[
    "Flags of MIRROR: -v: name each file; -n: change nothing, only name what would be done; --delete: delete from the \
     copy what is not at the source; -x PATTERN: leave such names alone, on both sides; -P N: use N sessions. \
     `muxftp mirror --help` tells more.",
    "Tab completes names; Ctrl-C ends a transfer. Put a name with blanks into \"quotation marks\", and `--` before one \
     that begins with a dash.",
    "A download has its name only when it is complete: what GET -c has when it breaks off is in `name.part`, and the \
     next GET -c continues there.",
];

/// The same in the other dialects.
const PLAIN_NOTES: &[&str] =
    &["Tab completes names; Ctrl-C ends a transfer and its session. Put a name with blanks into \"quotation marks\"."];
