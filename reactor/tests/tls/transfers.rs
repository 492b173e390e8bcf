//! Data arrives whole, whatever pieces the connection and the callers deal in.

use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::{Handshake, RECEIVE_BYTES, SEAL_BYTES};
use proptest::prelude::*;

use crate::wire::{
    Side, VERSIONS, client, client_config, connect, join, join_with, pattern, server, server_config, shake,
};

/// Sends `data` and close_notify one way; answers what arrived before the end.
fn transfer(from: &mut Side, to: &mut Side, data: &[u8], send_at_once: usize, buffer: &mut [u8]) -> Vec<u8> {
    let (mut sent, mut received) = (0, Vec::new());
    loop {
        if sent < data.len() {
            let piece = &data[sent..data.len().min(sent + send_at_once)];
            if let Step::Moved(count) = from.send(piece).unwrap() {
                assert!(count <= SEAL_BYTES);
                sent += count;
            }
        } else {
            from.layer.close();
            from.flush();
        }
        match to.receive(buffer).unwrap() {
            Step::Moved(count) => received.extend_from_slice(&buffer[..count]),
            Step::Blocked => {}
            Step::End => return received,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_any_size_make_a_whole(
        pieces in prop::collection::vec(prop_oneof![Just(0_usize), Just(1), 1..40_usize, 1..20_000_usize], 1..20),
        version in 0..2_usize,
        up in any::<bool>(),
        length in 0..100_000_usize,
        send_at_once in prop_oneof![1_000..100_000_usize, Just(16_384)],
        room in prop_oneof![1..400_usize, 400..70_000_usize, Just(RECEIVE_BYTES)],
    ) {
        // One piece at least must make progress.
        let mut pieces = pieces;
        pieces.push(17);
        let mut at = 0;
        let next = move || {
            at = (at + 1) % pieces.len();
            pieces[at]
        };
        let version = VERSIONS[version];
        let (mut client, mut server) =
            join_with(client(client_config(version)), server(server_config(version)), next);
        shake(&mut client, &mut server).unwrap();
        let data = pattern(length);
        let mut buffer = vec![0; room];
        let received = if up {
            transfer(&mut client, &mut server, &data, send_at_once, &mut buffer)
        } else {
            transfer(&mut server, &mut client, &data, send_at_once, &mut buffer)
        };
        prop_assert!(received == data);
    }
}

#[test]
fn one_byte_at_a_time_is_enough() {
    for version in VERSIONS {
        let (mut client, mut server) = join_with(client(client_config(version)), server(server_config(version)), || 1);
        shake(&mut client, &mut server).unwrap();
        let data = pattern(40_000);
        assert!(transfer(&mut server, &mut client, &data, 7_000, &mut [0]) == data);
    }
}

#[test]
fn each_direction_ends_by_itself() {
    for version in VERSIONS {
        let (mut client, mut server) = connect(version);
        let mut buffer = [0; 100];
        assert_eq!(transfer(&mut client, &mut server, b"up", 100, &mut buffer), b"up");
        assert_eq!(server.receive(&mut buffer).unwrap(), Step::End, "the end stays");
        assert_eq!(client.receive(&mut buffer).unwrap(), Step::Blocked);
        assert_eq!(transfer(&mut server, &mut client, b"down", 100, &mut buffer), b"down");
        assert!(client.send(b"late").is_err());
    }
}

#[test]
fn the_end_is_announced_as_buffered_until_it_is_told() {
    let (mut client, mut server) = connect(VERSIONS[1]);
    let _sent = server.send(b"all").unwrap();
    server.layer.close();
    assert!(server.flush());
    let mut buffer = vec![0; RECEIVE_BYTES];
    // Skips the tickets; data and close_notify come with the same read.
    assert_eq!(client.receive(&mut buffer).unwrap(), Step::Moved(3));
    assert!(client.layer.has_buffered() && !client.layer.is_drained());
    assert_eq!(client.receive(&mut buffer).unwrap(), Step::End);
    assert!(!client.layer.has_buffered());
}

#[test]
fn data_behind_the_hand_shake_is_buffered_without_an_event() {
    for version in VERSIONS {
        let (mut client, mut server) = join(version);
        // The client may send as soon as it is done; the server then finds both flights together.
        while client.handshake().unwrap() != Handshake::Done {
            let _so_far = server.handshake().unwrap();
        }
        let data = pattern(50_000);
        assert_eq!(client.send(&data).unwrap(), Step::Moved(data.len()));
        assert_eq!(server.handshake().unwrap(), Handshake::Done);
        // The server's own records must not wait for, or lose, what it holds.
        let _sent = server.send(b"hello").unwrap();
        let mut received = Vec::new();
        assert_eq!(server.drain(&mut received).unwrap(), Step::Blocked);
        assert!(received == data);
    }
}

#[test]
fn what_was_read_before_is_fed() {
    for version in VERSIONS {
        for fed in [1, 5, 100, 10_000] {
            let (mut client, mut server) = join(version);
            let _begun = client.handshake().unwrap();
            let mut hello = server.end.incoming.bytes.borrow_mut();
            let fed = fed.min(hello.len());
            let before: Vec<u8> = hello.drain(..fed).collect();
            drop(hello);
            server.layer.feed(&before);
            shake(&mut client, &mut server).unwrap();
        }
    }
}

#[test]
fn a_blocked_writer_takes_over_a_bounded_amount() {
    for version in VERSIONS {
        let (mut client, mut server) = connect(version);
        server.end.outgoing.capacity.set(10_000);
        let data = pattern(1 << 20);
        let mut sent = 0;
        while let Step::Moved(count) = server.send(&data[sent..]).unwrap() {
            sent += count;
        }
        assert!(sent <= SEAL_BYTES + 10_000, "{sent} bytes were taken over");
        assert!(server.layer.wants_write());
        assert_eq!(server.send(&data[sent..]).unwrap(), Step::Blocked);
        assert!(!server.flush());
        let mut received = Vec::new();
        while !server.flush() {
            assert_eq!(client.drain(&mut received).unwrap(), Step::Blocked);
        }
        assert_eq!(client.drain(&mut received).unwrap(), Step::Blocked);
        assert!(received == data[..sent]);
    }
}

#[test]
fn a_short_read_of_a_whole_record_is_known_as_drained() {
    let (mut client, mut server) = connect(VERSIONS[0]);
    let _sent = server.send(b"reply").unwrap();
    let reads = client.end.reads.get();
    assert_eq!(client.receive(&mut [0; 100]).unwrap(), Step::Moved(5));
    assert!(client.layer.is_drained());
    assert_eq!(client.end.reads.get(), reads + 1, "no read to see that there is nothing");

    // What is opened and does not fit is not drained.
    let _sent = server.send(b"reply").unwrap();
    assert_eq!(client.receive(&mut [0; 2]).unwrap(), Step::Moved(2));
    assert!(client.layer.has_buffered() && !client.layer.is_drained());
    assert_eq!(client.receive(&mut [0; 9]).unwrap(), Step::Moved(3));
    assert!(client.layer.is_drained());
}
