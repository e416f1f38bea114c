//! # Mattermost
//!
//! Hears and speaks through a Mattermost server, 5.37 or newer, with a bot's token.
//!
//! | file | has |
//! |---|---|
//! | `wire.rs` | what the server sends, and [`decode`] |
//! | `socket.rs` | the websocket: greeting, numbering, resuming, liveness, back-off |
//! | `rest.rs` | calls: which client, which limit, what a failure asks for |
//! | `history.rs` | what stands in a channel, read backwards |
//! | `interactive.rs` | buttons and dialogs as the server wants them |
//! | `identity.rs` | who a user is, kept for a minute |
//! | `groups.rs` | who is in a group |
//! | `examine.rs` | what `halcyon doctor` wants to know |
//!
//! ## Which client makes a call
//! **Reads go through `mattermost_api`, writes through `reqwest`.** The crate's `query` and `post` are made for look-ups. It hides response
//! headers, and a write must obey `Retry-After`, as a read must that is made once a post; it forces JSON, and an upload is not JSON; it follows
//! redirects, and the question who we are has to find out whether it is Mattermost that answers. It builds its HTTP client inside, so where the
//! site has an authority of its own, or a proxy stands before loopback, all goes through `reqwest`. Its websocket is not used: it cannot
//! resume, does not notice a dead peer, and drops every frame in which somebody wrote `seq_reply`.
//!
//! ## Life cycle
//! [`Mattermost::new`] checks what can be checked without a network. `listen` asks who we are, opens the websocket with the token in its
//! header and waits for the greeting; it says `Up` then, `Down` when the connection ends, and connects again: after a quarter of a second, doubling to a
//! minute, or to half a second where the server greets. A server that remembers the connection is asked to go on where we stopped; when it does not, and after the start, a `Gap` comes
//! before the `Up`, and whoever listens reads by `channels` and `history` what was written meanwhile.
//!
//! ## Invariants
//! - **The token is never written**: not to a log, not into a URL, not into an error. Two libraries would: see [`LOG_LIMITS`].
//! - **The reader never waits for work.** A full queue ends the connection, with a word, and the server is asked to repeat.
//! - **A missing number is a loss**, and is reported and repaired by connecting again; nothing is passed over in silence.
//! - **The server's times are compared with the server's clock**, which is asked for with every connection (the `Date` of an answer, good to
//!   a second) and counted on from there without looking at our own. A post is looked for by no other: a process that has just begun asks for it
//!   before.
//! - **Only the server itself refuses.** It gives each of its errors a name; a redirect, or a 403 or 404 without one, is what a proxy in maintenance
//!   says, and is waited out like a server that is down, with the question whether the address is right.
//! - **A pause that the server asks for is for all**: whichever call of ours was told `Retry-After`, none is made before, read or write; who would make
//!   one is told how long that is. How fast the bot speaks by itself is a matter of the outbox, whose tokens are for what is written and for what it
//!   looks for.
//! - **A wrong token makes no storm**: one look-up a minute and a sentence in the state.
//! - **Nothing is filtered.** Own posts, edits and webhooks are handed on with their marks; the core decides.
//! - **Props are never sent back**: an edit carries the message alone, or all props made anew, since the server strips what it returns.
//! - **A button is signed here and nowhere else**; without the address of the callback none is drawn.
//! - A proxy from the environment is honoured for REST, except to loopback. The websocket goes straight.

mod examine;
mod groups;
mod history;
mod identity;
mod interactive;
mod rest;
mod socket;
mod wire;

pub use examine::{Account, Place, RoundTrip};
pub use interactive::Callbacks;
pub use socket::Pace;
pub use wire::{Event, Frame, decode};

use crate::core::action::run::Secret;
use crate::core::callback::Dialog;
use crate::core::id::{ChannelId, DeliveryId, PostId, UserId};
use crate::core::input::{Directory, HeardPost, HeardReaction, Identity};
use crate::runtime::ports::{Chat, ChatError, ChatEvent, History, Joined, NewPost};
use async_trait::async_trait;
use identity::{Identities, channel_by_name, inactive_of, members_of};
use interactive::Props;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use rest::{Rest, lock, segment};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::Connector;
use tokio_util::sync::CancellationToken;
use wire::{INSTANCE_PROP, Named, User};

