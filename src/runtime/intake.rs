//! From what the chat server tells to inputs: posts get to know who wrote them, names get their ids.
//!
//! **Posts keep their order.** One task takes them one by one; a look-up that takes long holds up the posts behind it, and a bound on its
//! time bounds that too.

use crate::core::id::{ChannelId, UserId};
use crate::core::input::{Connection, Directory, HeardPost, Input};
use crate::core::settings::Settings;
use crate::runtime::ports::{Chat, ChatEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a post waits for its author to be looked up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often names are resolved again, so that a role given in the chat server holds within this time.
const DIRECTORY_AGE: Duration = Duration::from_secs(60);
/// How soon a failed resolution is tried again.
const DIRECTORY_RETRY: Duration = Duration::from_secs(2);
/// How often posts wait for names to be resolved after the connection came up.
const FIRST_TRIES: u32 = 10;
/// How many events may wait between the socket and here.
const QUEUE: usize = 1024;

/// Listens until `stop`, or until nobody takes inputs any more. `longest_post` hears how many characters a post may have, each time that the
/// server tells.
pub async fn listen(
    chat: Arc<dyn Chat>,
    mut settings: watch::Receiver<Arc<Settings>>,
    longest_post: impl Fn(usize) + Send,
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
) {
    let (events, mut heard) = mpsc::channel(QUEUE);
    let listener = {
        let (chat, stop) = (Arc::clone(&chat), stop.clone());
        tokio::spawn(async move { chat.listen(events, stop).await })
    };
    let mut names = Names::of(&settings.borrow_and_update().clone());
    let mut me: Option<UserId> = None;
    let mut role_channels: Vec<ChannelId> = Vec::new();
    let mut resolve_at: Option<Instant> = None;
    // Until names have ids nobody has a role, so posts wait for the first resolution, within reason.
    let mut tries_left = 0_u32;
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = due(resolve_at) => None,
            Ok(()) = settings.changed() => {
                names = Names::of(&settings.borrow_and_update().clone());
                // Names that are new have no ids yet.
                resolve_at = me.is_some().then(Instant::now);
                continue;
            }
            event = heard.recv(), if tries_left == 0 => match event { Some(event) => Some(event), None => break },
        };
        let input = match event {
            None => {
                resolve_at = Some(Instant::now() + DIRECTORY_RETRY);
                tries_left = tries_left.saturating_sub(1);
                match tokio::time::timeout(PATIENCE, chat.directory(&names.users, &names.channels)).await {
                    Ok(Ok(directory)) => {
                        resolve_at = Some(Instant::now() + DIRECTORY_AGE);
                        tries_left = 0;
                        role_channels = names.role_channels(&directory);
                        Input::Directory(directory)
                    }
                    Ok(Err(problem)) => {
                        tracing::warn!(%problem, "names could not be resolved");
                        continue;
                    }
                    Err(_) => continue,
                }
            }
            Some(ChatEvent::Connection(connection)) => {
                match &connection {
                    Connection::Up { me: id, max_post, .. } => {
                        longest_post(*max_post);
                        me = Some(id.clone());
                        tries_left = FIRST_TRIES;
                        resolve_at = Some(Instant::now());
                        tracing::info!("connected to the chat server");
                    }
                    Connection::Down { why } => tracing::warn!(why, "no connection to the chat server"),
                }
                Input::Connection(connection)
            }
            Some(ChatEvent::UserChanged(user)) => {
                chat.forget(&user);
                continue;
            }
            Some(ChatEvent::Post(mut post)) => {
                if me.as_ref() != Some(&post.author) {
                    identify(chat.as_ref(), &mut post, &role_channels).await;
                }
                Input::Post(*post)
            }
        };
        if inputs.send(input).await.is_err() {
            break;
        }
    }
    stop.cancel();
    if let Err(problem) = listener.await {
        tracing::error!(%problem, "listening to the chat server ended badly");
    }
}

async fn identify(chat: &dyn Chat, post: &mut HeardPost, channels: &[ChannelId]) {
    match tokio::time::timeout(PATIENCE, chat.identify(&post.author, channels)).await {
        Ok(Ok(identity)) => post.identity = Some(identity),
        Ok(Err(problem)) => tracing::warn!(%problem, post = %post.id, "the author could not be looked up"),
        Err(_) => tracing::warn!(post = %post.id, "the author could not be looked up in time"),
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The names that the settings speak of.
struct Names {
    users: Vec<String>,
    channels: Vec<String>,
    role_channels: Vec<String>,
}

impl Names {
    fn of(settings: &Settings) -> Self {
        let users = settings.roles.iter().flat_map(|role| role.users.iter().cloned());
        let role_channels: Vec<String> = settings.roles.iter().flat_map(|role| role.channels.iter().cloned()).collect();
        let channels =
            settings.channels.iter().chain(&settings.admin_channel).cloned().chain(role_channels.iter().cloned());
        let unique = |mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names
        };
        Self {
            users: unique(users.collect()),
            channels: unique(channels.collect()),
            role_channels: unique(role_channels),
        }
    }

    fn role_channels(&self, directory: &Directory) -> Vec<ChannelId> {
        self.role_channels.iter().filter_map(|name| directory.channels.get(name).cloned()).collect()
    }
}
