//! Websocket connections as the world sees them: queues, numbers, the replay ring and resumption.

use super::clock::now_ms;
use super::event::{Audience, Event, Happening};
use super::gate::Gate;
use super::id::{is_id, new_id};
use super::release::Release;
use super::world::World;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;

/// How many sent events can be replayed.
const RING: usize = 128;
/// How many unsent events are kept.
const QUEUE: usize = 256;

/// A frame that waits.
#[derive(Debug)]
enum Outgoing {
    Event(Event),
    Reply(String),
}

/// One authenticated connection, with or without a socket at the moment.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) user_id: String,
    token: String,
    connection_id: String,
    next_seq: u64,
    ring: VecDeque<(u64, String)>,
    replay: VecDeque<String>,
    queue: VecDeque<Outgoing>,
    wake: Arc<Notify>,
    pub(crate) gate: Arc<Gate>,
    /// When the socket went away; none while there is one.
    left_at: Option<i64>,
    overflowed: bool,
    skip_next: bool,
    repeat_next: bool,
    break_next: bool,
}

/// What a client asks for when it comes back.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResumeWish {
    pub(crate) connection_id: Option<String>,
    pub(crate) sequence_number: Option<String>,
}

/// The switches of a test that matter when a socket arrives.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arrival {
    pub(crate) no_hello: bool,
    pub(crate) refuse_resume: bool,
}

/// What the socket's task shall do next.
#[derive(Debug)]
pub(crate) enum NextFrame {
    Send(String),
    /// Send half of it and die.
    Break(String),
    Wait,
    HangUp,
}

impl World {
    /// Ties a socket to a connection: a new one or one that is resumed. `None`: the server hangs up.
    pub(crate) fn attach(
        &mut self,
        user_id: &str,
        token: &str,
        wish: &ResumeWish,
        gate: &Arc<Gate>,
        arrival: Arrival,
    ) -> Option<(u64, Arc<Notify>)> {
        let now = now_ms();
        let (limit, release) = (self.limits.resume_ms, self.limits.release);
        self.connections.retain(|_, connection| connection.left_at.is_none_or(|left| now - left < limit));
        if let Some(wanted) = wish.connection_id.as_ref().filter(|id| !id.is_empty()) {
            if !is_id(wanted) {
                return None;
            }
            let known = self.connections.iter().find(|(_, c)| {
                c.connection_id == *wanted && c.user_id == user_id && c.left_at.is_some() && !c.overflowed
            });
            if let Some(key) = known.map(|(key, _)| *key).filter(|_| !arrival.refuse_resume) {
                let wanted: u64 = wish.sequence_number.as_ref()?.parse().ok()?;
                return self.resume(key, wanted, token, gate, arrival);
            }
        }
        self.connection_count += 1;
        let key = self.connection_count;
        let mut connection = Connection {
            user_id: user_id.to_owned(),
            token: token.to_owned(),
            connection_id: new_id(),
            next_seq: 0,
            ring: VecDeque::new(),
            replay: VecDeque::new(),
            queue: VecDeque::new(),
            wake: Arc::new(Notify::new()),
            gate: Arc::clone(gate),
            left_at: None,
            overflowed: false,
            skip_next: false,
            repeat_next: false,
            break_next: false,
        };
        connection.greet(release, arrival);
        let wake = Arc::clone(&connection.wake);
        self.connections.insert(key, connection);
        self.tell(Happening::Connected { user_id: user_id.to_owned(), resumed: false });
        self.set_status(user_id, "online");
        Some((key, wake))
    }

    fn resume(
        &mut self,
        key: u64,
        wanted: u64,
        token: &str,
        gate: &Arc<Gate>,
        arrival: Arrival,
    ) -> Option<(u64, Arc<Notify>)> {
        let release = self.limits.release;
        let connection = self.connections.get_mut(&key)?;
        connection.left_at = None;
        token.clone_into(&mut connection.token);
        connection.gate = Arc::clone(gate);
        connection.wake = Arc::new(Notify::new());
        let mut resumed = true;
        if wanted == 0 {
            // The real server takes 0 for "nothing to replay" and counts from there, without a hello.
            connection.next_seq = 0;
        } else if let Some(from) = connection.ring.iter().position(|(seq, _)| *seq == wanted) {
            connection.replay = connection.ring.iter().skip(from).map(|(_, frame)| frame.clone()).collect();
        } else if connection.ring.back().is_some_and(|(seq, _)| seq + 1 != wanted) {
            resumed = false;
            connection.ring.clear();
            connection.connection_id = new_id();
            connection.next_seq = 0;
            connection.greet(release, arrival);
        } else {
            connection.next_seq = wanted;
        }
        let (wake, user_id) = (Arc::clone(&connection.wake), connection.user_id.clone());
        self.tell(Happening::Connected { user_id: user_id.clone(), resumed });
        self.set_status(&user_id, "online");
        Some((key, wake))
    }

