//! The table, on standard output and in a file, row by row.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::args::Args;
use crate::cases::Case;
use crate::probe::Figures;

pub enum Row {
    Measured { figures: Figures, note: Option<String> },
    Skipped(String),
}

pub struct Table {
    file: Option<File>,
    several: bool,
}

impl Table {
    pub fn begin(args: &Args, servers: &[PathBuf]) -> Result<Table, String> {
        let file = match &args.out {
            Some(path) => Some(File::create(path).map_err(|error| format!("{}: {error}", path.display()))?),
            None => None,
        };
        let mut table = Table { file, several: servers.len() > 1 };
        table.line("Round trips of a NOOP every 2 ms in one session, while others do what the case says")?;
        for (number, server) in servers.iter().enumerate() {
            table.line(&format!("server {}: {} ({})", letter(number), server.display(), version(server)))?;
        }
        if !args.remark.is_empty() {
            table.line(&args.remark)?;
        }
        table.line(&machine())?;
        table.line(&format!(
            "load {:.0} s per case, patience {:.0} s, large files {} MiB, large directory {} names",
            args.load_time().as_secs_f64(),
            args.patience().as_secs_f64(),
            args.large_bytes() >> 20,
            args.many_names()
        ))?;
        table.line("")?;
        table.line(&format!(
            "{:<32} {:>6} {:>9} {:>9} {:>9} {:>8}  answered",
            "case", "NOOPs", "p50", "p99", "max", "> 50 ms"
        ))?;
        Ok(table)
    }

    pub fn add(&mut self, case: &Case, server: usize, row: &Row) -> Result<(), String> {
        let server = if self.several { letter(server) } else { ' ' };
        let name = format!("{:<30} {server}", case.name);
        let line = match row {
            Row::Skipped(reason) => format!("{name} SKIPPED: {reason}"),
            Row::Measured { figures, note } => format!(
                "{name} {:>6} {:>9} {:>9} {:>9} {:>8}  {}{}",
                figures.count,
                milliseconds(figures.p50),
                milliseconds(figures.p99),
                milliseconds(figures.max),
                figures.stalls,
                if figures.answered { "yes" } else { "NO" },
                note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default()
            ),
        };
        self.line(&line)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        println!("{line}");
        match &mut self.file {
            Some(file) => writeln!(file, "{line}").map_err(|error| format!("the table: {error}")),
            None => Ok(()),
        }
    }
}

fn letter(number: usize) -> char {
    (b'A' + number.min(25) as u8) as char
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn version(server: &PathBuf) -> String {
    let output = std::process::Command::new(server).arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    format!(
        "{}; Linux {}, {}, {cores} cores, load {}",
        date.map(|date| String::from_utf8_lossy(&date.stdout).trim().to_owned()).unwrap_or_default(),
        read("/proc/sys/kernel/osrelease").trim(),
        processor.trim_start_matches([' ', '\t', ':']),
        read("/proc/loadavg").split(' ').next().unwrap_or("")
    )
}
