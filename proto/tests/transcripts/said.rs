//! Bytes as a transcript writes them: `\xNN` is a byte, `<5000 times x>` is what it says.

/// The bytes of what is written.
pub fn unescape(said: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = said;
    while let Some(c) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("\\x") {
            bytes.push(u8::from_str_radix(&hex[..2], 16).unwrap());
            rest = &hex[2..];
        } else if let Some((count, tail)) = rest.strip_prefix('<').and_then(|rest| rest.split_once(" times ")) {
            let count: usize = count.parse().unwrap();
            bytes.extend(std::iter::repeat_n(tail.as_bytes()[0], count));
            rest = tail[1..].strip_prefix('>').unwrap();
        } else {
            bytes.extend(c.to_string().as_bytes());
            rest = &rest[c.len_utf8()..];
        }
    }
    bytes
}
