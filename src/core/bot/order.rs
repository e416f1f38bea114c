//! What is asked of monitorings: what a line leaves open is filled in from what is known of alerts.
//!
//! - **What was meant is written into the parameters** before anything is asked of anybody: so it is shown, approved, noted and repeated as that.
//! - **`storm` in the place of a host means the open problems of the storm**, those for which there is something to do: [`mod@super::storm_act`].
//! - **Nothing is guessed**: where a host has several open problems, the one who asks says which.

use super::Bot;
use super::start::{Declined, Prepared, Wish, declined_for, numbered};
use crate::core::action::flaw::Flaw;
use crate::core::action::params;
use crate::core::action::plan::PlanProblem;
use crate::core::action::shell::unusable;
use crate::core::action::spec::RunnerType;
use crate::core::alert::life::Alert;
use crate::core::alert::notification::Problem;
use crate::core::chat::when;
use crate::core::message::card::Card;
use crate::core::message::markdown;
use crate::core::settings::Monitored;
use crate::core::template::value::written;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// How many problems of a host are offered to choose from.
const OFFERED: usize = 9;

impl Bot {
    /// A wish for an order with what it leaves open filled in; any other as it is.
    pub(super) fn complete_order(&self, at: Timestamp, mut wish: Wish) -> Result<Wish, Box<Declined>> {
        if wish.action.runner != RunnerType::Monitoring {
            return Ok(wish);
        }
        let around = self.surroundings(at, wish.action.reference.pack(), &wish.by);
        // What is wrong with the values is said by those who resolve them to run.
        let Ok(mut resolved) = params::resolve_in(&wish.action, &wish.given, &around) else { return Ok(wish) };
        if let Some(problems) = self.problems_meant(&wish, &resolved.values)? {
            for name in ["host", "service"] {
                wish.given.remove(name);
                resolved.values.remove(name);
            }
            wish.given.insert("problems".to_owned(), problems.clone());
            resolved.values.insert("problems".to_owned(), problems);
        }
        let values = &resolved.values;
        let text = |name: &str| said(values, name);
        let order = text("order").unwrap_or_default();
        let monitoring = text("monitoring");
        let monitoring = monitoring.as_deref();
        let mut found: Vec<(&str, Value)> = Vec::new();
        let mut problem = None;
        let lists = values.get("problems").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        if let Some(host) = text("host").filter(|_| !lists) {
            let mut service = values.get("service").filter(|service| !service.is_null()).map(written);
            let open = self.alerts_of(&host, monitoring);
            if service.is_none()
                && let Some((named, rest)) = service_before(&order, &open, &text("comment").unwrap_or_default())
            {
                found.push(("comment", Value::from(rest)));
                service = Some(named);
            }
            let alert = match problem_meant(&order, open, service.as_deref()) {
                Ok(alert) => alert,
                Err(several) => return Err(self.which_problem(&wish, &host, &several)),
            };
            if let Some(alert) = alert {
                found.push(("host", Value::from(alert.problem.host.as_str())));
                if service.is_some() || about_problems(&order) {
                    found.push(("service", Value::from(alert.problem.service.as_deref().unwrap_or_default())));
                }
                problem = Some(alert.problem.clone());
            }
        } else if lists {
            let first = values.get("problems").and_then(Value::as_array).and_then(|list| list.first()?.as_object());
            let host = first.and_then(|first| said(first, "host")).unwrap_or_default();
            let service = first.and_then(|first| said(first, "service"));
            problem = self
                .alerts_of(&host, monitoring)
                .into_iter()
                .map(|alert| alert.problem.clone())
                .find(|problem| problem.service == service);
        }
        if lists && monitoring.is_none() && self.settings.monitorings.len() > 1 {
            let problems = self.each_with_its_monitoring(values).map_err(|why| declined_for(&wish, &why))?;
            found.push(("problems", problems));
        } else {
            let monitoring = self.monitoring_of(monitoring, problem.as_ref());
            found.push(("monitoring", Value::from(monitoring.map_err(|why| declined_for(&wish, &why))?)));
        }
        for (length, end) in [("duration", "end"), ("expires", "expires")] {
            let Some(length) = text(length) else { continue };
            if text(end).is_some_and(|end| end.parse::<Timestamp>().is_ok()) {
                continue;
            }
            let flaw = |flaw| declined_for(&wish, &unusable(if end == "end" { "duration" } else { end }, flaw));
            let until = when::lasting(&length).ok_or_else(|| flaw(Flaw::NotASpan))?;
            let until = when::resolve(until, at, &self.clock(&wish.zone)).map_err(|_| flaw(Flaw::NotASpan))?;
            found.push((end, Value::from(in_seconds(until.at))));
        }
        let ends = found.iter().any(|(name, _)| *name == "end") || text("end").is_some();
        if matches!(order.as_str(), "downtime" | "move_downtime") && !ends {
            return Err(declined_for(&wish, &unusable("duration", Flaw::NoEnd)));
        }
        for (name, value) in found {
            let fixed = wish.action.parameters.get(name).is_none_or(|parameter| parameter.immutable);
            if !fixed && values.get(name) != Some(&value) {
                wish.given.insert(name.to_owned(), value);
            }
        }
        Ok(wish)
    }

