//! # Alertmanager
//!
//! What is asked of Alertmanager goes over its API 2 (seen with 0.25.0). It knows alerts and silences, and nothing else:
//!
//! - **A downtime is a silence**, for a service one with all labels of its alerts, for a machine one over its label with any port.
//! - **It knows no acknowledgement.** One is a silence for a quarter of an hour whose comment begins with `ACK!`, as karma has them; that it was taken on is
//!   remembered by the bot for longer than that.
//! - **It watches nothing itself**, so there is no comment and no check to ask for. What does not fire is well, whether there is such a thing or not.
//!
//! Several alerts may be one problem ([`crate::core::alert::alertmanager`]); what is asked for it goes for each of them.

mod silence;

use super::json_api::{self, Address, JsonApi};
use crate::core::action::reason::Reason;
use crate::core::alert::alertmanager::{host, output, service, state, texts};
use crate::core::alert::notification::{Problem, State};
use crate::core::alert::order::{Order, Target, Wanted};
use crate::core::alert::source::Source;
use crate::core::alert::standing::{Reading, Standing};
use crate::runtime::ports::{Monitoring, MonitoringError, Of};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use silence::{ACK, Silence};
use std::collections::{BTreeMap, BTreeSet};

/// For so long an acknowledgement silences what it is about.
const TAKEN_ON: SignedDuration = SignedDuration::from_mins(15);

/// An Alertmanager, and the way to it.
#[derive(Debug, Clone)]
pub struct AlertmanagerOptions {
    /// Its name in the configuration.
    pub name: String,
    /// What its problems are told as, empty where it is the only one.
    pub site: String,
    /// Where it is asked.
    pub address: Address,
    /// The label that has the host.
    pub host_label: String,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// An Alertmanager.
pub struct Alertmanager {
    options: AlertmanagerOptions,
    api: Result<JsonApi, String>,
}

/// An alert as it is listed.
struct Listed {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts: Option<Timestamp>,
    silenced_by: BTreeSet<String>,
}

impl Listed {
    fn read(alert: &Value) -> Self {
        let ids = alert.pointer("/status/silencedBy").and_then(Value::as_array);
        Self {
            labels: texts(alert.get("labels")),
            annotations: texts(alert.get("annotations")),
            starts: alert.get("startsAt").and_then(Value::as_str).and_then(|text| text.parse().ok()),
            silenced_by: ids.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }
}

impl Alertmanager {
    /// Prepares the way; nothing is asked yet.
    pub fn new(options: AlertmanagerOptions) -> Self {
        let api = JsonApi::new(options.address.clone());
        Self { options, api }
    }

    fn api(&self) -> Result<&JsonApi, MonitoringError> {
        self.api.as_ref().map_err(|why| MonitoringError::Refused { why: why.clone() })
    }

    async fn list(&self, path: &str) -> Result<Vec<Value>, MonitoringError> {
        let api = self.api()?;
        match api.answer(api.request(Method::GET, path)).await? {
            (status, Value::Array(list)) if status.is_success() => Ok(list),
            (status, _) if status.is_success() => Err(json_api::unsound("a list")),
            (status, told) => Err(json_api::refusal(status, words(&told))),
        }
    }

    async fn firing(&self) -> Result<Vec<Listed>, MonitoringError> {
        let list = self.list("/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true").await?;
        Ok(list.iter().map(Listed::read).collect())
    }

    async fn silences(&self) -> Result<Vec<Silence>, MonitoringError> {
        let list = self.list("/api/v2/silences").await?;
        Ok(list.iter().filter_map(Silence::read).filter(|silence| !silence.expired).collect())
    }

    fn target(&self, labels: &BTreeMap<String, String>) -> Target {
        let label = &self.options.host_label;
        Target { host: host(labels, label), service: Some(service(labels, label)) }
    }

    fn problem(&self, target: &Target) -> Problem {
        Problem {
            source: Source::Alertmanager.name().to_owned(),
            site: self.options.site.clone(),
            host: target.host.clone(),
            service: target.service.clone(),
        }
    }

