//! A rule file.

use super::fields::{Report, Table, check_name, check_pack, not_among, shorten, wrong_kind};
use super::parameter::check_filters;
use super::suggest::did_you_mean;
use super::yaml::{Entry, Node, Value};
use crate::core::action::plan::takes_shell_command;
use crate::core::action::spec::Action;
use crate::core::alert::checkmk;
use crate::core::alert::source::Source;
use crate::core::id::{ActionRef, AliasRef, RuleRef, TriggerRef};
use crate::core::rule::criterion::{CONDITIONS, Criterion, Flaw};
use crate::core::rule::guard::{Also, LONGEST_COOLDOWN, MOST_AN_HOUR, OwnGuard};
use crate::core::rule::operator::{NAMES, Operator};
use crate::core::rule::parameters::{LOOKED_AT, reaches_shell};
use crate::core::rule::schema;
use crate::core::rule::spec::{Condition, Kind, Offering, Rule};
use crate::core::rule::trigger::{TriggerType, WEBHOOK_TRIGGER};
use crate::core::template::render::{holds_template, is_template, names_inside, unknown_filters_inside};
use crate::core::timer;
use crate::core::webhook;
use std::time::Duration;

const KEYS: &[&str] = &[
    "name",
    "description",
    "enabled",
    "type",
    "trigger",
    "criteria",
    "action",
    "dry_run",
    "guard",
    "offer",
    "tags",
    "context",
    "pack",
    "metadata_file",
    "id",
    "ref",
    "uid",
];

/// What stands on a button has to be read at one glance, on a phone, too.
const LONGEST_LABEL: usize = 40;

/// Where the parameters of a rule's action stand.
const PARAMETERS: &str = "action.parameters";
/// The same of an alias that offers itself.
const OFFERED_PARAMETERS: &str = "extra.halcyon.offer.parameters";

/// The key of criteria of which one group is enough.
const ANY: &str = "any";

/// What a file of `rules/` says, with the lines of what can only be checked when everything is read.
#[derive(Debug, Clone)]
pub(crate) struct RuleFile {
    pub(crate) rule: Rule,
    name_line: Option<usize>,
    guard_line: Option<usize>,
    offer_line: Option<usize>,
    trigger_line: Option<usize>,
    trigger_parameter_lines: Vec<(String, usize)>,
    action_line: Option<usize>,
    parameter_lines: Vec<(String, usize)>,
}

/// Reads a document of `rules/`.
pub(crate) fn read(document: &Node, pack: &str, report: &mut Report<'_>) -> Option<RuleFile> {
    let table = Table::document(document, report)?;
    table.only(KEYS, report);
    check_pack(&table, pack, report);
    let name = table.required_text("name", report).filter(|name| check_name(&table, name, true, report));
    let description = table.text("description", report).unwrap_or_default().trim().to_owned();
    if table.entry("enabled").is_none() {
        let told = report.warning(None, "", "the key `enabled` is missing, and a rule without it does nothing");
        told.suggestion = Some("write `enabled: true`".to_owned());
    }
    let enabled = table.boolean("enabled", report).unwrap_or(false);
    let dry_run = table.boolean("dry_run", report).unwrap_or(false);
    for key in ["metadata_file", "id", "ref", "uid"] {
        table.text(key, report);
    }
    table.free_map("context", report);
    table.list("tags", report);
    let kind = kind(&table, report);
    let guard = guard(&table, report);
    let offer = offer(&table, report);
    if let Some(of) = table.table("offer", &mut Report::new("")) {
        of.only(&["label"], report);
    }
    let trigger = trigger(&table, report);
    let criteria = match table.table("criteria", report) {
        Some(criteria) => conditions(&criteria, report),
        None => Vec::new(),
    };
    let action = action(&table, pack, report);
    if report.has_errors() {
        return None;
    }
    let (trigger, action) = (trigger?, action?);
    let trigger_type = TriggerRef::new(trigger.name?);
    Some(RuleFile {
        rule: Rule {
            reference: RuleRef::new(format!("{pack}.{}", name?)),
            description,
            enabled,
            kind,
            only_problems: Rule::is_only_for_problems(&trigger_type, &criteria),
            trigger: trigger_type,
            trigger_parameters: trigger.parameters,
            criteria,
            action: ActionRef::new(action.name?),
            parameters: action.parameters,
            dry_run,
            offer,
            guard,
            file: report.file().to_owned(),
            parameters_at: PARAMETERS,
        },
        name_line: table.entry("name").map(|entry| entry.line),
        guard_line: table.entry("guard").map(|entry| entry.line),
        offer_line: table.entry("offer").map(|entry| entry.line),
        trigger_line: trigger.line,
        trigger_parameter_lines: trigger.lines,
        action_line: action.line,
        parameter_lines: action.lines,
    })
}

