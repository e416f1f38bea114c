//! The monitorings of the configuration, each with the adapter of its kind.

use crate::adapters::monitoring::Address;
use crate::adapters::monitoring::alertmanager::{Alertmanager, AlertmanagerOptions};
use crate::adapters::monitoring::checkmk::{CheckMk, CheckMkOptions, Livestatus};
use crate::adapters::monitoring::icinga2::{Icinga2, Icinga2Options};
use crate::adapters::monitoring::nagios::{Nagios, NagiosOptions};
use crate::config::{LivestatusWay, Monitoring as Section, MonitoringKind};
use crate::core::alert::alertmanager::INSTANCE;
use crate::runtime::ports::Monitoring;
use std::sync::Arc;
use std::time::Duration;

/// How long one question to a monitoring may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The monitoring that a section describes. Nothing is asked yet.
pub(super) fn monitoring(section: &Section) -> Arc<dyn Monitoring> {
    let (name, now) = (section.name.clone(), super::now as fn() -> jiff::Timestamp);
    let site = section.site.clone().unwrap_or_default();
    match (section.kind, &section.nagios) {
        (MonitoringKind::CheckMk, _) => Arc::new(CheckMk::new(checkmk(section))),
        (MonitoringKind::Icinga2, _) => {
            let filter = section.filter.clone();
            Arc::new(Icinga2::new(Icinga2Options { name, site, address: address(section), filter, now }))
        }
        (MonitoringKind::Alertmanager, _) => {
            let host_label = section.host_label.clone().unwrap_or_else(|| INSTANCE.to_owned());
            Arc::new(Alertmanager::new(AlertmanagerOptions { name, site, address: address(section), host_label, now }))
        }
        (MonitoringKind::Nagios, files) => {
            let files = files.clone();
            Arc::new(Nagios::new(NagiosOptions {
                name,
                site,
                command_file: files.as_ref().map(|files| files.command_file.clone()).unwrap_or_default(),
                status_file: files.as_ref().map(|files| files.status_file.clone()).unwrap_or_default(),
                by: files.map(|files| files.by).unwrap_or_default(),
                timeout: TIMEOUT,
                now,
            }))
        }
    }
}

fn address(section: &Section) -> Address {
    let secret = section.secret.clone().map_err(|problem| problem.to_string());
    Address {
        url: section.address.clone(),
        user: Some(section.user.clone()).filter(|user| !user.is_empty()),
        secret: (!section.open).then_some(secret),
        ca_file: section.ca_file.clone(),
        timeout: TIMEOUT,
    }
}

fn checkmk(section: &Section) -> CheckMkOptions {
    CheckMkOptions {
        name: section.name.clone(),
        address: section.address.clone(),
        site: section.site.clone(),
        user: section.user.clone(),
        secret: section.secret.clone().map_err(|problem| problem.to_string()),
        ca_file: section.ca_file.clone(),
        livestatus: section.livestatus.clone().map(|way| match way {
            LivestatusWay::Tcp(address) => Livestatus::Tcp(address),
            LivestatusWay::Unix(path) => Livestatus::Unix(path),
            LivestatusWay::Command(words) => Livestatus::Command(words),
        }),
        timeout: TIMEOUT,
        now: super::now,
    }
}
