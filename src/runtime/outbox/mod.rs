//! # The one way out to chat
//!
//! Everything the bot says passes here: deliveries, which are promises; refreshes and reactions, which are courtesies.
//!
//! | file | has |
//! |---|---|
//! | `lane.rs` | one channel's order: what is next |
//! | `posting.rs` | one delivery from its first attempt to its outcome |
//! | `ledger.rs` | which delivery became which post |
//! | `bucket.rs` | how fast the bot may speak |
//! | `file.rs` | a file put together from its parts |
//! | `text.rs` | a text cut to what the server takes |
//!
//! ## Life cycle
//! [`Outbox::start`] gives a handle whose calls never wait. A channel gets a lane when it is first spoken to: one task for posts and edits, one
//! for reactions, which should not wait for anything. [`OutboxHandle::restore`] takes what an earlier process had intended and not noted as sent.
//! [`OutboxHandle::drain`] waits for the promises; [`OutboxHandle::stop`] ends the tasks, and what was not done is restored by the next process.
//!
//! ## Invariants
//! - **A delivery ends in one outcome**: it stands, or the server will not have it. Trouble is waited out, for as long as it takes; what a proxy says
//!   in the place of the server is trouble.
//! - **A post is made once.** After an attempt whose end is not known, and for what was restored, its key is looked for before it is made, as
//!   far back as it can have been made.
//! - **Creates and final edits of a channel keep their order**, and a refresh overtakes neither the create nor the edit of its post.
//! - **Nothing is cut in silence.** What is too long ends with a remark, and the whole goes with it as a file. A file that cannot be stored
//!   is named in the text. An edit that the server refuses is said as a new post.
//! - **One pace for all channels**, first come first served; when the server asks for a pause, all pause. The pace is for what is written, and for
//!   what is looked for before it is; what others read of the server takes no tokens, and keeps its pauses.

pub(crate) mod bucket;
mod file;
mod lane;
mod ledger;
mod posting;
mod text;

use crate::core::effect::{Body, Delivery};
use crate::core::id::{ChannelId, DeliveryId, PostId};
use crate::core::input::DeliveryOutcome;
use crate::core::message::attachment::Attachment;
use crate::core::message::sentences::Sentences;
use crate::runtime::ports::{Blobs, Chat, ChatError};
use bucket::Bucket;
use lane::{Lane, Promised, Reaction};
use ledger::{Ledger, Standing};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How the outbox behaves.
#[derive(Debug, Clone, Copy)]
pub struct OutboxOptions {
    /// Calls a second, over all channels.
    pub per_second: f64,
    /// Calls that may be made at once after a rest.
    pub burst: u32,
    /// How often a post may be refreshed.
    pub refresh_every: Duration,
    /// The longest file; of a longer one the middle is left out.
    pub file_limit: usize,
    /// The first wait after trouble; doubles up to `slowest`.
    pub soonest: Duration,
    /// The longest wait that the outbox takes by itself. A server may ask for more.
    pub slowest: Duration,
    /// The longest message in characters, until [`OutboxHandle::set_max_post`] says better.
    pub max_post: usize,
}

impl Default for OutboxOptions {
    fn default() -> Self {
        Self {
            per_second: 10.0,
            burst: 40,
            refresh_every: Duration::from_secs(1),
            file_limit: 20 << 20,
            soonest: Duration::from_secs(1),
            slowest: Duration::from_secs(30),
            max_post: 16_383,
        }
    }
}

/// How it stands, for the health answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxStatus {
    /// Deliveries that have no outcome yet.
    pub queued: usize,
    /// How long the oldest of them waits.
    pub oldest: Option<Duration>,
    /// What went wrong last; absent when the last call went well.
    pub trouble: Option<String>,
}

/// What the calls of the outbox came to since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Calls that failed and are made again.
    pub repeated: u64,
    /// Calls that the server refused.
    pub refused: u64,
    /// Times that the server asked for a pause.
    pub pauses: u64,
}

