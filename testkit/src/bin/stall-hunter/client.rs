//! A client of the dialect `ftp` with blocking sockets, and many sessions that send lines without waiting.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::run::Until;

#[derive(Debug)]
pub struct Ftp {
    stream: BufReader<TcpStream>,
}

impl Ftp {
    /// Connects and reads the greeting.
    pub fn connect(port: u16) -> Result<Ftp, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| format!("connect: {error}"))?;
        let ready = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        ready.map_err(|error| error.to_string())?;
        let mut ftp = Ftp { stream: BufReader::new(stream) };
        ftp.reply()?;
        Ok(ftp)
    }

    pub fn guest(port: u16) -> Result<Ftp, String> {
        let mut ftp = Ftp::connect(port)?;
        ftp.log_in("anonymous", "stall-hunter")?;
        ftp.command("TYPE I")?;
        Ok(ftp)
    }

    /// The last reply to USER and PASS.
    pub fn log_in(&mut self, user: &str, password: &str) -> Result<String, String> {
        self.command(&format!("USER {user}"))?;
        self.command(&format!("PASS {password}"))
    }

    pub fn send(&mut self, line: &str) -> Result<(), String> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).map_err(|error| format!("{line}: {error}"))
    }

    pub fn command(&mut self, line: &str) -> Result<String, String> {
        self.send(line)?;
        self.reply().map_err(|error| format!("{line}: {error}"))
    }

    /// The last line of the next reply.
    pub fn reply(&mut self) -> Result<String, String> {
        loop {
            let mut line = String::new();
            match self.stream.read_line(&mut line) {
                Ok(0) => return Err("the server closed the connection".to_owned()),
                Ok(_) if line.len() > 3 && line.as_bytes()[3] == b' ' && line.as_bytes()[0].is_ascii_digit() => {
                    return Ok(line.trim_end().to_owned());
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err("no reply in time".to_owned()),
                Err(error) => return Err(format!("no reply: {error}")),
            }
        }
    }

    /// A data connection that the server listens for.
    pub fn data(&mut self) -> Result<TcpStream, String> {
        let reply = self.command("EPSV")?;
        let port = reply.split('|').nth(3).and_then(|port| port.parse::<u16>().ok()).ok_or(reply)?;
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| format!("data connection: {error}"))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        Ok(stream)
    }

    /// Receives all that a command sends over its data connection, or stops when the time is over.
    pub fn receive(&mut self, line: &str, until: &Until) -> Result<(), String> {
        let mut data = self.data()?;
        let mut buffer = vec![0; 256 * 1024];
        self.command(line)?;
        loop {
            match data.read(&mut buffer) {
                Ok(0) => return self.reply().map(|_| ()),
                Ok(_) if !until.lasts() => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(format!("{line}: {error}")),
            }
        }
    }

    /// Stores `bytes` zeros, or stops when the time is over.
    pub fn store(&mut self, name: &str, bytes: u64, until: &Until) -> Result<String, String> {
        let mut data = self.data()?;
        let first = self.command(&format!("STOR {name}"))?;
        if !first.starts_with('1') {
            return Ok(first);
        }
        let chunk = vec![0; 256 * 1024];
        let mut left = bytes;
        while left > 0 && until.lasts() {
            let count = left.min(chunk.len() as u64);
            data.write_all(&chunk[..count as usize]).map_err(|error| format!("STOR: {error}"))?;
            left -= count;
        }
        drop(data);
        self.reply()
    }

    /// How long a reply may take.
    pub fn set_patience(&mut self, patience: Duration) {
        let _ = self.stream.get_ref().set_read_timeout(Some(patience));
        let _ = self.stream.get_ref().set_write_timeout(Some(patience));
    }

    /// The socket alone, for a client that does not wait for replies.
    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }
}

/// Sends `line` in all sessions as fast as they take it, until the time is over. Replies are read if `read`.
pub fn flood(sessions: Vec<TcpStream>, line: &str, read: bool, until: &Until) -> Result<(), String> {
    let block = format!("{line}\r\n").repeat((4096 / (line.len() + 2)).max(1)).into_bytes();
    let mut flooded: Vec<(TcpStream, usize)> = sessions.into_iter().map(|stream| (stream, 0)).collect();
    for (stream, _) in &flooded {
        stream.set_nonblocking(true).map_err(|error| error.to_string())?;
    }
    let mut buffer = vec![0; 64 * 1024];
    while until.lasts() && !flooded.is_empty() {
        let mut moved = false;
        flooded.retain_mut(|(stream, sent)| {
            let wrote = stream.write(&block[*sent..]);
            moved |= wrote.is_ok();
            let alive = keeps(&wrote);
            *sent = (*sent + wrote.unwrap_or(0)) % block.len();
            if !read {
                return alive;
            }
            let got = stream.read(&mut buffer);
            moved |= matches!(got, Ok(1..));
            alive && keeps(&got) && !matches!(got, Ok(0))
        });
        if !moved {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    if flooded.is_empty() { Err("the server closed all sessions of the load".to_owned()) } else { Ok(()) }
}

fn keeps(result: &io::Result<usize>) -> bool {
    !matches!(result, Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted))
}

/// A connection from another address of this machine.
pub fn connect_from(source: [u8; 4], port: u16) -> io::Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::from((source, 0)))?;
    connect(&socket, &SocketAddr::from(([127, 0, 0, 1], port)))?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The load's own limit; the probe has its own.
const PATIENCE: Duration = Duration::from_secs(20);
