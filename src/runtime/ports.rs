//! What the runtime needs from the world, and no more. Adapters implement these; nothing here knows an adapter by name.

use crate::core::action::execution::Execution;
use crate::core::action::run::{Attach, Run, RunNews};
use crate::core::alert::order::{Order, Target};
use crate::core::alert::source::Event as AlertEvent;
use crate::core::alert::standing::{Reading, Standing};
use crate::core::audit::question::{self, Question, Told};
use crate::core::callback::{Dialog, Meaning, Reply};
use crate::core::effect::{Answer, Query};
use crate::core::fact::Dated;
use crate::core::id::{BlobId, ChannelId, DeliveryId, PostId, UserId};
use crate::core::input::{
    Ask, Back, ChannelKind, Connection, Directory, Forgery, HeardPost, HeardReaction, Identity, Principal,
};
use crate::core::memory::Memory;
use crate::core::message::attachment::Attachment;
use crate::core::sensor::{Launch, News};
use async_trait::async_trait;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// What the chat server tells by itself.
#[derive(Debug)]
pub enum ChatEvent {
    /// The connection changed.
    Connection(Connection),
    /// What was written before this was perhaps not heard: the connection is new, or the server does not repeat what the last one missed.
    /// Comes before its `Up`.
    Gap,
    /// A post was heard. Its `identity` is still empty; the runtime asks [`Chat::identify`].
    Post(Box<HeardPost>),
    /// An emoji was put on a post or taken away. Its `identity` is still empty; the runtime asks [`Chat::identify`].
    Reaction(Box<HeardReaction>),
    /// A user's name, standing or memberships may have changed: forget what was cached.
    UserChanged(UserId),
}

/// A chat server. Calls return within their own time limits and may be repeated.
#[async_trait]
pub trait Chat: Send + Sync {
    /// Connects, keeps connected, and sends everything heard, in the order of each channel, until `stop`. Never gives up by itself except
    /// for a refused token, which is reported as [`Connection::Down`] and tried again slowly. **Nobody else sends**, no task and no thread: what was
    /// sent is looked for when this future has been polled, and whoever takes it is not woken.
    async fn listen(&self, events: mpsc::Sender<ChatEvent>, stop: CancellationToken);
    /// Makes a post that carries `key` in its props.
    async fn create(&self, post: &NewPost) -> Result<PostId, ChatError>;
    /// Looks for a post of ours with this key, in the thread or among what was made in the channel within the time that has passed.
    async fn find(
        &self,
        channel: &ChannelId,
        root: Option<&PostId>,
        key: &DeliveryId,
        within: Duration,
    ) -> Result<Option<PostId>, ChatError>;
    /// The server's clock, as well as it is known.
    fn clock(&self) -> Timestamp;
    /// The channels that the bot is in.
    async fn channels(&self) -> Result<Vec<Joined>, ChatError>;
    /// What was written in a channel since then and not deleted, by the server's clock, oldest first: the newest `most` of it.
    async fn history(&self, channel: &Joined, since: Timestamp, most: usize) -> Result<History, ChatError>;
    /// Replaces a post of ours as a whole: its text, what stands below it, its buttons. `with.key` is the key that the post was made with.
    async fn redraw(&self, post: &PostId, with: &NewPost) -> Result<(), ChatError>;
    /// Opens a dialog for whoever pressed a button; `trigger` came with the press.
    async fn open_dialog(&self, trigger: &str, dialog: &Dialog) -> Result<(), ChatError>;
    /// Every emoji that stands on a post, oldest first, but our own. Their identities are still empty.
    async fn reactions(&self, channel: &ChannelId, post: &PostId) -> Result<Vec<HeardReaction>, ChatError>;
    /// Replaces the text of a post of ours; what stands below it stays.
    async fn edit(&self, post: &PostId, text: &str) -> Result<(), ChatError>;
    /// Puts an emoji on a post or takes it away.
    async fn react(&self, post: &PostId, emoji: &str, remove: bool) -> Result<(), ChatError>;
    /// Stores a file for a later post; returns its file id.
    async fn upload(&self, channel: &ChannelId, name: &str, content: Vec<u8>) -> Result<String, ChatError>;
    /// Says who a user is and which of these channels they are in. Cached for a minute.
    async fn identify(&self, user: &UserId, channels: &[ChannelId]) -> Result<Identity, ChatError>;
    /// Forgets a cached identity.
    fn forget(&self, user: &UserId);
    /// Resolves names. Unknown ones are left out; groups whose members the server does not tell are there with the reason. Of the channels in
    /// `counted` it is also told who is a member.
    async fn directory(
        &self,
        users: &[String],
        channels: &[String],
        groups: &[String],
        counted: &[String],
    ) -> Result<Directory, ChatError>;
}

