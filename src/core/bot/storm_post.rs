//! What the post of a storm shows: how many, and what they have in common.
//!
//! **Few stand before many**: what is unlike the others, the one storage server among a hundred worker nodes, has the first lines and is told with what its
//! check says. Then come the groups in the order of their size, and what is over.
//!
//! A problem is shown with the largest of the groups that its host is in, by the monitoring or else by the inventory; of two that explain as many the
//! smaller one, since it says more: that a whole rack is down and not that worker nodes are.

use super::Bot;
use crate::core::alert::life::{Alert, Remedy};
use crate::core::alert::notification::{Problem, State};
use crate::core::alert::offer::Origin;
use crate::core::alert::storm::{FEW, Member, Phase, Storm};
use crate::core::callback::{Button, ButtonStyle, Meaning, Subject};
use crate::core::host::{Inventory, fold, is_name};
use crate::core::id::Host;
use crate::core::message::attachment::Attachment;
use crate::core::message::card::{Card, StormCard, StormRow};
use crate::core::message::markdown;
use crate::core::message::span::span;
use crate::core::message::zone::moment as shown_moment;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many rows are shown.
const ROWS: usize = 12;
/// So few open problems of a group are unlike the others.
const ALONE: usize = 2;
/// So much of a list of hosts is shown.
const MOST_HOSTS: usize = 90;
/// So much of what a check says.
const MOST_OUTPUT: usize = 120;
/// More services than these in one group have no rows of their own.
const SERVICES: usize = 3;
/// So long its buttons mean something.
const STANDS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The host group that CheckMK gives to hosts of no group.
const ALL_HOSTS: &str = "check_mk";
/// The word for what the button means that lets rules act.
pub(super) const GO: &str = "go";

/// The groups of the inventory by their members.
#[derive(Debug, Default)]
pub(super) struct GroupsOf {
    by_host: BTreeMap<String, Vec<String>>,
}

impl GroupsOf {
    pub(super) fn new(inventory: &Inventory) -> Self {
        let mut by_host: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, members) in &inventory.groups {
            for host in members {
                by_host.entry(host.as_str().to_lowercase()).or_default().push(name.clone());
            }
        }
        Self { by_host }
    }

    /// Those of a machine; what monitors it may know it by a longer name.
    fn of(&self, host: &str) -> &[String] {
        let host = host.to_lowercase();
        let short = host.split('.').next().unwrap_or_default();
        self.by_host.get(&host).or_else(|| self.by_host.get(short)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A problem of a storm with what is known of it.
struct Known<'a> {
    problem: &'a Problem,
    member: &'a Member,
    /// Absent for what has been over for long.
    alert: Option<&'a Alert>,
}

impl Known<'_> {
    fn is_taken(&self) -> bool {
        self.member.open && self.alert.is_some_and(|alert| alert.acknowledged.is_some() || alert.downtime.is_some())
    }

    fn word(&self) -> &'static str {
        match self.alert.map(|alert| alert.state) {
            Some(Some(state)) if !state.is_good() => state.word(),
            _ => "unknown",
        }
    }

    /// How bad it is, the worst first.
    fn rank(&self) -> u8 {
        match self.alert.and_then(|alert| alert.state) {
            Some(State::Down) => 0,
            Some(State::Critical) => 1,
            Some(State::Unreachable) => 2,
            Some(State::Unknown) | None => 3,
            Some(State::Warning) => 4,
            Some(State::Up | State::Ok) => 5,
        }
    }
}

