//! A client that says lines without waiting for the answers, and holds each answer against what was said.

use std::collections::VecDeque;

use muxftp_proto::Cause;
use muxftp_proto::server::io::TlsMode;

use crate::env::Stats;

use super::Chance;
use super::shell::Shell;

/// What was said, and what was heard.
pub struct Client {
    unsaid: VecDeque<u8>,
    /// Lines that are said wholly, or in part.
    lines: Vec<String>,
    /// Where an AUTH ends: what is said behind it is said encrypted.
    pauses: VecDeque<usize>,
    /// Lines of which the end has not been said yet.
    ends_left: VecDeque<usize>,
    said_bytes: usize,
    heard: Vec<u8>,
    /// In the middle of a reply of several lines that began so.
    inside: Option<String>,
    /// Final replies, with the greeting left out.
    finals: Vec<String>,
    openings: usize,
    greeted: bool,
    farewell: bool,
    pub lost: bool,
}

impl Client {
    pub fn new(tls: TlsMode, chance: &mut Chance) -> Client {
        let mut lines = Vec::new();
        if tls == TlsMode::Required && chance.of(90) {
            lines.extend(["AUTH TLS", "PBSZ 0", "PROT P"].map(str::to_owned));
        }
        if chance.of(90) {
            lines.extend(["USER alice", "PASS x"].map(str::to_owned));
        }
        for _ in 0..1 + chance.below(40) {
            let line = LINES[chance.below(LINES.len())];
            lines.push(line.to_owned());
            // A transfer mostly has its agreement before it.
            if TRANSFERS.contains(&line.split(' ').next().unwrap_or_default()) && chance.of(80) {
                for agreement in AGREEMENTS[chance.below(AGREEMENTS.len())] {
                    lines.insert(lines.len() - 1, (*agreement).to_owned());
                }
            }
        }
        lines.push("QUIT".to_owned());
        let (mut unsaid, mut ends_left, mut pauses) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        for line in &lines {
            if line == "ABOR" && chance.of(50) {
                unsaid.extend([255, 244, 255, 242]);
            }
            unsaid.extend(line.bytes());
            unsaid.extend(if chance.of(50) { b"\r\n".iter() } else { b"\n".iter() });
            ends_left.push_back(unsaid.len());
            if line.starts_with("AUTH") && chance.of(90) {
                pauses.push_back(unsaid.len());
            }
        }
        Client {
            unsaid,
            lines,
            pauses,
            ends_left,
            said_bytes: 0,
            heard: Vec::new(),
            inside: None,
            finals: Vec::new(),
            openings: 0,
            greeted: false,
            farewell: false,
            lost: false,
        }
    }

    /// The next piece, of any size.
    pub fn next_bytes(&mut self, chance: &mut Chance) -> Option<Vec<u8>> {
        // Now and then it waits for the answers.
        if self.unsaid.is_empty() || (chance.of(50) && self.finals.len() < self.said_lines()) {
            return None;
        }
        let pauses = self.pauses.front().is_some_and(|pause| *pause == self.said_bytes);
        if pauses && self.finals.len() < self.said_lines() {
            return None;
        }
        while self.pauses.front().is_some_and(|pause| *pause <= self.said_bytes) {
            self.pauses.pop_front();
        }
        let most = self.pauses.front().map_or(self.unsaid.len(), |pause| pause - self.said_bytes);
        let count = 1 + chance.below(most.min(60));
        let piece: Vec<u8> = self.unsaid.drain(..count).collect();
        self.said_bytes += count;
        while self.ends_left.front().is_some_and(|end| *end <= self.said_bytes) {
            self.ends_left.pop_front();
        }
        Some(piece)
    }

    pub fn has_said_all(&self) -> bool {
        self.unsaid.is_empty()
    }

    /// Whether it has nothing to do but to wait.
    pub fn waits(&self) -> bool {
        self.has_said_all() || self.finals.len() < self.said_lines()
    }

    fn said_lines(&self) -> usize {
        self.lines.len() - self.ends_left.len()
    }

