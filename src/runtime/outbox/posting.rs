//! One delivery from its first attempt to its outcome.

use super::file::assemble;
use super::lane::{Lane, Promised, Queued};
use super::ledger::Standing;
use super::text::{fit, is_longer, remark};
use super::{Delay, Outbox, Shown};
use crate::core::effect::{Body, Thread, Upload, UploadPart};
use crate::core::id::{ChannelId, DeliveryId, PostId};
use crate::core::input::DeliveryOutcome;
use crate::core::message::attachment::Attachment;
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;
use crate::runtime::ports::{ChatError, NewPost};
use std::time::Duration;

/// How often an upload is tried before the post goes without it. Beyond that the file is still tried, and then the post.
const UPLOAD_TRIES: u32 = 6;
/// More files than this no server version takes with one post.
const FILES_A_POST: usize = 10;
/// The message length that every server version takes.
const SAFE_POST_SIZE: usize = 4000;
/// The name of the file that has what the text could not hold.
const WHOLE_TEXT: &str = "message.txt";

/// How far back a post is looked for that a process before this one made and noted nothing of.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// A post in the making.
struct Making<'a> {
    id: &'a DeliveryId,
    channel: &'a ChannelId,
    root: Option<PostId>,
    text: &'a str,
    attachments: Vec<Attachment>,
    /// Attachments that the server did not take, as text.
    spelt: String,
    files: Vec<File>,
    max: usize,
    promised: Promised,
    look: bool,
}

struct File {
    upload: Upload,
    state: Attached,
    /// It holds what the text could not.
    whole: bool,
}

enum Attached {
    NotYet,
    Stored(String),
    Failed(&'static str),
}

impl Outbox {
    pub(crate) async fn carry_out(&self, lane: &Lane, queued: &Queued) -> DeliveryOutcome {
        let (id, channel, promised) = (&queued.delivery.id, &lane.channel, queued.promised);
        match &queued.delivery.body {
            Body::Post { root, text, files } => {
                let root = match root {
                    Some(Thread::Post { post }) => Some(post.clone()),
                    Some(Thread::Delivery { of }) => self.post_of(channel, of).await,
                    None => None,
                };
                let first = Shown { text: text.clone(), attachments: None };
                self.make_newest(lane, queued, root, first, files).await
            }
            Body::Attached { root, text, attachments } => {
                let root = match root {
                    Some(Thread::Post { post }) => Some(post.clone()),
                    Some(Thread::Delivery { of }) => self.post_of(channel, of).await,
                    None => None,
                };
                let first = Shown { text: text.clone(), attachments: Some(attachments.clone()) };
                self.make_newest(lane, queued, root, first, &[]).await
            }
            Body::Mark { post, emoji } => self.mark(post, emoji).await,
            Body::Edit { of, text, attachments } => {
                let making = Making::new(id, channel, None, text, self.max_post(), promised, true);
                let making = Making { attachments: attachments.clone().unwrap_or_default(), ..making };
                let outcome = match self.post_of(channel, of).await {
                    Some(post) => self.finish(of, &post, attachments.as_deref(), queued.look, making).await,
                    // What it would have changed does not stand; what it says is said all the same.
                    None => self.make(making).await,
                };
                if let DeliveryOutcome::Sent { post } = &outcome {
                    self.ledger.set(of.clone(), Standing::Sent(post.clone()));
                }
                outcome
            }
        }
    }

    /// Makes a post. It may have waited long: what it is made with is what is newest now.
    async fn make_newest(
        &self,
        lane: &Lane,
        queued: &Queued,
        root: Option<PostId>,
        first: Shown,
        files: &[Upload],
    ) -> DeliveryOutcome {
        let id = &queued.delivery.id;
        let shown = match lane.newest(id) {
            Some(newest) => Shown { attachments: newest.attachments.or(first.attachments), text: newest.text },
            None => first,
        };
        let making = Making::new(id, &lane.channel, root, &shown.text, self.max_post(), queued.promised, queued.look);
        let making = Making { attachments: shown.attachments.clone().unwrap_or_default(), ..making };
        let outcome = self.make(making.with(files)).await;
        // One that may have stood already may stand as it was before.
        if let (DeliveryOutcome::Sent { post }, false) = (&outcome, queued.look) {
            lane.made_with(id, &shown, post);
        }
        outcome
    }