    /// A wish as it would be begun at that time, with what would be run; or why it would not.
    pub(super) fn would_begin(&self, at: Timestamp, wish: Wish) -> Result<(Wish, Prepared), Box<Declined>> {
        let wish = self.complete_order(at, wish)?;
        let prepared = self.prepare(at, &wish)?;
        Ok((wish, prepared))
    }

    /// The problems of the storm, where that is named in the place of a host.
    fn problems_meant(&self, wish: &Wish, values: &Map<String, Value>) -> Result<Option<Value>, Box<Declined>> {
        let lists = values.get("problems").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        let host = said(values, "host").filter(|host| !lists && self.names_the_storm(host));
        if host.is_none() || said(values, "service").is_some() {
            return Ok(None);
        }
        let order = said(values, "order").unwrap_or_default();
        let problems = self.problems_of_storm(&order, said(values, "monitoring").as_deref());
        problems.map(Some).map_err(|flaw| declined_for(wish, &unusable("host", flaw)))
    }

    /// A list of problems of which each says which monitoring watches it.
    fn each_with_its_monitoring(&self, values: &Map<String, Value>) -> Result<Value, PlanProblem> {
        let list = values.get("problems").and_then(Value::as_array).into_iter().flatten();
        let entries = list.map(|entry| {
            // What is no map is refused by those who make the order.
            let Some(map) = entry.as_object() else { return Ok(entry.clone()) };
            let (host, service) = (said(map, "host").unwrap_or_default(), said(map, "service"));
            let monitoring = said(map, "monitoring");
            let known = self.alerts_of(&host, monitoring.as_deref());
            let known = known.into_iter().find(|alert| alert.problem.service == service);
            let name = self.monitoring_of(monitoring.as_deref(), known.map(|alert| &alert.problem))?;
            let mut map = map.clone();
            map.insert("monitoring".to_owned(), Value::from(name));
            Ok(Value::Object(map))
        });
        entries.collect::<Result<Vec<Value>, PlanProblem>>().map(Value::Array)
    }

    /// The open problems of a host, by its name or the first part of it, in any case; those that one monitoring watches, where one is named.
    fn alerts_of(&self, host: &str, monitoring: Option<&str>) -> Vec<&Alert> {
        let its = |alert: &&Alert| self.is_watched_by(monitoring, &alert.problem);
        let open = || self.memory.alerts.alerts().filter(|alert| alert.recovered.is_none()).filter(its);
        let whole: Vec<&Alert> = open().filter(|alert| alert.problem.host.eq_ignore_ascii_case(host)).collect();
        if !whole.is_empty() {
            return whole;
        }
        let first = |alert: &&Alert| {
            alert.problem.host.split_once('.').is_some_and(|(first, _)| first.eq_ignore_ascii_case(host))
        };
        let short: Vec<&Alert> = open().filter(first).collect();
        let one = short.iter().all(|alert| Some(&alert.problem.host) == short.first().map(|first| &first.problem.host));
        if one { short } else { Vec::new() }
    }

    /// The monitoring that is meant, by its name in the configuration.
    fn monitoring_of(&self, named: Option<&str>, problem: Option<&Problem>) -> Result<String, PlanProblem> {
        let all = &self.settings.monitorings;
        let known = || all.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        if let Some(named) = named {
            let found = all.iter().find(|one| one.name.eq_ignore_ascii_case(named));
            let found = found.ok_or_else(|| unusable("monitoring", Flaw::NoSuchMonitoring { known: known() }))?;
            return Ok(found.name.clone());
        }
        let of_problem = problem.and_then(|problem| self.watches_over(problem));
        match (of_problem, all.as_slice()) {
            (Some(found), _) => Ok(found.name.clone()),
            (None, []) => Err(unusable("monitoring", Flaw::NoMonitoring)),
            (None, [only]) => Ok(only.name.clone()),
            (None, _) => Err(unusable("monitoring", Flaw::WhichMonitoring { known: known() })),
        }
    }