/// A channel that the bot is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Its id.
    pub channel: ChannelId,
    /// What kind it is.
    pub kind: ChannelKind,
    /// When its newest post was written, by the server's clock.
    pub newest: Timestamp,
}

/// A part of a channel.
#[derive(Debug)]
pub struct History {
    /// Oldest first, without identities.
    pub posts: Vec<HeardPost>,
    /// There is no more of it than this.
    pub complete: bool,
}

/// A post to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPost {
    /// Its key.
    pub key: DeliveryId,
    /// Its channel.
    pub channel: ChannelId,
    /// The first post of its thread.
    pub root: Option<PostId>,
    /// Its text.
    pub text: String,
    /// Ids of uploaded files.
    pub files: Vec<String>,
    /// What stands below the text.
    pub attachments: Vec<Attachment>,
    /// Which instance of the bot makes it.
    pub instance: Option<String>,
}

/// Why a call to the chat server failed, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// Too busy, unreachable or in trouble, or something else answers in its place: try again, not before `after` where it said so.
    #[error("the chat server is not answering as it should: {why}")]
    Later {
        /// The server's wish.
        after: Option<Duration>,
        /// What happened.
        why: String,
    },
    /// The server itself will not do it, now or later.
    #[error("the chat server refuses: {why}")]
    Refused {
        /// Status, error id and message.
        why: String,
    },
    /// The server does not know the post, user or channel.
    #[error("the chat server does not know it: {why}")]
    Unknown {
        /// What it said.
        why: String,
    },
    /// The token is not valid (any more).
    #[error("the chat server does not accept the token: {why}")]
    Token {
        /// What it said.
        why: String,
    },
}

/// Carries out runs of one kind.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Carries the run out to its end and reports; returns after sending `Finished`. When `cancel` fires it kills the process group on every
    /// host, reports those hosts as canceled, and finishes. Never panics, whatever the far side does.
    async fn run(&self, run: Run, news: mpsc::Sender<RunNews>, cancel: CancellationToken);
    /// Asks the hosts what has become of a run that was begun before, sees it to its end and reports, as `run` does.
    async fn attach(&self, attach: Attach, news: mpsc::Sender<RunNews>, cancel: CancellationToken);
}

/// A monitoring that can be asked and told. Calls return within their own time limits and may be repeated.
#[async_trait]
pub trait Monitoring: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &str;
    /// How things stand. What is asked for by name and not found is in [`Reading::unknown`].
    async fn read(&self, of: &Of) -> Result<Reading, MonitoringError>;
    /// Hands an order on that concerns one thing, which was found standing so. **That it was taken does not mean that it was done**: a reading shows that.
    async fn send(&self, order: &Order, about: &Target, found: &Standing) -> Result<(), MonitoringError>;
    /// Hands an order on that concerns several things: what came of each, in their order. A monitoring that can be told of many at once is.
    async fn send_all(&self, order: &Order, about: &[(Target, Standing)]) -> Vec<Result<(), MonitoringError>> {
        let sending: Vec<_> = about.iter().map(|(target, found)| self.send(order, target, found)).collect();
        futures_util::stream::iter(sending).buffered(SENT_AT_ONCE).collect().await
    }
    /// Brings what it tells by itself, in order, until `stop`. Comes back at once where it tells nothing this way.
    async fn listen(&self, _told: mpsc::Sender<MonitoringTold>, _stop: CancellationToken) {}
}

