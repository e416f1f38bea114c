//! # REST API
//!
//! The only place that knows paths. Handlers check who asks, then call the world.

mod channels;
mod files;
mod groups;
mod people;
mod posts;
mod preferences;
mod reading;
mod roles;
mod system;
mod users;

use super::faults::{BY_PROXY, Detour};
use super::id::{is_id, new_id};
use super::page;
use super::refusal::Refusal;
use super::shared::Shared;
use super::socket;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post, put};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Where a proxy in maintenance sends everybody.
const MAINTENANCE: &str = "/maintenance";

/// All routes.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/system/ping", get(system::ping))
        .route("/config/client", get(system::config))
        .route("/license/client", get(system::license))
        .route("/emoji", get(system::nothing))
        .route("/plugins/webapp", get(system::nothing))
        .route("/roles/names", post(roles::by_names))
        .route("/roles/name/{name}", get(roles::by_name))
        .route("/bots/{bot_id}", get(people::bot))
        .route("/users", get(people::list))
        .route("/users/stats", get(people::stats))
        .route("/users/search", post(people::search))
        .route("/users/autocomplete", get(people::autocomplete))
        .route("/users/login", post(users::login))
        .route("/users/logout", post(users::logout))
        .route("/users/ids", post(users::by_ids))
        .route("/users/usernames", post(users::by_names))
        .route("/users/username/{name}", get(users::by_name))
        .route("/users/status/ids", post(users::statuses))
        .route("/users/{user_id}", get(users::one))
        .route("/users/{user_id}/status", get(users::status).put(users::put_status))
        .route("/users/{user_id}/typing", post(users::typing))
        .route("/users/{user_id}/teams", get(users::teams))
        .route("/users/{user_id}/teams/members", get(users::team_memberships))
        .route("/users/{user_id}/channels", get(users::channels))
        .route("/users/{user_id}/preferences", get(preferences::list).put(preferences::save))
        .route("/users/{user_id}/preferences/delete", post(preferences::delete))
        .route("/users/{user_id}/teams/unread", get(reading::unread_teams))
        .route("/users/{user_id}/channels/{channel_id}/posts/unread", get(reading::unread_posts))
        .route("/users/{user_id}/teams/{team_id}/channels/categories", get(preferences::categories))
        .route("/users/{user_id}/teams/{team_id}/channels", get(users::team_channels))
        .route("/users/{user_id}/teams/{team_id}/channels/members", get(users::channel_memberships))
        .route("/users/{user_id}/posts/{post_id}/reactions/{emoji}", delete(posts::unreact))
        .route("/teams/name/{team}", get(channels::team_by_name))
        .route("/teams/name/{team}/exists", get(channels::team_exists))
        .route("/teams/name/{team}/channels/name/{channel}", get(channels::by_names))
        .route("/teams/{team_id}", get(channels::team))
        .route("/teams/{team_id}/stats", get(people::team_stats))
        .route("/teams/{team_id}/members", get(people::team_members))
        .route("/teams/{team_id}/members/ids", post(people::team_members))
        .route("/teams/{team_id}/members/{user_id}", get(channels::team_member))
        .route("/teams/{team_id}/commands/autocomplete", get(system::nothing))
        .route("/teams/{team_id}/posts/search", post(reading::search))
        .route("/teams/{team_id}/channels", get(channels::of_team))
        .route("/teams/{team_id}/channels/autocomplete", get(channels::autocomplete))
        .route("/teams/{team_id}/channels/search", post(channels::search))
        .route("/teams/{team_id}/channels/name/{channel}", get(channels::by_name))
        .route("/channels", post(channels::create))
        .route("/channels/direct", post(channels::direct))
        .route("/channels/members/{user_id}/view", post(reading::view))
        .route("/channels/{channel_id}", get(channels::one).delete(channels::archive))
        .route("/channels/{channel_id}/patch", put(channels::patch))
        .route("/channels/{channel_id}/timezones", get(channels::timezones))
        .route("/channels/{channel_id}/members/ids", post(channels::members_by_ids))
        .route("/channels/{channel_id}/members", get(channels::members).post(channels::add_member))
        .route("/channels/{channel_id}/members/{user_id}", get(channels::member).delete(channels::remove_member))
        .route("/channels/{channel_id}/stats", get(channels::stats))
        .route("/channels/{channel_id}/pinned", get(posts::pinned))
        .route("/channels/{channel_id}/posts", get(posts::timeline))
        .route("/groups", get(groups::list))
        .route("/groups/{group_id}/members", get(groups::members))
        .route("/posts", post(posts::create))
        .route("/posts/ids", post(posts::by_ids))
        .route("/posts/ephemeral", post(posts::ephemeral))
        .route("/posts/{post_id}", get(posts::one).put(posts::replace).delete(posts::delete))
        .route("/posts/{post_id}/patch", put(posts::patch))
        .route("/posts/{post_id}/pin", post(posts::pin))
        .route("/posts/{post_id}/unpin", post(posts::unpin))
        .route("/posts/{post_id}/thread", get(posts::thread))
        .route("/posts/{post_id}/reactions", get(posts::reactions))
        .route("/posts/{post_id}/files/info", get(posts::files))
        .route("/posts/{post_id}/actions/{action_id}", post(posts::press))
        .route("/reactions", post(posts::react))
        .route("/files", post(files::upload))
        .route("/files/{file_id}", get(files::download))
        .route("/files/{file_id}/info", get(files::info))
        .route("/actions/dialogs/open", post(system::open_dialog))
        .route("/actions/dialogs/submit", post(system::submit_dialog))
        .route("/{*rest}", any(async || Refusal::no_route()))
        .method_not_allowed_fallback(async || Refusal::no_route())
        .layer(from_fn_with_state(Arc::clone(shared), attend));
    let websocket = Router::new().route("/api/v4/websocket", get(socket::upgrade));
    Router::new()
        .nest("/api/v4", api)
        .merge(websocket)
        .merge(page::router())
        .fallback(async || Refusal::no_route())
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(shared), pass))
        .with_state(Arc::clone(shared))
}

