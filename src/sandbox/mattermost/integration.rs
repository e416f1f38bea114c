//! Buttons, menus and dialogs: the server calls the integration, as the real one does.

use super::attachment::find_action;
use super::event::{Audience, Event, Happening};
use super::id::new_id;
use super::posting::Patch;
use super::refusal::Refusal;
use super::release::Release;
use super::shared::Shared;
use super::world::World;
use serde::Deserialize;
use serde_json::{Map, Value, json};

const FAILED: &str = "api.post.do_action.action_integration.app_error";

fn failed(detail: impl Into<String>) -> Refusal {
    Refusal::new(400, FAILED, "Action integration error.").with_detail(detail)
}

/// What the integration answers to a press.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    #[serde(default)]
    update: Option<Update>,
    #[serde(default)]
    ephemeral_text: String,
}

#[derive(Debug, Default, Deserialize)]
struct Update {
    #[serde(default)]
    message: String,
    #[serde(default)]
    props: Option<Map<String, Value>>,
}

/// A dialog as clients get it: with all its fields, and in older releases no others than these.
fn completed(dialog: &Value, release: Release) -> Value {
    let blanks = |blank: &Value, given: &Value| -> Map<String, Value> {
        let mut shown = blank.as_object().cloned().unwrap_or_default();
        for (key, value) in given.as_object().into_iter().flatten() {
            if release.is_recent() || shown.contains_key(key) {
                shown.insert(key.clone(), value.clone());
            }
        }
        shown
    };
    let mut shown = blanks(
        &json!({
            "callback_id": "", "title": "", "introduction_text": "", "icon_url": "", "elements": Value::Null,
            "submit_label": "", "notify_on_cancel": false, "state": "",
        }),
        dialog,
    );
    if let Some(Value::Array(elements)) = shown.get_mut("elements") {
        let blank = json!({
            "display_name": "", "name": "", "type": "", "subtype": "", "default": "", "placeholder": "", "help_text": "",
            "optional": false, "min_length": 0, "max_length": 0, "data_source": "", "options": Value::Null,
        });
        for element in elements {
            *element = blanks(&blank, element).into();
        }
    }
    shown.into()
}

/// Props that an integration cannot replace.
const RETAINED: [&str; 3] = ["from_webhook", "override_username", "override_icon_url"];

impl World {
    fn new_trigger(&mut self, user_id: &str) -> String {
        let trigger = format!("{}{}", new_id(), new_id());
        let now = super::clock::now_ms();
        self.triggers.insert(trigger.clone(), (user_id.to_owned(), now));
        trigger
    }

    /// The call for a press: where it goes and what it says.
    fn press(
        &mut self,
        user_id: &str,
        post_id: &str,
        action_id: &str,
        option: &str,
    ) -> Result<(String, Value), Refusal> {
        let post = self.readable_post(post_id, user_id)?.clone();
        let unknown = || Refusal::new(404, "api.post.do_action.action_id.app_error", "Invalid action id.");
        let action = find_action(&post.props, action_id).ok_or_else(unknown)?.clone();
        let integration = action.get("integration").and_then(Value::as_object).ok_or_else(unknown)?;
        let url = integration.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = action.get("type").and_then(Value::as_str).unwrap_or_default();
        let mut context = integration.get("context").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut data_source = json!("");
        if kind == "select" && !option.is_empty() {
            context.insert("selected_option".into(), json!(option));
            data_source = action.get("data_source").cloned().unwrap_or(json!(""));
        }
        let trigger_id = self.new_trigger(user_id);
        let channel = self.channels.get(&post.channel_id).ok_or_else(Refusal::no_channel)?;
        let call = json!({
            "user_id": user_id,
            "user_name": self.find_user(user_id)?.username,
            "channel_id": channel.id,
            "channel_name": channel.name,
            "team_id": channel.team_id,
            "team_domain": self.teams.get(&channel.team_id).map_or("", |team| team.name.as_str()),
            "post_id": post.id,
            "trigger_id": trigger_id,
            "type": kind,
            "data_source": data_source,
            "context": context,
        });
        Ok((url, call))
    }

