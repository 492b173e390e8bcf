//! The command line as typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use muxftp_proto::Dialect;
use muxftp_proto::client::io::ClientTimeouts;

/// A client for FTP servers, plain and with TLS, and for the small dialects of muxftpd
///
/// With a URL alone, or a host and a port, it opens a prompt; each command does one thing and ends.
#[derive(Debug, Parser)]
#[command(name = "muxftp", version, after_long_help = AFTER_HELP, after_help = "More with --help.",
          override_usage = "muxftp [OPTIONS] URL\n       muxftp [OPTIONS] HOST [PORT]\n       muxftp [OPTIONS] COMMAND ...",
          subcommand_negates_reqs = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// The server to open a prompt on: a URL (with ftp:// and ftps:// also of a directory there), or a host
    #[arg(value_name = "URL|HOST", required_unless_present = "host")]
    pub(crate) server: Option<String>,
    /// The port of HOST
    #[arg(value_name = "PORT")]
    pub(crate) port_word: Option<String>,
    /// The host to open a prompt on, in place of a URL
    #[arg(long, value_name = "HOST", conflicts_with = "server")]
    pub(crate) host: Option<String>,
    /// Its port [default: that of the dialect]
    #[arg(long, value_name = "PORT", conflicts_with = "port_word")]
    pub(crate) port: Option<String>,
    /// What the host speaks: simple, updown, ftp or ftps [default: by the port; simple, unless it is one of ftp, ftps or updown]
    #[arg(long, value_name = "DIALECT")]
    pub(crate) dialect: Option<String>,
    /// Show a numbered menu instead of the prompt
    #[arg(long)]
    pub(crate) menu: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What can be done without a prompt.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the names in a directory, one per line
    #[command(visible_aliases = ["list", "dir"])]
    Ls(Ls),
    /// Download files
    #[command(visible_aliases = ["download", "retrieve"])]
    Get(Get),
    /// Upload files
    #[command(visible_aliases = ["upload", "store"])]
    Put(Put),
    /// Download all files whose names match: in the last part of NAME, * ? [a-z] stand for parts of names
    Mget(Get),
    /// Upload all files whose names match, as mget does; where the shell of your system does not do it
    Mput(Put),
    /// Copy a whole tree from or to a server, but for what is the same already; only with ftp:// and ftps://
    Mirror(Mirror),
    /// Make directories on an ftp server
    Mkdir(Names),
    /// Remove empty directories on an ftp server
    Rmdir(Names),
    /// Remove files on an ftp server
    #[command(visible_alias = "delete")]
    Rm(Names),
    /// Show how many bytes files on an ftp server have
    Size(Names),
    /// Rename a file or directory on an ftp server
    Mv(Mv),
    /// Set rights on an ftp server
    Chmod(Chmod),
}

/// `muxftp ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// The directories to list
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    /// With sizes, times and rights, as the server writes them; only with ftp:// and ftps://
    #[arg(short, long)]
    pub(crate) long: bool,
}

/// `muxftp get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The files to download; each takes its own name, in the present directory
    #[arg(value_name = "URL/NAME", required = true)]
    pub(crate) urls: Vec<String>,
    /// Where to put it: a file, a directory, or `-` for standard output; for several files, a directory
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<OsString>,
    /// Go on with a download that broke off: what there is of it is kept in `FILE.part`; only with ftp:// and ftps://
    #[arg(short = 'c', long = "continue")]
    pub(crate) resume: bool,
    /// No progress and no result lines
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `muxftp put`.
#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The files to upload, or `-` for standard input, and last the URL: of the server or a directory with a `/` at its
    /// end, where files keep their names, or for one file with its new NAME
    #[arg(value_name = "FILE... URL[/NAME]", required = true)]
    pub(crate) files_and_url: Vec<OsString>,
    /// Send only what the server's file lacks; only with ftp:// and ftps://
    #[arg(short = 'c', long = "continue")]
    pub(crate) resume: bool,
    /// No progress and no result lines
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `muxftp mkdir`, `rmdir`, `rm` and `size`.
#[derive(Debug, Args)]
pub(crate) struct Names {
    /// What it is to be done to
    #[arg(value_name = "URL/NAME", required = true)]
    pub(crate) urls: Vec<String>,
}

