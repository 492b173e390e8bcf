//! How the line dialects cut their lines into words.

use crate::vocab::cause::Cause;

/// Splits a line into its verb and what follows, without the blanks around both.
pub(super) fn split_verb(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let verb_end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    (&line[..verb_end], line[verb_end..].trim_ascii_start())
}

/// Splits `my notes.txt 12` into the name and the size: the last word is the size when it is a number. A number alone is a
/// name.
///
/// # Errors
/// [`Cause::BadSize`]: negative, or beyond any file. Rather refused than taken for a part of the name.
pub(super) fn split_size(argument: &[u8]) -> Result<(&[u8], Option<u64>), Cause> {
    let Some(blank) = argument.iter().rposition(u8::is_ascii_whitespace) else {
        return Ok((argument, None));
    };
    let word = &argument[blank + 1..];
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Ok((argument, None));
    }
    let size = std::str::from_utf8(word).ok().and_then(|word| word.parse::<u64>().ok()).ok_or(Cause::BadSize)?;
    if size > MAX_SIZE {
        return Err(Cause::BadSize);
    }
    Ok((argument[..blank].trim_ascii_end(), Some(size)))
}

/// Whether a name arrives as it is: blanks around it, a line's end or NUL would not.
pub(super) fn is_sayable(name: &[u8]) -> bool {
    !name.is_empty() && name.trim_ascii() == name && !name.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
}

/// Offsets of files are signed 64-bit numbers.
pub(super) const MAX_SIZE: u64 = i64::MAX as u64;

/// Whether the verb is one with which clients of `ftp` begin, or continue when a reply looked like a greeting. QUIT, LIST
/// and HELP are not: people try them.
pub(super) fn is_of_ftp(verb: &[u8]) -> bool {
    OF_FTP.iter().any(|known| verb.eq_ignore_ascii_case(known.as_bytes()))
}

const OF_FTP: &[&str] = &[
    "USER", "PASS", "ACCT", "AUTH", "PBSZ", "PROT", "FEAT", "OPTS", "SYST", "CLNT", "HOST", "TYPE", "PASV", "EPSV",
    "PORT", "EPRT", "RETR", "STOR", "APPE", "NLST", "MLSD", "MLST", "CWD", "PWD", "SIZE", "MDTM", "DELE", "MKD", "RMD",
    "NOOP",
];