    /// Whether this monitoring watches what a problem is about; any may where none is named.
    pub(super) fn is_watched_by(&self, monitoring: Option<&str>, problem: &Problem) -> bool {
        let its = |name: &str| self.watches_over(problem).is_some_and(|one| one.name.eq_ignore_ascii_case(name));
        monitoring.is_none_or(its)
    }

    /// The configured monitoring that watches what a problem is about: one of its site before one of any site.
    pub(super) fn watches_over(&self, problem: &Problem) -> Option<&Monitored> {
        let of_kind = || self.settings.monitorings.iter().filter(|one| one.source == problem.source);
        let of_site = of_kind().find(|one| one.site.as_deref() == Some(problem.site.as_str()));
        of_site.or_else(|| {
            let mut any = of_kind().filter(|one| one.site.is_none() || problem.site.is_empty());
            any.next().filter(|_| any.next().is_none())
        })
    }

    /// Asks which of several problems is meant.
    fn which_problem(&self, wish: &Wish, host: &str, several: &[&Alert]) -> Box<Declined> {
        let service = |alert: &&Alert| alert.problem.service.clone().unwrap_or_default();
        let watched = |alert: &Alert| self.watches_over(&alert.problem).map(|one| one.name.as_str());
        let one_watches =
            several.iter().all(|alert| watched(alert) == several.first().and_then(|first| watched(first)));
        let offered: Vec<String> = several
            .iter()
            .filter(|_| wish.correctable)
            .take(OFFERED)
            .filter_map(|alert| {
                let alias = wish.alias.as_ref()?;
                let mut given = wish.given.clone();
                given.insert("service".to_owned(), Value::from(service(alert)));
                let line = self.catalog.matcher.line_for(alias, &given)?;
                let which = watched(alert).filter(|_| !one_watches);
                let which = which.map(|name| format!("monitoring={name}"));
                Some(std::iter::once(line).chain(which).collect::<Vec<_>>().join(" "))
            })
            .collect();
        let named = |alert: &&Alert| alert.problem.service.clone().unwrap_or_else(|| alert.problem.host.clone());
        let services = several.iter().take(OFFERED).map(named).collect();
        let problem = unusable("service", Flaw::WhichProblem { host: host.to_owned(), services });
        let card = Card::BadHosts { problem: markdown::prose(&problem.to_string()), suggestions: numbered(&offered) };
        Box::new(Declined { card, offered })
    }
}

/// The problem of these that an order is about, as far as it is known; several where it could be one or the other.
fn problem_meant<'a>(
    order: &str,
    open: Vec<&'a Alert>,
    service: Option<&str>,
) -> Result<Option<&'a Alert>, Vec<&'a Alert>> {
    let Some(service) = service else {
        if !about_problems(order) {
            // Only how the monitoring writes the name.
            return Ok(open.into_iter().next());
        }
        let taken = |alert: &&Alert| order != "remove_acknowledgement" || alert.acknowledged.is_some();
        let fitting: Vec<&Alert> = open.into_iter().filter(taken).collect();
        return match fitting.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            _ => Err(fitting),
        };
    };
    let own = |alert: &&Alert| alert.problem.service.as_deref().unwrap_or_default() == service;
    if let Some(exact) = open.iter().find(|alert| own(alert)) {
        return Ok(Some(exact));
    }
    let part = service.to_lowercase();
    let contains =
        |alert: &&Alert| alert.problem.service.as_ref().is_some_and(|known| known.to_lowercase().contains(&part));
    let fitting: Vec<&Alert> = open.into_iter().filter(contains).filter(|_| !part.is_empty()).collect();
    match fitting.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => Err(fitting),
    }
}

/// A service with an open problem that stands before a comment without quotes, and the rest of that.
fn service_before(order: &str, open: &[&Alert], comment: &str) -> Option<(String, String)> {
    if !about_problems(order) || comment.is_empty() {
        return None;
    }
    let named = open.iter().filter_map(|alert| alert.problem.service.clone());
    let stands = named.filter_map(|service| {
        let before = comment.get(..service.len())?;
        let rest = comment.get(service.len()..)?;
        let ends = rest.is_empty() || rest.starts_with([' ', ':', ',']);
        (before.eq_ignore_ascii_case(&service) && ends)
            .then(|| (service, rest.trim_start_matches([' ', ':', ',']).to_owned()))
    });
    stands.max_by_key(|(service, _)| service.len())
}

/// Whether an order that names no service is about the one open problem of its host; others are about the host itself.
fn about_problems(order: &str) -> bool {
    matches!(order, "acknowledge" | "remove_acknowledgement" | "comment")
}

fn said(values: &Map<String, Value>, name: &str) -> Option<String> {
    let text = values.get(name).filter(|value| !value.is_null()).map(written)?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whole seconds, as monitorings count.
fn in_seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
