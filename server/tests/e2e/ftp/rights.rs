//! Every command that touches files against every right: the disk changes, and the client learns, only what the rights of
//! the account cover.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions as Bits};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use muxftp_proto::{Permission, Permissions};

use super::People;
use super::client::Ftp;
use Permission::{Append, Delete, List, Mkdir, Read as Reads, Rename, Write as Writes};

/// What a command can do to the files, or tell of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    TellsContent,
    TellsNames,
    MakesFile,
    /// A file's old content is gone, and its name is there.
    Destroys,
    /// A file begins with its old content and has more.
    Extends,
    RemovesFile,
    MakesDirectory,
    RemovesDirectory,
    Renames,
    ChangesMode,
    ChangesTime,
}

use Effect::*;

impl Effect {
    /// The rights of which one suffices.
    fn is_covered_by(self, rights: Permissions) -> bool {
        let enough: &[Permission] = match self {
            TellsContent => &[Reads],
            TellsNames => &[List],
            MakesFile | Extends => &[Writes, Append],
            // The new name of another file counts as `Renames` too.
            Destroys => &[Writes, Delete],
            RemovesFile | RemovesDirectory => &[Delete],
            MakesDirectory => &[Mkdir],
            Renames => &[Rename],
            ChangesMode | ChangesTime => &[Writes],
        };
        enough.iter().any(|right| rights.has(*right))
    }
}

/// Commands, the rights that they need (one of each list), and what comes of them then.
struct Case {
    lines: &'static [&'static str],
    needs: &'static [&'static [Permission]],
    effects: &'static [Effect],
}

const fn case(
    lines: &'static [&'static str],
    needs: &'static [&'static [Permission]],
    effects: &'static [Effect],
) -> Case {
    Case { lines, needs, effects }
}

const CASES: &[Case] = &[
    case(&["RETR file"], &[&[Reads]], &[TellsContent]),
    case(&["REST 1", "RETR file"], &[&[Reads]], &[TellsContent]),
    case(&["RANG 0 3", "RETR file"], &[&[Reads]], &[TellsContent]),
    case(&["HASH file"], &[&[Reads]], &[TellsContent]),
    case(&["XCRC file"], &[&[Reads]], &[TellsContent]),
    case(&["XSHA256 file"], &[&[Reads]], &[TellsContent]),
    case(&["XSHA512 file 0 1"], &[&[Reads]], &[TellsContent]),
    case(&["LIST"], &[&[List]], &[TellsNames]),
    case(&["LIST file"], &[&[List]], &[TellsNames]),
    case(&["LIST *"], &[&[List]], &[TellsNames]),
    case(&["NLST"], &[&[List]], &[TellsNames]),
    case(&["MLSD"], &[&[List]], &[TellsNames]),
    case(&["STAT ."], &[&[List]], &[TellsNames]),
    case(&["MLST file"], &[&[List]], &[TellsNames]),
    case(&["SIZE file"], &[&[List]], &[TellsNames]),
    case(&["TYPE A", "SIZE file"], &[&[List]], &[TellsNames]),
    case(&["MDTM file"], &[&[List]], &[TellsNames]),
    case(&["AVBL"], &[&[List]], &[TellsNames]),
    case(&["STOR new"], &[&[Writes]], &[MakesFile]),
    case(&["STOR file"], &[&[Writes]], &[Destroys]),
    case(&["REST 1", "STOR file"], &[&[Writes]], &[Destroys]),
    case(&["STOU"], &[&[Writes]], &[MakesFile]),
    case(&["STOU file"], &[&[Writes]], &[MakesFile]),
    case(&["APPE new"], &[&[Append]], &[MakesFile]),
    case(&["APPE file"], &[&[Append]], &[Extends]),
    case(&["MKD new"], &[&[Mkdir]], &[MakesDirectory]),
    case(&["MKD empty"], &[], &[]),
    case(&["RMD empty"], &[&[Delete]], &[RemovesDirectory]),
    case(&["RMD full"], &[], &[]),
    case(&["DELE file"], &[&[Delete]], &[RemovesFile]),
    case(&["DELE empty"], &[], &[]),
    case(&["RNFR file", "RNTO new"], &[&[Rename]], &[Renames]),
    case(&["RNFR file", "RNTO full/new"], &[&[Rename]], &[Renames]),
    case(&["RNFR file", "RNTO file"], &[&[Rename]], &[]),
    case(&["RNFR file", "RNTO other"], &[&[Rename], &[Writes, Delete]], &[Destroys, Renames]),
    case(&["RNFR file", "RNTO full/inside"], &[&[Rename], &[Writes, Delete]], &[Destroys, Renames]),
    case(&["RNFR file", "RNTO empty"], &[], &[]),
    case(&["RNFR full", "RNTO empty"], &[], &[]),
    case(&["RNFR full", "RNTO other"], &[], &[]),
    case(&["RNFR full", "RNTO new"], &[&[Rename]], &[Renames]),
    case(&["SITE CHMOD 600 file"], &[&[Writes]], &[ChangesMode]),
    case(&["SITE UTIME 20200101000000 file"], &[&[Writes]], &[ChangesTime]),
    case(&["MFMT 20200101000000 file"], &[&[Writes]], &[ChangesTime]),
];

