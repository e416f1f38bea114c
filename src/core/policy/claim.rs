//! What an execution needs for itself: machines, and places in policies.
//!
//! The machines are those on which it runs something. An action that runs on the bot's own machine or asks a web server can act on
//! machines all the same, by the names that it is given (`ipmitool -H …`); these are its parameters of the types string and array whose value is
//! nothing but machines, and the inventory tells what is one.
//!
//! **A secret is never noted**: where one is among the attributes of a policy, their values are compared by an imprint that is keyed with the master key.
//! Without a master key all values of a secret count as the same, so that rather too few run at once than too many.

use super::Concurrency;
use super::turn::{Claim, Place};
use crate::core::action::execution::{EffectClass, Requested};
use crate::core::action::params::Resolved;
use crate::core::action::spec::{Action, ParameterType, RunnerType};
use crate::core::datastore::seal::MasterKey;
use crate::core::host::{Inventory, expand};
use crate::core::id::Host;
use crate::core::template::value::written;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;

/// How many digits of an imprint tell groups of one policy apart.
const DIGITS: usize = 32;

impl Requested {
    /// What the execution needs for itself.
    pub fn claim(&self) -> Claim {
        let machines: BTreeSet<&Host> = self.hosts.iter().chain(&self.named).collect();
        Claim {
            hosts: machines.into_iter().cloned().collect(),
            looks: self.effect == EffectClass::ReadOnly,
            places: self.places.clone(),
        }
    }
}

/// The machines that the parameters of an action name though nothing is run on them. Without a list of machines nothing is known to be one.
pub fn named(action: &Action, resolved: &Resolved, inventory: &Inventory) -> Vec<Host> {
    let acts = match action.runner {
        RunnerType::LocalShellCmd | RunnerType::LocalShellScript | RunnerType::HttpRequest => true,
        RunnerType::RemoteShellCmd
        | RunnerType::RemoteShellScript
        | RunnerType::Announcement
        | RunnerType::Inquirer
        | RunnerType::Noop
        | RunnerType::Pause
        | RunnerType::Mail
        // It acts on what the monitoring has in mind of a machine, which several may do at once.
        | RunnerType::Monitoring
        // Its tasks need what they act on, each for itself; they would wait for their own workflow.
        | RunnerType::Orquesta
        | RunnerType::InjectTrigger
        | RunnerType::Uuid => false,
    };
    if !acts || inventory.hosts.is_empty() {
        return Vec::new();
    }
    let mut machines = BTreeSet::new();
    for (name, value) in &resolved.values {
        let kind = action.parameters.get(name).and_then(|parameter| parameter.kind);
        let own = !action.runner_parameters.contains(name) && !resolved.secrets.contains(name);
        if own && matches!(kind, None | Some(ParameterType::String | ParameterType::Array)) {
            machines.extend(meant(value, inventory));
        }
    }
    machines.into_iter().collect()
}

/// The machines that a value names, if it names nothing else.
fn meant(value: &Value, inventory: &Inventory) -> Vec<Host> {
    let Some(text) = words_of(value) else { return Vec::new() };
    let machines = expand(&text, inventory).unwrap_or_default();
    machines.into_iter().map(|machine| machine.host).collect()
}

/// The text, or the texts of the list, that a value is.
pub(super) fn words_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            Some(items.iter().map(written).collect::<Vec<_>>().join(","))
        }
        _ => None,
    }
}

/// The place that an execution needs in each of these policies.
pub fn places(policies: &[Concurrency], resolved: &Resolved, key: Result<&MasterKey, &String>) -> Vec<Place> {
    let place = |policy: &Concurrency| {
        let group = group(&policy.attributes, resolved, key);
        Place { policy: policy.policy.clone(), group, threshold: policy.threshold }
    };
    policies.iter().map(place).collect()
}

/// The imprint of the values of these parameters; empty where there are none.
fn group(attributes: &[String], resolved: &Resolved, key: Result<&MasterKey, &String>) -> String {
    if attributes.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    let mut secret = false;
    let names: BTreeSet<&String> = attributes.iter().collect();
    for name in names {
        let hidden = resolved.secrets.contains(name);
        secret |= hidden;
        let value = match resolved.values.get(name) {
            // A parameter without a value counts as one that is null.
            None => "null".to_owned(),
            Some(_) if hidden && key.is_err() => "secret".to_owned(),
            Some(value) => sorted(value).to_string(),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{name} {} {value}", value.len());
    }
    let imprint = match key {
        Ok(key) if secret => key.imprint(text.as_bytes()),
        _ => Sha256::digest(text.as_bytes()).into(),
    };
    imprint.iter().take(DIGITS / 2).fold(String::with_capacity(DIGITS), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The same value with the keys of its maps in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.iter().map(|(key, item)| (key.clone(), sorted(item))).collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(entries.into_iter().collect())
        }
        other => other.clone(),
    }
}
