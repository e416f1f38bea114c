//! # HTTP interface
//!
//! `POST /mattermost/action` and `/mattermost/dialog` are where the chat server calls us back ([`mod@callback`]). `GET /healthz` tells whether the whole path from chat to nodes works: 200 or 503, with `{"healthy", "parts": [{"name", "works",
//! "says", "since", "advice"}]}`. `GET /metrics` gives numbers in Prometheus' text format. `POST /mattermost/probe` gives a number back, for
//! `halcyon doctor`. `POST /api/v1/webhooks/{path}` is where other programs bring events ([`webhook`]). Life cycle: [`bind`], then [`serve`] until it is
//! stopped.
//!
//! **Only a signature of ours makes a callback count**; where the server comes from, `allow` can say in addition.
//!
//! **It decides nothing**: it puts the question to the bot and writes down the answer. **A bot that does not answer is not healthy**; what is
//! known of it from outside is told then. **Whoever is outside `allow` gets no answer to anything.** **Neither answer names a user, a line of
//! chat or a secret**; health may name a node that could not be reached.

mod callback;
mod health;
mod probe;
mod webhook;

pub use callback::Door;

use crate::config::Http;
use crate::core::effect::HealthPart;
use crate::runtime::ports::ControlCall;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Why the interface could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen} ([http] in the configuration): {source}")]
pub struct ApiError {
    /// The address.
    pub listen: SocketAddr,
    /// The system's answer.
    pub source: std::io::Error,
}

/// What the interface gives on.
#[derive(Clone)]
pub struct Sources {
    /// The way to the bot.
    pub calls: mpsc::Sender<ControlCall>,
    /// The account that the bot runs as, in whose name it asks itself for its health.
    pub uid: u32,
    /// The numbers, as text.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// What can be told of a bot that does not answer.
    pub outside: Arc<dyn Fn() -> Vec<HealthPart> + Send + Sync>,
    /// How long the bot may take before it counts as stuck.
    pub patience: Duration,
    /// The way in for callbacks; absent where there are no buttons.
    pub door: Option<Door>,
}

/// How long a request that is under way may hold up the end.
const GRACE: Duration = Duration::from_secs(2);

/// Takes the address.
///
/// # Errors
/// When somebody else has it, or the system refuses.
pub async fn bind(http: &Http) -> Result<TcpListener, ApiError> {
    let listen = http.listen;
    TcpListener::bind(listen).await.map_err(|source| ApiError { listen, source })
}

/// Answers until `stop`.
pub async fn serve(listener: TcpListener, http: Http, sources: Sources, stop: CancellationToken) {
    let router = Router::new()
        .route("/healthz", get(health::health))
        .route("/metrics", get(metrics))
        .route("/api/v1/webhooks/{*hook}", post(webhook::call).layer(DefaultBodyLimit::max(webhook::LONGEST_GROUP)))
        .route("/mattermost/action", post(callback::action))
        .route("/mattermost/dialog", post(callback::dialog))
        .with_state(sources);
    answer(listener, http, router, stop).await;
}

/// Answers nothing but the probe by which `halcyon doctor` finds out whether the chat server reaches this address, until `stop`.
pub async fn serve_probe(listener: TcpListener, http: Http, stop: CancellationToken) {
    answer(listener, http, Router::new(), stop).await;
}

async fn answer(listener: TcpListener, http: Http, router: Router, stop: CancellationToken) {
    let router = router
        .route("/mattermost/probe", post(probe::probe))
        .layer(DefaultBodyLimit::max(callback::LONGEST_BODY))
        .layer(middleware::from_fn_with_state(Arc::new(http), admit))
        .into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let patience = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => if let Err(error) = served {
            tracing::error!(%error, "the HTTP interface has ended");
        },
        () = patience => {}
    }
}

async fn metrics(State(sources): State<Sources>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (sources.metrics)()).into_response()
}

/// Lets in whom `allow` names.
async fn admit(
    State(http): State<Arc<Http>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if http.allow.is_empty() || http.allow.iter().any(|network| network.contains(peer.ip())) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "not from there\n").into_response()
    }
}