#[test]
fn the_disk_changes_only_as_the_rights_of_the_account_cover() {
    let all_but = |right| Permission::ALL.into_iter().filter(|other| *other != right).collect::<Permissions>();
    let singles = Permission::ALL.map(|right| Permissions::NONE.with(right));
    let sets = singles.into_iter().chain(Permission::ALL.map(all_but)).chain([Permissions::ALL]);
    // One user after the other, each with a line of rights in the same file: passwords are slow to hash.
    let people = People::none();
    people.add("user", &[]);
    let template = fs::read_to_string(people.file()).unwrap();
    let server = people.server(|_| {});
    for (index, rights) in sets.enumerate() {
        let words: Vec<String> = rights.iter().map(|right| format!("\"{}\"", right.word())).collect();
        let (name, root) = (format!("user{index}"), people.root(&format!("user{index}")));
        fs::create_dir(&root).unwrap();
        let text = template.replace("name = \"user\"", &format!("name = \"{name}\""));
        let text: Vec<&str> =
            text.lines().filter(|l| !l.starts_with("root") && !l.starts_with("permissions")).collect();
        let text = format!("{}\nroot = {root:?}\npermissions = [{}]\n", text.join("\n"), words.join(", "));
        fs::write(people.file(), text).unwrap();
        let mut ftp = Ftp::user(server.address, &name, "user-pw");
        for case in CASES {
            check(case, rights, &root, &mut ftp);
        }
    }
}

fn check(case: &Case, rights: Permissions, root: &Path, ftp: &mut Ftp) {
    make_tree(root);
    let before = snapshot(root);
    let (reply, got) = run(case.lines, ftp);
    let after = snapshot(root);
    let what = format!("{:?} with {rights}: {reply}", case.lines);
    let told = case.effects.iter().filter(|effect| matches!(effect, TellsContent | TellsNames));
    let mut seen = changes(&before, &after);
    if reply.starts_with('2') {
        seen.extend(told);
    } else {
        assert!(reply.starts_with("55"), "{what}");
        assert_eq!(got, b"", "{what}");
    }
    for effect in &seen {
        assert!(effect.is_covered_by(rights), "{effect:?} is not covered: {what}");
    }
    let is_allowed = case.needs.iter().all(|enough| enough.iter().any(|right| rights.has(*right)));
    let expected: &[Effect] = if is_allowed { case.effects } else { &[] };
    assert_eq!(seen, expected.iter().copied().collect(), "{what}");
}

/// The last reply, and what came over the data connection.
fn run(lines: &[&str], ftp: &mut Ftp) -> (String, Vec<u8>) {
    ftp.expect("200 ", "TYPE I");
    let mut last = (String::new(), Vec::new());
    for line in lines {
        let verb = &line[..4];
        last = match verb {
            "STOR" | "APPE" | "STOU" => match ftp.open(line) {
                Ok(mut data) => {
                    data.write_all(b"+more").unwrap();
                    drop(data);
                    (ftp.reply(), Vec::new())
                }
                Err(refused) => (refused, Vec::new()),
            },
            "RETR" | "LIST" | "NLST" | "MLSD" => match ftp.open(line) {
                Ok(mut data) => {
                    let mut got = Vec::new();
                    data.read_to_end(&mut got).unwrap();
                    (ftp.reply(), got)
                }
                Err(refused) => (refused, Vec::new()),
            },
            _ => (ftp.ask(line), Vec::new()),
        };
        // RNFR may be refused: RNTO then comes to nothing, and the first refusal counts.
        if last.0.starts_with('5') {
            break;
        }
    }
    last
}

fn make_tree(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    for directory in ["empty", "full"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    for (name, content) in [("file", "content of the file"), ("other", "another"), ("full/inside", "inside")] {
        let mut file = File::create(root.join(name)).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.set_permissions(Bits::from_mode(0o644)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    }
}

/// What is at a path: its inode, its mode, and of a file the time of change and the content.
type Tree = BTreeMap<String, (u64, u32, Option<(i64, Vec<u8>)>)>;

fn snapshot(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut pending = vec![String::new()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(root.join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{directory}{}", entry.file_name().into_string().unwrap());
            let metadata = entry.metadata().unwrap();
            let content = metadata.is_file().then(|| (metadata.mtime(), fs::read(entry.path()).unwrap()));
            if metadata.is_dir() {
                pending.push(format!("{path}/"));
            }
            tree.insert(path, (metadata.ino(), metadata.mode(), content));
        }
    }
    tree
}

fn changes(before: &Tree, after: &Tree) -> BTreeSet<Effect> {
    let mut seen = BTreeSet::new();
    let inodes = |tree: &Tree| tree.values().map(|entry| entry.0).collect::<BTreeSet<u64>>();
    let (old, new) = (inodes(before), inodes(after));
    for (path, (inode, mode, content)) in before {
        let is_file = content.is_some();
        match after.get(path) {
            // Everything below a directory that has another name moves with it.
            None if new.contains(inode) => drop(seen.insert(Renames)),
            None => drop(seen.insert(if is_file { RemovesFile } else { RemovesDirectory })),
            Some((now, _, changed)) if inode != now && is_file => {
                assert!(changed.is_some(), "{path} is no file any more");
                seen.insert(Destroys);
                if old.contains(now) {
                    seen.insert(Renames);
                }
            }
            Some((_, now, changed)) => {
                if mode != now {
                    seen.insert(ChangesMode);
                }
                match (content, changed) {
                    (Some((_, a)), Some((_, b))) if b.len() > a.len() && b.starts_with(a) => drop(seen.insert(Extends)),
                    (Some((_, a)), Some((_, b))) if a != b => drop(seen.insert(Destroys)),
                    (Some((a, _)), Some((b, _))) if a != b => drop(seen.insert(ChangesTime)),
                    _ => {}
                }
            }
        }
    }
    for (path, (inode, _, content)) in after {
        if !before.contains_key(path) && !old.contains(inode) {
            seen.insert(if content.is_some() { MakesFile } else { MakesDirectory });
        }
    }
    seen
}
