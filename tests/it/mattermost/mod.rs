//! The Mattermost adapter: frames by a table, the rest against a whole server in this process.

mod calls;
mod connection;
mod frames;
mod history;
mod logs;
mod tls;

use halcyon::adapters::mattermost::{Mattermost, MattermostOptions, Pace};
use halcyon::core::action::run::Secret;
use halcyon::core::id::{ChannelId, DeliveryId};
use halcyon::core::input::{Connection, HeardReaction};
use halcyon::runtime::ports::{Chat, ChatError, ChatEvent, NewPost};
use halcyon::sandbox::mattermost::{Faults, Options, Server};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long enough for a loaded machine, short enough to be told of.
const PATIENCE: Duration = Duration::from_secs(30);

/// Timers for tests in which nothing is meant to take long.
fn brisk() -> Pace {
    Pace {
        greeting: Duration::from_secs(3),
        ping: Duration::from_secs(1),
        silence: Duration::from_secs(10),
        soonest: Duration::from_millis(20),
        slowest: Duration::from_millis(200),
        token: Duration::from_millis(300),
        ..Pace::default()
    }
}

fn options(url: String, token: &str, pace: Pace) -> MattermostOptions {
    let now = || Timestamp::from_second(1_700_000_000).unwrap();
    MattermostOptions { url, token: Secret::new(token), team: "ops".into(), ca_file: None, now, pace, callbacks: None }
}

/// The server, the bot's adapter, and what it hears.
struct World {
    server: Server,
    token: String,
    chat: Arc<Mattermost>,
    events: mpsc::Receiver<ChatEvent>,
    stop: CancellationToken,
    listening: JoinHandle<()>,
}

impl World {
    async fn start() -> Self {
        let mut world = Self::with(Options::default(), brisk(), 64, None).await;
        assert_eq!(world.next().await, "up as halcyon, 16383 characters");
        world
    }

    async fn with(options_of_server: Options, pace: Pace, room: usize, token: Option<&str>) -> Self {
        let server = Server::start(options_of_server).await.unwrap();
        let token = token.map_or_else(|| server.bot_token(), String::from);
        let chat = Arc::new(Mattermost::new(options(server.url(), &token, pace)).unwrap());
        let (sender, events) = mpsc::channel(room);
        let stop = CancellationToken::new();
        let listening = tokio::spawn({
            let (chat, stop) = (chat.clone(), stop.clone());
            async move { chat.listen(sender, stop).await }
        });
        Self { server, token, chat, events, stop, listening }
    }

    fn faults(&self) -> Faults {
        self.server.faults()
    }

    fn say(&self, text: &str) -> String {
        self.server.post_as("operator", "cluster", text, None).unwrap()
    }

    /// The next event on one line, ids replaced by names; gaps are passed over.
    async fn next(&mut self) -> String {
        loop {
            let line = self.next_of_all().await;
            if line != "gap" {
                return line;
            }
        }
    }

    /// The same with the gaps.
    async fn next_of_all(&mut self) -> String {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time");
        match event.expect("the adapter listens") {
            ChatEvent::Connection(Connection::Up { me, username, max_post }) => {
                assert_eq!(me.as_str(), self.server.user_id("halcyon").unwrap());
                format!("up as {username}, {max_post} characters")
            }
            ChatEvent::Connection(Connection::Down { why }) => format!("down: {why}"),
            ChatEvent::Gap => "gap".to_owned(),
            ChatEvent::Reaction(reaction) => {
                let HeardReaction { user, emoji, removed, channel, .. } = *reaction;
                let who = ["operator", "lead", "guest", "halcyon"]
                    .into_iter()
                    .find(|name| self.server.user_id(name).unwrap() == user.as_str());
                let (who, sign) = (who.unwrap_or("nobody"), if removed { '-' } else { '+' });
                assert!(channel.is_some(), "the server says where");
                format!("{who}: {sign}{emoji}")
            }
            ChatEvent::Post(post) => {
                let author = ["operator", "lead", "guest", "halcyon"]
                    .into_iter()
                    .find(|name| self.server.user_id(name).unwrap() == post.author.as_str());
                let root = if post.root.is_some() { ", a reply" } else { "" };
                let edited = if post.marks.edited { ", edited" } else { "" };
                let remote = if post.marks.remote { ", remote" } else { "" };
                let marks = [post.marks.kind.clone(), post.marks.props.join(" ")].concat();
                let (author, kind, text) = (author.unwrap_or("nobody"), post.channel_kind, &post.message);
                format!("{author} in {kind:?}: {text}{root}{edited}{remote} [{marks}]")
            }
            ChatEvent::UserChanged(user) => format!("user {user} changed"),
        }
    }

    /// What comes next besides words on the connection; whether there were any.
    async fn next_post(&mut self) -> (String, bool) {
        let mut interrupted = false;
        loop {
            let line = self.next().await;
            if !line.starts_with("up ") && !line.starts_with("down: ") {
                return (line, interrupted);
            }
            interrupted = true;
        }
    }

    /// Waits for the end of the connection, with a reason that holds these words, and for the next one.
    async fn expect_interruption(&mut self, words: &str) {
        let line = self.next().await;
        assert!(line.starts_with("down: ") && line.contains(words), "{line:?} instead of {words:?}");
        assert_eq!(self.next().await, "up as halcyon, 16383 characters");
    }
}

fn heard(text: &str) -> String {
    format!("operator in Public: {text} []")
}

fn new_post(world: &World, key: &str, text: &str) -> NewPost {
    NewPost {
        key: DeliveryId::new(key),
        channel: ChannelId::new(world.server.channel_id("cluster").unwrap()),
        root: None,
        text: text.into(),
        files: Vec::new(),
        attachments: Vec::new(),
        instance: None,
    }
}

fn kind(problem: &ChatError) -> String {
    match problem {
        ChatError::Later { after, .. } => format!("later {:?}", after.map(|after| after.as_secs())),
        ChatError::Refused { .. } => "refused".into(),
        ChatError::Unknown { .. } => "unknown".into(),
        ChatError::Token { .. } => "token".into(),
    }
}
