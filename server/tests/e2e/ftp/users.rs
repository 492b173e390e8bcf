//! Who may come in, and what each may do.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use muxftp_server::config::GuestAccess;

use super::client::Ftp;
use super::{People, names, server_with};
use crate::support::connect_from;

#[test]
fn only_the_right_password_lets_in() {
    let people = People::none();
    people.add("alice", &[]);
    let server = people.server(|config| config.logins.delay = Duration::ZERO);
    let mut ftp = Ftp::connect(server.address);
    assert_eq!(ftp.ask("PWD"), "530 Please Log In With USER And PASS");
    assert_eq!(ftp.ask("PASS alice-pw"), "503 Unexpected Command", "whose?");
    let wrong = ftp.log_in("alice", "alice");
    let unknown = ftp.log_in("mallory", "alice-pw");
    assert_eq!([wrong.as_str(), &unknown], ["530 Login Incorrect"; 2], "not told which of them it is");
    ftp.expect("530 ", "LIST");
    assert_eq!(ftp.log_in("alice", "alice-pw"), "230 Logged in");
    ftp.expect("257 ", "PWD");
    ftp.expect("220 ", "REIN");
    ftp.expect("530 ", "PWD");
}

#[test]
fn everybody_sees_only_his_own_files() {
    let people = People::none();
    for name in ["alice", "bob"] {
        people.add(name, &[]);
        std::fs::write(people.root(name).join("mine"), name).unwrap();
    }
    let server = people.server(|_| {});
    server.put_file("mine", b"guest");
    for (name, password) in [("alice", "alice-pw"), ("bob", "bob-pw"), ("anonymous", "x")] {
        let mut ftp = Ftp::user(server.address, name, password);
        let owner = if name == "anonymous" { "guest" } else { name };
        assert_eq!(ftp.retr("mine").unwrap(), owner.as_bytes());
        assert_eq!(ftp.retr("/mine").unwrap(), owner.as_bytes());
        assert_eq!(ftp.list("NLST"), ["mine"]);
        ftp.stor("new", b"").unwrap();
    }
    for directory in [people.root("alice"), people.root("bob"), server.path().to_owned()] {
        assert_eq!(names(&directory), ["mine", "new"]);
    }
    // Another user on the same connection: nothing of the first remains.
    let mut ftp = Ftp::user(server.address, "alice", "alice-pw");
    ftp.expect("257 ", "MKD only-alice");
    ftp.expect("250 ", "CWD only-alice");
    assert_eq!(ftp.log_in("bob", "bob-pw"), "230 Logged in");
    assert_eq!(ftp.ask("PWD"), "257 \"/\" is the working directory");
    ftp.expect("550 ", "CWD only-alice");
}

#[test]
fn who_may_only_read_changes_nothing() {
    let people = People::none();
    people.add("reader", &["--permissions", "read-only"]);
    let root = people.root("reader");
    std::fs::create_dir(root.join("dir")).unwrap();
    std::fs::write(root.join("file"), b"content").unwrap();
    let server = people.server(|config| config.guest.access = GuestAccess::ReadOnly);
    std::fs::create_dir(server.path().join("dir")).unwrap();
    server.put_file("file", b"content");
    for (name, directory) in [("reader", root.as_path()), ("anonymous", server.path())] {
        let mut ftp = Ftp::user(server.address, name, "reader-pw");
        let modified = || std::fs::metadata(directory.join("file")).unwrap().modified().unwrap();
        let before = modified();
        for line in [
            "DELE file",
            "MKD new",
            "RMD dir",
            "RNFR file",
            "RNTO moved",
            "SITE CHMOD 777 file",
            "SITE UTIME 20200101000000 file",
            "MFMT 20200101000000 file",
        ] {
            assert_eq!(ftp.ask(line), "550 Not Allowed", "{line}");
        }
        for line in ["STOR file", "STOR new", "APPE file", "STOU"] {
            assert_eq!(ftp.give(line, b"changed").unwrap_err(), "550 Not Allowed", "{line}");
        }
        assert_eq!((names(directory), modified()), (vec!["dir".to_owned(), "file".to_owned()], before));
        assert_eq!(ftp.retr("file").unwrap(), b"content");
        assert_eq!(ftp.list("NLST"), ["dir", "file"]);
    }
}

