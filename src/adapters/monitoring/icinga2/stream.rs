//! The event stream: a request whose answer does not end, an event in each line.
//!
//! ```text
//! ask for the stream ── it answers ── list what is bad ── lines, one by one ── it breaks off ── wait ── ask …
//! ```
//!
//! - **What was told while nobody listened is not told again**, so what is bad is listed each time, after the stream has begun: nothing falls between the two,
//!   and what comes by both has one name.
//! - **It is tried again until it works**, ever more slowly; Icinga sends nothing for as long as nothing happens, so the kernel asks whether the other side
//!   is there still, and a stream that has been silent for long is begun anew.
//! - What an event leaves open is asked for, before the next one is read.

use super::{Icinga2, read};
use crate::adapters::monitoring::json_api;
use crate::core::alert::icinga2::{self, Named, TYPES, about, needs_object};
use crate::runtime::ports::{MonitoringError, MonitoringTold};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;

/// The first wait after a failure; each one is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A stream in which nothing has come for so long is begun anew: a firewall may have forgotten it.
const SILENCE: Duration = Duration::from_secs(600);
/// A line that is longer is none of Icinga's.
const LONGEST_LINE: usize = 16 << 20;

/// Nobody wants to hear anything any more.
struct Over;

/// How a stream came to its end.
enum Broke {
    Over,
    Why(String),
}

impl From<Over> for Broke {
    fn from(_: Over) -> Self {
        Self::Over
    }
}

impl From<MonitoringError> for Broke {
    fn from(error: MonitoringError) -> Self {
        Self::Why(error.to_string())
    }
}

impl Icinga2 {
    /// Listens for as long as somebody wants to hear it.
    pub(super) async fn stream(&self, told: mpsc::Sender<MonitoringTold>) {
        let (mut wait, mut said) = (FIRST_WAIT, String::new());
        loop {
            let mut heard = false;
            match self.one_stream(&told, &mut heard).await {
                Broke::Over => return,
                Broke::Why(why) => {
                    if heard {
                        wait = FIRST_WAIT;
                        said.clear();
                    }
                    // Once, and not at each attempt of a long night.
                    if why != said {
                        tracing::warn!(monitoring = self.options.name, why, "the event stream of Icinga is not heard");
                        said = why;
                    }
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn one_stream(&self, told: &mpsc::Sender<MonitoringTold>, heard: &mut bool) -> Broke {
        match self.hear(told, heard).await {
            Ok(()) => Broke::Why("it has ended".to_owned()),
            Err(broke) => broke,
        }
    }

    async fn hear(&self, told: &mpsc::Sender<MonitoringTold>, heard: &mut bool) -> Result<(), Broke> {
        let api = self.api()?;
        let mut body = json!({"queue": format!("halcyon-{}", self.options.name), "types": TYPES});
        if let Some(filter) = &self.options.filter {
            body["filter"] = json!(filter);
        }
        let asking = api.endless(Method::POST, "/v1/events").json(&body).send();
        let asking = tokio::time::timeout(self.options.address.timeout, asking).await;
        let mut answer = match asking {
            Err(_) => return Err(Broke::Why("it does not answer".to_owned())),
            Ok(Err(error)) => return Err(Broke::Why(json_api::reason(error))),
            Ok(Ok(answer)) => answer,
        };
        let status = answer.status();
        if !status.is_success() {
            let text = answer.text().await.unwrap_or_default();
            let words: Value = serde_json::from_str(&text).unwrap_or_default();
            return Err(json_api::refusal(status, super::words(&words)).into());
        }
        send(told, MonitoringTold::Gap).await?;
        let mut flapping = BTreeSet::new();
        for object in self.bad().await? {
            if let Some(named) = icinga2::named_of(&object)
                && read::number(&object, "flapping").is_some_and(|flag| flag != 0)
            {
                flapping.insert(named);
            }
            if let Some(event) = icinga2::listed(&self.options.site, &object) {
                send(told, MonitoringTold::Event(Box::new(event))).await?;
            }
        }
        *heard = true;
        tracing::info!(monitoring = self.options.name, "the event stream of Icinga is heard");
        let mut rest = Vec::new();
        loop {
            let piece = match tokio::time::timeout(SILENCE, answer.chunk()).await {
                Err(_) => return Err(Broke::Why("nothing has come for long".to_owned())),
                Ok(piece) => piece.map_err(|error| Broke::Why(json_api::reason(error)))?,
            };
            let Some(piece) = piece else { return Ok(()) };
            rest.extend_from_slice(&piece);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                if let Ok(event) = serde_json::from_slice::<Value>(&line) {
                    self.take(&event, &mut flapping, told).await?;
                }
            }
            if rest.len() > LONGEST_LINE {
                return Err(Broke::Why("a line has no end".to_owned()));
            }
        }
    }

    async fn take(
        &self,
        event: &Value,
        flapping: &mut BTreeSet<Named>,
        told: &mpsc::Sender<MonitoringTold>,
    ) -> Result<(), Broke> {
        let Some(named) = about(event) else { return Ok(()) };
        let mut object = None;
        if needs_object(event) {
            object = self.named(std::slice::from_ref(&named)).await?.into_iter().next();
        }
        if event.get("type").and_then(Value::as_str) == Some("Flapping") {
            let begins = read::number(event, "is_flapping")
                .or_else(|| object.as_ref().and_then(|object| read::number(object, "flapping")));
            if begins.is_some_and(|flag| flag != 0) {
                flapping.insert(named);
            } else {
                flapping.remove(&named);
            }
        } else if object.is_none() && flapping.contains(&named) {
            object = Some(json!({"flapping": true}));
        }
        for event in icinga2::events(&self.options.site, event, object.as_ref()) {
            send(told, MonitoringTold::Event(Box::new(event))).await?;
        }
        Ok(())
    }
}

async fn send(told: &mpsc::Sender<MonitoringTold>, what: MonitoringTold) -> Result<(), Over> {
    told.send(what).await.map_err(|_| Over)
}
