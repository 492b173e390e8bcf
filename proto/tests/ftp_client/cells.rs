//! Each way to go on at each step of a transfer has its one outcome.

use std::time::Instant;

use muxftp_proto::client::io::{ClientStep, Failure, Outcome};

use crate::player::{Pieces, Player};

/// What comes, up to the step, then what comes next, then the outcome.
type Cell = (usize, &'static [&'static str], &'static str);

/// The steps of a transfer in passive mode, and what comes at each.
const PASSIVE: [&str; 6] =
    ["S: 229 ok (|||20001|)", "<- connected", "S: 150 ok", "<- moved", "S: 226 done", "(it is over)"];

#[test]
fn each_way_to_go_on_at_each_step_has_its_one_outcome() {
    let table: &[Cell] = &[
        (0, &["<- lost"], "failed: Negotiate ControlLost, closed"),
        (0, &["S: 421 bye"], "failed: Negotiate Farewell([98, 121, 101]), closed"),
        (0, &["S: HTTP"], "failed: Negotiate UnexpectedReply([72, 84, 84, 80]), closed"),
        (0, &["wait 29 s", "wait 1 s"], "failed: Negotiate TimedOut, closed"),
        (0, &["S: 425 no port"], "refused 425 no port"),
        (0, &["S: 500 what", "S: 500 what"], "refused 500 what"),
        (0, &["S: 229 nonsense", "S: 425 no port"], "refused 425 no port"),
        (0, &["S: 500 what", "S: 227 nonsense"], "refused 227 nonsense"),
        (0, &["do abort", "S: 229 ok (|||20001|)"], "aborted 0"),
        (1, &["<- lost"], "failed: DataConnect ControlLost, closed"),
        (1, &["S: 421 bye"], "failed: DataConnect Farewell([98, 121, 101]), closed"),
        (1, &["<- no data", "S: 500 what"], "refused 500 what"),
        (1, &["<- no data", "S: 227 ok (1,2,3,4,5,6)", "<- no data"], "data failed: DataConnect"),
        (1, &["wait 10 s", "S: 227 ok (1,2,3,4,5,6)", "wait 10 s"], "data failed: DataConnect"),
        (1, &["do abort"], "aborted 0"),
        (1, &["S: 200 ok"], "out of step: 200 ok to EPSV, closed"),
        (0, &["S: 200 ok"], "out of step: 200 ok to EPSV, closed"),
        (0, &["S: 226 done"], "out of step: 226 done to EPSV, closed"),
        (2, &["<- lost"], "failed: Negotiate ControlLost, closed"),
        (2, &["S: 421 bye"], "failed: Negotiate Farewell([98, 121, 101]), closed"),
        (2, &["S: 550 no"], "refused 550 no"),
        (2, &["wait 29 s", "wait 1 s"], "failed: Negotiate TimedOut, closed"),
        (2, &["<- no data", "S: 425 no"], "refused 425 no"),
        (2, &["<- no data", "S: 150 ok", "S: 226 done"], "data failed: DataConnect"),
        (2, &["<- no data", "<- lost"], "failed: DataConnect DataConnect, closed"),
        (2, &["<- no data", "wait 30 s"], "failed: DataConnect DataConnect, closed"),
        (2, &["S: 226 done"], "out of step: 226 done to COMMAND, closed"),
        (2, &["S: 213 4"], "out of step: 213 4 to COMMAND, closed"),
        (2, &["S: 125 a", "S: 150 b", "<- moved", "S: 250 done"], "complete"),
        (3, &["<- lost"], "failed: Transfer ControlLost, closed"),
        (3, &["S: 421 bye"], "failed: Transfer Farewell([98, 121, 101]), closed"),
        (3, &["S: 426 broken"], "refused 426 broken"),
        (3, &["S: 451 disk"], "refused 451 disk"),
        (3, &["wait 59 s", "wait 1 s"], "failed: Transfer TimedOut, closed"),
        (3, &["wait 59 s", "<- progress", "wait 59 s", "<- moved", "S: 226 done"], "complete"),
        (3, &["<- no data", "S: 426 broken"], "refused 426 broken"),
        (3, &["<- no data", "S: 226 done"], "data failed: Transfer"),
        (3, &["<- no data", "<- lost"], "failed: Transfer DataLost, closed"),
        (3, &["S: 200 ok"], "out of step: 200 ok to COMMAND, closed"),
        (4, &["S: 250-two", "S: 250 lines"], "complete"),
        (4, &["S: 213 4"], "out of step: 213 4 to COMMAND, closed"),
        (4, &["<- lost"], "failed: Complete ControlLost, closed"),
        (4, &["S: 421 bye"], "failed: Complete Farewell([98, 121, 101]), closed"),
        (4, &["S: 552 full"], "refused 552 full"),
        (4, &["wait 29 s", "wait 1 s"], "failed: Complete TimedOut, closed"),
        (4, &["S: 226-two", "S:  lines", "S: 226 done"], "complete"),
        (5, &[], "complete"),
    ];
    // A download's last reply may overtake its bytes. That of an upload cannot: the server has not seen the end.
    let early: &[Cell] = &[
        (3, &["S: 226 done", "<- no data"], "data failed: Transfer"),
        (3, &["S: 226 done", "wait 60 s"], "data failed: Transfer"),
        (3, &["S: 226 done", "<- moved"], "complete"),
        (3, &["S: 226 done", "<- lost", "<- moved"], "complete, closed"),
        (3, &["S: 226 done", "S: 421 bye", "<- moved"], "complete, closed"),
        (3, &["S: 226 done", "do abort"], "aborted 226"),
    ];
    let too_early: &[Cell] = &[(3, &["S: 226 done"], "out of step: 226 done to COMMAND, closed")];
    for (wish, command, more) in [
        ("do get a", "RETR a", early),
        ("do put a", "STOR a", too_early),
        ("do append a", "APPE a", too_early),
        ("do unique", "STOU", too_early),
        ("do list", "LIST", early),
        ("do names a", "NLST a", early),
        ("do facts a", "MLSD a", early),
    ] {
        for (steps, inputs, outcome) in table.iter().chain(more) {
            let mut player = Player::new("in", Pieces::Bytes);
            let said = PASSIVE[..*steps].iter().chain(*inputs);
            let outcomes = play(&mut player, [&wish].into_iter().chain(said));
            let outcome = outcome.replace("COMMAND", command);
            assert_eq!(outcomes, [format!("= {outcome}")], "{wish} after {steps} steps: {inputs:?}");
            check_goes_on(&mut player, wish);
        }
    }
}

