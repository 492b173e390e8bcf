//! Files that come, go and are listed, one after the other and at once.

use std::io::Read;

use super::speech::Speech;
use crate::support::{noise, read_all};

in_each_dialect! {
    a_file_goes_up_is_listed_and_comes_down
    names_may_have_spaces_and_any_letters
    an_upload_takes_the_place_of_a_file
    what_cannot_be_had_is_refused_and_the_session_goes_on
    a_directory_of_thousands_is_listed_whole_and_sorted
    eight_clients_at_once_with_verified_bytes
    a_download_that_is_under_way_survives_the_replacement_of_its_file
    a_slow_reader_gets_every_byte_and_holds_nobody_up
}

fn a_file_goes_up_is_listed_and_comes_down(speech: Speech) {
    let server = speech.server();
    let mut client = speech.connect(server.address);
    assert!(client.names().is_empty());
    for (name, size) in [("empty", 0), ("letter", 1), ("odd", 65_537), ("some", 3_000_000)] {
        let bytes = noise(size as u64, size);
        client.upload(name, &bytes).unwrap();
        assert!(server.file(name).unwrap() == bytes, "{name}: in place when it is said to be");
        assert!(client.download(name).unwrap() == bytes, "{name}");
    }
    assert_eq!(client.names(), ["empty", "letter", "odd", "some"]);
    client.quit();
}

fn names_may_have_spaces_and_any_letters(speech: Speech) {
    let server = speech.server();
    let mut client = speech.connect(server.address);
    let mut names = ["my notes", "über.txt", "файл", "日本 語.txt", "a'b\"c;d$e*", "-l", "100%"];
    names.sort_unstable();
    for name in names {
        client.upload(name, name.as_bytes()).unwrap();
        assert_eq!(client.download(name).unwrap(), name.as_bytes());
    }
    assert_eq!(client.names(), names);
    assert_eq!(server.names(), names);
}

fn an_upload_takes_the_place_of_a_file(speech: Speech) {
    let server = speech.server();
    let mut client = speech.connect(server.address);
    for size in [100_000, 10, 0, 70_000] {
        let bytes = noise(size as u64, size);
        client.upload("f", &bytes).unwrap();
        assert!(client.download("f").unwrap() == bytes);
    }
    assert_eq!(server.names(), ["f"]);
}

fn what_cannot_be_had_is_refused_and_the_session_goes_on(speech: Speech) {
    let server = speech.server();
    std::fs::create_dir(server.path().join("dir")).unwrap();
    server.put_file("file", b"x");
    std::os::unix::fs::symlink("/etc/passwd", server.path().join("out")).unwrap();
    let mut client = speech.connect(server.address);
    let long = "x".repeat(300);
    for (name, cause) in [
        ("nope", "FileNotFound"),
        ("dir", "IsADirectory"),
        ("dir/nope", "FileNotFound"),
        ("file/x", "NotADirectory"),
        ("out", "LinkNotAllowed"),
        (&long, "NameTooLong"),
    ] {
        assert_eq!(client.download(name).unwrap_err(), cause, "{name}");
        assert_eq!(client.download("file").unwrap(), b"x", "after {name}");
    }
    for (name, cause) in [("dir", "IsADirectory"), ("nodir/x", "FileNotFound"), (&long, "NameTooLong")] {
        assert_eq!(client.upload(name, b"bytes").unwrap_err(), cause, "{name}");
        client.upload("file", b"x").unwrap();
    }
    assert_eq!(server.names(), ["dir", "file", "out"]);
}

fn a_directory_of_thousands_is_listed_whole_and_sorted(speech: Speech) {
    let server = speech.server();
    let names: Vec<_> = (0..5000).map(|number| format!("file-{number:04}")).collect();
    for name in names.iter().rev() {
        server.put_file(name, b"");
    }
    assert_eq!(speech.connect(server.address).names(), names);
}

fn eight_clients_at_once_with_verified_bytes(speech: Speech) {
    let server = speech.server();
    std::thread::scope(|scope| {
        for number in 0..8u64 {
            let address = server.address;
            scope.spawn(move || {
                let mut client = speech.connect(address);
                for round in 0..30u64 {
                    let name = format!("client-{number} file-{}", round % 7);
                    let bytes = noise(number * 1000 + round, (round as usize * 7919) % 200_000);
                    client.upload(&name, &bytes).unwrap();
                    assert!(client.download(&name).unwrap() == bytes, "{name}");
                    assert!(client.names().contains(&name));
                }
                client.quit();
            });
        }
    });
    assert_eq!(server.names().len(), 8 * 7);
}

fn a_download_that_is_under_way_survives_the_replacement_of_its_file(speech: Speech) {
    let server = speech.server();
    let old = noise(4, 30_000_000);
    server.put_file("f", &old);
    let mut reader = speech.connect(server.address);
    let mut data = reader.begin_download("f").unwrap();
    let mut writer = speech.connect(server.address);
    writer.upload("f", b"new").unwrap();
    assert!(read_all(&mut data) == old);
    reader.end().unwrap();
    assert_eq!(writer.download("f").unwrap(), b"new");
}

fn a_slow_reader_gets_every_byte_and_holds_nobody_up(speech: Speech) {
    let server = speech.server();
    let bytes = noise(3, 8_000_000);
    server.put_file("big", &bytes);
    server.put_file("small", b"quick");
    let mut slow = speech.connect(server.address);
    let mut data = slow.begin_download("big").unwrap();
    let mut received = Vec::new();
    let mut other = speech.connect(server.address);
    let mut piece = vec![0; 400_000];
    loop {
        assert_eq!(other.download("small").unwrap(), b"quick");
        match data.read(&mut piece).unwrap() {
            0 => break,
            count => received.extend_from_slice(&piece[..count]),
        }
    }
    slow.end().unwrap();
    assert!(received == bytes);
}
