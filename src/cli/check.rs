//! `check`: everything that is wrong with the configuration and the packs.

use super::{Failure, Surroundings};
use crate::app;
use crate::config::Config;
use crate::core::access::{Asker, Place, Rights, includes};
use crate::core::content::Catalog;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::content::glob::covers;
use crate::core::input::Directory;
use crate::core::rule::spec::Rule;
use crate::core::settings::{Grant, Verb};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) fn check(
    path: Option<&Path>,
    file: &Path,
    complete: bool,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let (loaded, whole) = match what(path, file)? {
        What::File(file) => (Config::load(&file, &surroundings.environment), true),
        What::Pack(pack) => (Ok(Config::of_pack(&pack)), false),
    };
    let (catalog, diagnostics) = match loaded {
        Ok(config) => {
            let (catalog, problems) = app::catalog(&config);
            // A pack by itself knows no roles.
            let (mut unable, mut unheard) = (Vec::new(), Vec::new());
            if whole {
                unable = self::unable(&config, &catalog, (surroundings.now)());
                unheard = self::unheard(&config, &catalog);
            }
            let mut diagnostics = config.warnings;
            diagnostics.extend(problems.into_iter().chain(unable).chain(unheard));
            (Some(catalog), diagnostics)
        }
        Err(problems) => (None, problems),
    };
    let out = &mut *surroundings.out;
    if as_json {
        let list: Value = diagnostics.iter().map(value).collect();
        writeln!(out, "{list:#}")?;
    } else {
        for diagnostic in &diagnostics {
            writeln!(out, "{}", super::look::harmless(&diagnostic.to_string()))?;
        }
        for (reason, count) in not_built(&diagnostics) {
            writeln!(out, "{count:>5} × {}", super::look::harmless(reason))?;
        }
        writeln!(out, "{}", summary(catalog.as_ref(), &diagnostics))?;
    }
    let any = |severity| diagnostics.iter().any(|diagnostic| diagnostic.severity == severity);
    match (any(Severity::Error), complete && any(Severity::NotSupported)) {
        (true, _) => Err(Failure::Shown),
        (false, true) => Err(Failure::NotBuilt),
        (false, false) => Ok(()),
    }
}

/// The rules that would be refused, since no role lets them run what they start.
fn unable(config: &Config, catalog: &Catalog, now: Timestamp) -> Vec<Diagnostic> {
    let (settings, nobody) = (config.settings(0), Directory::default());
    let may = |rule: &Rule| {
        let rights = Rights::of(Asker::Rule { name: &rule.reference }, &settings, &nobody, &Place::outside(now));
        rights.everywhere().may(Verb::Run, &rule.action)
    };
    let unable = catalog.rules.all().filter(|rule| rule.enabled && !rule.dry_run && rule.offer.is_none() && !may(rule));
    let told = unable.map(|rule| Diagnostic {
        file: rule.file.clone(),
        line: None,
        key_path: "action.ref".to_owned(),
        severity: Severity::Warning,
        message: format!("no role lets this rule run `{}`, so it is refused", rule.action),
        suggestion: Some(format!("name `{}` in `rules` of a role that grants it", rule.reference)),
    });
    told.collect()
}

/// The policies that ask for approvals of roles that there are not, or for actions on which nobody may say yes.
fn unheard(config: &Config, catalog: &Catalog) -> Vec<Diagnostic> {
    let roles = config.settings(0).roles;
    let mut told: BTreeMap<(&str, String), String> = BTreeMap::new();
    for (action, policies) in &catalog.approvals {
        let may = |grant: &Grant| includes(grant.verb, Verb::Approve) && covers(&grant.on, action.as_str());
        let anybody = roles.iter().flat_map(|role| &role.grants).any(may);
        for policy in policies {
            let file = policy.file.as_str();
            if !anybody {
                told.entry((file, format!("no role grants `approve` on `{action}`, so nobody could say yes to it")))
                    .or_insert_with(|| format!("add \"approve:{action}\" to the `grants` of a role"));
            }
            let stranger = |name: &&String| !roles.iter().any(|role| role.name == **name);
            for name in policy.terms.approvers.roles.iter().filter(stranger) {
                let known: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
                told.entry((
                    file,
                    format!("the configuration has no role `{name}`, so nobody can say yes as one of it"),
                ))
                .or_insert_with(|| match known.as_slice() {
                    [] => "write it as one of [[access.roles]]".to_owned(),
                    known => format!("write it as one of [[access.roles]], or name one of {}", known.join(", ")),
                });
            }
        }
    }
    let diagnostic = |((file, message), suggestion): ((&str, String), String)| Diagnostic {
        file: file.to_owned(),
        line: None,
        key_path: "parameters.approvers".to_owned(),
        severity: Severity::Warning,
        message,
        suggestion: Some(suggestion),
    };
    told.into_iter().map(diagnostic).collect()
}

/// What is not built, each reason once, the commonest first, so that a long list says what it comes to.
fn not_built(diagnostics: &[Diagnostic]) -> Vec<(&str, usize)> {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::NotSupported) {
        // An alias of such an action names it and its file, and the reason stands there.
        let reason = match diagnostic.key_path.as_str() {
            "action_ref" => "the action of an alias cannot run yet",
            _ => diagnostic.message.as_str(),
        };
        *reasons.entry(reason).or_default() += 1;
    }
    let mut reasons: Vec<(&str, usize)> = reasons.into_iter().filter(|(_, count)| *count > 1).collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons
}

/// What is to be checked.
enum What {
    File(PathBuf),
    Pack(PathBuf),
}

fn what(path: Option<&Path>, file: &Path) -> Result<What, Failure> {
    let Some(path) = path else { return Ok(What::File(file.to_owned())) };
    if path.is_file() {
        return Ok(What::File(path.to_owned()));
    }
    if !path.is_dir() {
        return Err(Failure::Wrong(format!("there is no file or directory `{}`", path.display())));
    }
    let inside = path.join("config.toml");
    if inside.is_file() { Ok(What::File(inside)) } else { Ok(What::Pack(path.to_owned())) }
}

fn summary(catalog: Option<&Catalog>, diagnostics: &[Diagnostic]) -> String {
    let found = catalog.map(|catalog| {
        let packs = counted(catalog.packs.len(), "pack", "packs");
        let actions = counted(catalog.actions.len(), "action", "actions");
        let aliases = counted(catalog.aliases.len(), "alias", "aliases");
        let rules = catalog.rules.all().count();
        let rules = if rules == 0 { String::new() } else { format!(", {}", counted(rules, "rule", "rules")) };
        let sensors = catalog.sensors.len();
        let sensors = if sensors == 0 { String::new() } else { format!(", {}", counted(sensors, "sensor", "sensors")) };
        format!("{packs}, {actions}, {aliases}{rules}{sensors}: ")
    });
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let kinds = [
        (count(Severity::Error), "error", "errors"),
        (count(Severity::Warning), "warning", "warnings"),
        (count(Severity::NotSupported), "thing not supported", "things not supported"),
    ];
    let said: Vec<_> =
        kinds.iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(*count, one, many)).collect();
    let said = if said.is_empty() { "no problems".to_owned() } else { said.join(", ") };
    found.unwrap_or_default() + &said
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn value(diagnostic: &Diagnostic) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::NotSupported => "not-supported",
    };
    json!({
        "file": diagnostic.file,
        "line": diagnostic.line,
        "key_path": diagnostic.key_path,
        "severity": severity,
        "message": diagnostic.message,
        "suggestion": diagnostic.suggestion,
    })
}
