//! From CheckMK's variables to the payload of `check_mk.event_handler`.
//!
//! The nested keys are those of the handler in StackStorm's pack `check_mk` 1.0.1, so that rules written for it find what they look for: strings as CheckMK gave
//! them, null for what it did not. What that handler leaves out stands under `event`, an addition.

use super::source::{Event, Source};
use super::variables::Variables;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The trigger that these notifications are of.
pub const TRIGGER: &str = "check_mk.event_handler";

/// What stands before each name in the environment.
const PREFIX: &str = "NOTIFY_";

/// The variables of one notification, without the prefix that they have in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(Variables);

impl Context {
    /// The notification that a process's environment describes, if there is one in it.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Option<Self> {
        let mut context = BTreeMap::new();
        let mut site = None;
        for (name, value) in variables {
            match name.strip_prefix(PREFIX) {
                Some(name) => {
                    context.insert(name.to_owned(), value);
                }
                None if name == "OMD_SITE" => site = Some(value),
                None => {}
            }
        }
        if let Some(site) = site {
            context.entry("OMD_SITE".to_owned()).or_insert(site);
        }
        let context = Self(Variables(context));
        context.0.get("HOSTNAME").is_some().then_some(context)
    }

    /// The notifications that CheckMK writes to the standard input of a plugin that takes many at once, oldest first. `site` is the one to take where they do not
    /// name theirs. What has no host is left out, and counted.
    pub fn from_bulk(text: &str, site: Option<&str>) -> (Vec<Self>, usize) {
        let mut blocks: Vec<BTreeMap<String, String>> = vec![BTreeMap::new()];
        for line in text.lines() {
            if line.is_empty() {
                blocks.push(BTreeMap::new());
            } else if let (Some((name, value)), Some(block)) = (line.split_once('='), blocks.last_mut()) {
                block.insert(name.to_owned(), value.replace('\u{1}', "\n"));
            }
        }
        let mut blocks = blocks.into_iter();
        // The first block is what goes for all of them.
        let common = blocks.next().unwrap_or_default();
        let (mut found, mut unusable) = (Vec::new(), 0);
        for mut block in blocks.filter(|block| !block.is_empty()) {
            for (name, value) in &common {
                block.entry(name.clone()).or_insert_with(|| value.clone());
            }
            if let Some(site) = site {
                block.entry("OMD_SITE".to_owned()).or_insert_with(|| site.to_owned());
            }
            let context = Self(Variables(block));
            if context.0.get("HOSTNAME").is_some() {
                found.push(context);
            } else {
                unusable += 1;
            }
        }
        found.sort_by_key(|context| context.0.number("MICROTIME"));
        (found, unusable)
    }

    /// The variables whose names begin so, by the rest of their names.
    fn beginning<'a>(&'a self, with: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        self.0.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(with)?, value.as_str())))
    }

    /// The payload and the id of the event. CheckMK writes times by the clock of its machine, which is in `zone`.
    pub fn event(&self, zone: &TimeZone) -> Event {
        Event { id: self.id(), source: Source::CheckMk, payload: self.payload(zone) }
    }

    fn id(&self) -> String {
        self.0.id("cmk-", &["OMD_SITE", "HOSTNAME", "SERVICEDESC", "NOTIFICATIONTYPE", "MICROTIME", "SHORTDATETIME"])
    }

    fn payload(&self, zone: &TimeZone) -> Value {
        let Self(told) = self;
        let text = |name: &str| told.text(name);
        let words = |name: &str| -> Value { told.get(name).unwrap_or_default().split_whitespace().collect() };
        let groups = |name: &str| told.groups(name);
        let (mut host, mut service) = (told.object("HOST"), told.object("SERVICE"));
        host.insert("name".to_owned(), text("HOSTNAME"));
        host.insert("alias".to_owned(), text("HOSTALIAS"));
        host.insert("address".to_owned(), text("HOSTADDRESS"));
        service.insert("desc".to_owned(), text("SERVICEDESC"));
        let is_service = told.get("SERVICEDESC").is_some();
        let labels: BTreeMap<_, _> = self.beginning("HOSTLABEL_").chain(self.beginning("SERVICELABEL_")).collect();
        json!({
            "notification_type": text("NOTIFICATIONTYPE"),
            "timestamp": self.timestamp(zone),
            "parameters": words("PARAMETERS"),
            "contact": {
                "name": text("CONTACTNAME"),
                "email": text("CONTACTEMAIL"),
                "pager": text("CONTACTPAGER"),
            },
            "host": host,
            "service": service,
            "event": {
                "id": self.id(),
                "site": told.told("OMD_SITE"),
                "what": if is_service { "SERVICE" } else { "HOST" },
                "microtime": told.number("MICROTIME"),
                "author": told.told("NOTIFICATIONAUTHORALIAS").or_else(|| told.told("NOTIFICATIONAUTHOR")),
                "comment": told.told("NOTIFICATIONCOMMENT"),
                "attempt": told.number(if is_service { "SERVICEATTEMPT" } else { "HOSTATTEMPT" }),
                "downtime_depth": told.number("HOSTDOWNTIME"),
                "since": told.number(if is_service { "LASTSERVICESTATECHANGE" } else { "LASTHOSTSTATECHANGE" }),
                "acknowledged_by":
                    told.told(if is_service { "SERVICEACKAUTHOR" } else { "HOSTACKAUTHOR" }),
                "url": told.told(if is_service { "SERVICEURL" } else { "HOSTURL" }),
                "host_groups": groups("HOSTGROUPNAMES"),
                "service_groups": groups("SERVICEGROUPNAMES"),
                "tags": words("HOSTTAGS"),
                "labels": labels,
            },
        })
    }

    /// In seconds since 1970, as that handler reckons; by CheckMK's own count where the text cannot be read.
    fn timestamp(&self, zone: &TimeZone) -> Value {
        let written = self
            .0
            .get("SHORTDATETIME")
            .and_then(|text| DateTime::strptime("%Y-%m-%d %H:%M:%S", text.trim()).ok())
            .and_then(|time| time.to_zoned(zone.clone()).ok())
            .map(|time| time.timestamp().as_second());
        written.or_else(|| self.0.number("MICROTIME").map(|micro| micro / 1_000_000)).map_or(Value::Null, Value::from)
    }
}
