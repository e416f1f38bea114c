//! Every accepted TCP connection passes a gate, so that a test can cut it, silence it or break it in the middle of a frame.

use super::shared::Shared;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::task::AtomicWaker;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Nothing is read and what is written vanishes; the far side sees an open connection.
    Silent,
    /// So many bytes still go out, then the connection is cut.
    Budget(usize),
    Cut,
}

/// The switch of one connection.
#[derive(Debug)]
pub(crate) struct Gate {
    mode: Mutex<Mode>,
    reader: AtomicWaker,
}

impl Gate {
    fn new() -> Self {
        Self { mode: Mutex::new(Mode::Open), reader: AtomicWaker::new() }
    }

    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, mode: Mode) {
        let mut current = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != Mode::Cut {
            *current = mode;
        }
        drop(current);
        self.reader.wake();
    }

    /// Ends the connection now, without any goodbye.
    pub(crate) fn cut(&self) {
        self.set(Mode::Cut);
    }

    /// Keeps the connection open and lets nothing through any more.
    pub(crate) fn silence(&self) {
        self.set(Mode::Silent);
    }

    /// Cuts the connection after this many more bytes went out.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.set(Mode::Budget(bytes));
    }
}

/// A gated connection.
#[derive(Debug)]
pub(crate) struct GatedStream {
    stream: TcpStream,
    gate: Arc<Gate>,
}

fn reset() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

impl AsyncRead for GatedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.gate.reader.register(cx.waker());
        match self.gate.mode() {
            Mode::Cut => Poll::Ready(Err(reset())),
            Mode::Silent => Poll::Pending,
            Mode::Open | Mode::Budget(_) => Pin::new(&mut self.stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for GatedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.gate.mode() {
            Mode::Cut => Poll::Ready(Err(reset())),
            Mode::Silent => Poll::Ready(Ok(buf.len())),
            Mode::Open => Pin::new(&mut self.stream).poll_write(cx, buf),
            Mode::Budget(0) => {
                self.gate.cut();
                Poll::Ready(Err(reset()))
            }
            Mode::Budget(left) => {
                let part = &buf[..left.min(buf.len())];
                let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, part))?;
                self.gate.set(Mode::Budget(left - written));
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Accepts connections and puts a gate before each.
pub(crate) struct GatedListener {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl GatedListener {
    pub(crate) fn new(listener: TcpListener, shared: Arc<Shared>) -> Self {
        Self { listener, shared }
    }
}

impl Listener for GatedListener {
    type Io = GatedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (GatedStream, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if self.shared.plan().down {
                continue;
            }
            // Small frames must not wait for each other; a failure only costs time.
            let _ = stream.set_nodelay(true);
            let gate = Arc::new(Gate::new());
            self.shared.remember_gate(&gate);
            return (GatedStream { stream, gate }, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The gate of the connection that a request came by.
#[derive(Debug, Clone)]
pub(crate) struct Line(pub(crate) Arc<Gate>);

impl Connected<IncomingStream<'_, GatedListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, GatedListener>) -> Self {
        Self(Arc::clone(&stream.io().gate))
    }
}
