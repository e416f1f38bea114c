//! Calls of the REST API 1.0, and what its answers mean.

use super::CheckMkOptions;
use crate::core::action::reason::Reason;
use crate::core::alert::order::{Order, Target, Wanted};
use crate::core::alert::standing::Standing;
use crate::runtime::ports::MonitoringError;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

/// More of an answer is not read: 2,000 services in trouble are about two megabytes.
const LONGEST_ANSWER: usize = 64 << 20;
/// How much of a refusal is told.
const LONGEST_WORDS: usize = 500;

/// A connection to a site.
pub(super) struct Rest {
    client: Client,
    base: String,
    now: fn() -> Timestamp,
    /// The site knows collections by `GET` only.
    old: AtomicBool,
}

impl Rest {
    pub(super) fn new(options: &CheckMkOptions) -> Result<Self, String> {
        let secret = options.secret.as_ref().map_err(|why| Reason::NoMonitoringSecret { why }.to_string())?;
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {} {}", options.user, secret.reveal())).map_err(|_| {
                Reason::NoMonitoringSecret { why: Reason::NotALogin { name: &options.user }.to_string().as_str() }
                    .to_string()
            })?;
        bearer.set_sensitive(true);
        let headers =
            HeaderMap::from_iter([(AUTHORIZATION, bearer), (ACCEPT, HeaderValue::from_static("application/json"))]);
        let mut client = Client::builder()
            .user_agent(concat!("halcyon/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(options.timeout)
            .redirect(Policy::none());
        if let Some(file) = &options.ca_file {
            let name = file.display().to_string();
            let pem = std::fs::read(file)
                .map_err(|error| Reason::CertificateUnread { file: &name, why: &error.to_string() }.to_string())?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| Reason::NotACertificate { file: &name, why: &reason(error) }.to_string())?;
            for certificate in certificates {
                client = client.add_root_certificate(certificate);
            }
        }
        let client = client.build().map_err(reason)?;
        Ok(Self { client, base: format!("{}/api/1.0", options.address), now: options.now, old: AtomicBool::new(false) })
    }

    /// Rows of hosts that are like this.
    pub(super) async fn hosts(&self, query: &Value) -> Result<Vec<Value>, MonitoringError> {
        self.collection("host", super::read::HOST_COLUMNS, query).await
    }

    /// Rows of services that are like this.
    pub(super) async fn services(&self, query: &Value) -> Result<Vec<Value>, MonitoringError> {
        self.collection("service", super::read::SERVICE_COLUMNS, query).await
    }

    /// Downtimes that are like this.
    pub(super) async fn downtimes(&self, query: &Value) -> Result<Vec<Value>, MonitoringError> {
        let asking = self.request(Method::GET, "/domain-types/downtime/collections/all");
        rows(self.ask(asking.query(&[("query", query.to_string())])).await?)
    }

    async fn collection(&self, kind: &str, columns: &[&str], query: &Value) -> Result<Vec<Value>, MonitoringError> {
        let path = format!("/domain-types/{kind}/collections/all");
        if !self.old.load(Ordering::Relaxed) {
            let body = json!({"columns": columns, "query": query});
            match self.answer(self.request(Method::POST, &path).json(&body)).await? {
                (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => self.old.store(true, Ordering::Relaxed),
                (status, body) => return rows(sound(status, body)?),
            }
        }
        let mut parameters = vec![("query", query.to_string())];
        parameters.extend(columns.iter().map(|column| ("columns", (*column).to_owned())));
        rows(self.ask(self.request(Method::GET, &path).query(&parameters)).await?)
    }

    /// Hands an order on.
    pub(super) async fn send(&self, order: &Order, about: &Target, found: &Standing) -> Result<(), MonitoringError> {
        let kind = if about.service.is_some() { "service" } else { "host" };
        let comment = order.signed();
        match &order.wanted {
            Wanted::Acknowledge { sticky, notify, expires } => {
                let mut body = json!({
                    "acknowledge_type": kind,
                    "host_name": about.host,
                    "sticky": sticky,
                    "notify": notify,
                    "persistent": false,
                    "comment": comment,
                });
                if let Some(service) = &about.service {
                    // This one is taken for an address, and its percent signs with it.
                    body["service_description"] = json!(service.replace('%', "%25"));
                }
                // Sites before 2.3 refuse a key that they do not know.
                if let Some(expires) = expires {
                    body["expire_on"] = json!(expires);
                }
                self.write(Method::POST, &format!("/domain-types/acknowledge/collections/{kind}"), &body).await
            }
            Wanted::RemoveAcknowledgement => {
                let mut body = json!({"acknowledge_type": kind, "host_name": about.host});
                if let Some(service) = &about.service {
                    body["service_description"] = json!(service);
                }
                self.write(Method::POST, "/domain-types/acknowledge/actions/delete/invoke", &body).await
            }
            Wanted::Downtime { start, end } => {
                let mut body = json!({
                    "downtime_type": kind,
                    "host_name": about.host,
                    "start_time": in_seconds(start.unwrap_or_else(self.now)),
                    "end_time": in_seconds(*end),
                    "recur": "fixed",
                    "duration": 0,
                    "comment": comment,
                });
                if let Some(service) = &about.service {
                    body["service_descriptions"] = json!([service]);
                }
                self.write(Method::POST, &format!("/domain-types/downtime/collections/{kind}"), &body).await
            }
            Wanted::MoveDowntime { id, end } => {
                let mut body = by_id(id, "modify_type");
                body["end_time"] = json!({"modify_type": "absolute", "value": in_seconds(*end)});
                self.write(Method::PUT, "/domain-types/downtime/actions/modify/invoke", &body).await
            }
            Wanted::RemoveDowntime { .. } => {
                for downtime in found.downtimes.iter().filter(|downtime| order.wanted.removes(downtime)) {
                    let body = by_id(&downtime.id, "delete_type");
                    self.write(Method::POST, "/domain-types/downtime/actions/delete/invoke", &body).await?;
                }
                Ok(())
            }
            Wanted::Comment => {
                let mut body =
                    json!({"comment_type": kind, "host_name": about.host, "comment": comment, "persistent": false});
                if let Some(service) = &about.service {
                    body["service_description"] = json!(service);
                }
                self.write(Method::POST, &format!("/domain-types/comment/collections/{kind}"), &body).await
            }
            Wanted::Recheck | Wanted::Read => Ok(()),
        }
    }

    async fn write(&self, method: Method, path: &str, body: &Value) -> Result<(), MonitoringError> {
        let (status, answer) = self.answer(self.request(method, path).json(body)).await?;
        if status.is_success() { Ok(()) } else { Err(refusal(status, &answer)) }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    async fn ask(&self, asking: RequestBuilder) -> Result<Value, MonitoringError> {
        let (status, body) = self.answer(asking).await?;
        sound(status, body)
    }

    /// Status and body. What cannot be heard may be heard later.
    async fn answer(&self, asking: RequestBuilder) -> Result<(StatusCode, Vec<u8>), MonitoringError> {
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
        Ok((status, body))
    }
}

/// `hep:54`, as a reading tells it.
fn by_id(id: &str, by: &str) -> Value {
    let (site, number) = id.split_once(':').unwrap_or(("", id));
    let mut body = json!({"downtime_id": number, "site_id": site});
    body[by] = json!("by_id");
    body
}

/// Whole seconds: nothing finer is understood everywhere.
fn in_seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// The body of a good answer.
fn sound(status: StatusCode, body: Vec<u8>) -> Result<Value, MonitoringError> {
    if !status.is_success() {
        return Err(refusal(status, &body));
    }
    serde_json::from_slice(&body).map_err(|error| MonitoringError::Refused {
        why: Reason::AnswerUnsound { why: &error.to_string() }.to_string(),
    })
}

/// The things of a collection.
fn rows(answer: Value) -> Result<Vec<Value>, MonitoringError> {
    match answer {
        Value::Object(mut map) => match map.remove("value") {
            Some(Value::Array(rows)) => Ok(rows),
            _ => Err(MonitoringError::Refused { why: Reason::AnswerUnsound { why: "value" }.to_string() }),
        },
        _ => Err(MonitoringError::Refused { why: Reason::AnswerUnsound { why: "value" }.to_string() }),
    }
}

/// What the site says of what it does not do: title and detail, and what is wrong with which field.
fn refusal(status: StatusCode, body: &[u8]) -> MonitoringError {
    if status.is_redirection() {
        return MonitoringError::Refused { why: Reason::SentElsewhere.to_string() };
    }
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let text =
        |key: &str| told.get(key).and_then(Value::as_str).map(|text| text.trim().trim_end_matches('.').to_owned());
    let fields = told.get("fields").and_then(Value::as_object).into_iter().flatten().map(|(name, why)| {
        let why = match why {
            Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join(", "),
            other => written(other),
        };
        format!("{name}: {why}")
    });
    let mut words: Vec<String> = [text("title"), text("detail")].into_iter().flatten().chain(fields).collect();
    words.retain(|word| !word.is_empty());
    words.dedup();
    let mut why =
        if words.is_empty() { status.to_string() } else { format!("{} ({})", words.join(": "), status.as_u16()) };
    if let Some((end, _)) = why.char_indices().nth(LONGEST_WORDS) {
        why.truncate(end);
        why.push('…');
    }
    match status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) {
        true => MonitoringError::Later { why },
        false => MonitoringError::Refused { why },
    }
}

fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
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
