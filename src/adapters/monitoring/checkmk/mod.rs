//! # CheckMK
//!
//! What is asked of a site goes over its REST API 1.0 (checked against the sources of Checkmk 2.2 to 2.4, `cmk/gui/openapi/endpoints/`); a check is forced over
//! Livestatus, since the REST API has nothing for it.
//!
//! - [`rest`]: the calls, and what its refusals say; [`read`]: from its rows to how things stand; [`livestatus`]: forcing a check.
//!
//! - **The account sees what it is shown**: a host of another contact group is unknown, not well. It needs `general.see_all`, `action.acknowledge`,
//!   `action.downtimes` and `action.addcomment`.
//! - **204 means that the command was written**, also where the site that should carry it out is out of reach. What came of it is read.
//! - **Collections are asked by `POST`, and by `GET` where a site does not know that yet** (before 2.3); which of both is remembered until the next start.

mod livestatus;
mod read;
mod rest;

pub use livestatus::Livestatus;

use crate::core::action::reason::Reason;
use crate::core::action::run::Secret;
use crate::core::alert::order::{Order, Target, Wanted};
use crate::core::alert::standing::{Reading, Standing};
use crate::runtime::ports::{Monitoring, MonitoringError, Of};
use async_trait::async_trait;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// The kind by which problems know it.
pub const SOURCE: &str = "check_mk";

/// A site, and the way to it.
#[derive(Debug, Clone)]
pub struct CheckMkOptions {
    /// Its name in the configuration.
    pub name: String,
    /// `https://mon.example.org/hep/check_mk`, without a slash at its end.
    pub address: String,
    /// Its name for itself, where all that it shows is its own; what it shows may be of any site where it is absent.
    pub site: Option<String>,
    /// The automation user.
    pub user: String,
    /// Its secret, or why there is none.
    pub secret: Result<Secret, String>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The way to Livestatus.
    pub livestatus: Option<Livestatus>,
    /// How long a call may take.
    pub timeout: Duration,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// A site of CheckMK.
pub struct CheckMk {
    options: CheckMkOptions,
    rest: Result<rest::Rest, String>,
}

impl CheckMk {
    /// Prepares the way; nothing is asked yet.
    pub fn new(options: CheckMkOptions) -> Self {
        let rest = rest::Rest::new(&options);
        Self { options, rest }
    }

    fn rest(&self) -> Result<&rest::Rest, MonitoringError> {
        self.rest.as_ref().map_err(|why| MonitoringError::Refused { why: why.clone() })
    }
}

#[async_trait]
impl Monitoring for CheckMk {
    fn name(&self) -> &str {
        &self.options.name
    }

    async fn read(&self, of: &Of) -> Result<Reading, MonitoringError> {
        let rest = self.rest()?;
        let asked = (self.options.now)();
        let site = self.options.site.as_deref().unwrap_or_default();
        let mut reading =
            Reading { monitoring: self.options.name.clone(), asked, all: false, list: Vec::new(), unknown: Vec::new() };
        match of {
            Of::Open => {
                reading.all = true;
                reading.list.extend(read::hosts(&rest.hosts(&read::open()).await?, site, asked)?);
                reading.list.extend(read::services(&rest.services(&read::open()).await?, site, asked)?);
            }
            Of::Named(targets) => {
                for part in targets.chunks(read::AT_ONCE) {
                    if let Some(query) = read::named_hosts(part) {
                        reading.list.extend(read::hosts(&rest.hosts(&query).await?, site, asked)?);
                    }
                    if let Some(query) = read::named_services(part) {
                        reading.list.extend(read::services(&rest.services(&query).await?, site, asked)?);
                    }
                    let downtimes = rest.downtimes(&read::downtimes_of(part)).await?;
                    read::put_downtimes(&mut reading.list, &downtimes)?;
                }
                let missing = |target: &&Target| reading.of(target).is_none();
                reading.unknown = targets.iter().filter(missing).cloned().collect();
            }
        }
        Ok(reading)
    }

    async fn send(&self, order: &Order, about: &Target, found: &Standing) -> Result<(), MonitoringError> {
        if order.wanted == Wanted::Recheck {
            let way = self.options.livestatus.as_ref();
            let way = way.ok_or_else(|| MonitoringError::Refused { why: Reason::NoLivestatus.to_string() })?;
            return way.force_check(about, (self.options.now)()).await;
        }
        self.rest()?.send(order, about, found).await
    }
}
