//! The part of the configuration that decisions depend on, already checked.

use crate::core::access::arguments::Patterns;
use crate::core::access::hours::Hours;
use crate::core::alert::escalation::Escalation;
use crate::core::alert::storm::Terms;
use crate::core::rule::guard::Guard;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What the core knows of `config.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Names of the channels where commands are heard. Direct messages are always heard.
    pub channels: Vec<String>,
    /// The channel that hears of trouble with the bot itself.
    pub admin_channel: Option<String>,
    /// The channel where alerts are told, and what rules do; the admin channel where it is absent.
    pub alert_channel: Option<String>,
    /// How a line is meant for the bot.
    pub address: Vec<Address>,
    /// The text that [`Address::Prefix`] looks for.
    pub prefix: String,
    /// Who may do what.
    pub roles: Vec<Role>,
    /// A line that is older when it is read is not run, unless it was heard as it was written.
    pub late_after: Duration,
    /// Which chat user a user of the bot's own machine stands for when approvals are decided: names of both.
    pub chat_users: BTreeMap<String, String>,
    /// An execution that took longer than this ends with a reply that mentions who asked.
    pub mention_after: Duration,
    /// The time zone of the site, an IANA name: by it go times for everybody, and for whoever has none. UTC where it is empty.
    pub zone: String,
    /// How long running executions may go on after a stop was asked for.
    pub grace: Duration,
    /// How much of what may be asked and done at once.
    pub limits: Limits,
    /// How often rules may act on problems of the monitoring.
    pub guard: Guard,
    /// A problem on a machine that an execution of ours had out of service has so long to end by itself when that has ended well.
    pub settle: Duration,
    /// When many problems at once are told as one.
    pub storms: Terms,
    /// Who is called when nobody touches a problem.
    pub escalation: Escalation,
    /// The monitorings that can be asked and told, in the order of the configuration.
    pub monitorings: Vec<Monitored>,
    /// The chat server reaches us, so that buttons can be pressed.
    pub buttons: bool,
    /// A local user with this id may do everything: the account that the bot runs as can read the store anyway.
    pub own_uid: u32,
}

/// A monitoring, as far as decisions depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitored {
    /// Its name in the configuration.
    pub name: String,
    /// The kind by which problems know it, `check_mk`.
    pub source: String,
    /// The site whose problems are its; of any site when absent.
    pub site: Option<String>,
    /// A check can be forced.
    pub checks: bool,
    /// How often it is asked how things stand; never when absent.
    pub read: Option<Duration>,
    /// The label of Alertmanager's alerts that has the host, where it is not the usual one.
    pub host_label: Option<String>,
}

/// How much may be asked and done at once. Reaching a bound is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Executions under way, all together.
    pub executions: usize,
    /// Executions under way of one person.
    pub executions_per_user: usize,
    /// Lines of one person within a minute.
    pub lines_per_user: usize,
    /// Lines in one channel within a minute; more look like programs that answer each other.
    pub lines_per_channel: usize,
    /// Lines of one person that wait for their time.
    pub scheduled_per_user: usize,
    /// Requests of one person that wait for an approval.
    pub approvals_per_user: usize,
    /// Executions under way that tasks of workflows began, all together, and those of one workflow.
    pub workflow_tasks: usize,
    /// Tasks without an action that may follow one another in a workflow; more look like a circle that does nothing.
    pub workflow_idle: usize,
    /// A line whose time came while the bot was away is carried out when that is not longer ago.
    pub scheduled_late: Duration,
    /// Executions that wait for their turn, all together.
    pub waiting: usize,
    /// Executions of one person that wait for their turn.
    pub waiting_per_user: usize,
    /// An execution whose turn has not come after this does not begin any more.
    pub longest_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            executions: 500,
            executions_per_user: 50,
            lines_per_user: 60,
            lines_per_channel: 300,
            scheduled_per_user: 20,
            approvals_per_user: 20,
            workflow_tasks: 100,
            workflow_idle: 100_000,
            scheduled_late: Duration::from_secs(600),
            waiting: 200,
            waiting_per_user: 50,
            longest_wait: Duration::from_secs(3600),
        }
    }
}

/// The ways to address the bot in a channel. In a direct message every line is meant for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// `@name line`.
    Mention,
    /// The prefix before the line.
    Prefix,
    /// The line as it stands, when it matches an alias or a command of the bot.
    Bare,
}

/// A role: who has it and what it grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// User names (lower case, without the at sign), resolved to ids by the directory.
    pub users: Vec<String>,
    /// Channel names; whoever is a member has the role.
    pub channels: Vec<String>,
    /// Names of groups of the chat server; whoever is a member has the role.
    pub groups: Vec<String>,
    /// Users of the bot's own machine.
    pub unix_users: Vec<String>,
    /// Rules: globs over their names (`pack.name`).
    pub rules: Vec<String>,
    /// What it grants.
    pub grants: Vec<Grant>,
}

/// What a role lets its holders do: `verb:ref-glob`, or a table with conditions, all of which have to hold. Two that are written in different
/// places are equal.
#[derive(Debug, Clone, Eq)]
pub struct Grant {
    /// What may be done. [`Verb::Admin`] includes all others, [`Verb::Run`] includes [`Verb::View`].
    pub verb: Verb,
    /// On which actions: a glob over `pack.name` where `*` stands for any text.
    pub on: String,
    /// What arguments have to be like, by their names.
    pub arguments: BTreeMap<String, Patterns>,
    /// The channels where it holds, `@direct` for direct messages; everywhere when empty.
    pub channels: Vec<String>,
    /// When it holds; always when absent.
    pub hours: Option<Hours>,
    /// Where it is written, for people: file and line.
    pub written: String,
}

impl Grant {
    /// A grant without conditions.
    pub fn new(verb: Verb, on: impl Into<String>) -> Self {
        let (arguments, channels) = (BTreeMap::new(), Vec::new());
        Self { verb, on: on.into(), arguments, channels, hours: None, written: String::new() }
    }
}

impl PartialEq for Grant {
    fn eq(&self, other: &Self) -> bool {
        (self.verb, &self.on) == (other.verb, &other.on)
            && (&self.arguments, &self.channels, &self.hours) == (&other.arguments, &other.channels, &other.hours)
    }
}

/// `run:site.* with hosts wn*, in ~cluster, at mon-fri 08:00-20:00 Europe/Berlin`
impl fmt::Display for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.verb.word(), self.on)?;
        let arguments = self.arguments.iter().map(|(name, wanted)| format!("{name} {wanted}"));
        let arguments: Vec<String> = arguments.collect();
        if !arguments.is_empty() {
            write!(formatter, " with {}", arguments.join(" and "))?;
        }
        if !self.channels.is_empty() {
            write!(formatter, ", in {}", self.channels.join(" or "))?;
        }
        match &self.hours {
            Some(hours) => write!(formatter, ", at {hours}"),
            None => Ok(()),
        }
    }
}

/// What can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// See that an action exists and how its executions went.
    View,
    /// Run it, stop it.
    Run,
    /// Approve its runs.
    Approve,
    /// Everything, and the bot itself.
    Admin,
}

impl Verb {
    /// As it is written in a grant.
    pub fn word(self) -> &'static str {
        match self {
            Verb::View => "view",
            Verb::Run => "run",
            Verb::Approve => "approve",
            Verb::Admin => "admin",
        }
    }
}
