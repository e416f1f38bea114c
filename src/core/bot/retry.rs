//! What failed is tried again, where a policy wants it: StackStorm's `action.retry` (3.9).
//!
//! **Each try is an execution of its own**, as in StackStorm, with its id and its card: the card of the one that failed names the next, the next names
//! the one before, and only the last one calls the person. It is promised together with the end that it follows, and **waits like everything that
//! waits**: until its delay is over, then behind those who came before it. So a restart, `cancel` and a freeze mean to it what they mean to those.
//!
//! - **Nothing is granted by having failed.** When a try is to begin, the one who asked is looked up, and their rights are judged with these
//!   arguments and on these machines, as for everything that has waited ([`Bot::resume`]).
//! - **A yes is for one run.** Where policies want an approval, each try asks for its own.
//! - **Never what nobody knows**, never what somebody has stopped, and never what was given up without having begun ([`super::recover`]). All
//!   machines are done when it is decided on.
//! - **Only where it failed.** StackStorm runs it everywhere again; but a machine that did what was asked, asked once more to reboot, would.
//! - **Only the same**: the action's file has not changed.

use super::start::{Gate, Hold, Prepared, Wish, hosts_of};
use super::{Bot, Moment, Step};
use crate::core::access::Rights;
use crate::core::action::execution::Execution;
use crate::core::action::params::Resolved;
use crate::core::action::run::Exit;
use crate::core::action::waiting::Given;
use crate::core::approval::request::Request;
use crate::core::id::{ExecutionId, Host};
use crate::core::memory::Contradiction;
use crate::core::message::card::Card;
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::policy::{Again, NextTry, Retry, Tries};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The next try, ready to wait.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) next: NextTry,
    wish: Wish,
    prepared: Prepared,
    approval: Option<Box<Request>>,
}

impl Bot {
    /// What another try of an execution would need; nothing where no policy wants one.
    pub(super) fn tries(
        &self,
        moment: &mut Moment,
        id: &ExecutionId,
        wish: &Wish,
        resolved: &Resolved,
    ) -> Option<Box<Tries>> {
        let policies = self.catalog.policies.get(&wish.action.reference);
        if wish.again.is_none() && policies.is_none_or(|policies| policies.retry.is_empty()) {
            return None;
        }
        let (at, key) = (moment.at, self.master_key.as_ref());
        let given = Given::keep(id, &wish.given, &resolved.secrets, &wish.trusted, key, (at, || moment.bits())).ok();
        let (number, again) = match &wish.again {
            Some((number, again)) => (*number, Some(again.clone())),
            None => (1, None),
        };
        Some(Box::new(Tries { number, given, again }))
    }

    /// The next try of an execution that has just ended, or why there is none though a policy wants one.
    pub(super) fn next_try(&self, at: Timestamp, execution: &Execution) -> Option<Result<Box<Next>, String>> {
        let policies = self.catalog.policies.get(&execution.request.action)?;
        let retry = policies.retry.iter().find(|retry| retry.on.covers(execution.status))?;
        let number = execution.request.tries.as_ref().map_or(1, |tries| tries.number);
        (number <= retry.most).then(|| self.prepare_try(at, execution, retry, number + 1))
    }

