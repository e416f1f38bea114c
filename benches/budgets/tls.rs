//! TLS in front of a server that has none: what a connection over HTTPS costs, with a hand more between the two than there is in life.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// The authority that signed for the relay.
pub(crate) fn authority() -> PathBuf {
    file("ca.pem")
}

/// Listens on loopback and hands on, decrypted, to `to`, until this process ends.
pub(crate) async fn relay(to: SocketAddr) -> SocketAddr {
    let certificates = CertificateDer::pem_file_iter(file("server.pem")).expect("the certificate can be read");
    let certificates = certificates.map(|certificate| certificate.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("the key can be read");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("the key is the certificate's")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has room");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Whoever hangs up ends both halves.
                let _ = near.set_nodelay(true);
                let (Ok(mut near), Ok(mut far)) = (acceptor.accept(near).await, TcpStream::connect(to).await) else {
                    return;
                };
                let _ = far.set_nodelay(true);
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    address
}
