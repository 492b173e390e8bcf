//! `get -c` and `put -c`: only what is missing is moved.
//!
//! It must not know how bytes are moved. That the beginning is the same here and there is taken on trust, as everywhere
//! in FTP: only sizes are compared.

use std::ffi::OsStr;

use muxftp_proto::Escaped;
use muxftp_proto::client::io::{Operation, PutMode, Told};

use crate::content::{Download, Upload};
use crate::engine::Engine;
use crate::oneshot;
use crate::trouble::Trouble;

/// Downloads what the file here lacks; gives the line that says so.
///
/// # Errors
/// The file here is longer than that of the server, or the transfer did not succeed.
pub(crate) fn download(
    engine: &mut Engine,
    path: &[u8],
    place: Option<&OsStr>,
    with_bar: bool,
) -> Result<String, Trouble> {
    let name = oneshot::file_name(path)?;
    let what = format!("get -c {}", Escaped(path));
    let size = match engine.ask(&Operation::Size { name: path.to_vec() }, &what)? {
        Some(Told::Size(size)) => size,
        _ => return Err(Trouble::Broken { what, reason: "the server told no size".to_owned() }),
    };
    let here = Download::size_of_part(name, place)?;
    if here > size {
        let text = format!("the file here has {here} bytes, that of the server only {size}: get it without -c");
        return Err(Trouble::Usage(format!("{what}: {text}")));
    }
    if here == size && Download::is_there(name, place) {
        return Ok(format!("{}: all {size} bytes are here already", Escaped(path)));
    }
    let download = Download::resume(name, place)?;
    oneshot::fetch(engine, path, download, here, with_bar)
}

/// Uploads what the server's file lacks; gives the line that says so.
///
/// # Errors
/// The server's file is longer than that here, or the transfer did not succeed.
pub(crate) fn upload(engine: &mut Engine, upload: Upload, name: &[u8], with_bar: bool) -> Result<String, Trouble> {
    let what = format!("put -c {}", Escaped(name));
    let there = match engine.ask(&Operation::Size { name: name.to_vec() }, &what) {
        Ok(Some(Told::Size(size))) => size,
        Ok(_) => return Err(Trouble::Broken { what, reason: "the server told no size".to_owned() }),
        Err(Trouble::Refused { code: NO_FILE, .. }) => return oneshot::upload(engine, upload, name, with_bar),
        Err(other) => return Err(other),
    };
    let here = upload.size();
    if there > here {
        let text = format!("the server's file has {there} bytes, that here only {here}: put it without -c");
        return Err(Trouble::Usage(format!("{what}: {text}")));
    }
    if there == here {
        return Ok(format!("{}: all {here} bytes are there already", Escaped(name)));
    }
    oneshot::send(engine, upload.from(there), name, PutMode::From(there), with_bar)
}

/// What servers answer when there is no such file.
const NO_FILE: u16 = 550;
