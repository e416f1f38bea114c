//! Which entries somebody is shown: `audit`, `audit 20`, `audit 5c61ab`, `audit operator`, `audit site.reboot*`, all of these at once.

use crate::core::access::Rights;
use crate::core::audit::entry::{Entry, Event};
use crate::core::content::glob::covers;
use crate::core::input::Principal;
use crate::core::settings::Verb;
use serde::{Deserialize, Serialize};

/// How many entries are shown when it is not said.
pub const USUAL: usize = 10;
/// The most entries that chat shows at once.
pub const MOST_IN_CHAT: usize = 50;
/// The most entries that are given at once.
pub const MOST: usize = 10_000;

/// What an entry has to be like to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// The last digits of the execution that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// The name or the id of the one who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// A glob over the action that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The word of what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Globs over those actions of which the asker may see what was done with them. Absent for who may see all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visible: Option<Vec<String>>,
}

impl Filter {
    /// Reads what follows `audit`: how many, and which.
    pub fn read(words: &[&str]) -> Option<(usize, Self)> {
        let (mut most, mut filter) = (USUAL, Self::default());
        let mut words = words.iter().map(|word| word.to_lowercase()).peekable();
        while let Some(word) = words.next() {
            let free = |slot: &Option<String>| slot.is_none().then_some(());
            if word == "last" && words.peek().is_none_or(|next| next.parse::<usize>().is_ok()) {
                continue;
            } else if let Ok(count) = word.parse::<usize>()
                && word.len() <= 3
            {
                most = count.clamp(1, MOST_IN_CHAT);
            } else if word.contains(['.', '*']) {
                free(&filter.action)?;
                filter.action = Some(word);
            } else if let Some(digits) = execution(&word) {
                free(&filter.execution)?;
                filter.execution = Some(digits);
            } else if EVENTS.contains(&word.as_str()) {
                free(&filter.event)?;
                filter.event = Some(word);
            } else {
                let name = word.trim_start_matches('@');
                free(&filter.who)?;
                filter.who = Some(name.to_owned()).filter(|name| !name.is_empty());
                filter.who.as_ref()?;
            }
        }
        Some((most, filter))
    }

    /// The same, as far as somebody may see it. Whoever administers the bot sees all; others see what was done with the actions that they may
    /// view, and nothing of the bot itself, of values, and of what was refused.
    pub fn for_rights(self, rights: &Rights) -> Self {
        let visible = (!rights.administers()).then(|| rights.unconditional_globs(Verb::View));
        Self { visible, ..self }
    }

    /// Whether an entry is to be shown.
    pub fn takes(&self, entry: &Entry) -> bool {
        let action = |globs: &[String]| {
            entry.action.as_ref().is_some_and(|action| globs.iter().any(|glob| covers(glob, action.as_str())))
        };
        let ends = |digits: &String| {
            let about = entry.execution.iter().chain(&entry.executions);
            about.into_iter().any(|id| id.as_str().ends_with(digits.as_str()))
        };
        let did = |who: &String| {
            entry.by.as_ref().is_some_and(|by| match by {
                Principal::ChatUser { id, name } => name.eq_ignore_ascii_case(who) || id.as_str() == who,
                Principal::LocalUser { name, .. } => name.eq_ignore_ascii_case(who),
                Principal::Rule { rule, .. } => rule.as_str().eq_ignore_ascii_case(who),
            })
        };
        let may_see =
            |globs: &Vec<String>| !matches!(entry.event, Event::Refused | Event::CallbackRefused) && action(globs);
        self.visible.as_ref().is_none_or(may_see)
            && self.execution.as_ref().is_none_or(ends)
            && self.who.as_ref().is_none_or(did)
            && self.action.as_ref().is_none_or(|glob| action(std::slice::from_ref(glob)))
            && self.event.as_ref().is_none_or(|event| entry.event.word() == event)
    }
}

/// Words for what happened, by which one can ask.
const EVENTS: [&str; 20] = [
    "approval-asked",
    "approved",
    "denied",
    "delayed",
    "ran-again",
    "tried-again",
    "cancel-asked",
    "callback-refused",
    "started",
    "ended",
    "refused",
    "frozen",
    "unfrozen",
    "settled",
    "scheduled",
    "reloaded",
    "checkpoint",
    "cut",
    "value-set",
    "secrets-shown",
];

/// An execution's id or its last digits; a word without a digit in it is rather a name.
fn execution(word: &str) -> Option<String> {
    let (sure, id) = word.strip_prefix('#').map_or((false, word), |id| (true, id));
    let hex = (4..=24).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && (sure || id.bytes().any(|byte| byte.is_ascii_digit()))).then(|| id.to_owned())
}
