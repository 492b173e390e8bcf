//! The users' file: from its text to users, with every problem at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muxftp_proto::Permissions;
use toml::Spanned;
use toml::de::DeValue;

use super::{User, Users, check_name, parse_permissions, password};
use crate::config::reader::{Reader, Section, Source, directory_path, parse_table};
use crate::config::{ConfigErrors, Problem};

impl Users {
    /// Reads a file; a relative root is meant from its directory.
    ///
    /// # Errors
    /// It cannot be read, or what is wrong in it.
    pub fn load(path: &Path) -> Result<Users, ConfigErrors> {
        match std::fs::read_to_string(path) {
            Ok(text) => Users::parse(path, &text),
            Err(error) => Err(Problem::new(format!("cannot read the users in `{}`: {error}", path.display())).into()),
        }
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// What is wrong in it.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Users, ConfigErrors> {
        let name = path.display().to_string();
        let mut problems = Vec::new();
        let source = Source { name: &name, text };
        let table = parse_table(source, &mut problems);
        let mut reader = Reader { source, problems: &mut problems };
        let mut top = Section::new("", table);
        let mut users = BTreeMap::new();
        let directory = path.parent().unwrap_or(Path::new(""));
        if let Some(value) = top.take("user") {
            let span = value.span();
            match value.into_inner() {
                DeValue::Array(tables) => {
                    for table in tables {
                        take_user(&mut reader, table, directory, &mut users);
                    }
                }
                _ => {
                    let _: Option<()> =
                        reader.refuse(span, "users are written as [[user]], each with `name`, `password` and `root`");
                }
            }
        }
        reader.finish(top);
        ConfigErrors::none_or(problems)?;
        Ok(Users(users))
    }
}

fn take_user(
    reader: &mut Reader<'_>,
    value: Spanned<DeValue<'_>>,
    directory: &Path,
    users: &mut BTreeMap<String, Arc<User>>,
) {
    let span = value.span();
    let DeValue::Table(table) = value.into_inner() else {
        let _: Option<()> = reader.refuse(span, "a user is a table: [[user]] with `name`, `password` and `root`");
        return;
    };
    let mut section = Section::new("user", table);
    let (name, hash, root) = (section.take("name"), section.take("password"), section.take("root"));
    let permissions = section.take("permissions").map(|value| permissions(reader, &value));
    let allowance = reader.allowance(&mut section);
    let from = section.take("from").map(|value| reader.addresses(&value));
    reader.finish(section);
    let (Some(name), Some(hash), Some(root)) = (&name, &hash, &root) else {
        let _: Option<()> = reader.refuse(span, "a user needs `name`, `password` (by `muxftpd user add`) and `root`");
        return;
    };
    let name_span = name.span();
    let name = reader.string(name, |text| check_name(text).map(|()| text.to_owned()));
    let hash = reader.string(hash, |text| password::check_hash(text).map(|()| text.to_owned()));
    let root: Option<PathBuf> = reader.string(root, directory_path);
    let (Some(name), Some(hash), Some(root)) = (name, hash, root) else { return };
    let user = User {
        name: name.clone(),
        hash,
        root: directory.join(root),
        permissions: permissions.flatten().unwrap_or(Permissions::ALL),
        allowance,
        from: from.flatten().unwrap_or_default(),
    };
    if users.insert(name.clone(), Arc::new(user)).is_some() {
        let _: Option<()> = reader.refuse(name_span, format!("`{name}` is there twice"));
    }
}

fn permissions(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Permissions> {
    let words = reader.words(value)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    parse_permissions(&words).map_or_else(|message| reader.refuse(value.span(), message), Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$5XmNJ8Yd3zXv4hYdyLuHjQTRMLbGmBlPqkDH5VyFoyA";

    #[test]
    fn a_user_has_defaults_for_all_but_three_settings() {
        let text = format!(
            "[[user]]\nname = \"alice\"\npassword = \"{HASH}\"\nroot = \"alice\"\n\n\
             [[user]]\nname = \"bob\"\npassword = \"{HASH}\"\nroot = \"/srv/bob\"\npermissions = [\"read\", \"list\"]\n\
             quota_bytes = \"10 GiB\"\nquota_files = 5\nrate_up = 1000\nsessions = 2\nfrom = [\"192.0.2.0/24\"]\n"
        );
        let users = Users::parse(Path::new("/etc/users.toml"), &text).unwrap();
        let alice = users.find(b"alice").unwrap();
        assert_eq!((alice.root.to_str().unwrap(), alice.permissions), ("/etc/alice", Permissions::ALL));
        assert!(alice.may_come_from("203.0.113.1".parse().unwrap()));
        let bob = users.find(b"bob").unwrap();
        assert_eq!((bob.permissions, bob.allowance.quota_bytes), (Permissions::READ_ONLY, Some(10 << 30)));
        assert!(!bob.may_come_from("203.0.113.1".parse().unwrap()));
        assert_eq!(users.iter().count(), 2);
        assert!(users.find(b"carol").is_none() && users.find(b"\xff").is_none());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = format!(
            "[[user]]\nname = \"anonymous\"\npassword = \"{HASH}\"\nroot = \"a\"\n\n\
             [[user]]\nname = \"a\"\npassword = \"plain\"\nroot = \"\"\npermisions = \"all\"\nfrom = \"x\"\n\n\
             [[user]]\nname = \"b\"\n\n\
             [[user]]\nname = \"c\"\npassword = \"{HASH}\"\nroot = \"c\"\npermissions = \"fly\"\nquota_bytes = 0\n\n\
             [[user]]\nname = \"c\"\npassword = \"{HASH}\"\nroot = \"c\"\n"
        );
        let errors = Users::parse(Path::new("users.toml"), &text).unwrap_err().to_string();
        for expected in [
            "is the guest",
            "no password hash",
            "must name a directory",
            "did you mean `permissions`?",
            "`x` is no range",
            "a user needs",
            "`fly` is no right",
            "more than zero",
            "`c` is there twice",
        ] {
            assert!(errors.contains(expected), "{expected}\n{errors}");
        }
    }
}
