//! `[[monitoring]]`: the monitorings that can be asked and told.

use super::document::{Section, Spot};
use super::judge::Judge;
use super::secret;
use crate::core::action::run::Secret;
use crate::core::alert::source::Source;
use crate::core::content::diagnostic::Diagnostic;
use crate::core::settings::Monitored;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// How long a monitoring has to show what was asked for, unless said otherwise.
const CONFIRM: Duration = Duration::from_secs(60);
/// The words for what a monitoring is.
const KINDS: [(&str, MonitoringKind); 4] = [
    ("checkmk", MonitoringKind::CheckMk),
    ("nagios", MonitoringKind::Nagios),
    ("icinga2", MonitoringKind::Icinga2),
    ("alertmanager", MonitoringKind::Alertmanager),
];
/// How often it is asked how things stand, unless said otherwise.
const READ: Duration = Duration::from_secs(300);

/// One of `[[monitoring]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitoring {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: MonitoringKind,
    /// Where it is asked, without a slash at its end; empty for Nagios, which has files instead.
    pub address: String,
    /// The site whose problems are its; of any site when absent.
    pub site: Option<String>,
    /// The account there; empty where nobody has to say who they are.
    pub user: String,
    /// Whether it is asked without saying who asks.
    pub open: bool,
    /// The secret of the account, or what to tell the one who needs it.
    pub secret: Result<Secret, Diagnostic>,
    /// The files of a Nagios.
    pub nagios: Option<NagiosFiles>,
    /// The label of Alertmanager's alerts that has the host, where it is not `instance`.
    pub host_label: Option<String>,
    /// Which events of Icinga are heard, as an expression of its own; all of them when absent.
    pub filter: Option<String>,
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
            checks: match self.kind {
                MonitoringKind::CheckMk => self.livestatus.is_some(),
                MonitoringKind::Nagios | MonitoringKind::Icinga2 => true,
                MonitoringKind::Alertmanager => false,
            },
            host_label: self.host_label.clone(),
            read: self.read,
        }
    }
}

/// What a monitoring is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitoringKind {
    /// A site of CheckMK.
    CheckMk,
    /// Nagios 4, or Naemon.
    Nagios,
    /// Icinga 2.
    Icinga2,
    /// Prometheus' Alertmanager.
    Alertmanager,
}

/// The files of a Nagios, and the way to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NagiosFiles {
    /// Its command pipe.
    pub command_file: PathBuf,
    /// Its status file.
    pub status_file: PathBuf,
    /// The program that runs a command on its machine, with its first words; nothing where it is this one.
    pub by: Vec<String>,
}

