//! Large files, large directories.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use rustix::fs::FallocateFlags;

use crate::client::Ftp;
use crate::run::{Run, Until};
use crate::server::Options;

/// A file that occupies all of its size.
fn large(path: &Path, bytes: u64) -> Result<(), String> {
    let made = File::create(path).and_then(|file| Ok(rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?));
    made.map_err(|error| format!("{}: {error}", path.display()))
}

fn many(root: &Path, count: usize) -> Result<(), String> {
    let directory = root.join("many");
    let made = std::fs::create_dir(&directory).and_then(|()| {
        (0..count).try_for_each(|number| File::create(directory.join(format!("f{number:07}"))).map(|_| ()))
    });
    made.map_err(|error| format!("{}: {error}", directory.display()))
}

/// A reply that must not be a refusal.
fn accepted(reply: String) -> Result<(), String> {
    if reply.starts_with(['1', '2', '3']) { Ok(()) } else { Err(reply) }
}

pub fn delete(run: &Run<'_>) -> Result<(), String> {
    large(&run.root().join("large"), run.args.large_bytes())?;
    let server = run.server()?;
    let mut ftp = Ftp::guest(server.ftp)?;
    run.measure(&server, |_| accepted(ftp.command("DELE large")?))
}

pub fn replace(run: &Run<'_>) -> Result<(), String> {
    large(&run.root().join("large"), run.args.large_bytes())?;
    let server = run.server()?;
    let mut ftp = Ftp::guest(server.ftp)?;
    run.measure(&server, |until| accepted(ftp.store("large", 1, until)?))
}

pub fn abort(run: &Run<'_>) -> Result<(), String> {
    let server = run.server()?;
    let mut ftp = Ftp::guest(server.ftp)?;
    let mut data = ftp.data()?;
    accepted(ftp.command("STOR large")?)?;
    let chunk = vec![0; 1 << 20];
    for _ in 0..run.args.large_bytes() >> 20 {
        data.write_all(&chunk).map_err(|error| format!("STOR: {error}"))?;
    }
    run.measure(&server, |_| ftp.command("ABOR").map(|_| ()))
}

pub fn delete_fragmented(run: &Run<'_>) -> Result<(), String> {
    let disk = tempfile::Builder::new().prefix("stall-hunter-").tempdir_in("/var/tmp");
    let disk = disk.map_err(|error| format!("/var/tmp: {error}"))?;
    let path = disk.path().join("large");
    large(&path, 2 * BLOCK * EXTENTS)?;
    let file = File::options().write(true).open(&path).map_err(|error| error.to_string())?;
    for number in 0..EXTENTS {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&file, hole, 2 * BLOCK * number, BLOCK)
            .map_err(|error| format!("no holes in {}: {error}", path.display()))?;
    }
    file.sync_all().map_err(|error| error.to_string())?;
    drop(file);
    let server = run.server_with(Options { root: disk.path(), ..run.options() })?;
    let mut ftp = Ftp::guest(server.ftp)?;
    run.measure(&server, |_| accepted(ftp.command("DELE large")?))
}

/// Three sessions that do the same again and again.
fn three(run: &Run<'_>, work: impl Fn(&mut Ftp, usize, &Until) -> Result<(), String> + Sync) -> Result<(), String> {
    let server = run.server()?;
    run.measure(&server, |until| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|number| {
                    let (work, server) = (&work, &server);
                    scope.spawn(move || {
                        super::stand_back();
                        while until.lasts() {
                            let mut ftp = Ftp::guest(server.ftp)?;
                            work(&mut ftp, number, until)?;
                        }
                        Ok(())
                    })
                })
                .collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("the load does not panic"))
        })
    })
}

pub fn downloads(run: &Run<'_>) -> Result<(), String> {
    large(&run.root().join("large"), run.args.large_bytes())?;
    three(run, |ftp, _, until| ftp.receive("RETR large", until))
}

pub fn uploads(run: &Run<'_>) -> Result<(), String> {
    let bytes = run.args.large_bytes();
    three(run, |ftp, number, until| ftp.store(&format!("up{number}"), bytes, until).map(|_| ()))
}

pub fn list(run: &Run<'_>, line: &'static str) -> Result<(), String> {
    many(run.root(), run.args.many_names())?;
    three(run, |ftp, _, until| ftp.receive(line, until))
}

pub fn list_updown(run: &Run<'_>) -> Result<(), String> {
    many(run.root(), run.args.many_names())?;
    let server = run.server()?;
    run.measure(&server, |until| {
        super::stand_back();
        while until.lasts() {
            let mut control = TcpStream::connect(("127.0.0.1", server.updown)).map_err(|error| error.to_string())?;
            control.write_all(b"LIST many\r\n").map_err(|error| error.to_string())?;
            let Ok(mut data) = TcpStream::connect(("127.0.0.1", server.updown_data)) else { continue };
            let mut buffer = vec![0; 256 * 1024];
            while until.lasts() && matches!(data.read(&mut buffer), Ok(1..)) {}
        }
        Ok(())
    })
}

/// `alice` has a quota: her first session counts what is there.
pub fn measure_quota(run: &Run<'_>) -> Result<(), String> {
    many(run.root(), run.args.many_names())?;
    let server = run.server()?;
    run.measure(&server, |until| {
        while until.lasts() {
            accepted(Ftp::connect(server.ftp)?.log_in("alice", "secret")?)?;
        }
        Ok(())
    })
}

pub fn hash(run: &Run<'_>) -> Result<(), String> {
    large(&run.root().join("large"), run.args.large_bytes())?;
    three(run, |ftp, _, _| accepted(ftp.command("HASH large")?))
}

const BLOCK: u64 = 4096;
const EXTENTS: u64 = 1024;
