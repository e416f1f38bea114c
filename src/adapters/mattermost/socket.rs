//! The websocket: one connection after another, numbered events, resuming, liveness.
//!
//! A connection goes through *opening* (who are we, TCP, TLS, upgrade), *greeting* (at most [`Pace::greeting`]; a server that does not like the
//! token says nothing and hangs up) and *hearing*. Whatever ends it has a sentence for people, and decides how soon the next one begins.

use super::Mattermost;
use super::rest::{chain, retry_after};
use super::wire::{Event, Frame, User, decode, shorten};
use crate::core::id::UserId;
use crate::core::input::Connection;
use crate::runtime::ports::{Chat, ChatError, ChatEvent};
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};
use tokio_util::sync::CancellationToken;

/// The longest frame: the longest post with the longest props, escaped twice, and room.
const FRAME_LIMIT: usize = 16 << 20;
/// How much is read from the socket at once: a few events. The library fills so much memory with zeros before every read.
const READ_AT_ONCE: usize = 16 << 10;
/// How many frames are read in a row.
const FRAMES_A_TURN: usize = 32;
/// After a shorter interruption a repeated event counts as heard when it happened.
const PROMPT: Duration = Duration::from_secs(15);
/// How long after resuming repeated events come at most.
const REPLAY: Duration = Duration::from_secs(5);

/// The connection's timers.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long opening may take.
    pub opening: Duration,
    /// How long the server may take to greet; it gives up on a bad token after 5 seconds.
    pub greeting: Duration,
    /// How often the server is asked for a sign of life.
    pub ping: Duration,
    /// A connection that was silent for so long is dead.
    pub silence: Duration,
    /// The first wait before connecting again; each doubles the last, up to `slowest`.
    pub soonest: Duration,
    /// The longest wait before connecting again.
    pub slowest: Duration,
    /// The longest wait after a connection that was greeted, however soon it broke: the server works, and people are writing meanwhile. Never above `slowest`.
    pub slowest_greeted: Duration,
    /// After so long a connection that was greeted counts as healthy, and the waits start from the beginning. Only a server that hangs up
    /// at once is in trouble; one that merely dropped us is found again without delay, however often that happens.
    pub healthy: Duration,
    /// How long to wait after the server refused the token.
    pub token: Duration,
    /// How many events may wait for the bot.
    pub queue: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            opening: Duration::from_secs(15),
            greeting: Duration::from_secs(5),
            ping: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            soonest: Duration::from_millis(250),
            slowest: Duration::from_secs(60),
            slowest_greeted: Duration::from_millis(500),
            healthy: Duration::from_secs(1),
            token: Duration::from_secs(60),
            queue: 1024,
        }
    }
}

/// Where the server is asked to go on.
struct Place {
    connection: String,
    next: u64,
}

/// How a connection ended.
struct Ended {
    /// A clause for people.
    why: String,
    /// When the next one begins.
    again: Again,
    /// When it was greeted.
    since: Option<Instant>,
}

enum Again {
    /// As the back-off says.
    Soon,
    /// Not before the server's wish.
    After(Duration),
    /// As the back-off says, and the token is looked at first.
    Doubting,
    /// Slowly: the token is wrong.
    Token,
}

impl Ended {
    fn soon(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: Again::Soon, since: None }
    }

    fn doubting(why: impl Into<String>) -> Self {
        Self { again: Again::Doubting, ..Self::soon(why) }
    }
}

/// Listens until `stop`.
pub(crate) async fn listen(chat: &Mattermost, events: mpsc::Sender<ChatEvent>, stop: CancellationToken) {
    // Two futures with a queue between them: the bot may be slow, the reader must not be.
    let (queue, mut waiting) = mpsc::channel(chat.pace.queue.max(1));
    let way = Way { events, queue, behind: AtomicUsize::new(0) };
    let hand_on = async {
        while let Some(event) = waiting.recv().await {
            if way.events.send(event).await.is_err() {
                return;
            }
            way.behind.fetch_sub(1, Ordering::Relaxed);
        }
    };
    let mut listener = Listener { chat, way: &way, place: None, doubt: true, heard: None, held: None };
    tokio::select! {
        () = hand_on => {}
        () = listener.keep_connected() => {}
        () = way.events.closed() => {}
        () = stop.cancelled() => {}
    }
}