    /// How what several alerts are together stands.
    fn standing(&self, target: &Target, alerts: &[&Listed], silences: &[Silence], asked: Timestamp) -> Standing {
        let worst = alerts.iter().max_by_key(|alert| state(&alert.labels).weight());
        let mut standing =
            Standing::new(self.problem(target), worst.map(|alert| state(&alert.labels)).or(Some(State::Ok)));
        if let Some(worst) = worst {
            standing.output = output(&worst.annotations, &worst.labels).0;
        }
        standing.since = alerts.iter().filter_map(|alert| alert.starts).min();
        // What is silenced for being taken on is in no downtime.
        let quiet = |id: &String| !silences.iter().any(|silence| silence.id == *id && silence.is_acknowledgement());
        standing.in_downtime = !alerts.is_empty() && alerts.iter().all(|alert| alert.silenced_by.iter().any(quiet));
        let about = |silence: &&Silence| {
            alerts.iter().any(|alert| alert.silenced_by.contains(&silence.id) || silence.matches(&alert.labels))
        };
        for silence in silences.iter().filter(about) {
            if silence.is_acknowledgement() {
                if silence.starts <= asked {
                    standing.acknowledged = Some(silence.taken_on());
                }
            } else {
                let covers = silence.of_host(&self.options.host_label, &target.host);
                standing.downtimes.push(silence.downtime(covers));
            }
        }
        standing
    }

    /// A machine itself: what is silenced of all of it.
    fn machine(&self, target: &Target, silences: &[Silence], asked: Timestamp) -> Standing {
        let mut standing = Standing::new(self.problem(target), None);
        let of_it = silences.iter().filter(|silence| silence.of_host(&self.options.host_label, &target.host));
        for silence in of_it {
            if silence.is_acknowledgement() {
                standing.acknowledged = Some(silence.taken_on());
            } else {
                standing.in_downtime |= silence.starts <= asked;
                standing.downtimes.push(silence.downtime(false));
            }
        }
        standing
    }

    async fn silence(&self, body: &Value) -> Result<(), MonitoringError> {
        let api = self.api()?;
        let (status, told) = api.answer(api.request(Method::POST, "/api/v2/silences").json(body)).await?;
        if status.is_success() { Ok(()) } else { Err(json_api::refusal(status, words(&told))) }
    }

    async fn expire(&self, id: &str) -> Result<(), MonitoringError> {
        let api = self.api()?;
        // Ids are the server's own; one that is none leads nowhere else.
        if id.is_empty() || !id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') {
            return Err(json_api::unsound("id"));
        }
        let (status, told) = api.answer(api.request(Method::DELETE, &format!("/api/v2/silence/{id}"))).await?;
        if status.is_success() { Ok(()) } else { Err(json_api::refusal(status, words(&told))) }
    }

    /// The matchers of a silence for each alert of a problem, or for all of a machine.
    async fn matchers(&self, about: &Target) -> Result<Vec<Value>, MonitoringError> {
        if about.service.is_none() {
            return Ok(vec![json!([silence::host_matcher(&self.options.host_label, &about.host)])]);
        }
        let firing = self.firing().await?;
        let alerts = firing.iter().filter(|alert| self.target(&alert.labels) == *about);
        let exact = |alert: &Listed| {
            let matcher = |(name, value): (&String, &String)| json!({"name": name, "value": value, "isRegex": false, "isEqual": true});
            alert.labels.iter().map(matcher).collect::<Value>()
        };
        let matchers: Vec<Value> = alerts.map(exact).collect();
        if matchers.is_empty() {
            return Err(MonitoringError::Refused { why: Reason::NotFiring.to_string() });
        }
        Ok(matchers)
    }
}

#[async_trait]
impl Monitoring for Alertmanager {
    fn name(&self) -> &str {
        &self.options.name
    }

