//! A server of `simple` in threads, written from the transcripts alone, that can be told to lie.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    None,
    /// One bit of each download is wrong.
    WrongByte,
    /// Downloads end early, and are called complete.
    CutShort,
    /// Downloads have a byte too many.
    OneMore,
    /// Uploads are called complete, and thrown away.
    LostUpload,
    /// Listings leave out a name.
    MissingName,
    /// Every reply is of another protocol.
    Garbage,
    /// A reply without end.
    EndlessLine,
    /// No to everything.
    Refuses,
    /// The control connection is closed at the first command.
    HangsUp,
    /// Commands are not answered.
    Silent,
    /// The data port is not there.
    NoDataPort,
}

/// What the server has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub files: BTreeMap<String, Vec<u8>>,
    pub sessions: usize,
    pub sessions_at_once: usize,
    open: usize,
    pub peers: Vec<IpAddr>,
    pub commands: Vec<String>,
}

/// A server that is left to itself: its threads end with the test's process.
pub struct Liar {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Seen>>,
}

impl Liar {
    pub fn start(lie: Lie) -> Liar {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || session(stream, lie, &shared));
            }
        });
        Liar { address, seen }
    }

    pub fn url(&self) -> String {
        format!("simple://{}", self.address)
    }
}

/// One client, until it goes or is let go.
fn session(stream: TcpStream, lie: Lie, seen: &Mutex<Seen>) {
    {
        let mut seen = seen.lock().unwrap();
        seen.sessions += 1;
        seen.open += 1;
        seen.sessions_at_once = seen.sessions_at_once.max(seen.open);
        if let Ok(peer) = stream.peer_addr() {
            seen.peers.push(peer.ip());
        }
    }
    // A client that is gone is none of our business.
    let _ = serve(stream, lie, seen);
    seen.lock().unwrap().open -= 1;
}

fn serve(stream: TcpStream, lie: Lie, seen: &Mutex<Seen>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut control = BufReader::new(stream);
    let mut line = String::new();
    while control.read_line(&mut line)? > 0 {
        let command = line.trim_end().to_owned();
        line.clear();
        seen.lock().unwrap().commands.push(command.clone());
        let (verb, rest) = command.split_once(' ').unwrap_or((&command, ""));
        let out = control.get_mut();
        match (lie, verb) {
            (Lie::Garbage, _) => out.write_all(b"SSH-2.0-OpenSSH_9.6\r\n")?,
            (Lie::EndlessLine, _) => out.write_all(&[b'x'; 20_000])?,
            (Lie::HangsUp, _) => return Ok(()),
            (Lie::Silent, _) => {}
            (_, "EXIT") => return out.write_all(b"200 OK Goodbye\r\n"),
            (Lie::Refuses, _) => out.write_all(b"550 Permission Denied\r\n")?,
            (Lie::NoDataPort, _) => {
                let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
                out.write_all(format!("200 OK {port}\r\n").as_bytes())?;
            }
            (_, "GET") => get(out, rest, lie, seen)?,
            (_, "PUT") => put(out, rest, lie, seen)?,
            (_, "LS") => list(out, lie, seen)?,
            _ => out.write_all(b"550 Unknown Command\r\n")?,
        }
    }
    Ok(())
}

fn get(control: &mut TcpStream, name: &str, lie: Lie, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let Some(mut bytes) = seen.lock().unwrap().files.get(name).cloned() else {
        return control.write_all(b"550 File Not Found\r\n");
    };
    match lie {
        Lie::WrongByte => bytes.last_mut().map(|byte| *byte ^= 0x10).unwrap_or_default(),
        Lie::CutShort => bytes.truncate(bytes.len() / 2),
        Lie::OneMore => bytes.push(0),
        _ => {}
    }
    open_data(control)?.write_all(&bytes)?;
    control.write_all(b"226 Transfer Complete\r\n")
}

fn put(control: &mut TcpStream, argument: &str, lie: Lie, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let (name, size) = argument.rsplit_once(' ').unwrap();
    let mut bytes = vec![0; size.parse().unwrap()];
    open_data(control)?.read_exact(&mut bytes)?;
    if lie != Lie::LostUpload {
        seen.lock().unwrap().files.insert(name.to_owned(), bytes);
    }
    control.write_all(b"226 Transfer Complete\r\n")
}

fn list(control: &mut TcpStream, lie: Lie, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let skipped = usize::from(lie == Lie::MissingName);
    let names: String = seen.lock().unwrap().files.keys().skip(skipped).map(|name| format!("{name}\n")).collect();
    open_data(control)?.write_all(names.as_bytes())?;
    control.write_all(b"226 Transfer Complete\r\n")
}

fn open_data(control: &mut TcpStream) -> std::io::Result<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    control.write_all(format!("200 OK {}\r\n", listener.local_addr()?.port()).as_bytes())?;
    let (data, _) = listener.accept()?;
    // A client that is gone must not keep the thread.
    data.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(data)
}
