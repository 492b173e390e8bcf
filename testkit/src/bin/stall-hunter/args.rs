//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::cases::Case;

/// Measure how long one session of muxftpd waits while others try to stop the server
///
/// Each case starts a muxftpd over a scratch directory. One session sends NOOP every 2 ms; the case's load runs beside it. The
/// table shows the round trips of NOOP, how many took more than 50 ms, and whether the server answered at all.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER)]
pub struct Args {
    /// Measure this muxftpd; give it twice to compare two, each case with each in turn [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    server: Vec<PathBuf>,
    /// Run only the cases with TEXT in their name; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub case: Vec<String>,
    /// List the cases and exit
    #[arg(long)]
    pub list: bool,
    /// How long each load runs
    #[arg(long, default_value_t = 4.0, value_name = "SECONDS")]
    seconds: f64,
    /// How long a reply may take before the server is taken for stuck and killed
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    patience: f64,
    /// Size of the large files, in MiB
    #[arg(long, default_value_t = 1024, value_name = "MIB")]
    pub large: u64,
    /// Names in the large directory
    #[arg(long, default_value_t = 200_000, value_name = "COUNT")]
    pub names: usize,
    /// One short round of the cases that need little, for a check before each change
    #[arg(long)]
    pub brief: bool,
    /// Also write the table to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What the file says of the servers, such as their commits
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub remark: String,
}

impl Args {
    pub fn wants(&self, case: &Case) -> bool {
        let named = self.case.is_empty() || self.case.iter().any(|text| case.name.contains(text.as_str()));
        named && (case.brief || !self.brief)
    }

    /// # Errors
    ///
    /// A server is not there.
    pub fn servers(&self) -> Result<Vec<PathBuf>, String> {
        let mut servers = self.server.clone();
        if servers.is_empty() {
            let here = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
            servers.push(here.with_file_name("muxftpd"));
        }
        for server in &servers {
            if !server.is_file() {
                return Err(format!(
                    "there is no {}: build it (`cargo build --release`) or name another with --server",
                    server.display()
                ));
            }
        }
        Ok(servers)
    }

    pub fn load_time(&self) -> Duration {
        Duration::from_secs_f64(if self.brief { self.seconds.min(1.0) } else { self.seconds })
    }

    pub fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.patience)
    }

    pub fn large_bytes(&self) -> u64 {
        (if self.brief { self.large.min(64) } else { self.large }) << 20
    }

    pub fn many_names(&self) -> usize {
        if self.brief { self.names.min(10_000) } else { self.names }
    }
}

const AFTER: &str = "\
Examples:
  stall-hunter
      All cases with the muxftpd beside this program: about ten minutes.
  stall-hunter --case dead --case storm
      The cases with `dead` or `storm` in their name.
  stall-hunter --server ./muxftpd-old --server target/release/muxftpd --out stalls.txt
      Two servers in turn, into a file.
  stall-hunter --large 5120 --names 1000000
      Larger files and directories.

Cases that mount need root; they are skipped, with the reason, when something is missing.
Ctrl-C unmounts, ends the server and removes the scratch files.

Exit codes: 0 the server answered in all cases, 1 it stopped answering in one,
2 nothing could be measured.";
