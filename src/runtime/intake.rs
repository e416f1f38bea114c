//! From what the chat server tells to inputs: posts and emojis get to know whose they are, presses who pressed, names get their ids, gaps
//! are filled.
//!
//! **Posts keep their order.** One task takes them one by one; a look-up that takes long holds up the posts behind it, and a bound on its
//! time bounds that too. What listens runs in the same task, beside it and before it, and nobody is woken for what it hears: with a task more
//! between a line and its answer the runtime would wake a second thread. **After a gap, what was missed and what was heard meanwhile come in
//! the order in which they were written**: posts that are heard wait until the gap has been read, also when the connection breaks and it is
//! read anew. Up to when everything has been considered is told once all of that has been handed on and nothing older waits. **No post is
//! handed on twice**, neither one that is heard and read nor one that the server repeats. What was missed is read once more a little later,
//! because servers read from replicas that lag. **A press waits for nothing but its own look-up**, since somebody is looking at the button.

use crate::core::access::approvers::Approvers;
use crate::core::alias::spec::DIRECT;
use crate::core::callback::Reply;
use crate::core::id::{ChannelId, PostId, UserId};
use crate::core::input::{Connection, Directory, HeardPost, HeardReaction, Identity, Input, Press, Submission};
use crate::core::settings::Settings;
use crate::runtime::catch_up::{CatchUpOptions, Gathered, gather};
use crate::runtime::dispatch::Callers;
use crate::runtime::ports::{CallbackCall, Chat, ChatError, ChatEvent};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long a post waits for its author to be looked up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon a failed look-up is tried again.
const IDENTITY_RETRY: Duration = Duration::from_millis(250);
/// How often names are resolved again, so that a role given in the chat server holds within this time.
const DIRECTORY_AGE: Duration = Duration::from_secs(60);
/// How old names may be when a post is decided about, where roles hang on groups: the server does not tell when somebody joins or leaves one.
const GROUPS_AGE: Duration = Duration::from_secs(10);
/// How soon a failed resolution is tried again.
const DIRECTORY_RETRY: Duration = Duration::from_secs(2);
/// How often posts wait for names to be resolved after the connection came up.
const FIRST_TRIES: u32 = 10;
/// How many events may wait between the socket and here, and how many posts until what was missed has been read.
const QUEUE: usize = 1024;
/// A post that waited longer than this to be handed on was not heard as it was written.
const PROMPT: SignedDuration = SignedDuration::from_secs(30);
/// How many posts are remembered to have been handed on: more than are read at once.
const REMEMBERED: usize = 32_000;

/// Where to begin, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Beginning {
    /// Until when every post has been considered, by the server's clock; absent when nobody ever listened.
    pub heard: Option<Timestamp>,
    /// When somebody listened for the first time. What was written before is nobody's business.
    pub begun: Option<Timestamp>,
    /// How catching up paces itself.
    pub catch_up: CatchUpOptions,
    /// How old names may be when a post is handed on, where roles hang on groups; ten seconds when absent.
    pub groups_age: Option<Duration>,
}

/// What the chat server calls us back with.
#[derive(Debug)]
pub struct Callbacks {
    /// The calls, from the HTTP interface.
    pub calls: mpsc::Receiver<CallbackCall>,
    /// Those who wait for an answer.
    pub pressers: Callers<Reply>,
}

/// Listens until `stop`, or until nobody takes inputs any more. `longest_post` hears how many characters a post may have, each time that the
/// server tells.
pub async fn listen(
    chat: Arc<dyn Chat>,
    mut named: Named,
    longest_post: impl Fn(usize) + Send,
    beginning: Beginning,
    inputs: mpsc::Sender<Input>,
    mut callbacks: Callbacks,
    stop: CancellationToken,
) {
    let (events, mut heard) = mpsc::channel(QUEUE);
    let listening = chat.listen(events, stop.clone());
    let mut intake = Intake {
        chat: Arc::clone(&chat),
        names: named.names(),
        inputs,
        me: None,
        role_channels: Vec::new(),
        resolve_at: None,
        resolved_at: None,
        untold: BTreeMap::new(),
        tries_left: 0,
        gap: Gap::None,
        options: beginning.catch_up,
        since: beginning.heard,
        begun: beginning.begun,
        again: None,
        waiting: VecDeque::new(),
        seen: Seen::default(),
        patient: true,
        resolved: false,
        groups_age: beginning.groups_age.unwrap_or(GROUPS_AGE),
    };
    let attend = async {
        loop {
            let listens = intake.tries_left == 0 && intake.waiting.len() < QUEUE;
            let went_on = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = due(intake.resolve_at) => intake.resolve().await,
                () = named.changed() => {
                    intake.names = named.names();
                    // Names that are new have no ids yet.
                    intake.resolve_at = intake.me.is_some().then(Instant::now);
                    Some(())
                }
                // Before what was read, so that a post that is heard as well counts as heard.
                event = just_heard(&mut heard), if listens => match event {
                    Some(event) => intake.take(event, &longest_post).await,
                    None => break,
                },
                Some(call) = callbacks.calls.recv(), if intake.resolved => intake.call_back(call, &callbacks.pressers),
                gathered = intake.gap.gathered() => intake.hand_on_missed(gathered).await,
                () = due(intake.again.map(|again| again.at)) => intake.read_again(),
            };
            if went_on.is_none() {
                break;
            }
        }
        stop.cancel();
    };
    // What listens goes first, so that what it hears is taken in the same turn.
    tokio::join!(biased; listening, attend);
}

