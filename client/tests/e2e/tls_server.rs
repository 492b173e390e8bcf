//! What a server of one's own needs for TLS.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use crate::support::CERTIFICATE;

/// A connection with TLS on it.
pub type Tls = StreamOwned<ServerConnection, TcpStream>;

/// With the certificate of all servers, and sessions that can be resumed.
pub fn config(versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(CERTIFICATE.key.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![CERTIFICATE.der.clone()], key).unwrap())
}

/// Puts TLS on a connection; the hand-shake comes with the first bytes.
pub fn secure(config: &Arc<ServerConfig>, stream: TcpStream) -> Tls {
    StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
}

/// A line, without its end; empty at the end. No byte behind it is read.
pub fn hear(control: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while matches!(control.read(&mut byte), Ok(1)) && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}
