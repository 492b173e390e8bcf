//! File systems and disks that answer late or never.

use std::io::Write;
use std::time::Duration;

use muxftp_testkit::slow_disk::SlowDisk;
use muxftp_testkit::slow_fs::{Operation, Pace, SlowFs};

use crate::client::Ftp;
use crate::run::{Run, Until};
use crate::server::{Options, Server};

pub fn late(run: &Run<'_>, line: &'static str) -> Result<(), String> {
    with_paces(run, line, &Operation::ALL, Pace::Delayed(Duration::from_millis(100)))
}

pub fn dead(run: &Run<'_>, line: &'static str) -> Result<(), String> {
    with_paces(run, line, &Operation::ALL, Pace::Never)
}

pub fn dead_read(run: &Run<'_>) -> Result<(), String> {
    with_paces(run, "RETR slow/a", &[Operation::Read], Pace::Never)
}

pub fn dead_write(run: &Run<'_>) -> Result<(), String> {
    with_paces(run, "STOR slow/new", &[Operation::Write], Pace::Never)
}

pub fn dead_close(run: &Run<'_>) -> Result<(), String> {
    with_paces(run, "STOR slow/new", &[Operation::Close], Pace::Never)
}

/// Four sessions send the line at a mount whose operations have that pace; their replies are not waited for.
fn with_paces(run: &Run<'_>, line: &'static str, operations: &[Operation], pace: Pace) -> Result<(), String> {
    let mount_point = run.root().join("slow");
    let server = run.server()?;
    // Declared after the server, and so unmounted before it is ended: what hangs in the mount could not be killed.
    let slow = SlowFs::mount(&mount_point, &[("a", 8 << 20), ("dir/b", 1)]).map_err(|missing| missing.0)?;
    let mut sessions: Vec<Ftp> = (0..4).map(|_| Ftp::guest(server.ftp)).collect::<Result<_, _>>()?;
    let mut connections = Vec::new();
    if ["RETR", "STOR", "LIST"].iter().any(|verb| line.starts_with(verb)) {
        connections = sessions.iter_mut().map(Ftp::data).collect::<Result<_, _>>()?;
    }
    for operation in operations {
        slow.set_pace_of(*operation, pace);
    }
    run.measure(&server, |until| {
        for ftp in &mut sessions {
            ftp.send(line)?;
        }
        if line.starts_with("STOR") {
            for mut data in connections.drain(..) {
                data.write_all(&[0; 65536]).map_err(|error| format!("STOR: {error}"))?;
            }
        }
        until.wait();
        Ok(())
    })
}

pub fn cold_download(run: &Run<'_>) -> Result<(), String> {
    let mut disk = SlowDisk::mount(128).map_err(|missing| missing.0)?;
    super::write_file(&disk.path().join("cold"), &vec![7; 64 << 20])?;
    disk.make_cold("cold").map_err(|error| error.to_string())?;
    let server = throttled(run, &mut disk)?;
    let mut ftp = Ftp::guest(server.ftp)?;
    run.measure(&server, |until| on_the_side(until, move |until| ftp.receive("RETR cold", until)))
}

pub fn cold_upload(run: &Run<'_>) -> Result<(), String> {
    let mut disk = SlowDisk::mount(256).map_err(|missing| missing.0)?;
    let server = throttled(run, &mut disk)?;
    let mut ftp = Ftp::guest(server.ftp)?;
    run.measure(&server, |until| on_the_side(until, move |until| ftp.store("up", 64 << 20, until).map(|_| ())))
}

fn throttled(run: &Run<'_>, disk: &mut SlowDisk) -> Result<Server, String> {
    let server = run.server_with(Options { root: disk.path(), ..run.options() })?;
    disk.throttle(server.pid(), 1 << 20, 1 << 20).map_err(|missing| missing.0)?;
    Ok(server)
}

/// The load's transfer hangs as long as the disk does: it is not waited for.
fn on_the_side(until: &Until, load: impl FnOnce(&Until) -> Result<(), String> + Send + 'static) -> Result<(), String> {
    let inner = until.clone();
    let thread = std::thread::spawn(move || load(&inner));
    until.wait();
    if thread.is_finished() { thread.join().expect("the load does not panic") } else { Ok(()) }
}