/// An alias that offers itself for problems (`extra.halcyon.offer`), as the rule that it is then: it is asked like one, and begins nothing by itself.
pub(super) fn of_alias(
    table: &Table<'_>,
    alias: &AliasRef,
    action: &ActionRef,
    report: &mut Report<'_>,
) -> Option<RuleFile> {
    let offer = offer(table, report)?;
    let of = table.table("offer", report)?;
    of.only(&["label", "criteria", "parameters"], report);
    let criteria = of.table("criteria", report).map(|criteria| conditions(&criteria, report)).unwrap_or_default();
    let parameters = of.free_map("parameters", report);
    let inner = of.table("parameters", &mut Report::new(""));
    let lines = inner.map(|map| map.entries.iter().map(|entry| (entry.key.clone(), entry.line)).collect());
    let parameter_lines: Vec<(String, usize)> = lines.unwrap_or_default();
    templates(&parameters, &parameter_lines, OFFERED_PARAMETERS, report);
    Some(RuleFile {
        rule: Rule {
            reference: RuleRef::new(alias.as_str()),
            description: String::new(),
            enabled: true,
            kind: Kind::Standard,
            trigger: TriggerRef::new(checkmk::TRIGGER),
            trigger_parameters: serde_json::Map::new(),
            criteria,
            action: action.clone(),
            parameters,
            dry_run: false,
            offer: Some(offer),
            guard: OwnGuard::default(),
            only_problems: true,
            file: report.file().to_owned(),
            parameters_at: OFFERED_PARAMETERS,
        },
        name_line: None,
        guard_line: None,
        offer_line: table.entry("offer").map(|entry| entry.line),
        trigger_line: None,
        trigger_parameter_lines: Vec::new(),
        action_line: None,
        parameter_lines,
    })
}

/// What is wrong with templates shows before an event comes.
fn templates(
    parameters: &serde_json::Map<String, serde_json::Value>,
    lines: &[(String, usize)],
    at: &str,
    report: &mut Report<'_>,
) {
    for (name, value) in parameters.iter().filter(|(_, value)| holds_template(value)) {
        let line = lines.iter().find(|(key, _)| key == name).map(|(_, line)| *line);
        let path = format!("{at}.{name}");
        match names_inside(value) {
            Ok(_) => check_filters(&unknown_filters_inside(value), line, &path, report),
            Err(error) => {
                report.error(line, &path, format!("is no template: {error}"));
            }
        }
    }
}

/// How often it may act on problems.
fn guard(table: &Table<'_>, report: &mut Report<'_>) -> OwnGuard {
    let Some(of) = table.table("guard", report) else { return OwnGuard::default() };
    of.only(&["cooldown", "per_hour", "failures", "also"], report);
    let mut number = |key: &str, most: u64| {
        let number = of.whole(key, 0, report)?;
        if number > most {
            report.error(of.entry(key).map(|entry| entry.line), &of.path_of(key), format!("has to be {most} at most"));
        }
        Some(number)
    };
    let small = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    let cooldown = number("cooldown", LONGEST_COOLDOWN.as_secs()).map(Duration::from_secs);
    let per_hour = small(number("per_hour", MOST_AN_HOUR.into()));
    let failures = small(number("failures", u32::MAX.into()));
    let mut also = Vec::new();
    for word in of.texts("also", report) {
        match Also::WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, known)) => also.push(*known),
            None => {
                let words = Also::WORDS.map(|(word, _)| word);
                not_among(of.entry("also").map(|entry| entry.line), &of.path_of("also"), word, &words, report);
            }
        }
    }
    OwnGuard { cooldown, per_hour, failures, also }
}

