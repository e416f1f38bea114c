//! The emojis that stand on a post, read because something waits for them.
//!
//! **Trouble is waited out**, for as long as it takes: who has answered by an emoji while the server was not to be reached has answered. A reading
//! ends with what stands there, when the server does not let us read it, or with the stop. **One for each post**: who asks again begins it anew.
//! What is bounded: how many calls are made at once, and how soon a post is asked for again.

use crate::core::id::{ChannelId, PostId, UserId};
use crate::core::input::{HeardReaction, Identity, Input};
use crate::runtime::ports::{Chat, ChatError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How many posts are read at once.
const AT_ONCE: usize = 8;
/// The first wait after trouble; doubles up to the longest. A server may ask for more.
const SOONEST: Duration = Duration::from_millis(500);
const SLOWEST: Duration = Duration::from_secs(30);

/// Reads what stands on posts and brings it as inputs.
pub struct ReactionReader(Arc<Reader>);

struct Reader {
    chat: Arc<dyn Chat>,
    /// Held weakly: that something is read keeps nobody from ending.
    inputs: mpsc::WeakSender<Input>,
    stop: CancellationToken,
    slots: Semaphore,
    under_way: Mutex<UnderWay>,
}

/// The readings that have not ended, each with its number.
#[derive(Default)]
struct UnderWay {
    readings: BTreeMap<PostId, (u64, AbortOnDropHandle<()>)>,
    begun: u64,
}

impl ReactionReader {
    /// A reader that goes on until `stop`.
    pub fn new(chat: Arc<dyn Chat>, inputs: mpsc::WeakSender<Input>, stop: CancellationToken) -> Self {
        let (slots, under_way) = (Semaphore::new(AT_ONCE), Mutex::default());
        Self(Arc::new(Reader { chat, inputs, stop, slots, under_way }))
    }

    /// Begins to read what stands on a post; never waits. A reading of the same that goes on gives way.
    pub fn read(&self, channel: ChannelId, post: PostId, channels: Vec<ChannelId>) {
        let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.begun += 1;
        let number = under_way.begun;
        let (reader, of) = (Arc::clone(&self.0), post.clone());
        let reading = tokio::spawn(async move {
            reader.stop.clone().run_until_cancelled(reader.read(channel, &of, &channels)).await;
            let mut under_way = reader.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            if under_way.readings.get(&of).is_some_and(|(last, _)| *last == number) {
                under_way.readings.remove(&of);
            }
        });
        under_way.readings.insert(post, (number, AbortOnDropHandle::new(reading)));
    }
}

impl Reader {
    async fn read(&self, channel: ChannelId, post: &PostId, channels: &[ChannelId]) {
        let (mut pause, mut told) = (SOONEST, false);
        loop {
            let read = {
                // Never closed, so that one is given in the end.
                let _slot = self.slots.acquire().await;
                with_people(self.chat.as_ref(), &channel, post, channels).await
            };
            let wish = match read {
                Ok(reactions) => {
                    // Without a loop nothing waits for them.
                    let Some(inputs) = self.inputs.upgrade() else { return };
                    let _ = inputs.send(Input::ReactionsRead { channel, post: post.clone(), reactions }).await;
                    return;
                }
                Err(problem @ (ChatError::Refused { .. } | ChatError::Unknown { .. })) => {
                    return tracing::warn!(%post, %problem, "the emojis on a post cannot be read");
                }
                Err(problem) => {
                    if pause >= SLOWEST && !told {
                        told = true;
                        tracing::warn!(%post, %problem, "the emojis on a post cannot be read yet; it is tried until they are");
                    }
                    match problem {
                        ChatError::Later { after, .. } => after.unwrap_or_default(),
                        _ => Duration::ZERO,
                    }
                }
            };
            tokio::time::sleep(pause.max(wish)).await;
            pause = (pause * 2).min(SLOWEST);
        }
    }
}

/// The emojis on a post with who put them there. Somebody who is not known any more has put none.
async fn with_people(
    chat: &dyn Chat,
    channel: &ChannelId,
    post: &PostId,
    channels: &[ChannelId],
) -> Result<Vec<HeardReaction>, ChatError> {
    let mut reactions = chat.reactions(channel, post).await?;
    let mut known: BTreeMap<UserId, Option<Identity>> = BTreeMap::new();
    for reaction in &mut reactions {
        let user = &reaction.user;
        if !known.contains_key(user) {
            let identity = match chat.identify(user, channels).await {
                Ok(identity) => Some(identity),
                Err(ChatError::Refused { .. } | ChatError::Unknown { .. }) => None,
                Err(problem) => return Err(problem),
            };
            known.insert(user.clone(), identity);
        }
        reaction.identity = known.get(user).cloned().flatten();
    }
    Ok(reactions)
}
