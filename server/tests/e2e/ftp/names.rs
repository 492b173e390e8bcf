//! What an argument names: options or names, patterns or names, files or directories; and how names come back.

use std::fs;

use super::client::Ftp;
use super::server;
use crate::support::TestServer;

#[test]
fn a_name_that_looks_like_an_option_is_listed() {
    let server = server();
    fs::create_dir(server.path().join("-backup")).unwrap();
    fs::write(server.path().join("-backup/saved"), b"x").unwrap();
    fs::write(server.path().join("-file"), b"x").unwrap();
    fs::create_dir(server.path().join("-a b")).unwrap();
    fs::write(server.path().join("-a b/blank"), b"x").unwrap();
    server.put_file("plain", b"x");
    let mut ftp = Ftp::guest(server.address);
    let listed = |ftp: &mut Ftp, line: &str| -> Vec<String> {
        let text = match line.starts_with("STAT") {
            true => {
                let reply = ftp.expect("213-", line);
                let lines: Vec<&str> = reply.lines().collect();
                lines[1..lines.len() - 1].join("\n")
            }
            false => ftp.list(line).join("\n"),
        };
        let last = |line: &str| line.rsplit([' ', '/']).next().unwrap_or_default().to_owned();
        let mut names: Vec<String> = text.lines().map(last).collect();
        names.sort();
        names
    };
    let all = ["-backup", "-file", "b", "plain"];
    for (argument, expected) in [
        ("-backup", &["saved"][..]),
        ("-backup/", &["saved"]),
        ("./-backup", &["saved"]),
        ("/-backup", &["saved"]),
        ("-a -backup", &["saved"]),
        ("-a -l -backup", &["saved"]),
        ("-- -backup", &["saved"]),
        ("-al -- -backup", &["saved"]),
        ("-file", &["-file"]),
        ("-la -file", &["-file"]),
        ("-a b", &["blank"]),
        ("-al plain", &["plain"]),
        ("-- p*", &["plain"]),
        ("-l -- -b*", &["-backup"]),
        ("-a", &all),
        ("-nothing", &all),
        ("-nothing/deep", &all),
        ("--", &all),
        ("-al .", &all),
        ("-a -b -c -d -e -f -g plain", &["plain"]),
    ] {
        for verb in ["LIST", "NLST", "STAT"] {
            assert_eq!(listed(&mut ftp, &format!("{verb} {argument}")), expected, "{verb} {argument}");
        }
    }
    assert_eq!(listed(&mut ftp, "MLSD -backup"), ["saved"]);
    assert_eq!(ftp.fetch("MLSD -nothing").unwrap_err(), "550 File Not Found", "MLSD has no options");
    assert_eq!(ftp.fetch("LIST -al nothing").unwrap_err(), "550 File Not Found");
    assert_eq!(ftp.list("NLST -l -backup"), ["-backup/saved"], "usable as it is");
}

#[test]
fn nlst_gives_names_that_can_be_fetched_and_bare_ones_for_the_working_directory() {
    let server = server();
    fs::create_dir_all(server.path().join("nl/sub")).unwrap();
    for name in ["f1", "f2.txt", "sub/g"] {
        fs::write(server.path().join("nl").join(name), name).unwrap();
    }
    let mut ftp = Ftp::guest(server.address);
    ftp.expect("250 ", "CWD nl");
    let bare = &["f1", "f2.txt", "sub"][..];
    for (argument, expected) in [
        ("", bare),
        (" .", bare),
        (" ./", bare),
        (" -l .", bare),
        (" -a", bare),
        (" -- .", bare),
        (" /nl", &["/nl/f1", "/nl/f2.txt", "/nl/sub"]),
        (" /", &["/nl"]),
        (" ..", &["../nl"]),
        (" sub", &["sub/g"]),
        (" sub/", &["sub/g"]),
        (" ./sub", &["./sub/g"]),
        (" *.txt", &["f2.txt"]),
        (" ./*.txt", &["./f2.txt"]),
        (" sub/*", &["sub/g"]),
        (" f1", &["f1"]),
    ] {
        let mut names = ftp.list(&format!("NLST{argument}"));
        names.sort();
        assert_eq!(names, expected, "NLST{argument}");
        for name in names.iter().filter(|name| !name.ends_with("sub") && !name.ends_with("nl")) {
            assert!(ftp.retr(name).is_ok(), "{name}");
        }
    }
}

