//! What exactly was asked for. A decision binds to it: what would run when it begins is compared with what stood on the card.
//!
//! **It holds no secret**: parameters are masked, and where there are secrets the imprint of the work is keyed with the master key, so that
//! nobody can try out what they are.

use super::Terms;
use crate::core::action::params::Resolved;
use crate::core::action::plan::Plan;
use crate::core::action::run::{HttpBody, HttpRequest, Letter, RemoteCommand, ShellCommand, Work};
use crate::core::action::spec::Action;
use crate::core::chat::secret::hide;
use crate::core::datastore::seal::MasterKey;
use crate::core::id::Host;
use crate::core::template::value::written;
use ring::digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Hash of the action's file.
    pub content: String,
    /// The parameters with a value, secrets masked.
    pub parameters: Map<String, Value>,
    /// The machines.
    pub hosts: Vec<Host>,
    /// What the policies want.
    pub terms: Vec<Terms>,
    /// The imprint of all that would be run, where, and as whom.
    pub work: String,
}

/// What is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The action's file.
    Content,
    /// These parameters.
    Parameters(Vec<String>),
    /// The machines.
    Hosts,
    /// The policies.
    Terms,
    /// The command, or what is around it.
    Work,
}

impl Snapshot {
    /// Takes it of what would run now.
    pub fn of(
        action: &Action,
        resolved: &Resolved,
        plan: &Plan,
        terms: &[Terms],
        key: Result<&MasterKey, &String>,
    ) -> Self {
        let hosts = match plan {
            Plan::Run(Work::Remote(remote)) => remote.hosts.iter().map(|machine| machine.host.clone()).collect(),
            _ => Vec::new(),
        };
        Self {
            content: action.content.clone(),
            parameters: resolved.masked(),
            hosts,
            terms: terms.to_vec(),
            work: imprint(&described(plan), &resolved.hidden(), key),
        }
    }

    /// What has changed since; the first thing that did, since it is the cause of what follows.
    pub fn change(&self, now: &Snapshot) -> Option<Change> {
        if self.content != now.content {
            return Some(Change::Content);
        }
        if self.parameters != now.parameters {
            let names: BTreeSet<&String> = self.parameters.keys().chain(now.parameters.keys()).collect();
            let differs = |name: &&&String| self.parameters.get(**name) != now.parameters.get(**name);
            return Some(Change::Parameters(names.iter().filter(differs).map(|name| (*name).clone()).collect()));
        }
        if self.hosts != now.hosts {
            return Some(Change::Hosts);
        }
        if self.terms != now.terms {
            return Some(Change::Terms);
        }
        (self.work != now.work).then_some(Change::Work)
    }
}

fn imprint(work: &str, secrets: &[String], key: Result<&MasterKey, &String>) -> String {
    let digest: Vec<u8> = match key {
        _ if secrets.is_empty() => digest::digest(&digest::SHA256, work.as_bytes()).as_ref().to_vec(),
        Ok(key) => key.imprint(work.as_bytes()).to_vec(),
        Err(_) => digest::digest(&digest::SHA256, hide(work, secrets.iter().cloned()).as_bytes()).as_ref().to_vec(),
    };
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// All of a plan as text, each part with its length before it, so that no two plans have the same text.
fn described(plan: &Plan) -> String {
    let mut text = String::new();
    match plan {
        Plan::Noop => put(&mut text, "noop", ""),
        Plan::Pause { longest, random } => put(&mut text, "pause", &format!("{longest:?} {random}")),
        Plan::Announce(announcement) => put(&mut text, "announce", &format!("{announcement:?}")),
        Plan::Ask(question) => put(&mut text, "ask", &format!("{question:?}")),
        Plan::Conduct(workflow) => put(&mut text, "conduct", &workflow.text),
        Plan::Inject(injection) => put(&mut text, "inject", &format!("{injection:?}")),
        Plan::Uuid { by_time } => put(&mut text, "uuid", &by_time.to_string()),
        Plan::Run(Work::Local(command)) => put_command(&mut text, command),
        Plan::Run(Work::Remote(remote)) => put_remote(&mut text, remote),
        Plan::Run(Work::Http(request)) => put_request(&mut text, request),
        Plan::Run(Work::Mail(letter)) => put_letter(&mut text, letter),
        Plan::Run(Work::Monitoring(order)) => put(&mut text, "order", &format!("{order:?}")),
    }
    text
}

fn put(text: &mut String, name: &str, value: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{name} {} {value}", value.len());
}

fn put_command(text: &mut String, command: &ShellCommand) {
    put(text, "script", &command.script);
    put(text, "cwd", command.cwd.as_deref().unwrap_or_default());
    for (name, value) in &command.env {
        put(text, name, value.reveal());
    }
    put(text, "sudo", &command.sudo.to_string());
    put(text, "sudo_password", command.sudo_password.as_ref().map_or("", |password| password.reveal()));
    put(text, "timeout", &format!("{:?}", command.timeout));
    put(text, "parting", &format!("{:?}", command.parting));
}

fn put_remote(text: &mut String, remote: &RemoteCommand) {
    for machine in &remote.hosts {
        put(text, "host", &format!("{} {:?}", machine.host, machine.port));
    }
    put(text, "username", remote.username.as_deref().unwrap_or_default());
    put(text, "port", &format!("{:?}", remote.port));
    put(text, "bastion", remote.bastion.as_deref().unwrap_or_default());
    put(text, "private_key", remote.private_key.as_ref().map_or("", |key| key.reveal()));
    put_command(text, &remote.command);
}

fn put_request(text: &mut String, request: &HttpRequest) {
    put(text, "method", &request.method);
    put(text, "url", request.url.reveal());
    for (name, value) in request.query.iter().chain(&request.headers).chain(&request.login) {
        put(text, name, value.reveal());
    }
    match &request.body {
        HttpBody::Empty => put(text, "empty", ""),
        HttpBody::Text(body) => put(text, "text", body.reveal()),
        HttpBody::File { name, content, kind } => {
            put(text, "file", &format!("{name} {kind:?}"));
            put(text, "content", content.reveal());
        }
    }
    let rest = (request.timeout, request.redirects, request.verify, &request.proxies, &request.hosts);
    put(text, "rest", &format!("{rest:?} {:?}", request.secret_output));
}

fn put_letter(text: &mut String, letter: &Letter) {
    let head = (&letter.from, &letter.to, &letter.subject, &letter.content_type, letter.timeout);
    put(text, "head", &format!("{head:?}"));
    put(text, "body", letter.body.reveal());
}

impl Resolved {
    /// The values that must not be seen, as they are written: of parameters, and those that defaults took from the datastore.
    pub fn hidden(&self) -> Vec<String> {
        let values = self.secrets.iter().filter_map(|name| self.values.get(name));
        let taken = self.taken.values().flatten().filter(|taken| taken.entry.secret).map(|taken| &taken.entry.value);
        values.chain(taken).filter(|value| !value.is_null()).map(written).collect()
    }
}
