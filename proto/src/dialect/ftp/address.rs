//! Addresses in commands and replies: PORT and PASV (RFC 959), EPRT and EPSV (RFC 2428).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// What is wrong with the argument of EPRT or EPSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EprtError {
    Syntax,
    /// A protocol other than IPv4 (1) and IPv6 (2).
    Protocol,
}

/// What EPSV asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EpsvArgument {
    /// The protocol of the control connection.
    Any,
    V4,
    V6,
    /// No other command shall set up data connections.
    All,
}

/// Reads `h1,h2,h3,h4,p1,p2`.
pub(crate) fn parse_port(argument: &[u8]) -> Option<SocketAddrV4> {
    let mut numbers = [0; 6];
    let mut words = argument.split(|&byte| byte == b',');
    for number in &mut numbers {
        *number = small_number(words.next()?.trim_ascii())?;
    }
    let [a, b, c, d, high, low] = numbers;
    let port = u16::from_be_bytes([high, low]);
    (words.next().is_none() && port != 0).then(|| SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

/// Prints `h1,h2,h3,h4,p1,p2`.
pub(crate) fn print_pasv(address: SocketAddrV4, out: &mut Vec<u8>) {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    out.extend_from_slice(format!("{a},{b},{c},{d},{high},{low}").as_bytes());
}

/// Reads `|1|132.235.1.2|6275|`, with any delimiter.
pub(crate) fn parse_eprt(argument: &[u8]) -> Result<SocketAddr, EprtError> {
    let argument = argument.trim_ascii();
    let delimiter = *argument.first().filter(|byte| byte.is_ascii_graphic()).ok_or(EprtError::Syntax)?;
    let fields: Vec<_> = argument.split(|&byte| byte == delimiter).collect();
    let [b"", protocol, address, port, b""] = fields[..] else { return Err(EprtError::Syntax) };
    let is_v4 = is_v4(protocol)?;
    let text = |field| std::str::from_utf8(field).map_err(|_| EprtError::Syntax);
    let address: IpAddr = text(address)?.parse().map_err(|_| EprtError::Syntax)?;
    let digits = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
    let port: u16 = text(port)?.parse().map_err(|_| EprtError::Syntax)?;
    if address.is_ipv4() != is_v4 || port == 0 || !digits {
        return Err(EprtError::Syntax);
    }
    Ok(SocketAddr::new(address, port))
}

/// Prints `|1|132.235.1.2|6275|`.
pub(crate) fn print_eprt(address: SocketAddr, out: &mut Vec<u8>) {
    let family = if address.is_ipv4() { 1 } else { 2 };
    out.extend_from_slice(format!("|{family}|{}|{}|", address.ip(), address.port()).as_bytes());
}

/// Reads nothing, `1`, `2` or `ALL`.
pub(crate) fn parse_epsv(argument: &[u8]) -> Result<EpsvArgument, EprtError> {
    match argument.trim_ascii() {
        b"" => Ok(EpsvArgument::Any),
        word if word.eq_ignore_ascii_case(b"ALL") => Ok(EpsvArgument::All),
        protocol => is_v4(protocol).map(|v4| if v4 { EpsvArgument::V4 } else { EpsvArgument::V6 }),
    }
}

fn is_v4(protocol: &[u8]) -> Result<bool, EprtError> {
    match protocol {
        b"1" => Ok(true),
        b"2" => Ok(false),
        number if !number.is_empty() && number.iter().all(u8::is_ascii_digit) => Err(EprtError::Protocol),
        _ => Err(EprtError::Syntax),
    }
}

fn small_number(digits: &[u8]) -> Option<u8> {
    let all_digits = !digits.is_empty() && digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn port_is_six_numbers() {
        assert_eq!(parse_port(b"192,0,2,1,78,33"), Some("192.0.2.1:20001".parse().unwrap()));
        assert_eq!(parse_port(b" 192, 0,2,1 ,78,33 "), Some("192.0.2.1:20001".parse().unwrap()));
        for bad in [
            "",
            "1,2,3,4,5",
            "1,2,3,4,5,6,7",
            "256,2,3,4,5,6",
            "1,2,3,4,0,0",
            "1,2,3,4,+5,6",
            "a,2,3,4,5,6",
            "1,2,3,4,,6",
        ] {
            assert_eq!(parse_port(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn eprt_names_its_protocol() {
        let table: &[(&str, Result<&str, EprtError>)] = &[
            ("|1|132.235.1.2|6275|", Ok("132.235.1.2:6275")),
            ("|2|1080::8:800:200C:417A|5282|", Ok("[1080::8:800:200c:417a]:5282")),
            ("!1!132.235.1.2!6275!", Ok("132.235.1.2:6275")),
            ("|3|132.235.1.2|6275|", Err(EprtError::Protocol)),
            ("|2|132.235.1.2|6275|", Err(EprtError::Syntax)),
            ("|1|132.235.1.2|0|", Err(EprtError::Syntax)),
            ("|1|132.235.1.2|+5|", Err(EprtError::Syntax)),
            ("|1|132.235.1.2|65536|", Err(EprtError::Syntax)),
            ("|1|localhost|6275|", Err(EprtError::Syntax)),
            ("|1|132.235.1.2|6275", Err(EprtError::Syntax)),
            ("", Err(EprtError::Syntax)),
            ("||||", Err(EprtError::Syntax)),
        ];
        for (argument, expected) in table {
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!(parse_eprt(argument.as_bytes()), expected, "{argument}");
        }
    }

    #[test]
    fn epsv_asks_for_a_protocol_or_for_all() {
        for (argument, expected) in [
            ("", Ok(EpsvArgument::Any)),
            ("1", Ok(EpsvArgument::V4)),
            ("2", Ok(EpsvArgument::V6)),
            ("all", Ok(EpsvArgument::All)),
            ("3", Err(EprtError::Protocol)),
            ("x", Err(EprtError::Syntax)),
        ] {
            assert_eq!(parse_epsv(argument.as_bytes()), expected, "{argument}");
        }
    }

    proptest! {
        #[test]
        fn what_pasv_prints_port_reads(address: [u8; 4], port in 1u16..) {
            let address = SocketAddrV4::new(address.into(), port);
            let mut out = Vec::new();
            print_pasv(address, &mut out);
            prop_assert_eq!(parse_port(&out), Some(address));
        }

        #[test]
        fn what_eprt_prints_is_read(v4: bool, address: [u8; 16], port in 1u16..) {
            let [a, b, c, d, ..] = address;
            let address = if v4 { IpAddr::from([a, b, c, d]) } else { IpAddr::from(address) };
            let mut out = Vec::new();
            print_eprt(SocketAddr::new(address, port), &mut out);
            prop_assert_eq!(parse_eprt(&out), Ok(SocketAddr::new(address, port)));
        }

        #[test]
        fn no_argument_panics(argument in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (parse_port(&argument), parse_eprt(&argument), parse_epsv(&argument));
        }
    }
}
