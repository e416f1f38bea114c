//! What there is to say to the bot.

use crate::core::alias::spec::Alias;
use crate::core::id::ActionRef;
use std::sync::Arc;

/// A line of help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpLine {
    /// The format as its author wants it shown.
    pub display: String,
    /// What the alias is for.
    pub description: String,
    /// What it starts.
    pub action: ActionRef,
}

impl HelpLine {
    /// The pack whose action it starts.
    pub fn pack(&self) -> &str {
        self.action.pack()
    }
}

/// The formats of every alias that `may` be used, by pack and then by text. With a query, those where each of its words stands in the
/// format, the description or the action's name, in any case.
pub fn help(query: Option<&str>, aliases: &[Arc<Alias>], may: &dyn Fn(&Alias) -> bool) -> Vec<HelpLine> {
    let query = query.unwrap_or_default().to_lowercase();
    let mut lines: Vec<HelpLine> = aliases
        .iter()
        .filter(|alias| alias.enabled && may(alias))
        .flat_map(|alias| {
            let shown = alias.formats.iter().flat_map(|format| {
                let displays = match &format.display {
                    Some(display) => vec![display.clone()],
                    None => format.representations.iter().map(|representation| representation.text.clone()).collect(),
                };
                displays.into_iter().map(move |display| (display, &format.help))
            });
            shown.map(|(display, help)| HelpLine {
                display,
                description: help.as_ref().unwrap_or(&alias.description).clone(),
                action: alias.action.clone(),
            })
        })
        .filter(|line| {
            let text = format!("{} {} {}", line.display, line.description, line.action).to_lowercase();
            query.split_whitespace().all(|word| text.contains(word))
        })
        .collect();
    lines.sort_by(|one, other| {
        (one.pack(), &one.display, &one.action).cmp(&(other.pack(), &other.display, &other.action))
    });
    lines.dedup();
    lines
}