/// Directives with which every log filter must end: below these levels the libraries write requests with their headers, or server texts
/// as they came.
pub const LOG_LIMITS: [&str; 3] = ["tungstenite=info", "tokio_tungstenite=info", "mattermost_api=off"];

/// Said of what cannot be a token.
const UNLIKE_A_TOKEN: &str = "contains blanks or other characters that no token has";

/// The prop by which a post of ours is found again.
const KEY_PROP: &str = "halcyon_key";

/// How much older than asked for a post of ours may be: clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);
/// How many posts are looked through for one of ours.
const FARTHEST: usize = 20_000;

/// What the adapter needs to know.
#[derive(Debug, Clone)]
pub struct MattermostOptions {
    /// The server's address as people know it, with its sub-path if it has one.
    pub url: String,
    /// The bot's access token.
    pub token: Secret,
    /// The team whose channels are named in the settings.
    pub team: String,
    /// Certificates (PEM) to trust in the place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Wall-clock time, for the date of an identity.
    pub now: fn() -> Timestamp,
    /// The connection's timers.
    pub pace: Pace,
    /// How the server calls us back; without it no button is drawn.
    pub callbacks: Option<Callbacks>,
}

/// Why the adapter cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address is none.
    #[error("mattermost.url {url}: {why}")]
    Url {
        /// As written.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// The token cannot be one.
    #[error("the Mattermost token {0}: put the bot's access token, and nothing else, into the token file")]
    Token(&'static str),
    /// The file of authorities is of no use.
    #[error("mattermost.ca_file {}: {why}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[source] reqwest::Error),
}

/// A post as the server is asked to make it.
#[derive(Serialize)]
struct NewPostBody<'a> {
    channel_id: &'a ChannelId,
    message: &'a str,
    props: Props<'a>,
    pending_post_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_id: Option<&'a PostId>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    file_ids: &'a [String],
}

/// What a post of ours is to show from now on.
#[derive(Serialize)]
struct Redrawn<'a> {
    message: &'a str,
    props: Props<'a>,
}

/// A Mattermost server, seen with the eyes of one bot.
pub struct Mattermost {
    rest: Rest,
    identities: Identities,
    groups: groups::Groups,
    tls: Option<Connector>,
    team: String,
    now: fn() -> Timestamp,
    /// What the server's clock showed, and when.
    clock: Mutex<Option<(Instant, Timestamp)>>,
    pace: Pace,
    callbacks: Option<Callbacks>,
}

impl Mattermost {
    /// Asks for the server's time.
    async fn set_clock(&self) {
        if let Some(date) = self.rest.date().await {
            *lock(&self.clock) = Some((Instant::now(), date));
        }
    }

    /// What the server's clock shows, as far as it ever told.
    fn told_clock(&self) -> Option<Timestamp> {
        let (then, date) = (*lock(&self.clock))?;
        Some(date.saturating_add(then.elapsed()).unwrap_or(date))
    }

    /// What the server's clock shows, asked for where it is not known yet. Whoever begins before the connection stands would otherwise go by
    /// our own, which may be wrong by hours.
    async fn server_clock(&self) -> Result<Timestamp, ChatError> {
        if self.told_clock().is_none() {
            self.rest.paused()?;
            self.set_clock().await;
        }
        let why = || ChatError::Later { after: None, why: "it does not tell its time".to_owned() };
        self.told_clock().ok_or_else(why)
    }

    /// Checks the options and prepares the clients; connects nowhere yet.
    pub fn new(options: MattermostOptions) -> Result<Self, SetupError> {
        let token = options.token.reveal();
        if token.is_empty() {
            return Err(SetupError::Token("is empty"));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SetupError::Token(UNLIKE_A_TOKEN));
        }
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (authorities, tls) = match &options.ca_file {
            Some(path) => {
                let (pem, tls) =
                    read_authorities(path).map_err(|why| SetupError::Authorities { path: path.clone(), why })?;
                (Some(pem), Some(tls))
            }
            None => (None, None),
        };
        let rest = Rest::new(&options, authorities.as_deref())?;
        let MattermostOptions { team, now, pace, callbacks, .. } = options;
        let (identities, groups) = (Identities::default(), groups::Groups::default());
        Ok(Self { rest, identities, groups, tls, team, now, clock: Mutex::new(None), pace, callbacks })
    }
}