impl Bot {
    /// How it stands with a storm.
    pub(super) fn storm_card(&self, storm: &Storm, now: Timestamp, clock: &TimeZone) -> StormCard {
        let known = storm.members().map(|(problem, member)| {
            let alert = self.memory.alerts.find(problem);
            Known { problem, member, alert }
        });
        let known: Vec<Known<'_>> = known.collect();
        let open = known.iter().filter(|one| one.member.open).count();
        let apart: Vec<&Problem> =
            known.iter().filter(|one| one.member.open && one.member.apart).map(|one| one.problem).collect();
        let at_work = known.iter().filter_map(|one| one.alert).flat_map(|alert| &alert.remedies);
        let works = |remedy: &&Remedy| {
            let execution = self.memory.executions.get(&remedy.execution);
            // What the monitoring is asked to do heals nothing, and has a line of its own.
            !matches!(remedy.origin, Origin::Order { .. })
                && execution.is_some_and(|execution| !execution.status.waits())
        };
        let at_work = at_work.filter(works).count();
        let mut rows = self.rows_of(&known);
        let shown = rows.len().min(ROWS);
        let more = rows.drain(shown..).map(|row| row.count).sum();
        let rules = match &storm.released {
            _ if !self.rules_act() || (open == 0 && storm.held() == 0) => "",
            Some(_) => "released",
            None => "held",
        };
        let lasted = span(Duration::try_from(storm.last.duration_since(storm.since)).unwrap_or_default());
        StormCard {
            state: match storm.phase {
                Phase::Rising => "rising",
                Phase::Calm => "calm",
                Phase::Over => "over",
            },
            count: known.len(),
            open,
            gone: known.len() - open,
            taken: known.iter().filter(|one| one.is_taken()).count(),
            since: shown_moment(storm.since, now, clock),
            last: shown_moment(storm.last, now, clock),
            lasted,
            rows,
            more,
            rules,
            held: storm.held(),
            at_work,
            who: if rules == "held" { self.releasers() } else { Vec::new() },
            released_by: storm
                .released
                .as_ref()
                .map(|released| super::answer::name_of(&released.by).to_owned())
                .unwrap_or_default(),
            button: self.settings.buttons,
            orders: self.orders_of(storm),
            apart_count: apart.len(),
            apart: shown_hosts(apart),
        }
    }

    pub(super) fn storm_text(&self, now: Timestamp) -> String {
        let Some(storm) = self.memory.storms.now() else { return String::new() };
        self.sentences.say(&Card::Storm(Box::new(self.storm_card(storm, now, &self.clock("")))))
    }

    /// What stands below the post of the storm; absent where nothing does and nothing did.
    pub(super) fn storm_buttons(&self) -> Option<Vec<Attachment>> {
        let storm = self.memory.storms.now().filter(|_| self.settings.buttons)?;
        let open = storm.members().any(|(_, member)| member.open);
        let mut buttons = Vec::new();
        let button = |action: &str, label: String, style| Button {
            id: action.to_owned(),
            label,
            style,
            meaning: Meaning {
                subject: Subject::Storm { storm: storm.id.clone() },
                action: action.to_owned(),
                value: None,
                revision: storm.turned,
                until: storm.begun.saturating_add(STANDS).unwrap_or(Timestamp::MAX),
            },
        };
        if storm.released.is_none() && open && self.rules_act() {
            let label = self.sentences.phrase(&crate::core::message::phrase::Phrase::Storm { what: GO, count: 0 });
            buttons.push(button(GO, label, ButtonStyle::Primary));
        }
        for (order, label, style) in self.storm_orders(storm) {
            buttons.push(button(order, label, style));
        }
        if buttons.is_empty() {
            let drawn = self.memory.buttons.get(&storm.posted.delivery).is_some_and(|buttons| buttons.gone.is_none());
            return drawn.then(Vec::new);
        }
        let fallback = buttons.iter().map(|button| button.label.as_str()).collect::<Vec<_>>().join(", ");
        Some(vec![Attachment { fallback, buttons, ..Attachment::default() }])
    }