    /// Changes a post: its text, and what stands below it where that is given.
    pub(crate) async fn change(
        &self,
        channel: &ChannelId,
        of: &DeliveryId,
        post: &PostId,
        text: String,
        attachments: Option<&[Attachment]>,
    ) -> Result<(), ChatError> {
        let Some(attachments) = attachments else { return self.chat.edit(post, &text).await };
        let card = NewPost {
            key: of.clone(),
            channel: channel.clone(),
            root: None,
            text,
            files: Vec::new(),
            attachments: attachments.to_vec(),
            instance: self.instance(),
        };
        self.chat.redraw(post, &card).await
    }

    /// Puts an emoji on a post, for as long as that takes. Twice is as good as once.
    async fn mark(&self, post: &PostId, emoji: &str) -> DeliveryOutcome {
        let mut delay = Delay::new(&self.options);
        loop {
            self.bucket.take().await;
            let marked = self.chat.react(post, emoji, false).await;
            self.note(&marked);
            match marked {
                Ok(()) => return DeliveryOutcome::Sent { post: post.clone() },
                Err(ChatError::Later { after, .. }) => delay.wait(after).await,
                Err(ChatError::Token { .. }) => delay.wait(Some(self.options.slowest)).await,
                Err(ChatError::Refused { why } | ChatError::Unknown { why }) => {
                    return DeliveryOutcome::Refused { why };
                }
            }
        }
    }

    /// The post that a delivery became, waiting for it where it is still on its way. None if it does not stand.
    async fn post_of(&self, channel: &ChannelId, of: &DeliveryId) -> Option<PostId> {
        match self.ledger.settled(of).await {
            Some(Standing::Sent(post)) => return Some(post),
            Some(Standing::Refused | Standing::Waiting) => return None,
            None => {}
        }
        // Forgotten, or said by a process before this one.
        let mut delay = Delay::new(&self.options);
        loop {
            match self.look_for(channel, None, of, FORGOTTEN, &mut delay).await {
                Looked::Found(post) => {
                    self.ledger.set(of.clone(), Standing::Sent(post.clone()));
                    return Some(post);
                }
                Looked::Nothing | Looked::Refused(_) => return None,
                Looked::Again => {}
            }
        }
    }

    /// Looks for a post by its key once, and waits when that failed.
    async fn look_for(
        &self,
        channel: &ChannelId,
        root: Option<&PostId>,
        key: &DeliveryId,
        within: Duration,
        delay: &mut Delay,
    ) -> Looked {
        self.bucket.take().await;
        let found = self.chat.find(channel, root, key, within).await;
        self.note(&found);
        match found {
            Ok(Some(post)) => Looked::Found(post),
            Ok(None) => Looked::Nothing,
            Err(ChatError::Later { after, .. }) => {
                delay.wait(after).await;
                Looked::Again
            }
            Err(ChatError::Token { .. }) => {
                delay.wait(Some(self.options.slowest)).await;
                Looked::Again
            }
            Err(problem @ (ChatError::Refused { .. } | ChatError::Unknown { .. })) => {
                Looked::Refused(problem.to_string())
            }
        }
    }