/// From the reader to the bot. What the bot has room for goes straight to it; by the queue, the reader's task would wake itself and, as the
/// runtime has it, another thread.
struct Way {
    events: mpsc::Sender<ChatEvent>,
    queue: mpsc::Sender<ChatEvent>,
    /// How many events are in the queue, or were taken from it and wait for room.
    behind: AtomicUsize,
}

impl Way {
    fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed) > 0
    }

    /// Hands an event on without waiting; order is kept.
    fn hand_on(&self, event: ChatEvent) -> Result<(), TrySendError<ChatEvent>> {
        let event = match (!self.is_behind()).then(|| self.events.try_reserve()) {
            Some(Ok(room)) => {
                room.send(event);
                return Ok(());
            }
            Some(Err(TrySendError::Closed(()))) => return Err(TrySendError::Closed(event)),
            Some(Err(TrySendError::Full(()))) | None => event,
        };
        self.queue.try_send(event)?;
        self.behind.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Hands an event on once there is room. False when nobody listens any more.
    async fn hand_on_later(&self, event: ChatEvent) -> bool {
        match self.hand_on(event) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(event)) => {
                let Ok(room) = self.queue.reserve().await else { return false };
                room.send(event);
                self.behind.fetch_add(1, Ordering::Relaxed);
                true
            }
        }
    }
}

struct Listener<'a> {
    chat: &'a Mattermost,
    way: &'a Way,
    place: Option<Place>,
    doubt: bool,
    /// When the server was heard last.
    heard: Option<Instant>,
    /// The event that came in the place of a lost one. Handed on when the server cannot repeat what was lost.
    held: Option<Event>,
}

