//! `GET /healthz`

use super::Sources;
use crate::core::effect::{Answer, HealthPart};
use crate::core::input::{Ask, Principal};
use crate::runtime::ports::ControlCall;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

pub(super) async fn health(State(sources): State<Sources>) -> (StatusCode, Json<Value>) {
    let (healthy, parts) = match timeout(sources.patience, ask(&sources)).await {
        Ok(Some(Answer::Health { healthy, parts })) => (healthy, parts),
        Ok(Some(_)) => stuck("the bot does not know how it is", &sources),
        Ok(None) => stuck("the bot is stopping", &sources),
        Err(_) => stuck("the bot does not answer", &sources),
    };
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"healthy": healthy, "parts": parts})))
}

async fn ask(sources: &Sources) -> Option<Answer> {
    let (reply, answer) = oneshot::channel();
    let from = Principal::LocalUser { uid: sources.uid, name: "halcyon".to_owned() };
    sources.calls.send(ControlCall { from, ask: Ask::Health, reply }).await.ok()?;
    answer.await.ok()
}

fn stuck(says: &str, sources: &Sources) -> (bool, Vec<HealthPart>) {
    let bot =
        HealthPart { name: "bot".to_owned(), works: false, says: says.to_owned(), since: None, advice: String::new() };
    (false, std::iter::once(bot).chain((sources.outside)()).collect())
}
