//! What the runtime needs from the world, and no more. Adapters implement these; nothing here knows an adapter by name.

use crate::core::action::execution::Execution;
use crate::core::action::run::{Run, RunNews};
use crate::core::effect::{Answer, Query};
use crate::core::fact::Dated;
use crate::core::id::{BlobId, ChannelId, DeliveryId, PostId, UserId};
use crate::core::input::{Ask, Back, Connection, Directory, HeardPost, Identity, Principal};
use async_trait::async_trait;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// What the chat server tells by itself.
#[derive(Debug)]
pub enum ChatEvent {
    /// The connection changed.
    Connection(Connection),
    /// A post was heard. Its `identity` is still empty; the runtime asks [`Chat::identify`].
    Post(Box<HeardPost>),
    /// A user's name, standing or memberships may have changed: forget what was cached.
    UserChanged(UserId),
}

/// A chat server. Calls return within their own time limits and may be repeated.
#[async_trait]
pub trait Chat: Send + Sync {
    /// Connects, keeps connected, and sends everything heard, in the order of each channel, until `stop`. Never gives up by itself except
    /// for a refused token, which is reported as [`Connection::Down`] and tried again slowly.
    async fn listen(&self, events: mpsc::Sender<ChatEvent>, stop: CancellationToken);
    /// Makes a post that carries `key` in its props.
    async fn create(&self, post: &NewPost) -> Result<PostId, ChatError>;
    /// Looks for a post of ours with this key among the newest of the channel (or of the thread).
    async fn find(
        &self,
        channel: &ChannelId,
        root: Option<&PostId>,
        key: &DeliveryId,
    ) -> Result<Option<PostId>, ChatError>;
    /// Replaces the text of a post of ours.
    async fn edit(&self, post: &PostId, text: &str) -> Result<(), ChatError>;
    /// Puts an emoji on a post or takes it away.
    async fn react(&self, post: &PostId, emoji: &str, remove: bool) -> Result<(), ChatError>;
    /// Stores a file for a later post; returns its file id.
    async fn upload(&self, channel: &ChannelId, name: &str, content: Vec<u8>) -> Result<String, ChatError>;
    /// Says who a user is and which of these channels they are in. Cached for a minute.
    async fn identify(&self, user: &UserId, channels: &[ChannelId]) -> Result<Identity, ChatError>;
    /// Forgets a cached identity.
    fn forget(&self, user: &UserId);
    /// Resolves names. Unknown ones are left out.
    async fn directory(&self, users: &[String], channels: &[String]) -> Result<Directory, ChatError>;
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
}

/// Why a call to the chat server failed, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// Too busy, unreachable or in trouble: try again, not before `after` where the server said so.
    #[error("the chat server is not answering as it should: {why}")]
    Later {
        /// The server's wish.
        after: Option<Duration>,
        /// What happened.
        why: String,
    },
    /// The server will not do it, now or later.
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
}

/// Keeps the truth: an append-only sequence of facts, and what is derived from it.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes the facts durable, all or none, and derives from them what `find` reads. Returns after the disk has them.
    async fn append(&self, facts: Vec<Dated>) -> Result<(), StoreError>;
    /// All facts in order; called once at the start.
    async fn replay(&self) -> Result<Vec<Dated>, StoreError>;
    /// Looks executions up, newest first.
    async fn find(&self, query: &Query) -> Result<Vec<Execution>, StoreError>;
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
    },
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

/// A wish that configuration and packs are read again.
#[derive(Debug)]
pub struct ReloadCall {
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