impl Listener<'_> {
    async fn keep_connected(&mut self) {
        let pace = self.chat.pace;
        let mut wait = pace.soonest;
        let mut said: Option<String> = None;
        loop {
            let Ended { why, again, since } = match self.connection().await {
                Ok(never) => match never {},
                Err(ended) => ended,
            };
            if since.is_some() {
                said = None;
            }
            if since.is_some_and(|since| since.elapsed() >= pace.healthy) {
                wait = pace.soonest;
            }
            self.doubt = matches!(again, Again::Doubting | Again::Token);
            let (pause, plan) = match again {
                Again::Soon | Again::Doubting => (jittered(wait), "Connecting again."),
                Again::After(wish) => (jittered(wait).max(wish), "Connecting again when the server wishes."),
                Again::Token => (
                    pace.token,
                    "Trying again every minute; `halcyon reload` takes a new token from a file, a restart one that systemd hands over.",
                ),
            };
            let longest = if since.is_some() { pace.slowest_greeted.min(pace.slowest) } else { pace.slowest };
            wait = (wait * 2).min(longest);
            let stop = if why.ends_with('?') { "" } else { "." };
            let sentence = format!("{}{stop} {plan}", without_request(&why));
            // One line a change of state: an outage of an hour is one event and not a hundred.
            if said.as_ref() != Some(&sentence) {
                tracing::warn!("no connection to Mattermost: {sentence}");
                let down = ChatEvent::Connection(Connection::Down { why: sentence.clone() });
                if !self.way.hand_on_later(down).await {
                    return;
                }
                said = Some(sentence);
            }
            sleep(pause).await;
        }
    }

    /// One connection from its opening to its end. There is no good end.
    async fn connection(&mut self) -> Result<std::convert::Infallible, Ended> {
        let rest = &self.chat.rest;
        let me = if self.doubt { rest.probe().await } else { rest.me().await };
        let me = me.map_err(|problem| match problem {
            ChatError::Token { why } => Ended {
                again: Again::Token,
                ..Ended::soon(format!("Mattermost does not accept the bot's token ({why}): it was revoked, has expired, or the bot account is disabled"))
            },
            ChatError::Later { after: Some(after), why } => {
                Ended { again: Again::After(after), ..Ended::soon(format!("Mattermost does not say who the bot is: {why}")) }
            }
            ChatError::Later { why, .. } => Ended::soon(format!("Mattermost does not say who the bot is: {why}")),
            ChatError::Unknown { why } | ChatError::Refused { why } => {
                Ended::soon(format!("Mattermost will not say who the bot is: {why}"))
            }
        })?;
        self.chat.set_clock().await;
        let max_post = rest.max_post().await;
        let stream = self.open().await?;
        let deaf = self.heard.map(|heard| heard.elapsed()).unwrap_or_default();
        let mut hearing = Hearing {
            listener: self,
            stream,
            up: Connection::Up { me: UserId::new(me.id.clone()), username: me.username.clone(), max_post },
            me,
            expected: None,
            since: None,
            deaf,
            replayed_until: None,
            advanced: false,
            sent: 0,
        };
        let ended = hearing.run().await;
        Err(Ended { since: hearing.since, ..ended })
    }

    async fn open(&mut self) -> Result<Stream, Ended> {
        let (mut url, bearer) = self.chat.rest.websocket();
        if let Some(place) = &self.place {
            let mut query = url.query_pairs_mut();
            query.append_pair("connection_id", &place.connection);
            query.append_pair("sequence_number", &place.next.to_string());
        }
        let unusable = |why: String| Ended::soon(format!("the websocket's address is not usable: {why}"));
        let mut request = url.as_str().into_client_request().map_err(|problem| unusable(chain(&problem)))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_AT_ONCE)
            .max_message_size(Some(FRAME_LIMIT))
            .max_frame_size(Some(FRAME_LIMIT));
        let opening = connect_async_tls_with_config(request, Some(config), true, self.chat.tls.clone());
        match timeout(self.chat.pace.opening, opening).await {
            Err(_) => Err(Ended::soon("the websocket did not open in time")),
            Ok(Ok((stream, _))) => Ok(stream),
            Ok(Err(SocketError::Http(response))) => {
                let why = format!("the websocket was refused with status {}", response.status().as_u16());
                Err(match retry_after(response.headers()) {
                    Some(wish) => Ended { again: Again::After(wish), ..Ended::soon(why) },
                    None => Ended::doubting(why),
                })
            }
            Ok(Err(problem)) => Err(Ended::soon(format!("the websocket did not open: {}", chain(&problem)))),
        }
    }
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection that is open.
struct Hearing<'a, 'b> {
    listener: &'a mut Listener<'b>,
    stream: Stream,
    up: Connection,
    me: Arc<User>,
    /// The number that the next event must have; none before the greeting.
    expected: Option<u64>,
    since: Option<Instant>,
    /// How long nothing was heard before this connection.
    deaf: Duration,
    /// Until when what comes may be a repetition of what the last connection did not bring.
    replayed_until: Option<Instant>,
    /// Whether this connection has brought any event in its order.
    advanced: bool,
    /// The number of our last frame.
    sent: u64,
}

