//! The websocket: one task a connection, which moves frames and answers what the client asks.

use super::clock::now_ms;
use super::connection::{Arrival, NextFrame, ResumeWish};
use super::event::{Audience, Event, Happening};
use super::gate::{Gate, Line};
use super::refusal::Refusal;
use super::rest::bearer;
use super::shared::Shared;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at, sleep_until, timeout_at};

/// The longest message that a client may send.
const CLIENT_FRAME_LIMIT: usize = 8 * 1024;

/// `GET /api/v4/websocket`.
pub(crate) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !origin_allowed(&headers) {
        return Refusal::new(400, "api.web_socket.connect.upgrade.app_error", "URL Blocked because of CORS.")
            .into_response();
    }
    let token = bearer(&headers);
    let wish = ResumeWish {
        connection_id: query.get("connection_id").cloned(),
        sequence_number: query.get("sequence_number").cloned(),
    };
    upgrade
        .max_message_size(CLIENT_FRAME_LIMIT)
        .max_frame_size(CLIENT_FRAME_LIMIT)
        .on_upgrade(move |socket| serve(shared, socket, line.0, token, wish))
}

/// Origins are looked at only when there is one.
fn origin_allowed(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN).and_then(|value| value.to_str().ok()) else { return true };
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, origin_host)| origin_host == host)
}

async fn serve(shared: Arc<Shared>, mut socket: WebSocket, gate: Arc<Gate>, token: Option<String>, wish: ResumeWish) {
    let arrival = {
        let plan = shared.plan();
        if plan.silence_new_sockets {
            gate.silence();
        }
        Arrival { no_hello: plan.no_hello, refuse_resume: plan.refuse_resume }
    };
    let known = token.and_then(|token| {
        let user = shared.world().session(&token)?.user_id.clone();
        Some((token, user))
    });
    let attached = match known {
        Some((token, user)) => shared.world().attach(&user, &token, &wish, &gate, arrival),
        None => authenticate(&shared, &mut socket, &gate, arrival).await,
    };
    match attached {
        Some((key, wake)) => {
            converse(&shared, &mut socket, &gate, key, &wake).await;
            shared.world().detach(key);
        }
        None => gate.cut(),
    }
}

/// Waits for the challenge. Whoever gives a wrong token or none in time is hung up on without a word.
async fn authenticate(
    shared: &Shared,
    socket: &mut WebSocket,
    gate: &Arc<Gate>,
    arrival: Arrival,
) -> Option<(u64, Arc<Notify>)> {
    let deadline = Instant::now() + shared.settings.authentication_deadline;
    while let Ok(Some(Ok(message))) = timeout_at(deadline, socket.recv()).await {
        let Message::Text(text) = message else { continue };
        let request: Request = serde_json::from_str(&text).ok()?;
        if request.action == "authentication_challenge" {
            let data = request.data.unwrap_or_default();
            let token = data.get("token").and_then(Value::as_str).unwrap_or_default();
            let mut world = shared.world();
            let user = world.session(token)?.user_id.clone();
            let (key, wake) = world.attach(&user, token, &ResumeWish::default(), gate, arrival)?;
            world.reply(key, json!({ "status": "OK", "seq_reply": request.seq }).to_string());
            return Some((key, wake));
        }
        // Anything else is not answered.
    }
    None
}

async fn converse(shared: &Shared, socket: &mut WebSocket, gate: &Gate, key: u64, wake: &Notify) {
    let every = shared.settings.ping_every;
    let mut ping = interval_at(Instant::now() + every, every);
    let mut alive_until = Instant::now() + shared.settings.pong_deadline;
    loop {
        loop {
            let next = shared.world().next_frame(key);
            let sent = match next {
                NextFrame::Wait => break,
                NextFrame::HangUp => return,
                NextFrame::Send(frame) => socket.send(Message::Text(frame.into())).await,
                NextFrame::Break(frame) => {
                    gate.cut_after(frame.len() / 2);
                    socket.send(Message::Text(frame.into())).await
                }
            };
            if sent.is_err() {
                return;
            }
        }
        tokio::select! {
            () = wake.notified() => {}
            () = sleep_until(alive_until) => return,
            _ = ping.tick() => {
                if socket.send(Message::Ping(axum::body::Bytes::new())).await.is_err() {
                    return;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let Ok(request) = serde_json::from_str::<Request>(&text) else { return };
                    answer(shared, key, &request);
                }
                // Only a pong proves to the server that the client lives.
                Some(Ok(Message::Pong(_))) => alive_until = Instant::now() + shared.settings.pong_deadline,
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return,
            }
        }
    }
}

