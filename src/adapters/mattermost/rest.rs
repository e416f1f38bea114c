//! The REST side: which client makes a call, how long it may take, and what a failure asks for.

use super::wire::{self, ClientConfig, Posts, Uploaded, User};
use super::{MattermostOptions, SetupError, UNLIKE_A_TOKEN};
use crate::runtime::ports::ChatError;
use jiff::Timestamp;
use mattermost_api::client::AuthenticationData;
use mattermost_api::errors::ApiError;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a look-up or a small write may take.
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// How long the question for the time may take: an answer that took longer would be wrong by as much.
const CLOCK_LIMIT: Duration = Duration::from_secs(5);
/// How long an upload may take.
const UPLOAD_LIMIT: Duration = Duration::from_secs(180);
/// No answer that is read is longer than this.
const ANSWER_LIMIT: usize = 32 << 20;
/// The longest wait that a server is believed to mean.
const PATIENCE: Duration = Duration::from_secs(600);
/// The message length that every server version takes, for when the server does not tell its own.
const SAFE_POST_SIZE: usize = 4000;

/// Said of an answer that the server did not sign.
const NOT_ITS_OWN: &str = "which is no answer of Mattermost's";
/// What may be the matter then.
const ELSEWHERE: &str = "is mattermost.url right, is a proxy in between?";

/// The server's REST interface with our token.
pub(crate) struct Rest {
    base: Url,
    /// The header that carries the token. It is not shown where headers are.
    bearer: HeaderValue,
    http: reqwest::Client,
    look_ups: Option<mattermost_api::client::Mattermost>,
    me: Mutex<Option<Arc<User>>>,
    max_post: Mutex<Option<usize>>,
    /// Until when the server wants no calls.
    pause: Mutex<Option<Instant>>,
}