fn read_authorities(path: &PathBuf) -> Result<(Vec<u8>, Connector), String> {
    let pem = std::fs::read(path).map_err(|problem| format!("cannot be read: {problem}"))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|problem| format!("is not PEM: {problem:?}"))?;
        roots.add(certificate).map_err(|problem| format!("holds something that is no authority: {problem}"))?;
    }
    if roots.is_empty() {
        return Err("holds no certificate".into());
    }
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok((pem, Connector::Rustls(Arc::new(tls))))
}

#[async_trait]
impl Chat for Mattermost {
    async fn listen(&self, events: mpsc::Sender<ChatEvent>, stop: CancellationToken) {
        socket::listen(self, events, stop).await;
    }

    async fn create(&self, post: &NewPost) -> Result<PostId, ChatError> {
        let me = self.rest.me().await?;
        // The server itself recognises a repeat by `pending_post_id`, for half a minute; the prop lasts.
        let body = NewPostBody {
            channel_id: &post.channel,
            message: &post.text,
            props: self.props(post),
            pending_post_id: format!("{}:{}", me.id, post.key),
            root_id: post.root.as_ref(),
            file_ids: &post.files,
        };
        let made: Named = self.rest.write(Method::POST, "posts", &body).await?;
        Ok(PostId::new(made.id))
    }