/// So many calls are made at once for an order that concerns several things.
const SENT_AT_ONCE: usize = 8;

/// What a monitoring tells by itself.
#[derive(Debug)]
pub enum MonitoringTold {
    /// It is heard from now on; what it told before was perhaps not.
    Gap,
    /// Something has changed there. What is not taken up is kept and brought again; what comes twice has the same name.
    Event(Box<AlertEvent>),
}

/// All monitorings that are configured.
#[async_trait]
pub trait Monitorings: Send + Sync {
    /// What is a problem now in the one of this name, and how these stand.
    async fn look(&self, name: &str, named: Vec<Target>) -> Result<Reading, MonitoringError>;
}

/// What is read of a monitoring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// Everything that is a problem now.
    Open,
    /// These, however they are.
    Named(Vec<Target>),
}

/// Why a monitoring did not answer, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MonitoringError {
    /// Too busy, unreachable or in trouble: try again.
    #[error("{why}")]
    Later {
        /// What happened.
        why: String,
    },
    /// It will not do it, now or later.
    #[error("{why}")]
    Refused {
        /// In its own words.
        why: String,
    },
}

/// Keeps programs of packs running that tell what happens.
#[async_trait]
pub trait SensorKeeper: Send + Sync {
    /// Runs a sensor to its end and reports; returns after sending `Ended`. When `stop` fires it is ended, and nothing of its process group is left. Nothing of
    /// it outlives this process either. **No line is read before the one before it was taken out of `news`.**
    async fn keep(&self, launch: Launch, news: mpsc::Sender<News>, stop: CancellationToken);
}

/// Keeps the truth: an append-only sequence of facts, and what is derived from it.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes the facts durable, all or none, and derives from them what `find` reads. Returns after the disk has them.
    async fn append(&self, facts: Vec<Dated>) -> Result<(), StoreError>;
    /// All facts that are kept, in order.
    async fn replay(&self) -> Result<Vec<Dated>, StoreError>;
    /// The newest memory that was written down, and the facts after it; called once at the start.
    async fn recall(&self) -> Result<Recalled, StoreError> {
        Ok(Recalled { facts: self.replay().await?, ..Recalled::default() })
    }
    /// Whether so much has been stored since the last snapshot that another would be worth its while. Cheap.
    fn wants_snapshot(&self) -> bool {
        false
    }
    /// Writes a memory down in the background. One that cannot be written costs nothing but time at the next start.
    fn snapshot(&self, _snapshot: Snapshot) {}
    /// How much room there is; absent where that cannot be told. Looks at the disk, but not more often than every few seconds.
    async fn room(&self) -> Option<Room> {
        None
    }
    /// Looks into the audit, which is made of all facts that are stored by then.
    async fn audit(&self, question: &Question) -> Result<Told, StoreError> {
        let facts = self.replay().await?;
        Ok(question::answer(&question::derive(&facts), question))
    }
    /// Looks executions up, newest first.
    async fn find(&self, query: &Query) -> Result<Vec<Execution>, StoreError>;
}

/// A memory as of a fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The number of the newest fact that was folded in; 0 when none was.
    pub newest: u64,
    /// When that happened.
    pub at: jiff::Timestamp,
    /// The fold.
    pub memory: Memory,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { newest: 0, at: jiff::Timestamp::UNIX_EPOCH, memory: Memory::default() }
    }
}

