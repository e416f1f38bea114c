//! # HTTP interface
//!
//! `GET /healthz` tells whether the whole path from chat to nodes works: 200 or 503, with `{"healthy", "parts": [{"name", "works",
//! "says"}]}`. Life cycle: [`bind`], then [`serve`] until it is stopped.
//!
//! **It decides nothing**: it puts the question to the bot and writes down the answer. **A bot that does not answer is not healthy.**
//! **Whoever is outside `allow` gets no answer to anything.**

mod health;

use crate::config::Http;
use crate::runtime::ports::ControlCall;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
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

/// Answers until `stop`. `uid` is the account that the bot runs as, in whose name it asks itself for its health.
pub async fn serve(
    listener: TcpListener,
    http: Http,
    calls: mpsc::Sender<ControlCall>,
    uid: u32,
    stop: CancellationToken,
) {
    let router = Router::new()
        .route("/healthz", get(health::health))
        .with_state(health::Source { calls, uid })
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
