//! What a connection says of itself, and sessions that go on.

use std::sync::Arc;

use muxftp_reactor::pump::Step;
use rustls::{HandshakeKind, ProtocolVersion};

use crate::wire::{VERSIONS, client, client_config, connect, join_with, server, server_config, shake};

#[test]
fn version_and_ciphers_are_known() {
    for (version, known) in VERSIONS.iter().zip([ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3]) {
        let (client, server) = connect(version);
        for layer in [&client.layer, &server.layer] {
            assert_eq!(layer.protocol_version(), Some(known));
            assert!(layer.cipher_suite().is_some());
            assert_eq!(layer.handshake_kind(), Some(HandshakeKind::Full));
        }
        assert_eq!(client.layer.cipher_suite(), server.layer.cipher_suite());
        assert_eq!(client.layer.peer_certificates().map(<[_]>::len), Some(1));
        assert!(server.layer.peer_certificates().is_none());
    }
}

#[test]
fn a_ticket_resumes_the_session_as_often_as_wanted() {
    for version in VERSIONS {
        let mut config = server_config(version);
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
        let client_config = client_config(version);
        for round in 0..4 {
            let (mut client, mut server) =
                join_with(client(client_config.clone()), server(config.clone()), || usize::MAX);
            shake(&mut client, &mut server).unwrap();
            let kind = if round == 0 { HandshakeKind::Full } else { HandshakeKind::Resumed };
            assert_eq!(server.layer.handshake_kind(), Some(kind), "round {round}");
            assert_eq!(client.layer.handshake_kind(), Some(kind), "round {round}");
            // A client has its tickets only once it reads behind the hand-shake.
            assert_eq!(client.receive(&mut [0; 10]).unwrap(), Step::Blocked);
        }
    }
}

#[test]
fn a_session_of_another_key_is_not_resumed() {
    for version in VERSIONS {
        let client_config = client_config(version);
        for _ in 0..2 {
            let mut config = server_config(version);
            config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
            config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
            let (mut client, mut server) = join_with(client(client_config.clone()), server(config), || usize::MAX);
            shake(&mut client, &mut server).unwrap();
            assert_eq!(server.layer.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(client.receive(&mut [0; 10]).unwrap(), Step::Blocked);
        }
    }
}
