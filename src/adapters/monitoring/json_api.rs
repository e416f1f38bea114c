//! A monitoring that speaks JSON over HTTP: one client for all of its calls, and what its answers mean.

use crate::core::action::reason::Reason;
use crate::core::action::run::Secret;
use crate::runtime::ports::MonitoringError;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

/// A machine that does not take a connection by then is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// More of an answer is not read.
const LONGEST_ANSWER: usize = 64 << 20;
/// How much of a refusal is told.
const LONGEST_WORDS: usize = 500;

/// Where it is, and who asks.
#[derive(Debug, Clone)]
pub struct Address {
    /// `https://mon.example.org:5665`, without a slash at its end.
    pub url: String,
    /// The account; where there is none, a secret goes as a bearer's.
    pub user: Option<String>,
    /// Its secret, or why there is none; absent where none is needed.
    pub secret: Option<Result<Secret, String>>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a call may take.
    pub timeout: Duration,
}

/// A client of one server.
pub(super) struct JsonApi {
    client: Client,
    address: Address,
    secret: Option<Secret>,
}

impl JsonApi {
    /// Prepares the way; nothing is asked yet.
    ///
    /// # Errors
    /// The secret or the certificates cannot be had.
    pub(super) fn new(address: Address) -> Result<Self, String> {
        let secret = match &address.secret {
            None => None,
            Some(Ok(secret)) => Some(secret.clone()),
            Some(Err(why)) => return Err(Reason::NoMonitoringSecret { why }.to_string()),
        };
        let mut client = Client::builder()
            .user_agent(concat!("halcyon/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]))
            .connect_timeout(CONNECT)
            .tcp_keepalive(Duration::from_secs(30))
            .redirect(Policy::none());
        if let Some(file) = &address.ca_file {
            let name = file.display().to_string();
            let pem = std::fs::read(file)
                .map_err(|error| Reason::CertificateUnread { file: &name, why: &error.to_string() }.to_string())?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| Reason::NotACertificate { file: &name, why: &reason(error) }.to_string())?;
            for certificate in certificates {
                client = client.add_root_certificate(certificate);
            }
        }
        Ok(Self { client: client.build().map_err(reason)?, address, secret })
    }

    /// A request that may take as long as it takes.
    pub(super) fn endless(&self, method: Method, path: &str) -> RequestBuilder {
        let asking = self.client.request(method, format!("{}{path}", self.address.url));
        match (&self.address.user, &self.secret) {
            (Some(user), secret) => asking.basic_auth(user, secret.as_ref().map(Secret::reveal)),
            (None, Some(secret)) => asking.bearer_auth(secret.reveal()),
            (None, None) => asking,
        }
    }

    /// A request.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.endless(method, path).timeout(self.address.timeout)
    }

    /// Asks. Gives the status and what the body says; null where it is no JSON.
    pub(super) async fn answer(&self, asking: RequestBuilder) -> Result<(StatusCode, Value), MonitoringError> {
        let later = |error| MonitoringError::Later { why: reason(error) };
        let mut answer = asking.send().await.map_err(later)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(later)? {
            body.extend_from_slice(&piece);
            if body.len() > LONGEST_ANSWER {
                let why = Reason::AnswerUnsound { why: &format!("> {LONGEST_ANSWER}") }.to_string();
                return Err(MonitoringError::Refused { why });
            }
        }
        let told = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() && told.is_null() && !body.is_empty() {
            return Err(unsound("JSON"));
        }
        Ok((status, told))
    }
}

/// An answer that is none of such a server's.
pub(super) fn unsound(what: &str) -> MonitoringError {
    MonitoringError::Refused { why: Reason::AnswerUnsound { why: what }.to_string() }
}

/// What it means that a server does not do something, in these words of its own.
pub(super) fn refusal(status: StatusCode, words: &str) -> MonitoringError {
    if status.is_redirection() {
        return MonitoringError::Refused { why: Reason::SentElsewhere.to_string() };
    }
    let words = words.trim().trim_end_matches('.');
    let mut why = if words.is_empty() { status.to_string() } else { format!("{words} ({})", status.as_u16()) };
    if let Some((end, _)) = why.char_indices().nth(LONGEST_WORDS) {
        why.truncate(end);
        why.push('…');
    }
    match status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) {
        true => MonitoringError::Later { why },
        false => MonitoringError::Refused { why },
    }
}

/// What went wrong, to the bottom of it, without the address.
pub(super) fn reason(error: reqwest::Error) -> String {
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