    /// The socket is gone; the connection waits to be resumed.
    pub(crate) fn detach(&mut self, key: u64) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.left_at = Some(now_ms());
        let user_id = connection.user_id.clone();
        if connection.overflowed {
            self.connections.remove(&key);
        }
        let elsewhere = self.connections.values().any(|c| c.user_id == user_id && c.left_at.is_none());
        self.tell(Happening::Disconnected { user_id: user_id.clone() });
        if !elsewhere {
            self.set_status(&user_id, "offline");
        }
    }

    /// Puts an event into the queue of everybody it concerns.
    pub(crate) fn publish(&mut self, event: &Event) {
        let (members, teams) = (&self.channel_members, &self.team_members);
        let (sessions, users) = (&self.sessions, &self.users);
        let release = self.limits.release;
        let in_channel = |channel: &str, user: &str| members.get(channel).is_some_and(|m| m.contains(user));
        for connection in self.connections.values_mut() {
            let user = connection.user_id.as_str();
            let concerned = match &event.audience {
                Audience::Channel(channel) => in_channel(channel, user),
                Audience::ChannelExcept(channel, except) => user != except && in_channel(channel, user),
                Audience::User(id) | Audience::UserIn(id, _) => user == id,
                Audience::Team(team) => teams.get(team).is_some_and(|m| m.contains(user)),
                Audience::Everybody => true,
            };
            // A connection whose token was taken back stays open. It hears nothing more, or in older releases everything.
            let authenticated = !release.is_recent()
                || sessions.contains_key(&connection.token) && users.get(user).is_some_and(|user| user.delete_at == 0);
            if concerned && authenticated {
                connection.enqueue(Outgoing::Event(event.clone()));
            }
        }
    }

    /// Answers a client's own message. Answers are not numbered.
    pub(crate) fn reply(&mut self, key: u64, text: String) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.enqueue(Outgoing::Reply(text));
        }
    }

    /// Whether the connection's token is still good.
    pub(crate) fn is_authenticated(&self, key: u64) -> bool {
        self.connections.get(&key).is_some_and(|connection| self.session(&connection.token).is_some())
    }

    /// Takes the next frame; an event gets its number now.
    pub(crate) fn next_frame(&mut self, key: u64) -> NextFrame {
        let release = self.limits.release;
        let Some(connection) = self.connections.get_mut(&key) else { return NextFrame::HangUp };
        if connection.overflowed {
            return NextFrame::HangUp;
        }
        if let Some(frame) = connection.replay.pop_front() {
            return NextFrame::Send(frame);
        }
        match connection.queue.pop_front() {
            None => NextFrame::Wait,
            Some(Outgoing::Reply(text)) => NextFrame::Send(text),
            Some(Outgoing::Event(event)) => {
                let seq = connection.next_seq + u64::from(std::mem::take(&mut connection.skip_next));
                connection.next_seq = seq + 1;
                let frame = event.frame(release, &connection.user_id, &connection.connection_id, seq);
                if connection.ring.len() == RING {
                    connection.ring.pop_front();
                }
                connection.ring.push_back((seq, frame.clone()));
                if std::mem::take(&mut connection.repeat_next) {
                    connection.queue.push_front(Outgoing::Event(event));
                }
                if std::mem::take(&mut connection.break_next) {
                    NextFrame::Break(frame)
                } else {
                    NextFrame::Send(frame)
                }
            }
        }
    }

    /// Changes every connection that has a socket.
    pub(crate) fn with_open_connections(&mut self, mut change: impl FnMut(&mut Connection)) {
        for connection in self.connections.values_mut().filter(|connection| connection.left_at.is_none()) {
            change(connection);
        }
    }

    /// Who has an open websocket.
    pub(crate) fn is_connected(&self, user_id: &str) -> bool {
        self.connections.values().any(|c| c.user_id == user_id && c.left_at.is_none())
    }
}

impl Connection {
    fn greet(&mut self, release: Release, arrival: Arrival) {
        if arrival.no_hello {
            self.next_seq = 1;
            return;
        }
        let version = release.version();
        let mut data = json!({ "server_version": format!("{version}.{version}.sandbox.false"), "connection_id": "" });
        if release.is_recent() {
            data["server_hostname"] = json!("sandbox");
        }
        let hello = Event::new("hello", Audience::User(self.user_id.clone()), data);
        self.queue.push_front(Outgoing::Event(hello));
        self.wake.notify_one();
    }

    fn enqueue(&mut self, outgoing: Outgoing) {
        if self.queue.len() >= QUEUE {
            self.overflowed = true;
        } else {
            self.queue.push_back(outgoing);
        }
        self.wake.notify_one();
    }

    /// The next event is numbered one too high.
    pub(crate) fn skip_a_number(&mut self) {
        self.skip_next = true;
    }

    /// The next event comes twice, under two numbers.
    pub(crate) fn repeat_an_event(&mut self) {
        self.repeat_next = true;
    }

    /// The connection dies in the middle of the next event.
    pub(crate) fn break_a_frame(&mut self) {
        self.break_next = true;
    }

    /// Nothing sent so far can be replayed, as after a restart of the server.
    pub(crate) fn forget(&mut self) {
        self.connection_id = new_id();
    }
}
