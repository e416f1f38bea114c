//! # Requests to web servers
//!
//! What `http-request` actions ask, carried out by reqwest. The body of the answer goes the way of every output: live, limited, into a blob
//! when it is long.
//!
//! - **A request goes only where it may**, also when the server sends it on.
//! - **No secret of a request is told**: an error is shown without the address, whose query may hold one.
//! - **A request that was lost is not repeated here**: whether it may be is decided where its effect is known.

use crate::core::action::params::MASK;
use crate::core::action::reason::Reason;
use crate::core::action::run::{
    AllowedHosts, Attach, Captured, Exit, HostOutcome, HttpBody, HttpRequest, Run, RunNews, Work,
};
use crate::core::id::Host;
use crate::runtime::capture::{Allowance, Live, Stream};
use crate::runtime::outward;
use crate::runtime::ports::{Blobs, Runner};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Proxy, RequestBuilder, Response};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

/// How often a server may send us on.
const MOST_REDIRECTS: usize = 10;

/// Asks web servers.
#[derive(Clone)]
pub struct HttpRunner {
    output_limit: u64,
    blobs: Arc<dyn Blobs>,
}

impl HttpRunner {
    /// A runner that keeps so many bytes of an answer.
    pub fn new(output_limit: u64, blobs: Arc<dyn Blobs>) -> Self {
        Self { output_limit, blobs }
    }

    /// Asks, and reads the answer to its end.
    async fn ask(&self, request: &HttpRequest, host: &Host, live: &Live) -> HostOutcome {
        let began = Instant::now();
        let ended = |exit, stdout| {
            let seconds = began.elapsed().as_secs_f64();
            HostOutcome { exit, stdout, stderr: Captured::empty(), seconds }
        };
        let answer = match build(request) {
            Err(why) => return ended(Exit::Unreachable { why }, Captured::empty()),
            Ok(asking) => match tokio::time::timeout(request.timeout, asking.send()).await {
                Err(_) => return ended(Exit::Timeout, Captured::empty()),
                Ok(Err(error)) if error.is_timeout() => return ended(Exit::Timeout, Captured::empty()),
                Ok(Err(error)) => return ended(Exit::Unreachable { why: reason(error) }, Captured::empty()),
                Ok(Ok(answer)) => answer,
            },
        };
        let (status, headers) = (answer.status().as_u16(), headers(&answer));
        let masked = !request.secret_output.is_empty();
        let trouble: Arc<Mutex<Option<(bool, String)>>> = Arc::default();
        let noted = Arc::clone(&trouble);
        let bytes = answer.bytes_stream().map_err(move |error| {
            let told = (error.is_timeout(), reason(error));
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
            std::io::Error::from(std::io::ErrorKind::UnexpectedEof)
        });
        let allowance = Allowance::new(self.output_limit);
        let stream = Stream { host, blobs: &*self.blobs, allowance: &allowance, live };
        let abandoned = CancellationToken::new();
        let reading = async {
            let body = StreamReader::new(bytes);
            if masked {
                let mut whole = Vec::new();
                // What broke off is noted already.
                let _ = body.take(self.output_limit).read_to_end(&mut whole).await;
                stream.read(&*mask(&whole, &request.secret_output), &abandoned).await
            } else {
                stream.read(body, &abandoned).await
            }
        };
        let left = request.timeout.saturating_sub(began.elapsed());
        // A stream that is abandoned keeps what it has read.
        let watch = async {
            tokio::time::sleep(left).await;
            abandoned.cancel();
            std::future::pending::<()>().await;
        };
        let body = tokio::select! {
            body = reading => body,
            () = watch => Captured::empty(),
        };
        if abandoned.is_cancelled() {
            return ended(Exit::Timeout, body);
        }
        let trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        match trouble {
            Some((true, _)) => ended(Exit::Timeout, body),
            Some((false, why)) => {
                ended(Exit::Unreachable { why: Reason::AnswerBrokeOff { why: &why }.to_string() }, body)
            }
            None => ended(Exit::Answered { status, headers }, body),
        }
    }
}

