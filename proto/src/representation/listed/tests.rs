//! Lines as servers write them.

use super::*;
use crate::representation::entry::{Entry, EntryKind, FactSet, Relation, print_facts, print_long};
use crate::vocab::permission::Permissions;

const NOW: i64 = 1_795_239_991; // 2026-11-21 05:46:31

fn at(text: &str) -> Option<i64> {
    parse_time_val(text.as_bytes())
}

/// Kind, size, time, mode and target of a line of LIST.
fn long(line: &str) -> Option<Listed> {
    parse_long(line.as_bytes(), NOW)
}

fn listed(name: &str, kind: ListedKind, size: Option<u64>, modified: &str, mode: Option<u32>) -> Listed {
    Listed { name: name.into(), kind, size, modified: at(modified), mode, target: None, unique: None }
}

#[test]
fn lines_of_unix_are_read_as_their_servers_write_them() {
    use ListedKind::{Current, Directory, File, Link, Other, Parent};
    let table = [
        // vsftpd
        (
            "-rw-r--r--    1 1000     1000         5000 Nov 21 05:45 my  file",
            listed("my  file", File, Some(5000), "20261121054500", Some(0o644)),
        ),
        (
            "drwxr-xr-x    2 0        0            4096 Feb 29  2024 dir",
            listed("dir", Directory, None, "20240229000000", Some(0o755)),
        ),
        // pure-ftpd lists these two.
        ("drwxr-xr-x    2 0 0 4096 Jan  2 10:00 .", listed(".", Current, None, "20260102100000", Some(0o755))),
        ("drwxr-xr-x    2 0 0 4096 Dec 31 10:00 ..", listed("..", Parent, None, "20251231100000", Some(0o755))),
        // proftpd, with a long owner; pyftpdlib, without a blank to spare
        (
            "-rw-------   1 somebody-long staff 12345678901 Jun 01 23:59 \u{e4} b.txt",
            listed("\u{e4} b.txt", File, Some(12_345_678_901), "20260601235900", Some(0o600)),
        ),
        ("-rwsr-xr-t 1 a b 1 Nov 22 05:00 x", listed("x", File, Some(1), "20261122050000", Some(0o5755))),
        ("-rw-r--r-- 1 a b 1 Nov 23 05:00 x", listed("x", File, Some(1), "20251123050000", Some(0o644))),
        // Without a group; with a user of two words; with the dates of other systems
        ("-rw-r--r-- 1 owner 7 Mar 3 2020 x", listed("x", File, Some(7), "20200303000000", Some(0o644))),
        ("-rw-r--r-- 1 Domain Users May 7 Mar 3 2020 x", listed("x", File, Some(7), "20200303000000", Some(0o644))),
        ("-rw-r--r-- 1 a b 7 2020-03-04 05:06 x", listed("x", File, Some(7), "20200304050600", Some(0o644))),
        ("-rw-r--r--+ 1 a b 7 Mar 3 2020  x", listed(" x", File, Some(7), "20200303000000", Some(0o644))),
        ("crw-rw-rw- 1 root root 1, 3 Mar 3 2020 null", listed("null", Other, None, "20200303000000", Some(0o666))),
        ("-rw-r--r-- 1 a b 7 Feb 29 05:06 x", listed("x", File, Some(7), "20240229050600", Some(0o644))),
        ("-rw-r--r-- 1 a b 7 Feb 31 2020 x", Listed { modified: None, ..listed("x", File, Some(7), "", Some(0o644)) }),
        (
            "lrwxrwxrwx 1 a b 4 Mar 3 2020 to -> a -> b",
            Listed { target: Some(b"a -> b".to_vec()), ..listed("to", Link, None, "20200303000000", Some(0o777)) },
        ),
    ];
    for (line, expected) in table {
        assert_eq!(long(line), Some(expected), "{line}");
    }
}

#[test]
fn lines_of_dos_are_read() {
    use ListedKind::{Directory, File, Link};
    let table = [
        ("11-21-26  05:45AM       <DIR>          my dir", listed("my dir", Directory, None, "20261121054500", None)),
        ("11-21-2026  05:45PM                 1234 a b", listed("a b", File, Some(1234), "20261121174500", None)),
        ("2026-11-21  17:45         1,234 a", listed("a", File, Some(1234), "20261121174500", None)),
        ("01-02-99  12:05AM  0 a", listed("a", File, Some(0), "19990102000500", None)),
        ("11-21-26  05:45AM  <JUNCTION>     j", listed("j", Link, None, "20261121054500", None)),
    ];
    for (line, expected) in table {
        assert_eq!(long(line), Some(expected), "{line}");
    }
}

