//! `[[monitoring]]`: the monitorings that can be asked and told.

use super::document::{Section, Spot};
use super::judge::Judge;
use super::secret;
use crate::core::action::run::Secret;
use crate::core::content::diagnostic::Diagnostic;
use crate::core::settings::Monitored;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// How long a monitoring has to show what was asked for, unless said otherwise.
const CONFIRM: Duration = Duration::from_secs(60);
/// How often it is asked how things stand, unless said otherwise.
const READ: Duration = Duration::from_secs(300);

/// One of `[[monitoring]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitoring {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: MonitoringKind,
    /// Where it is asked, without a slash at its end.
    pub address: String,
    /// The site whose problems are its; of any site when absent.
    pub site: Option<String>,
    /// The account there.
    pub user: String,
    /// The secret of the account, or what to tell the one who needs it.
    pub secret: Result<Secret, Diagnostic>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The way to Livestatus.
    pub livestatus: Option<LivestatusWay>,
    /// How long it has to show what was asked for.
    pub confirm: Duration,
    /// How often it is asked how things stand; never when absent.
    pub read: Option<Duration>,
}

impl Monitoring {
    /// What decisions depend on.
    pub(super) fn settings(&self) -> Monitored {
        Monitored {
            name: self.name.clone(),
            source: self.kind.source().to_owned(),
            site: self.site.clone(),
            checks: self.livestatus.is_some(),
            read: self.read,
        }
    }
}

/// What a monitoring is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitoringKind {
    /// A site of CheckMK.
    CheckMk,
}

impl MonitoringKind {
    /// The kind by which problems know it.
    pub fn source(self) -> &'static str {
        match self {
            MonitoringKind::CheckMk => "check_mk",
        }
    }
}

/// The way to Livestatus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LivestatusWay {
    /// A host and a port.
    Tcp(String),
    /// A socket of this machine.
    Unix(PathBuf),
    /// A program that hands its input on.
    Command(Vec<String>),
}

/// A section as it is written.
#[derive(Debug)]
pub(super) struct Written {
    place: Spot<()>,
    name: Option<Spot<String>>,
    kind: Option<Spot<String>>,
    address: Option<Spot<String>>,
    site: Option<Spot<String>>,
    user: Option<Spot<String>>,
    secret_file: Option<Spot<String>>,
    ca_file: Option<Spot<String>>,
    livestatus: Option<Spot<String>>,
    livestatus_command: Option<Spot<Vec<Spot<String>>>>,
    confirm: Option<Spot<Duration>>,
    read: Option<Spot<Duration>>,
}

pub(super) fn read(section: Section<'_, '_>) -> Written {
    section.refuse(
        "secret",
        "a secret does not stand in this file",
        "put it into a file and name that by `secret_file`",
    );
    let written = Written {
        place: section.place.clone(),
        name: section.string("name"),
        kind: section.string("kind"),
        address: section.string("address"),
        site: section.string("site"),
        user: section.string("user"),
        secret_file: section.string("secret_file"),
        ca_file: section.string("ca_file"),
        livestatus: section.string("livestatus"),
        livestatus_command: section.strings("livestatus_command"),
        confirm: section.seconds("confirm", 1..3601),
        read: section.seconds("read", 0..86_401),
    };
    section.close();
    written
}