#[test]
fn each_right_is_its_own() {
    let people = People::none();
    people.add("dropper", &["--permissions", "write,mkdir"]);
    let server = people.server(|_| {});
    let mut ftp = Ftp::user(server.address, "dropper", "dropper-pw");
    ftp.stor("in", b"x").unwrap();
    ftp.expect("257 ", "MKD made");
    for line in ["DELE in", "RMD made", "RNFR in", "SIZE in", "MLST in", "STAT in"] {
        assert_eq!(ftp.ask(line), "550 Not Allowed", "{line}");
    }
    for line in ["RETR in", "LIST", "NLST", "MLSD"] {
        assert_eq!(ftp.fetch(line).unwrap_err(), "550 Not Allowed", "{line}");
    }
    assert_eq!(ftp.give("APPE in", b"y").unwrap_err(), "550 Not Allowed");
    assert_eq!(std::fs::read(people.root("dropper").join("in")).unwrap(), b"x");
}

#[test]
fn the_file_of_the_users_may_change_while_the_server_runs() {
    let people = People::none();
    let server = people.server(|config| config.logins.delay = Duration::ZERO);
    let log_in = |name, password| Ftp::connect(server.address).log_in(name, password);
    assert_eq!(log_in("alice", "alice-pw"), "530 Login Incorrect");
    people.add("alice", &[]);
    assert_eq!(log_in("alice", "alice-pw"), "230 Logged in");
    people.run(&["passwd", "alice"], "another");
    assert_eq!(log_in("alice", "alice-pw"), "530 Login Incorrect");
    assert_eq!(log_in("alice", "another"), "230 Logged in");
    people.run(&["remove", "alice"], "");
    assert_eq!(log_in("alice", "another"), "530 Login Incorrect");

    people.add("bob", &[]);
    let mut before = Ftp::user(server.address, "bob", "bob-pw");
    people.run(&["remove", "bob"], "");
    people.add("bob", &["--permissions", "read-only"]);
    let mut after = Ftp::user(server.address, "bob", "bob-pw");
    assert_eq!(after.ask("MKD new"), "550 Not Allowed");
    before.expect("257 ", "MKD still");
    assert_eq!(before.log_in("bob", "bob-pw"), "230 Logged in");
    assert_eq!(before.ask("MKD new"), "550 Not Allowed", "from the next log-in on");
}

#[test]
fn a_mistake_in_the_file_leaves_the_users_as_they_were() {
    let people = People::none();
    people.add("alice", &[]);
    let server = people.server(|_| {});
    let text = std::fs::read_to_string(people.file()).unwrap();
    std::fs::write(people.file(), text + "[[user]]\nname = 5\n").unwrap();
    Ftp::user(server.address, "alice", "alice-pw");
    std::fs::remove_file(people.file()).unwrap();
    Ftp::user(server.address, "alice", "alice-pw");
}

#[test]
fn a_user_may_be_bound_to_addresses() {
    let people = People::none();
    people.add("near", &["--from", "127.0.0.2", "--from", "127.1.0.0/16"]);
    let server = people.server(|config| config.logins.delay = Duration::ZERO);
    for (source, expected) in [
        (Ipv4Addr::new(127, 0, 0, 1), "530 Login Incorrect"),
        (Ipv4Addr::new(127, 0, 0, 2), "230 Logged in"),
        (Ipv4Addr::new(127, 1, 2, 3), "230 Logged in"),
        (Ipv4Addr::new(127, 2, 0, 1), "530 Login Incorrect"),
    ] {
        let mut ftp = Ftp::connect_from(source, server.address);
        assert_eq!(ftp.log_in("near", "near-pw"), expected, "{source}");
    }
}

#[test]
fn a_users_sessions_are_counted_in_and_out() {
    let people = People::none();
    people.add("few", &["--sessions", "2"]);
    let server = people.server(|_| {});
    let mut first = Ftp::user(server.address, "few", "few-pw");
    let second = Ftp::user(server.address, "few", "few-pw");
    let mut third = Ftp::connect(server.address);
    assert_eq!(third.log_in("few", "few-pw"), "421 Too Many Sessions Of This User");
    assert_eq!(third.reply(), "", "closed");
    // By QUIT, by another USER, by a connection that is just closed.
    first.expect("221 ", "QUIT");
    assert_eq!(first.reply(), "");
    let mut first = Ftp::user(server.address, "few", "few-pw");
    first.expect("331 ", "USER anonymous");
    let first = Ftp::user(server.address, "few", "few-pw");
    drop((first, second));
    let enter = || {
        let mut ftp = Ftp::connect(server.address);
        (ftp.log_in("few", "few-pw") == "230 Logged in").then_some(ftp)
    };
    for _ in 0..2 {
        // The server hears of the closed connections in its own time.
        let two = [(); 2].map(|()| std::iter::repeat_with(enter).find_map(|entered| entered).unwrap());
        assert!(enter().is_none(), "two, and not more");
        drop(two);
    }
}

