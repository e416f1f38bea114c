//! The file as it is written: every key there is, its type, and where it stands. No defaults, no meaning.

use super::document::{self, Document, Section, Spot};
use crate::core::rule::guard::{LONGEST_COOLDOWN, MOST_AN_HOUR};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

pub(super) type Text = Option<Spot<String>>;
pub(super) type Texts = Option<Spot<Vec<Spot<String>>>>;
pub(super) type Seconds = Option<Spot<Duration>>;
pub(super) type Number = Option<Spot<u64>>;

/// In seconds.
const WEEK: u64 = 7 * 24 * 3600;
/// The longest time that can be written: a year.
const YEAR: u64 = 366 * 24 * 3600 + 1;

#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) mattermost: Option<Mattermost>,
    pub(super) http: Option<Http>,
    pub(super) store_path: Text,
    pub(super) store_keep: Seconds,
    pub(super) store_keep_outputs: Seconds,
    pub(super) store_reserve: Number,
    pub(super) control_socket: Text,
    pub(super) grace: Seconds,
    pub(super) packs: Texts,
    pub(super) configs: Text,
    pub(super) datastore: Option<Spot<()>>,
    pub(super) key_file: Text,
    pub(super) poll: Seconds,
    pub(super) ssh: Ssh,
    pub(super) run_as: Text,
    pub(super) local_output_limit: Number,
    pub(super) mail: Option<super::mail::Written>,
    pub(super) monitorings: Vec<super::monitoring::Written>,
    pub(super) limits: Limits,
    pub(super) guards: Guards,
    pub(super) alerts: Alerts,
    pub(super) storms: super::alerts::Storms,
    pub(super) escalation: super::alerts::Escalation,
    pub(super) hosts: Texts,
    pub(super) groups: Vec<(String, Spot<Group>)>,
    pub(super) access: super::access::Access,
    pub(super) log_level: Text,
    pub(super) log_format: Text,
}

#[derive(Debug)]
pub(super) struct Mattermost {
    pub(super) place: Spot<()>,
    pub(super) url: Text,
    pub(super) token_file: Text,
    pub(super) team: Text,
    pub(super) channels: Texts,
    pub(super) alert_channel: Text,
    pub(super) admin_channel: Text,
    pub(super) address: Texts,
    pub(super) prefix: Text,
    pub(super) callback_url: Text,
    pub(super) callback_key_file: Text,
    pub(super) ca_file: Text,
    pub(super) late_after: Seconds,
    pub(super) mention_after: Seconds,
    pub(super) time_zone: Text,
    pub(super) calls_per_second: Number,
    pub(super) calls_at_once: Number,
}

#[derive(Debug)]
pub(super) struct Http {
    pub(super) place: Spot<()>,
    pub(super) listen: Text,
    pub(super) tls_cert_file: Text,
    pub(super) tls_key_file: Text,
    pub(super) allow: Texts,
}

#[derive(Debug, Default)]
pub(super) struct Ssh {
    pub(super) config_file: Text,
    pub(super) known_hosts: Text,
    pub(super) known_hosts_file: Text,
    pub(super) max_parallel: Number,
    pub(super) connect_timeout: Seconds,
    pub(super) output_limit: Number,
}

#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) executions: Number,
    pub(super) executions_per_user: Number,
    pub(super) lines_per_user: Number,
    pub(super) lines_per_channel: Number,
    pub(super) scheduled_per_user: Number,
    pub(super) approvals_per_user: Number,
    pub(super) scheduled_late: Seconds,
    pub(super) workflow_tasks: Number,
    pub(super) workflow_idle: Number,
    pub(super) waiting: Number,
    pub(super) waiting_per_user: Number,
    pub(super) longest_wait: Seconds,
}

#[derive(Debug, Default)]
pub(super) struct Guards {
    pub(super) cooldown: Seconds,
    pub(super) per_hour: Number,
    pub(super) failures: Number,
}

#[derive(Debug, Default)]
pub(super) struct Alerts {
    pub(super) settle: Seconds,
}

#[derive(Debug)]
pub(super) enum Group {
    Members(Vec<Spot<String>>),
    Command { command: Text, refresh: Seconds },
}

