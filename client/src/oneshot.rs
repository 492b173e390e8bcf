//! `muxftp ls`, `get`, `put`, `mget`, `mput` and `mirror`: things done without a prompt, for people and scripts.
//!
//! Invariant: what can be known to be wrong before a connection is made (URLs, local files) is told before.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::Path;

use muxftp_proto::client::io::{ListingForm, Operation, PutMode};
use muxftp_proto::{Dialect, Escaped};

use crate::args::{Connection, Get, Ls, Mirror, Put};
use crate::content::{Content, Download, Listing, Upload};
use crate::engine::{Engine, Watch};
use crate::many;
use crate::mirror::{self, Plan};
use crate::names;
use crate::progress::{Progress, result_line};
use crate::report;
use crate::resume;
use crate::target::{self, EXAMPLE, ServerName, Target};
use crate::trouble::{Trouble, report_rest_left};

/// `muxftp ls`.
pub(crate) fn ls(args: &Ls, connection: &Connection) -> Result<(), Trouble> {
    let targets = parse_all(&args.urls)?;
    let form = if args.long { ListingForm::Long } else { ListingForm::Names };
    let mut sessions = Sessions::new(connection);
    let results = targets.iter().map(|target| list(sessions.on(&target.server)?, &target.path, form));
    let result = run_all(results);
    result.and(sessions.end())
}

/// `muxftp get`.
pub(crate) fn get(args: &Get, connection: &Connection) -> Result<(), Trouble> {
    let targets = parse_downloads(args, args.urls.len() > 1)?;
    let mut sessions = Sessions::new(connection);
    let result = get_all(&targets, args, &mut sessions);
    result.and(sessions.end())
}

/// `muxftp mget`.
pub(crate) fn mget(args: &Get, connection: &Connection) -> Result<(), Trouble> {
    let patterns = parse_downloads(args, true)?;
    let mut sessions = Sessions::new(connection);
    let result = expand(&patterns, &mut sessions).and_then(|targets| get_all(&targets, args, &mut sessions));
    result.and(sessions.end())
}

/// What is to be downloaded; `many`: perhaps several files.
fn parse_downloads(args: &Get, many: bool) -> Result<Vec<Target>, Trouble> {
    let targets = parse_all(&args.urls)?;
    if let Some(nameless) = targets.iter().position(|target| target.file_name().is_none()) {
        let url = target::shown(&args.urls[nameless]);
        return Err(Trouble::Usage(format!("`{url}` names no file: put one after the server, such as {EXAMPLE}")));
    }
    if let Some(place) = args.output.as_deref()
        && many
        && place != "-"
        && !Path::new(place).is_dir()
    {
        let text = "with several files, -o must name a directory that exists, or `-`";
        return Err(Trouble::Usage(text.to_owned()));
    }
    Ok(targets)
}

fn get_all(targets: &[Target], args: &Get, sessions: &mut Sessions<'_>) -> Result<(), Trouble> {
    let place = args.output.as_deref();
    run_all(targets.iter().map(|target| {
        let engine = sessions.on(&target.server)?;
        let line = match args.resume {
            true => resume::download(engine, &target.path, place, !args.quiet)?,
            false => download(engine, &target.path, place, !args.quiet)?,
        };
        tell(&line, args.quiet);
        Ok(())
    }))
}

/// The files that match.
fn expand(patterns: &[Target], sessions: &mut Sessions<'_>) -> Result<Vec<Target>, Trouble> {
    let mut targets = Vec::new();
    for Target { server, path } in patterns {
        let found = many::remote(sessions.on(server)?, path)?;
        targets.extend(found.into_iter().map(|path| Target { server: server.clone(), path }));
    }
    Ok(targets)
}

/// `muxftp put`.
pub(crate) fn put(args: &Put, connection: &Connection) -> Result<(), Trouble> {
    let (files, target) = parse_uploads(args)?;
    put_all(files, &target, args, connection)
}

/// `muxftp mput`.
pub(crate) fn mput(args: &Put, connection: &Connection) -> Result<(), Trouble> {
    let (patterns, target) = parse_uploads(args)?;
    if !target.is_directory() {
        let text = "the URL must name the server, or a directory with a `/` at its end: files keep their names";
        return Err(Trouble::Usage(text.to_owned()));
    }
    let mut files = Vec::new();
    for pattern in patterns {
        files.extend(many::local(pattern)?.into_iter().map(OsString::from));
    }
    put_all(&files, &target, args, connection)
}

