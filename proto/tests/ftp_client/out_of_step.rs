//! A reply that its command cannot have ends the session, and so does one that nobody has asked for.

use crate::player::{Pieces, Player};

/// What is wanted, and what is said and answered for it.
type Dialogue = (&'static str, &'static [(&'static str, &'static str)]);

const DIALOGUES: &[Dialogue] = &[
    ("do size a", &[("SIZE a", "213 4")]),
    ("do time a", &[("MDTM a", "213 20000229000000")]),
    ("do stat a", &[("SIZE a", "213 4"), ("MDTM a", "213 20000229000000")]),
    ("do set-time a", &[("MFMT 20000229000000 a", "213 Modify=20000229000000; a")]),
    ("do chmod a", &[("SITE CHMOD 640 a", "200 ok")]),
    ("do delete a", &[("DELE a", "250 ok")]),
    ("do rename a b", &[("RNFR a", "350 and now?"), ("RNTO b", "250 ok")]),
    ("do mkdir a", &[("MKD a", "257 made")]),
    ("do rmdir a", &[("RMD a", "250 ok")]),
    ("do cd a", &[("CWD a", "250 ok")]),
    ("do pwd", &[("PWD", "257 \"/\"")]),
    ("do noop", &[("NOOP", "200 ok")]),
    ("do quote SYST", &[("SYST", "215 UNIX")]),
];

/// One of each kind that a late reply can be; the rest of each is what makes it none for the others.
const STRANGERS: &[&str] = &[
    "200 ok",
    "213 4",
    "221 bye",
    "226 done",
    "227 (1,2,3,4,5,6)",
    "230 in",
    "250 ok",
    "257 \"/\"",
    "350 more",
    "150 now",
];

/// The first digits that a command's reply can have besides its own.
fn is_tolerated(command: &str, stranger: &str) -> bool {
    let verb = command.split(' ').next().unwrap();
    matches!(
        (verb, &stranger[..3]),
        ("MFMT" | "SITE" | "DELE" | "RNTO" | "RMD" | "CWD", "200" | "250")
            | ("MFMT", "213")
            | ("MKD", "250" | "257")
            | ("PWD", "257")
            | ("RNFR", "350")
            | ("NOOP", "200")
            | ("SIZE", "213")
    )
}

/// A session that has said `command` of the dialogue.
fn up_to(dialogue: &Dialogue, step: usize) -> Player {
    let (wish, lines) = dialogue;
    let mut player = Player::new("in", Pieces::Lines);
    player.give(wish);
    for (_, reply) in &lines[..step] {
        player.give(&format!("S: {reply}"));
    }
    assert_eq!(player.take_output().last(), Some(&format!("C: {}", lines[step].0)), "{wish}");
    player
}

#[test]
fn a_reply_of_another_command_is_never_taken_for_done() {
    for dialogue in DIALOGUES {
        for (step, (command, _)) in dialogue.1.iter().enumerate() {
            for stranger in STRANGERS.iter().filter(|stranger| !is_tolerated(command, stranger)) {
                let mut player = up_to(dialogue, step);
                player.give(&format!("S: {stranger}"));
                let ended = format!("= out of step: {stranger} to {command}, closed");
                assert_eq!(player.take_output(), ["-> close control".to_owned(), ended]);
            }
        }
    }
}

#[test]
fn a_reply_that_comes_twice_stops_the_next_line() {
    for dialogue in DIALOGUES.iter().filter(|(_, lines)| lines.len() > 1) {
        let (first, _) = dialogue.1[0];
        for surplus in ["250 ok", "213 4", "550 no", "2"] {
            let mut player = up_to(dialogue, 0);
            let reply = dialogue.1[0].1;
            // Half a line is one, too.
            let input = format!("{reply}\r\n{surplus}{}", if surplus == "2" { "" } else { "\r\n" });
            player.session().handle_input(input.as_bytes(), std::time::Instant::now());
            let shown = if surplus == "2" { "(half a reply)" } else { surplus };
            player.give("do abort");
            let ended = format!("= out of step: {shown} unasked, closed");
            assert_eq!(
                player.take_output(),
                ["-> close control".to_owned(), ended],
                "{first}: no further line is said"
            );
        }
    }
}

