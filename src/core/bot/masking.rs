//! What of a line may be repeated and remembered: everything but the secrets in it, as far as anybody can tell where they stand.

use super::Bot;
use super::hear::Speaker;
use super::start::secrets;
use crate::core::action::params::MASK;
use crate::core::action::spec::Action;
use crate::core::alias::matcher::{Match, Selection};
use crate::core::alias::spec::Alias;
use crate::core::chat::key::hide_value;
use crate::core::chat::secret::{hide, hide_pairs};
use crate::core::settings::Verb;
use serde_json::Value;
use std::sync::Arc;

/// The commands of the bot's own that are about a line.
const ABOUT_A_LINE: [&str; 5] = ["at", "in", "plan", "may", "alias"];
/// So many words of theirs may stand before it, and a time that is none has as many: `in 2 hours 30 minutes …`.
const MOST_BEFORE: usize = 6;

impl Bot {
    /// A line that is repeated and not obeyed, without the secrets that its author could have put into it, also where it stands behind a command of
    /// the bot's own. What they may not use gives no sign of being there by what it would hide.
    pub(super) fn masked(&self, speaker: Option<&Speaker<'_>>, line: &str) -> String {
        let eyes = speaker.map(|speaker| self.eyes(&speaker.rights));
        let may = |alias: &Alias| eyes.as_ref().is_none_or(|eyes| eyes.may_use(Verb::Run, alias));
        let first = line.split_whitespace().next().unwrap_or_default().to_lowercase();
        let before = if ABOUT_A_LINE.contains(&first.as_str()) { MOST_BEFORE } else { 0 };
        let mut rest = line;
        for _ in 0..=before {
            let hidden = self.masked_alone(rest, &may);
            if hidden != rest {
                let shown = line.len().saturating_sub(rest.len());
                return format!("{}{hidden}", line.get(..shown).unwrap_or_default());
            }
            let Some((_, behind)) = rest.split_once(char::is_whitespace) else { break };
            rest = behind.trim_start();
        }
        line.to_owned()
    }

    /// The same where all of it is one line.
    fn masked_alone(&self, line: &str, may: &dyn Fn(&Alias) -> bool) -> String {
        if let Some(hidden) = hide_value(line) {
            return hidden;
        }
        match self.catalog.matcher.select_among(line, may) {
            Selection::One(found) => hide(line, self.secrets_in(&found)),
            Selection::Ambiguous(found) => hide(line, found.iter().flat_map(|found| self.secrets_in(found))),
            Selection::None | Selection::Undecided(_) => self.without_secrets(line, Vec::new(), may).0,
        }
    }

    /// The secrets that a format has read out of a line.
    pub(super) fn secrets_in(&self, found: &Match) -> Vec<String> {
        let Some(action) = self.catalog.actions.get(&found.alias.action) else { return Vec::new() };
        let of = |found: &Match| {
            let written = found.parameters.iter().filter(|(name, _)| !found.defaulted.contains(*name));
            let given = written.map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
            let overridden = found.overridden.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
            [secrets(action, &given), secrets(action, &overridden.collect())].concat()
        };
        found.all().flat_map(of).collect()
    }

    /// A line that no format has read, and its corrections, as far as they may be repeated and remembered: a secret of a correction is one of
    /// the line.
    pub(super) fn without_secrets(
        &self,
        line: &str,
        mut corrected: Vec<String>,
        may: &dyn Fn(&Alias) -> bool,
    ) -> (String, Vec<String>) {
        if let Some(hidden) = hide_value(line) {
            return (hidden, Vec::new());
        }
        let mut found = Vec::new();
        corrected.retain(|corrected| match self.catalog.select_among(corrected, may) {
            Selection::One(read) => {
                let secrets = self.secrets_in(&read);
                let harmless = secrets.is_empty();
                found.extend(secrets);
                harmless
            }
            Selection::None | Selection::Ambiguous(_) | Selection::Undecided(_) => true,
        });
        // Another correction may take the same word for something harmless.
        corrected.retain(|corrected| !found.iter().any(|secret| corrected.contains(secret.as_str())));
        let secret = |name: &str| {
            let aliases = self.catalog.aliases.iter().filter(|alias| may(alias));
            let actions = aliases.filter_map(|alias| self.catalog.actions.get(&alias.action));
            actions.filter_map(|action| action.parameters.get(name)).any(|parameter| parameter.secret)
        };
        let shown = if found.is_empty() { self.without_arguments(line, may) } else { None };
        (shown.unwrap_or_else(|| hide_pairs(&hide(line, found), &secret)), corrected)
    }

    /// The first word of a line that begins like a command whose format holds a secret: where in the line that stands is not known. Secrets that
    /// are only ever written as pairs are found by their names.
    pub(super) fn without_arguments(&self, line: &str, may: &dyn Fn(&Alias) -> bool) -> Option<String> {
        let first = line.split_whitespace().next()?;
        let takes_secret = |alias: &Alias| {
            let action = self.catalog.actions.get(&alias.action);
            let secrets = |action: &Arc<Action>| -> Vec<String> {
                let parameters = action.parameters.iter().filter(|(_, parameter)| parameter.secret);
                parameters.map(|(name, _)| name.clone()).collect()
            };
            let names = action.map(secrets).unwrap_or_default();
            let texts = alias.formats.iter().flat_map(|format| &format.representations);
            texts.into_iter().any(|text| names.iter().any(|name| text.text.contains(name.as_str())))
        };
        let begins = |alias: &Alias| {
            let texts = alias.formats.iter().flat_map(|format| &format.representations);
            texts
                .into_iter()
                .any(|text| text.text.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(first)))
        };
        let hidden = self.catalog.aliases.iter().any(|alias| takes_secret(alias) && begins(alias) && may(alias));
        hidden.then(|| format!("{first} {MASK}"))
    }
}