#[test]
fn what_is_no_entry_is_none() {
    for line in [
        "",
        "total 12",
        "-rw-r--r--",
        "-rw-r--r-- 1 a b 7 Mar 3 2020",
        "-rw-r--r-- 1 a b 7 Mar 3 2020 ",
        "-rw-r--r-- 1 a b c Mar 3 2020 x",
        "-rw-r--r-- 1 a b 7 Mar 32 2020 x",
        "-rw-r--r-- 1 a b 7 Mar 3 20 x",
        "-rw-r--r-- 1 a b 99999999999999999999 Mar 3 2020 x",
        "11-21-26  05:45AM",
        "11-21-26  05:45AM  12",
        "11-21-26  25:45  12 a",
        "13-21-26  05:45  12 a",
        "11-21-26  13:45PM  12 a",
        "11-21-26  05:45  some words",
    ] {
        assert_eq!(long(line), None, "{line:?}");
    }
}

#[test]
fn facts_are_read_in_any_case_and_order() {
    use ListedKind::{Current, Directory, File, Link, Other, Parent};
    let table = [
        ("type=file;size=5;modify=20261121054531.123;UNIX.mode=0644; a b", Some((File, Some(5), Some(0o644)))),
        ("Modify=20261121054531;Type=DIR;Perm=el; x", Some((Directory, None, None))),
        ("type=cdir;modify=20261121054531; .", Some((Current, None, None))),
        ("type=pdir;modify=20261121054531;sizd=4096; ..", Some((Parent, None, None))),
        ("type=OS.unix=slink:/a/b;modify=20261121054531;size=4; l", Some((Link, None, None))),
        ("type=OS.unix=chr-1/3;modify=20261121054531; null", Some((Other, None, None))),
        ("type=file;size=99999999999999999999;modify=20261121054531; a", Some((File, None, None))),
        (" a", Some((Other, None, None))),
        ("type=file; ", None),
        ("type=file;", None),
        ("file; a", None),
        ("type=file a", None),
        ("", None),
    ];
    for (line, expected) in table {
        let read = parse_facts(line.as_bytes());
        assert_eq!(read.as_ref().map(|read| (read.kind, read.size, read.mode)), expected, "{line}");
        if line.to_ascii_lowercase().contains("modify") {
            assert_eq!(read.and_then(|read| read.modified), at("20261121054531"), "{line}");
        }
    }
    let link = parse_facts(b"type=OS.unix=slink:/a b; l; x").unwrap();
    assert_eq!((link.name.as_slice(), link.target.as_deref()), (&b"l; x"[..], Some(&b"/a b"[..])));
}

#[test]
fn what_our_server_prints_is_read() {
    let kinds = [
        (EntryKind::File, ListedKind::File),
        (EntryKind::Directory, ListedKind::Directory),
        (EntryKind::Link(b"a b"), ListedKind::Link),
        (EntryKind::Other, ListedKind::Other),
    ];
    for (kind, read_as) in kinds {
        for modified in [NOW - 7, NOW - 300 * A_DAY, NOW - 3000 * A_DAY] {
            let entry =
                Entry { name: b" a  b", kind, size: 5_000_000_000, modified, mode: 0o751, links: 1, unique: (1, 2) };
            let (mut long, mut facts) = (Vec::new(), Vec::new());
            print_long(&entry, NOW, &mut long);
            print_facts(&entry, FactSet::default(), Permissions::ALL, Relation::Child, &mut facts);
            let size = (kind == EntryKind::File).then_some(entry.size);
            let from_facts = parse_facts(&facts).unwrap();
            assert_eq!(
                (from_facts.name.as_slice(), from_facts.size, from_facts.modified, from_facts.mode),
                (entry.name, size, Some(modified), Some(entry.mode))
            );
            assert_eq!(from_facts.unique.as_deref(), Some(&b"1g2"[..]));
            let from_long = parse_long(long.trim_ascii_end(), NOW).unwrap();
            assert_eq!((from_long.name.as_slice(), from_long.kind, from_long.size), (entry.name, read_as, size));
            assert_eq!(from_long.mode, Some(entry.mode));
            let rough = from_long.modified.unwrap();
            assert!((0..A_DAY).contains(&(modified - rough)), "{modified} was read as {rough}");
        }
    }
}