    pub fn hear(&mut self, bytes: &[u8], shell: &mut Shell) {
        self.heard.extend_from_slice(bytes);
        while let Some(end) = self.heard.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            let line = String::from_utf8(line).expect("names here are ASCII");
            let line = line.strip_suffix("\r\n").unwrap_or_else(|| panic!("a line without its end: {line:?}"));
            self.hear_line(line, shell);
        }
    }

    fn hear_line(&mut self, line: &str, shell: &mut Shell) {
        if let Some(first) = self.inside.take_if(|first| line.starts_with(&format!("{} ", &first[..3]))) {
            return self.finals.push(format!("{first} ... {line}"));
        }
        if self.inside.is_some() {
            return;
        }
        let (code, rest) = line.split_at(3);
        assert!(code.bytes().all(|byte| byte.is_ascii_digit()), "no reply: {line}");
        match rest.as_bytes().first() {
            Some(b'-') => self.inside = Some(line.to_owned()),
            _ if !self.greeted => {
                assert_eq!(code, "220");
                self.greeted = true;
            }
            _ if code == "150" => self.openings += 1,
            _ if code == "421" => self.farewell = true,
            _ => {
                self.finals.push(line.to_owned());
                assert!(self.finals.len() <= self.said_lines(), "more answers than lines: {line}");
                shell.told(line);
            }
        }
    }

    /// Holds each final reply against its line. Those of lines that are let through may stand before their turn.
    pub fn check_answers(&self, transfers: &[Result<(), Option<Cause>>], draining: bool, stats: &mut Stats) {
        let mut early: [VecDeque<&str>; 3] = Default::default();
        let mut in_order: VecDeque<&str> = VecDeque::new();
        for reply in &self.finals {
            match EARLY.iter().position(|(_, text)| reply.starts_with(text)) {
                Some(kind) => early[kind].push_back(reply),
                None => in_order.push_back(reply),
            }
        }
        let mut results = transfers.iter();
        let (mut unanswered, mut logged_in) = (0, false);
        for line in &self.lines[..self.said_lines()] {
            let verb = line.split(' ').next().unwrap_or_default();
            // Without a login, ABOR is refused in its turn.
            let kind = EARLY.iter().position(|(let_through, _)| let_through == line);
            let kind = kind.filter(|_| logged_in || verb != "ABOR");
            let reply = match kind {
                Some(kind) => early[kind].pop_front(),
                None => in_order.pop_front(),
            };
            let Some(reply) = reply else {
                unanswered += 1;
                continue;
            };
            assert!(unanswered == 0 || kind.is_some(), "`{line}` was answered and one before it not");
            let logs_out = matches!(verb, "USER" | "REIN" | "AUTH") && reply.starts_with(['2', '3']);
            logged_in = (logged_in && !logs_out) || reply.starts_with("230");
            let codes = codes_of(verb);
            assert!(codes.iter().any(|code| reply.starts_with(code)), "`{reply}` to `{line}`");
            let ended_well = reply.starts_with("226") || reply.ends_with("213 End of status");
            if kind.is_none() && (TRANSFERS.contains(&verb) || line.starts_with("STAT ")) && ended_well {
                let result = results.find(|result| result.is_ok());
                assert!(result.is_some(), "`{line}` is said to be done, and was not");
                stats.saw(format!("ftp: {verb} complete"));
            }
        }
        assert!(in_order.is_empty() && early.iter().all(VecDeque::is_empty), "answers to nothing: {in_order:?}");
        let excused = self.lost || self.farewell || draining;
        assert!(unanswered == 0 || excused, "{unanswered} lines have no answer: {:?}", self.finals);
        stats.saw(if self.lost { "ftp: session lost" } else { "ftp: session closed" });
    }
}

/// Lines that are answered at once, and how.
const EARLY: [(&str, &str); 3] = [("NOOP", "200 OK"), ("STAT", "211-Status"), ("ABOR", "226 Aborted")];

const TRANSFERS: [&str; 7] = ["RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"];

const AGREEMENTS: [&[&str]; 6] = [
    &["EPSV"],
    &["PASV"],
    &["PORT 192,0,2,9,78,33"],
    &["EPRT |1|192.0.2.9|20001|"],
    &["PASV", "PORT 192,0,2,9,78,33"],
    &["PORT 192,0,2,9,78,33", "EPSV"],
];

const LINES: [&str; 49] = [
    "RETR a",
    "RETR big",
    "RETR nope",
    "RETR ../a",
    "STOR new",
    "STOR a",
    "STOR new",
    "APPE a",
    "STOU",
    "LIST",
    "NLST",
    "MLSD",
    "STAT a",
    "STAT",
    "NOOP",
    "ABOR",
    "ABOR",
    "EPSV",
    "PASV",
    "PORT 192,0,2,9,78,33",
    "PORT 10,0,0,1,78,33",
    "EPSV ALL",
    "REST 3",
    "REST 3",
    "RANG 1 4",
    "TYPE I",
    "TYPE A",
    "CWD dir",
    "PWD",
    "SIZE a",
    "MDTM a",
    "MLST a",
    "HASH a",
    "DELE new",
    "MKD dir",
    "RNFR a",
    "RNTO b",
    "USER bob",
    "PASS y",
    "REIN",
    "ALLO 5",
    "AUTH TLS",
    "PBSZ 0",
    "PROT P",
    "PROT C",
    "CCC",
    "FEAT",
    "XYZZY",
    "",
];

/// The codes that a verb can be answered with, besides the login's and the shell's.
fn codes_of(verb: &str) -> &'static [&'static str] {
    match verb {
        "RETR" | "LIST" | "NLST" | "MLSD" => &["226", "425", "426", "451", "503", "504", "521", "530", "550", "554"],
        "STOR" | "APPE" | "STOU" => {
            &["226", "425", "426", "451", "452", "503", "504", "521", "530", "550", "552", "553", "554"]
        }
        "STAT" => &["211", "213", "530", "550", "426", "451"],
        "NOOP" => &["200"],
        "ABOR" => &["226", "530"],
        "USER" => &["331", "530"],
        "AUTH" => &["234", "502", "503"],
        "PBSZ" => &["200", "503"],
        "PROT" => &["200", "503", "534"],
        "CCC" => &["503", "534"],
        "PASS" => &["230", "451", "503", "530"],
        "EPSV" => &["200", "229", "425", "530"],
        "PASV" => &["227", "425", "503", "530"],
        "PORT" | "EPRT" => &["200", "503", "504", "530"],
        "QUIT" => &["221"],
        "" | "XYZZY" => &["500"],
        _ => &["2", "3", "4", "5"],
    }
}
