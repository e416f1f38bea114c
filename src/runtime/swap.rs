//! Parts that can be exchanged while the bot runs: whoever works with the old one goes on with it, whoever comes later gets the new one.

use crate::core::action::run::{Attach, Run, RunNews};
use crate::core::alert::order::Target;
use crate::core::alert::standing::Reading;
use crate::core::callback::Dialog;
use crate::core::id::{ChannelId, DeliveryId, PostId, UserId};
use crate::core::input::{Directory, HeardReaction, Identity};
use crate::core::sensor::{Launch, News};
use crate::runtime::ports::{
    Chat, ChatError, ChatEvent, History, Joined, MonitoringError, Monitorings, NewPost, Runner, SensorKeeper,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How long the old chat may take to let go of its connection.
const PARTING: Duration = Duration::from_secs(5);

/// A part behind a name that stays.
pub struct Swap<T: ?Sized> {
    current: watch::Sender<Arc<T>>,
}

impl<T: ?Sized> Swap<T> {
    /// Begins with this one.
    pub fn new(first: Arc<T>) -> Self {
        Self { current: watch::Sender::new(first) }
    }

    /// The one of the moment.
    pub fn now(&self) -> Arc<T> {
        self.current.borrow().clone()
    }

    /// Puts another in its place.
    pub fn set(&self, next: Arc<T>) {
        self.current.send_replace(next);
    }
}

#[async_trait]
impl Runner for Swap<dyn Runner> {
    async fn run(&self, run: Run, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        self.now().run(run, news, cancel).await;
    }

    async fn attach(&self, attach: Attach, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        self.now().attach(attach, news, cancel).await;
    }
}

#[async_trait]
impl SensorKeeper for Swap<dyn SensorKeeper> {
    async fn keep(&self, launch: Launch, news: mpsc::Sender<News>, stop: CancellationToken) {
        self.now().keep(launch, news, stop).await;
    }
}

#[async_trait]
impl Monitorings for Swap<dyn Monitorings> {
    async fn look(&self, name: &str, named: Vec<Target>) -> Result<Reading, MonitoringError> {
        self.now().look(name, named).await
    }
}

#[async_trait]
impl Chat for Swap<dyn Chat> {
    async fn listen(&self, events: mpsc::Sender<ChatEvent>, stop: CancellationToken) {
        let mut changes = self.current.subscribe();
        loop {
            let chat = changes.borrow_and_update().clone();
            let parting = stop.child_token();
            let mut listening = chat.listen(events.clone(), parting.clone());
            tokio::select! {
                () = &mut listening => return,
                // The sender is in our hands, so this is a change.
                _ = changes.changed() => {}
            }
            parting.cancel();
            // One that does not let go is dropped; the server notices by itself.
            let _ = tokio::time::timeout(PARTING, listening).await;
        }
    }

    async fn create(&self, post: &NewPost) -> Result<PostId, ChatError> {
        self.now().create(post).await
    }

    async fn find(
        &self,
        channel: &ChannelId,
        root: Option<&PostId>,
        key: &DeliveryId,
        within: Duration,
    ) -> Result<Option<PostId>, ChatError> {
        self.now().find(channel, root, key, within).await
    }

    fn clock(&self) -> Timestamp {
        self.now().clock()
    }

    async fn channels(&self) -> Result<Vec<Joined>, ChatError> {
        self.now().channels().await
    }

    async fn history(&self, channel: &Joined, since: Timestamp, most: usize) -> Result<History, ChatError> {
        self.now().history(channel, since, most).await
    }

    async fn redraw(&self, post: &PostId, with: &NewPost) -> Result<(), ChatError> {
        self.now().redraw(post, with).await
    }

    async fn open_dialog(&self, trigger: &str, dialog: &Dialog) -> Result<(), ChatError> {
        self.now().open_dialog(trigger, dialog).await
    }

    async fn reactions(&self, channel: &ChannelId, post: &PostId) -> Result<Vec<HeardReaction>, ChatError> {
        self.now().reactions(channel, post).await
    }

    async fn edit(&self, post: &PostId, text: &str) -> Result<(), ChatError> {
        self.now().edit(post, text).await
    }

    async fn react(&self, post: &PostId, emoji: &str, remove: bool) -> Result<(), ChatError> {
        self.now().react(post, emoji, remove).await
    }

    async fn upload(&self, channel: &ChannelId, name: &str, content: Vec<u8>) -> Result<String, ChatError> {
        self.now().upload(channel, name, content).await
    }

    async fn identify(&self, user: &UserId, channels: &[ChannelId]) -> Result<Identity, ChatError> {
        self.now().identify(user, channels).await
    }

    fn forget(&self, user: &UserId) {
        self.now().forget(user);
    }

    async fn directory(
        &self,
        users: &[String],
        channels: &[String],
        groups: &[String],
        counted: &[String],
    ) -> Result<Directory, ChatError> {
        self.now().directory(users, channels, groups, counted).await
    }
}