impl Rest {
    pub(crate) fn new(options: &MattermostOptions, authorities: Option<&[u8]>) -> Result<Self, SetupError> {
        let base = base_url(&options.url)?;
        let token = &options.token;
        // Redirects are not followed: that would turn a write into a read, and what they lead to is no answer to what was asked.
        let mut http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("halcyon/", env!("CARGO_PKG_VERSION")));
        let loopback = is_loopback(&base);
        if loopback {
            http = http.no_proxy();
        }
        if let Some(pem) = authorities {
            http = http.tls_built_in_root_certs(false);
            for authority in reqwest::Certificate::from_pem_bundle(pem).map_err(SetupError::Client)? {
                http = http.add_root_certificate(authority);
            }
        }
        let http = http.build().map_err(SetupError::Client)?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.reveal()))
            .map_err(|_| SetupError::Token(UNLIKE_A_TOKEN))?;
        bearer.set_sensitive(true);
        // The crate builds its own client inside: it knows neither our authorities nor that a proxy is wrong for loopback.
        let look_ups = if authorities.is_some() || (loopback && proxy_is_set()) {
            None
        } else {
            let access = AuthenticationData::from_access_token(token.reveal());
            let client = mattermost_api::client::Mattermost::new(base.as_str(), access);
            Some(client.map_err(|problem| SetupError::Url { url: options.url.clone(), why: problem.to_string() })?)
        };
        Ok(Self {
            base,
            bearer,
            http,
            look_ups,
            me: Mutex::new(None),
            max_post: Mutex::new(None),
            pause: Mutex::new(None),
        })
    }

    /// Where the websocket is, and the header that opens it.
    pub(crate) fn websocket(&self) -> (Url, HeaderValue) {
        let mut url = self.base.clone();
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).expect("http and https may become ws and wss");
        url.path_segments_mut().expect("a URL with a host has segments").pop_if_empty().push("websocket");
        (url, self.bearer.clone())
    }

    /// Our own user, asked for once.
    pub(crate) async fn me(&self) -> Result<Arc<User>, ChatError> {
        let known = lock(&self.me).clone();
        match known {
            Some(me) => Ok(me),
            None => self.probe().await,
        }
    }

    /// Our own user, asked for now: tells whether the token is good.
    pub(crate) async fn probe(&self) -> Result<Arc<User>, ChatError> {
        let me: Arc<User> = Arc::new(self.read("users/me", &[]).await?);
        *lock(&self.me) = Some(Arc::clone(&me));
        Ok(me)
    }

    /// Forgets our own user, whose name may have changed.
    pub(crate) fn forget_me(&self) {
        *lock(&self.me) = None;
    }

    /// The longest message in characters.
    pub(crate) async fn max_post(&self) -> usize {
        let known = *lock(&self.max_post);
        if let Some(size) = known {
            return size;
        }
        match self.look_up::<ClientConfig>("config/client", &[("format", "old")]).await {
            Ok(config) => {
                let size = config.max_post_size.and_then(|size| size.parse().ok()).filter(|size| *size >= 100);
                let size = size.unwrap_or(SAFE_POST_SIZE);
                *lock(&self.max_post) = Some(size);
                size
            }
            Err(problem) => {
                tracing::warn!(%problem, "the server does not tell its longest message; {SAFE_POST_SIZE} characters are safe");
                SAFE_POST_SIZE
            }
        }
    }

    /// Forgets what depends on the server's configuration.
    pub(crate) fn forget_config(&self) {
        *lock(&self.max_post) = None;
    }

    /// The whole of a thread.
    pub(crate) async fn thread(&self, root: &str) -> Result<Posts, ChatError> {
        self.look_up(&format!("posts/{}/thread", segment(root)?), &[]).await
    }

    /// The server's clock, to the second, from an answer of whatever kind. None when there is no answer or it has no date.
    pub(crate) async fn date(&self) -> Option<Timestamp> {
        self.paused().ok()?;
        let answer = self.request(Method::GET, "system/ping", &[]).ok()?.timeout(CLOCK_LIMIT).send().await.ok()?;
        let date = answer.headers().get(DATE)?.to_str().ok()?;
        jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp())
    }

    /// Reads, never by the crate: it hides `Retry-After` from whoever makes many calls, and follows redirects where it has to be told that
    /// something else answers in the place of the server.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, ChatError> {
        parse(&self.exchange(CALL_LIMIT, self.request(Method::GET, path, query)?).await?)
    }

    /// Reads, by the crate where it can.
    pub(crate) async fn look_up<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ChatError> {
        self.paused()?;
        if let Some(client) = &self.look_ups {
            let asked = async { told_by_crate(client.query("GET", path, Some(query), None).await) };
            if let Some(answer) = within(CALL_LIMIT, asked).await? {
                return Ok(answer);
            }
        }
        self.read(path, query).await
    }

    /// Reads by a question that needs a body.
    pub(crate) async fn ask<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ChatError> {
        self.paused()?;
        if let Some(client) = &self.look_ups {
            let asked = async { told_by_crate(client.post(path, None, body).await) };
            if let Some(answer) = within(CALL_LIMIT, asked).await? {
                return Ok(answer);
            }
        }
        parse(&self.exchange(CALL_LIMIT, self.request(Method::POST, path, &[])?.json(body)).await?)
    }

    /// Writes. Never by the crate: it hides `Retry-After`.
    pub(crate) async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ChatError> {
        parse(&self.exchange(CALL_LIMIT, self.request(method, path, &[])?.json(body)).await?)
    }

    /// Takes something away; whatever the server says of it.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ChatError> {
        parse::<IgnoredAny>(&self.exchange(CALL_LIMIT, self.request(Method::DELETE, path, &[])?).await?).map(drop)
    }

    /// Stores a file.
    pub(crate) async fn upload(&self, channel: &str, name: &str, content: Vec<u8>) -> Result<String, ChatError> {
        let request = self.request(Method::POST, "files", &[("channel_id", channel), ("filename", name)])?;
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/octet-stream").body(content);
        let stored: Uploaded = parse(&self.exchange(UPLOAD_LIMIT, request).await?)?;
        let file = stored.file_infos.into_iter().next();
        file.map(|file| file.id)
            .ok_or_else(|| ChatError::Refused { why: "the upload was answered without a file".into() })
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> Result<RequestBuilder, ChatError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        let request = self.http.request(method, url).header(AUTHORIZATION, self.bearer.clone());
        Ok(if query.is_empty() { request } else { request.query(query) })
    }

    /// Whoever would call while the server wants no calls is told how long that is still so. Each of them would be told the same by the server,
    /// and lengthen what it suffers from.
    pub(crate) fn paused(&self) -> Result<(), ChatError> {
        let left = (*lock(&self.pause)).map(|until| until.saturating_duration_since(Instant::now()));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => Err(ChatError::Later { after: Some(left), why: "it has asked for a pause".to_owned() }),
            None => Ok(()),
        }
    }

    /// Makes a call of ours, and notes what pause the server asks for.
    async fn exchange(&self, limit: Duration, request: RequestBuilder) -> Result<Vec<u8>, ChatError> {
        self.paused()?;
        let answer = self.call(limit, request).await;
        if let Err(ChatError::Later { after: Some(after), .. }) = &answer {
            let (mut pause, until) = (lock(&self.pause), Instant::now() + *after);
            *pause = Some(pause.map_or(until, |pause| pause.max(until)));
        }
        answer
    }

    async fn call(&self, limit: Duration, request: RequestBuilder) -> Result<Vec<u8>, ChatError> {
        within(limit, async {
            let mut response = request.send().await.map_err(told_by_http)?;
            let (status, after) = (response.status(), retry_after(response.headers()));
            let target = response
                .headers()
                .get(reqwest::header::LOCATION)
                .and_then(|target| target.to_str().ok())
                .map(wire::shorten);
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(told_by_http)? {
                if body.len() + chunk.len() > ANSWER_LIMIT {
                    return Err(ChatError::Refused { why: format!("an answer of more than {ANSWER_LIMIT} bytes") });
                }
                body.extend_from_slice(&chunk);
            }
            if status.is_success() {
                return Ok(body);
            }
            let (code, explanation) = (status.as_u16(), wire::explanation(&body));
            Err(match wire::is_signed(&body) && !status.is_redirection() {
                true => failure(code, after, &explanation),
                false => unsigned(code, after, target.as_deref(), &explanation),
            })
        })
        .await
    }
}