/// What people are offered in place of what it would do.
fn offer(table: &Table<'_>, report: &mut Report<'_>) -> Option<Offering> {
    let of = table.table("offer", report)?;
    let label = of.required_text("label", report)?.trim();
    let (line, path) = (of.entry("label").map(|entry| entry.line), of.path_of("label"));
    if label.is_empty() || label.chars().count() > LONGEST_LABEL || label.chars().any(char::is_control) {
        report.error(line, &path, format!("has to be one line of 1 to {LONGEST_LABEL} characters"));
    }
    if is_template(label) {
        report.error(line, &path, "is shown as it stands, so it cannot be a template");
    }
    Some(Offering { label: label.to_owned() })
}

fn kind(table: &Table<'_>, report: &mut Report<'_>) -> Kind {
    let Some(of) = table.table("type", report) else { return Kind::Standard };
    of.only(&["ref", "parameters"], report);
    of.free_map("parameters", report);
    let words = [Kind::Standard.word(), Kind::Backstop.word()];
    of.required_text("ref", report);
    match of.word("ref", &words, &mut Report::new("")) {
        None => {
            if let Some(entry) = of.entry("ref")
                && let Value::Text(word) = &entry.node.value
            {
                not_among(Some(entry.line), &of.path_of("ref"), word, &words, report);
            }
            Kind::Standard
        }
        Some(word) if word == Kind::Backstop.word() => Kind::Backstop,
        Some(_) => Kind::Standard,
    }
}

/// The name of a trigger or an action with what it is given.
struct Named<'n> {
    name: Option<&'n str>,
    line: Option<usize>,
    parameters: serde_json::Map<String, serde_json::Value>,
    /// Each parameter with its line.
    lines: Vec<(String, usize)>,
}

impl<'n> Named<'n> {
    fn read(of: &Table<'n>, key: &str, report: &mut Report<'_>) -> Self {
        let name = of.required_text(key, report);
        let parameters = of.free_map("parameters", report);
        let inner = of.table("parameters", &mut Report::new(""));
        let lines = inner.map(|map| map.entries.iter().map(|entry| (entry.key.clone(), entry.line)).collect());
        Self { name, line: of.entry(key).map(|entry| entry.line), parameters, lines: lines.unwrap_or_default() }
    }

    fn is_reference(&self) -> bool {
        self.name
            .is_none_or(|name| name.split_once('.').is_some_and(|(pack, name)| !pack.is_empty() && !name.is_empty()))
    }
}

fn required<'n>(table: &Table<'n>, key: &str, report: &mut Report<'_>) -> Option<Table<'n>> {
    if table.entry(key).is_none() {
        table.missing(key, report);
    }
    table.table(key, report)
}

fn trigger<'n>(table: &Table<'n>, report: &mut Report<'_>) -> Option<Named<'n>> {
    let of = required(table, "trigger", report)?;
    of.mostly(&["type", "parameters", "ref", "description"], report);
    for key in ["ref", "description"] {
        of.text(key, report);
    }
    let mut named = Named::read(&of, "type", report);
    if !named.is_reference() {
        report.error(named.line, &of.path_of("type"), "has to be the ref of a type of triggers, `pack.name`");
    }
    if named.name == Some(WEBHOOK_TRIGGER)
        && let Some(serde_json::Value::String(url)) = named.parameters.get_mut("url")
    {
        *url = webhook::path(url).to_owned();
    }
    Some(named)
}

fn action<'n>(table: &Table<'n>, pack: &str, report: &mut Report<'_>) -> Option<Named<'n>> {
    let of = required(table, "action", report)?;
    of.only(&["ref", "parameters", "description"], report);
    of.text("description", report);
    let named = Named::read(&of, "ref", report);
    if !named.is_reference() {
        let told = report.error(named.line, &of.path_of("ref"), "has to be an action's ref, `pack.name`");
        told.suggestion = named.name.map(|name| format!("did you mean \"{pack}.{name}\"?"));
    }
    templates(&named.parameters, &named.lines, PARAMETERS, report);
    Some(named)
}

