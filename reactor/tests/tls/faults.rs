//! Cut, flipped, forged and idle connections.

use std::io;

use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::{Handshake, TlsError};
use rustls::{AlertDescription, RootCertStore, SupportedProtocolVersion};

use crate::wire::{Side, VERSIONS, client, client_config, connect, join, join_with, pattern, server, server_config};

const LENGTH: usize = 40_000;

/// Runs both sides as far as they come: `sender` sends all of `data` and close_notify, `reader` reads. `on_sent` may
/// change what is on its way to the reader.
fn run(
    sender: &mut Side,
    reader: &mut Side,
    data: &[u8],
    mut on_sent: impl FnMut(&mut Side, &mut Vec<u8>),
) -> (Vec<u8>, Result<Step, TlsError>) {
    let (mut sent, mut received) = (0, Vec::new());
    // Far more rounds than two flights and some writes need; without progress there is nothing to wait for.
    for _ in 0..50 {
        if let Ok(Handshake::Done) = sender.handshake() {
            while sent < data.len() {
                match sender.send(&data[sent..]) {
                    Ok(Step::Moved(count)) => sent += count,
                    _ => break,
                }
            }
            if sent == data.len() {
                sender.layer.close();
                let _all = sender.layer.flush(&sender.end);
            }
        }
        on_sent(reader, &mut received);
        if reader.layer.is_handshaking() {
            match reader.handshake() {
                Ok(Handshake::Done) => {}
                Ok(_) => continue,
                Err(error) => return (received, Err(error)),
            }
        }
        match reader.drain(&mut received) {
            Ok(Step::Blocked) => {}
            over => return (received, over),
        }
    }
    (received, Ok(Step::Blocked))
}

/// The sender and the reader of a transfer up or down.
fn sides(version: &'static SupportedProtocolVersion, up: bool) -> (Side, Side) {
    let (client, server) = join(version);
    if up { (client, server) } else { (server, client) }
}

#[test]
fn no_cut_looks_like_the_end() {
    let data = pattern(LENGTH);
    for version in VERSIONS {
        for up in [false, true] {
            let (mut sender, mut reader) = sides(version, up);
            let mut positions = 0;
            let (received, over) = run(&mut sender, &mut reader, &data, |reader, received| {
                // What would the reader say if the connection ended here, and here? The end of a connection is not
                // remembered by the layer, so that the same reader can be asked at every position.
                let lane = reader.end.incoming.clone();
                let arrived: Vec<u8> = lane.bytes.borrow_mut().drain(..).collect();
                for (at, byte) in arrived.iter().enumerate() {
                    positions += 1;
                    lane.is_closed.set(true);
                    let said = if reader.layer.is_handshaking() {
                        reader.handshake().map(|_| Step::Blocked)
                    } else {
                        reader.drain(received)
                    };
                    match said {
                        Err(TlsError::Truncated | TlsError::Closed) => {}
                        // The hand-shake can be over; there is nothing to read yet.
                        Ok(Step::Blocked) if !reader.layer.is_handshaking() => {}
                        other => panic!("cut {at} of {}: {other:?}", arrived.len()),
                    }
                    assert!(data.starts_with(received));
                    lane.is_closed.set(false);
                    lane.bytes.borrow_mut().push_back(*byte);
                }
            });
            assert_eq!(over.unwrap(), Step::End);
            assert!(received == data);
            assert!(positions > LENGTH, "{positions} positions");
        }
    }
}

#[test]
fn a_cut_connection_is_truncated_wherever_it_is_cut() {
    let data = pattern(LENGTH);
    for version in VERSIONS {
        for cut in (0..LENGTH + 2_000).step_by(701) {
            let (mut sender, mut reader) = sides(version, false);
            let mut passed = 0;
            let (received, over) = run(&mut sender, &mut reader, &data, |reader, _| {
                let lane = &reader.end.incoming;
                let mut bytes = lane.bytes.borrow_mut();
                let room = cut - passed;
                if bytes.len() >= room {
                    bytes.truncate(room);
                    lane.is_closed.set(true);
                }
                passed += bytes.len();
            });
            assert!(data.starts_with(&received));
            match over {
                Err(TlsError::Closed) => assert!(received.is_empty()),
                Err(TlsError::Truncated) => {}
                Ok(Step::End) => assert!(received == data && passed < cut, "cut {cut}"),
                other => panic!("cut {cut}: {other:?}"),
            }
        }
    }
}

#[test]
fn no_flipped_bit_makes_wrong_data() {
    let data = pattern(LENGTH);
    for version in VERSIONS {
        for up in [false, true] {
            let (mut flips, mut noticed) = (0, 0);
            for position in (0..1_000).step_by(7).chain((1_000..LENGTH + 1_500).step_by(997)) {
                let (mut sender, mut reader) = sides(version, up);
                let mut passed = 0;
                let mut flipped = false;
                let (received, over) = run(&mut sender, &mut reader, &data, |reader, _| {
                    let mut bytes = reader.end.incoming.bytes.borrow_mut();
                    if let Some(byte) = position.checked_sub(passed).and_then(|at| bytes.get_mut(at)) {
                        *byte ^= 1 << (position % 8);
                        flipped = true;
                    }
                    passed += bytes.len();
                });
                assert!(data.starts_with(&received), "position {position}");
                match over {
                    // Bytes that TLS does not protect: the version in a header.
                    Ok(Step::End) => assert!(received == data, "position {position}"),
                    // A length that is now too long leaves the reader waiting.
                    Ok(Step::Blocked) | Err(_) => noticed += usize::from(flipped),
                    other => panic!("position {position}: {other:?}"),
                }
                flips += usize::from(flipped);
            }
            assert!(flips > 100 && noticed * 10 > flips * 9, "{noticed} of {flips} were noticed");
        }
    }
}

