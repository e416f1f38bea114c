//! Looking at a server instead of working with it: what `halcyon doctor` wants to know, a question each.
//!
//! **Nothing is left behind**: what has to be posted is posted in the bot's direct messages with itself, where nobody is called, and deleted.
//! **Nothing is taken up**: this listens like the bot does, and decides about nothing that it hears.

use super::Mattermost;
use super::rest::segment;
use super::wire::Named;
use crate::core::input::Connection;
use crate::runtime::ports::{Chat, ChatError, ChatEvent};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Marks what is posted here, so that a bot that runs beside knows where it came from.
const MARK: &str = "halcyon_doctor";

/// The account behind the token.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its name.
    pub username: String,
    /// Whether it is a bot account.
    #[serde(default)]
    pub is_bot: bool,
    /// Its system roles, separated by blanks.
    #[serde(default)]
    pub roles: String,
}

/// A team or a channel, and whether the bot belongs to it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its id.
    pub id: String,
    /// The bot's roles in it, separated by blanks; absent when it is no member.
    pub roles: Option<String>,
}

/// A post of ours that came back over the websocket, and an emoji on it.
#[derive(Debug, Clone)]
pub struct RoundTrip {
    /// How long the websocket took to stand.
    pub opened: Duration,
    /// How long the post took from being sent to being heard.
    pub heard: Duration,
    /// How long an emoji on it took to be heard; or why it was not.
    pub emoji: Result<Duration, String>,
    /// How far the server's clock is ahead of ours, in seconds; behind when negative.
    pub clock_ahead: f64,
}

#[derive(Deserialize)]
struct Member {
    #[serde(default)]
    roles: String,
}

#[derive(Deserialize)]
struct Made {
    id: String,
    #[serde(default)]
    create_at: i64,
}

#[derive(Deserialize)]
struct RoleGrants {
    #[serde(default)]
    permissions: Vec<String>,
}

impl Mattermost {
    /// The configuration as clients see it: version, limits, switches.
    ///
    /// # Errors
    /// Why the server does not say.
    pub async fn client_config(&self) -> Result<BTreeMap<String, String>, ChatError> {
        let config: BTreeMap<String, Value> = self.rest.read("config/client", &[("format", "old")]).await?;
        Ok(config.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect())
    }

    /// The account that the token belongs to.
    ///
    /// # Errors
    /// Why the server does not say.
    pub async fn account(&self) -> Result<Account, ChatError> {
        self.rest.read("users/me", &[]).await
    }

    /// The team of the settings; nothing when there is none, or the bot may not know of it.
    ///
    /// # Errors
    /// Why the server does not say.
    pub async fn team_place(&self, account: &Account) -> Result<Option<Place>, ChatError> {
        let found = self.rest.look_up::<Named>(&format!("teams/name/{}", segment(&self.team)?), &[]).await;
        let Some(team) = known(found)? else { return Ok(None) };
        let path = format!("teams/{}/members/{}", segment(&team.id)?, segment(&account.id)?);
        let member = known(self.rest.look_up::<Member>(&path, &[]).await)?;
        Ok(Some(Place { id: team.id, roles: member.map(|member| member.roles) }))
    }

    /// A channel of that team by its name; nothing when there is none, or the bot may not know of it.
    ///
    /// # Errors
    /// Why the server does not say.
    pub async fn channel_place(&self, account: &Account, team: &Place, name: &str) -> Result<Option<Place>, ChatError> {
        let path = format!("teams/{}/channels/name/{}", segment(&team.id)?, segment(name)?);
        let Some(channel) = known(self.rest.look_up::<Named>(&path, &[]).await)? else { return Ok(None) };
        let path = format!("channels/{}/members/{}", segment(&channel.id)?, segment(&account.id)?);
        let member = known(self.rest.look_up::<Member>(&path, &[]).await)?;
        Ok(Some(Place { id: channel.id, roles: member.map(|member| member.roles) }))
    }

    /// Everything that these roles allow together; nothing when the server does not tell.
    pub async fn permissions(&self, roles: &BTreeSet<&str>) -> Option<BTreeSet<String>> {
        let roles: Vec<&str> = roles.iter().copied().collect();
        let grants: Vec<RoleGrants> = self.rest.ask("roles/names", &roles).await.ok()?;
        Some(grants.into_iter().flat_map(|grant| grant.permissions).collect())
    }