impl Hearing<'_, '_> {
    async fn run(&mut self) -> Ended {
        match self.hear().await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn hear(&mut self) -> Result<std::convert::Infallible, Ended> {
        let pace = self.listener.chat.pace;
        let greet_by = Instant::now() + pace.greeting;
        let mut heard = Instant::now();
        let mut ping_at = Instant::now() + pace.ping;
        let mut frames: usize = 0;
        if self.listener.place.is_some() {
            // A resumed connection is not greeted, and a quiet one brings no event: only an answer tells that it stands.
            self.ping().await?;
        }
        loop {
            tokio::select! {
                message = self.stream.next() => {
                    heard = Instant::now();
                    if matches!(message, Some(Ok(_))) {
                        self.listener.heard = Some(heard);
                    }
                    self.take(message)?;
                    frames += 1;
                    // After a pause there may be many in the buffer; whoever takes them gets a turn between them.
                    if self.listener.way.is_behind() || frames.is_multiple_of(FRAMES_A_TURN) {
                        tokio::task::yield_now().await;
                    }
                }
                () = sleep_until(greet_by), if self.since.is_none() => {
                    // A place that leads nowhere must not be tried for ever.
                    self.listener.place = None;
                    return Err(Ended::doubting("the websocket opened but the server did not greet"));
                }
                () = sleep_until(heard + pace.silence) => {
                    return Err(Ended::soon(format!("the server was silent for {} seconds", heard.elapsed().as_secs())));
                }
                () = sleep_until(ping_at) => {
                    ping_at = Instant::now() + pace.ping;
                    self.ping().await?;
                }
            }
        }
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        self.sent += 1;
        let frame = format!(r#"{{"seq":{},"action":"ping"}}"#, self.sent);
        // A peer that takes nothing is as dead as one that says nothing.
        match timeout(self.listener.chat.pace.greeting, self.stream.send(Message::text(frame))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problem)) => Err(Ended::soon(format!("the connection broke: {}", chain(&problem)))),
            Err(_) => Err(Ended::soon("the server takes no more data")),
        }
    }

    fn take(&mut self, message: Option<Result<Message, SocketError>>) -> Result<(), Ended> {
        let greeted = self.since.is_some();
        // A server that hangs up before it greets may do so for the token.
        let lost = |why: String| if greeted { Ended::soon(why) } else { Ended::doubting(why) };
        match message {
            Some(Ok(Message::Text(text))) => self.frame(decode(&text)),
            // Control frames are answered by the library; binary ones are a coding that was not asked for.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Close(None))) => Err(lost("the server closed the connection".into())),
            Some(Ok(Message::Close(Some(close)))) => Err(lost(format!(
                "the server closed the connection (code {}{}{})",
                u16::from(close.code),
                if close.reason.is_empty() { "" } else { ": " },
                shorten(&close.reason)
            ))),
            Some(Err(SocketError::Capacity(problem))) => {
                // The server would repeat the same frame for ever.
                self.listener.place = None;
                Err(Ended::soon(format!("the server sent a frame that is too long ({problem}); events may be lost")))
            }
            Some(Err(problem)) => Err(lost(format!("the connection broke: {}", chain(&problem)))),
            None => Err(lost("the connection ended without a word".into())),
        }
    }

    fn frame(&mut self, frame: Frame) -> Result<(), Ended> {
        match frame {
            Frame::Event { seq, event: Event::Hello { connection } } => self.greeted(seq.unwrap_or(0), connection),
            Frame::Event { seq, event } => self.numbered(seq, event),
            Frame::Reply { to, failed: None } if self.since.is_none() && to == self.sent => self.resumed(),
            Frame::Reply { failed: Some(why), .. } if self.since.is_none() => {
                Err(Ended::doubting(format!("the server refused the first frame: {why}")))
            }
            // A connection whose token was taken back stays open; that our pings are refused is what tells.
            Frame::Reply { failed: Some(why), .. } => {
                Err(Ended::doubting(format!("the server refuses to answer: {why}")))
            }
            Frame::Reply { failed: None, .. } => Ok(()),
            Frame::Noise(why) => {
                tracing::debug!(?why, "a frame that is neither event nor reply");
                Ok(())
            }
        }
    }

    /// A connection that the server does not know, or no longer.
    fn greeted(&mut self, seq: u64, connection: Option<String>) -> Result<(), Ended> {
        if self.listener.place.is_some() {
            tracing::warn!("Mattermost does not repeat what was said in between; posts may have been missed");
        }
        // Whoever changed in between did so without our hearing of it.
        self.listener.chat.identities.forget_all();
        // The place of the lost connection stays until the loss is safely told: as long as it does, it is told again.
        self.enqueue(ChatEvent::Gap)?;
        self.listener.place = connection.map(|connection| Place { connection, next: seq + 1 });
        self.expected = Some(seq + 1);
        self.advanced = true;
        self.stand("greeted")?;
        self.listener.held.take().map_or(Ok(()), |event| self.event(event))
    }

