//! # Icinga 2
//!
//! What is asked of Icinga goes over its API (`/v1/actions`, `/v1/objects`; seen with 2.13.6), and what it tells comes by its event stream ([`stream`]).
//!
//! - **The answer of an action has a code for each object**; a refusal is told in Icinga's words.
//! - **The account sees what it is shown**: it needs `actions/*`, `objects/query/{Host,Service,Downtime,Comment}`, and `events/*` to listen.
//! - Numbers are whole in this version and fractions in older ones.
//! - A downtime of a host is opened for its services, too: in Icinga they are muted by their own only.

mod read;
mod stream;

use super::json_api::{self, Address, JsonApi};
use crate::core::action::reason::Reason;
use crate::core::alert::icinga2::{ATTRIBUTES, Named, named_of};
use crate::core::alert::order::{Order, Target, Wanted};
use crate::core::alert::standing::{Reading, Standing};
use crate::runtime::ports::{Monitoring, MonitoringError, MonitoringTold, Of};
use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// So many names go into one question.
const AT_ONCE: usize = 200;

/// An Icinga, and the way to it.
#[derive(Debug, Clone)]
pub struct Icinga2Options {
    /// Its name in the configuration.
    pub name: String,
    /// What its problems are told as, empty where it is the only one.
    pub site: String,
    /// Where it is asked.
    pub address: Address,
    /// Which of its events are listened to, as an expression of Icinga's; all of them when absent.
    pub filter: Option<String>,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// An Icinga.
pub struct Icinga2 {
    options: Icinga2Options,
    api: Result<JsonApi, String>,
}

impl Icinga2 {
    /// Prepares the way; nothing is asked yet.
    pub fn new(options: Icinga2Options) -> Self {
        let api = JsonApi::new(options.address.clone());
        Self { options, api }
    }

    fn api(&self) -> Result<&JsonApi, MonitoringError> {
        self.api.as_ref().map_err(|why| MonitoringError::Refused { why: why.clone() })
    }

    /// The attributes of objects of a type (`hosts`) that are like this.
    async fn objects(&self, kind: &str, filter: &str, names: Option<&[String]>) -> Result<Vec<Value>, MonitoringError> {
        let api = self.api()?;
        let mut body = json!({"filter": filter});
        // Each kind refuses what only the other has.
        let foreign = match kind {
            "hosts" => Some("host_name"),
            "services" => Some("address"),
            _ => None,
        };
        if let Some(foreign) = foreign {
            body["attrs"] = ATTRIBUTES.iter().filter(|name| **name != foreign).copied().collect();
        }
        if let Some(names) = names {
            body["filter_vars"] = json!({"names": names});
        }
        let asking = api.request(Method::POST, &format!("/v1/objects/{kind}")).header("X-HTTP-Method-Override", "GET");
        let (status, mut told) = api.answer(asking.json(&body)).await?;
        // So it says that there are none.
        if status == StatusCode::NOT_FOUND && told.get("status").is_some() {
            return Ok(Vec::new());
        }
        if !status.is_success() {
            return Err(json_api::refusal(status, words(&told)));
        }
        match told.get_mut("results").map(Value::take) {
            Some(Value::Array(results)) => Ok(results.into_iter().map(|mut result| result["attrs"].take()).collect()),
            _ => Err(json_api::unsound("results")),
        }
    }

    /// Those of these names, hosts and services.
    async fn named(&self, names: &[Named]) -> Result<Vec<Value>, MonitoringError> {
        let mut found = Vec::new();
        for part in names.chunks(AT_ONCE) {
            let (services, hosts): (Vec<&Named>, Vec<&Named>) = part.iter().partition(|named| named.service.is_some());
            for (kind, filter, names) in
                [("hosts", "host.__name in names", hosts), ("services", "service.__name in names", services)]
            {
                if !names.is_empty() {
                    let names: Vec<String> = names.into_iter().map(Named::key).collect();
                    found.extend(self.objects(kind, filter, Some(&names)).await?);
                }
            }
        }
        Ok(found)
    }

    /// Everything that is bad now.
    async fn bad(&self) -> Result<Vec<Value>, MonitoringError> {
        let mut found = self.objects("hosts", "host.state != 0", None).await?;
        found.extend(self.objects("services", "service.state != 0", None).await?);
        Ok(found)
    }

