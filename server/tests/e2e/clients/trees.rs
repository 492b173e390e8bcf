//! Whole trees at once: wget, rclone and the tools of ncftp.

use super::{program, rclone_remote, run, server, tree};

#[test]
fn wget_fetches_a_tree() {
    for mode in ["--passive-ftp", "--no-passive-ftp"] {
        let server = server();
        let here = tempfile::tempdir().unwrap();
        let Some(mut wget) = program("wget", here.path()) else { return };
        let url = format!("ftp://{}/tree/", server.address);
        run(wget.args(["-q", "-r", "-nH", "--no-remove-listing", mode, "--restrict-file-names=nocontrol", &url]));
        let mut got = tree(&here.path().join("tree"));
        got.retain(|(name, _)| !name.ends_with(".listing"));
        assert_eq!(got, tree(&server.path().join("tree")), "{mode}");
        let again = run(program("wget", here.path()).unwrap().args([
            "-nv",
            "-N",
            "-r",
            "-nH",
            mode,
            "--restrict-file-names=nocontrol",
            &url,
        ]));
        assert!(!again.contains("->"), "nothing is newer: {again}");
    }
}

#[test]
fn ncftp_brings_and_fetches_a_tree() {
    let server = server();
    let here = tempfile::tempdir().unwrap();
    let port = server.address.port().to_string();
    let host = server.address.ip().to_string();
    for mode in ["-F", "-E"] {
        let Some(mut get) = program("ncftpget", here.path()) else { return };
        run(get.args(["-V", mode, "-R", "-P", &port, &host, ".", "/tree"]));
        let expected = tree(&server.path().join("tree"));
        assert_eq!(tree(&here.path().join("tree")), expected, "{mode}");
        run(program("ncftpput", here.path())
            .unwrap()
            .args(["-V", mode, "-R", "-m", "-P", &port, &host, "/up", "tree"]));
        assert_eq!(tree(&server.path().join("up/tree")), expected, "{mode}");
        std::fs::remove_dir_all(here.path().join("tree")).unwrap();
        std::fs::remove_dir_all(server.path().join("up")).unwrap();
    }
    let listed = run(program("ncftpls", here.path()).unwrap().args(["-1", &format!("ftp://{host}:{port}/tree/")]));
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["a", "sub dir"]);
}

#[test]
fn rclone_brings_and_fetches_a_tree() {
    let server = server();
    let here = tempfile::tempdir().unwrap();
    let Some(there) = rclone_remote(&server, here.path()) else { return };
    let do_it = |args: [&str; 3]| run(program("rclone", here.path()).unwrap().arg("--retries=1").args(args));
    do_it(["copy", &format!("{there}:tree"), "copy"]);
    let expected = tree(&server.path().join("tree"));
    assert_eq!(tree(&here.path().join("copy")), expected);
    do_it(["copy", "copy", &format!("{there}:up/once more")]);
    assert_eq!(tree(&server.path().join("up/once more")), expected);
    std::fs::write(here.path().join("copy/a"), b"changed").unwrap();
    std::fs::remove_dir_all(here.path().join("copy/sub dir/deep")).unwrap();
    do_it(["sync", "copy", &format!("{there}:up/once more")]);
    assert_eq!(tree(&server.path().join("up/once more")), tree(&here.path().join("copy")));
    do_it(["check", "copy", &format!("{there}:up/once more")]);
}