/// Criteria, and groups of them of which one is enough.
fn conditions(table: &Table<'_>, report: &mut Report<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for entry in table.entries {
        let path = table.path_of(&entry.key);
        let place = entry.key.split('#').next().unwrap_or_default();
        match (&entry.node.value, place == ANY) {
            (Value::List(items), true) => {
                let mut groups = Vec::new();
                for (number, item) in items.iter().enumerate() {
                    let path = format!("{path}[{number}]");
                    let Some(group) = Table::nested(item, item.line, path, report) else { continue };
                    groups.push(criteria(&group, "trigger", report));
                }
                if groups.is_empty() {
                    report.error(Some(entry.line), &path, "names no criteria, so the rule could never match");
                }
                conditions.push(Condition::Any { key: entry.key.clone(), groups });
            }
            (_, true) => {
                wrong_kind(&entry.node, entry.line, &path, "a list of maps of criteria", report);
            }
            _ => conditions.extend(criterion(entry, &path, "trigger", report).map(|one| Condition::One(Box::new(one)))),
        }
    }
    conditions
}

fn criteria(table: &Table<'_>, prefix: &str, report: &mut Report<'_>) -> Vec<Criterion> {
    table.entries.iter().filter_map(|entry| criterion(entry, &table.path_of(&entry.key), prefix, report)).collect()
}

fn criterion(entry: &Entry, path: &str, prefix: &str, report: &mut Report<'_>) -> Option<Criterion> {
    let table = Table::nested(&entry.node, entry.line, path.to_owned(), report)?;
    table.mostly(&["type", "pattern", "condition"], report);
    let word = table.required_text("type", report)?;
    let exact = NAMES.iter().find(|(name, _)| *name == word);
    let Some((_, operator)) = exact else {
        let line = table.entry("type").map(|entry| entry.line);
        let told = report.error(line, &table.path_of("type"), format!("`{}` is no operator", shorten(word)));
        told.suggestion = match Operator::named(word) {
            Some(_) => Some(format!("did you mean \"{}\"?", word.to_lowercase())),
            None => did_you_mean(word, NAMES.iter().map(|(name, _)| *name)),
        };
        return None;
    };
    let pattern = table.entry("pattern");
    if pattern.is_none() && !operator.needs_no_pattern() {
        table.missing("pattern", report);
        return None;
    }
    let (inner, condition) = match operator {
        Operator::Search => {
            let inner =
                table.table("pattern", report).map(|inner| criteria(&inner, "item", report)).unwrap_or_default();
            let condition = table.required_text("condition", report).unwrap_or_default();
            table.word("condition", &CONDITIONS, report);
            (inner, condition.to_owned())
        }
        _ => (Vec::new(), String::new()),
    };
    let value = match operator {
        Operator::Search => serde_json::Value::Null,
        _ => pattern.map(|entry| entry.node.json()).unwrap_or_default(),
    };
    match Criterion::new(&entry.key, *operator, value, condition, inner) {
        Ok(criterion) => {
            let known = criterion.prefix();
            if known != prefix && known != "system" && known != "$" {
                let message = format!("begins with `{known}`, so it finds nothing; keys here begin with `{prefix}.`");
                report.warning(Some(entry.line), path, message);
            }
            Some(criterion)
        }
        Err(Flaw::Key(why)) => {
            let told = report.error(Some(entry.line), path, format!("is no path into the event: {why}"));
            told.suggestion = Some("write names with other signs as trigger['their name']".to_owned());
            None
        }
        Err(Flaw::Pattern(why)) => {
            report.error(pattern.map(|entry| entry.line), &table.path_of("pattern"), why);
            None
        }
    }
}

impl RuleFile {
    /// Each parameter that it gives its action, with its line.
    pub(super) fn parameter_lines(&self) -> &[(String, usize)] {
        &self.parameter_lines
    }