/// What a failure asks for that the server itself has signed, by its status. 501 is how a switched-off feature answers: waiting does not switch
/// it on.
pub(crate) fn failure(status: u16, after: Option<Duration>, explanation: &str) -> ChatError {
    let why = format!("status {status}, {explanation}");
    match status {
        401 => ChatError::Token { why },
        404 => ChatError::Unknown { why },
        501 => ChatError::Refused { why },
        _ if passes(status) => ChatError::Later { after, why },
        _ => ChatError::Refused { why },
    }
}

/// Whether a status means trouble that passes, whoever gives it.
fn passes(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..)
}

/// What a failure asks for that may be anybody's. A proxy in maintenance, or without a server behind it, says nothing about what was asked for, so
/// nothing is given up for it. What is too long for a proxy stays too long.
fn unsigned(status: u16, after: Option<Duration>, target: Option<&str>, explanation: &str) -> ChatError {
    match status {
        _ if passes(status) => failure(status, after, explanation),
        413 | 414 | 431 => ChatError::Refused { why: format!("status {status}, {explanation}") },
        _ => {
            let target = target.map(|target| format!(" to {target}")).unwrap_or_default();
            // A page is no explanation.
            let said = Some(explanation).filter(|said| !said.is_empty() && !said.starts_with('<'));
            let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
            ChatError::Later { after, why: format!("status {status}{target}, {NOT_ITS_OWN}{said}: {ELSEWHERE}") }
        }
    }
}