#[test]
fn the_end_without_close_notify_has_its_own_error() {
    for version in VERSIONS {
        let (mut client, mut server) = connect(version);
        let _sent = client.send(b"a part").unwrap();
        client.end.outgoing.is_closed.set(true);
        let mut received = Vec::new();
        let error = server.drain(&mut received).unwrap_err();
        assert_eq!(received, b"a part");
        assert!(matches!(error, TlsError::Truncated));
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(matches!(error.downcast::<TlsError>(), Ok(TlsError::Truncated)));
    }
}

#[test]
fn a_peer_without_tls_is_named_so() {
    for (up, said) in [(true, "USER x\r\n"), (false, "220 Service ready\r\n"), (true, "GET / HTTP/1.1\r\n\r\n")] {
        let (sender, mut reader) = sides(VERSIONS[1], up);
        sender.end.outgoing.bytes.borrow_mut().extend(said.as_bytes());
        let error = reader.handshake().unwrap_err();
        assert_eq!(error.to_string(), "the peer does not speak TLS");
        // The alert is the last thing on its way to the peer.
        let sent: Vec<u8> = sender.end.incoming.bytes.borrow().iter().copied().collect();
        assert_eq!(&sent[sent.len() - 7..], [21, 3, 3, 0, 2, 2, 50], "a fatal decode_error");
        assert!(reader.handshake().is_err(), "it stays over");
    }
}

#[test]
fn silence_costs_one_read_per_wake_up() {
    let (_client, mut server) = join(VERSIONS[1]);
    for calls in 1..5 {
        assert_eq!(server.handshake().unwrap(), Handshake::BlockedOnRead);
        assert_eq!(server.end.reads.get(), calls);
    }
    let (mut client, mut server) = connect(VERSIONS[1]);
    let _sent = client.send(&[7; 100]).unwrap();
    // Half a record, then silence.
    server.end.incoming.bytes.borrow_mut().truncate(50);
    assert_eq!(server.receive(&mut [0; 100]).unwrap(), Step::Blocked);
    let before = server.end.reads.get();
    assert_eq!(server.receive(&mut [0; 100]).unwrap(), Step::Blocked);
    assert_eq!(server.end.reads.get(), before + 1);
}

#[test]
fn a_refused_certificate_is_told_to_both_sides() {
    for version in VERSIONS {
        let mut config = client_config(version);
        let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(stranger.cert.der().clone()).unwrap();
        let provider = config.crypto_provider().clone();
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
        config.dangerous().set_certificate_verifier(verifier.build().unwrap());
        let (mut client, mut server) = join_with(client(config), server(server_config(version)), || usize::MAX);
        let refused = loop {
            match client.handshake() {
                Ok(_) => assert!(server.handshake().is_ok()),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, TlsError::Certificate(_)), "{refused:?}");
        let heard = server.handshake().unwrap_err();
        assert!(
            matches!(heard, TlsError::Alert(AlertDescription::UnknownCA | AlertDescription::DecryptError)),
            "{heard:?}"
        );
    }
}

#[test]
fn records_without_data_are_borne_for_a_while_only() {
    let mut config = server_config(VERSIONS[1]);
    config.send_tls13_tickets = 4;
    let (mut client, mut server) = join_with(crate::wire::client(client_config(VERSIONS[1])), server(config), || 1000);
    crate::wire::shake(&mut client, &mut server).unwrap();
    assert_eq!(client.receive(&mut [0; 100]).unwrap(), Step::Blocked);

    let mut config = server_config(VERSIONS[1]);
    config.send_tls13_tickets = 3000;
    let (mut client, mut server) =
        join_with(crate::wire::client(client_config(VERSIONS[1])), crate::wire::server(config), || 1000);
    crate::wire::shake(&mut client, &mut server).unwrap();
    assert!(server.end.outgoing.bytes.borrow().len() > 2 * muxftp_reactor::tls::FRUITLESS_BYTES);
    assert!(matches!(client.receive(&mut [0; 100]), Err(TlsError::Flood)));
}

#[test]
fn garbage_after_our_close_is_an_error() {
    for version in VERSIONS {
        let (client, mut server) = connect(version);
        server.layer.close();
        assert!(server.flush());
        client.end.outgoing.bytes.borrow_mut().extend([23, 3, 3, 0, 20].into_iter().chain([7; 20]));
        let error = server.receive(&mut [0; 100]).unwrap_err();
        assert!(matches!(error, TlsError::Protocol(_)), "{error:?}");
    }
}