/// The proxy before the server: lets requests through, or answers them itself.
async fn pass(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let Some(detour) = shared.plan().detour else { return next.run(request).await };
    let path = request.uri().path();
    if !path.starts_with("/api/") {
        return match path {
            MAINTENANCE => page_of_proxy(StatusCode::OK),
            _ => next.run(request).await,
        };
    }
    shared.count_call(format!("{BY_PROXY}{} {}", request.method(), route(&request)));
    match detour {
        Detour::Maintenance => (StatusCode::FOUND, [(LOCATION, MAINTENANCE)]).into_response(),
        Detour::Page(status) => page_of_proxy(StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND)),
    }
}

fn page_of_proxy(status: StatusCode) -> Response {
    (status, [(CONTENT_TYPE, "text/html")], "<html><head><title>Please wait</title></head></html>\n").into_response()
}

/// The path of a request as the router knows it.
fn route(request: &Request) -> String {
    let known = request.extensions().get::<MatchedPath>();
    known.map_or_else(|| request.uri().path().to_owned(), |path| path.as_str().to_owned())
}

/// Counts a call and lets it suffer what a test ordered.
async fn attend(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    shared.count_call(format!("{} {}", request.method(), route(&request)));
    let (limited, failing, slow) = {
        let mut plan = shared.plan();
        let limited = (plan.limited_calls > 0).then(|| {
            plan.limited_calls -= 1;
            plan.retry_after
        });
        let failing = if limited.is_none() { plan.failing_calls.pop_front() } else { None };
        (limited, failing, plan.slow)
    };
    if !slow.is_zero() {
        tokio::time::sleep(slow).await;
    }
    if let Some(wait) = limited {
        return limit_exceeded(wait, 1);
    }
    if let Some(status) = failing {
        return Refusal::new(status, "sandbox.ordered.app_error", "A test ordered this failure.").into_response();
    }
    let Some(limit) = shared.settings.rate_limit else { return stamp(&shared, next.run(request).await) };
    let who = bearer(request.headers()).unwrap_or_default();
    match shared.charge(&who, limit) {
        Err(wait) => limit_exceeded(wait, told(limit.burst)),
        Ok(left) => {
            let mut answer = stamp(&shared, next.run(request).await);
            rate_headers(answer.headers_mut(), told(limit.burst), left, 1);
            answer
        }
    }
}

/// Every answer carries the request's id, the server's version and its time.
fn stamp(shared: &Shared, mut answer: Response) -> Response {
    if let Ok(now) = u64::try_from(shared.world().now()) {
        let date = httpdate(now);
        answer.headers_mut().extend(date.map(|date| (DATE, date)));
    }
    if let Ok(id) = HeaderValue::from_str(&new_id()) {
        answer.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    answer.headers_mut().insert(HeaderName::from_static("x-version-id"), HeaderValue::from_static("10.5.0.sandbox"));
    answer
}

/// Milliseconds since 1970 as the header writes times.
fn httpdate(milliseconds: u64) -> Option<HeaderValue> {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()?;
    HeaderValue::from_str(&time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

fn rate_headers(headers: &mut HeaderMap, limit: u32, left: u32, reset: u64) {
    headers.insert(HeaderName::from_static("x-ratelimit-limit"), HeaderValue::from(limit));
    headers.insert(HeaderName::from_static("x-ratelimit-remaining"), HeaderValue::from(left));
    headers.insert(HeaderName::from_static("x-ratelimit-reset"), HeaderValue::from(reset));
}

/// What is told as the limit: one call, and as many more as may come at once.
fn told(burst: u32) -> u32 {
    burst.saturating_add(1)
}

/// 429 comes in plain text, not as a JSON error.
fn limit_exceeded(wait: Duration, limit: u32) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut answer = (StatusCode::TOO_MANY_REQUESTS, "limit exceeded\n").into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    rate_headers(headers, limit, 0, seconds);
    answer
}

/// The token of the `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")).then(|| token.trim().to_owned())
}

/// Who asks. A request without a good token does not reach the handler.
pub(crate) struct Caller {
    pub(crate) user_id: String,
    token: String,
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let token = bearer(&parts.headers).ok_or_else(Refusal::session_expired)?;
        let world = shared.world();
        let session = world.session(&token).ok_or_else(Refusal::session_expired)?;
        Ok(Self { user_id: session.user_id.clone(), token: token.clone() })
    }
}

impl Caller {
    /// The user that a path names, where `me` is the caller.
    fn subject(&self, user: &str) -> Result<String, Refusal> {
        if user == "me" { Ok(self.user_id.clone()) } else { id(user, "user_id").map(str::to_owned) }
    }

    /// The same, where only the caller's own things may be seen.
    fn own(&self, user: &str) -> Result<String, Refusal> {
        let subject = self.subject(user)?;
        if subject == self.user_id { Ok(subject) } else { Err(Refusal::forbidden("edit_other_users")) }
    }
}

/// An id in a path: letters and digits are a matter of the route, the length is a parameter's.
fn id<'a>(text: &'a str, name: &str) -> Result<&'a str, Refusal> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::no_route());
    }
    if is_id(text) { Ok(text) } else { Err(Refusal::bad_url(name)) }
}

/// A JSON body.
fn body<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| Refusal::bad_body(name).with_detail(error.to_string()))
}
