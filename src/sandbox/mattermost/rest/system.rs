//! The server itself, and dialogs.

use super::{Caller, body};
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn ping() -> Json<Value> {
    Json(
        json!({ "status": "OK", "AndroidLatestVersion": "", "AndroidMinVersion": "", "IosLatestVersion": "", "IosMinVersion": "", "ActiveSearchBackend": "database" }),
    )
}

pub(super) async fn license() -> Json<Value> {
    Json(json!({ "IsLicensed": "false" }))
}

/// A list of what the sandbox has none of: emoji, plug-ins, slash commands.
pub(super) async fn nothing(_: Caller) -> Json<Value> {
    Json(json!([]))
}

/// Who is not logged in sees less.
pub(super) async fn config(
    State(shared): State<Arc<Shared>>,
    caller: Result<Caller, Refusal>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, Refusal> {
    if query.get("format").map(String::as_str) != Some("old") {
        return Err(Refusal::new(
            501,
            "api.config.client.old_format.app_error",
            "New format for the client configuration is not supported yet. Please specify format=old in the query string.",
        ));
    }
    let mut config = json!({
        "Version": shared.world().limits.release.version(), "BuildNumber": "sandbox", "SiteName": "Sandbox", "DefaultClientLocale": "en",
        "EnableSignInWithUsername": "true",
    });
    if caller.is_ok()
        && let Some(config) = config.as_object_mut()
    {
        let limits = shared.world().limits.clone();
        config.insert("MaxPostSize".into(), json!(limits.max_post_size.to_string()));
        config.insert("MaxFileSize".into(), json!(limits.max_file_size.to_string()));
        for (name, value) in [
            ("BuildEnterpriseReady", "false"),
            ("EnableFileAttachments", "true"),
            ("EnableUserTypingMessages", "true"),
            ("RestrictDirectMessage", "any"),
            ("TeammateNameDisplay", "username"),
            ("TimeBetweenUserTypingUpdatesMilliseconds", "5000"),
        ] {
            config.insert(name.into(), json!(value));
        }
        config.insert("EnableBotAccountCreation".into(), json!("true"));
        config.insert("PostEditTimeLimit".into(), json!(limits.post_edit_seconds.unwrap_or(-1).to_string()));
    }
    Ok(Json(config))
}

pub(super) async fn open_dialog(State(shared): State<Arc<Shared>>, bytes: Bytes) -> Result<Json<Value>, Refusal> {
    shared.open_dialog(&body(&bytes, "dialog")?)?;
    Ok(Json(json!({ "status": "OK" })))
}

pub(super) async fn submit_dialog(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(shared.submit_dialog(&caller.user_id, &body(&bytes, "submit_dialog")?).await?))
}