#[async_trait]
impl Runner for HttpRunner {
    async fn run(&self, run: Run, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        let live = &Live::default();
        match &run.work {
            Work::Http(request) => {
                outward::carry_out(|host| async move { self.ask(request, &host, live).await }, live, &news, &cancel)
                    .await;
            }
            Work::Local(_) | Work::Remote(_) | Work::Mail(_) | Work::Monitoring(_) => outward::misled(&news).await,
        }
    }

    async fn attach(&self, attach: Attach, news: mpsc::Sender<RunNews>, _cancel: CancellationToken) {
        outward::lost(&attach, &news).await;
    }
}

fn build(request: &HttpRequest) -> Result<RequestBuilder, String> {
    let url = reqwest::Url::parse(request.url.reveal())
        .map_err(|error| Reason::NotAnAddress { why: &error.to_string() }.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Reason::NotHttp.to_string());
    }
    let host = url.host_str().unwrap_or_default();
    if !request.hosts.allow(host) {
        return Err(Reason::HostForbidden { host }.to_string());
    }
    let mut client = Client::builder()
        .user_agent(concat!("halcyon/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(request.timeout)
        .redirect(redirects(request.redirects, request.hosts.clone()))
        .danger_accept_invalid_certs(!request.verify);
    let (http, https) = &request.proxies;
    let wrong = |error| Reason::NotAProxy { why: &reason(error) }.to_string();
    if let Some(proxy) = http {
        client = client.proxy(Proxy::http(proxy.as_str()).map_err(wrong)?);
    }
    if let Some(proxy) = https {
        client = client.proxy(Proxy::https(proxy.as_str()).map_err(wrong)?);
    }
    let client = client.build().map_err(reason)?;
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|error| error.to_string())?;
    let mut asking = client.request(method, url);
    if !request.query.is_empty() {
        let query: Vec<(&str, &str)> =
            request.query.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
        asking = asking.query(&query);
    }
    for (name, value) in &request.headers {
        asking = asking.header(name.as_str(), value.reveal());
    }
    if let Some((name, password)) = &request.login {
        asking = asking.basic_auth(name, Some(password.reveal()));
    }
    asking = match &request.body {
        HttpBody::Empty => asking,
        HttpBody::Text(text) => asking.body(text.reveal().to_owned()),
        HttpBody::File { name, content, kind } => {
            let mut part = reqwest::multipart::Part::text(content.reveal().to_owned()).file_name(name.clone());
            if let Some(kind) = kind {
                part = part.mime_str(kind).map_err(|_| Reason::NotAContentType { kind }.to_string())?;
            }
            asking.multipart(reqwest::multipart::Form::new().part(name.clone(), part))
        }
    };
    Ok(asking)
}

fn redirects(follow: bool, hosts: AllowedHosts) -> Policy {
    if !follow {
        return Policy::none();
    }
    Policy::custom(move |attempt| {
        let host = attempt.url().host_str().unwrap_or_default().to_owned();
        if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error(Reason::TooManyRedirects { most: MOST_REDIRECTS }.to_string())
        } else if hosts.allow(&host) {
            attempt.follow()
        } else {
            attempt.error(Reason::RedirectForbidden { host: &host }.to_string())
        }
    })
}

/// The headers of an answer. Their names come in lower case, and are given as servers mostly write them, since packs look for them so.
fn headers(answer: &Response) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in answer.headers() {
        let parts: Vec<String> = name.as_str().split('-').map(capital).collect();
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(parts.join("-")).and_modify(|first| *first = format!("{first}, {value}")).or_insert(value);
    }
    headers
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// A JSON answer without its secrets. One that is no JSON, or was cut, could hold them anywhere.
fn mask(body: &[u8], secret: &[String]) -> Vec<u8> {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            hide(&mut value, secret);
            value.to_string().into_bytes()
        }
        Err(_) if body.is_empty() => Vec::new(),
        Err(_) => MASK.as_bytes().to_vec(),
    }
}

fn hide(value: &mut Value, secret: &[String]) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if secret.contains(name) { *value = Value::from(MASK) } else { hide(value, secret) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, secret)),
        _ => {}
    }
}

/// What went wrong, to the bottom of it, without the address.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(deeper) = source {
        let text = deeper.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        source = deeper.source();
    }
    told
}
