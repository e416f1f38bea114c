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
//! - **Many are told of by one query** (`host_by_query`, `service_by_query`) where the API has that: acknowledgements, their end, and downtimes. Where a site refuses the query, each is
//!   asked for by itself, so that each refusal is told with its own words.
//! - **Many are looked at together**: all that is a problem and all downtimes, and by name only what is not among them. No address becomes longer than what Apache takes (8190 bytes).
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
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use std::collections::BTreeSet;
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

    /// How these stand, by their names; without what is not known.
    async fn named(
        &self,
        rest: &rest::Rest,
        targets: &[Target],
        asked: Timestamp,
    ) -> Result<Vec<Standing>, MonitoringError> {
        let site = self.options.site.as_deref().unwrap_or_default();
        let mut list = Vec::new();
        if let Some(query) = read::named_hosts(targets) {
            list.extend(read::hosts(&rest.hosts(&query).await?, site, asked)?);
        }
        if let Some(query) = read::named_services(targets) {
            list.extend(read::services(&rest.services(&query).await?, site, asked)?);
        }
        Ok(list)
    }

    /// Hands an order on that concerns several hosts, or several services: by one query where the API has one for it.
    async fn send_alike(&self, order: &Order, about: &[(Target, Standing)]) -> Vec<Result<(), MonitoringError>> {
        let mut came = Vec::new();
        if about.len() > 1 {
            let targets: Vec<Target> = about.iter().map(|(target, _)| target.clone()).collect();
            let at_once = match self.rest() {
                Ok(rest) => rest.send_query(order, &targets).await,
                Err(why) => Some(Err(why)),
            };
            match at_once {
                Some(Ok(())) => return vec![Ok(()); about.len()],
                Some(Err(why @ MonitoringError::Later { .. })) => return vec![Err(why); about.len()],
                Some(Err(why)) => {
                    // What is refused for one in the same words is refused for all.
                    let Some((target, found)) = about.first() else { return came };
                    let first = self.send(order, target, found).await;
                    if first.as_ref() == Err(&why) {
                        return vec![Err(why); about.len()];
                    }
                    came.push(first);
                }
                None => {}
            }
        }
        let left: Vec<_> =
            about.iter().skip(came.len()).map(|(target, found)| self.send(order, target, found)).collect();
        came.extend(stream::iter(left).buffered(rest::SINGLY_AT_ONCE).collect::<Vec<_>>().await);
        came
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
            Of::Named(targets) if targets.len() <= read::AT_ONCE => {
                for part in read::parts(targets) {
                    let mut found = self.named(rest, part, asked).await?;
                    let downtimes = rest.downtimes(Some(&read::downtimes_of(part))).await?;
                    read::put_downtimes(&mut found, &downtimes)?;
                    reading.list.extend(found);
                }
                let missing = |target: &&Target| reading.of(target).is_none();
                reading.unknown = targets.iter().filter(missing).cloned().collect();
            }
            Of::Named(targets) => {
                let wanted: BTreeSet<Target> = targets.iter().cloned().collect();
                let mut found = read::hosts(&rest.hosts(&read::open()).await?, site, asked)?;
                found.extend(read::services(&rest.services(&read::open()).await?, site, asked)?);
                found.retain(|standing| wanted.contains(&standing.target()));
                let open: BTreeSet<Target> = found.iter().map(Standing::target).collect();
                let others: Vec<Target> = wanted.difference(&open).cloned().collect();
                for part in read::parts(&others) {
                    found.extend(self.named(rest, part, asked).await?);
                }
                read::put_downtimes(&mut found, &rest.downtimes(None).await?)?;
                reading.list = found;
                let known: BTreeSet<Target> = reading.list.iter().map(Standing::target).collect();
                reading.unknown = wanted.difference(&known).cloned().collect();
            }
        }
        Ok(reading)
    }

    async fn send_all(&self, order: &Order, about: &[(Target, Standing)]) -> Vec<Result<(), MonitoringError>> {
        let mut came: Vec<Result<(), MonitoringError>> = Vec::new();
        came.resize_with(about.len(), || Ok(()));
        let (hosts, services): (Vec<usize>, Vec<usize>) =
            (0..about.len()).partition(|place| about.get(*place).is_some_and(|(target, _)| target.service.is_none()));
        for places in hosts.chunks(rest::TOLD_AT_ONCE).chain(services.chunks(rest::TOLD_AT_ONCE)) {
            let part: Vec<(Target, Standing)> = places.iter().filter_map(|place| about.get(*place)).cloned().collect();
            for (place, sent) in places.iter().zip(self.send_alike(order, &part).await) {
                if let Some(known) = came.get_mut(*place) {
                    *known = sent;
                }
            }
        }
        came
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
