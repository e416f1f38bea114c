//! What the site knows and tells: hosts, services, downtimes, and the notifications that come of them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;

use super::notification::{self, Notification, Notified};
use super::watched::{Comment, News, Watched};
use super::{Finding, Plugin};
use crate::sandbox::nodes::machine::wall_clock;

/// A host and its services as they were found last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Host {
    pub(crate) address: String,
    pub(crate) itself: Watched,
    pub(crate) services: BTreeMap<String, Watched>,
    pub(super) next: Duration,
    /// A check that somebody wants: from when on, and whether the services are to be looked at.
    pub(super) forced: Option<(i64, bool)>,
}

/// A time in which nothing is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Downtime {
    pub(crate) host: String,
    pub(crate) service: Option<String>,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// It begins at its start; one that is not fixed begins with a problem between start and end, and lasts `duration`.
    pub(crate) fixed: bool,
    pub(crate) duration: i64,
    pub(crate) author: String,
    pub(crate) comment: String,
    pub(crate) entered: i64,
    pub(crate) active: bool,
}

/// All that a site has in mind.
#[derive(Debug)]
pub(crate) struct Site {
    pub(super) server: String,
    pub(super) attempts: u32,
    pub(crate) hosts: BTreeMap<String, Host>,
    pub(crate) downtimes: BTreeMap<u64, Downtime>,
    downtimes_made: u64,
    comments_made: u64,
    problems: u64,
    /// The time of the last notification, in microseconds: no two have the same.
    last_told: i64,
    told: Vec<Notified>,
    outgoing: Option<mpsc::UnboundedSender<(Plugin, Notification)>>,
    plugin: Option<Plugin>,
    /// How often anything has changed.
    pub(crate) turns: u64,
}

impl Site {
    pub(super) fn new(server: &str, attempts: u32, hosts: BTreeMap<String, Host>) -> Self {
        Self {
            server: server.to_owned(),
            attempts: attempts.max(1),
            hosts,
            downtimes: BTreeMap::new(),
            downtimes_made: 0,
            comments_made: 0,
            problems: 0,
            last_told: 0,
            told: Vec::new(),
            outgoing: None,
            plugin: None,
            turns: 0,
        }
    }

    pub(super) fn notify_by(
        &mut self,
        plugin: Option<Plugin>,
        outgoing: mpsc::UnboundedSender<(Plugin, Notification)>,
    ) {
        (self.plugin, self.outgoing) = (plugin, Some(outgoing));
    }

    pub(super) fn told(&self) -> Vec<Notified> {
        self.told.clone()
    }

    pub(super) fn watched(&mut self, host: &str, service: Option<&str>) -> Option<&mut Watched> {
        let host = self.hosts.get_mut(host)?;
        match service {
            None => Some(&mut host.itself),
            Some(service) => host.services.get_mut(service),
        }
    }

    pub(super) fn services_of(&self, host: &str) -> Vec<String> {
        self.hosts.get(host).map(|host| host.services.keys().cloned().collect()).unwrap_or_default()
    }

    /// A check of this host as soon as that time has come.
    pub(super) fn force(&mut self, host: &str, when: i64, with_services: bool) {
        if let Some(host) = self.hosts.get_mut(host) {
            let before = host.forced.is_some_and(|(_, with_services)| with_services);
            host.forced = Some((when, with_services || before));
        }
    }

    /// Takes what a check of a host has found, and tells what is to be told of it.
    pub(super) fn take(&mut self, name: &str, finding: Finding, with_services: bool, now: i64) {
        self.turns += 1;
        let (attempts, problems) = (self.attempts, &mut self.problems);
        let Some(host) = self.hosts.get_mut(name) else { return };
        host.address = finding.address;
        let output = match finding.up {
            true => "Packet received via smart PING".to_owned(),
            false => "No IP packet received for 16.112 s (deadline is 15.000 s)".to_owned(),
        };
        // A host that does not answer was pinged for long already.
        let flaps = host.itself.take(u8::from(!finding.up), output, now, 1, problems);
        let mut found = Vec::new();
        if with_services {
            let services = match finding.up {
                true => finding.services,
                false => {
                    let output =
                        format!("[agent] Communication failed: timed out(!!), connecting to {}:6556", host.address);
                    vec![("Check_MK", 2, output)]
                }
            };
            for (service, state, output) in services {
                let watched = host.services.entry(service.to_owned()).or_default();
                found.push((service, watched.take(state, output, now, attempts, problems)));
            }
        }
        self.tell_of_flaps(name, None, flaps);
        self.settle(name, None);
        for (service, flaps) in found {
            self.tell_of_flaps(name, Some(service), flaps);
            self.settle(name, Some(service));
        }
    }

    fn tell_of_flaps(&mut self, host: &str, service: Option<&str>, flaps: Option<bool>) {
        if let (Some(begun), false) = (flaps, self.is_muted(host, service)) {
            self.notify(if begun { "FLAPPINGSTART" } else { "FLAPPINGSTOP" }, host, service, None);
        }
    }

    /// Tells of a thing what is to be told now.
    pub(super) fn settle(&mut self, host: &str, service: Option<&str>) {
        let muted = self.is_muted(host, service);
        let news = self.watched(host, service).and_then(|watched| watched.news(muted));
        match news {
            Some(News::Problem) => self.notify("PROBLEM", host, service, None),
            Some(News::Recovery) => self.notify("RECOVERY", host, service, None),
            None => {}
        }
    }

