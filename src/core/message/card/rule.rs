//! What is said of rules, and of what comes of them.

use serde::Serialize;

/// A rule in a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RuleRow {
    /// Its name.
    pub name: String,
    /// The events that it listens to.
    pub trigger: String,
    /// What it starts.
    pub action: String,
    /// It is in force.
    pub enabled: bool,
    /// It only tells what it would run.
    pub dry_run: bool,
    /// As what people are offered what it would run; empty where it acts by itself.
    pub offer: String,
    /// Its last remedies failed, so it does not act.
    pub rests: bool,
    /// How often something came of it.
    pub count: u64,
    /// How long ago that was; empty when never.
    pub last: String,
    /// `started`, `would-run`, `offered`, `failed`, `refused`; empty when nothing came of it yet.
    pub outcome: &'static str,
}

/// See [`super::Card::Rule`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RuleCard {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// It is in force.
    pub enabled: bool,
    /// Who has said so; empty when its file does.
    pub switched_by: String,
    /// How long ago they did.
    pub switched: String,
    /// It is asked only when no other has matched.
    pub backstop: bool,
    /// It only tells what it would run.
    pub dry_run: bool,
    /// As what people are offered what it would run; empty where it acts by itself.
    pub offer: String,
    /// So many of its last remedies failed that it does not act; 0 while it does.
    pub rests: u32,
    /// The events that it listens to.
    pub trigger: String,
    /// What it asks of them, a line each.
    pub criteria: Vec<String>,
    /// What it starts.
    pub action: String,
    /// With what, in a fence; empty when with nothing.
    pub parameters: String,
    /// A role lets it.
    pub may: bool,
    /// Its file; empty for who does not administer the bot.
    pub file: String,
    /// How often something came of it.
    pub count: u64,
    /// What came of it last, the newest first.
    pub last: Vec<RuleOutcome>,
}

/// What came of a rule once.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RuleOutcome {
    /// How long ago.
    pub ago: String,
    /// `started`, `would-run`, `offered`, `failed`, `refused`.
    pub outcome: &'static str,
    /// The execution's short id; empty when none was started.
    pub id: String,
    /// Why not, in Markdown; empty when one was, or was not to be.
    pub why: String,
}

/// See [`super::Card::RuleTold`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RuleTold {
    /// The rule, or the alias; empty where none was meant.
    pub rule: String,
    /// `enabled`, `disabled`, `enabled_already`, `disabled_already`, `reset`, `reset_already`; `rests`: after as many failures as `why` says; of an event `would_run`, `would_offer`, `failed`, `refused`, of an alias `not_offered`; empty for an answer that is `why`.
    pub what: &'static str,
    /// What it starts.
    pub action: String,
    /// Why it came to nothing, or the whole answer; Markdown.
    pub why: String,
    /// With what it would run, in a fence.
    pub parameters: String,
}