    async fn find(
        &self,
        channel: &ChannelId,
        root: Option<&PostId>,
        key: &DeliveryId,
        within: Duration,
    ) -> Result<Option<PostId>, ChatError> {
        let me = self.rest.me().await?;
        let ours = |post: &wire::Post| {
            let kept = post.props.as_ref().and_then(|props| props.get(KEY_PROP)).and_then(Value::as_str);
            post.user_id == me.id && post.delete_at == 0 && kept == Some(key.as_str())
        };
        let posts = match root {
            Some(root) => match self.rest.thread(root.as_str()).await {
                Ok(thread) => thread.in_order(),
                // A thread that is gone holds no post of ours.
                Err(ChatError::Unknown { .. }) => return Ok(None),
                Err(problem) => return Err(problem),
            },
            None => {
                let within = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX).saturating_add(MARGIN);
                let now = self.server_clock().await?;
                let floor = now.saturating_sub(within).unwrap_or(Timestamp::MIN).as_millisecond();
                let stretch = history::read_back(&self.rest, channel.as_str(), floor, FARTHEST, ours).await?;
                if !stretch.complete {
                    tracing::warn!(%channel, %key, "a post of ours was not among the newest {FARTHEST}; it counts as not made");
                }
                stretch.posts
            }
        };
        // Should there be two after all, the older is the one that people have seen first.
        let found = posts.iter().filter(|post| ours(post)).min_by_key(|post| post.create_at);
        Ok(found.map(|post| PostId::new(post.id.clone())))
    }

    fn clock(&self) -> Timestamp {
        self.told_clock().unwrap_or_else(self.now)
    }

    async fn channels(&self) -> Result<Vec<Joined>, ChatError> {
        let channels = history::channels(&self.rest).await?.into_iter();
        let joined = |channel: wire::Member| Joined {
            kind: wire::channel_kind(&channel.kind),
            // A time that is none counts as now, so that the channel is looked into.
            newest: Timestamp::from_millisecond(channel.last_post_at).unwrap_or(Timestamp::MAX),
            channel: ChannelId::new(channel.id),
        };
        Ok(channels.map(joined).collect())
    }

    async fn history(&self, channel: &Joined, since: Timestamp, most: usize) -> Result<History, ChatError> {
        let name = channel.channel.as_str();
        let stretch = history::read_back(&self.rest, name, since.as_millisecond(), most, |_| false).await?;
        let mut posts = Vec::with_capacity(stretch.posts.len());
        for post in stretch.posts.into_iter().rev() {
            match wire::heard(post, None, false) {
                Ok(post) => posts.push(HeardPost { channel_kind: channel.kind, ..post }),
                Err(why) => tracing::warn!(channel = name, why, "a post of Mattermost that could not be read"),
            }
        }
        Ok(History { posts, complete: stretch.complete })
    }

    async fn redraw(&self, post: &PostId, with: &NewPost) -> Result<(), ChatError> {
        let path = format!("posts/{}/patch", segment(post.as_str())?);
        let body = Redrawn { message: &with.text, props: self.props(with) };
        self.rest.write::<IgnoredAny>(Method::PUT, &path, &body).await.map(drop)
    }

    async fn open_dialog(&self, trigger: &str, dialog: &Dialog) -> Result<(), ChatError> {
        let Some(callbacks) = &self.callbacks else {
            return Err(ChatError::Refused { why: "there is no callback_url".to_owned() });
        };
        let body = callbacks.dialog(trigger, dialog);
        self.rest.write::<IgnoredAny>(Method::POST, "actions/dialogs/open", &body).await.map(drop)
    }

    async fn reactions(&self, channel: &ChannelId, post: &PostId) -> Result<Vec<HeardReaction>, ChatError> {
        let me = self.rest.me().await?;
        let path = format!("posts/{}/reactions", segment(post.as_str())?);
        // A post without any answers `null` in some versions.
        let found: Option<Vec<wire::Reaction>> = self.rest.look_up(&path, &[]).await?;
        let mut found: Vec<HeardReaction> = found
            .unwrap_or_default()
            .into_iter()
            .filter_map(|reaction| reaction.heard(Some(channel), false).ok())
            .collect();
        found.retain(|reaction| reaction.user.as_str() != me.id);
        found.sort_by_key(|reaction| reaction.created);
        Ok(found)
    }

    async fn edit(&self, post: &PostId, text: &str) -> Result<(), ChatError> {
        let path = format!("posts/{}/patch", segment(post.as_str())?);
        self.rest.write::<IgnoredAny>(Method::PUT, &path, &json!({"message": text})).await.map(drop)
    }

    async fn react(&self, post: &PostId, emoji: &str, remove: bool) -> Result<(), ChatError> {
        let me = self.rest.me().await?;
        if remove {
            let path =
                format!("users/{}/posts/{}/reactions/{}", segment(&me.id)?, segment(post.as_str())?, segment(emoji)?);
            return self.rest.delete(&path).await;
        }
        let body = json!({"user_id": me.id, "post_id": post, "emoji_name": emoji});
        self.rest.write::<IgnoredAny>(Method::POST, "reactions", &body).await.map(drop)
    }

    async fn upload(&self, channel: &ChannelId, name: &str, content: Vec<u8>) -> Result<String, ChatError> {
        self.rest.upload(channel.as_str(), name, content).await
    }

    async fn identify(&self, user: &UserId, channels: &[ChannelId]) -> Result<Identity, ChatError> {
        self.identities.look_up(&self.rest, self.now, user, channels).await
    }

    fn forget(&self, user: &UserId) {
        self.identities.forget(user);
    }

    async fn directory(
        &self,
        users: &[String],
        channels: &[String],
        groups: &[String],
        counted: &[String],
    ) -> Result<Directory, ChatError> {
        let mut directory = Directory::default();
        let names: Vec<String> = users.iter().map(|name| name.trim_start_matches('@').to_lowercase()).collect();
        let names: Vec<&String> = names.iter().filter(|name| segment(name).is_ok()).collect();
        if !names.is_empty() {
            let found: Vec<User> = self.rest.ask("users/usernames", &names).await?;
            let inactive = found.iter().filter(|user| user.is_inactive());
            directory.inactive = inactive.map(|user| UserId::new(user.id.as_str())).collect();
            let zones = found.iter().filter(|user| !user.zone().is_empty());
            directory.zones = zones.map(|user| (UserId::new(user.id.as_str()), user.zone().to_owned())).collect();
            directory.users =
                found.into_iter().map(|user| (user.username.to_lowercase(), UserId::new(user.id))).collect();
        }
        for name in channels {
            if let Some(id) = channel_by_name(&self.rest, &self.team, name).await? {
                directory.channels.insert(name.clone(), id);
            }
        }
        let told = self.groups.look_up(&self.rest, self.now, groups).await;
        (directory.groups, directory.untold) = (told.groups, told.untold);
        for channel in counted.iter().filter_map(|name| directory.channels.get(name).cloned()).collect::<Vec<_>>() {
            // Of a channel that the server does not list nobody knows who is in it, which is not the same as nobody.
            let Some(members) = members_of(&self.rest, &channel).await? else { continue };
            directory.inactive.extend(inactive_of(&self.rest, &members).await?);
            directory.members.insert(channel, members);
        }
        Ok(directory)
    }
}