    async fn read(&self, of: &Of) -> Result<Reading, MonitoringError> {
        let asked = (self.options.now)();
        let (firing, silences) = (self.firing().await?, self.silences().await?);
        let mut problems: BTreeMap<Target, Vec<&Listed>> = BTreeMap::new();
        for alert in &firing {
            problems.entry(self.target(&alert.labels)).or_default().push(alert);
        }
        let standing = |(target, alerts): (&Target, &Vec<&Listed>)| self.standing(target, alerts, &silences, asked);
        let name = self.options.name.clone();
        Ok(match of {
            Of::Open => Reading {
                monitoring: name,
                asked,
                all: true,
                list: problems.iter().map(standing).collect(),
                unknown: Vec::new(),
            },
            Of::Named(targets) => {
                let mut reading =
                    Reading { monitoring: name, asked, all: false, list: Vec::new(), unknown: Vec::new() };
                for target in targets {
                    match (problems.get_key_value(target), &target.service) {
                        (Some(found), _) => reading.list.push(standing(found)),
                        (None, None) => reading.list.push(self.machine(target, &silences, asked)),
                        // What does not fire is well.
                        (None, Some(_)) => reading.list.push(self.standing(target, &[], &silences, asked)),
                    }
                }
                reading
            }
        })
    }

    async fn send(&self, order: &Order, about: &Target, found: &Standing) -> Result<(), MonitoringError> {
        let now = (self.options.now)();
        let silence = |matchers: &Value, start: Timestamp, end: Timestamp, comment: &str| {
            json!({
                "matchers": matchers, "startsAt": start.to_string(), "endsAt": end.to_string(),
                "createdBy": order.mark.who, "comment": comment,
            })
        };
        match &order.wanted {
            Wanted::Acknowledge { expires, .. } => {
                let end = expires.or_else(|| now.checked_add(TAKEN_ON).ok()).unwrap_or(now);
                for matchers in self.matchers(about).await? {
                    self.silence(&silence(&matchers, now, end, &format!("{ACK} {}", order.signed()))).await?;
                }
                Ok(())
            }
            Wanted::Downtime { start, end } => {
                for matchers in self.matchers(about).await? {
                    self.silence(&silence(&matchers, start.unwrap_or(now), *end, &order.signed())).await?;
                }
                Ok(())
            }
            Wanted::MoveDowntime { id, end } => {
                let Some(mut body) =
                    self.list("/api/v2/silences").await?.into_iter().find(|one| one["id"] == id.as_str())
                else {
                    return Err(json_api::unsound("id"));
                };
                body["endsAt"] = json!(end.to_string());
                self.silence(&body).await
            }
            Wanted::RemoveAcknowledgement => {
                let labels = self.firing().await?;
                let alerts: Vec<_> = labels.iter().filter(|alert| self.target(&alert.labels) == *about).collect();
                let about = |silence: &Silence| match &about.service {
                    Some(_) => alerts.iter().any(|alert| silence.matches(&alert.labels)),
                    None => silence.of_host(&self.options.host_label, &about.host),
                };
                for silence in self.silences().await? {
                    if silence.is_acknowledgement() && about(&silence) {
                        self.expire(&silence.id).await?;
                    }
                }
                Ok(())
            }
            Wanted::RemoveDowntime { .. } => {
                for downtime in found.downtimes.iter().filter(|downtime| order.wanted.removes(downtime)) {
                    self.expire(&downtime.id).await?;
                }
                Ok(())
            }
            Wanted::Comment => Err(MonitoringError::Refused { why: Reason::NoComments.to_string() }),
            Wanted::Recheck => Err(MonitoringError::Refused { why: Reason::NoChecksThere.to_string() }),
            Wanted::Read => Ok(()),
        }
    }
}

/// What it says of what it does not do: a text, or one under `message`.
fn words(told: &Value) -> &str {
    told.as_str().or_else(|| told.get("message").and_then(Value::as_str)).unwrap_or_default()
}