/// The next event that waits; none when there will be no more. **Nobody is woken for it**: what listens is polled in this task, before this is.
async fn just_heard(heard: &mut mpsc::Receiver<ChatEvent>) -> Option<ChatEvent> {
    let next = |_: &mut Context<'_>| match heard.try_recv() {
        Ok(event) => Poll::Ready(Some(event)),
        Err(TryRecvError::Empty) => Poll::Pending,
        Err(TryRecvError::Disconnected) => Poll::Ready(None),
    };
    poll_fn(next).await
}

/// How it stands with what was missed.
enum Gap {
    /// Nothing was.
    None,
    /// Something may have been; it is read as soon as the connection stands and names are known.
    Open,
    /// It is being read.
    Reading(AbortOnDropHandle<Gathered>),
    /// It was read and is being read a second time, while posts go on.
    ReadingAgain(AbortOnDropHandle<Gathered>),
}

impl Gap {
    /// Posts that are heard now have to wait.
    fn holds(&self) -> bool {
        matches!(self, Gap::Open | Gap::Reading(_))
    }

    /// What was read, once it has been.
    async fn gathered(&mut self) -> Option<Gathered> {
        match self {
            Gap::None | Gap::Open => std::future::pending().await,
            Gap::Reading(reading) | Gap::ReadingAgain(reading) => reading.await.ok(),
        }
    }
}

/// A second reading of what was missed.
#[derive(Clone, Copy)]
struct Again {
    at: Instant,
    since: Timestamp,
    /// When the first reading began, by the server's clock.
    until: Timestamp,
}

struct Intake {
    chat: Arc<dyn Chat>,
    names: Names,
    inputs: mpsc::Sender<Input>,
    me: Option<UserId>,
    role_channels: Vec<ChannelId>,
    resolve_at: Option<Instant>,
    /// When names were resolved last.
    resolved_at: Option<Instant>,
    /// Groups whose members the server did not tell, as far as that was logged.
    untold: BTreeMap<String, String>,
    /// Until names have ids nobody has a role, so posts wait for the first resolution, within reason.
    tries_left: u32,
    gap: Gap,
    options: CatchUpOptions,
    /// Until when every post has been handed on, by the server's clock.
    since: Option<Timestamp>,
    begun: Option<Timestamp>,
    again: Option<Again>,
    waiting: VecDeque<Box<HeardPost>>,
    seen: Seen,
    /// The last author could be looked up. Otherwise the next is tried once, so that a server in trouble does not hold up every post.
    patient: bool,
    /// Names have had their ids once, so that it can be told what roles somebody has.
    resolved: bool,
    groups_age: Duration,
}

/// None: nobody takes inputs any more.
type WentOn = Option<()>;

impl Intake {
    async fn send(&self, input: Input) -> WentOn {
        self.inputs.send(input).await.ok()
    }

