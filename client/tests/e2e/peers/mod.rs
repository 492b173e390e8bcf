//! muxftp against servers of other people: all its commands, trees both ways, what broke off, and listings.

mod commands;
mod mirror;
mod resume;
mod server;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use server::{ALL, PASSWORD, PeerServer, Program, Wire};

use crate::support::{muxftp, text};

impl PeerServer {
    /// For muxftp.
    fn url(&self, path: &str) -> String {
        let scheme = if self.wire() == Wire::Implicit { "ftps" } else { "ftp" };
        format!("{scheme}://{}@{}/{path}", self.user(), self.address())
    }

    /// muxftp, to be started in `here`: with TLS where the server has it, and else without.
    fn muxftp<S: AsRef<OsStr>>(&self, here: &Path, args: &[S]) -> Command {
        let mut command = muxftp(here, args);
        command.env("MUXFTP_PASSWORD", PASSWORD).arg("--ca").arg(self.certificate());
        command.args(["--tls", if self.wire() == Wire::Plain { "off" } else { "required" }]);
        command
    }

    /// Runs it to its end, which must be a good one, without a word on standard error; gives what it printed.
    fn run<S: AsRef<OsStr>>(&self, here: &Path, args: &[S]) -> String {
        let output = self.muxftp(here, args).output().unwrap();
        self.assert_good(&output);
        text(&output.stdout).to_owned()
    }

    fn assert_good(&self, output: &Output) {
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{self}: {}: {told}", output.status);
    }
}

/// Does it with each server in each way, several at once.
fn with_each(rate: Option<u32>, test: impl Fn(PeerServer) + Sync) {
    std::thread::scope(|scope| {
        for (program, wire) in ALL {
            let test = &test;
            scope.spawn(move || {
                if let Some(server) = PeerServer::start(program, wire, rate) {
                    test(server);
                }
            });
        }
    });
}