    async fn act(&self, action: &str, body: &Value) -> Result<(), MonitoringError> {
        let api = self.api()?;
        let asking = api.request(Method::POST, &format!("/v1/actions/{action}"));
        let (status, told) = api.answer(asking.json(body)).await?;
        if !status.is_success() && told.get("results").is_none() {
            return Err(json_api::refusal(status, words(&told)));
        }
        for result in told.get("results").and_then(Value::as_array).into_iter().flatten() {
            let code = result.get("code").and_then(Value::as_f64).map_or(500, |code| code as u16);
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            if !status.is_success() {
                return Err(json_api::refusal(status, words(result)));
            }
        }
        Ok(())
    }
}

/// What it says of what it does not do.
fn words(told: &Value) -> &str {
    told.get("status").and_then(Value::as_str).unwrap_or_default()
}

#[async_trait]
impl Monitoring for Icinga2 {
    fn name(&self) -> &str {
        &self.options.name
    }

    async fn read(&self, of: &Of) -> Result<Reading, MonitoringError> {
        let asked = (self.options.now)();
        let objects = match of {
            Of::Open => self.bad().await?,
            Of::Named(targets) => {
                let names: Vec<Named> = targets
                    .iter()
                    .map(|target| Named { host: target.host.clone(), service: target.service.clone() })
                    .collect();
                self.named(&names).await?
            }
        };
        let mut hosts: Vec<String> = objects.iter().filter_map(named_of).map(|named| named.host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let (mut downtimes, mut comments) = (Vec::new(), Vec::new());
        for part in hosts.chunks(AT_ONCE) {
            downtimes.extend(self.objects("downtimes", "downtime.host_name in names", Some(part)).await?);
            comments.extend(self.objects("comments", "comment.host_name in names", Some(part)).await?);
        }
        let standing = |object: &Value| read::standing(&self.options.site, object, &downtimes, &comments);
        let list: Vec<Standing> = objects.iter().filter_map(standing).collect();
        let all = *of == Of::Open;
        let mut reading = Reading { monitoring: self.options.name.clone(), asked, all, list, unknown: Vec::new() };
        if let Of::Named(targets) = of {
            let missing = |target: &&Target| reading.of(target).is_none();
            reading.unknown = targets.iter().filter(missing).cloned().collect();
        }
        Ok(reading)
    }

    async fn send(&self, order: &Order, about: &Target, found: &Standing) -> Result<(), MonitoringError> {
        let now = (self.options.now)();
        let seconds = |at: Timestamp| at.as_millisecond() as f64 / 1000.0;
        let named = Named { host: about.host.clone(), service: about.service.clone() };
        let mut body = match &about.service {
            Some(_) => json!({"type": "Service", "service": named.key()}),
            None => json!({"type": "Host", "host": named.key()}),
        };
        let mut say = |values: Value| {
            if let (Some(body), Value::Object(values)) = (body.as_object_mut(), values) {
                body.extend(values);
            }
        };
        let word = json!({"author": order.mark.who, "comment": order.signed()});
        let action = match &order.wanted {
            Wanted::Acknowledge { sticky, notify, expires } => {
                say(word);
                say(json!({"sticky": sticky, "notify": notify, "persistent": false}));
                if let Some(expires) = expires {
                    say(json!({"expiry": seconds(*expires)}));
                }
                "acknowledge-problem"
            }
            Wanted::RemoveAcknowledgement => "remove-acknowledgement",
            Wanted::Downtime { start, end } => {
                let start = start.unwrap_or(now);
                say(word);
                say(json!({"start_time": seconds(start), "end_time": seconds(*end), "fixed": true, "duration": 0}));
                if about.service.is_none() {
                    say(json!({"all_services": true}));
                }
                "schedule-downtime"
            }
            Wanted::MoveDowntime { .. } => return Err(MonitoringError::Refused { why: Reason::NoMoving.to_string() }),
            Wanted::RemoveDowntime { .. } => {
                for downtime in found.downtimes.iter().filter(|downtime| order.wanted.removes(downtime)) {
                    self.act("remove-downtime", &json!({"downtime": downtime.id})).await?;
                }
                return Ok(());
            }
            Wanted::Comment => {
                say(word);
                "add-comment"
            }
            Wanted::Recheck => {
                say(json!({"force": true}));
                "reschedule-check"
            }
            Wanted::Read => return Ok(()),
        };
        self.act(action, &body).await
    }

    async fn listen(&self, told: mpsc::Sender<MonitoringTold>, stop: CancellationToken) {
        stop.run_until_cancelled_owned(self.stream(told)).await;
    }
}