impl Judge<'_, '_, '_> {
    /// Nothing when one of them lacks a key that cannot be done without, or has a useless one; the problem is then reported.
    pub(super) fn monitorings(&self, written: Vec<Written>) -> Option<Vec<Monitoring>> {
        let mut names = BTreeSet::new();
        let count = written.len();
        let mut found = Vec::new();
        for one in written {
            let Some(one) = self.monitoring(one, &mut names) else { continue };
            found.push(one);
        }
        (found.len() == count).then_some(found)
    }

    fn monitoring(&self, written: Written, names: &mut BTreeSet<String>) -> Option<Monitoring> {
        let place = &written.place;
        let kind = self.required(place, written.kind.as_ref(), "kind", "checkmk");
        let kind = kind.and_then(|spot| self.word(&spot, &[("checkmk", MonitoringKind::CheckMk)]));
        let name = self.required(place, written.name.as_ref(), "name", "hep").and_then(|spot| {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
            let name = spot.value.trim().to_owned();
            if name.is_empty() || !name.chars().all(plain) {
                let hint = "use letters, digits, `-` and `_`; it is what people name it by in chat".to_owned();
                self.document.problem(&spot, format!("`{name}` is not such a name"), Some(hint));
                return None;
            }
            if !names.insert(name.to_lowercase()) {
                self.document.problem(&spot, "another one is called so, too", None);
                return None;
            }
            Some(name)
        });
        let address = self.required(place, written.address.as_ref(), "address", "https://mon.example.org/hep/check_mk");
        let address = address.and_then(|spot| self.url(&spot, false));
        let user = self.required(place, written.user.as_ref(), "user", "halcyon").and_then(|spot| {
            let user = spot.value.trim().to_owned();
            let sound = !user.is_empty() && user.chars().all(|letter| letter.is_ascii_graphic());
            if !sound {
                self.document.problem(&spot, format!("`{user}` is not the name of an account"), None);
            }
            sound.then_some(user)
        });
        let ca_file = self.path(written.ca_file.as_ref());
        if let (Some(spot), Some(path)) = (written.ca_file.as_ref(), ca_file.as_deref()) {
            self.readable(spot, path);
        }
        let livestatus = self.livestatus(&written);
        let site = written.site.map(|spot| spot.value.trim().to_owned()).filter(|site| !site.is_empty());
        let (kind, name, address, user) = (kind?, name?, address?, user?);
        let path = self.path(written.secret_file.as_ref());
        let variable = format!("HALCYON_MONITORING_{}_SECRET", name.to_uppercase().replace('-', "_"));
        let secret = secret::fetch(
            "secret",
            self.document,
            self.environment,
            &variable,
            &format!("monitoring.{name}.secret"),
            "secret_file",
            written.secret_file.as_ref().zip(path.as_deref()),
            place,
        );
        Some(Monitoring {
            name,
            kind,
            address,
            site,
            user,
            secret,
            ca_file,
            livestatus,
            confirm: written.confirm.map_or(CONFIRM, |spot| spot.value),
            read: Some(written.read.map_or(READ, |spot| spot.value)).filter(|every| !every.is_zero()),
        })
    }

    fn livestatus(&self, written: &Written) -> Option<LivestatusWay> {
        if let (Some(_), Some(spot)) = (&written.livestatus, &written.livestatus_command) {
            self.document.problem(spot, "cannot stand beside `livestatus`: one way is enough", None);
        }
        if let Some(spot) = &written.livestatus_command {
            let words: Vec<String> = spot.value.iter().map(|word| word.value.clone()).collect();
            if words.first().is_none_or(|program| program.trim().is_empty()) {
                let hint = Some("write [\"ssh\", \"hep@mon\", \"lq\"]".to_owned());
                self.document.problem(spot, "names no program", hint);
                return None;
            }
            return Some(LivestatusWay::Command(words));
        }
        let spot = written.livestatus.as_ref()?;
        let text = spot.value.trim();
        if let Some(path) = text.strip_prefix("unix:") {
            return self.path(Some(&spot.with(path.to_owned()))).map(LivestatusWay::Unix);
        }
        let address = text.strip_prefix("tcp:").unwrap_or_default();
        let sound = address.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) && !address.contains(char::is_whitespace)
        });
        if !sound {
            let hint = Some("write tcp:HOST:6557 or unix:/omd/sites/hep/tmp/run/live".to_owned());
            self.document.problem(spot, format!("`{text}` is no way to Livestatus"), hint);
            return None;
        }
        Some(LivestatusWay::Tcp(address.to_owned()))
    }
}
