//! From the macros of Nagios 4 (and Naemon), as its notification commands find them in their environment, to the payload of `nagios.notification`.
//!
//! Nagios gives them there where `enable_environment_macros=1` stands in its main file, and only there as they are: in the arguments of a command it leaves out
//! what a shell might take for its own. Seen with Nagios 4.4.6.

use super::source::{Event, Source};
use super::stackstorm;
use super::variables::Variables;
use serde_json::{Value, json};

/// What stands before each name in the environment.
const PREFIX: &str = "NAGIOS_";

/// The macros of one notification, without what stands before them in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Macros(Variables);

impl Macros {
    /// The notification that a process's environment describes, if there is one in it.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Option<Self> {
        let macros = Variables::beginning(PREFIX, variables);
        let whole = macros.told("HOSTNAME").is_some() && macros.told("NOTIFICATIONTYPE").is_some();
        whole.then_some(Self(macros))
    }

    /// The payload and the name of the event. `site` is what this Nagios is called, where there are several.
    pub fn event(&self, site: Option<&str>) -> Event {
        let id = self.id(site);
        Event { payload: self.payload(site, &id), id, source: Source::Nagios }
    }

    /// `SERVICE` where it is about one, which a host's own notifications leave empty.
    fn what(&self) -> &'static str {
        if self.0.told("SERVICEDESC").is_some() { "SERVICE" } else { "HOST" }
    }

    fn number(&self, before: &str, after: &str) -> Option<i64> {
        self.0.number(&format!("{before}{}{after}", self.what()))
    }

    /// The number of a notification is the same for all contacts, and begins anew with a Nagios that keeps no state; the last change of state is another then.
    fn id(&self, site: Option<&str>) -> String {
        let what = self.what();
        let number = format!("{what}NOTIFICATIONID");
        let since = format!("LAST{what}STATECHANGE");
        let before = site.map_or_else(|| "nagios-".to_owned(), |site| format!("nagios-{site}-"));
        self.0.id(&before, &["HOSTNAME", "SERVICEDESC", "NOTIFICATIONTYPE", &number, &since])
    }

    fn payload(&self, site: Option<&str>, id: &str) -> Value {
        let Self(told) = self;
        let what = self.what();
        let (mut host, mut service) = (told.object("HOST"), told.object("SERVICE"));
        for object in [&mut host, &mut service] {
            for value in object.values_mut().filter(|value| value.as_str().is_some_and(str::is_empty)) {
                *value = Value::Null;
            }
            if let Some(Value::String(text)) = object.get_mut("long_output") {
                *text = lines(text);
            }
        }
        if what == "HOST" {
            service.values_mut().for_each(|value| *value = Value::Null);
        }
        host.insert("name".to_owned(), told.text("HOSTNAME"));
        host.insert("alias".to_owned(), told.text("HOSTALIAS"));
        host.insert("address".to_owned(), told.text("HOSTADDRESS"));
        service.insert("desc".to_owned(), told.told("SERVICEDESC").into());
        let seconds = told.number("TIMET");
        json!({
            "notification_type": told.told("NOTIFICATIONTYPE"),
            "timestamp": seconds,
            "contact": {
                "name": told.told("CONTACTNAME"),
                "email": told.told("CONTACTEMAIL"),
                "pager": told.told("CONTACTPAGER"),
            },
            "host": host,
            "service": service,
            "event": {
                "id": id,
                "site": site,
                "what": what,
                "microtime": seconds.and_then(|seconds| seconds.checked_mul(1_000_000)),
                "author": told.told("NOTIFICATIONAUTHORALIAS").or_else(|| told.told("NOTIFICATIONAUTHOR")),
                "comment": told.told("NOTIFICATIONCOMMENT"),
                "attempt": self.number("", "ATTEMPT"),
                "state_type": told.told(&format!("{what}STATETYPE")),
                "event_id": told.told(&format!("{what}EVENTID")),
                "downtime_depth": self.number("", "DOWNTIME"),
                "since": self.number("LAST", "STATECHANGE"),
                "acknowledged_by": told.told(&format!("{what}ACKAUTHOR")),
                "url": Value::Null,
                "host_groups": told.groups("HOSTGROUPNAMES"),
                "service_groups": told.groups("SERVICEGROUPNAMES"),
            },
        })
    }
}

/// In long outputs Nagios writes a line's end as `\n`, and a backslash as two.
fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letters.as_str().chars().next()) {
            ('\\', Some('n')) => {
                out.push('\n');
                letters.next();
            }
            ('\\', Some('\\')) => {
                out.push('\\');
                letters.next();
            }
            (other, _) => out.push(other),
        }
    }
    out
}

/// What StackStorm's pack `nagios` would tell rules of this notification: its `nagios.service_state_change`, with texts as its event handler sends them.
pub(super) fn state_change(payload: &Value) -> Option<(&'static str, Value)> {
    let text = |pointer: &str| stackstorm::text(payload, pointer);
    let state = text("/service/state")?;
    let number = match state {
        "OK" => "0",
        "WARNING" => "1",
        "CRITICAL" => "2",
        _ => "3",
    };
    let attempt = payload.pointer("/event/attempt").and_then(Value::as_i64).map(|attempt| attempt.to_string());
    Some((
        "nagios.service_state_change",
        json!({
            "host": text("/host/name")?,
            "service": text("/service/desc")?,
            "event_id": text("/event/event_id").unwrap_or_default(),
            "state": state,
            "state_id": number,
            "state_type": text("/event/state_type").unwrap_or("HARD"),
            "attempt": attempt.unwrap_or_default(),
            "msg": text("/service/output").unwrap_or_default(),
        }),
    ))
}