#[test]
fn a_slash_at_the_end_names_a_directory() {
    let server = server();
    fs::create_dir(server.path().join("d")).unwrap();
    server.put_file("f", b"content");
    let mut ftp = Ftp::guest(server.address);
    for name in ["f/", "f/.", "f//", "/f/", "new/", "new/."] {
        for line in ["RETR", "SIZE", "DELE", "HASH", "XCRC"] {
            let line = format!("{line} {name}");
            let refusal = if line.starts_with("RETR") { ftp.fetch(&line).unwrap_err() } else { ftp.ask(&line) };
            assert_eq!(refusal, "550 Is A Directory", "{line}");
        }
        for verb in ["STOR", "APPE"] {
            let refusal = ftp.give(format!("{verb} {name}"), b"changed").unwrap_err();
            assert_eq!(refusal, "553 Is A Directory", "{verb} {name}");
        }
    }
    for line in [
        "CWD f/",
        "RMD f/",
        "MDTM f/",
        "MLST f/",
        "RNFR f/",
        "SITE CHMOD 600 f/",
        "SITE UTIME 20200101000000 f/",
        "MFMT 20200101000000 f/",
        "STAT f/",
    ] {
        assert_eq!(ftp.ask(line), "550 Not A Directory", "{line}");
    }
    for line in ["LIST f/", "NLST f/", "MLSD f/", "LIST -a f/"] {
        assert_eq!(ftp.fetch(line).unwrap_err(), "550 Not A Directory", "{line}");
    }
    assert_eq!(ftp.give("STOU f/", b"x").unwrap_err(), "550 Not A Directory");
    assert_eq!(ftp.give("STOU new/", b"x").unwrap_err(), "550 File Not Found");
    ftp.expect("350 ", "RNFR f");
    assert_eq!(ftp.ask("RNTO g/"), "550 Not A Directory");
    assert_eq!(
        (server.names(), server.file("f").unwrap()),
        (vec!["d".to_owned(), "f".to_owned()], b"content".to_vec())
    );
    for (code, line) in [
        ("250 ", "CWD d/"),
        ("250 ", "CWD /"),
        ("257 ", "MKD new/"),
        ("213 ", "MDTM new/"),
        ("250-", "MLST new/"),
        ("200 ", "SITE CHMOD 700 new/"),
        ("213 ", "MFMT 20200101000000 new/"),
        ("350 ", "RNFR new/"),
        ("250 ", "RNTO other/"),
        ("250 ", "RMD other/"),
        ("213-", "STAT d/"),
    ] {
        ftp.expect(code, line);
    }
    ftp.give("STOU d/", b"x").unwrap();
    assert_eq!(ftp.list("NLST d/").len(), 1);
}

#[test]
fn a_slash_at_the_end_is_no_file_in_the_other_dialects() {
    let server = TestServer::with(|_| {});
    server.put_file("f", b"content");
    let mut client = crate::simple::Client::connect(server.address);
    for line in ["GET f/", "PUT f/ 0", "PUT new/ 0", "PUT new/. 0", "GET f/."] {
        assert_eq!(client.ask(line), "550 Bad Argument", "{line}");
    }
    assert_eq!(client.ask("LS f/"), "550 Not A Directory");
    assert_eq!((server.names(), server.file("f").unwrap()), (vec!["f".to_owned()], b"content".to_vec()));
}