    /// A connection that goes on where the last one ended.
    fn resumed(&mut self) -> Result<(), Ended> {
        let Some(place) = &self.listener.place else { return Ok(()) };
        self.expected = Some(place.next);
        if self.deaf >= PROMPT {
            self.replayed_until = Some(Instant::now() + REPLAY);
        }
        self.stand("resumed")
    }

    fn stand(&mut self, how: &str) -> Result<(), Ended> {
        tracing::info!(bot = self.me.username, how, "connected to Mattermost");
        self.since = Some(Instant::now());
        self.enqueue(ChatEvent::Connection(self.up.clone()))
    }

    fn numbered(&mut self, seq: Option<u64>, event: Event) -> Result<(), Ended> {
        let Some(seq) = seq else {
            return self.event(event);
        };
        if self.since.is_none() && self.listener.place.as_ref().is_some_and(|place| place.next == seq) {
            self.resumed()?;
        }
        let Some(expected) = self.expected.or(self.listener.place.as_ref().map(|place| place.next)) else {
            // Nothing counts before the greeting.
            return Ok(());
        };
        if seq != expected {
            if !self.advanced {
                self.listener.place = None;
            }
            self.listener.held = Some(event);
            return Err(Ended::soon(format!(
                "event {expected} was due and event {seq} came; something was lost on the way"
            )));
        }
        // The place moves only behind what is safely in the queue, so that the server is asked for the rest.
        self.event(event)?;
        self.advanced = true;
        self.expected = Some(seq + 1);
        self.listener.held = None;
        if let Some(place) = &mut self.listener.place {
            place.next = seq + 1;
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<(), Ended> {
        let chat = self.listener.chat;
        match event {
            Event::Post(mut post) => {
                post.heard = chat.clock();
                post.missed = self.replayed_until.is_some_and(|until| Instant::now() < until);
                self.enqueue(ChatEvent::Post(post))
            }
            Event::Reaction(reaction) => self.enqueue(ChatEvent::Reaction(reaction)),
            Event::UserChanged(user) => {
                chat.identities.forget(&user);
                if user.as_str() == self.me.id {
                    chat.rest.forget_me();
                }
                self.enqueue(ChatEvent::UserChanged(user))
            }
            Event::UsersChanged => {
                chat.identities.forget_all();
                Ok(())
            }
            Event::ConfigChanged => {
                chat.rest.forget_config();
                Ok(())
            }
            Event::Unreadable { why } => {
                tracing::warn!(?why, "an event of Mattermost that could not be read");
                Ok(())
            }
            Event::Hello { .. } | Event::Other => Ok(()),
        }
    }

    fn enqueue(&mut self, event: ChatEvent) -> Result<(), Ended> {
        match self.listener.way.hand_on(event) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Ended::soon(format!(
                "{} events wait for the bot and one more came; the server is asked to repeat it",
                self.listener.chat.pace.queue
            ))),
            Err(TrySendError::Closed(_)) => Err(Ended::soon("nobody listens any more")),
        }
    }
}

/// The reason without the number that the server gave to our call, which makes every failure look like a new one.
fn without_request(why: &str) -> String {
    let number = why.find(" (request ").and_then(|from| Some(from..from + why[from..].find(')')? + 1));
    let mut reason = why.to_owned();
    if let Some(number) = number {
        reason.replace_range(number, "");
    }
    reason
}

/// Between half and all of it, so that a hundred bots do not come back in the same second.
fn jittered(wait: Duration) -> Duration {
    let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
    wait.mul_f64(0.5 + share / 2.0)
}
