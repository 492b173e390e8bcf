//! A server in a thread, a scripted server, and the program under test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{LazyLock, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use muxftp_proto::Dialect;
use muxftp_server::config::{Listen, TlsMode, TlsSettings};
use muxftp_server::{Config, PortRange, Running};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

/// muxftpd over an empty directory, ended when it is dropped.
pub struct TestServer {
    root: TempDir,
    dialect: Dialect,
    running: Running,
}

impl TestServer {
    pub fn start() -> TestServer {
        TestServer::speaking(Dialect::Simple)
    }

    /// On an address of this machine that no other test has: the data port of updown is fixed.
    pub fn speaking(dialect: Dialect) -> TestServer {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::Relaxed), high.max(1), low);
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::embedded(root.path().to_owned(), PortRange::new(20000, 29999).unwrap());
        config.listen = vec![Listen::new(dialect, SocketAddr::new(address.into(), 0), TlsMode::Off)];
        let running = Running::start(&config).unwrap();
        TestServer { root, dialect, running }
    }

    /// With `ftp`, its TLS and settings of its own; with `ann` among its users.
    pub fn of_ftp(tls: TlsMode, change: impl FnOnce(&mut Config)) -> TestServer {
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::embedded(root.path().to_owned(), PortRange::new(20000, 29999).unwrap());
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        config.listen = vec![Listen::new(Dialect::Ftp, address, tls)];
        config.tls = (tls != TlsMode::Off).then(|| CERTIFICATE.settings());
        config.logins.delay = Duration::ZERO;
        config.users = Some(CERTIFICATE.users(root.path()));
        change(&mut config);
        let running = Running::start(&config).unwrap();
        TestServer { root, dialect: Dialect::Ftp, running }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}/{path}", self.dialect, self.running.address())
    }

    pub fn port(&self) -> u16 {
        self.running.address().port()
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }
}

/// The certificate of the servers with TLS, and other files of theirs.
pub struct Certificate {
    directory: TempDir,
    pub der: CertificateDer<'static>,
    pub key: Vec<u8>,
}

pub static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| Certificate::of(&["localhost", "127.0.0.1"], |_| {}));

impl Certificate {
    pub fn of(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let directory = tempfile::tempdir().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        std::fs::write(directory.path().join("cert.pem"), made.pem()).unwrap();
        std::fs::write(directory.path().join("key.pem"), key.serialize_pem()).unwrap();
        Certificate { directory, der: made.der().clone(), key: key.serialize_der() }
    }

    /// For a server's configuration.
    pub fn settings(&self) -> TlsSettings {
        TlsSettings::new(self.directory.path().join("cert.pem"), self.directory.path().join("key.pem"))
    }

    /// For `--ca`.
    pub fn file(&self) -> String {
        self.directory.path().join("cert.pem").to_str().unwrap().to_owned()
    }

    /// A file of users: `ann`, with [`PASSWORD`] and this root.
    fn users(&self, root: &Path) -> PathBuf {
        let file = self.directory.path().join(format!("{}.toml", root.file_name().unwrap().to_str().unwrap()));
        let root = root.to_str().unwrap();
        std::fs::write(&file, format!("[[user]]\nname = \"ann\"\npassword = \"{HASH}\"\nroot = \"{root}\"\n")).unwrap();
        file
    }
}

/// Of `ann`.
pub const PASSWORD: &str = "secret pw";

/// What `muxftpd user add` made of it.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$f46vrERo/PgcUmYrTo7oMQ$u98X2Zq8XGhSYowORmckjcOq/MGDYg14MOHooi0tiKA";

/// A server that does what a test says, for one connection after the other; ended with its script.
pub struct Fake {
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    /// Runs `script` on a listener.
    pub fn start(script: impl FnOnce(&TcpListener) + Send + 'static) -> Fake {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || script(&listener));
        Fake { address, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("simple://{}/{path}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Waits for the script's end, and fails when it failed.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The control connection of a fake server.
pub struct Control {
    stream: BufReader<TcpStream>,
}

impl Control {
    pub fn accept(listener: &TcpListener) -> Control {
        Control { stream: BufReader::new(listener.accept().unwrap().0) }
    }

    /// The next command, without its end; empty at the end.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits until something was said, and leaves it.
    pub fn peek(&mut self) {
        self.stream.fill_buf().unwrap();
    }

    pub fn say(&mut self, text: &[u8]) {
        self.stream.get_mut().write_all(text).unwrap();
    }

    /// As [`Control::say`], to a client that may be gone.
    pub fn try_say(&mut self, text: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(text)
    }

    /// Opens a data port, names it, and takes the connection.
    pub fn open_data(&mut self) -> TcpStream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        self.say(format!("200 OK {port}\r\n").as_bytes());
        listener.accept().unwrap().0
    }

    /// Waits until the client has closed.
    pub fn wait_for_end(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = self.stream.read_to_end(&mut rest);
    }
}

/// muxftp, to be started in `directory`.
pub fn muxftp<S: AsRef<OsStr>>(directory: &Path, args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muxftp"));
    command.args(args).current_dir(directory).stdin(Stdio::null());
    // Nothing of whoever runs the tests.
    command.env("HOME", directory).env_remove("NETRC").env_remove("MUXFTP_PASSWORD");
    command
}

/// Runs muxftp to its end.
pub fn run<S: AsRef<OsStr>>(directory: &Path, args: &[S]) -> Output {
    muxftp(directory, args).output().unwrap()
}

/// Runs muxftp with a script on its standard input.
pub fn run_with_input<S: AsRef<OsStr>>(directory: &Path, args: &[S], input: &[u8]) -> Output {
    feed(muxftp(directory, args), input)
}

/// Runs a command with this on its standard input.
pub fn feed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended before it read anything; what it said is what counts.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// All names in a directory, hidden ones included.
pub fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Sends a signal to a child of ours.
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Two ends of "it is time".
pub fn moment() -> (mpsc::Sender<()>, mpsc::Receiver<()>) {
    mpsc::channel()
}

/// Looks again and again, for what no program announces, such as a file that grows.
pub fn wait_until(is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < HANG, "it does not come to that");
        std::thread::sleep(LOOK);
    }
}

const LOOK: Duration = Duration::from_millis(2);

/// Not a limit on speed: it only turns a hang into a failure.
pub const HANG: Duration = Duration::from_secs(60);
