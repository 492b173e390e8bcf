//! lftp: mirrors both ways, several connections for one file, and going on.

use std::path::Path;

use super::{HUGE, HUGE_END, program, put_huge, put_many, run, server, told, tree};
use crate::support::TestServer;

/// Runs a script of lftp commands; gives what it says.
fn lftp(server: &TestServer, directory: &Path, script: &str) -> Option<String> {
    let settings = "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; set xfer:clobber yes;";
    let script = format!("{settings} open ftp://{}; {script}", server.address);
    Some(run(program("lftp", directory)?.args(["-c", &script])))
}

#[test]
fn trees_are_mirrored_both_ways() {
    let server = server();
    for (index, mode) in
        ["", "set ftp:passive-mode off;", "set ftp:prefer-epsv no;", "set ftp:use-mlsd yes;"].into_iter().enumerate()
    {
        let here = tempfile::tempdir().unwrap();
        if lftp(&server, here.path(), &format!("{mode} mirror --parallel=3 tree copy")).is_none() {
            return;
        }
        let expected = tree(&server.path().join("tree"));
        assert_eq!(expected.len(), 5);
        assert_eq!(tree(&here.path().join("copy")), expected, "{mode}");
        lftp(&server, here.path(), &format!("{mode} mirror -R --parallel=3 copy back-{index}"));
        assert_eq!(tree(&server.path().join(format!("back-{index}"))), expected, "{mode}");
        let again = lftp(&server, here.path(), &format!("{mode} mirror -v tree copy")).unwrap();
        assert!(!again.contains("Transferring"), "times and sizes are right, so nothing is fetched twice: {again}");
    }
}

#[test]
fn parts_of_a_file_come_at_once_and_what_is_missing_later() {
    let server = server();
    let here = tempfile::tempdir().unwrap();
    let whole = server.file("plain.bin").unwrap();
    if lftp(&server, here.path(), "pget -n 4 plain.bin -o four").is_none() {
        return;
    }
    assert_eq!(std::fs::read(here.path().join("four")).unwrap(), whole);
    std::fs::write(here.path().join("plain.bin"), &whole[..12_345]).unwrap();
    lftp(&server, here.path(), "get -c plain.bin");
    assert_eq!(std::fs::read(here.path().join("plain.bin")).unwrap(), whole);
    server.put_file("part", &whole[..12_345]);
    lftp(&server, here.path(), "put -c plain.bin -o part");
    assert_eq!(server.file("part").unwrap(), whole);
}

#[test]
fn more_than_4_gib_are_gone_on_with() {
    let server = server();
    put_huge(&server);
    let here = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(here.path().join("huge")).unwrap();
    file.set_len(HUGE - HUGE_END.len() as u64).unwrap();
    if lftp(&server, here.path(), "get -c huge").is_none() {
        return;
    }
    assert_eq!(file.metadata().unwrap().len(), HUGE);
    // And up again, behind more bytes than 32 bits can count.
    let cut = std::fs::OpenOptions::new().write(true).open(server.path().join("huge")).unwrap();
    cut.set_len(HUGE - 5).unwrap();
    lftp(&server, here.path(), "put -c huge");
    let mut end = vec![0; HUGE_END.len()];
    let whole = std::fs::File::open(server.path().join("huge")).unwrap();
    std::os::unix::fs::FileExt::read_exact_at(&whole, &mut end, HUGE - HUGE_END.len() as u64).unwrap();
    assert_eq!((whole.metadata().unwrap().len(), &end[..]), (HUGE, HUGE_END));
}

#[test]
fn names_are_listed_moved_and_removed() {
    let server = server();
    put_many(&server);
    let script =
        "cd many; mrm 'file 4*'; nlist; cd ..; mkdir -p x/y; mv empty x/y/void; chmod 600 x/y/void; cls -l x/y";
    let Some(said) = lftp(&server, server.path(), script) else { return };
    assert_eq!(said.lines().filter(|line| line.starts_with("file ")).count(), 4000);
    assert!(said.contains("-rw-------") && said.contains("void"), "{said}");
    assert_eq!(server.path().join("many").read_dir().unwrap().count(), 4000);
    lftp(&server, server.path(), "rm -r tree");
    assert!(!server.path().join("tree").exists());
    let failing = format!("open ftp://{}; get nope", server.address);
    let output = program("lftp", server.path()).unwrap().args(["-c", &failing]).output().unwrap();
    assert!(!output.status.success() && told(&output).contains("550"), "{}", told(&output));
}