/// Seconds to wait, as the header says. Dates are not sent by this server; proxies that send one are waited for as without it.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(PATIENCE))
}

/// A word of ours or the server's as one segment of a path. What could name another path is not sent at all.
pub(crate) fn segment(word: &str) -> Result<&str, ChatError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '+');
    if word.is_empty() || word.starts_with('.') || !word.chars().all(plain) {
        return Err(ChatError::Unknown { why: format!("{:?} is not a name on the server", wire::shorten(word)) });
    }
    Ok(word)
}

/// An error with its causes on one line.
pub(crate) fn chain(problem: &dyn std::error::Error) -> String {
    let mut line = problem.to_string();
    let mut cause = problem.source();
    while let Some(inner) = cause {
        // Some libraries repeat the cause in their own words.
        let text = inner.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = inner.source();
    }
    wire::shorten(&line)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ChatError> {
    // A page of a proxy in the way is trouble that passes, and a write that did happen is found by its key.
    serde_json::from_slice(body).map_err(|problem| {
        let what = wire::shorten(&problem.to_string());
        let why = match problem.is_data() {
            true => format!("the answer is not what was asked for: {what}"),
            false => format!("something that is no JSON, {NOT_ITS_OWN} ({what}): {ELSEWHERE}"),
        };
        ChatError::Later { after: None, why }
    })
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, ChatError>> + Send) -> Result<T, ChatError> {
    let late = |_| ChatError::Later { after: None, why: format!("no answer within {} seconds", limit.as_secs()) };
    tokio::time::timeout(limit, call).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

fn told_by_http(problem: reqwest::Error) -> ChatError {
    ChatError::Later { after: None, why: chain(&problem.without_url()) }
}

/// What the crate made of an answer. None where it does not tell what that was: it knows no error without a number for the request, which the
/// server gives for a path that leads nowhere, and follows redirects to pages of strangers. The call is to be made without it then.
fn told_by_crate<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ChatError> {
    Err(match answer {
        Ok(answer) => return Ok(Some(answer)),
        Err(ApiError::MattermostApiError(error)) => {
            let said = json!({"id": error.id, "message": error.message, "request_id": error.request_id}).to_string();
            failure(u16::try_from(error.status_code).unwrap_or(500), None, &wire::explanation(said.as_bytes()))
        }
        Err(ApiError::StatusCodeError(status)) if passes(status) => {
            let meaning = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
            failure(status, None, meaning.unwrap_or("no reason given"))
        }
        Err(ApiError::StatusCodeError(_)) => return Ok(None),
        Err(ApiError::ReqwestError(problem)) if problem.is_decode() => return Ok(None),
        Err(ApiError::ReqwestError(problem)) => told_by_http(problem),
        // The rest are wrong URLs, methods and headers, which are ours and do not mend themselves.
        Err(other) => ChatError::Refused { why: chain(&other) },
    })
}

fn base_url(text: &str) -> Result<Url, SetupError> {
    let wrong = |why: &str| SetupError::Url { url: text.to_owned(), why: why.to_owned() };
    let mut url = Url::parse(text).map_err(|problem| wrong(&problem.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("it must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // The text is not repeated: it may hold a password.
        return Err(SetupError::Url {
            url: "(not shown)".into(),
            why: "it must not contain a name or password".into(),
        });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it must end with the path, without ? or #"));
    }
    // A trailing slash keeps a sub-path when the rest is joined to it.
    let path = format!("{}/api/v4/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn proxy_is_set() -> bool {
    ["http_proxy", "https_proxy", "all_proxy"].iter().any(|name| {
        [name.to_string(), name.to_uppercase()]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
    })
}

/// The lock; a panic elsewhere leaves these plain values as good as they were.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
