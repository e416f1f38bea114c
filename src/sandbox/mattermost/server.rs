//! The Rust interface: what tests and the demo hold.

use super::event::Happening;
use super::faults::Faults;
use super::gate::GatedListener;
use super::gate::Line;
use super::id::new_id;
use super::model::{ChannelKind, FileInfo, Post, Reaction};
use super::posting::{Draft, Patch};
use super::refusal::Refusal;
use super::release::Release;
use super::rest;
use super::shared::{Settings, Shared};
use super::world::{Limits, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// How the server is set up. The defaults are those of a real one.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which release it answers like.
    pub release: Release,
    /// The loopback port; 0 takes a free one.
    pub port: u16,
    /// The secret in the address of the web chat page; a random one if empty.
    pub page_token: String,
    /// Characters in a message.
    pub max_post_size: usize,
    /// Characters in the props of a post, as JSON: 8000 on 5.x.
    pub max_props_size: usize,
    /// Bytes in a file.
    pub max_file_size: usize,
    /// How long a post's text may be edited.
    pub post_edit_limit: Option<Duration>,
    /// How long a `pending_post_id` is remembered.
    pub pending_life: Duration,
    /// How long a lost websocket can be resumed.
    pub resume_life: Duration,
    /// How long a dialog may be opened after a press.
    pub trigger_life: Duration,
    /// When an unauthenticated websocket is hung up on.
    pub authentication_deadline: Duration,
    /// How often the server pings.
    pub ping_every: Duration,
    /// When a client that sends no pong is dropped.
    pub pong_deadline: Duration,
    /// How long an integration may take to answer.
    pub integration_timeout: Duration,
    /// Calls a token may make; none is the default of real servers.
    pub rate_limit: Option<RateLimit>,
    /// How much more its clock shows than it should (less, if negative), from the first post on.
    pub skew_ms: i64,
    /// Whether the world starts with its team, channels, users and bot.
    pub populated: bool,
    /// Pages that the chat page links to, behind the same secret.
    pub beside: Vec<Beside>,
}

/// A page beside the chat page. It may load `/page/style.css` and nothing else.
#[derive(Clone)]
pub struct Beside {
    /// What its link says; also its place below `/beside/`, in small letters.
    pub name: String,
    /// Makes the page, whenever it is asked for.
    pub page: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Beside {
    /// Where it is, without the secret.
    pub(crate) fn path(&self) -> String {
        format!("/beside/{}", self.name.to_lowercase())
    }
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Beside").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A limit on calls.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    /// Calls a second in the long run.
    pub per_second: u32,
    /// Calls at once.
    pub burst: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            release: Release::default(),
            port: 0,
            page_token: String::new(),
            max_post_size: 16_383,
            max_props_size: 800_000,
            max_file_size: 100 * 1024 * 1024,
            post_edit_limit: None,
            pending_life: Duration::from_secs(30),
            resume_life: Duration::from_secs(300),
            trigger_life: Duration::from_secs(3),
            authentication_deadline: Duration::from_secs(5),
            ping_every: Duration::from_secs(60),
            pong_deadline: Duration::from_secs(100),
            integration_timeout: Duration::from_secs(30),
            rate_limit: None,
            skew_ms: 0,
            populated: true,
            beside: Vec::new(),
        }
    }
}

