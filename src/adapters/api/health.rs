//! `GET /healthz`

use crate::core::effect::{Answer, HealthPart};
use crate::core::input::{Ask, Principal};
use crate::runtime::ports::ControlCall;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long the bot may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) calls: mpsc::Sender<ControlCall>,
    pub(super) uid: u32,
}

pub(super) async fn health(State(source): State<Source>) -> (StatusCode, Json<Value>) {
    let (healthy, parts) = match timeout(PATIENCE, ask(source)).await {
        Ok(Some(Answer::Health { healthy, parts })) => (healthy, parts),
        Ok(Some(_)) => stuck("the bot does not know how it is"),
        Ok(None) => stuck("the bot is stopping"),
        Err(_) => stuck("the bot does not answer"),
    };
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"healthy": healthy, "parts": parts})))
}

async fn ask(source: Source) -> Option<Answer> {
    let (reply, answer) = oneshot::channel();
    let from = Principal::LocalUser { uid: source.uid, name: "halcyon".to_owned() };
    source.calls.send(ControlCall { from, ask: Ask::Health, reply }).await.ok()?;
    answer.await.ok()
}

fn stuck(says: &str) -> (bool, Vec<HealthPart>) {
    (false, vec![HealthPart { name: "bot".to_owned(), works: false, says: says.to_owned() }])
}
