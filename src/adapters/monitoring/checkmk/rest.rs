//! Calls of the REST API 1.0, and what its answers mean.

use super::CheckMkOptions;
use super::read::written;
use crate::adapters::monitoring::json_api::{self, Address, JsonApi, unsound};
use crate::core::action::reason::Reason;
use crate::core::action::run::Secret;
use crate::core::alert::order::{Order, Target, Wanted};
use crate::core::alert::standing::Standing;
use crate::runtime::ports::MonitoringError;
use jiff::Timestamp;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// So many are told of by one query.
pub(super) const TOLD_AT_ONCE: usize = 200;
/// So many calls are made at once where each is told of by itself.
pub(super) const SINGLY_AT_ONCE: usize = 8;

/// A connection to a site.
pub(super) struct Rest {
    api: JsonApi,
    now: fn() -> Timestamp,
    /// The site knows collections by `GET` only.
    old: AtomicBool,
}

impl Rest {
    pub(super) fn new(options: &CheckMkOptions) -> Result<Self, String> {
        let no_secret = |why: &str| Reason::NoMonitoringSecret { why }.to_string();
        let secret = options.secret.as_ref().map_err(|why| no_secret(why))?;
        // The account goes before the secret, in one bearer's token.
        let token = format!("{} {}", options.user, secret.reveal());
        if HeaderValue::from_str(&token).is_err() {
            return Err(no_secret(&Reason::NotALogin { name: &options.user }.to_string()));
        }
        let api = JsonApi::new(Address {
            url: format!("{}/api/1.0", options.address),
            user: None,
            secret: Some(Ok(Secret::new(token))),
            ca_file: options.ca_file.clone(),
            timeout: options.timeout,
        })?;
        Ok(Self { api, now: options.now, old: AtomicBool::new(false) })
    }

    /// Rows of hosts that are like this.
    pub(super) async fn hosts(&self, query: &Value) -> Result<Vec<Value>, MonitoringError> {
        self.collection("host", super::read::HOST_COLUMNS, query).await
    }

    /// Rows of services that are like this.
    pub(super) async fn services(&self, query: &Value) -> Result<Vec<Value>, MonitoringError> {
        self.collection("service", super::read::SERVICE_COLUMNS, query).await
    }

    /// Downtimes that are like this, or all of them.
    pub(super) async fn downtimes(&self, query: Option<&Value>) -> Result<Vec<Value>, MonitoringError> {
        let asking = self.api.request(Method::GET, "/domain-types/downtime/collections/all");
        let asking = match query {
            Some(query) => asking.query(&[("query", query.to_string())]),
            None => asking,
        };
        rows(self.ask(asking).await?)
    }

    async fn collection(&self, kind: &str, columns: &[&str], query: &Value) -> Result<Vec<Value>, MonitoringError> {
        let path = format!("/domain-types/{kind}/collections/all");
        if !self.old.load(Ordering::Relaxed) {
            let body = json!({"columns": columns, "query": query});
            match self.api.answer(self.api.request(Method::POST, &path).json(&body)).await? {
                (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => self.old.store(true, Ordering::Relaxed),
                (status, body) => return rows(sound(status, body)?),
            }
        }
        let mut parameters = vec![("query", query.to_string())];
        parameters.extend(columns.iter().map(|column| ("columns", (*column).to_owned())));
        rows(self.ask(self.api.request(Method::GET, &path).query(&parameters)).await?)
    }

    /// Hands an order on that concerns these, all hosts or all services, by one query; nothing where the API has none for such an order. What is to be
    /// taken on is narrowed to what is a problem, since by a query the site takes hosts on without looking at that (`cmk/gui/openapi/endpoints/acknowledgement`).
    pub(super) async fn send_query(&self, order: &Order, about: &[Target]) -> Option<Result<(), MonitoringError>> {
        let kind = if about.first()?.service.is_some() { "service" } else { "host" };
        let named = super::read::named_hosts(about).or_else(|| super::read::named_services(about))?;
        let by_query = format!("{kind}_by_query");
        let (path, body) = match &order.wanted {
            Wanted::Acknowledge { sticky, notify, expires } => {
                let mut body = json!({
                    "acknowledge_type": by_query,
                    "query": super::read::troubled(about)?,
                    "sticky": sticky,
                    "notify": notify,
                    "persistent": false,
                    "comment": order.signed(),
                });
                if let Some(expires) = expires {
                    body["expire_on"] = json!(expires);
                }
                (format!("/domain-types/acknowledge/collections/{kind}"), body)
            }
            Wanted::RemoveAcknowledgement => {
                let body = json!({"acknowledge_type": by_query, "query": named});
                ("/domain-types/acknowledge/actions/delete/invoke".to_owned(), body)
            }
            Wanted::Downtime { start, end } => {
                let body = json!({
                    "downtime_type": by_query,
                    "query": named,
                    "start_time": in_seconds(start.unwrap_or_else(self.now)),
                    "end_time": in_seconds(*end),
                    "recur": "fixed",
                    "duration": 0,
                    "comment": order.signed(),
                });
                (format!("/domain-types/downtime/collections/{kind}"), body)
            }
            Wanted::MoveDowntime { .. }
            | Wanted::RemoveDowntime { .. }
            | Wanted::Comment
            | Wanted::Recheck
            | Wanted::Read => return None,
        };
        Some(self.write(Method::POST, &path, &body).await)
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
        let (status, answer) = self.api.answer(self.api.request(method, path).json(body)).await?;
        if status.is_success() { Ok(()) } else { Err(refusal(status, &answer)) }
    }

    async fn ask(&self, asking: RequestBuilder) -> Result<Value, MonitoringError> {
        let (status, body) = self.api.answer(asking).await?;
        sound(status, body)
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
fn sound(status: StatusCode, body: Value) -> Result<Value, MonitoringError> {
    if status.is_success() { Ok(body) } else { Err(refusal(status, &body)) }
}

/// The things of a collection.
fn rows(answer: Value) -> Result<Vec<Value>, MonitoringError> {
    match answer {
        Value::Object(mut map) => match map.remove("value") {
            Some(Value::Array(rows)) => Ok(rows),
            _ => Err(unsound("value")),
        },
        _ => Err(unsound("value")),
    }
}

/// What the site says of what it does not do: title and detail, and what is wrong with which field.
fn refusal(status: StatusCode, told: &Value) -> MonitoringError {
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
    json_api::refusal(status, &words.join(": "))
}