    /// Gives the post of a delivery its final text; `instead` is what is made where it cannot be changed.
    async fn finish(
        &self,
        of: &DeliveryId,
        post: &PostId,
        attachments: Option<&[Attachment]>,
        look: bool,
        instead: Making<'_>,
    ) -> DeliveryOutcome {
        let Making { id, channel, text, promised, .. } = &instead;
        let (id, channel, text, promised) = (*id, *channel, *text, *promised);
        let mut delay = Delay::new(&self.options);
        let mut max = self.max_post();
        let mut below = attachments.map(<[Attachment]>::to_vec);
        let mut spelt = String::new();
        loop {
            self.bucket.take().await;
            let whole = format!("{text}{spelt}");
            let said = fit(&whole, max, || remark(&self.sentences(), Phrase::Cut { rest: "thread" }));
            let result = self.change(channel, of, post, said, below.as_deref()).await;
            self.note(&result);
            let (thread, why) = match result {
                Ok(()) if is_longer(&whole, max) => {
                    // An edit cannot bring a file.
                    let id = DeliveryId::new(format!("{id}.rest"));
                    let said = self.sentences().phrase(&Phrase::WholeText);
                    let rest = Making::new(&id, channel, Some(post.clone()), &said, max, promised, look);
                    if let DeliveryOutcome::Refused { why } = self.make(rest.with(&[whole_text(&whole)])).await {
                        tracing::error!(delivery = %id, why, "the whole of a text that was cut could not be said");
                    }
                    return DeliveryOutcome::Sent { post: post.clone() };
                }
                Ok(()) => return DeliveryOutcome::Sent { post: post.clone() },
                Err(ChatError::Later { after, .. }) => {
                    delay.wait(after).await;
                    continue;
                }
                Err(ChatError::Token { .. }) => {
                    delay.wait(Some(self.options.slowest)).await;
                    continue;
                }
                Err(ChatError::Refused { why }) => match shorter(max, &why) {
                    Some(shorter) => {
                        max = shorter;
                        continue;
                    }
                    None => match below.as_mut().filter(|below| !below.is_empty()) {
                        Some(below) => {
                            tracing::warn!(delivery = %id, why, "the server does not take the attachments; the post has them as text");
                            spelt = std::mem::take(below).iter().map(Attachment::markdown).collect();
                            continue;
                        }
                        None => (Some(post.clone()), why),
                    },
                },
                Err(ChatError::Unknown { why }) => (None, why),
            };
            // Edits can be forbidden, or late, and posts be deleted; what was promised is said anew then.
            tracing::warn!(delivery = %id, %post, why, "a post cannot be edited; its text goes into a new one");
            return self.make(Making { root: thread, max, ..instead }).await;
        }
    }

    /// Makes a post.
    async fn make(&self, mut making: Making<'_>) -> DeliveryOutcome {
        let mut delay = Delay::new(&self.options);
        let mut tries = 0;
        loop {
            if making.look {
                match self
                    .look_for(making.channel, making.root.as_ref(), making.id, making.promised.ago(), &mut delay)
                    .await
                {
                    Looked::Found(post) => return DeliveryOutcome::Sent { post },
                    Looked::Nothing => making.look = false,
                    Looked::Again => continue,
                    // Making it blindly could make it twice.
                    Looked::Refused(why) => return DeliveryOutcome::Refused { why },
                }
            }
            if is_longer(&making.said(false, &self.sentences()), making.max) {
                making.attach_whole();
            }
            tries += 1;
            if !self.store_files(&mut making, &mut delay, tries).await {
                continue;
            }
            self.bucket.take().await;
            let made = self.chat.create(&making.post(self.instance(), &self.sentences())).await;
            self.note(&made);
            match made {
                Ok(post) => return DeliveryOutcome::Sent { post },
                Err(ChatError::Later { after, .. }) => {
                    // It may have been made before the trouble.
                    making.look = true;
                    delay.wait(after).await;
                }
                Err(ChatError::Token { .. }) => delay.wait(Some(self.options.slowest)).await,
                Err(ChatError::Refused { why } | ChatError::Unknown { why }) => {
                    if let Err(why) = making.concede(why) {
                        return DeliveryOutcome::Refused { why };
                    }
                }
            }
        }
    }

    /// Stores the files that are not stored yet. False when it waited and all should be tried again.
    async fn store_files(&self, making: &mut Making<'_>, delay: &mut Delay, tries: u32) -> bool {
        for file in &mut making.files {
            if !matches!(file.state, Attached::NotYet) {
                continue;
            }
            let content = match assemble(&*self.blobs, &file.upload, self.options.file_limit, &self.sentences()).await {
                Ok(content) => content,
                Err(problem) => {
                    tracing::error!(delivery = %making.id, %problem, "a file for chat cannot be read");
                    file.state = Attached::Failed("unreadable");
                    continue;
                }
            };
            self.bucket.take().await;
            let stored = self.chat.upload(making.channel, &file.upload.name, content).await;
            self.note(&stored);
            match stored {
                Ok(stored) => file.state = Attached::Stored(stored),
                Err(ChatError::Refused { why } | ChatError::Unknown { why }) => {
                    tracing::error!(delivery = %making.id, why, "the chat server does not take a file");
                    file.state = Attached::Failed("refused");
                }
                Err(ChatError::Later { after, .. }) if tries < UPLOAD_TRIES => {
                    delay.wait(after).await;
                    return false;
                }
                Err(ChatError::Token { .. }) => {
                    delay.wait(Some(self.options.slowest)).await;
                    return false;
                }
                // The post goes without it, if posts go; if they do not either, the file is tried again with the post.
                Err(ChatError::Later { .. }) => {}
            }
        }
        true
    }
}

enum Looked {
    Found(PostId),
    Nothing,
    Again,
    Refused(String),
}

impl<'a> Making<'a> {
    fn new(
        id: &'a DeliveryId,
        channel: &'a ChannelId,
        root: Option<PostId>,
        text: &'a str,
        max: usize,
        promised: Promised,
        look: bool,
    ) -> Self {
        Self {
            id,
            channel,
            root,
            text,
            attachments: Vec::new(),
            spelt: String::new(),
            files: Vec::new(),
            max,
            promised,
            look,
        }
    }