    fn rows_of(&self, known: &[Known<'_>]) -> Vec<StormRow> {
        let mut rows: Vec<(bool, StormRow)> = Vec::new();
        for (group, members) in self.by_group(known) {
            let hosts: BTreeSet<&str> = members.iter().map(|one| one.problem.host.as_str()).collect();
            let size = self.inventory.groups.get(&group).map_or(0, Vec::len);
            let whole = size > 1 && hosts.len() == size;
            let services: BTreeSet<Option<&str>> = members.iter().map(|one| one.problem.service.as_deref()).collect();
            let mixed = services.len() > SERVICES;
            let mut parts: BTreeMap<Option<&str>, Vec<&Known<'_>>> = BTreeMap::new();
            for one in members {
                let service = if mixed { None } else { one.problem.service.as_deref() };
                parts.entry(service).or_default().push(one);
            }
            for (service, members) in parts {
                let open: Vec<&&Known<'_>> = members.iter().filter(|one| one.member.open).collect();
                if mixed || open.is_empty() || open.len() > ALONE || members.len() > FEW {
                    rows.push((false, row_of(&group, service, &members, mixed, whole)));
                    continue;
                }
                for one in &members {
                    let row = row_of(&group, service, &[*one], false, false);
                    rows.push((one.member.open, row));
                }
            }
        }
        // A few are nothing special where there are no many.
        let many = rows.iter().any(|(alone, row)| !alone && row.open > ALONE);
        rows.sort_by_key(|(alone, row)| (!(*alone && many), row.open == 0, Reverse(row.open), row.group.clone()));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Each problem with the group that it is shown with, the largest group first.
    fn by_group<'a, 'k>(&'a self, known: &'k [Known<'a>]) -> Vec<(String, Vec<&'k Known<'a>>)> {
        let groups = |one: &Known<'a>| -> &'a [String] {
            // CheckMK's group of all hosts that are in none says nothing.
            let groups = one.member.groups.as_slice();
            if groups.iter().all(|group| group == ALL_HOSTS) { self.groups_of.of(&one.problem.host) } else { groups }
        };
        let mut left: Vec<&Known<'a>> = known.iter().collect();
        let mut found: Vec<(String, Vec<&Known<'a>>)> = Vec::new();
        while !left.is_empty() {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for group in left.iter().flat_map(|one| groups(one)) {
                *counts.entry(group).or_default() += 1;
            }
            let size = |group: &str| self.inventory.groups.get(group).map_or(usize::MAX, Vec::len);
            let best = counts.iter().max_by_key(|(group, count)| (**count, Reverse(size(group)), Reverse(**group)));
            let Some((best, _)) = best.filter(|_| found.len() < ROWS) else { break };
            let best = (*best).to_owned();
            let (inside, outside) = left.into_iter().partition(|one| groups(one).contains(&best));
            found.push((best, inside));
            left = outside;
        }
        if !left.is_empty() {
            found.push((String::new(), left));
        }
        found
    }
}

fn row_of(group: &str, service: Option<&str>, members: &[&Known<'_>], mixed: bool, whole: bool) -> StormRow {
    let open: Vec<&&Known<'_>> = members.iter().filter(|one| one.member.open).collect();
    let shown: Vec<&Problem> = match open.is_empty() {
        true => members.iter().map(|one| one.problem).collect(),
        false => open.iter().map(|one| one.problem).collect(),
    };
    let output = match members {
        [one] if one.member.open => one.alert.map(|alert| markdown::shorten(&alert.output, MOST_OUTPUT)),
        _ => None,
    };
    StormRow {
        state: open.iter().min_by_key(|one| one.rank()).map_or("recovered", |one| one.word()),
        group: group.to_owned(),
        service: service.unwrap_or_default().to_owned(),
        mixed,
        hosts: shown_hosts(shown),
        count: members.len(),
        open: open.len(),
        taken: members.iter().filter(|one| one.is_taken()).count(),
        whole,
        output: output.unwrap_or_default(),
    }
}

/// The hosts of these problems, the short way, as inline code; a long list is cut between two of them.
pub(super) fn shown_hosts(problems: Vec<&Problem>) -> String {
    let names: BTreeSet<&str> = problems.into_iter().map(|problem| problem.host.as_str()).collect();
    let (named, others): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| is_name(name));
    let hosts: Vec<Host> = named.into_iter().map(Host::new).collect();
    let mut shown = Vec::new();
    let folded = fold(&hosts);
    if !folded.is_empty() {
        shown.push(markdown::code(&cut(&folded)));
    }
    // What is no name of a machine is text like any other.
    shown.extend(others.into_iter().take(FEW).map(|name| markdown::escape(&markdown::shorten(name, MOST_HOSTS))));
    shown.join(", ")
}

/// A list cut behind a comma.
fn cut(list: &str) -> String {
    if list.chars().count() <= MOST_HOSTS {
        return list.to_owned();
    }
    let shortened: String = list.chars().take(MOST_HOSTS).collect();
    let Some((kept, _)) = shortened.rsplit_once(',') else { return format!("{shortened}…") };
    let inside = kept.rfind('[') > kept.rfind(']');
    format!("{kept},…{}", if inside { "]" } else { "" })
}
