//! # Configuration
//!
//! `config.toml` in, a [`Config`] or everything that is wrong with the file out.
//!
//! Life cycle: [`Config::load`] reads the file; `document` walks it with the place of every value; `file` takes the keys as they are
//! written and checks their types; `judge` gives them their meaning (paths, names, secrets, what does not go together) and fills in what
//! `validated` has: the configuration as it is used, with its defaults.
//!
//! **All problems are told at once**, each with line, key path and what to do. **An unknown key is an error.** **Paths are relative to the
//! directory of the file.** **A secret never stands in the file**: it comes from a file of its own or from the environment, which is an
//! argument here, so that nothing is read behind the caller's back.
//!
//! A secret that cannot be had does not make the file wrong: `halcyon check` runs where secrets are not. It is a warning there, and an
//! error for the one who needs the secret ([`Mattermost::token`]).

mod access;
mod alerts;
mod document;
mod file;
mod inventory;
mod judge;
mod mail;
mod monitoring;
mod network;
mod secret;
mod validated;

pub use inventory::{GroupSource, InventorySource};
pub use mail::{Mail, MailEncryption};
pub use monitoring::{LivestatusWay, Monitoring, MonitoringKind, NagiosFiles};
pub use network::Network;
pub use validated::{
    Config, Content, Control, Datastore, HostKeys, Http, Local, Log, LogFormat, Mattermost, Serve, Ssh, Store,
};

use std::collections::BTreeMap;

/// Environment variables by name.
pub type Environment = BTreeMap<String, String>;
