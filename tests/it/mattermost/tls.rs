//! The Mattermost adapter and an authority of the site's own: REST and websocket over TLS, against a server of a page.

use halcyon::adapters::mattermost::{Mattermost, MattermostOptions, Pace};
use halcyon::core::action::run::Secret;
use halcyon::core::id::PostId;
use halcyon::core::input::Connection;
use halcyon::runtime::ports::{Chat, ChatEvent};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_util::sync::CancellationToken;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// Serves until the process ends; a thread a connection.
fn serve() -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_file(data("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(data("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, stream) = (config.clone(), stream.unwrap());
            std::thread::spawn(move || answer(config, stream));
        }
    });
    url
}

/// One request a connection. None when the client went away, as one does that does not trust us.
fn answer(config: Arc<ServerConfig>, stream: TcpStream) -> Option<()> {
    let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head).ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    assert_eq!(header("authorization").as_deref(), Some("Bearer secret-token"), "{head}");
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).ok()?;
    let mut stream = stream.into_inner();
    if let Some(key) = header("sec-websocket-key") {
        let accept = derive_accept_key(key.as_bytes());
        let switch = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(switch.as_bytes()).ok()?;
        let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
        socket.send(Message::text(r#"{"event":"hello","data":{"connection_id":"x"},"seq":0}"#)).ok()?;
        while socket.read().is_ok() {}
        return Some(());
    }
    let body = r#"{"id":"bot1","username":"halcyon","MaxPostSize":"5000"}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

#[tokio::test]
async fn an_authority_of_the_site_is_trusted_and_no_other() {
    let url = serve();
    for (ca_file, expected) in [(Some(data("ca.pem")), "up as halcyon, 5000"), (None, "certificate")] {
        let trusted = ca_file.is_some();
        let options = MattermostOptions {
            url: url.clone(),
            token: Secret::new("secret-token"),
            team: "ops".into(),
            ca_file,
            now: || Timestamp::UNIX_EPOCH,
            pace: Pace::default(),
            callbacks: None,
        };
        let chat = Mattermost::new(options).unwrap();
        let (sender, mut events) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let first = async {
            let mut event = events.recv().await;
            while matches!(event, Some(ChatEvent::Gap)) {
                event = events.recv().await;
            }
            stop.cancel();
            match event {
                Some(ChatEvent::Connection(Connection::Up { username, max_post, .. })) => {
                    format!("up as {username}, {max_post}")
                }
                Some(ChatEvent::Connection(Connection::Down { why })) => why,
                other => format!("{other:?}"),
            }
        };
        let both = async { tokio::join!(chat.listen(sender, stop.clone()), first) };
        let ((), line) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
        assert!(line.contains(expected), "{line:?}");
        assert_eq!(chat.edit(&PostId::new("p1"), "hello").await.is_ok(), trusted);
    }
}
