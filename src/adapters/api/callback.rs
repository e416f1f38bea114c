//! `POST /mattermost/action` and `POST /mattermost/dialog`: the chat server calls us back, because somebody pressed a button or submitted a
//! dialog. Nothing but the signature says that it was the server.
//!
//! **The door judges what can be judged without a memory**: that it can be read, that we signed it, that a dialog comes from the one for whom it
//! was opened. **It answers within three seconds**, whatever the bot does meanwhile, since the server and a person wait; every answer has status
//! 200, since the server shows all others as an error without a word. **What it refuses is counted, told to the bot as far as there is room, and
//! answered in one sentence.**

use super::Sources;
use crate::core::callback::signature::{CallbackKey, SIGNED};
use crate::core::callback::{Refusal, Reply};
use crate::core::id::{ChannelId, PostId, UserId};
use crate::core::input::Forgery;
use crate::runtime::ports::CallbackCall;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the bot may take to decide. A server of 5.37 waits for 30 seconds, a person for three.
const PATIENCE: Duration = Duration::from_millis(2_800);
/// The longest body that is read: a dialog of many texts fits.
pub(super) const LONGEST_BODY: usize = 256 << 10;
/// Ids have 26 letters; what is much longer is none.
const LONGEST_ID: usize = 64;

/// The way in for callbacks.
#[derive(Clone)]
pub struct Door {
    /// The key by which they are known to be ours.
    pub key: CallbackKey,
    /// The way to the bot.
    pub calls: mpsc::Sender<CallbackCall>,
    /// Counts what the door refuses.
    pub refused: Arc<dyn Fn(Refusal) + Send + Sync>,
}

/// Why the door lets a callback go no further, in a sentence for the one who pressed.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Turned {
    #[error("I cannot tell that this is mine, so nothing was done. If the post is old, write the command instead.")]
    Forged,
    #[error("This form was opened by somebody else, so nothing was done.")]
    OtherUser,
    #[error("I could not read that, so nothing was done.")]
    Unreadable,
}

/// No decision came in time, or nobody takes callbacks.
#[derive(Debug, thiserror::Error)]
enum Undecided {
    #[error("I have not got round to that yet. If the post does not show it soon, press again.")]
    Late,
    #[error("There is too much at once, so nothing was done. Press again in a moment.")]
    Full,
    #[error("I am stopping, so nothing was done. Press again when I am back.")]
    Stopping,
}

/// A button was pressed.
pub(super) async fn action(
    State(sources): State<Sources>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Result<Json<Value>, StatusCode> {
    let door = sources.door.ok_or(StatusCode::NOT_FOUND)?;
    let call: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    let signed = call.get("context").and_then(|context| context.get(SIGNED)).and_then(Value::as_str);
    let (user, post, channel) = (id(&call, "user_id"), id(&call, "post_id"), id(&call, "channel_id"));
    let reply = match (signed.map(|signed| door.key.verify_button(signed)), user, post, channel) {
        (Some(Some(meaning)), Some(user), Some(post), Some(channel)) => {
            let (user, post, channel) = (UserId::new(user), PostId::new(post), ChannelId::new(channel));
            let trigger = call.get("trigger_id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let meaning = Box::new(meaning);
            door.ask(|reply| CallbackCall::Press { user, post, channel, meaning, trigger, reply }).await
        }
        (Some(None), ..) => door.turn_away(Turned::Forged, &call, peer),
        _ => door.turn_away(Turned::Unreadable, &call, peer),
    };
    Ok(Json(match reply.text.as_str() {
        "" => json!({}),
        text => json!({"ephemeral_text": text}),
    }))
}

/// A dialog was submitted.
pub(super) async fn dialog(
    State(sources): State<Sources>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Result<Json<Value>, StatusCode> {
    let door = sources.door.ok_or(StatusCode::NOT_FOUND)?;
    let call: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    if call.get("cancelled").and_then(Value::as_bool) == Some(true) {
        return Ok(Json(json!({})));
    }
    let signed = call.get("state").and_then(Value::as_str);
    let (user, channel) = (id(&call, "user_id"), id(&call, "channel_id"));
    let reply = match (signed.map(|signed| door.key.verify_dialog(signed)), user, channel) {
        (Some(Some(state)), Some(user), Some(channel)) if state.user.as_str() == user => {
            let (user, channel, card) = (UserId::new(user), ChannelId::new(channel), state.card);
            let values: BTreeMap<String, Value> = match call.get("submission") {
                Some(Value::Object(values)) => values.clone().into_iter().collect(),
                _ => BTreeMap::new(),
            };
            let meaning = Box::new(state.meaning);
            door.ask(|reply| CallbackCall::Submission { user, channel, card, meaning, values, reply }).await
        }
        (Some(Some(_)), Some(_), Some(_)) => door.turn_away(Turned::OtherUser, &call, peer),
        (Some(None), ..) => door.turn_away(Turned::Forged, &call, peer),
        _ => door.turn_away(Turned::Unreadable, &call, peer),
    };
    // What was done shows in the channel: a dialog that closes has no place for a text. One that stays open keeps what was typed.
    let stays = reply.stays || reply.refused.is_some() || !reply.complaints.is_empty();
    let mut answer = json!({});
    if stays && !reply.text.is_empty() {
        answer["error"] = json!(reply.text);
    }
    if !reply.complaints.is_empty() {
        answer["errors"] = json!(reply.complaints);
    }
    Ok(Json(answer))
}

impl Door {
    /// Puts it to the bot and waits for what it says.
    async fn ask(&self, call: impl FnOnce(oneshot::Sender<Reply>) -> CallbackCall) -> Reply {
        let (reply, answer) = oneshot::channel();
        let why = match self.calls.try_send(call(reply)) {
            Ok(()) => match tokio::time::timeout(PATIENCE, answer).await {
                Ok(Ok(reply)) => return reply,
                Ok(Err(_)) => Undecided::Stopping,
                Err(_) => Undecided::Late,
            },
            Err(mpsc::error::TrySendError::Full(_)) => Undecided::Full,
            Err(mpsc::error::TrySendError::Closed(_)) => Undecided::Stopping,
        };
        Reply { stays: true, ..Reply::text(why.to_string()) }
    }

    fn turn_away(&self, turned: Turned, call: &Map<String, Value>, peer: SocketAddr) -> Reply {
        let why = match turned {
            Turned::Forged => Refusal::Forged,
            Turned::OtherUser => Refusal::OtherUser,
            Turned::Unreadable => Refusal::Unreadable,
        };
        (self.refused)(why);
        let (user, post) = (id(call, "user_id").map(UserId::new), id(call, "post_id").map(PostId::new));
        tracing::warn!(why = why.word(), from = %peer.ip(), "a callback that is none of ours");
        // Where there is no room for more of them, it is counted and no more.
        let _ = self.calls.try_send(CallbackCall::Forged(Forgery { why, user, post, from: peer.ip().to_string() }));
        Reply { refused: Some(why), ..Reply::text(turned.to_string()) }
    }
}

/// What can be an id.
fn id<'a>(call: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    let id = call.get(key).and_then(Value::as_str)?;
    let sound = !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    sound.then_some(id)
}