/// A running Mattermost server. It ends when it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// A post that was waited for did not come.
#[derive(Debug, thiserror::Error)]
#[error("no such post in {channel} within {waited:?}; there is:\n{there}")]
pub struct NotSeen {
    channel: String,
    waited: Duration,
    there: String,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Server {
    /// Binds the port and serves.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .user_agent("Mattermost-Bot/1.1")
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(3))
            .timeout(options.integration_timeout)
            .build()
            .map_err(io::Error::other)?;
        let (happenings, _) = broadcast::channel(4096);
        let limits = Limits {
            release: options.release,
            max_post_size: options.max_post_size,
            max_props_size: options.max_props_size,
            max_file_size: options.max_file_size,
            post_edit_seconds: options.post_edit_limit.map(|limit| i64::try_from(limit.as_secs()).unwrap_or(i64::MAX)),
            pending_ms: millis(options.pending_life),
            resume_ms: millis(options.resume_life),
            trigger_ms: millis(options.trigger_life),
        };
        let settings = Settings {
            page_token: if options.page_token.is_empty() { new_id() } else { options.page_token },
            authentication_deadline: options.authentication_deadline,
            ping_every: options.ping_every,
            pong_deadline: options.pong_deadline,
            rate_limit: options.rate_limit,
            beside: options.beside,
        };
        let mut world = World::new(limits, happenings.clone());
        world.skew_ms = options.skew_ms;
        let shared = Arc::new(Shared::new(world, settings, http, happenings));
        let app = rest::router(&shared).into_make_service_with_connect_info::<Line>();
        let gated = GatedListener::new(listener, Arc::clone(&shared));
        let accepting = tokio::spawn(async move {
            // Serving ends only with the task.
            let _ = axum::serve(gated, app).await;
        });
        let server = Self { shared, address, accepting };
        if options.populated {
            server.populate();
        }
        Ok(server)
    }

    fn populate(&self) {
        let team = self.add_team("ops");
        let people = ["operator", "lead", "guest"].map(|name| self.add_user(name));
        // Known users, so neither is refused.
        let _ = self.set_timezone("operator", "Europe/Zurich", "");
        let _ = self.set_timezone("lead", "Europe/Zurich", "America/New_York");
        let bot = self.add_bot("halcyon");
        for channel in ["cluster", "town-square"] {
            let channel = self.add_channel(&team, channel);
            for user in people.iter().chain([&bot]) {
                self.shared.world().join_channel(&channel, user);
            }
        }
    }

    /// Cuts every connection and serves no more.
    pub fn stop(&self) {
        self.accepting.abort();
        self.shared.cut_everything();
    }

    /// `http://127.0.0.1:PORT`, as a client is configured with.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the web chat page, with its secret.
    pub fn page_url(&self) -> String {
        format!("http://{}/?token={}", self.address, self.shared.settings.page_token)
    }

    /// The address of a page beside the chat page, with the secret; nothing when there is none of this name.
    pub fn beside_url(&self, name: &str) -> Option<String> {
        let beside = self.shared.settings.beside.iter().find(|beside| beside.name == name)?;
        Some(format!("http://{}{}?token={}", self.address, beside.path(), self.shared.settings.page_token))
    }

    /// Makes it misbehave.
    pub fn faults(&self) -> Faults {
        Faults::new(Arc::clone(&self.shared))
    }

    /// Everything that happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Happening> {
        self.shared.happenings.subscribe()
    }

    /// How often each route was called, as `POST /api/v4/posts/{post_id}`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.shared.calls()
    }

    /// How often this route was called.
    pub fn calls_of(&self, route: &str) -> u64 {
        self.shared.calls().get(route).copied().unwrap_or_default()
    }

    // ---- the world

    /// Adds a user with the password `password`; gives its id. One with this name stays as it is.
    pub fn add_user(&self, name: &str) -> String {
        self.shared.world().add_user(name, Some("password"), false)
    }

    /// Sets the time zone that a user's client reports, and the one that they chose instead; an empty one is none.
    pub fn set_timezone(&self, user: &str, automatic: &str, chosen: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let id = world.find_user(user)?.id.clone();
        if let Some(user) = world.users.get_mut(&id) {
            user.timezone = (automatic.to_owned(), chosen.to_owned());
        }
        Ok(())
    }

    /// Adds a bot account; gives its id.
    pub fn add_bot(&self, name: &str) -> String {
        self.shared.world().add_user(name, None, true)
    }

    /// Adds a team; gives its id.
    pub fn add_team(&self, name: &str) -> String {
        self.shared.world().add_team(name)
    }

    /// Adds an open channel to a team; gives its id.
    pub fn add_channel(&self, team: &str, name: &str) -> String {
        self.shared.world().add_channel(team, name, ChannelKind::Open, "")
    }

    /// Adds a private channel to a team; gives its id.
    pub fn add_private_channel(&self, team: &str, name: &str) -> String {
        self.shared.world().add_channel(team, name, ChannelKind::Private, "")
    }

    /// Puts a user into a channel and its team.
    pub fn join(&self, user: &str, channel: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let (user, channel) = (world.find_user(user)?.id.clone(), world.find_channel(channel)?.id.clone());
        world.join_channel(&channel, &user);
        Ok(())
    }

    /// Takes a user out of a channel.
    pub fn leave(&self, user: &str, channel: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let (user, channel) = (world.find_user(user)?.id.clone(), world.find_channel(channel)?.id.clone());
        world.leave_channel(&channel, &user, &user);
        Ok(())
    }

    /// Deactivates or reactivates a user; tokens of an inactive one are refused.
    pub fn set_active(&self, user: &str, active: bool) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        world.set_active(&user, active);
        Ok(())
    }

    /// Makes a user a system administrator.
    pub fn make_admin(&self, user: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        if let Some(user) = world.users.get_mut(&user) {
            user.roles = "system_user system_admin".into();
        }
        Ok(())
    }

    /// Gives a channel another name; a new one may have the old name then.
    pub fn rename_channel(&self, channel: &str, name: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let channel = world.find_channel(channel)?.id.clone();
        if let Some(channel) = world.channels.get_mut(&channel) {
            name.clone_into(&mut channel.name);
        }
        Ok(())
    }

    /// Gives a user another name; whoever wants the old one may have it then.
    pub fn rename(&self, user: &str, name: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        world.rename_user(&user, name);
        Ok(())
    }

    /// Turns a user into a bot account, or a bot account into a user.
    pub fn set_bot(&self, user: &str, is_bot: bool) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        world.set_bot(&user, is_bot);
        Ok(())
    }

    /// Gives the server a licence with groups, or takes it away.
    pub fn license_groups(&self, licensed: bool) {
        self.shared.world().groups_licensed = licensed;
    }

    /// Adds a group; its source is `ldap` or `custom`. Gives its id.
    pub fn add_group(&self, name: &str, source: &str) -> String {
        self.shared.world().add_group(name, source)
    }

    /// Puts a user into a group.
    pub fn join_group(&self, user: &str, group: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        world.find_group(group)?.members.insert(user);
        Ok(())
    }

    /// Takes a user out of a group.
    pub fn leave_group(&self, user: &str, group: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        world.find_group(group)?.members.remove(&user);
        Ok(())
    }

    /// Lets a user read who is in groups of the directory service.
    pub fn let_read_groups(&self, user: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        world.group_readers.insert(user);
        Ok(())
    }

    /// Takes the permissions for custom groups away from all users, or gives them back.
    pub fn keep_custom_groups(&self, kept: bool) {
        self.shared.world().custom_groups_kept = kept;
    }

    /// The id of a user.
    pub fn user_id(&self, name: &str) -> Result<String, Refusal> {
        Ok(self.shared.world().find_user(name)?.id.clone())
    }

    /// The id of a channel.
    pub fn channel_id(&self, name: &str) -> Result<String, Refusal> {
        Ok(self.shared.world().find_channel(name)?.id.clone())
    }

    /// The id of the direct channel of two users, made if there is none.
    pub fn direct_channel(&self, one: &str, other: &str) -> Result<String, Refusal> {
        let mut world = self.shared.world();
        let (one, other) = (world.find_user(one)?.id.clone(), world.find_user(other)?.id.clone());
        Ok(world.direct_channel(&one, &other))
    }

    /// A new token of a user: what a session, a personal access token or a bot token is.
    pub fn token_of(&self, user: &str) -> Result<String, Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        Ok(world.open_session(&user, false))
    }

    /// A new token of the bot `halcyon`.
    pub fn bot_token(&self) -> String {
        let mut world = self.shared.world();
        let bot = world.add_user("halcyon", None, true);
        world.open_session(&bot, false)
    }

    /// Whether a user has an authenticated websocket at the moment.
    pub fn is_connected(&self, user: &str) -> bool {
        let world = self.shared.world();
        world.find_user(user).is_ok_and(|user| world.is_connected(&user.id))
    }

    // ---- what people do

    /// A user writes into a channel; gives the post's id.
    pub fn post_as(&self, user: &str, channel: &str, text: &str, root: Option<&str>) -> Result<String, Refusal> {
        self.inject(Draft {
            user: user.into(),
            channel: channel.into(),
            message: text.into(),
            root_id: root.unwrap_or_default().into(),
            ..Draft::default()
        })
    }

    /// A post as an incoming webhook of this user makes it: under the user's id, with another name shown.
    pub fn post_as_webhook(&self, owner: &str, channel: &str, text: &str, shown_as: &str) -> Result<String, Refusal> {
        let props = json!({ "from_webhook": "true", "override_username": shown_as, "webhook_display_name": "" });
        self.inject(Draft {
            user: owner.into(),
            channel: channel.into(),
            message: text.into(),
            props: props.as_object().cloned().unwrap_or_default(),
            ..Draft::default()
        })
    }

    /// Makes any post, also one that no client could make. A user who is not in the channel is refused.
    pub fn inject(&self, draft: Draft) -> Result<String, Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(&draft.user)?.id.clone();
        let channel = world.find_channel(&draft.channel)?.id.clone();
        if !world.in_channel(&channel, &user) {
            return Err(Refusal::forbidden("create_post"));
        }
        Ok(world.create_post(draft)?.id)
    }

    /// A user edits the text of a post.
    pub fn edit_as(&self, user: &str, post: &str, text: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        if world.live_post(post).ok_or_else(Refusal::no_post)?.user_id != world.find_user(user)?.id {
            return Err(Refusal::forbidden("edit_others_posts"));
        }
        world.change_post(post, Patch { message: Some(text.into()), ..Patch::default() })?;
        Ok(())
    }

    /// A user deletes a post.
    pub fn delete_as(&self, user: &str, post: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        world.live_post(post).ok_or_else(Refusal::no_post)?;
        world.delete_post(post, &user);
        Ok(())
    }

    /// A post is removed for good, as administrators can; nobody is told.
    pub fn erase(&self, post: &str) {
        self.shared.world().erase_post(post);
    }

    /// What the server takes the time to be, in milliseconds.
    pub fn now(&self) -> i64 {
        self.shared.world().now()
    }

    /// A user puts an emoji on a post.
    pub fn react_as(&self, user: &str, post: &str, emoji: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        world.react(&user, post, emoji)?;
        Ok(())
    }

    /// A user takes an emoji away again.
    pub fn unreact_as(&self, user: &str, post: &str, emoji: &str) -> Result<(), Refusal> {
        let mut world = self.shared.world();
        let user = world.find_user(user)?.id.clone();
        world.unreact(&user, post, emoji)
    }

    /// A user presses a button, named by its action id; gives what the client would be answered.
    pub async fn click(&self, user: &str, post: &str, action: &str) -> Result<Value, Refusal> {
        self.choose(user, post, action, "").await
    }

    /// A user chooses from a menu. Nobody checks that the option is one of the menu's.
    pub async fn choose(&self, user: &str, post: &str, action: &str, option: &str) -> Result<Value, Refusal> {
        let user = self.user_id(user)?;
        if !action.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refusal::no_route());
        }
        self.shared.press(&user, post, action, option).await
    }

    /// A user submits a dialog: `{url, callback_id, state, channel_id, team_id, submission, cancelled}`, all of it as the client likes.
    pub async fn submit_dialog(&self, user: &str, request: &Value) -> Result<Value, Refusal> {
        let user = self.user_id(user)?;
        self.shared.submit_dialog(&user, request).await
    }

    /// Stores a file for a later post; gives its id.
    pub fn upload_as(&self, user: &str, channel: &str, name: &str, content: Vec<u8>) -> Result<String, Refusal> {
        let mut world = self.shared.world();
        let (user, channel) = (world.find_user(user)?.id.clone(), world.find_channel(channel)?.id.clone());
        Ok(world.store_file(&user, &channel, name, content).id)
    }

    // ---- what there is to see

    /// The posts of a channel that are not deleted, oldest first, replies among them.
    pub fn posts(&self, channel: &str) -> Vec<Post> {
        let world = self.shared.world();
        let Ok(channel) = world.find_channel(channel) else { return Vec::new() };
        world.posts.iter().filter(|post| post.channel_id == channel.id && post.delete_at == 0).cloned().collect()
    }

    /// The replies to a post, oldest first.
    pub fn replies(&self, root: &str) -> Vec<Post> {
        let world = self.shared.world();
        world.posts.iter().filter(|post| post.root_id == root && post.delete_at == 0).cloned().collect()
    }

    /// A post with all its revisions, deleted or not.
    pub fn post(&self, id: &str) -> Option<Post> {
        self.shared.world().post(id).cloned()
    }

    /// The emoji on a post, oldest first.
    pub fn reactions(&self, post: &str) -> Vec<Reaction> {
        self.shared.world().reactions.iter().filter(|reaction| reaction.post_id == post).cloned().collect()
    }

    /// The files of a post.
    pub fn files(&self, post: &str) -> Vec<FileInfo> {
        let world = self.shared.world();
        let ids = world.post(post).map(|post| post.file_ids.clone()).unwrap_or_default();
        ids.iter().filter_map(|id| world.files.get(id).cloned()).collect()
    }

    /// Waits until a post of the channel is as wished; looks again whenever something happens.
    pub async fn wait_for(
        &self,
        channel: &str,
        wished: impl Fn(&Post) -> bool,
        within: Duration,
    ) -> Result<Post, NotSeen> {
        let mut happenings = self.subscribe();
        let deadline = Instant::now() + within;
        loop {
            if let Some(post) = self.posts(channel).into_iter().find(|post| wished(post)) {
                return Ok(post);
            }
            // Having lagged behind is a reason to look again, like any other event.
            if timeout_at(deadline, happenings.recv()).await.is_err() {
                return Err(NotSeen { channel: channel.into(), waited: within, there: self.describe(channel) });
            }
        }
    }

    /// Waits until something happens that is as wished. Take the subscription before causing it.
    pub async fn wait_for_happening(
        happenings: &mut broadcast::Receiver<Happening>,
        wished: impl Fn(&Happening) -> bool,
        within: Duration,
    ) -> Option<Happening> {
        let deadline = Instant::now() + within;
        loop {
            match timeout_at(deadline, happenings.recv()).await {
                Ok(Ok(happening)) if wished(&happening) => return Some(happening),
                Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {}
                Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => return None,
            }
        }
    }

    fn describe(&self, channel: &str) -> String {
        let mut text = String::new();
        for post in self.posts(channel) {
            let author = self.shared.world().users.get(&post.user_id).map(|u| u.username.clone()).unwrap_or_default();
            let indent = if post.root_id.is_empty() { "" } else { "    " };
            let emoji: Vec<String> = self.reactions(&post.id).into_iter().map(|r| r.emoji_name).collect();
            // Writing to a string does not fail.
            let _ = writeln!(text, "{indent}{author}: {:?} {emoji:?}", post.message);
        }
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
