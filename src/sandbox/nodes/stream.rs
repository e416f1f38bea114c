//! Standard input and output of commands: channel, pipe, memory, file.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::group::Group;
use super::machine::Machine;

/// How much one command substitution or one tool may hold in memory.
pub(crate) const HELD: usize = 8 << 20;

/// Which of the channel's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Out,
    Err,
}

/// Nobody reads any more.
#[derive(Debug)]
pub(crate) struct Closed;

/// Where output goes.
#[derive(Clone)]
pub(crate) enum Sink {
    Null,
    Channel {
        lane: Lane,
        sender: mpsc::Sender<(Lane, Bytes)>,
        /// Whether a lost connection is hidden from the writer, as the wrapper promises.
        forgiving: bool,
        group: Arc<Group>,
    },
    Pipe(mpsc::Sender<Bytes>),
    Memory(Arc<Mutex<Vec<u8>>>),
    File {
        machine: Arc<Machine>,
        path: String,
    },
}

impl Sink {
    pub(crate) fn memory() -> (Sink, Arc<Mutex<Vec<u8>>>) {
        let held = Arc::new(Mutex::new(Vec::new()));
        (Sink::Memory(held.clone()), held)
    }

    pub(crate) async fn write(&self, data: impl Into<Bytes>) -> Result<(), Closed> {
        let data = data.into();
        if data.is_empty() {
            return Ok(());
        }
        match self {
            Sink::Null => Ok(()),
            Sink::Channel { lane, sender, forgiving, group } => {
                if !group.charge_output(data.len()) {
                    return Err(Closed);
                }
                match sender.send((*lane, data)).await {
                    Ok(()) => Ok(()),
                    Err(_) if *forgiving => {
                        // A script that writes without end must still give way to others.
                        tokio::task::yield_now().await;
                        Ok(())
                    }
                    Err(_) => Err(Closed),
                }
            }
            Sink::Pipe(sender) => sender.send(data).await.map_err(|_| Closed),
            Sink::Memory(held) => {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                if held.len() + data.len() > HELD {
                    return Err(Closed);
                }
                held.extend_from_slice(&data);
                Ok(())
            }
            Sink::File { machine, path } => machine.files(|files| files.append(path, &data)).map_err(|_| Closed),
        }
    }
}

/// Where input comes from. Clones read from the same place, as processes that inherit a descriptor do.
#[derive(Clone)]
pub(crate) struct Source(Arc<tokio::sync::Mutex<Reader>>);

struct Reader {
    held: BytesMut,
    incoming: Incoming,
}

enum Incoming {
    Nothing,
    Pipe(mpsc::Receiver<Bytes>),
    Client(mpsc::UnboundedReceiver<Bytes>),
}

impl Source {
    fn new(held: BytesMut, incoming: Incoming) -> Source {
        Source(Arc::new(tokio::sync::Mutex::new(Reader { held, incoming })))
    }

    pub(crate) fn empty() -> Source {
        Source::new(BytesMut::new(), Incoming::Nothing)
    }

    pub(crate) fn bytes(data: impl AsRef<[u8]>) -> Source {
        Source::new(BytesMut::from(data.as_ref()), Incoming::Nothing)
    }

    pub(crate) fn pipe(receiver: mpsc::Receiver<Bytes>) -> Source {
        Source::new(BytesMut::new(), Incoming::Pipe(receiver))
    }

    pub(crate) fn client(receiver: mpsc::UnboundedReceiver<Bytes>) -> Source {
        Source::new(BytesMut::new(), Incoming::Client(receiver))
    }

    /// The next piece of whatever size; none at the end.
    pub(crate) async fn piece(&self) -> Option<Bytes> {
        let mut reader = self.0.lock().await;
        if reader.held.is_empty() && !reader.fill().await {
            return None;
        }
        Some(reader.held.split().freeze())
    }

    /// One line without its end, and whether it had an end; none at the end of input.
    pub(crate) async fn line(&self) -> Option<(Vec<u8>, bool)> {
        let mut reader = self.0.lock().await;
        loop {
            if let Some(end) = reader.held.iter().position(|byte| *byte == b'\n') {
                let line = reader.held.split_to(end + 1);
                return Some((line[..end].to_vec(), true));
            }
            if reader.held.len() > HELD || !reader.fill().await {
                let rest = reader.held.split();
                return if rest.is_empty() { None } else { Some((rest.to_vec(), false)) };
            }
        }
    }

    /// All that is left; none when it is more than one command may hold.
    pub(crate) async fn rest(&self) -> Option<Vec<u8>> {
        let mut reader = self.0.lock().await;
        while reader.fill().await {
            if reader.held.len() > HELD {
                return None;
            }
        }
        Some(reader.held.split().to_vec())
    }
}

impl Reader {
    async fn fill(&mut self) -> bool {
        let piece = match &mut self.incoming {
            Incoming::Nothing => None,
            Incoming::Pipe(receiver) => receiver.recv().await,
            Incoming::Client(receiver) => receiver.recv().await,
        };
        match piece {
            Some(piece) => {
                self.held.extend_from_slice(&piece);
                true
            }
            None => {
                self.incoming = Incoming::Nothing;
                false
            }
        }
    }
}

/// The three streams of a command.
#[derive(Clone)]
pub(crate) struct Streams {
    pub(crate) input: Source,
    pub(crate) out: Sink,
    pub(crate) err: Sink,
}