/// The outcomes of a session that is given these inputs, while it is held to its promises.
fn play<'a>(player: &mut Player, inputs: impl Iterator<Item = &'a &'a str>) -> Vec<String> {
    let (mut outcomes, mut held) = (Vec::new(), false);
    for input in inputs {
        player.give(input);
        held &= !matches!(*input, "<- moved");
        for line in player.take_output() {
            match line.split(' ').nth(1) {
                Some("connect") | Some("listen") if line.starts_with("->") => held = true,
                Some("abandon") => held = false,
                Some("move") => assert!(held, "bytes move over nothing"),
                _ => {}
            }
            if line.starts_with("= ") {
                assert!(!held, "{line}: a data connection is left after {input}");
                outcomes.push(line);
            }
        }
    }
    outcomes
}

/// A session that goes on can be used.
fn check_goes_on(player: &mut Player, wish: &str) {
    if player.session().is_closed() {
        return;
    }
    player.give("do noop");
    assert_eq!(player.take_output(), ["C: NOOP"], "after {wish}");
    player.give("S: 200 ok");
    assert_eq!(player.take_output(), ["= complete"], "after {wish}");
}

#[test]
fn aborts_end_whatever_the_server_says() {
    let answers: &[(&[&str], u16)] = &[
        (&["S: 426 aborted", "S: 226 ok", "S: 200 noop"], 426),
        (&["S: 426 aborted", "S: 225 ok", "S: 200 noop"], 426),
        (&["S: 226 complete", "S: 225 nothing to abort", "S: 200 noop"], 226),
        (&["S: 150 here", "S: 226 complete", "S: 502 ABOR?", "S: 200 noop"], 226),
        (&["S: 225 ok", "S: 200 noop"], 225),
        (&["S: 550 no such file", "S: 226 ok", "S: 200 noop"], 550),
        (&["S: 426 aborted", "S: 426 aborted", "S: 226 ok", "S: 200 noop"], 426),
    ];
    for wish in ["do get a", "do put a", "do facts"] {
        for steps in 2..=4 {
            for (answers, code) in answers {
                let mut player = Player::new("in", Pieces::Lines);
                let begun = PASSIVE[..steps].iter().chain(&["do abort"]).chain(*answers);
                let outcomes = play(&mut player, [&wish].into_iter().chain(begun));
                assert_eq!(outcomes, [format!("= aborted {code}")], "{wish} after {steps} steps: {answers:?}");
                check_goes_on(&mut player, wish);
            }
            for (end, outcome) in [
                ("<- lost", "failed: Complete ControlLost, closed"),
                ("S: 421 bye", "failed: Complete Farewell([98, 121, 101]), closed"),
            ] {
                let mut player = Player::new("in", Pieces::Lines);
                let last = ["do abort", end];
                let begun = PASSIVE[..steps].iter().chain(&last);
                assert_eq!(play(&mut player, [&wish].into_iter().chain(begun)), [format!("= {outcome}")]);
            }
        }
    }
}

