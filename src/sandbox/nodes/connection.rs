//! One node's port: accepting, logins, channels.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, MethodKind, MethodSet};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::machine::Machine;
use super::stream::{HELD, Lane, Source};
use super::wrapper::Request;

const NO_SHELL: &str =
    "This is a sandbox node: there is no interactive shell here. Run one command: ssh NODE COMMAND\n";

/// A node's port and who may come in.
pub(crate) struct Gate {
    pub(crate) machine: Arc<Machine>,
    pub(crate) address: SocketAddr,
    pub(crate) config: Arc<Config>,
    /// The same with another host key.
    pub(crate) wrong_config: Arc<Config>,
    pub(crate) client: PublicKey,
    /// Whether the port is bound; follows what the machine's port should do.
    pub(crate) listening: watch::Sender<bool>,
    pub(crate) stop: CancellationToken,
}

/// The SSH configuration of a node with this host key.
pub(crate) fn config(host_key: PrivateKey) -> Arc<Config> {
    Arc::new(Config {
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        inactivity_timeout: None,
        // Small answers must not wait for the client's delayed acknowledgement.
        nodelay: true,
        window_size: 1 << 18,
        channel_buffer_size: 32,
        ..Config::default()
    })
}

impl Gate {
    /// Accepts until the cluster stops, following faults and reboots.
    pub(crate) async fn serve(self: Arc<Gate>, listener: TcpListener) {
        let mut listener = Some(listener);
        let mut port = self.machine.port.subscribe();
        while !self.stop.is_cancelled() {
            let wanted = {
                let port = port.borrow_and_update();
                port.open && port.fault != Some(Fault::RefuseConnections)
            };
            if !wanted {
                listener = None;
            } else if listener.is_none() {
                match TcpListener::bind(self.address).await {
                    Ok(bound) => listener = Some(bound),
                    Err(_) => {
                        // Somebody else holds the address for a moment.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                }
            }
            self.listening.send_replace(listener.is_some());
            let accepted = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => break,
                changed = port.changed() => if changed.is_err() { break },
                accepted = accepted => match accepted {
                    Ok((stream, _)) => {
                        tokio::spawn(self.clone().converse(stream));
                    }
                    // Out of descriptors, for instance: give others the time to close some.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
            }
        }
        drop(listener);
        self.listening.send_replace(false);
    }

    /// One connection, from its acceptance to its end.
    async fn converse(self: Arc<Gate>, stream: TcpStream) {
        let must_end = self.machine.connections();
        let fault = self.machine.fault();
        if fault == Some(Fault::Hang) {
            tokio::select! {
                () = must_end.cancelled() => {}
                () = self.stop.cancelled() => {}
            }
            return;
        }
        let Ok((stream, line)) = Line::of(stream) else { return };
        let line = Arc::new(line);
        let config = if fault == Some(Fault::WrongHostKey) { &self.wrong_config } else { &self.config };
        let login = Login {
            machine: self.machine.clone(),
            client: self.client.clone(),
            line: line.clone(),
            user: String::new(),
            channels: BTreeMap::new(),
        };
        let talk = async {
            if let Ok(session) = russh::server::run_stream(config.clone(), stream, login).await {
                let _ = session.await;
            }
        };
        tokio::pin!(talk);
        tokio::select! {
            () = &mut talk => {}
            () = must_end.cancelled() => line.cut(),
            () = self.stop.cancelled() => line.cut(),
        }
        line.gone.cancel();
    }
}

/// The TCP connection below a session, so that it can be cut.
struct Line {
    socket: std::net::TcpStream,
    gone: CancellationToken,
    /// Bytes of output that went through it.
    written: AtomicU64,
}

impl Line {
    fn of(stream: TcpStream) -> std::io::Result<(TcpStream, Line)> {
        stream.set_nodelay(true)?;
        let socket = stream.into_std()?;
        let twin = socket.try_clone()?;
        let line = Line { socket: twin, gone: CancellationToken::new(), written: AtomicU64::new(0) };
        Ok((TcpStream::from_std(socket)?, line))
    }

    fn cut(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        self.gone.cancel();
    }
}

/// One client's session.
struct Login {
    machine: Arc<Machine>,
    client: PublicKey,
    line: Arc<Line>,
    user: String,
    channels: BTreeMap<ChannelId, Opened>,
}

/// A channel that has not been asked for anything yet, and the environment it was given.
struct Opened {
    channel: Channel<Msg>,
    environment: Vec<(String, String)>,
}

impl Login {
    fn admits(&self, key: &PublicKey) -> bool {
        key.key_data() == self.client.key_data() && self.machine.fault() != Some(Fault::RefuseLogin)
    }
}

impl Handler for Login {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(if self.admits(offer.public_key) { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        if !self.admits(key.public_key) {
            return Ok(Auth::reject());
        }
        self.user = user.to_owned();
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), Opened { channel, environment: Vec::new() });
        reply.accept().await;
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        // What a default sshd accepts.
        if (name == "LANG" || name.starts_with("LC_"))
            && value.len() < 200
            && let Some(opened) = self.channels.get_mut(&channel)
            && opened.environment.len() < 20
        {
            opened.environment.push((name.to_owned(), value.to_owned()));
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        if let Some(Opened { channel, .. }) = self.channels.remove(&channel) {
            tokio::spawn(async move {
                let _ = channel.data_bytes(NO_SHELL).await;
                let _ = channel.exit_status(1).await;
                let _ = channel.eof().await;
                let _ = channel.close().await;
            });
        }
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        session.channel_failure(channel)
    }

    async fn exec_request(&mut self, id: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let Some(Opened { channel, environment }) = self.channels.remove(&id) else {
            return session.channel_failure(id);
        };
        let (read, write) = channel.split();
        if self.machine.fault() == Some(Fault::HangAfterLogin) {
            tokio::spawn(drain(read));
            return Ok(());
        }
        session.channel_success(id)?;
        let closed = self.line.gone.child_token();
        let (input_sender, input) = mpsc::unbounded_channel();
        tokio::spawn(take_input(read, input_sender, closed.clone()));
        let (sender, output) = mpsc::channel(32);
        let request = Request {
            machine: self.machine.clone(),
            user: self.user.clone(),
            line: String::from_utf8_lossy(data).into_owned(),
            environment,
            input: Source::client(input),
            sender,
        };
        tokio::spawn(execute(request, write, output, self.line.clone(), closed));
        Ok(())
    }
}

/// Reads a channel that nobody answers, so that the others on its connection go on.
async fn drain(mut read: ChannelReadHalf) {
    while let Some(message) = read.wait().await {
        if matches!(message, ChannelMsg::Close) {
            break;
        }
    }
}

/// Hands the client's input over until its end; a command that does not read it holds nobody up.
async fn take_input(mut read: ChannelReadHalf, sender: mpsc::UnboundedSender<Bytes>, closed: CancellationToken) {
    let mut sender = Some(sender);
    let mut taken = 0;
    loop {
        let message = tokio::select! {
            () = closed.cancelled() => break,
            message = read.wait() => message,
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                taken += data.len();
                if let Some(open) = &sender
                    && (taken > 2 * HELD || open.send(data).is_err())
                {
                    sender = None;
                }
            }
            Some(ChannelMsg::Eof) => sender = None,
            Some(ChannelMsg::Close) | None => {
                closed.cancel();
                break;
            }
            Some(_) => {}
        }
    }
}

/// Runs a request and sends what it writes, then how it ended.
async fn execute(
    request: Request,
    write: ChannelWriteHalf<Msg>,
    mut output: mpsc::Receiver<(Lane, Bytes)>,
    line: Arc<Line>,
    closed: CancellationToken,
) {
    let machine = request.machine.clone();
    let fault = machine.fault();
    if let Some(Fault::Slow(delay)) = &fault {
        tokio::time::sleep(*delay).await;
    }
    if let Some(Fault::DropAfter(delay)) = &fault {
        let (line, delay) = (line.clone(), *delay);
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => line.cut(),
                () = line.gone.cancelled() => {}
            }
        });
    }
    let cut_at = match &fault {
        Some(Fault::DropAfterBytes(bytes)) => Some(*bytes),
        _ => None,
    };
    // A node that goes down cuts its connections before it ends what runs: nobody hears how that ended.
    let standing = machine.connections();
    let mut running = tokio::spawn(request.play());
    let sending = async {
        let mut code = None;
        let until_let_go = tokio::time::sleep(Duration::MAX);
        tokio::pin!(until_let_go);
        loop {
            let piece = tokio::select! {
                biased;
                piece = output.recv() => piece,
                ended = &mut running, if code.is_none() => {
                    let Ok(ended) = ended else { return };
                    code = Some(ended.code);
                    if let Some(lingering) = ended.lingering {
                        until_let_go.as_mut().reset(tokio::time::Instant::now() + lingering);
                    }
                    continue;
                }
                () = &mut until_let_go => None,
            };
            let Some((lane, mut data)) = piece else { break };
            let before = line.written.fetch_add(data.len() as u64, Ordering::SeqCst);
            let over = cut_at.is_some_and(|limit| before + data.len() as u64 > limit);
            if let Some(limit) = cut_at.filter(|_| over) {
                data.truncate(usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX));
            }
            let sent = match lane {
                Lane::Out => write.data_bytes(data).await,
                Lane::Err => write.extended_data_bytes(1, data).await,
            };
            if over {
                // What was sent before the cut leaves first.
                tokio::time::sleep(Duration::from_millis(20)).await;
                line.cut();
            }
            if sent.is_err() || over {
                return;
            }
        }
        let code = match code {
            Some(code) => Some(code),
            None => running.await.ok().map(|ended| ended.code),
        };
        if let Some(code) = code.filter(|_| !standing.is_cancelled()) {
            let _ = write.exit_status(u32::from(code)).await;
            let _ = write.eof().await;
            let _ = write.close().await;
        }
    };
    // Dropping the receiving side tells the command that nobody reads any more.
    tokio::select! {
        () = closed.cancelled() => {}
        () = sending => {}
    }
}