    async fn resolve(&mut self) -> WentOn {
        self.resolve_at = Some(Instant::now() + DIRECTORY_RETRY);
        self.tries_left = self.tries_left.saturating_sub(1);
        let names = &self.names;
        let asked = self.chat.directory(&names.users, &names.channels, &names.groups, &names.counted);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(directory)) => {
                self.resolve_at = Some(Instant::now() + DIRECTORY_AGE);
                self.tries_left = 0;
                self.resolved = true;
                self.resolved_at = Some(Instant::now());
                for (group, why) in &directory.untold {
                    if self.untold.get(group) != Some(why) {
                        tracing::warn!(group, why, "nobody has a role by this group");
                    }
                }
                self.untold.clone_from(&directory.untold);
                self.role_channels = self.names.role_channels(&directory);
                self.send(Input::Directory(directory)).await?;
            }
            Ok(Err(problem)) => tracing::warn!(%problem, "names could not be resolved"),
            Err(_) => tracing::warn!("names could not be resolved in time"),
        }
        self.begin_reading();
        Some(())
    }

    async fn take(&mut self, event: ChatEvent, longest_post: &(impl Fn(usize) + Send)) -> WentOn {
        match event {
            ChatEvent::Gap => {
                self.gap = Gap::Open;
                self.again = None;
            }
            ChatEvent::Connection(connection) => {
                match &connection {
                    Connection::Up { me, max_post, .. } => {
                        longest_post(*max_post);
                        self.me = Some(me.clone());
                        self.tries_left = FIRST_TRIES;
                        self.resolve_at = Some(Instant::now());
                        tracing::info!("connected to the chat server");
                    }
                    Connection::Down { why } => {
                        tracing::warn!(why, "no connection to the chat server");
                        // Begun anew, with all that is missed meanwhile.
                        if matches!(self.gap, Gap::Reading(_) | Gap::ReadingAgain(_)) {
                            self.gap = Gap::Open;
                        }
                    }
                }
                self.send(Input::Connection(connection)).await?;
            }
            ChatEvent::UserChanged(user) => self.chat.forget(&user),
            ChatEvent::Reaction(reaction) => self.hand_on_reaction(*reaction).await?,
            ChatEvent::Post(post) if self.gap.holds() => self.waiting.push_back(post),
            ChatEvent::Post(post) => self.hand_on(*post).await?,
        }
        Some(())
    }

    /// Begins to read what was missed, once there is a connection and somebody has a role.
    fn begin_reading(&mut self) {
        if !matches!(self.gap, Gap::Open) || self.tries_left > 0 {
            return;
        }
        self.gap = Gap::Reading(self.read(self.since));
    }

    fn read(&self, since: Option<Timestamp>) -> AbortOnDropHandle<Gathered> {
        let (chat, begun, options) = (Arc::clone(&self.chat), self.begun, self.options);
        AbortOnDropHandle::new(tokio::spawn(async move { gather(chat.as_ref(), since, begun, options).await }))
    }

    #[expect(clippy::unnecessary_wraps, reason = "one of several things that go on or end")]
    fn read_again(&mut self) -> WentOn {
        if let (Some(again), Gap::None) = (self.again, &self.gap) {
            self.gap = Gap::ReadingAgain(self.read(Some(again.since)));
        }
        if let Some(again) = &mut self.again {
            again.at += DIRECTORY_AGE;
        }
        Some(())
    }

    async fn hand_on_missed(&mut self, gathered: Option<Gathered>) -> WentOn {
        let Some(Gathered { posts, until, unread }) = gathered else {
            tracing::error!("reading what was missed ended badly (a bug of mine); beginning anew");
            self.gap = Gap::Open;
            self.resolve_at = Some(Instant::now() + DIRECTORY_RETRY);
            return Some(());
        };
        let first = !matches!(self.gap, Gap::ReadingAgain(_));
        // What was written after the first reading began is heard by the connection that stood by then; the second reading may only come
        // upon it a moment before.
        let first_began = self.again.filter(|_| !first).map(|again| again.until);
        let before = self.since;
        let mut posts = in_order(posts, self.waiting.drain(..), until).into_iter().peekable();
        let mut count = 0_usize;
        // A reading may end in the middle of what waits: what was written after it had begun comes once its end is told.
        while let Some(post) = posts.next_if(|post| !first || post.written <= until) {
            count += usize::from(self.hand_on_one(post, first_began).await?);
        }
        if count > 0 {
            tracing::info!(count, "read what was written while nobody listened");
        }
        self.again = None;
        if first {
            for part in &unread {
                tracing::warn!(?part, "not all that was written while nobody listened could be read");
            }
            self.send(Input::CaughtUp { until, unread }).await?;
            self.since = self.since.max(Some(until));
            match before {
                Some(since) => self.again = Some(Again { at: Instant::now() + self.options.again_after, since, until }),
                None => self.begun = Some(until),
            }
            for post in posts {
                self.hand_on_one(post, first_began).await?;
            }
        }
        self.gap = Gap::None;
        Some(())
    }

    /// Hands on a post that was read or that waited; says whether it was missed.
    async fn hand_on_one(&mut self, ordered: Ordered, first_began: Option<Timestamp>) -> Option<bool> {
        let Ordered { post, heard, .. } = ordered;
        if heard {
            self.hand_on(*post).await?;
            return Some(false);
        }
        if self.seen.contains(&post.id) {
            return Some(false);
        }
        let missed = first_began.is_none_or(|began| post.created <= began);
        self.hand_on(HeardPost { heard: self.chat.clock(), missed, ..*post }).await?;
        Some(true)
    }

    /// Somebody pressed or submitted: who that is, is looked up beside all else.
    #[expect(clippy::unnecessary_wraps, reason = "one of several things that go on or end")]
    fn call_back(&self, call: CallbackCall, pressers: &Callers<Reply>) -> WentOn {
        let (chat, channels, inputs) = (Arc::clone(&self.chat), self.role_channels.clone(), self.inputs.clone());
        let pressers = pressers.clone();
        tokio::spawn(async move {
            let input = match call {
                CallbackCall::Press { user, post, channel, meaning, trigger, reply } => {
                    let identity = identify(chat.as_ref(), &user, &channels, false).await;
                    let request = pressers.expect(reply);
                    Input::Pressed(Box::new(Press {
                        request,
                        user,
                        identity,
                        post,
                        channel,
                        meaning: *meaning,
                        trigger,
                    }))
                }
                CallbackCall::Submission { user, channel, card, meaning, values, reply } => {
                    let identity = identify(chat.as_ref(), &user, &channels, false).await;
                    let request = pressers.expect(reply);
                    let meaning = *meaning;
                    Input::Submitted(Box::new(Submission { request, user, identity, channel, card, meaning, values }))
                }
                CallbackCall::Forged(forgery) => Input::Forged(forgery),
            };
            // Without a loop nobody decides; whoever waits is told by the door.
            let _ = inputs.send(input).await;
        });
        Some(())
    }

    async fn hand_on_reaction(&mut self, mut reaction: HeardReaction) -> WentOn {
        // What the bot does itself, and what comes before it knows who it is, is read afterwards where it matters.
        if self.me.as_ref().is_none_or(|me| *me == reaction.user) {
            return Some(());
        }
        reaction.identity = identify(self.chat.as_ref(), &reaction.user, &self.role_channels, self.patient).await;
        self.patient = reaction.identity.is_some();
        self.send(Input::Reacted(reaction)).await
    }

    async fn hand_on(&mut self, mut post: HeardPost) -> WentOn {
        // An edit is news of a post that was handed on.
        if !post.marks.edited && !self.seen.insert(&post.id) {
            return Some(());
        }
        if self.me.as_ref() != Some(&post.author) {
            let old = self.resolved_at.is_some_and(|at| at.elapsed() >= self.groups_age);
            if old && !self.names.groups.is_empty() && self.patient {
                self.resolve().await?;
            }
            post.identity = identify(self.chat.as_ref(), &post.author, &self.role_channels, self.patient).await;
            self.patient = post.identity.is_some();
        }
        let now = self.chat.clock();
        if now.duration_since(post.heard) > PROMPT {
            (post.heard, post.missed) = (now, true);
        }
        let reached = post.created.min(post.heard);
        self.send(Input::Post(post)).await?;
        self.since = self.since.map(|since| since.max(reached));
        Some(())
    }
}