#[test]
fn a_reply_that_comes_after_the_end_is_shown() {
    for (wish, lines) in DIALOGUES {
        for (late, shown) in [("250 ok", "250 ok"), ("550-no\r\n550 file", "550 no\nfile"), ("what?", "what?")] {
            for together in [true, false] {
                let mut player = up_to(&(*wish, *lines), lines.len() - 1);
                let last = format!("{}\r\n", lines.last().unwrap().1);
                let late = format!("{late}\r\n");
                let now = std::time::Instant::now();
                if together {
                    player.session().handle_input(format!("{last}{late}").as_bytes(), now);
                } else {
                    player.session().handle_input(last.as_bytes(), now);
                    player.session().handle_input(late.as_bytes(), now);
                }
                assert!(player.session().is_closed(), "{wish}: {late}");
                assert_eq!(player.session().surplus(), Some(shown.as_bytes()));
                assert!(player.session().poll_outcome().unwrap().is_success(), "{wish}: its own reply was there");
            }
        }
    }
}

#[test]
fn half_a_reply_that_waits_keeps_the_next_operation_from_being_said() {
    for half in ["25", "250-and\r\n"] {
        let mut player = up_to(&DIALOGUES[5], 0);
        player.give("S: 250 ok");
        player.take_output();
        player.session().handle_input(half.as_bytes(), std::time::Instant::now());
        player.give("do delete b");
        assert_eq!(player.take_output(), ["-> close control", "= failed: Negotiate ControlLost, closed"]);
        assert!(player.session().surplus().is_some());
    }
}

#[test]
fn a_farewell_in_place_of_a_reply_is_no_surplus() {
    let mut player = up_to(&DIALOGUES[5], 0);
    player.give("S: 250 ok | 421 idle");
    assert!(player.session().is_closed());
    assert_eq!(player.session().surplus(), None);
}

#[test]
fn a_quit_tells_whether_the_replies_were_in_step() {
    for (reply, end) in [
        ("221 bye", "complete, closed"),
        ("500 what?", "complete, closed"),
        ("250 ok", "out of step: 250 ok to QUIT, closed"),
        ("550 no", "out of step: 550 no to QUIT, closed"),
        ("226 done", "out of step: 226 done to QUIT, closed"),
    ] {
        let mut player = Player::new("in", Pieces::Bytes);
        player.give("do quit");
        player.give(&format!("S: {reply}"));
        assert_eq!(player.take_output().last(), Some(&format!("= {end}")));
    }
}

#[test]
fn a_log_in_that_is_out_of_step_is_none() {
    let right = ["220 ready", "331 Password", "230 in", "211 none"];
    for (step, command, strangers) in [
        (0, "", &["200 news", "230 in", "331 x"][..]),
        (1, "USER alice", &["220 ready", "250 ok", "200 ok"]),
        (2, "PASS ****", &["331 Password", "220 ready", "200 ok"]),
        (3, "FEAT", &["230 in", "250 ok", "331 x"]),
    ] {
        for stranger in strangers {
            let mut player = Player::new("", Pieces::Lines);
            player.give("do log in");
            for reply in &right[..step] {
                player.give(&format!("S: {reply}"));
            }
            player.give(&format!("S: {stranger}"));
            let ended = format!("= out of step: {stranger} to {command}, closed");
            assert_eq!(player.take_output().last(), Some(&ended), "{step}");
        }
    }
    let mut player = Player::new("", Pieces::Lines);
    player.give("do log in");
    player.give("S: 220 ready | 220 ready");
    assert_eq!(player.take_output(), ["-> close control", "= out of step: 220 ready unasked, closed"]);
}

#[test]
fn two_preliminary_replies_are_one_too_many_but_harmless() {
    let mut player = Player::new("in", Pieces::Lines);
    for line in ["do get a", "S: 229 ok (|||20001|)", "<- connected", "S: 150 ok | 150 ok", "<- moved", "S: 226 done"] {
        player.give(line);
    }
    assert_eq!(player.take_output().last().map(String::as_str), Some("= complete"));
}
