//! A server of ftp that lists what a test says, right or wrong, and keeps what it was told.
//!
//! It must not know files: what it does not list it does not have.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

use crate::support::{Control, Fake};

/// What it says to a listing.
#[derive(Debug, Clone)]
pub enum Said {
    /// These bytes, and this reply behind them.
    Bytes(Vec<u8>, &'static str),
    /// No.
    Refusal,
    /// These bytes, and then nothing more until the client goes.
    Silence(&'static str),
}

/// What it has.
#[derive(Debug, Clone)]
pub struct Script {
    kind: Kind,
    listings: HashMap<&'static str, Said>,
    refused: Vec<&'static str>,
}

/// How it lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By MLSD.
    Facts,
    /// By LIST, and it knows `LIST -a`.
    LongAll,
    /// By LIST alone.
    Long,
}

impl Script {
    pub fn new(kind: Kind) -> Script {
        Script { kind, listings: HashMap::new(), refused: Vec::new() }
    }

    /// A directory and its listing, without the ends of its lines.
    pub fn lists(self, directory: &'static str, lines: &[&str]) -> Script {
        let bytes = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
        self.says(directory, Said::Bytes(bytes, "226 done"))
    }

    pub fn says(mut self, directory: &'static str, said: Said) -> Script {
        self.listings.insert(directory, said);
        self
    }

    /// A command that it refuses.
    pub fn refuses(mut self, line: &'static str) -> Script {
        self.refused.push(line);
        self
    }

    /// Serves one session; gives the server and the commands that it has heard.
    pub fn start(self) -> (Fake, Arc<Mutex<Vec<String>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        (Fake::start(move |listener| self.serve(listener, &log)), heard)
    }

    fn serve(&self, listener: &TcpListener, log: &Mutex<Vec<String>>) {
        let mut control = Control::accept(listener);
        let mut data = listen();
        let mut directory = "/".to_owned();
        control.say(b"220 here\r\n");
        loop {
            let line = control.hear();
            log.lock().unwrap().push(line.clone());
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            let answer = match verb {
                "" => return,
                "QUIT" => return control.say(b"221 bye\r\n"),
                _ if self.refused.contains(&line.as_str()) => "550 not that".to_owned(),
                "EPSV" => {
                    // A connection to the last one may be there, of a listing that was refused.
                    data = listen();
                    format!("229 ok (|||{}|)", data.local_addr().unwrap().port())
                }
                "FEAT" if self.kind == Kind::Facts => "211-what\r\n MLST type*;size*;modify*;\r\n211 end".to_owned(),
                "FEAT" => "502 no".to_owned(),
                "PWD" => format!("257 \"{directory}\""),
                "CWD" => {
                    argument.clone_into(&mut directory);
                    "250 there".to_owned()
                }
                "MLSD" => self.list(argument, &mut control, &data),
                "NLST" if self.kind == Kind::Long => "502 no".to_owned(),
                "LIST" if argument == "-a" && self.kind == Kind::Long => "501 no such option".to_owned(),
                "LIST" | "NLST" => self.list(&directory, &mut control, &data),
                "MLST" => "502 no".to_owned(),
                "MKD" => "550 it is there".to_owned(),
                "USER" => "230 in".to_owned(),
                "TYPE" => "200 fine".to_owned(),
                _ => "250 fine".to_owned(),
            };
            control.say(format!("{answer}\r\n").as_bytes());
        }
    }

    /// Sends a listing; gives the reply behind it.
    fn list(&self, directory: &str, control: &mut Control, data: &TcpListener) -> String {
        let (bytes, end) = match self.listings.get(directory) {
            None | Some(Said::Refusal) => return "550 not that".to_owned(),
            Some(Said::Bytes(bytes, end)) => (bytes.as_slice(), Some(end)),
            Some(Said::Silence(bytes)) => (bytes.as_bytes(), None),
        };
        control.say(b"150 now\r\n");
        let mut stream = data.accept().unwrap().0;
        // A client that has heard enough may be gone.
        let _ = stream.write_all(bytes);
        match end {
            Some(end) => (*end).to_owned(),
            None => {
                control.wait_for_end();
                "426 gone".to_owned()
            }
        }
    }
}

fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}