    fn take_answer(&mut self, user_id: &str, post_id: &str, answer: Answer) -> Result<(), Refusal> {
        let Some(post) = self.post(post_id).cloned() else { return Err(Refusal::no_post()) };
        if let Some(update) = answer.update {
            let props = update.props.map(|mut props| {
                for key in RETAINED {
                    match post.props.get(key) {
                        Some(kept) => props.insert(key.to_owned(), kept.clone()),
                        None => props.remove(key),
                    };
                }
                props
            });
            self.change_post(post_id, Patch { message: Some(update.message), props, ..Patch::default() })?;
        }
        if !answer.ephemeral_text.is_empty() {
            let root = if post.root_id.is_empty() { &post.id } else { &post.root_id };
            self.whisper(user_id, &post.channel_id, root, &answer.ephemeral_text);
        }
        Ok(())
    }
}

impl Shared {
    /// A user presses a button or chooses from a menu.
    pub(crate) async fn press(
        &self,
        user_id: &str,
        post_id: &str,
        action_id: &str,
        option: &str,
    ) -> Result<Value, Refusal> {
        let (url, call) = self.world().press(user_id, post_id, action_id, option)?;
        let body = self.call_integration(&url, &call).await?;
        // Servers of 5.x refuse an empty body too; so does this one, lest an integration relies on the newer ones.
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))?;
        self.world().take_answer(user_id, post_id, answer)?;
        Ok(json!({ "status": "OK", "trigger_id": call["trigger_id"] }))
    }

    async fn call_integration(&self, url: &str, call: &Value) -> Result<Vec<u8>, Refusal> {
        if self.plan().forbid_callbacks {
            return Err(failed(format!(
                "err=Post {url:?}: address forbidden, you may need to set AllowedUntrustedInternalConnections"
            )));
        }
        let answer = self.http.post(url).header("Accept", "application/json").json(call).send().await;
        let answer = answer.map_err(|error| failed(format!("err={error}")))?;
        let status = answer.status();
        if status != reqwest::StatusCode::OK {
            return Err(failed(format!("status={}", status.as_u16())));
        }
        Ok(answer.bytes().await.map_err(|error| failed(error.to_string()))?.to_vec())
    }

    /// An integration opens a dialog. The trigger is the only proof.
    pub(crate) fn open_dialog(&self, request: &Value) -> Result<(), Refusal> {
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("url").is_empty() {
            return Err(Refusal::bad_body("url"));
        }
        if !request.get("dialog").is_some_and(Value::is_object) {
            return Err(Refusal::bad_body("dialog"));
        }
        let mut world = self.world();
        let Some((user_id, made_at)) = world.triggers.get(text("trigger_id")).cloned() else {
            return Err(Refusal::new(
                400,
                "interactive_message.decode_trigger_id.base64_decode_failed",
                "Failed to decode base64 for trigger ID for interactive dialog.",
            ));
        };
        if super::clock::now_ms() - made_at > world.limits.trigger_ms {
            return Err(Refusal::new(
                400,
                "interactive_message.decode_trigger_id.expired",
                "Trigger ID for interactive dialog is expired.",
            ));
        }
        let shown = completed(&request["dialog"], world.limits.release);
        let dialog = json!({ "trigger_id": text("trigger_id"), "url": text("url"), "dialog": shown });
        let data = json!({ "dialog": dialog.to_string() });
        world.publish(&Event::new("open_dialog", Audience::User(user_id.clone()), data));
        world.tell(Happening::Dialog { user_id, dialog });
        Ok(())
    }

    /// A user submits a dialog. The client supplies everything but its own user id.
    pub(crate) async fn submit_dialog(&self, user_id: &str, request: &Value) -> Result<Value, Refusal> {
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("url").is_empty() {
            return Err(Refusal::bad_body("url"));
        }
        {
            let world = self.world();
            let channel = world.channels.get(text("channel_id")).ok_or_else(Refusal::no_channel)?;
            if !world.may_read(channel, user_id) {
                return Err(Refusal::forbidden("read_channel"));
            }
        }
        let call = json!({
            "type": "dialog_submission", "url": text("url"), "callback_id": text("callback_id"),
            "state": text("state"), "user_id": user_id, "channel_id": text("channel_id"), "team_id": text("team_id"),
            "submission": request.get("submission").cloned().unwrap_or(Value::Null),
            "cancelled": request.get("cancelled").and_then(Value::as_bool).unwrap_or(false),
        });
        let body = self.call_integration(text("url"), &call).await?;
        if body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))
    }
}