impl MonitoringKind {
    /// The kind by which problems know it.
    pub fn source(self) -> &'static str {
        match self {
            MonitoringKind::CheckMk => Source::CheckMk.name(),
            MonitoringKind::Nagios => Source::Nagios.name(),
            MonitoringKind::Icinga2 => Source::Icinga2.name(),
            MonitoringKind::Alertmanager => Source::Alertmanager.name(),
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
    command_file: Option<Spot<String>>,
    status_file: Option<Spot<String>>,
    by: Option<Spot<Vec<Spot<String>>>>,
    host_label: Option<Spot<String>>,
    filter: Option<Spot<String>>,
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
        command_file: section.string("command_file"),
        status_file: section.string("status_file"),
        by: section.strings("by"),
        host_label: section.string("host_label"),
        filter: section.string("filter"),
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
        let kind = kind.and_then(|spot| self.word(&spot, &KINDS));
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
        let address = match kind {
            Some(MonitoringKind::Nagios) => Some(String::new()),
            _ => {
                let example = "https://mon.example.org/hep/check_mk";
                let address = self.required(place, written.address.as_ref(), "address", example);
                address.and_then(|spot| self.url(&spot, false))
            }
        };
        let open = match kind {
            Some(MonitoringKind::Nagios) => true,
            Some(MonitoringKind::Alertmanager) => written.user.is_none() && written.secret_file.is_none(),
            _ => false,
        };
        let needed = !matches!(kind, Some(MonitoringKind::Nagios | MonitoringKind::Alertmanager));
        let named = match (&written.user, needed) {
            (None, false) => Some(None),
            _ => self.required(place, written.user.as_ref(), "user", "halcyon").map(Some),
        };
        let user = named.and_then(|spot| {
            let Some(spot) = spot else { return Some(String::new()) };
            let user = spot.value.trim().to_owned();
            let sound = !user.is_empty() && user.chars().all(|letter| letter.is_ascii_graphic());
            if !sound {
                self.document.problem(&spot, format!("`{user}` is not the name of an account"), None);
            }
            sound.then_some(user)
        });
        if let Some(kind) = kind {
            self.meaningless(&written, kind);
        }
        let nagios = match kind {
            Some(MonitoringKind::Nagios) => Some(self.nagios(&written)?),
            _ => None,
        };
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
            open,
            secret,
            nagios,
            host_label: text(written.host_label),
            filter: text(written.filter),
            ca_file,
            livestatus,
            confirm: written.confirm.map_or(CONFIRM, |spot| spot.value),
            read: Some(written.read.map_or(READ, |spot| spot.value)).filter(|every| !every.is_zero()),
        })
    }

    /// Keys that another kind of monitoring has.
    fn meaningless(&self, written: &Written, kind: MonitoringKind) {
        use MonitoringKind::{Alertmanager, CheckMk, Icinga2, Nagios};
        let spot = |text: &Option<Spot<String>>| text.as_ref().map(|spot| spot.with(()));
        let spots = |texts: &Option<Spot<Vec<Spot<String>>>>| texts.as_ref().map(|spot| spot.with(()));
        let keys: [(Option<Spot<()>>, &[MonitoringKind]); 11] = [
            (spot(&written.address), &[CheckMk, Icinga2, Alertmanager]),
            (spot(&written.user), &[CheckMk, Icinga2, Alertmanager]),
            (spot(&written.secret_file), &[CheckMk, Icinga2, Alertmanager]),
            (spot(&written.ca_file), &[CheckMk, Icinga2, Alertmanager]),
            (spot(&written.livestatus), &[CheckMk]),
            (spots(&written.livestatus_command), &[CheckMk]),
            (spot(&written.command_file), &[Nagios]),
            (spot(&written.status_file), &[Nagios]),
            (spots(&written.by), &[Nagios]),
            (spot(&written.host_label), &[Alertmanager]),
            (spot(&written.filter), &[Icinga2]),
        ];
        let word = KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| *word);
        for (spot, kinds) in keys {
            if let Some(spot) = spot.filter(|_| !kinds.contains(&kind)) {
                self.document.problem(&spot, format!("means nothing for a monitoring of the kind `{word}`"), None);
            }
        }
    }

    /// The files of a Nagios.
    fn nagios(&self, written: &Written) -> Option<NagiosFiles> {
        let place = &written.place;
        let file = |spot: &Option<Spot<String>>, key: &str, example: &str| {
            let spot = self.required(place, spot.as_ref(), key, example)?;
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@".contains(letter);
            // Another machine's shell may read it.
            if !spot.value.starts_with('/') || !spot.value.chars().all(plain) {
                let hint = Some("write the whole path, of letters, digits and /._-+@".to_owned());
                self.document.problem(&spot, format!("`{}` is no path of a file there", spot.value), hint);
                return None;
            }
            Some(PathBuf::from(&spot.value))
        };
        let command_file = file(&written.command_file, "command_file", "/var/lib/nagios4/rw/nagios.cmd");
        let status_file = file(&written.status_file, "status_file", "/var/lib/nagios4/status.dat");
        let by: Vec<String> = written.by.iter().flat_map(|spot| &spot.value).map(|word| word.value.clone()).collect();
        if let (Some(spot), Some(true)) = (&written.by, by.first().map(|program| program.trim().is_empty())) {
            self.document.problem(spot, "names no program", Some("write [\"ssh\", \"nagios@mon01\"]".to_owned()));
            return None;
        }
        Some(NagiosFiles { command_file: command_file?, status_file: status_file?, by })
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

/// What stands there, where it is more than nothing.
fn text(spot: Option<Spot<String>>) -> Option<String> {
    spot.map(|spot| spot.value.trim().to_owned()).filter(|text| !text.is_empty())
}
