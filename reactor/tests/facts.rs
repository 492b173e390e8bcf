//! The facts of mio on epoll that the loop's design rests on. When one of these tests fails, the
//! design has to be thought over, not the test.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream as Peer};
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::os::fd::AsRawFd;

const SOCKET: Token = Token(7 << 32 | 3);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A poll with one registered stream, and the stream's peer.
fn world() -> (Poll, TcpStream, Peer) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let peer = Peer::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut stream = TcpStream::from_std(stream);
    let poll = Poll::new().unwrap();
    poll.registry().register(&mut stream, SOCKET, BOTH).unwrap();
    (poll, stream, peer)
}

/// Waits until an event is as wanted, and drops those before it.
fn wait_for(poll: &mut Poll, wanted: impl Fn(&Event) -> bool) {
    let mut events = Events::with_capacity(8);
    while !events.iter().any(&wanted) {
        poll.poll(&mut events, None).unwrap();
    }
}

fn count_pending(poll: &mut Poll) -> usize {
    let mut events = Events::with_capacity(8);
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    events.iter().count()
}

#[test]
fn a_partial_read_gets_no_second_event() {
    let (mut poll, mut stream, mut peer) = world();
    peer.write_all(&[1; 1000]).unwrap();
    wait_for(&mut poll, Event::is_readable);

    stream.read_exact(&mut [0; 100]).unwrap();

    assert_eq!(count_pending(&mut poll), 0);
    stream.read_exact(&mut [0; 900]).unwrap();
}

#[test]
fn an_unanswered_event_is_not_repeated() {
    let (mut poll, _stream, mut peer) = world();
    peer.write_all(b"x").unwrap();
    wait_for(&mut poll, Event::is_readable);
    assert_eq!(count_pending(&mut poll), 0);
}

#[test]
fn two_connects_give_one_event_and_both_can_be_accepted() {
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let mut poll = Poll::new().unwrap();
    poll.registry().register(&mut listener, SOCKET, BOTH).unwrap();
    let address = listener.local_addr().unwrap();
    let _peers = [Peer::connect(address).unwrap(), Peer::connect(address).unwrap()];
    assert_eq!(count_pending(&mut poll), 1);

    listener.accept().unwrap();
    assert_eq!(count_pending(&mut poll), 0, "no event for the one that is left");
    listener.accept().unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_hang_up_is_reported_while_bytes_are_unread() {
    let (mut poll, mut stream, mut peer) = world();
    peer.write_all(&[1; 10]).unwrap();
    drop(peer);
    wait_for(&mut poll, Event::is_read_closed);

    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).unwrap(), 10);
}

#[test]
fn a_read_event_says_writable_too() {
    let (mut poll, _stream, mut peer) = world();
    wait_for(&mut poll, Event::is_writable);
    peer.write_all(b"x").unwrap();
    // Nothing about writing has changed: such a flag is a hint, not news.
    wait_for(&mut poll, |event| event.is_readable() && event.is_writable());
}

#[test]
fn what_came_before_registering_is_reported_after_it() {
    let (poll, mut stream, mut peer) = world();
    poll.registry().deregister(&mut stream).unwrap();
    peer.write_all(b"x").unwrap();

    let mut other = Poll::new().unwrap();
    let fd = stream.as_raw_fd();
    other.registry().register(&mut SourceFd(&fd), SOCKET, BOTH).unwrap();
    wait_for(&mut other, Event::is_readable);
}

#[test]
fn closing_takes_a_socket_out_of_the_poll() {
    let (mut poll, stream, mut peer) = world();
    drop(stream);
    // Whatever the peer does now, and although it gets a reset, nobody is told.
    let _ = peer.write_all(b"x");
    assert_eq!(count_pending(&mut poll), 0);
}

#[test]
fn a_regular_file_cannot_be_registered() {
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    let poll = Poll::new().unwrap();
    let refused = poll.registry().register(&mut SourceFd(&file.as_raw_fd()), SOCKET, BOTH);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn a_token_keeps_both_its_halves() {
    let (mut poll, _stream, _peer) = world();
    wait_for(&mut poll, |event| event.token() == SOCKET);
}
