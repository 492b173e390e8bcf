//! The prompt: reads lines, does them, goes on.
//!
//! It must not know how an operation runs. Where standard input is no terminal the lines are a script: no prompt is
//! shown, failures are reported and remembered, and the rest is done all the same.
//!
//! Invariant: one command at a time; Ctrl-C ends the command, never the prompt.

mod act;
mod command;
mod complete;
mod layout;
mod menu;
mod table;

use std::cell::RefCell;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muxftp_proto::client::io::Operation;
use muxftp_proto::{Dialect, Escaped};
use rustix::process::Signal;
use rustix::termios;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::args::Connection;
use crate::engine::Engine;
use crate::place::{self, Place};
use crate::report;
use crate::target::{self, Target};
use crate::trouble::Trouble;
use command::Line;
use complete::Names;
use table::Verb;

/// A host or URL, a port, a dialect: as they were given.
pub(crate) type Given<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// Opens a prompt on a server, in the directory that its URL names, or the menu.
pub(crate) fn run(given: Given<'_>, connection: &Connection, with_menu: bool) -> Result<(), Trouble> {
    let target = parse(given)?;
    // The editor takes SIGINT when it is made, the engine when it is: made in this order, both hear of it.
    let editor = io::stdin().is_terminal().then(new_editor).transpose()?;
    let engine = open(&target, connection)?;
    let prompt =
        Prompt { engine: Rc::new(RefCell::new(engine)), connection: connection.clone(), waiting: Arc::default() };
    prompt.let_signals_end_the_wait()?;
    let is_script = editor.is_none();
    let result = match editor {
        editor if with_menu => prompt.offer_menu(editor),
        Some(editor) => prompt.converse(editor),
        None => prompt.follow_script(),
    };
    let end = prompt.engine.borrow_mut().quit();
    // A person has seen it.
    result.and(if is_script { end } else { Ok(()) })
}

/// A server, and perhaps a directory there.
fn parse(given: Given<'_>) -> Result<Target, Trouble> {
    let (host, port, dialect) = given;
    let Place { target, note } = place::parse(host, port, dialect).map_err(Trouble::Usage)?;
    if let Some(note) = note {
        eprintln!("muxftp: note: {note}");
    }
    if !target.path.is_empty() && target.server.dialect != Dialect::Ftp {
        let text = format!(
            "a prompt is opened on a server: {}; to fetch a file: muxftp get {}",
            target.server,
            target::shown(host)
        );
        return Err(Trouble::Usage(text));
    }
    Ok(target)
}

/// A session in the directory of `target`.
fn open(target: &Target, connection: &Connection) -> Result<Engine, Trouble> {
    let mut engine = Engine::new(&target.server, connection)?;
    engine.connect()?;
    engine.wait_for_stranger()?;
    if !target.path.is_empty() {
        let what = format!("cd {}", Escaped(&target.path));
        let gone = engine.ask(&Operation::ChangeDirectory { name: target.path.clone() }, &what);
        if let Err(trouble) = gone.and_then(|_| engine.remember_directory()) {
            let _ = engine.quit();
            return Err(trouble);
        }
    }
    Ok(engine)
}

type LineEditor = Editor<Names, FileHistory>;

struct Prompt {
    engine: Rc<RefCell<Engine>>,
    /// How to treat another server.
    connection: Connection,
    /// No operation runs: a signal to end has nothing to clean up.
    waiting: Arc<AtomicBool>,
}

/// Whether to go on.
enum Next {
    Line,
    /// The server that the next lines are meant for was not reached.
    Astray(Trouble),
    End,
}

impl Prompt {
    /// The engine has caught these signals for its operations; while a person thinks they end the program as ever.
    fn let_signals_end_the_wait(&self) -> Result<(), Trouble> {
        for signal in [Signal::TERM, Signal::HUP] {
            signal_hook::flag::register_conditional_default(signal.as_raw(), Arc::clone(&self.waiting))
                .map_err(|error| Trouble::local("take", "signals", error))?;
        }
        Ok(())
    }

    fn converse(&self, mut editor: LineEditor) -> Result<(), Trouble> {
        println!("Connected to {}. HELP lists the commands.", self.engine.borrow().server());
        editor.set_helper(Some(Names::new(Rc::clone(&self.engine))));
        let history = history_file();
        if let Some(file) = &history {
            // Without its history the prompt works as well.
            let _ = editor.load_history(file);
        }
        let result = self.read_lines(&mut editor);
        if let Some(file) = &history {
            let _ = editor.save_history(file);
        }
        result
    }

    fn read_lines(&self, editor: &mut LineEditor) -> Result<(), Trouble> {
        loop {
            let line = match self.wait(|| editor.readline("ftp> ")) {
                Ok(line) => line,
                // Ctrl-C drops the line; one that ended a transfer is told to the editor too, and is done with.
                Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => continue,
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(terminal(error, "read")),
            };
            self.engine.borrow_mut().forget_interruption()?;
            match self.obey(&line) {
                Ok(Next::Line) => {}
                Ok(Next::Astray(trouble)) => report(&trouble),
                Ok(Next::End) => return Ok(()),
                Err(trouble @ Trouble::Interrupted(signal)) if signal == Signal::INT.as_raw() => report(&trouble),
                Err(trouble @ Trouble::Interrupted(_)) => return Err(trouble),
                Err(trouble) => report(&trouble),
            }
            if let Some(names) = editor.helper() {
                names.forget();
            }
        }
    }

