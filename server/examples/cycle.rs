//! An independent closed-loop driver for the side-by-side benchmark: blocking sockets and a thread per client, no code
//! shared with the project.
//!
//! `cycle simple|ftp HOST:PORT CLIENTS OPERATIONS get|put NAME BYTES PID`
//! `cycle ftp HOST:PORT CLIENTS OPERATIONS login NAME 0 PID`
//!
//! Each client does OPERATIONS transfers; a put goes to NAME.<client>. A login is a new connection and the user NAME with the
//! password `bench`. The dialect `ftp` is RFC 959 with EPSV, by
//! a guest. Prints one line: operations per second, latency, and the CPU time that process PID spent per
//! operation meanwhile, from the scheduler's own count.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

#[derive(Clone)]
struct Job {
    ftp: bool,
    server: SocketAddr,
    operations: usize,
    put: bool,
    login: bool,
    name: String,
    bytes: usize,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [dialect, server, clients, operations, verb, name, bytes, pid] = &words[..] else {
        eprintln!("usage: cycle simple|ftp HOST:PORT CLIENTS OPERATIONS get|put|login NAME BYTES PID");
        std::process::exit(2);
    };
    let job = Job {
        ftp: dialect == "ftp",
        server: server.parse().expect("HOST:PORT"),
        operations: operations.parse().expect("OPERATIONS"),
        put: verb == "put",
        login: verb == "login",
        name: name.clone(),
        bytes: bytes.parse().expect("BYTES"),
    };
    let clients: usize = clients.parse().expect("CLIENTS");
    let cpu_before = cpu_ns(pid);
    let start = Instant::now();
    let threads: Vec<_> = (0..clients)
        .map(|client| {
            let job = job.clone();
            std::thread::spawn(move || run(&job, client))
        })
        .collect();
    let mut latencies: Vec<u64> = threads.into_iter().flat_map(|thread| thread.join().expect("a client")).collect();
    let wall = start.elapsed().as_secs_f64();
    let cpu = cpu_ns(pid) - cpu_before;
    latencies.sort_unstable();
    let count = latencies.len();
    let at = |share: f64| latencies[((count - 1) as f64 * share) as usize] / 1000;
    let gigabytes = (count * job.bytes) as f64 / 1e9;
    println!(
        "{verb} {bytes} x {clients}: {:.0} op/s, {:.2} GB/s, p50 {} us, p99 {} us, server CPU {:.1} us/op, {:.3} s/GB",
        count as f64 / wall,
        gigabytes / wall,
        at(0.5),
        at(0.99),
        cpu as f64 / count as f64 / 1000.0,
        cpu as f64 / 1e9 / gigabytes
    );
}

/// Nanoseconds on a CPU so far, over all threads.
fn cpu_ns(pid: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process PID");
    let of_task = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
    tasks
        .flatten()
        .map(|task| of_task(task).split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0))
        .sum()
}

/// How long each login takes, from the connection to the reply to PASS.
fn log_in(job: &Job) -> Vec<u64> {
    (0..job.operations)
        .map(|_| {
            let start = Instant::now();
            let mut control = BufReader::new(TcpStream::connect(job.server).expect("the server"));
            reply(&mut control);
            ask(&mut control, &format!("USER {}", job.name));
            let last = ask(&mut control, "PASS bench");
            assert!(last.starts_with("230"), "{last}");
            start.elapsed().as_nanos() as u64
        })
        .collect()
}

fn run(job: &Job, client: usize) -> Vec<u64> {
    if job.login {
        return log_in(job);
    }
    let mut control = BufReader::new(TcpStream::connect(job.server).expect("the server"));
    control.get_ref().set_nodelay(true).expect("an option");
    if job.ftp {
        reply(&mut control);
        for line in ["USER anonymous", "PASS bench", "TYPE I"] {
            ask(&mut control, line);
        }
    }
    let contents = vec![b'x'; job.bytes];
    let mut buffer = vec![0; 256 * 1024];
    (0..job.operations)
        .map(|_| {
            let start = Instant::now();
            transfer(job, client, &mut control, &contents, &mut buffer);
            start.elapsed().as_nanos() as u64
        })
        .collect()
}

fn transfer(job: &Job, client: usize, control: &mut BufReader<TcpStream>, contents: &[u8], buffer: &mut [u8]) {
    let mut data = match job.ftp {
        true => {
            let answer = ask(control, "EPSV");
            let port = answer.split('|').nth(3).and_then(|port| port.parse().ok()).expect("an EPSV reply");
            let data = TcpStream::connect((job.server.ip(), port)).expect("the data port");
            let verb = if job.put { format!("STOR {}.{client}", job.name) } else { format!("RETR {}", job.name) };
            assert!(ask(control, &verb).starts_with("150"));
            data
        }
        false => {
            let verb = match job.put {
                true => format!("PUT {}.{client} {}", job.name, job.bytes),
                false => format!("GET {}", job.name),
            };
            let answer = ask(control, &verb);
            let port: u16 =
                answer.trim_end().rsplit(' ').next().and_then(|port| port.parse().ok()).expect("200 OK port");
            TcpStream::connect((job.server.ip(), port)).expect("the data port")
        }
    };
    if job.put {
        data.write_all(contents).expect("the upload");
    } else {
        let mut received = 0;
        loop {
            match data.read(buffer).expect("the download") {
                0 => break,
                count => received += count,
            }
        }
        assert_eq!(received, job.bytes);
    }
    drop(data);
    let last = reply(control);
    assert!(last.starts_with("226"), "{last}");
}

fn ask(control: &mut BufReader<TcpStream>, line: &str) -> String {
    control.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("the control connection");
    reply(control)
}

fn reply(control: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    control.read_line(&mut line).expect("a reply");
    line
}