/// The files, or patterns, and where they go.
fn parse_uploads(args: &Put) -> Result<(&[OsString], Target), Trouble> {
    let Some((url, files @ [_, ..])) = args.files_and_url.split_last() else {
        return Err(Trouble::Usage("say which files, and where they go: muxftp put FILE... URL".to_owned()));
    };
    let Some(url) = url.to_str() else {
        return Err(Trouble::Usage("the URL, which comes last, is not text".to_owned()));
    };
    let target = Target::parse(url).map_err(|wrong| Trouble::Usage(format!("{wrong} (the URL comes last)")))?;
    Ok((files, target))
}

fn put_all(files: &[OsString], target: &Target, args: &Put, connection: &Connection) -> Result<(), Trouble> {
    let uploads = plan_uploads(files, target)?;
    let mut sessions = Sessions::new(connection);
    let results = uploads.into_iter().map(|PlannedUpload { content, name }| {
        let content = content?;
        let engine = sessions.on(&target.server)?;
        let line = match args.resume {
            true => resume::upload(engine, content, &name, !args.quiet)?,
            false => upload(engine, content, &name, !args.quiet)?,
        };
        tell(&line, args.quiet);
        Ok(())
    });
    let result = run_all(results);
    result.and(sessions.end())
}

/// `muxftp mirror`.
pub(crate) fn mirror(args: &Mirror, connection: &Connection) -> Result<(), Trouble> {
    let [from, to] = args.from_and_to.as_slice() else {
        return Err(Trouble::Usage(
            "say from where, and to where: muxftp mirror URL DIRECTORY, or muxftp mirror -R DIRECTORY URL".to_owned(),
        ));
    };
    let (url, local) = if args.reverse { (to, from) } else { (from, to) };
    let Some(url) = url.to_str() else {
        return Err(Trouble::Usage("the URL is not text".to_owned()));
    };
    let order = if args.reverse { "DIRECTORY URL" } else { "URL DIRECTORY, or with -R DIRECTORY URL" };
    let target = Target::parse(url).map_err(|wrong| Trouble::Usage(format!("{wrong} (muxftp mirror {order})")))?;
    let plan = Plan::new(args, target.path, local.into());
    let mut engine = Engine::new(&target.server, connection)?;
    let result = mirror::run(&mut engine, &plan).map(|line| println!("{line}"));
    result.and(engine.quit())
}

/// Prints the names in a directory of the server.
pub(crate) fn list(engine: &mut Engine, path: &[u8], form: ListingForm) -> Result<(), Trouble> {
    if form != ListingForm::Names && engine.server().dialect != Dialect::Ftp {
        let text = format!("ls -l: {} lists names only: leave out the -l", engine.server().dialect);
        return Err(Trouble::Usage(text));
    }
    let what = format!("ls {}", Escaped(if path.is_empty() { b"/" } else { path }));
    let has_network_ends = engine.server().dialect == Dialect::Ftp;
    let new = || Listing::print(has_network_ends);
    let path = (!path.is_empty()).then(|| path.to_vec());
    let listing = match form {
        ListingForm::Names => names::list(engine, path, &what, new)?,
        form => names::fetch(engine, path, form, &what, new())?,
    };
    listing.finish().map_err(|error| Trouble::local("write to", "standard output", error))
}

/// Downloads a file; gives the line that says so.
pub(crate) fn download(
    engine: &mut Engine,
    path: &[u8],
    place: Option<&OsStr>,
    with_bar: bool,
) -> Result<String, Trouble> {
    let name = file_name(path)?;
    fetch(engine, path, Download::begin(name, place)?, 0, with_bar && place.is_none_or(|place| place != "-"))
}

/// The name that a file of the server gets here.
///
/// # Errors
/// Its path names no file.
pub(crate) fn file_name(path: &[u8]) -> Result<&[u8], Trouble> {
    let wrong = || Trouble::Usage(format!("`{}` is not the name of a file", Escaped(path)));
    target::last_component(path).ok_or_else(wrong)
}

/// Downloads what a file has from byte `offset` on; gives the line that says so.
pub(crate) fn fetch(
    engine: &mut Engine,
    path: &[u8],
    download: Download,
    offset: u64,
    with_bar: bool,
) -> Result<String, Trouble> {
    let to = download.to_string();
    let what = format!("get {}", Escaped(path));
    let bar = Progress::new(&Escaped(path).to_string(), None, with_bar);
    let watch = Watch { progress: Some(&mut |bytes, expected| bar.set(bytes, expected)), ..Watch::default() };
    let operation = Operation::Get { name: path.to_vec(), offset };
    let done = engine.run(&operation, Content::Download(download), &what, watch)?;
    if let Content::Download(download) = done.content {
        download.finish()?;
    }
    Ok(format!("{} -> {to}: {}", Escaped(path), result_line(done.bytes, done.took)))
}

