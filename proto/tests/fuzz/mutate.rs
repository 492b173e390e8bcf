//! Changes to an input: of bytes, of lines, and of what the dialects give a meaning to.

use muxftp_proto::limits;
use muxftp_proto::verbs::VERBS;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// An input that is like one of the seeds, more or less.
pub fn mutate(seeds: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = pick(seeds, rng).clone();
    let changes = 1 << rng.random_range(0..5);
    for _ in 0..rng.random_range(0..=changes) {
        match rng.random_range(0..11) {
            0 => change_byte(&mut bytes, rng),
            1 => remove_some(&mut bytes, rng),
            2 => insert(&mut bytes, |rng| vec![rng.random()], rng),
            3 => insert(&mut bytes, |rng| pick(FRAGMENTS, rng).to_vec(), rng),
            4 => insert(&mut bytes, long_run, rng),
            5 => change_number(&mut bytes, rng),
            6 => insert_line(&mut bytes, said_line(rng), rng),
            7 => splice(&mut bytes, &seeds[rng.random_range(0..seeds.len())], rng),
            8 => repeat_lines(&mut bytes, rng),
            9 => remove_line(&mut bytes, rng),
            _ => swap_lines(&mut bytes, rng),
        }
    }
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}

fn change_byte(bytes: &mut [u8], rng: &mut ChaCha8Rng) {
    if let Some(byte) = index(bytes.len(), rng).map(|at| &mut bytes[at]) {
        *byte ^= match rng.random_range(0..3) {
            0 => 1 << rng.random_range(0..8),
            // The case of a letter.
            1 => 0x20,
            _ => rng.random(),
        };
    }
}

fn remove_some(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    if let Some(start) = index(bytes.len(), rng) {
        let end = bytes.len().min(start + rng.random_range(1..16));
        bytes.drain(start..end);
    }
}

fn insert(bytes: &mut Vec<u8>, what: impl FnOnce(&mut ChaCha8Rng) -> Vec<u8>, rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..=bytes.len());
    let what = what(rng);
    bytes.splice(at..at, what);
}

/// A run of one byte, often of a length at which something else begins.
fn long_run(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let byte = *pick(b"a/.*? \"-\xff\0\r9[", rng);
    let edge = *pick(&EDGES_OF_LENGTHS, rng);
    let len = if rng.random_ratio(1, 2) { edge + rng.random_range(0..5) - 2 } else { rng.random_range(0..64) };
    vec![byte; len]
}

/// Puts another number in the place of one.
fn change_number(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|&at| bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit()))
        .collect();
    if let Some(start) = index(starts.len(), rng).map(|index| starts[index]) {
        let len = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        bytes.splice(start..start + len, number(rng));
    }
}

fn number(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let edge = *pick(&EDGES_OF_NUMBERS, rng);
    let number = edge + rng.random_range(-1..=1);
    number.to_string().into_bytes()
}

/// A line of `ftp` from its table, or one that opens a door to the others.
fn said_line(rng: &mut ChaCha8Rng) -> Vec<u8> {
    if rng.random_ratio(1, 3) {
        return pick(LINES, rng).to_vec();
    }
    let row = pick(VERBS, rng);
    let mut line = row.alias.filter(|_| rng.random_ratio(1, 4)).unwrap_or(row.word).as_bytes().to_vec();
    for _ in 0..rng.random_range(0..3) {
        line.push(b' ');
        line.extend(if rng.random_ratio(1, 3) { number(rng) } else { pick(FRAGMENTS, rng).to_vec() });
    }
    line
}

fn insert_line(bytes: &mut Vec<u8>, mut line: Vec<u8>, rng: &mut ChaCha8Rng) {
    line.extend_from_slice(if rng.random() { b"\r\n" } else { b"\n" });
    let at = line_start(bytes, rng);
    bytes.splice(at..at, line);
}

/// The beginning of one and the end of the other, cut where lines begin.
fn splice(bytes: &mut Vec<u8>, other: &[u8], rng: &mut ChaCha8Rng) {
    bytes.truncate(line_start(bytes, rng));
    bytes.extend_from_slice(&other[line_start(other, rng)..]);
}

