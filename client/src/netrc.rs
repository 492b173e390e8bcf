//! `.netrc`: users and passwords of hosts, as ftp(1) has read them since ever.
//!
//! It must not know where the file is. Macros are left out: nothing here runs them.

/// What the file says of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) login: Option<String>,
    pub(crate) password: Option<String>,
}

/// The first entry of `host`, or the default; with `user`, only one of that user, or of nobody in particular.
pub(crate) fn find(text: &str, host: &str, user: Option<&str>) -> Option<Entry> {
    let mut words = Words { rest: text };
    let mut present: Option<Entry> = None;
    while let Some(word) = words.next() {
        let is_of_host = match word.as_str() {
            "machine" => words.next().is_some_and(|name| name.eq_ignore_ascii_case(host)),
            "default" => true,
            "macdef" => {
                words.skip_macro();
                continue;
            }
            "login" | "password" | "account" => {
                let value = words.next();
                match (word.as_str(), &mut present) {
                    ("login", Some(entry)) => entry.login = value,
                    ("password", Some(entry)) => entry.password = value,
                    _ => {}
                }
                continue;
            }
            _ => continue,
        };
        if present.as_ref().is_some_and(|entry| is_of(entry, user)) {
            break;
        }
        present = is_of_host.then(Entry::default);
    }
    present.filter(|entry| is_of(entry, user))
}

fn is_of(entry: &Entry, user: Option<&str>) -> bool {
    match (user, &entry.login) {
        (Some(user), Some(login)) => user == login,
        _ => true,
    }
}

/// Words between blanks; one in quotation marks can hold some, and a backslash takes the next character as it is.
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn next(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        while self.rest.starts_with('#') {
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        }
        let is_quoted = self.rest.starts_with('"');
        let mut characters = self.rest.char_indices().skip(usize::from(is_quoted));
        let mut word = String::new();
        let mut end = self.rest.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => word.extend(characters.next().map(|(_, next)| next)),
                '"' if is_quoted => {
                    end = at + 1;
                    break;
                }
                blank if blank.is_whitespace() && !is_quoted => {
                    end = at;
                    break;
                }
                other => word.push(other),
            }
        }
        let is_there = end > 0;
        self.rest = &self.rest[end..];
        is_there.then_some(word)
    }

    /// A macro ends with an empty line.
    fn skip_macro(&mut self) {
        self.rest = self.rest.split_once("\n\n").map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# machine commented login no
machine a.example login ann password \"two words\"
macdef init
machine c.example login macro password macro

machine b.example
    login bob
    account x
    password b\\\"ob
machine b.example login eve password evil
default login anonymous password me@
";

    #[test]
    fn entries_are_found() {
        for (host, user, login, password) in [
            ("a.example", None, "ann", "two words"),
            ("A.Example", Some("ann"), "ann", "two words"),
            ("b.example", None, "bob", "b\"ob"),
            ("b.example", Some("eve"), "eve", "evil"),
            ("c.example", None, "anonymous", "me@"),
            ("commented", None, "anonymous", "me@"),
        ] {
            let entry = find(FILE, host, user).unwrap();
            assert_eq!((entry.login.as_deref(), entry.password.as_deref()), (Some(login), Some(password)), "{host}");
        }
        assert_eq!(find(FILE, "a.example", Some("somebody")), None);
        assert_eq!(find("machine x login y password z", "w", None), None);
    }

    #[test]
    fn an_entry_without_a_user_is_of_any() {
        let entry = find("machine h password p", "h", Some("ann")).unwrap();
        assert_eq!(entry, Entry { login: None, password: Some("p".to_owned()) });
    }

    #[test]
    fn whatever_stands_there_comes_to_an_end() {
        for text in
            ["", "machine", "machine h", "machine h login", "\"", "\\", "machine h password \"open", "#", "macdef"]
        {
            let _ = find(text, "h", None);
        }
    }
}