    fn with(mut self, files: &[Upload]) -> Self {
        let state = |at: usize| {
            if at < FILES_A_POST { Attached::NotYet } else { Attached::Failed("many") }
        };
        let files = files.iter().enumerate().map(|(at, upload)| File {
            upload: upload.clone(),
            state: state(at),
            whole: false,
        });
        self.files.extend(files);
        self
    }

    /// Puts the whole text among the files, once.
    fn attach_whole(&mut self) {
        if self.files.iter().any(|file| file.whole) {
            return;
        }
        if let Some(last) = self.files.get_mut(FILES_A_POST - 1) {
            last.state = Attached::Failed("many");
        }
        self.files.push(File { upload: whole_text(self.text), state: Attached::NotYet, whole: true });
    }

    /// The text with a word on every file that is missing; on those that may still be stored only if `now`.
    fn said(&self, now: bool, sentences: &Sentences) -> String {
        let mut said = self.text.to_owned();
        said.push_str(&self.spelt);
        for file in &self.files {
            let why = match &file.state {
                Attached::Stored(_) => continue,
                Attached::NotYet if !now => continue,
                Attached::NotYet => "late",
                Attached::Failed(why) => why,
            };
            let name = file.upload.name.replace(['`', '\n'], "'");
            said.push_str("\n\n");
            said.push_str(&remark(sentences, Phrase::FileMissing { name, why }));
        }
        said
    }

    fn post(&self, instance: Option<String>, sentences: &Sentences) -> NewPost {
        let stored = |file: &File| match &file.state {
            Attached::Stored(id) => Some(id.clone()),
            Attached::NotYet | Attached::Failed(_) => None,
        };
        let whole = self.files.iter().find(|file| file.whole).and_then(stored);
        let rest = if whole.is_some() { "file" } else { "lost" };
        NewPost {
            key: self.id.clone(),
            channel: self.channel.clone(),
            root: self.root.clone(),
            text: fit(&self.said(true, sentences), self.max, || remark(sentences, Phrase::Cut { rest })),
            files: self.files.iter().filter_map(stored).collect(),
            attachments: self.attachments.clone(),
            instance,
        }
    }

    /// Gives up what the server may not like, so that the rest is said. An error when there is nothing to give up.
    fn concede(&mut self, why: String) -> Result<(), String> {
        if let Some(shorter) = shorter(self.max, &why) {
            self.max = shorter;
        } else if self.root.is_some() && why.contains("root_id") {
            tracing::warn!(delivery = %self.id, why, "the thread is gone; the message goes into the channel");
            self.root = None;
        } else if !self.attachments.is_empty() {
            tracing::warn!(delivery = %self.id, why, "the server does not take the attachments; the message has them as text");
            self.spelt = std::mem::take(&mut self.attachments).iter().map(Attachment::markdown).collect();
        } else if self.files.iter().any(|file| matches!(file.state, Attached::Stored(_))) && why.contains("file") {
            tracing::warn!(delivery = %self.id, why, "the message goes without its files");
            for file in &mut self.files {
                file.state = Attached::Failed("refused");
            }
        } else {
            return Err(why);
        }
        Ok(())
    }
}

fn whole_text(text: &str) -> Upload {
    Upload { name: WHOLE_TEXT.into(), parts: vec![UploadPart::Text { text: text.to_owned() }] }
}

/// A smaller limit to try when the server finds the message too long, by the error ids of its versions.
fn shorter(max: usize, why: &str) -> Option<usize> {
    let too_long = why.contains("post.is_valid.msg") || why.contains("message_length");
    if !too_long || max <= 500 {
        return None;
    }
    Some(if max > SAFE_POST_SIZE { SAFE_POST_SIZE } else { max / 2 })
}
