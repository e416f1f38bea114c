//! A TCP line between the bot and a real server, so that it can be cut and silenced.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Connections stay and nothing passes.
    Silent,
    Cut,
}

/// What is behind the listening port. It ends with the line.
pub(crate) struct Line {
    url: String,
    connections: Arc<Mutex<Vec<watch::Sender<State>>>>,
    accepting: JoinHandle<()>,
}

impl Line {
    pub(crate) async fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(Mutex::new(Vec::new()));
        let accepting = tokio::spawn({
            let (address, connections) = (address.to_owned(), Arc::clone(&connections));
            async move {
                while let Ok((near, _)) = listener.accept().await {
                    // A server that is down takes no connection; so does this line.
                    let Ok(far) = TcpStream::connect(&address).await else { continue };
                    let (state, _) = watch::channel(State::Open);
                    let (near_read, near_write) = near.into_split();
                    let (far_read, far_write) = far.into_split();
                    tokio::spawn(pass(near_read, far_write, state.subscribe()));
                    tokio::spawn(pass(far_read, near_write, state.subscribe()));
                    connections.lock().unwrap().push(state);
                }
            }
        });
        Self { url, connections, accepting }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Ends every connection of now, REST and websocket; both ends notice.
    pub(crate) fn cut(&self) {
        for state in self.connections.lock().unwrap().drain(..) {
            state.send_replace(State::Cut);
        }
    }

    /// Every connection of now stays and nothing passes any more; neither end can tell.
    pub(crate) fn silence(&self) {
        for state in self.connections.lock().unwrap().iter() {
            state.send_replace(State::Silent);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let now = *state.borrow_and_update();
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            read = from.read(&mut buffer), if now == State::Open => match read {
                Ok(length @ 1..) => if to.write_all(&buffer[..length]).await.is_err() { return },
                _ => return,
            },
        }
        if *state.borrow() == State::Cut {
            return;
        }
    }
}