/// `muxftp mv`.
#[derive(Debug, Args)]
pub(crate) struct Mv {
    /// The file or directory
    #[arg(value_name = "URL/NAME")]
    pub(crate) url: String,
    /// The name it is to have, on the same server, as the URL's NAME is written but without %XX
    #[arg(value_name = "NEW-NAME")]
    pub(crate) new_name: String,
}

/// `muxftp chmod`.
#[derive(Debug, Args)]
pub(crate) struct Chmod {
    /// In octal digits, such as 644
    #[arg(value_name = "MODE")]
    pub(crate) mode: String,
    /// Files and directories
    #[arg(value_name = "URL/NAME", required = true)]
    pub(crate) urls: Vec<String>,
}

/// `muxftp mirror`, and MIRROR at the prompt.
#[derive(Debug, Args)]
pub(crate) struct Mirror {
    /// From here to the server: DIRECTORY first, then the URL
    #[arg(short = 'R', long)]
    pub(crate) reverse: bool,
    /// Delete from the copy what is not at the source: files, links, directories with all below; but nothing of a directory that could not be listed for sure
    #[arg(long)]
    pub(crate) delete: bool,
    /// Change nothing, and name what would be done: `copy NAME`, `make NAME`, `delete NAME` (of a server's directory with a / at its end: all below it, too)
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Leave alone what has such a name, with all below it, on both sides: * ? [a-z] stand for parts of names, also of hidden ones; with a slash it is a path below FROM. May be repeated
    #[arg(short = 'x', long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<OsString>,
    /// So many sessions at once; fewer, if the server lets no more in
    #[arg(short = 'P', long, value_name = "N", default_value_t = crate::mirror::PARALLEL, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) parallel: u8,
    /// Name each file that is copied, left out or deleted
    #[arg(long)]
    pub(crate) names: bool,
    /// URL and DIRECTORY; what is newer at its source, or of another size, is copied anew; links are left out, but for those that a server lists as what they lead to
    #[arg(value_name = "FROM TO", required = true)]
    pub(crate) from_and_to: Vec<OsString>,
}

/// How to treat the server.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Give up after so many seconds without a sign of life [default: 10 to connect, 30 for a reply, 60 for data]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) timeout: Option<u32>,
    /// Show what is said on the control connection, on standard error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Who logs in with ftp:// or ftps://, when the URL does not say [default: of ~/.netrc, else anonymous]
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// TLS with ftp:// [default: optional]
    #[arg(long, global = true, value_name = "WHEN")]
    pub(crate) tls: Option<TlsChoice>,
    /// Trust the authorities in this PEM file, and not those of the system
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "insecure")]
    pub(crate) ca: Option<PathBuf>,
    /// Take any certificate: anyone on the way can be the server; for tests
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
    /// The server makes data connections (PORT, EPRT), in place of the client (EPSV, PASV)
    #[arg(long, global = true)]
    pub(crate) active: bool,
}

/// `--tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsChoice {
    /// None: all goes in the clear
    Off,
    /// If the server offers it, and then with a certificate that is trusted; else in the clear, which is told
    Optional,
    /// No log-in without it
    Required,
}

impl Connection {
    /// For a server of this dialect that the prompt goes to: without what is only for the one it comes from.
    pub(crate) fn fitting(&self, dialect: Dialect) -> Connection {
        match dialect {
            Dialect::Ftp => self.clone(),
            _ => Connection { timeout: self.timeout, verbose: self.verbose, ..Connection::default() },
        }
    }

    /// How long to wait.
    pub(crate) fn timeouts(&self) -> ClientTimeouts {
        match self.timeout {
            None => ClientTimeouts::default(),
            Some(seconds) => {
                let time = Duration::from_secs(seconds.into());
                ClientTimeouts { connect: time, reply: time, stall: time }
            }
        }
    }
}

