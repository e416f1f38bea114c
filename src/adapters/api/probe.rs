//! `POST /mattermost/probe`: by the answer to a press that `halcyon doctor` makes it knows that the server reaches us.

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Gives a number back that only we can have given out; anything else is not for us.
pub(super) async fn probe(Json(press): Json<Value>) -> Result<Json<Value>, StatusCode> {
    let nonce = press.pointer("/context/probe").and_then(Value::as_str);
    let nonce = nonce.filter(|nonce| nonce.len() == 32 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let nonce = nonce.ok_or(StatusCode::BAD_REQUEST)?;
    Ok(Json(json!({"update": {"message": format!("reached: {nonce}")}})))
}
