//! What each command of the prompt does.
//!
//! It must not know the terminal, nor how an operation runs.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::Parser;
use muxftp_proto::Escaped;
use muxftp_proto::client::io::{ListingForm, Operation, Told};

use super::table::{Verb, help};
use crate::args;
use crate::content::Upload;
use crate::engine::Engine;
use crate::many;
use crate::mirror::{self, Plan};
use crate::oneshot;
use crate::remote;
use crate::resume;
use crate::trouble::Trouble;

/// Does a command; of `words` there are as many as its row in the table demands.
///
/// # Errors
/// It did not succeed.
pub(super) fn run(engine: &mut Engine, verb: Verb, flags: &str, words: &[String]) -> Result<(), Trouble> {
    let first = words.first().map(String::as_str).unwrap_or_default();
    let second = words.get(1).map(String::as_str);
    let named = |name: &str| name.as_bytes().to_vec();
    match verb {
        Verb::List => {
            let form = if flags.contains('l') { ListingForm::Long } else { ListingForm::Names };
            oneshot::list(engine, first.as_bytes(), form)
        }
        Verb::Get => get(engine, flags.contains('c'), first, second),
        Verb::Put => put(engine, flags.contains('c'), first, second),
        Verb::GetMany => many::get(engine, words),
        Verb::PutMany => many::put(engine, words),
        Verb::Mirror => copy_tree(engine, words),
        Verb::ChangeDirectory => {
            engine.ask(&Operation::ChangeDirectory { name: named(first) }, &said("cd", first))?;
            engine.remember_directory().map(|path| println!("{}", Escaped(&path)))
        }
        Verb::Path => engine.remember_directory().map(|path| println!("{}", Escaped(&path))),
        Verb::MakeDirectory => each(engine, "mkdir", words, |name| Operation::MakeDirectory { name }),
        Verb::RemoveDirectory => each(engine, "rmdir", words, |name| Operation::RemoveDirectory { name }),
        Verb::Remove => each(engine, "rm", words, |name| Operation::Delete { name }),
        Verb::Rename => {
            let to = named(second.unwrap_or_default());
            engine.ask(&Operation::Rename { from: named(first), to }, &said("mv", first)).map(drop)
        }
        Verb::Size => {
            let told = engine.ask(&Operation::Size { name: named(first) }, &said("size", first))?;
            show(told);
            Ok(())
        }
        Verb::SetMode => {
            let mode = remote::parse_mode(first)?;
            let name = second.unwrap_or_default();
            engine.ask(&Operation::SetMode { name: named(name), mode }, &said("chmod", name)).map(drop)
        }
        Verb::Quote => quote(engine, words),
        Verb::Noop => engine.ask(&Operation::Noop, "noop").map(drop),
        Verb::LocalDirectory => change_directory(if first.is_empty() { "~" } else { first }),
        Verb::LocalPath => show_directory(),
        Verb::Help => {
            print!("{}", help(engine.server().dialect, super::width()));
            Ok(())
        }
        // The prompt does these itself.
        Verb::Connect | Verb::Exit => Ok(()),
    }
}

fn get(engine: &mut Engine, goes_on: bool, name: &str, place: Option<&str>) -> Result<(), Trouble> {
    let place = place.map(at_home);
    let place = place.as_deref().map(Path::as_os_str);
    let line = match goes_on {
        true => resume::download(engine, name.as_bytes(), place, true)?,
        false => oneshot::download(engine, name.as_bytes(), place, true)?,
    };
    println!("{line}");
    Ok(())
}

fn put(engine: &mut Engine, goes_on: bool, local: &str, name: Option<&str>) -> Result<(), Trouble> {
    let local = at_home(local);
    let upload = Upload::open(local.as_os_str())?;
    let name = match name {
        Some(name) => name.as_bytes(),
        None => Upload::file_name(local.as_os_str())
            .ok_or_else(|| Trouble::Usage("say the name it is to have: PUT local name".to_owned()))?,
    };
    let line = match goes_on {
        true => resume::upload(engine, upload, name, true)?,
        false => oneshot::upload(engine, upload, name, true)?,
    };
    println!("{line}");
    Ok(())
}

/// What is behind MIRROR: as on the command line, but that `-v` is free for the names there.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct MirrorLine {
    #[command(flatten)]
    mirror: args::Mirror,
    #[arg(short)]
    verbose: bool,
}

fn copy_tree(engine: &mut Engine, words: &[String]) -> Result<(), Trouble> {
    let usage = |reason: &str| Trouble::Usage(format!("mirror: {reason}; HELP tells how it is written"));
    let mut line = MirrorLine::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().next().unwrap_or_default();
        usage(reason.strip_prefix("error: ").unwrap_or(reason))
    })?;
    line.mirror.names |= line.verbose;
    let [from, to] = line.mirror.from_and_to.as_slice() else {
        return Err(usage("say from where, and to where; a name with blanks stands in quotation marks"));
    };
    let (remote, local) = if line.mirror.reverse { (to, from) } else { (from, to) };
    let plan = Plan::new(&line.mirror, remote.as_bytes().to_vec(), at_home(&local.to_string_lossy()));
    mirror::run(engine, &plan).map(|line| println!("{line}"))
}

/// The same with each name, up to the first that fails.
fn each(
    engine: &mut Engine,
    what: &str,
    names: &[String],
    operation: impl Fn(Vec<u8>) -> Operation,
) -> Result<(), Trouble> {
    names.iter().try_for_each(|name| engine.ask(&operation(name.as_bytes().to_vec()), &said(what, name)).map(drop))
}

fn quote(engine: &mut Engine, words: &[String]) -> Result<(), Trouble> {
    let line = words.join(" ");
    let is_move = MOVES.iter().any(|verb| words[0].eq_ignore_ascii_case(verb));
    show(engine.ask(&Operation::Quote { line: line.clone().into_bytes() }, &said("quote", &line))?);
    match is_move {
        true => engine.remember_directory().map(drop),
        false => Ok(()),
    }
}

fn show(told: Option<Told>) {
    match told {
        Some(Told::Size(bytes)) => println!("{bytes}"),
        Some(Told::Reply { code, text }) => {
            for line in text.split(|&byte| byte == b'\n') {
                println!("{code} {}", Escaped(line.trim_ascii_end()));
            }
        }
        _ => {}
    }
}

/// A command for a message.
fn said(what: &str, name: &str) -> String {
    format!("{what} {}", Escaped(name.as_bytes()))
}

fn change_directory(directory: &str) -> Result<(), Trouble> {
    let directory = at_home(directory);
    std::env::set_current_dir(&directory)
        .map_err(|error| Trouble::local("change to", directory.to_string_lossy(), error))?;
    show_directory()
}

fn show_directory() -> Result<(), Trouble> {
    let directory = std::env::current_dir().map_err(|error| Trouble::local("find", "the directory here", error))?;
    println!("{}", muxftp_proto::Escaped(directory.as_os_str().as_encoded_bytes()));
    Ok(())
}

/// A leading `~` is the home directory, as a shell reads it.
fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix('~'), std::env::home_dir()) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}

/// After these the working directory may be another.
const MOVES: [&str; 4] = ["CWD", "CDUP", "XCWD", "XCUP"];