#[test]
fn what_is_said_in_clear_does_not_count_under_tls() {
    let inputs: [&[&[u8]]; 4] =
        [&[b"234 go\r\n230 in\r\n"], &[b"234 go\r\n2"], &[b"234 go\r\n", b"2"], &[b"234 go\r\n", b"230 in\r\n"]];
    for pieces in inputs {
        let mut player = Player::new("explicit", Pieces::Lines);
        player.give("do log in");
        player.give("S: 220 ready");
        for piece in pieces {
            player.session().handle_input(piece, Instant::now());
        }
        let outcome = Outcome::Failed { step: ClientStep::Negotiate, failure: Failure::ClearBeforeTls };
        assert_eq!(player.session().poll_outcome(), Some(outcome), "{pieces:?}");
        assert!(player.session().is_closed());
    }
}

#[test]
fn a_reply_without_end_is_cut_off() {
    let mut player = Player::new("in", Pieces::Lines);
    player.give("do noop");
    player.give("S: 200-a");
    let lines = b"and so on\r\n".repeat(1000);
    let pieces = (0..1000).take_while(|_| {
        player.session().handle_input(&lines, Instant::now());
        !player.session().is_closed()
    });
    assert!(pieces.count() < 10);
    let outcome = player.session().poll_outcome();
    assert!(matches!(outcome, Some(Outcome::Failed { failure: Failure::UnexpectedReply(_), .. })), "{outcome:?}");
}

#[test]
fn passwords_are_not_in_the_dialogue() {
    let mut player = Player::new("account, without features", Pieces::Lines);
    for line in ["do log in", "S: 220 ready", "S: 331 Password", "S: 332 Account", "S: 230 in"] {
        player.give(line);
    }
    let said = "S: 220 ready\nC: USER alice\nS: 331 Password\nC: PASS ****\nS: 332 Account\nC: ACCT ****\nS: 230 in\n";
    assert_eq!(player.session().dialogue(), said.as_bytes());
    assert!(!format!("{:?}", player.session()).contains("115, 101, 99"), "the bytes of the password");
}