    /// The line of its name.
    pub(super) fn name_line(&self) -> Option<usize> {
        self.name_line
    }

    /// What is wrong with it beside what others say: its trigger and its action are there, and take what it gives them.
    pub(super) fn check(
        &mut self,
        trigger: Option<&TriggerType>,
        similar: impl FnOnce(&str) -> Option<String>,
        action: Result<&Action, String>,
        report: &mut Report<'_>,
    ) {
        let rule = &mut self.rule;
        match trigger {
            None => {
                let message = format!("there is no type of triggers `{}`, so the rule hears nothing", rule.trigger);
                report.warning(self.trigger_line, "trigger.type", message).suggestion = similar(rule.trigger.as_str());
            }
            Some(known) => {
                schema::fill(&known.parameters_schema, &mut rule.trigger_parameters);
                let values = serde_json::Value::Object(rule.trigger_parameters.clone());
                for mismatch in schema::mismatches(&known.parameters_schema, &values) {
                    let line = self.trigger_parameter_lines.iter().find(|(name, _)| *name == mismatch.path);
                    let path = format!("trigger.parameters.{}", mismatch.path);
                    report.error(
                        line.map(|(_, line)| *line).or(self.trigger_line),
                        path.trim_end_matches('.'),
                        mismatch.what,
                    );
                }
            }
        }
        let of_monitoring = Source::of(rule.trigger.as_str()).is_some();
        if let (Some(line), false) = (self.offer_line, of_monitoring) {
            let message = format!(
                "is shown at problems, so it needs a trigger of a monitoring ({}), and this rule listens to `{}`",
                Source::triggers(),
                rule.trigger
            );
            report.error(Some(line), "offer", message);
        }
        if let (Some(line), Some(_)) = (self.guard_line, self.offer_line) {
            report.warning(Some(line), "guard", "has no meaning beside `offer`: what a person wants is not counted");
        }
        if let (Some(line), false) = (self.guard_line, of_monitoring) {
            let triggers = Source::triggers();
            let message = format!(
                "guards rules on what a monitoring tells ({triggers}), and this one listens to `{}`",
                rule.trigger
            );
            report.warning(Some(line), "guard", message);
        }
        if let Some(kind) = timer::Kind::of(rule.trigger.as_str())
            && !report.has_errors()
            && let Err(error) = timer::Timer::read(kind, &rule.trigger_parameters, "")
        {
            report.error(self.trigger_line, "trigger.parameters", error.to_string());
        }
        let action = match action {
            Ok(action) => action,
            Err(why) => {
                report.warning(self.action_line, "action.ref", why);
                return;
            }
        };
        for (name, line) in &self.parameter_lines {
            let path = format!("{}.{name}", rule.parameters_at);
            match action.parameters.get(name) {
                None => {
                    let message = format!("the action `{}` has no such parameter", action.reference);
                    let known = action.parameters.keys().map(String::as_str);
                    report.warning(Some(*line), &path, message).suggestion = did_you_mean(name, known);
                }
                Some(parameter) if parameter.immutable => {
                    let message = format!("the action `{}` sets it itself, so it is refused", action.reference);
                    report.warning(Some(*line), &path, message);
                }
                Some(_) => {}
            }
            let value = rule.parameters.get(name);
            for unknown in value.and_then(|value| names_inside(value).ok()).unwrap_or_default() {
                if !LOOKED_AT.contains(&unknown.as_str()) && !action.parameters.contains_key(&unknown) {
                    let message = format!("`{unknown}` has no value here; there are {}", LOOKED_AT.join(", "));
                    report.warning(Some(*line), &path, message);
                }
            }
        }
        if takes_shell_command(action) && !action.raw {
            for name in reaches_shell(rule, action) {
                let line = self.parameter_lines.iter().find(|(known, _)| *known == name).map(|(_, line)| *line);
                let message = "puts text of the event into a shell command; an event in which a shell finds something to act on is refused";
                let told = report.warning(line, &format!("{}.{name}", rule.parameters_at), message);
                told.suggestion = Some("hand it over in `env`, and write \"$NAME\" in the command".to_owned());
            }
        }
    }
}