/// The way out; its tasks share it.
pub struct Outbox {
    chat: Arc<dyn Chat>,
    blobs: Arc<dyn Blobs>,
    done: mpsc::Sender<(DeliveryId, DeliveryOutcome)>,
    options: OutboxOptions,
    bucket: Bucket,
    ledger: Ledger,
    lanes: Mutex<BTreeMap<ChannelId, Arc<Lane>>>,
    trouble: Mutex<Option<String>>,
    counts: Mutex<OutboxCounts>,
    max_post: AtomicUsize,
    instance: Mutex<Option<String>>,
    sentences: Mutex<Sentences>,
    finished: Notify,
    stop: CancellationToken,
}

/// The way in to the outbox. Its calls never wait; they belong inside a Tokio runtime.
#[derive(Clone)]
pub struct OutboxHandle(Arc<Outbox>);

impl Outbox {
    /// Prepares the way out. Outcomes arrive at `done`, which must be read for the outbox to go on.
    pub fn start(
        chat: Arc<dyn Chat>,
        blobs: Arc<dyn Blobs>,
        done: mpsc::Sender<(DeliveryId, DeliveryOutcome)>,
        options: OutboxOptions,
    ) -> OutboxHandle {
        OutboxHandle(Arc::new(Self {
            chat,
            blobs,
            done,
            options,
            bucket: Bucket::new(options.per_second, options.burst),
            ledger: Ledger::default(),
            lanes: Mutex::default(),
            trouble: Mutex::default(),
            counts: Mutex::default(),
            max_post: AtomicUsize::new(options.max_post),
            instance: Mutex::default(),
            sentences: Mutex::default(),
            finished: Notify::new(),
            stop: CancellationToken::new(),
        }))
    }

    fn max_post(&self) -> usize {
        self.max_post.load(Ordering::Relaxed)
    }

    fn instance(&self) -> Option<String> {
        lock(&self.instance).clone()
    }

    fn sentences(&self) -> Sentences {
        lock(&self.sentences).clone()
    }

    /// Notes how a call went, and whether the server wants a pause from everybody.
    fn note<T>(&self, result: &Result<T, ChatError>) {
        *lock(&self.trouble) = result.as_ref().err().map(ToString::to_string);
        if let Err(problem) = result {
            let mut counts = lock(&self.counts);
            match problem {
                ChatError::Later { after, .. } => {
                    counts.repeated += 1;
                    counts.pauses += u64::from(after.is_some());
                }
                ChatError::Token { .. } => counts.repeated += 1,
                ChatError::Refused { .. } | ChatError::Unknown { .. } => counts.refused += 1,
            }
        }
        if let Err(ChatError::Later { after: Some(after), .. }) = result {
            self.bucket.hold(Instant::now() + *after);
        }
    }
}

impl OutboxHandle {
    /// Promises to say something. A delivery that is already on its way is not taken twice.
    pub fn deliver(&self, delivery: Delivery) {
        self.enqueue(delivery, Promised::new(Duration::ZERO), false);
    }

    /// Puts this name on every post that is made from now on.
    pub fn set_instance(&self, name: &str) {
        *lock(&self.0.instance) = Some(name.to_owned());
    }

    /// The remarks on what is cut or missing are said in this voice from now on.
    pub fn set_sentences(&self, sentences: Sentences) {
        *lock(&self.0.sentences) = sentences;
    }

    /// Takes over what was intended and not noted as sent, in the order of its intention and each with how long ago that was, and which posts
    /// stand. Comes before all else.
    pub fn restore(
        &self,
        intended: Vec<(Delivery, Duration)>,
        standing: impl IntoIterator<Item = (DeliveryId, PostId)>,
    ) {
        for (delivery, post) in standing {
            self.0.ledger.set(delivery, Standing::Sent(post));
        }
        for (delivery, ago) in intended {
            self.enqueue(delivery, Promised::new(ago), true);
        }
    }

    /// Shows how a post's matter stands now; the newest wins. Without `attachments` those that stand there stay. Dropped when the post is not one of ours or gets its final text.
    pub fn refresh(&self, channel: &ChannelId, of: &DeliveryId, text: String, attachments: Option<Vec<Attachment>>) {
        match self.0.ledger.look(of) {
            Some(Standing::Sent(_) | Standing::Waiting) => self.lane(channel).refresh(of, Shown { text, attachments }),
            Some(Standing::Refused) | None => tracing::debug!(%of, "a refresh of a post that does not stand"),
        }
    }

