//! The bot's end of the socket.

use super::account;
use super::wire::{self, Greeting, LONGEST_ASK, LineError, VERSION};
use crate::core::effect::Answer;
use crate::core::input::{Ask, Principal};
use crate::runtime::ports::ControlCall;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How many callers are heard at a time; further ones wait for their turn.
const CALLERS: usize = 64;
/// How long a caller may take for a question.
const ASKING: Duration = Duration::from_secs(10);
/// How long a caller may take to read an answer.
const READING: Duration = Duration::from_secs(60);

/// A socket that is listened to. It takes its file away when it is dropped.
#[derive(Debug)]
pub struct ControlListener {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for ControlListener {
    fn drop(&mut self) {
        // Whoever starts next replaces a file that stays behind.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another bot has it.
    #[error("another halcyon listens on {}; there can be one for each store", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("{} is in the way: it is not a socket; move it, or choose another file by `control.socket`", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// The system's limit for the names of sockets.
    #[error("{} is too long for the name of a socket (107 bytes at most); choose a shorter one by `control.socket`", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The system failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Makes the socket. A directory that does not exist is made for the bot's account alone; one that exists keeps its permissions, which then
/// decide who can knock. Whoever can is told apart by the kernel and needs a role to be given anything.
///
/// # Errors
/// When somebody listens there already, or the system refuses.
pub async fn bind(path: &Path) -> Result<ControlListener, BindError> {
    let fail = |doing: &'static str| {
        let path = path.to_owned();
        move |source| BindError::Io { doing, path, source }
    };
    if path.as_os_str().len() > 107 {
        return Err(BindError::TooLong { path: path.to_owned() });
    }
    if let Some(directory) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(fail("make the directory of"))?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => return Err(BindError::InTheWay { path: path.to_owned() }),
        Ok(_) => match UnixStream::connect(path).await {
            Ok(_) => return Err(BindError::InUse { path: path.to_owned() }),
            // Nobody listens: it was left behind by a process that was killed.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(fail("remove the abandoned socket"))?;
            }
            Err(error) => return Err(fail("knock at the socket")(error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail("look at")(error)),
    }
    let listener = UnixListener::bind(path).map_err(fail("listen on"))?;
    let listener = ControlListener { listener, path: path.to_owned() };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(fail("set the permissions of"))?;
    Ok(listener)
}

/// Answers callers until `stop`. Questions that are under way then get a moment to be answered by whoever took them.
pub async fn serve(listener: ControlListener, calls: mpsc::Sender<ControlCall>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CALLERS));
    let mut callers = JoinSet::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                let (calls, stop) = (calls.clone(), stop.clone());
                callers.spawn(async move {
                    let _place = place;
                    attend(stream, &calls, &stop).await;
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: trying again at once would spin.
                tracing::warn!(%error, "cannot take a call on the control socket");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        while callers.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = timeout(Duration::from_secs(2), callers.join_all()).await;
}

/// Serves one caller to the end.
async fn attend(stream: UnixStream, calls: &mpsc::Sender<ControlCall>, stop: &CancellationToken) {
    let uid = match stream.peer_cred() {
        Ok(credentials) => credentials.uid(),
        Err(error) => {
            tracing::warn!(%error, "the kernel does not tell who calls on the control socket");
            return;
        }
    };
    let from = Principal::LocalUser { uid, name: account::name(uid).await };
    let mut stream = BufReader::new(stream);
    if timeout(READING, wire::write(&mut stream, &Greeting { version: VERSION })).await.is_err() {
        return;
    }
    loop {
        let line = tokio::select! {
            () = stop.cancelled() => return,
            line = timeout(ASKING, wire::read::<Ask>(&mut stream, LONGEST_ASK)) => line,
        };
        let (answer, last) = match line {
            Err(_) | Ok(Err(LineError::Ended | LineError::Io(_))) => return,
            Ok(Err(error @ LineError::TooLong(_))) => (Answer::Refused { text: error.to_string() }, true),
            Ok(Err(error @ LineError::Malformed(_))) => (Answer::Refused { text: error.to_string() }, false),
            Ok(Ok(ask)) => match put(from.clone(), ask, calls).await {
                Some(answer) => (answer, false),
                None => return,
            },
        };
        match timeout(READING, wire::write(&mut stream, &answer)).await {
            Ok(Ok(())) if !last => {}
            _ => return,
        }
    }
}

/// Puts a question to the bot. Nothing comes back when the bot is stopping.
async fn put(from: Principal, ask: Ask, calls: &mpsc::Sender<ControlCall>) -> Option<Answer> {
    let (reply, answer) = oneshot::channel();
    calls.send(ControlCall { from, ask, reply }).await.ok()?;
    answer.await.ok()
}