/// A post on its way to be handed on after a gap.
struct Ordered {
    /// When it was written, as far as that can be: a date in the future counts as of when it was read or heard.
    written: Timestamp,
    /// It was heard, and has waited; or it was only read.
    heard: bool,
    post: Box<HeardPost>,
}

/// What was read and what has waited, in the order of writing. Within one instant the list that was read has the order. What was heard as well
/// comes as heard; an edit that was heard says nothing of the post that it changed.
fn in_order(read: Vec<HeardPost>, waiting: impl Iterator<Item = Box<HeardPost>>, until: Timestamp) -> Vec<Ordered> {
    let as_heard = |post: Box<HeardPost>| Ordered { written: post.created.min(post.heard), heard: true, post };
    let mut waiting: Vec<Option<Box<HeardPost>>> = waiting.map(Some).collect();
    let mut places: BTreeMap<PostId, usize> = BTreeMap::new();
    for (place, post) in waiting.iter().enumerate() {
        if let Some(post) = post.as_ref().filter(|post| !post.marks.edited) {
            places.entry(post.id.clone()).or_insert(place);
        }
    }
    let mut posts = Vec::with_capacity(read.len() + waiting.len());
    for post in read {
        let heard = places.get(&post.id).and_then(|place| waiting.get_mut(*place)?.take());
        let only_read =
            |post: HeardPost| Ordered { written: post.created.min(until), heard: false, post: Box::new(post) };
        posts.push(heard.map_or_else(|| only_read(post), as_heard));
    }
    posts.extend(waiting.into_iter().flatten().map(as_heard));
    posts.sort_by_key(|ordered| ordered.written);
    posts
}