/// Reads every key and reports those that do not exist and those of the wrong type.
pub(super) fn read(document: &Document<'_>, table: &DeTable<'_>) -> File {
    let root = Section::root(document, table);
    let mut file = File {
        mattermost: root.section("mattermost").map(mattermost),
        http: root.section("http").map(http),
        mail: root.section("mail").map(super::mail::read),
        monitorings: root.sections("monitoring").into_iter().map(super::monitoring::read).collect(),
        ..File::default()
    };
    if let Some(store) = root.section("store") {
        file.store_path = store.string("path");
        file.store_keep = store.seconds("keep", 0..100 * YEAR);
        file.store_keep_outputs = store.seconds("keep_outputs", 0..100 * YEAR);
        file.store_reserve = store.number("reserve", 0..1 << 50);
        store.close();
    }
    if let Some(control) = root.section("control") {
        file.control_socket = control.string("socket");
        control.close();
    }
    if let Some(serve) = root.section("serve") {
        file.grace = serve.seconds("grace", 0..3601);
        serve.close();
    }
    if let Some(content) = root.section("content") {
        file.packs = content.strings("packs");
        file.configs = content.string("configs");
        file.poll = content.seconds("poll", 0..3601);
        content.close();
    }
    if let Some(datastore) = root.section("datastore") {
        datastore.refuse(
            "key",
            "a secret does not stand in this file",
            "put it into a file and name that by `key_file`, or set HALCYON_DATASTORE_KEY",
        );
        file.datastore = Some(datastore.place.clone());
        file.key_file = datastore.string("key_file");
        datastore.close();
    }
    if let Some(section) = root.section("ssh") {
        file.ssh = ssh(section);
    }
    if let Some(local) = root.section("local") {
        file.run_as = local.string("run_as");
        file.local_output_limit = local.number("output_limit", 4096..1 << 40);
        local.close();
    }
    if let Some(section) = root.section("limits") {
        file.limits = limits(section);
    }
    if let Some(section) = root.section("alerts") {
        file.alerts = Alerts { settle: section.seconds("settle", 0..3601) };
        section.close();
    }
    if let Some(section) = root.section("storms") {
        file.storms = super::alerts::storms(section);
    }
    if let Some(section) = root.section("escalation") {
        file.escalation = super::alerts::escalation(section);
    }
    if let Some(section) = root.section("guards") {
        file.guards = guards(section);
    }
    if let Some(inventory) = root.section("inventory") {
        file.hosts = inventory.strings("hosts");
        if let Some(section) = inventory.section("groups") {
            file.groups = groups(&section);
        }
        inventory.close();
    }
    if let Some(access) = root.section("access") {
        file.access = super::access::read(access);
    }
    if let Some(log) = root.section("log") {
        file.log_level = log.string("level");
        file.log_format = log.string("format");
        log.close();
    }
    root.close();
    file
}

fn mattermost(section: Section<'_, '_>) -> Mattermost {
    section.refuse(
        "token",
        "a secret does not stand in this file",
        "put it into a file and name that by `token_file`, or set HALCYON_MATTERMOST_TOKEN",
    );
    let mattermost = Mattermost {
        place: section.place.clone(),
        url: section.string("url"),
        token_file: section.string("token_file"),
        team: section.string("team"),
        channels: section.strings("channels"),
        alert_channel: section.string("alert_channel"),
        admin_channel: section.string("admin_channel"),
        address: section.strings("address"),
        prefix: section.string("prefix"),
        callback_url: section.string("callback_url"),
        callback_key_file: section.string("callback_key_file"),
        ca_file: section.string("ca_file"),
        late_after: section.seconds("late_after", 0..86_401),
        mention_after: section.seconds("mention_after", 0..YEAR),
        time_zone: section.string("time_zone"),
        calls_per_second: section.number("calls_per_second", 1..100_001),
        calls_at_once: section.number("calls_at_once", 1..100_001),
    };
    section.close();
    mattermost
}

fn http(section: Section<'_, '_>) -> Http {
    let http = Http {
        place: section.place.clone(),
        listen: section.string("listen"),
        tls_cert_file: section.string("tls_cert_file"),
        tls_key_file: section.string("tls_key_file"),
        allow: section.strings("allow"),
    };
    section.close();
    http
}

fn ssh(section: Section<'_, '_>) -> Ssh {
    let ssh = Ssh {
        config_file: section.string("config_file"),
        known_hosts: section.string("known_hosts"),
        known_hosts_file: section.string("known_hosts_file"),
        max_parallel: section.number("max_parallel", 1..10_001),
        connect_timeout: section.seconds("connect_timeout", 1..3601),
        output_limit: section.number("output_limit", 4096..1 << 40),
    };
    section.close();
    ssh
}

fn limits(section: Section<'_, '_>) -> Limits {
    let limits = Limits {
        executions: section.number("executions", 1..1_000_001),
        executions_per_user: section.number("executions_per_user", 1..1_000_001),
        lines_per_user: section.number("lines_per_user", 1..1_000_001),
        lines_per_channel: section.number("lines_per_channel", 1..1_000_001),
        scheduled_per_user: section.number("scheduled_per_user", 0..1_000_001),
        approvals_per_user: section.number("approvals_per_user", 0..1_000_001),
        scheduled_late: section.seconds("scheduled_late", 0..WEEK + 1),
        workflow_tasks: section.number("workflow_tasks", 1..1_000_001),
        workflow_idle: section.number("workflow_idle", 1..1_000_001),
        waiting: section.number("waiting", 0..1_000_001),
        waiting_per_user: section.number("waiting_per_user", 0..1_000_001),
        longest_wait: section.seconds("longest_wait", 1..WEEK + 1),
    };
    section.close();
    limits
}

fn guards(section: Section<'_, '_>) -> Guards {
    let guards = Guards {
        cooldown: section.seconds("cooldown", 0..LONGEST_COOLDOWN.as_secs() + 1),
        per_hour: section.number("per_hour", 0..u64::from(MOST_AN_HOUR) + 1),
        failures: section.number("failures", 0..1_000_001),
    };
    section.close();
    guards
}

fn groups(section: &Section<'_, '_>) -> Vec<(String, Spot<Group>)> {
    let document = section.document();
    let mut groups = Vec::new();
    for (name, value) in section.named() {
        let group = match value.value {
            DeValue::Array(_) => Group::Members(document::texts(document, &value)),
            DeValue::Table(_) => {
                let Some(table) = document::table(document, &value) else { continue };
                let group =
                    Group::Command { command: table.string("command"), refresh: table.seconds("refresh", 1..YEAR) };
                table.close();
                group
            }
            _ => {
                let hint = format!("write {name} = [\"wn[001-010]\"] or {name} = {{command = \"...\", refresh = 300}}");
                document.problem(&value, "must be a list of hosts or a table with a command", Some(hint));
                continue;
            }
        };
        groups.push((name, value.with(group)));
    }
    groups
}