    fn follow_script(&self) -> Result<(), Trouble> {
        let mut code = None;
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| Trouble::local("read", "standard input", error))?;
            match self.obey(&line) {
                Ok(Next::Line) => {}
                Ok(Next::End) => break,
                Ok(Next::Astray(trouble)) => return Err(trouble),
                Err(trouble @ (Trouble::Interrupted(_) | Trouble::CannotConnect { .. } | Trouble::OutputClosed)) => {
                    return Err(trouble);
                }
                Err(trouble) => {
                    report(&trouble);
                    code.get_or_insert(trouble.exit_code());
                }
            }
        }
        code.map_or(Ok(()), |code| Err(Trouble::Reported(code)))
    }

    fn offer_menu(&self, mut editor: Option<LineEditor>) -> Result<(), Trouble> {
        let mut code = None;
        loop {
            if editor.is_some() {
                print!("{}", menu::MENU);
            }
            let Some(line) = self.ask(&mut editor, "choice")? else { break };
            if editor.is_some() {
                self.engine.borrow_mut().forget_interruption()?;
            }
            let result = match menu::read(&line) {
                Ok(menu::Choice::Exit) => break,
                Ok(menu::Choice::Do(verb, questions)) => self
                    .ask_all(&mut editor, questions)
                    .and_then(|words| act::run(&mut self.engine.borrow_mut(), verb, "", &words)),
                Err(wrong) => Err(Trouble::Usage(wrong)),
            };
            match result {
                Ok(()) => {}
                Err(trouble @ (Trouble::CannotConnect { .. } | Trouble::OutputClosed)) => return Err(trouble),
                Err(trouble @ Trouble::Interrupted(signal)) if editor.is_none() || signal != Signal::INT.as_raw() => {
                    return Err(trouble);
                }
                Err(trouble) => {
                    report(&trouble);
                    code.get_or_insert(trouble.exit_code());
                }
            }
        }
        // A person has seen what failed; a script sees the code.
        match code.filter(|_| editor.is_none()) {
            Some(code) => Err(Trouble::Reported(code)),
            None => Ok(()),
        }
    }

    /// Asks for each thing; empty answers at the end are left out.
    fn ask_all(&self, editor: &mut Option<LineEditor>, questions: &[&str]) -> Result<Vec<String>, Trouble> {
        let mut words = Vec::new();
        for (index, question) in questions.iter().enumerate() {
            match self.ask(editor, question)? {
                Some(answer) if !answer.is_empty() => words.push(answer),
                _ if index == 0 => return Err(Trouble::Usage("nothing was named".to_owned())),
                _ => {}
            }
        }
        Ok(words)
    }

    /// An answer, without blanks around it; `None` at the end of input.
    fn ask(&self, editor: &mut Option<LineEditor>, question: &str) -> Result<Option<String>, Trouble> {
        let Some(editor) = editor else {
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line);
            let bytes = read.map_err(|error| Trouble::local("read", "standard input", error))?;
            return Ok((bytes > 0).then(|| line.trim().to_owned()));
        };
        match self.wait(|| editor.readline(&format!("{question}: "))) {
            Ok(line) => Ok(Some(line.trim().to_owned())),
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => Ok(Some(String::new())),
            Err(ReadlineError::Eof) => Ok(None),
            Err(error) => Err(terminal(error, "read")),
        }
    }

    fn obey(&self, line: &str) -> Result<Next, Trouble> {
        let dialect = self.engine.borrow().server().dialect;
        match command::parse(line, dialect).map_err(Trouble::Usage)? {
            Line::Empty => {}
            Line::Shell(command) => self.wait(|| run_shell(&command))?,
            Line::Command(Verb::Exit, ..) => return Ok(Next::End),
            Line::Command(Verb::Connect, _, words) => {
                return match self.go_to(&words[0], words.get(1).map(String::as_str)) {
                    Ok(left) => left.map(|()| Next::Line),
                    Err(trouble) => Ok(Next::Astray(trouble)),
                };
            }
            Line::Command(verb, flags, words) => act::run(&mut self.engine.borrow_mut(), verb, &flags, &words)?,
        }
        Ok(Next::Line)
    }

    /// Leaves this server for another, once there is a session there; gives how the old session ended.
    fn go_to(&self, host: &str, port: Option<&str>) -> Result<Result<(), Trouble>, Trouble> {
        let target = parse((host, port, None))?;
        let connection = self.connection.fitting(target.server.dialect);
        let mut left = self.engine.replace(open(&target, &connection)?);
        let end = left.quit();
        println!("Connected to {}.", self.engine.borrow().server());
        Ok(end)
    }

    /// Waits for a person, or for a program of theirs.
    fn wait<T>(&self, action: impl FnOnce() -> T) -> T {
        self.waiting.store(true, Ordering::SeqCst);
        let result = action();
        self.waiting.store(false, Ordering::SeqCst);
        result
    }
}

fn new_editor() -> Result<LineEditor, Trouble> {
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
    Editor::with_config(config).map_err(|error| terminal(error, "use"))
}

fn run_shell(command: &str) -> Result<(), Trouble> {
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut program = Command::new(&shell);
    if !command.is_empty() {
        program.args(["-c", command]);
    }
    let status = program.status().map_err(|error| Trouble::local("run", shell.to_string_lossy(), error))?;
    if !status.success() {
        eprintln!("muxftp: the command ended with {status}");
    }
    Ok(())
}

/// Where the lines of former sessions are kept; its directory is made.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".local/state")))?;
    let directory = state.join("muxftp");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}

/// The columns of the terminal that standard output is; the usual number, where it is none.
fn width() -> usize {
    let found = termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    found.filter(|&columns| columns > 0).unwrap_or(USUAL_COLUMNS)
}

const USUAL_COLUMNS: usize = 80;

fn terminal(error: ReadlineError, doing: &str) -> Trouble {
    let error = match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    };
    Trouble::local(doing, "the terminal", error)
}