    /// Opens a websocket, posts to itself, hears that, puts an emoji on it, hears that, and deletes the post.
    ///
    /// # Errors
    /// The step that did not go well, in words.
    pub async fn round_trip(&self, account: &Account, within: Duration) -> Result<RoundTrip, String> {
        let (events, mut heard) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let began = Instant::now();
        let talking = async {
            loop {
                match heard.recv().await {
                    Some(ChatEvent::Connection(Connection::Up { .. })) => break,
                    Some(ChatEvent::Connection(Connection::Down { why })) => return Err(why),
                    Some(_) => {}
                    None => return Err("the websocket ended".to_owned()),
                }
            }
            let opened = began.elapsed();
            let channel = self.own_channel(account).await?;
            let (sent, now) = (Instant::now(), (self.now)().as_millisecond());
            let made = self.post_to_self(&channel, json!({MARK: true})).await?;
            // Half of the way there is ours.
            let clock_ahead = (made.create_at - now) as f64 / 1000.0 - sent.elapsed().as_secs_f64() / 2.0;
            let waiting = async {
                loop {
                    match heard.recv().await {
                        Some(ChatEvent::Post(post)) if post.id.as_str() == made.id => return Ok(()),
                        Some(ChatEvent::Connection(Connection::Down { why })) => return Err(why),
                        Some(_) => {}
                        None => return Err("the websocket ended".to_owned()),
                    }
                }
            };
            let came = timeout(within, waiting).await;
            let took = sent.elapsed();
            let emoji = match &came {
                Ok(Ok(())) => self.emoji_round_trip(account, &made.id, &mut heard, within).await,
                _ => Err("no post was heard".to_owned()),
            };
            self.take_back(&made.id).await?;
            match came {
                Ok(Ok(())) => Ok(RoundTrip { opened, heard: took, emoji, clock_ahead }),
                Ok(Err(why)) => Err(why),
                Err(_) => Err(format!("a post of ours was made and not heard within {} s", within.as_secs())),
            }
        };
        tokio::select! {
            () = self.listen(events, stop.clone()) => Err("the websocket ended".to_owned()),
            result = timeout(within * 2, talking) => {
                result.unwrap_or_else(|_| Err(format!("nothing came of it within {} s", (within * 2).as_secs())))
            }
        }
    }

    async fn emoji_round_trip(
        &self,
        account: &Account,
        post: &str,
        heard: &mut mpsc::Receiver<ChatEvent>,
        within: Duration,
    ) -> Result<Duration, String> {
        let sent = Instant::now();
        let body = json!({"user_id": account.id, "post_id": post, "emoji_name": "white_check_mark"});
        let put = self.rest.write::<Value>(Method::POST, "reactions", &body).await;
        put.map_err(|problem| problem.to_string())?;
        let waiting = async {
            loop {
                match heard.recv().await {
                    Some(ChatEvent::Reaction(reaction)) if reaction.post.as_str() == post => return Ok(()),
                    Some(ChatEvent::Connection(Connection::Down { why })) => return Err(why),
                    Some(_) => {}
                    None => return Err("the websocket ended".to_owned()),
                }
            }
        };
        match timeout(within, waiting).await {
            Ok(Ok(())) => Ok(sent.elapsed()),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(format!("an emoji of ours was put there and not heard within {} s", within.as_secs())),
        }
    }

    /// Has the server call this address as if somebody had pressed a button, and looks whether the answer came back.
    ///
    /// # Errors
    /// The step that did not go well, in words.
    pub async fn press(&self, account: &Account, url: &str, nonce: &str) -> Result<(), String> {
        let channel = self.own_channel(account).await?;
        let action = json!({"id": "probe", "name": "probe", "integration": {"url": url, "context": {"probe": nonce}}});
        let props = json!({MARK: true, "attachments": [{"text": "probe", "actions": [action]}]});
        let made = self.post_to_self(&channel, props).await?;
        let pressed = async {
            let path = format!("posts/{}/actions/probe", segment(&made.id)?);
            self.rest.write::<Value>(Method::POST, &path, &json!({})).await?;
            let post: Value = self.rest.look_up(&format!("posts/{}", segment(&made.id)?), &[]).await?;
            Ok::<bool, ChatError>(post.get("message").and_then(Value::as_str).is_some_and(|text| text.contains(nonce)))
        };
        let pressed = pressed.await;
        self.take_back(&made.id).await?;
        match pressed {
            Ok(true) => Ok(()),
            Ok(false) => Err("something answered there, but it was not Halcyon".to_owned()),
            Err(problem) => Err(problem.to_string()),
        }
    }

    async fn own_channel(&self, account: &Account) -> Result<String, String> {
        let both = json!([account.id, account.id]);
        let made = self.rest.write::<Named>(Method::POST, "channels/direct", &both).await;
        made.map(|channel| channel.id).map_err(|problem| format!("no direct channel with itself: {problem}"))
    }

    async fn post_to_self(&self, channel: &str, props: Value) -> Result<Made, String> {
        let body =
            json!({"channel_id": channel, "message": "A test of halcyon doctor, deleted at once.", "props": props});
        let made = self.rest.write(Method::POST, "posts", &body).await;
        made.map_err(|problem| format!("a post to itself could not be made: {problem}"))
    }

    async fn take_back(&self, post: &str) -> Result<(), String> {
        let path = segment(post).map(|post| format!("posts/{post}")).map_err(|problem| problem.to_string())?;
        let deleted = self.rest.delete(&path).await;
        deleted.map_err(|problem| format!("the test post {post} could not be deleted again: {problem}"))
    }
}

/// Nothing instead of the error for what the server does not know, or does not show to us.
fn known<T>(result: Result<T, ChatError>) -> Result<Option<T>, ChatError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(ChatError::Unknown { .. } | ChatError::Refused { .. }) => Ok(None),
        Err(problem) => Err(problem),
    }
}
