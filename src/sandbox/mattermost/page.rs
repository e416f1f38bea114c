//! The web chat page: three files, a way to a demo user's session for whoever knows the page's secret, and what stands beside it.

use super::refusal::Refusal;
use super::shared::Shared;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

const INDEX: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/chat.js");
const MARKDOWN: &str = include_str!("page/markdown.js");

/// Nothing but the page's own files is ever loaded or run, whatever a post says.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self' ws:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(index))
        .route("/page/style.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/page/chat.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/page/markdown.js", get(async || asset("text/javascript; charset=utf-8", MARKDOWN)))
        .route("/page/session", get(session))
        .route("/beside/{name}", get(beside))
}

fn asset(kind: &'static str, content: impl Into<Body>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    (headers, content.into()).into_response()
}

/// The secret is right, and the page is asked for under a loopback name: a foreign name that resolves to us does not count.
fn admitted(shared: &Shared, headers: &HeaderMap, query: &BTreeMap<String, String>) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let given = query.get("token").map(String::as_bytes).unwrap_or_default();
    ["127.0.0.1", "localhost"].contains(&name) && bool::from(given.ct_eq(shared.settings.page_token.as_bytes()))
}

async fn index(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if admitted(&shared, &headers, &query) { asset("text/html; charset=utf-8", INDEX) } else { without_token() }
}

fn without_token() -> Response {
    (StatusCode::FORBIDDEN, "This page needs the token that the sandbox printed.\n").into_response()
}

/// A page beside the chat.
async fn beside(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if !admitted(&shared, &headers, &query) {
        return without_token();
    }
    match shared.settings.beside.iter().find(|beside| beside.path() == format!("/beside/{name}")) {
        Some(beside) => asset("text/html; charset=utf-8", (beside.page)()),
        None => Refusal::no_route().into_response(),
    }
}

/// A session of a demo user. Bots have none here: the page only writes as people.
async fn session(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, Refusal> {
    if !admitted(&shared, &headers, &query) {
        return Err(Refusal::session_expired());
    }
    let mut world = shared.world();
    let mut people: Vec<String> =
        world.users.values().filter(|user| !user.is_bot).map(|user| user.username.clone()).collect();
    people.sort_by_key(|name| {
        (!["operator", "lead", "guest"].contains(&name.as_str()), name != "operator", name != "lead")
    });
    let bots: Vec<String> = world.users.values().filter(|user| user.is_bot).map(|user| user.id.clone()).collect();
    let wanted = query.get("user").map_or("operator", String::as_str);
    let user = world.find_user(wanted)?.clone();
    if user.is_bot {
        return Err(Refusal::forbidden("login_as_bot"));
    }
    let token = world.open_session(&user.id, true);
    let beside: Vec<Value> =
        shared.settings.beside.iter().map(|beside| json!({ "name": beside.name, "path": beside.path() })).collect();
    Ok(Json(json!({ "token": token, "user_id": user.id, "people": people, "bots": bots, "beside": beside })))
}