    /// How many downtimes a thing is in by itself.
    pub(crate) fn depth(&self, host: &str, service: Option<&str>) -> usize {
        let of =
            |downtime: &&Downtime| downtime.active && downtime.host == host && downtime.service.as_deref() == service;
        self.downtimes.values().filter(of).count()
    }

    /// Whether nothing may be told: it is in a downtime, or its host is, or is not there.
    pub(super) fn is_muted(&self, host: &str, service: Option<&str>) -> bool {
        let of_host = service.is_some()
            && (self.depth(host, None) > 0 || self.hosts.get(host).is_some_and(|host| host.itself.hard_state != 0));
        of_host || self.depth(host, service) > 0
    }

    /// Somebody writes about a thing.
    pub(super) fn write(
        &mut self,
        (host, service): (&str, Option<&str>),
        kind: u8,
        (author, text): (&str, &str),
        at: i64,
    ) {
        self.comments_made += 1;
        self.turns += 1;
        let comment = Comment { id: self.comments_made, author: author.to_owned(), text: text.to_owned(), kind, at };
        if let Some(watched) = self.watched(host, service) {
            watched.comments.push(comment);
        }
    }

    /// An acknowledgement ends by itself then.
    pub(super) fn expire(&mut self, host: &str, service: Option<&str>, at: i64) {
        if let Some(taken) = self.watched(host, service).and_then(|watched| watched.acknowledged.as_mut()) {
            taken.expires = Some(at);
        }
    }

    /// A downtime ends at another time.
    pub(super) fn move_downtime(&mut self, id: u64, end: i64) {
        if let Some(downtime) = self.downtimes.get_mut(&id) {
            downtime.end = end;
            self.turns += 1;
        }
    }

    // Downtimes.

    pub(super) fn schedule(&mut self, downtime: Downtime) {
        self.downtimes_made += 1;
        self.downtimes.insert(self.downtimes_made, downtime);
    }

    pub(super) fn cancel_downtime(&mut self, id: u64, of_service: bool) {
        if self.downtimes.get(&id).is_some_and(|downtime| downtime.service.is_some() == of_service) {
            self.end_downtime(id, "DOWNTIMECANCELLED");
        }
    }

    /// Begins the downtimes whose time has come and ends those whose time is over.
    pub(super) fn pass_time(&mut self, now: i64) {
        for host in self.hosts.values_mut() {
            for watched in std::iter::once(&mut host.itself).chain(host.services.values_mut()) {
                if watched.acknowledged.as_ref().and_then(|taken| taken.expires).is_some_and(|at| at <= now) {
                    watched.give_back();
                }
            }
        }
        let ids: Vec<u64> = self.downtimes.keys().copied().collect();
        for id in ids {
            let Some(downtime) = self.downtimes.get(&id).cloned() else { continue };
            if downtime.end <= now {
                self.end_downtime(id, "DOWNTIMEEND");
                continue;
            }
            let (host, service) = (downtime.host.as_str(), downtime.service.as_deref());
            let wanted = downtime.fixed || self.watched(host, service).is_some_and(|watched| watched.state != 0);
            if downtime.active || downtime.start > now || !wanted {
                continue;
            }
            let first = self.depth(host, service) == 0;
            if let Some(begun) = self.downtimes.get_mut(&id) {
                begun.active = true;
                if !begun.fixed {
                    begun.end = now + begun.duration;
                }
            }
            self.turns += 1;
            if first {
                self.notify("DOWNTIMESTART", host, service, Some((&downtime.author, &downtime.comment)));
            }
        }
    }

    fn end_downtime(&mut self, id: u64, kind: &'static str) {
        let Some(over) = self.downtimes.remove(&id) else { return };
        self.turns += 1;
        let (host, service) = (over.host.as_str(), over.service.as_deref());
        if over.active && self.depth(host, service) == 0 {
            self.notify(kind, host, service, Some((&over.author, &over.comment)));
        }
        // What has gone wrong meanwhile and still is.
        self.settle(host, service);
        if service.is_none() {
            for service in self.services_of(host) {
                self.settle(host, Some(&service));
            }
        }
    }

    // Notifications.

    /// Tells one thing: notes it, and has the plugin called.
    pub(super) fn notify(&mut self, kind: &'static str, host: &str, service: Option<&str>, said: Option<(&str, &str)>) {
        let depth = self.depth(host, None);
        self.last_told = wall_clock().as_microsecond().max(self.last_told + 1);
        self.turns += 1;
        let now = self.last_told;
        let Some(watched) = self.watched(host, service) else { return };
        watched.last_notification = now / 1_000_000;
        let state = watched.state;
        self.told.push(Notified { kind, host: host.to_owned(), service: service.map(str::to_owned), state });
        let (Some(plugin), Some(outgoing), Some(of)) = (&self.plugin, &self.outgoing, self.hosts.get(host)) else {
            return;
        };
        let about = notification::About { server: &self.server, kind, name: host, host: of, service, said, depth, now };
        // Nobody takes it any more where the cluster is being closed.
        let _ = outgoing.send((plugin.clone(), about.written()));
    }
}
