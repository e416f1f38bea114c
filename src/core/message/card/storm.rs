//! What is said of a storm: so many problems at once that they are told as one.

use serde::Serialize;

/// See [`super::Card::Storm`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StormCard {
    /// `rising`, `calm`: many are left; `over`, `went_on`: another storm has taken over what was left.
    pub state: &'static str,
    /// How many problems belong to it.
    pub count: usize,
    /// How many of them are open.
    pub open: usize,
    /// How many are over.
    pub gone: usize,
    /// How many of the open ones somebody has taken on, or set a downtime for.
    pub taken: usize,
    /// When the first came, by the clock.
    pub since: String,
    /// When something came or went last, by the clock.
    pub last: String,
    /// How long it was from the first to the last.
    pub lasted: String,
    /// What it is made of.
    pub rows: Vec<StormRow>,
    /// How many problems are in rows that are not shown.
    pub more: usize,
    /// `held`: rules wait for a person; `released`: they act; empty where no rule acts on problems, or nothing is left.
    pub rules: &'static str,
    /// For how many problems rules would have acted.
    pub held: usize,
    /// How many things are at work because of its problems.
    pub at_work: usize,
    /// The roles that may let rules act.
    pub who: Vec<String>,
    /// Who lets them.
    pub released_by: String,
    /// A button lets them.
    pub button: bool,
    /// What the monitoring is being asked to do about its problems.
    pub orders: Vec<StormOrder>,
    /// The hosts of those that have posts of their own, as inline code; empty where none has.
    pub apart: String,
    /// How many have.
    pub apart_count: usize,
}

/// Something that the monitoring is being asked to do about problems of a storm.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StormOrder {
    /// As in [`super::AlertRemedy::order`].
    pub order: String,
    /// Who wants it.
    pub by: String,
    /// The short id of the execution.
    pub id: String,
    /// `runs`, or `waits` for the yes of people.
    pub state: &'static str,
    /// For how many problems.
    pub count: usize,
}

/// Problems of a storm that have something in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StormRow {
    /// As in [`super::AlertCard::state`], the worst of those that are open; `recovered` when all are over.
    pub state: &'static str,
    /// The group of the hosts; empty where they have none.
    pub group: String,
    /// The service, where all have the same; empty for the hosts themselves.
    pub service: String,
    /// They are of several services.
    pub mixed: bool,
    /// The hosts, as inline code: those of the open ones, or all when all are over.
    pub hosts: String,
    /// How many belong to it.
    pub count: usize,
    /// How many of them are open.
    pub open: usize,
    /// How many of these somebody has taken on.
    pub taken: usize,
    /// It is the whole group of hosts.
    pub whole: bool,
    /// What the check says, where it is one problem alone.
    pub output: String,
}

/// See [`super::Card::StormLine`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StormLine {
    /// `begun`, `released`, `calm`, `over`; `part` in the place of a post that a member had.
    pub turn: &'static str,
    /// How many problems belong to the storm, or came before it was seen to be one.
    pub count: usize,
    /// How many are open.
    pub open: usize,
    /// How many are over.
    pub gone: usize,
    /// The hosts of those that are open, as inline code; of one for a `part`.
    pub hosts: String,
    /// The service of a `part`; empty for the host itself.
    pub service: String,
    /// How many of the open ones have posts of their own, or had before it begun.
    pub apart: usize,
    /// The time that it is about: the window, the quiet time, how long it was.
    pub time: String,
    /// Who.
    pub who: String,
    /// How many things were begun.
    pub begun: usize,
    /// How many were not.
    pub refused: usize,
    /// Why the first of these was not.
    pub why: String,
    /// The path of the storm's post; empty where it is not known.
    pub link: String,
}

/// See [`super::Card::StormTold`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StormTold {
    /// `released`; or why not: `none`, `no_rules`, `already`, `not_yours`.
    pub what: &'static str,
    /// For how many problems rules would have acted.
    pub held: usize,
    /// Who has let them already.
    pub by: String,
    /// The roles that may.
    pub who: Vec<String>,
}