/// The posts that were handed on last.
#[derive(Default)]
struct Seen {
    posts: BTreeSet<PostId>,
    order: VecDeque<PostId>,
}

impl Seen {
    fn contains(&self, post: &PostId) -> bool {
        self.posts.contains(post)
    }

    /// Whether it is new.
    fn insert(&mut self, post: &PostId) -> bool {
        if !self.posts.insert(post.clone()) {
            return false;
        }
        self.order.push_back(post.clone());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.posts.remove(&oldest);
        }
        true
    }
}

/// Who somebody is; None when the server does not say so in time. Trouble that passes is waited out when `patient`, unless the server wishes
/// to be left alone for longer than a post waits.
async fn identify(chat: &dyn Chat, user: &UserId, channels: &[ChannelId], patient: bool) -> Option<Identity> {
    let end = Instant::now() + PATIENCE;
    loop {
        match tokio::time::timeout_at(end, chat.identify(user, channels)).await {
            Ok(Ok(identity)) => return Some(identity),
            Ok(Err(problem)) => match wait_for(&problem).filter(|pause| patient && Instant::now() + *pause < end) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => {
                    tracing::warn!(%problem, %user, "a user could not be looked up");
                    return None;
                }
            },
            Err(_) => {
                tracing::warn!(%user, "a user could not be looked up in time");
                return None;
            }
        }
    }
}

/// How long to wait before a failed look-up is tried again: not less than the server wishes. None where waiting is of no use.
fn wait_for(problem: &ChatError) -> Option<Duration> {
    match problem {
        ChatError::Later { after, .. } => Some(IDENTITY_RETRY.max(after.unwrap_or_default())),
        ChatError::Refused { .. } | ChatError::Unknown { .. } | ChatError::Token { .. } => None,
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Where names stand that have to be resolved.
pub struct Named {
    /// The settings in force.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Whom the policies name that may decide about approvals, all together.
    pub deciders: watch::Receiver<Approvers>,
}

impl Named {
    fn names(&mut self) -> Names {
        Names::of(&self.settings.borrow_and_update(), &self.deciders.borrow_and_update())
    }

    /// Waits until either has changed. Neither does once the engine is gone.
    async fn changed(&mut self) {
        tokio::select! {
            Ok(()) = self.settings.changed() => {}
            Ok(()) = self.deciders.changed() => {}
            else => std::future::pending().await,
        }
    }
}

/// The names that the settings and the policies speak of.
struct Names {
    users: Vec<String>,
    channels: Vec<String>,
    groups: Vec<String>,
    /// Whose members have a role, or may decide.
    role_channels: Vec<String>,
    /// Whose members may decide, and have to be known for that.
    counted: Vec<String>,
}

impl Names {
    fn of(settings: &Settings, deciders: &Approvers) -> Self {
        let users = settings.roles.iter().flat_map(|role| role.users.iter().cloned());
        let users = users.chain(deciders.users.iter().cloned()).chain(settings.chat_users.values().cloned());
        let groups = settings.roles.iter().flat_map(|role| role.groups.iter().cloned());
        let called = &settings.escalation.steps;
        let users = users.chain(called.iter().flat_map(|step| step.users.iter().cloned()));
        let groups = groups.chain(called.iter().flat_map(|step| step.groups.iter().cloned()));
        let deciding = settings.roles.iter().filter(|role| deciders.roles.contains(&role.name));
        let counted: Vec<String> =
            deciding.flat_map(|role| &role.channels).chain(&deciders.channels).cloned().collect();
        let role_channels = settings.roles.iter().flat_map(|role| role.channels.iter().cloned());
        let role_channels: Vec<String> = role_channels.chain(deciders.channels.iter().cloned()).collect();
        let conditions = settings.roles.iter().flat_map(|role| &role.grants).flat_map(|grant| &grant.channels);
        let conditions = conditions.filter(|name| *name != DIRECT);
        let heard = settings.channels.iter().chain(&settings.admin_channel).chain(&settings.alert_channel);
        let channels = heard.chain(conditions).chain(&role_channels).cloned();
        let unique = |mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names
        };
        Self {
            users: unique(users.collect()),
            channels: unique(channels.collect()),
            groups: unique(groups.collect()),
            role_channels: unique(role_channels),
            counted: unique(counted),
        }
    }

    fn role_channels(&self, directory: &Directory) -> Vec<ChannelId> {
        self.role_channels.iter().filter_map(|name| directory.channels.get(name).cloned()).collect()
    }
}
