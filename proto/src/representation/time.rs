//! Times on the wire: UTC in every command and listing (RFC 3659 2.3), so that no client has to guess a zone.

/// A civil time in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Proleptic Gregorian, 0 to 9999.
    pub year: u32,
    /// From 1.
    pub month: u32,
    /// From 1.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
}

impl Civil {
    /// Of seconds since 1970 (UTC); times beyond the years 0 to 9999 become the nearest one within.
    pub fn of(unix_seconds: i64) -> Civil {
        let seconds = unix_seconds.clamp(FIRST, LAST);
        let (days, in_day) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // Days are counted from 1 March of year 0, so that a leap day ends its year; 400 years have as many as any other.
        let days = days + MARCH_0000;
        let (era, in_era) = (days.div_euclid(DAYS_OF_ERA), days.rem_euclid(DAYS_OF_ERA));
        let year_of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146_096) / 365;
        let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * in_year + 2) / 153;
        let day = in_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let small = |number: i64| u32::try_from(number).unwrap_or(0);
        Civil {
            year: small(year),
            month: small(month),
            day: small(day),
            hour: small(in_day / 3600),
            minute: small(in_day / 60 % 60),
            second: small(in_day % 60),
        }
    }

    /// Seconds since 1970 (UTC); `None`: there is no such time.
    pub fn to_unix(self) -> Option<i64> {
        let exists = (1..=12).contains(&self.month)
            && (1..=days_of_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60;
        if !exists {
            return None;
        }
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let from_march = (i64::from(self.month) + 9) % 12;
        let in_year = (153 * from_march + 2) / 5 + i64::from(self.day) - 1;
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let days = era * DAYS_OF_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + in_year - MARCH_0000;
        Some(days * DAY + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second))
    }

    /// The month as `ls` writes it.
    pub fn month_name(self) -> &'static str {
        const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        NAMES[(self.month as usize).clamp(1, 12) - 1]
    }
}

/// Prints `YYYYMMDDHHMMSS`.
pub fn print_time_val(unix_seconds: i64, out: &mut Vec<u8>) {
    let Civil { year, month, day, hour, minute, second } = Civil::of(unix_seconds);
    out.extend_from_slice(format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}").as_bytes());
}

/// Reads `YYYYMMDDHHMMSS`, with a fraction of a second that is dropped; second 60 is the one after 59.
pub fn parse_time_val(text: &[u8]) -> Option<i64> {
    let (digits, fraction) = text.split_at_checked(14)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let well_formed = match fraction {
        [] => true,
        [b'.', rest @ ..] => !rest.is_empty() && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let number =
        |range: std::ops::Range<usize>| digits[range].iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let civil = Civil {
        year: number(0..4),
        month: number(4..6),
        day: number(6..8),
        hour: number(8..10),
        minute: number(10..12),
        second: number(12..14),
    };
    if well_formed { civil.to_unix() } else { None }
}

fn days_of_month(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const DAY: i64 = 86_400;
const DAYS_OF_ERA: i64 = 146_097;

/// Days from 1 March of year 0 to 1 January 1970.
const MARCH_0000: i64 = 719_468;

/// The first second of year 0 and the last of year 9999.
const FIRST: i64 = -62_167_219_200;
const LAST: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn printed(seconds: i64) -> String {
        let mut out = Vec::new();
        print_time_val(seconds, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_times() {
        for (seconds, text) in [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (1_795_239_991, "20261121054631"),
            (-1, "19691231235959"),
            (4_107_542_400, "21000301000000"),
            (i64::MAX, "99991231235959"),
            (i64::MIN, "00000101000000"),
        ] {
            assert_eq!(printed(seconds), text);
            assert_eq!(parse_time_val(text.as_bytes()), Some(seconds.clamp(FIRST, LAST)), "{text}");
        }
        assert_eq!(parse_time_val(b"20201121054631.123"), parse_time_val(b"20201121054631"));
        assert_eq!(parse_time_val(b"20161231235960"), parse_time_val(b"20170101000000"));
    }

    #[test]
    fn times_that_do_not_exist_are_refused() {
        for text in [
            "20201301000000",
            "20200001000000",
            "20210229000000",
            "21000229000000",
            "20200100000000",
            "20200101240000",
            "20200101006000",
            "20200101000061",
            "2020010100000",
            "20200101000000.",
            "20200101000000x",
            "2020-1-1 0:0:0",
        ] {
            assert_eq!(parse_time_val(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(seconds in FIRST..=LAST) {
            prop_assert_eq!(parse_time_val(printed(seconds).as_bytes()), Some(seconds));
        }
    }
}