fn repeat_lines(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let (start, end) = line(bytes, rng);
    let times = if rng.random_ratio(1, 8) { rng.random_range(2..400) } else { 1 };
    let repeated = bytes[start..end].repeat(times);
    bytes.splice(start..start, repeated);
}

fn remove_line(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let (start, end) = line(bytes, rng);
    bytes.drain(start..end);
}

fn swap_lines(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let (start, end) = line(bytes, rng);
    let moved: Vec<u8> = bytes.drain(start..end).collect();
    let at = line_start(bytes, rng);
    bytes.splice(at..at, moved);
}

fn line(bytes: &[u8], rng: &mut ChaCha8Rng) -> (usize, usize) {
    let start = line_start(bytes, rng);
    let rest = &bytes[start..];
    (start, start + rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1))
}

fn line_start(bytes: &[u8], rng: &mut ChaCha8Rng) -> usize {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
    *pick(&starts, rng)
}

fn index(len: usize, rng: &mut ChaCha8Rng) -> Option<usize> {
    (len > 0).then(|| rng.random_range(0..len))
}

fn pick<'a, T>(from: &'a [T], rng: &mut ChaCha8Rng) -> &'a T {
    &from[rng.random_range(0..from.len())]
}

/// Longer inputs find nothing that these do not, and take time.
const INPUT_BYTES_MAX: usize = 48 * 1024;

const EDGES_OF_LENGTHS: [usize; 5] =
    [limits::NAME_BYTES_MAX, limits::PATH_BYTES_MAX, limits::LINE_BYTES_MAX, limits::INPUT_BYTES_MAX, 16];

const EDGES_OF_NUMBERS: [i128; 10] = [
    0,
    9,
    255,
    1024,
    u16::MAX as i128,
    u32::MAX as i128,
    i64::MAX as i128,
    u64::MAX as i128,
    20_201_121_054_600,
    i64::MAX as i128 * 1000,
];

/// What has a meaning somewhere, or in some other program.
const FRAGMENTS: &[&[u8]] = &[
    b"..",
    b"../",
    b"/..",
    b"./",
    b"//",
    b"/",
    b".",
    b"a",
    b"a b",
    b"dir/name",
    b"*",
    b"?",
    b"[a-z]",
    b"[!",
    b"]",
    b"\\",
    b"\0",
    b"\r",
    b"\r\r\n",
    b"\n",
    b"\r\n",
    b" ",
    b"  ",
    b"\t",
    b"\"",
    b"\"\"",
    b"-",
    b"-la ",
    b"+",
    b"|",
    b"|||1|",
    b",",
    b";",
    b"=",
    b"ALL",
    b"UTC",
    b"type;size;",
    b"\xff\xf4",
    b"\xff\xf2",
    b"\xff\xff",
    b"\xff\xfb",
    b"\xff\xfd\x01",
    b"\xf2",
    b"\xc3\xbc",
    b"\xc0\xaf",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b"%s%n",
    b"150 ",
    b"226 x",
    b"DONE",
    b"OK",
    b"192,0,2,9,78,33",
    b"|1|192.0.2.9|20001|",
    b"|2|2001:db8::9|20001|",
    b"20201121054600",
    b"0777",
];

/// What lets the lines that follow do something.
const LINES: &[&[u8]] = &[
    b"USER alice",
    b"PASS x",
    b"USER anonymous\r\nPASS x",
    b"PASV",
    b"EPSV",
    b"EPSV ALL",
    b"PORT 192,0,2,9,78,33",
    b"TYPE I",
    b"TYPE A",
    b"RETR a",
    b"STOR b",
    b"APPE b",
    b"STOU",
    b"LIST",
    b"STAT dir",
    b"ABOR",
    b"\xff\xf4\xff\xf2ABOR",
    b"NOOP",
    b"REST 5",
    b"RANG 0 9",
    b"RNFR a\r\nRNTO b",
    b"REIN",
    b"QUIT",
    b"CWD ..",
    b"READY",
    b"DOWNLOAD a",
    b"UPLOAD b 7",
    b"LIST dir",
    b"GET a",
    b"PUT b",
    b"PUT b 7",
    b"LS",
];