/// What a start begins with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recalled {
    /// The newest memory that was written down and can be read.
    pub snapshot: Snapshot,
    /// All facts after it, in order.
    pub facts: Vec<Dated>,
}

/// Room on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that we may still use.
    pub free: u64,
    /// Below this many nothing new should be begun.
    pub reserve: u64,
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The stored bytes are not what was written.
    #[error("{path} is damaged at byte {offset}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// How.
        what: String,
    },
    /// Somebody else has it open.
    #[error("the store {path} is in use by another process{holder}")]
    InUse {
        /// The store.
        path: PathBuf,
        /// ` (pid 123)` where that is known.
        holder: String,
        /// It has said that it is a command, which has the store until it is done.
        brief: bool,
    },
    /// An import into it was cut off before all was gathered.
    #[error(
        "an import into the store {store} was cut off. Run `halcyon import` again; or, to begin with an empty store, remove {place}"
    )]
    Unfinished {
        /// The store.
        store: PathBuf,
        /// Where what was gathered lies.
        place: PathBuf,
    },
    /// What the start needs was written by another version of this program. Nothing is wrong with it.
    #[error("{path} was written by another version of this program: {what}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Which version.
        what: String,
    },
    /// An output that is not there any more.
    #[error("this output is not kept any more ([store] keep and keep_outputs say how long)")]
    NotKept,
    /// The derived part failed.
    #[error("the index of the store failed: {0}")]
    Index(String),
}

/// Keeps pieces of output. Content-addressed: equal bytes are kept once.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Opens a new piece for writing. Nothing is visible until it is finished.
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError>;
    /// Reads a piece, at most `limit` bytes from `offset`.
    async fn read(&self, blob: &BlobId, offset: u64, limit: usize) -> Result<Vec<u8>, StoreError>;
}

/// A piece in the making.
#[async_trait]
pub trait BlobWriter: Send {
    /// Appends bytes.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError>;
    /// Syncs it and gives its name.
    async fn finish(self: Box<Self>) -> Result<BlobId, StoreError>;
}

/// A question from outside the chat with its way back. Whoever takes it either answers or drops `reply`, which tells the caller that the
/// bot is stopping.
#[derive(Debug)]
pub struct ControlCall {
    /// Who asks, as the one who heard the call knows for certain.
    pub from: Principal,
    /// What for.
    pub ask: Ask,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Answer>,
}

/// What the chat server called us back with, as far as the door can judge it.
#[derive(Debug)]
pub enum CallbackCall {
    /// A button of ours was pressed.
    Press {
        /// Who, as the server says.
        user: UserId,
        /// The post.
        post: PostId,
        /// Its channel.
        channel: ChannelId,
        /// What it means; the signature was good.
        meaning: Box<Meaning>,
        /// What a dialog can be opened with.
        trigger: String,
        /// Where the answer goes.
        reply: oneshot::Sender<Reply>,
    },
    /// A dialog of ours was submitted by the one for whom it was opened.
    Submission {
        /// Who, as the server says.
        user: UserId,
        /// The channel.
        channel: ChannelId,
        /// The delivery that made the card whose button opened it.
        card: DeliveryId,
        /// What it means; the signature was good.
        meaning: Box<Meaning>,
        /// What was put in.
        values: BTreeMap<String, serde_json::Value>,
        /// Where the answer goes.
        reply: oneshot::Sender<Reply>,
    },
    /// It is none of ours.
    Forged(Forgery),
}

/// A wish that configuration and packs are read again.
#[derive(Debug)]
pub struct ReloadCall {
    /// Who wants it; nobody when it was a signal.
    pub by: Option<Principal>,
    /// Who is told what came of it; nobody but the admin channel when it was a signal.
    pub back: Option<Back>,
    /// Fires when it has been done.
    pub done: Option<oneshot::Sender<()>>,
}

/// Where time and randomness come from.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> jiff::Timestamp;
    /// Fresh random bits.
    fn entropy(&self) -> u64;
}