/// What `--help` ends with.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  muxftp simple://127.0.0.1:2021
      A prompt; HELP lists its commands.
  muxftp 127.0.0.1 8080
      A prompt on a server of simple at this port, as --host and --port open it.
      Ports 21 and 2121 are ftp, 990 is ftps, 5001 is updown, unless --dialect
      says otherwise.
  muxftp --menu updown://127.0.0.1
      The same by numbers: 1 upload, 2 download, 3 list, 4 exit.
  muxftp ls simple://127.0.0.1:2021/photos
  muxftp get simple://127.0.0.1:2021/notes.txt -o /tmp/n.txt
  muxftp put a.txt 'my notes.txt' simple://127.0.0.1:2021
  muxftp mget 'ftp://ftp.example.org/pub/*.txt' -o texts
  tar c . | muxftp put - simple://127.0.0.1:2021/all.tar
  muxftp mirror ftp://ftp.example.org/pub/photos photos
  muxftp mirror -R -n --delete -x '*.tmp' site ftp://ann@ftp.example.org/www
  muxftp get ftp://ann@ftp.example.org/notes.txt --tls required

URLs: DIALECT://HOST[:PORT][/NAME] with the dialects simple (port 2021 when left
out), updown (5001), ftp (21) and ftps (990: TLS from the first byte on); an IPv6
address stands in brackets, and %20 is a blank. With ftp and ftps a user can stand
before the host: ftp://ann@host; names begin where the log-in leads, or, with two
slashes, at the server's root: ftp://host//pub/a.

The password of a user is taken from the URL (ftp://ann:secret@host: all users of
this machine can see it in the list of processes), else from the environment
variable MUXFTP_PASSWORD, else from ~/.netrc (or the file that NETRC names), else
it is asked for on the terminal.

With ftp:// TLS is asked for (AUTH TLS) and used when the server offers it. Anyone
on the way can make it look as if it did not: say --tls required, or ftps://,
where that matters. A certificate that is not trusted is never taken for no TLS.

A download appears under its name when it is complete, never before. muxftpd treats
uploads so, too; other servers keep the half of one, and put -c goes on with it.

Exit codes (of several failures, the first; 1 when a mirror could not copy all):
  0    done
  1    the server said no
  2    wrong command line
  3    could not connect
  4    the connection broke, timed out, or made no sense
  5    a file of this machine could not be read or written
  130  interrupted (128 + the signal's number)";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_url_alone_is_a_prompt() {
        let cli = Cli::try_parse_from(["muxftp", "-v", "simple://h"]).unwrap();
        assert_eq!(cli.server.as_deref(), Some("simple://h"));
        assert!(cli.command.is_none() && cli.connection.verbose);
    }

    #[test]
    fn flags_of_the_connection_stand_before_or_after_the_command() {
        for line in [
            ["muxftp", "get", "simple://h/a", "-o", "x", "--timeout", "5"],
            ["muxftp", "--timeout", "5", "get", "simple://h/a", "-o", "x"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            let Some(Command::Get(get)) = cli.command else { panic!("no get") };
            assert_eq!(get.urls, ["simple://h/a"]);
            assert_eq!(cli.connection.timeouts().reply, Duration::from_secs(5));
        }
    }

    #[test]
    fn options_may_stand_between_files_and_url() {
        let cli = Cli::try_parse_from(["muxftp", "put", "-c", "a", "--tls", "off", "ftp://h"]).unwrap();
        let Some(Command::Put(put)) = cli.command else { panic!("no put") };
        assert_eq!(put.files_and_url, ["a", "ftp://h"]);
        let cli = Cli::try_parse_from(["muxftp", "mirror", "-R", "a", "--tls", "off", "ftp://h/b"]).unwrap();
        let Some(Command::Mirror(mirror)) = cli.command else { panic!("no mirror") };
        assert_eq!(mirror.from_and_to, ["a", "ftp://h/b"]);
    }

    #[test]
    fn a_host_and_a_port_are_taken_as_words_and_as_options() {
        let cli = Cli::try_parse_from(["muxftp", "h", "8080"]).unwrap();
        assert_eq!((cli.server.as_deref(), cli.port_word.as_deref()), (Some("h"), Some("8080")));
        let cli = Cli::try_parse_from(["muxftp", "--host", "h", "--port", "21", "--dialect", "simple"]).unwrap();
        assert_eq!((cli.host.as_deref(), cli.port.as_deref()), (Some("h"), Some("21")));
        assert_eq!(cli.dialect.as_deref(), Some("simple"));
    }

    #[test]
    fn incomplete_lines_are_usage_errors() {
        for line in [&["muxftp", "ls"][..], &["muxftp", "get"], &["muxftp", "put"], &["muxftp", "a", "1", "2"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