/// What a client sends.
#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    seq: i64,
    #[serde(default)]
    action: String,
    /// Clients that have nothing to add send `null`.
    #[serde(default)]
    data: Option<Map<String, Value>>,
}

/// Without the number of a request, and a number of the client's that is 0 is left out.
fn refusal(seq: i64, refusal: &Refusal) -> String {
    let error = json!({
        "id": refusal.id, "message": refusal.message, "detailed_error": refusal.detail, "status_code": refusal.status,
    });
    let mut reply = json!({ "status": "FAIL", "error": error });
    if seq != 0 {
        reply["seq_reply"] = json!(seq);
    }
    reply.to_string()
}

fn answer(shared: &Shared, key: u64, request: &Request) {
    let mut world = shared.world();
    let Some(user_id) = world.connections.get(&key).map(|connection| connection.user_id.clone()) else { return };
    let refused = if request.action.is_empty() {
        Some(Refusal::new(400, "api.web_socket_router.no_action.app_error", "No websocket action."))
    } else if request.seq <= 0 {
        Some(Refusal::new(400, "api.web_socket_router.bad_seq.app_error", "Invalid sequence for WebSocket message."))
    } else if request.action == "authentication_challenge" {
        // Somebody who is known already gets no answer.
        return;
    } else if !world.is_authenticated(key) {
        Some(Refusal::new(
            401,
            world.limits.release.token_gone(),
            "The session of this WebSocket connection is not valid.",
        ))
    } else {
        None
    };
    if let Some(refused) = refused {
        world.reply(key, refusal(request.seq, &refused));
        return;
    }
    let given = request.data.clone().unwrap_or_default();
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let data = match request.action.as_str() {
        "ping" => {
            json!({ "text": "pong", "version": world.limits.release.version(), "server_time": now_ms(), "node_id": "" })
        }
        "user_typing" => {
            let channel_id = text("channel_id");
            if !world.in_channel(&channel_id, &user_id) {
                let refused =
                    Refusal::new(400, "api.websocket_handler.invalid_param.app_error", "Invalid channel_id parameter.");
                world.reply(key, refusal(request.seq, &refused));
                return;
            }
            let data = json!({ "parent_id": text("parent_id"), "user_id": user_id });
            let audience = Audience::ChannelExcept(channel_id.clone(), user_id.clone());
            world.publish(&Event::new("typing", audience, data));
            world.tell(Happening::Typing { user_id, channel_id });
            Value::Null
        }
        "get_statuses" => world.users.values().map(|u| (u.id.clone(), json!(u.status))).collect::<Map<_, _>>().into(),
        "get_statuses_by_ids" => {
            let ids = given.get("user_ids").and_then(Value::as_array).into_iter().flatten();
            let users = ids.filter_map(Value::as_str).filter_map(|id| world.users.get(id));
            users.map(|user| (user.id.clone(), json!(user.status))).collect::<Map<_, _>>().into()
        }
        "user_update_active_status" | "presence" => Value::Null,
        _ => {
            let refused = Refusal::new(500, "api.web_socket_router.bad_action.app_error", "Unknown WebSocket action.");
            world.reply(key, refusal(request.seq, &refused));
            return;
        }
    };
    let mut reply = json!({ "status": "OK", "seq_reply": request.seq });
    if let (Value::Object(reply), Value::Object(data)) = (&mut reply, data) {
        reply.insert("data".into(), data.into());
    }
    world.reply(key, reply.to_string());
}