/// Uploads a file as `name`; gives the line that says so.
pub(crate) fn upload(engine: &mut Engine, upload: Upload, name: &[u8], with_bar: bool) -> Result<String, Trouble> {
    send(engine, upload, name, PutMode::Replace, with_bar)
}

/// Uploads as `name` what `upload` gives; gives the line that says so.
pub(crate) fn send(
    engine: &mut Engine,
    upload: Upload,
    name: &[u8],
    mode: PutMode,
    with_bar: bool,
) -> Result<String, Trouble> {
    let (from, size) = (upload.to_string(), upload.size());
    let what = format!("put {}", Escaped(name));
    let bar = Progress::new(&from, Some(size), with_bar);
    let watch = Watch { progress: Some(&mut |bytes, expected| bar.set(bytes, expected)), ..Watch::default() };
    let operation = Operation::Put { name: name.to_vec(), size: Some(size), mode };
    let done = engine.run(&operation, Content::Upload(upload), &what, watch)?;
    Ok(format!("{from} -> {}: {}", Escaped(name), result_line(done.bytes, done.took)))
}

/// One file of `muxftp put`.
struct PlannedUpload {
    /// Or why it cannot be read.
    content: Result<Upload, Trouble>,
    name: Vec<u8>,
}

/// The session of the present URL: kept while the next URL is of the same server.
pub(crate) struct Sessions<'a> {
    connection: &'a Connection,
    engine: Option<Engine>,
    /// A session before this one has reported an operation as not confirmed.
    left: Result<(), Trouble>,
}

impl<'a> Sessions<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Sessions<'a> {
        Sessions { connection, engine: None, left: Ok(()) }
    }

    pub(crate) fn on(&mut self, server: &ServerName) -> Result<&mut Engine, Trouble> {
        if self.engine.as_ref().is_some_and(|engine| engine.server() != server) {
            self.left = self.end();
        }
        match &mut self.engine {
            Some(engine) => Ok(engine),
            none => Ok(none.insert(Engine::new(server, self.connection)?)),
        }
    }

    /// Ends the session.
    ///
    /// # Errors
    /// An operation that had seemed done was reported as not confirmed.
    pub(crate) fn end(&mut self) -> Result<(), Trouble> {
        let left = std::mem::replace(&mut self.left, Ok(()));
        match self.engine.take() {
            Some(mut engine) => left.and(engine.quit()),
            None => left,
        }
    }
}

pub(crate) fn parse_all(urls: &[String]) -> Result<Vec<Target>, Trouble> {
    urls.iter().map(|url| Target::parse(url).map_err(Trouble::Usage)).collect()
}

/// What goes where.
fn plan_uploads(files: &[OsString], target: &Target) -> Result<Vec<PlannedUpload>, Trouble> {
    let is_directory = target.is_directory();
    if files.len() > 1 && !is_directory {
        let text = "with several files, the URL must name the server, or a directory with a `/` at its end";
        return Err(Trouble::Usage(text.to_owned()));
    }
    let mut plans = Vec::new();
    for file in files {
        let name = match (is_directory, Upload::file_name(file)) {
            (false, _) => target.path.clone(),
            (true, Some(name)) => [&target.path, name].concat(),
            (true, None) => {
                let text = "this has no name of its own: put one at the end of the URL";
                return Err(Trouble::Usage(format!("`{}`: {text}", file.to_string_lossy())));
            }
        };
        plans.push(PlannedUpload { content: Upload::open(file), name });
    }
    Ok(plans)
}

/// Does all, reporting each failure when it comes; one alone is left to the caller to report.
pub(crate) fn run_all(mut results: impl ExactSizeIterator<Item = Result<(), Trouble>>) -> Result<(), Trouble> {
    let alone = results.len() == 1;
    let mut code = None;
    while let Some(result) = results.next() {
        match result {
            Ok(()) => {}
            Err(trouble) if alone || trouble.is_interruption() => return Err(trouble),
            Err(trouble) => {
                report(&trouble);
                code.get_or_insert(trouble.exit_code());
                if !trouble.spares_the_rest() {
                    if results.len() > 0 {
                        report_rest_left();
                    }
                    break;
                }
            }
        }
    }
    code.map_or(Ok(()), |code| Err(Trouble::Reported(code)))
}

/// A result, for a person at a terminal.
fn tell(line: &str, quiet: bool) {
    if !quiet && std::io::stderr().is_terminal() {
        eprintln!("{line}");
    }
}
