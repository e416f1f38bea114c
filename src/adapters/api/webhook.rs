//! `POST /api/v1/webhooks/{path}`: other programs bring events. The door reads what was sent and takes out what proves who sent it; whether that is good enough is
//! the bot's to say.
//!
//! Answers, as StackStorm gives them: 202 with the body that was sent, once the event is durable; 400 for what cannot be read or is not as its trigger has it; 401 without a key or with a wrong signature, 403 with one
//! for something else; 404 where there is no such webhook; 413, 415 by size and type; 503 when the bot is stopping, or too late. Errors are `{"faultstring": …}`.

use super::Sources;
use crate::core::effect::Answer;
use crate::core::input::{Ask, Principal};
use crate::core::webhook::api_key::Digest;
use crate::core::webhook::signature::Header;
use crate::core::webhook::{Call, PROOFS, Refusal, alertmanager, path};
use crate::runtime::ports::ControlCall;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest body that is read: every line that a check prints fits.
pub(super) const LONGEST_BODY: usize = 1 << 20;
/// The same of what Alertmanager sends: a group with all of its alerts. What it is refused for good is lost.
pub(super) const LONGEST_GROUP: usize = 8 << 20;
/// How long the bot may take. Who is not answered by then brings it again.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where a key may stand in the address, for senders that can say nothing else.
const IN_QUERY: [&str; 2] = ["st2-api-key", "x-auth-token"];

/// Where else it may stand, for senders that cannot choose.
const IN_HEADER: [&str; 1] = ["x-gitlab-token"];

type Told = (StatusCode, Json<Value>);

/// A webhook was called.
pub(super) async fn call(
    State(sources): State<Sources>,
    Path(hook): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Told {
    let of_alertmanager = alertmanager(path(&hook)).is_some();
    if body.len() > LONGEST_BODY && !of_alertmanager {
        return fault(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 1 MiB");
    }
    let sent = match read(&headers, &body) {
        Ok(sent) => sent,
        Err(refused) => return refused,
    };
    let key = key(&headers, query.as_deref()).map(|key| Digest::of(&key));
    let signature = signature(&headers);
    let told = headers.iter().filter(|(name, _)| !PROOFS.contains(&name.as_str()));
    let headers = told.map(|(name, value)| {
        // Axum has them in small letters; senders and rules mean `X-Event-Key`.
        (as_written(name.as_str()), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let call = Call {
        hook: path(&hook).to_owned(),
        key,
        signature,
        raw: body.to_vec(),
        headers: headers.collect(),
        body: sent.clone(),
    };
    let (reply, answer) = oneshot::channel();
    let from = Principal::LocalUser { uid: sources.uid, name: String::new() };
    let ask = Ask::Webhook(Box::new(call));
    let asking = async {
        sources.calls.send(ControlCall { from, ask, reply }).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Some(Answer::Event { new, .. })) if of_alertmanager => (StatusCode::ACCEPTED, Json(json!({"new": new}))),
        Ok(Some(Answer::Event { .. })) => (StatusCode::ACCEPTED, Json(sent)),
        Ok(Some(Answer::CallRefused { why, text })) => {
            let status = match why {
                Refusal::NoKey => StatusCode::UNAUTHORIZED,
                Refusal::NotThis => StatusCode::FORBIDDEN,
                Refusal::NoHook => StatusCode::NOT_FOUND,
                Refusal::Wrong => StatusCode::BAD_REQUEST,
            };
            fault(status, &text)
        }
        Ok(Some(Answer::Refused { text })) => fault(StatusCode::BAD_REQUEST, &text),
        Ok(Some(Answer::Failed { text })) => fault(StatusCode::SERVICE_UNAVAILABLE, &text),
        Ok(_) => fault(StatusCode::SERVICE_UNAVAILABLE, "the bot is stopping"),
        Err(_) => fault(StatusCode::SERVICE_UNAVAILABLE, "the bot has not got round to it; send it again"),
    }
}

fn fault(status: StatusCode, text: &str) -> Told {
    (status, Json(json!({"faultstring": text})))
}

/// The key: in a header, or in the address.
fn key(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    let in_header = IN_QUERY.iter().chain(&IN_HEADER).find_map(|name| headers.get(*name)?.to_str().ok());
    let bearer = || {
        let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    };
    in_header.or_else(bearer).map(str::to_owned).or_else(|| {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let mut keys = pairs.filter(|(name, _)| IN_QUERY.contains(&name.as_ref()));
        keys.next().map(|(_, value)| value.into_owned())
    })
}

/// The signature over the body.
fn signature(headers: &HeaderMap) -> Option<Header> {
    let text =
        |name| headers.get(name).map(|value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned());
    text("x-halcyon-signature").map(Header::Own).or_else(|| text("x-hub-signature-256").map(Header::Hub))
}

/// What was sent: JSON, or the fields of a form.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Value, Told> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("application/json");
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => {
            let mut fields = Map::new();
            for (name, value) in url::form_urlencoded::parse(body) {
                let value = Value::from(value.into_owned());
                // One value is a text, several are a list.
                match fields.entry(name.into_owned()).or_insert(Value::Null) {
                    empty @ Value::Null => *empty = value,
                    Value::Array(values) => values.push(value),
                    one => *one = Value::Array(vec![one.take(), value]),
                }
            }
            Ok(Value::Object(fields))
        }
        kind if kind == "application/json" || kind.ends_with("+json") => match serde_json::from_slice(body) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
            Ok(_) => Err(fault(StatusCode::BAD_REQUEST, "the body has to be a JSON object or array")),
            Err(error) => Err(fault(StatusCode::BAD_REQUEST, &format!("the body is no JSON: {error}"))),
        },
        _ => Err(fault(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be JSON or a form")),
    }
}

/// `x-event-key` as `X-Event-Key`.
fn as_written(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(capital).collect::<Vec<_>>().join("-")
}
