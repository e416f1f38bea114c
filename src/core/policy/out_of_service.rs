//! Machines that executions of ours have out of service while they run, as their actions say, and who has which.
//!
//! An action names the parameters whose machines it takes out (`tags: [{name: out_of_service, value: node}]`). What they come to is noted with the execution when
//! it begins ([`Requested::out_of_service`]), so that the machines are the same to its end, whatever becomes of the file, the groups or the process.
//!
//! **Who has a machine is found by its name**, at a cost that grows with those who have it and with nothing else.
//!
//! [`Requested::out_of_service`]: crate::core::action::execution::Requested::out_of_service

use super::claim::words_of;
use crate::core::action::params::Resolved;
use crate::core::action::spec::Action;
use crate::core::host::{Inventory, expand};
use crate::core::id::{ExecutionId, Host};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The machines that an action takes out of service with these values. A name that the inventory does not know is taken as it is: the action may reach
/// the machine by other ways.
pub fn machines(action: &Action, resolved: &Resolved, inventory: &Inventory) -> Vec<Host> {
    let mut machines = BTreeSet::new();
    for name in action.out_of_service.iter().filter(|name| !resolved.secrets.contains(*name)) {
        let Some(text) = resolved.values.get(name).and_then(words_of) else { continue };
        let found = expand(&text, inventory).or_else(|_| expand(&text, &Inventory::default()));
        machines.extend(found.unwrap_or_default().into_iter().map(|machine| machine.host));
    }
    machines.into_iter().collect()
}

/// Who has which machine out of service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OutOfService {
    /// By the name in small letters: those who tell of a machine may write it otherwise.
    by_host: BTreeMap<String, BTreeSet<ExecutionId>>,
}

impl OutOfService {
    /// Nobody has any.
    pub fn is_empty(&self) -> bool {
        self.by_host.is_empty()
    }

    /// An execution that takes these machines out has begun.
    pub fn begin(&mut self, execution: &ExecutionId, machines: &[Host]) {
        for machine in machines {
            self.by_host.entry(name_of(machine.as_str())).or_default().insert(execution.clone());
        }
    }

    /// It has ended.
    pub fn end(&mut self, execution: &ExecutionId, machines: &[Host]) {
        for machine in machines {
            let name = name_of(machine.as_str());
            if let Some(holders) = self.by_host.get_mut(&name) {
                holders.remove(execution);
                if holders.is_empty() {
                    self.by_host.remove(&name);
                }
            }
        }
    }

    /// Those who have a machine, the one that began first before the others.
    pub fn holders(&self, machine: &str) -> impl Iterator<Item = &ExecutionId> {
        self.by_host.get(&name_of(machine)).into_iter().flatten()
    }
}

/// One name for all ways to write one.
pub fn name_of(machine: &str) -> String {
    machine.to_lowercase()
}
