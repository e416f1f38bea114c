//! From CheckMK's variables to the payload of `check_mk.event_handler`.
//!
//! The nested keys are those of the handler in StackStorm's pack `check_mk` 1.0.1, so that rules written for it find what they look for: strings as CheckMK gave
//! them, null for what it did not. What that handler leaves out stands under `event`, an addition.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The trigger that these notifications are of.
pub const TRIGGER: &str = "check_mk.event_handler";
/// The key of a payload that says why it is sent.
pub const KIND: &str = "notification_type";

/// What stands before each name in the environment.
const PREFIX: &str = "NOTIFY_";

/// The variables of one notification, without the prefix that they have in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, String>);

/// A notification on its way to the bot.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The same for every copy of one notification: CheckMK calls a plugin once for each contact.
    pub id: String,
    /// What the rules see as `trigger`.
    pub payload: Value,
}

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
        let context = Self(context);
        context.get("HOSTNAME").is_some().then_some(context)
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
            let context = Self(block);
            if context.get("HOSTNAME").is_some() {
                found.push(context);
            } else {
                unusable += 1;
            }
        }
        found.sort_by_key(|context| context.number("MICROTIME"));
        (found, unusable)
    }

    /// A variable that says something. Nagios once left `$NAME$` where it knew nothing.
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        let unset = value.strip_prefix('$').and_then(|rest| rest.strip_suffix('$')).is_some_and(|inner| inner == name);
        (!unset).then_some(value.as_str())
    }

    /// The same, and more than nothing.
    fn told(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(|value| value.trim().parse().ok())
    }

    /// The variables whose names begin so, by the rest of their names.
    fn beginning<'a>(&'a self, with: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(with)?, value.as_str())))
    }

    /// The payload and the id of the event. CheckMK writes times by the clock of its machine, which is in `zone`.
    pub fn event(&self, zone: &TimeZone) -> Event {
        Event { id: self.id(), payload: self.payload(zone) }
    }

    /// Made of what is the same for all contacts.
    fn id(&self) -> String {
        let mut hash = Sha256::new();
        for name in ["OMD_SITE", "HOSTNAME", "SERVICEDESC", "NOTIFICATIONTYPE", "MICROTIME", "SHORTDATETIME"] {
            let value = self.get(name).unwrap_or_default();
            hash.update(value.len().to_be_bytes());
            hash.update(value.as_bytes());
        }
        hash.finalize().iter().take(16).fold(String::from("cmk-"), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        })
    }

    fn payload(&self, zone: &TimeZone) -> Value {
        let text = |name: &str| self.get(name).map_or(Value::Null, |value| value.into());
        let words = |name: &str| -> Value { self.get(name).unwrap_or_default().split_whitespace().collect() };
        let groups = |name: &str| -> Value {
            self.get(name).unwrap_or_default().split([',', ' ']).filter(|group| !group.is_empty()).collect()
        };
        let object = |host: &str| -> Map<String, Value> {
            // In the names of a host's last state and long output, HOST stands inside.
            [
                ("state", format!("{host}STATE")),
                ("last_state", format!("LAST{host}STATE")),
                ("output", format!("{host}OUTPUT")),
                ("perf_data", format!("{host}PERFDATA")),
                ("check_command", format!("{host}CHECKCOMMAND")),
                ("notification_number", format!("{host}NOTIFICATIONNUMBER")),
                ("long_output", format!("LONG{host}OUTPUT")),
            ]
            .into_iter()
            .map(|(key, name)| (key.to_owned(), text(&name)))
            .collect()
        };
        let (mut host, mut service) = (object("HOST"), object("SERVICE"));
        host.insert("name".to_owned(), text("HOSTNAME"));
        host.insert("alias".to_owned(), text("HOSTALIAS"));
        host.insert("address".to_owned(), text("HOSTADDRESS"));
        service.insert("desc".to_owned(), text("SERVICEDESC"));
        let is_service = self.get("SERVICEDESC").is_some();
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
                "site": self.told("OMD_SITE"),
                "what": if is_service { "SERVICE" } else { "HOST" },
                "microtime": self.number("MICROTIME"),
                "author": self.told("NOTIFICATIONAUTHORALIAS").or_else(|| self.told("NOTIFICATIONAUTHOR")),
                "comment": self.told("NOTIFICATIONCOMMENT"),
                "attempt": self.number(if is_service { "SERVICEATTEMPT" } else { "HOSTATTEMPT" }),
                "downtime_depth": self.number("HOSTDOWNTIME"),
                "since": self.number(if is_service { "LASTSERVICESTATECHANGE" } else { "LASTHOSTSTATECHANGE" }),
                "acknowledged_by":
                    self.told(if is_service { "SERVICEACKAUTHOR" } else { "HOSTACKAUTHOR" }),
                "url": self.told(if is_service { "SERVICEURL" } else { "HOSTURL" }),
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
            .get("SHORTDATETIME")
            .and_then(|text| DateTime::strptime("%Y-%m-%d %H:%M:%S", text.trim()).ok())
            .and_then(|time| time.to_zoned(zone.clone()).ok())
            .map(|time| time.timestamp().as_second());
        written.or_else(|| self.number("MICROTIME").map(|micro| micro / 1_000_000)).map_or(Value::Null, Value::from)
    }
}