    /// Puts an emoji on a post or takes it away. Tried a few times.
    pub fn react(&self, channel: &ChannelId, post: PostId, emoji: &'static str, remove: bool) {
        self.lane(channel).react(Reaction { post, emoji, remove });
    }

    /// Sets the longest message, as the server has told it.
    pub fn set_max_post(&self, characters: usize) {
        self.0.max_post.store(characters, Ordering::Relaxed);
    }

    /// What its calls came to.
    pub fn counts(&self) -> OutboxCounts {
        *lock(&self.0.counts)
    }

    /// How it stands.
    pub fn status(&self) -> OutboxStatus {
        let lanes: Vec<Arc<Lane>> = lock(&self.0.lanes).values().cloned().collect();
        let waiting: Vec<Instant> = lanes.iter().flat_map(|lane| lane.waiting_since()).collect();
        OutboxStatus {
            queued: waiting.len(),
            oldest: waiting.iter().min().map(Instant::elapsed),
            trouble: lock(&self.0.trouble).clone(),
        }
    }

    /// Waits until every delivery has its outcome, at most so long; says whether that came true.
    pub async fn drain(&self, within: Duration) -> bool {
        let all = async {
            loop {
                let finished = self.0.finished.notified();
                if self.status().queued == 0 {
                    return;
                }
                finished.await;
            }
        };
        tokio::time::timeout(within, all).await.is_ok()
    }

    /// Ends the tasks where they are. A post in the making is found again by the next process.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    fn enqueue(&self, delivery: Delivery, promised: Promised, restored: bool) {
        let Some(earlier) = self.0.ledger.begin(&delivery.id) else {
            tracing::debug!(delivery = %delivery.id, "it is already on its way");
            return;
        };
        // One that stands is looked for, and its outcome told again.
        let look = restored || earlier;
        self.lane(&delivery.channel).deliver(delivery, promised, look);
    }

    fn lane(&self, channel: &ChannelId) -> Arc<Lane> {
        let mut lanes = lock(&self.0.lanes);
        if let Some(lane) = lanes.get(channel) {
            return lane.clone();
        }
        let lane = Arc::new(Lane::new(channel.clone()));
        lanes.insert(channel.clone(), lane.clone());
        for task in [Task::Posts, Task::Reactions] {
            let (outbox, lane) = (self.0.clone(), lane.clone());
            tokio::spawn(async move {
                let stop = outbox.stop.clone();
                stop.run_until_cancelled(async {
                    match task {
                        Task::Posts => lane::speak(&outbox, &lane).await,
                        Task::Reactions => lane::react(&outbox, &lane).await,
                    }
                })
                .await;
            });
        }
        lane
    }
}

#[derive(Clone, Copy)]
enum Task {
    Posts,
    Reactions,
}

/// What a post is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    /// What stood there before when absent.
    pub(crate) attachments: Option<Vec<Attachment>>,
}

/// The delivery whose post this one needs.
fn dependency(body: &Body) -> Option<&DeliveryId> {
    use crate::core::effect::Thread;
    match body {
        Body::Edit { of, .. }
        | Body::Post { root: Some(Thread::Delivery { of }), .. }
        | Body::Attached { root: Some(Thread::Delivery { of }), .. } => Some(of),
        Body::Post { .. } | Body::Attached { .. } | Body::Mark { .. } => None,
    }
}

/// Doubling waits after trouble.
struct Delay {
    next: Duration,
    slowest: Duration,
}

impl Delay {
    fn new(options: &OutboxOptions) -> Self {
        Self { next: options.soonest, slowest: options.slowest }
    }

    /// Waits between half and all of what is due, and longer than the server wishes, by up to a quarter: others were told the same time.
    async fn wait(&mut self, wish: Option<Duration>) {
        let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        let pause = self.next.mul_f64(0.5 + share / 2.0).max(wish.unwrap_or_default().mul_f64(1.0 + share / 4.0));
        self.next = (self.next * 2).min(self.slowest);
        tokio::time::sleep(pause).await;
    }
}

/// The lock; a panic elsewhere leaves these plain values as good as they were.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