    fn prepare_try(
        &self,
        at: Timestamp,
        execution: &Execution,
        retry: &Retry,
        number: u32,
    ) -> Result<Box<Next>, String> {
        let request = &execution.request;
        let hindered = |what: &'static str, why: &str| {
            self.sentences.phrase(&Phrase::NotTriedAgain { policy: &retry.policy, what, why })
        };
        let action = self.catalog.actions.get(&request.action).cloned();
        let action = action.filter(|action| action.enabled && action.content == request.content);
        let action = action.ok_or_else(|| hindered("content", ""))?;
        let hosts = where_it_failed(execution);
        if hosts.is_empty() && !execution.places().is_empty() {
            return Err(hindered("hosts", ""));
        }
        let (mut given, trusted) = match request.tries.as_deref().map(|tries| &tries.given) {
            Some(Some(kept)) => {
                let given = kept.open(&request.id, self.master_key.as_ref());
                (given.map_err(|why| hindered("secret", &why.to_string()))?, kept.trusted.clone())
            }
            None if request.secrets.is_empty() => (super::recover::given_before(&action, execution), Vec::new()),
            Some(None) | None => return Err(hindered("secret", "")),
        };
        if !request.hosts.is_empty() && hosts.len() < request.hosts.len() {
            if action.parameters.get("hosts").is_some_and(|parameter| parameter.immutable) {
                return Err(hindered("fixed", ""));
            }
            given.insert("hosts".to_owned(), Value::from(super::settle::written_hosts(request, &hosts)));
        }
        let alias = self.catalog.aliases.iter().find(|alias| Some(&alias.reference) == request.alias.as_ref());
        let (of, due) = (retry.most + 1, at.saturating_add(retry.delay).unwrap_or(Timestamp::MAX));
        let again = Again { policy: retry.policy.clone(), of, after: request.id.clone(), due };
        let wish = Wish {
            action,
            given,
            by: request.by.clone(),
            back: request.back.clone(),
            line: request.line.clone(),
            correctable: false,
            alias: alias.cloned(),
            trusted,
            // Judged when it begins.
            rights: Rights::default(),
            rerun_of: None,
            trace_tag: request.trace_tag.clone(),
            zone: request.zone.clone(),
            settles: None,
            again: Some((number, again)),
            takes_up: None,
            parent: None,
            hidden: std::collections::BTreeSet::new(),
        };
        let refused = |card: &Card| hindered("refused", &markdown::bare(&self.sentences.say(card)));
        let prepared = self.prepare_unjudged(at, &wish).map_err(|declined| refused(&declined.card))?;
        // A group may mean other machines by now.
        if hosts_of(&prepared.1).iter().any(|host| !request.hosts.contains(host)) {
            return Err(hindered("hosts", ""));
        }
        let id = id_after(&request.id, at);
        let approval = match self.approval_gate(&mut moment_of(&id, at), &wish, &prepared) {
            Gate::Open | Gate::Waits(Hold::Turn(_)) => None,
            Gate::Waits(Hold::Approval(asked)) => Some(asked),
            Gate::Joined(other) => return Err(hindered("asked", other.short())),
            Gate::Refused(declined) => return Err(refused(&declined.card)),
        };
        let next = NextTry { id, number, of, at: due, asks: approval.is_some() };
        Ok(Box::new(Next { next, wish, prepared, approval }))
    }

    /// Has the next try wait: for its approval where it needs one, else until its time and its turn have come.
    pub(super) fn await_try(&mut self, step: &mut Step, moment: &Moment, next: Next) -> Result<(), Contradiction> {
        let Next { next: NextTry { id, at: due, .. }, wish, prepared, approval } = next;
        let mut moment = moment_of(&id, moment.at);
        let hold = match approval {
            Some(asked) => Hold::Approval(asked),
            None => Hold::Turn(self.turn(moment.at, (due > moment.at).then_some(due))),
        };
        match self.wait(step, &mut moment, id, &wish, &prepared, hold)? {
            Ok(()) => Ok(()),
            Err(declined) => self.say(step, &moment, &wish.back, &declined.card),
        }
    }
}

/// The places where it began and is certain not to have done what was asked. Where nothing was begun anywhere these are all.
fn where_it_failed(execution: &Execution) -> Vec<Host> {
    let places = execution.places();
    if execution.outcomes.is_empty() {
        return places;
    }
    let failed = |host: &Host| {
        let exit = execution.outcomes.get(host).map(|outcome| &outcome.exit);
        let sure = |exit: &Exit| !matches!(exit, Exit::Unknown { .. } | Exit::NeverBegan { .. } | Exit::Canceled);
        exit.is_some_and(|exit| !exit.succeeded() && sure(exit))
    };
    places.into_iter().filter(failed).collect()
}

/// The id of the try after this one. It follows from that, so that deciding on it needs no randomness of its own.
fn id_after(id: &ExecutionId, at: Timestamp) -> ExecutionId {
    ExecutionId::generate(at, bits_of(id))
}

fn moment_of(id: &ExecutionId, at: Timestamp) -> Moment {
    Moment { at, entropy: bits_of(id) }
}

fn bits_of(id: &ExecutionId) -> u64 {
    let digest = Sha256::digest(format!("retry/{id}").as_bytes());
    digest.iter().take(8).fold(0, |bits, byte| (bits << 8) | u64::from(*byte))
}