#[test]
fn a_guest_can_be_kept_out() {
    let people = People::none();
    people.add("alice", &[]);
    let server = people.server(|config| {
        config.guest.access = GuestAccess::Off;
        config.logins.delay = Duration::ZERO;
    });
    for name in ["anonymous", "ftp", "FTP"] {
        assert_eq!(Ftp::connect(server.address).log_in(name, "me@example.com"), "530 Login Incorrect");
    }
    Ftp::user(server.address, "alice", "alice-pw");
}

#[test]
fn a_guest_can_have_a_directory_of_its_own() {
    let public = tempfile::tempdir().unwrap();
    std::fs::write(public.path().join("public"), b"for all").unwrap();
    let server = server_with(|config| config.guest.root = Some(public.path().to_owned()));
    server.put_file("secret", b"not for all");
    let mut ftp = Ftp::guest(server.address);
    assert_eq!(ftp.list("NLST"), ["public"]);
    assert_eq!(ftp.retr("secret").unwrap_err(), "550 File Not Found");
    ftp.stor("new", b"x").unwrap();
    assert_eq!((names(public.path()), server.names()), (vec!["new".into(), "public".into()], vec!["secret".into()]));
}

#[test]
fn three_wrong_passwords_end_the_session() {
    let people = People::none();
    let server = people.server(|config| config.logins.delay = Duration::ZERO);
    let mut ftp = Ftp::connect(server.address);
    for _ in 0..2 {
        assert_eq!(ftp.log_in("nobody", "x"), "530 Login Incorrect");
        // As if new, but for what went wrong.
        ftp.expect("220 ", "REIN");
    }
    assert_eq!(ftp.log_in("nobody", "x"), "530 Login Incorrect");
    assert_eq!(ftp.reply(), "421 Too Many Errors");
    assert_eq!(ftp.reply(), "");
}

#[test]
fn each_wrong_password_is_answered_later_and_holds_up_nobody() {
    const DELAY: Duration = Duration::from_millis(20);
    let people = People::none();
    let server = people.server(|config| config.logins.delay = DELAY);
    let mut ftp = Ftp::connect(server.address);
    for factor in [1, 2, 4] {
        let start = Instant::now();
        assert_eq!(ftp.log_in("nobody", "x"), "530 Login Incorrect");
        assert!(start.elapsed() >= factor * DELAY, "{:?} for the one of {factor}", start.elapsed());
    }
    // What is held back cannot be got around by another connection, and others do not wait with it.
    let start = Instant::now();
    let mut waiting = Ftp::connect(server.address);
    waiting.expect("331 ", "USER nobody");
    waiting.say("PASS x");
    Ftp::guest(server.address).expect("257 ", "PWD");
    assert_eq!(waiting.reply(), "530 Login Incorrect");
    assert!(start.elapsed() >= 8 * DELAY);
}

#[test]
fn an_address_with_many_failures_is_locked_out_for_a_while() {
    let people = People::none();
    people.add("alice", &[]);
    let lock = Duration::from_secs(2);
    let server = people.server(|config| {
        config.logins.delay = Duration::ZERO;
        config.logins.failures = 4;
        config.logins.lock = lock;
    });
    let bad = Ipv4Addr::new(127, 0, 0, 2);
    let mut there_already = Ftp::connect_from(bad, server.address);
    let mut sessions = [(); 4].map(|()| Ftp::connect_from(bad, server.address));
    let start = Instant::now();
    for (ftp, name) in sessions.iter_mut().zip(["a", "b", "c", "d"]) {
        assert_eq!(ftp.log_in(name, "x"), "530 Login Incorrect");
    }
    let greeting = || Ftp::over(connect_from(bad, server.address)).reply();
    let locked = "421 Too Many Failed Logins From Your Address";
    assert_eq!(greeting(), locked);
    assert_eq!(there_already.log_in("alice", "alice-pw"), locked, "the right password helps no more");
    Ftp::user(server.address, "alice", "alice-pw");
    // Asked at a pace that leaves ports for others.
    let later = || {
        std::thread::sleep(lock / 50);
        greeting()
    };
    let let_in = std::iter::repeat_with(later).find(|greeting| greeting != locked).unwrap();
    assert!(let_in.starts_with("220 "), "{let_in}");
    assert!(start.elapsed() >= lock);
    assert_eq!(Ftp::connect_from(bad, server.address).log_in("alice", "alice-pw"), "230 Logged in");
}
