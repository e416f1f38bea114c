//! What was written while nobody listened: read from the server's lists, put into the order of writing.
//!
//! **Nothing is handed on before all of it is there**, because the cursor follows what is handed on, over all channels. **Trouble is waited
//! out**: while the server does not let us read, it would not let us answer either. Only a channel that cannot be read although the others
//! can is left out, and that is said. What is bounded: how far back, how many posts of one channel, how many in all.

use crate::core::input::{HeardPost, Unread};
use crate::core::memory::OVERLAP;
use crate::runtime::ports::{Chat, ChatError, Joined};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What is older is not read any more: nobody waits for it.
const FARTHEST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many posts of one channel are read, and how many in all: the newest.
const MOST: usize = 4_000;
const MOST_IN_ALL: usize = 20_000;
/// How often a channel is tried before it is looked whether it is the only one that cannot be read.
const TRIES: u32 = 6;

/// How catching up paces itself.
#[derive(Debug, Clone, Copy)]
pub struct CatchUpOptions {
    /// The first wait after trouble; doubles up to `slowest`.
    pub soonest: Duration,
    /// The longest wait after trouble. A server may ask for more.
    pub slowest: Duration,
    /// When everything is read a second time, for what the server's replicas did not show yet.
    pub again_after: Duration,
}

impl Default for CatchUpOptions {
    fn default() -> Self {
        Self { soonest: Duration::from_secs(1), slowest: Duration::from_secs(30), again_after: Duration::from_secs(10) }
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// Oldest first, over all channels.
    pub(crate) posts: Vec<HeardPost>,
    /// The server's clock when the reading began.
    pub(crate) until: Timestamp,
    /// What was left out.
    pub(crate) unread: Vec<Unread>,
}

/// Reads every channel back to a little before `since`, and not beyond the first listening; nothing when nobody ever listened.
pub(crate) async fn gather(
    chat: &dyn Chat,
    since: Option<Timestamp>,
    begun: Option<Timestamp>,
    options: CatchUpOptions,
) -> Gathered {
    let until = chat.clock();
    let mut gathered = Gathered { posts: Vec::new(), until, unread: Vec::new() };
    let Some(since) = since else { return gathered };
    // A clock that was set back must not hide what is written by it.
    let mut floor = since.min(until).saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN);
    floor = begun.map_or(floor, |begun| floor.max(begun));
    let farthest = until.saturating_sub(FARTHEST).unwrap_or(Timestamp::MIN);
    if floor < farthest {
        floor = farthest;
        gathered.unread.push(Unread { channel: None, before: Some(floor) });
    }
    for channel in joined(chat, options).await {
        if channel.newest < floor {
            continue;
        }
        let room = MOST_IN_ALL.saturating_sub(gathered.posts.len()).min(MOST);
        match read(chat, &channel, floor, room, options).await {
            Ok((posts, complete)) => {
                if !complete {
                    let before = posts.first().map(|post| post.created);
                    gathered.unread.push(Unread { channel: Some(channel.channel), before });
                }
                gathered.posts.extend(posts);
            }
            Err(problem) => {
                tracing::error!(channel = %channel.channel, %problem, "what was missed in a channel cannot be read");
                gathered.unread.push(Unread { channel: Some(channel.channel), before: None });
            }
        }
    }
    // Stable: what was written in the same millisecond stays as the server lists it.
    gathered.posts.sort_by_key(|post| post.created);
    gathered
}

async fn joined(chat: &dyn Chat, options: CatchUpOptions) -> Vec<Joined> {
    let mut delay = Delay(options, options.soonest);
    loop {
        match chat.channels().await {
            Ok(channels) => return channels,
            Err(problem) => {
                tracing::warn!(%problem, "the channels of the bot are not known; trying again");
                delay.wait(&problem).await;
            }
        }
    }
}

/// One channel, tried until it is read or it is the only one that is not.
async fn read(
    chat: &dyn Chat,
    channel: &Joined,
    floor: Timestamp,
    most: usize,
    options: CatchUpOptions,
) -> Result<(Vec<HeardPost>, bool), ChatError> {
    let mut delay = Delay(options, options.soonest);
    let mut tries = 0;
    loop {
        let problem = match chat.history(channel, floor, most).await {
            Ok(history) => return Ok((history.posts, history.complete)),
            // The bot was taken out of it meanwhile.
            Err(ChatError::Refused { .. } | ChatError::Unknown { .. }) if is_left(chat, channel).await => {
                return Ok((Vec::new(), true));
            }
            Err(problem @ (ChatError::Refused { .. } | ChatError::Unknown { .. })) => return Err(problem),
            Err(problem @ (ChatError::Later { .. } | ChatError::Token { .. })) => problem,
        };
        tries += 1;
        if tries >= TRIES {
            tries = 0;
            if chat.channels().await.is_ok() {
                return Err(problem);
            }
        }
        delay.wait(&problem).await;
    }
}

async fn is_left(chat: &dyn Chat, channel: &Joined) -> bool {
    let still = |channels: Vec<Joined>| channels.iter().any(|known| known.channel == channel.channel);
    chat.channels().await.is_ok_and(|channels| !still(channels))
}

/// Doubling waits.
struct Delay(CatchUpOptions, Duration);

impl Delay {
    /// Waits between half and all of what is due, and longer than the server wishes, by up to a quarter.
    async fn wait(&mut self, problem: &ChatError) {
        let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        let wish = match problem {
            ChatError::Later { after, .. } => after.unwrap_or_default(),
            ChatError::Refused { .. } | ChatError::Unknown { .. } | ChatError::Token { .. } => self.0.slowest,
        };
        let pause = self.1.mul_f64(0.5 + share / 2.0).max(wish.mul_f64(1.0 + share / 4.0));
        self.1 = (self.1 * 2).min(self.0.slowest);
        tokio::time::sleep(pause).await;
    }
}
