//! One thing that is watched, a host or a service: what was found of it, and what of that is worth telling.

use std::collections::VecDeque;

/// States that are remembered to see whether something comes and goes.
const HISTORY: usize = 21;
/// Per cent of changes, the last ones counting most: from here on it comes and goes, and below the other it does no more.
const FLAPS: (f64, f64) = (30.0, 20.0);

/// Somebody has taken a problem on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    /// It lasts until all is well, and not only until the state changes.
    pub(crate) sticky: bool,
    pub(crate) author: String,
    pub(crate) comment: String,
    /// It ends by itself then.
    pub(crate) expires: Option<i64>,
}

/// What somebody has written about a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) author: String,
    pub(crate) text: String,
    /// 1: somebody's own; 4: the words of an acknowledgement.
    pub(crate) kind: u8,
    pub(crate) at: i64,
}

/// The kinds of comments.
pub(crate) const OWN_WORDS: u8 = 1;
pub(crate) const OF_ACKNOWLEDGEMENT: u8 = 4;

/// A host or a service as it was found last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    pub(crate) state: u8,
    pub(crate) last_state: u8,
    pub(crate) output: String,
    /// Seconds since the epoch, like all times here. 0: never yet.
    pub(crate) last_check: i64,
    pub(crate) last_state_change: i64,
    pub(crate) last_good: i64,
    /// The state that is believed: a bad one must have been found `attempts` times.
    pub(crate) hard_state: u8,
    pub(crate) previous_hard_state: u8,
    pub(crate) last_hard_state_change: i64,
    pub(crate) attempt: u32,
    pub(crate) acknowledged: Option<Acknowledgement>,
    pub(crate) comments: Vec<Comment>,
    /// The number of its problem, and of the one before; 0 is none.
    pub(crate) problem: u64,
    pub(crate) last_problem: u64,
    /// Notifications of its problem.
    pub(crate) number: u32,
    pub(crate) last_notification: i64,
    pub(crate) flapping: bool,
    /// Its problem was told, and nobody has heard yet that it is over.
    told: bool,
    /// Its state has become another bad one since it was told.
    changed: bool,
    history: VecDeque<u8>,
}

/// What is to be told of a thing by itself, if nothing forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Problem,
    Recovery,
}

impl Watched {
    /// Takes what a check has found. The answer is whether it has begun (true) or ceased (false) to come and go.
    pub(crate) fn take(
        &mut self,
        state: u8,
        output: String,
        now: i64,
        attempts: u32,
        problems: &mut u64,
    ) -> Option<bool> {
        if state != self.state || self.last_check == 0 {
            self.last_state_change = now;
        }
        self.last_state = self.state;
        (self.state, self.output, self.last_check) = (state, output, now);
        let soft = self.hard_state == 0;
        if state == 0 {
            (self.attempt, self.last_good) = (1, now);
        } else if soft {
            self.attempt = if self.last_state == 0 { 1 } else { self.attempt + 1 }.min(attempts.max(1));
        }
        if state != self.last_state && self.acknowledged.as_ref().is_some_and(|taken| state == 0 || !taken.sticky) {
            self.give_back();
        }
        let believed = state == 0 || !soft || self.attempt >= attempts;
        if believed && state != self.hard_state {
            self.previous_hard_state = self.hard_state;
            self.hard_state = state;
            self.last_hard_state_change = now;
            self.changed = state != 0;
            if soft {
                *problems += 1;
                (self.problem, self.number) = (*problems, 0);
            } else if state == 0 {
                (self.last_problem, self.problem) = (self.problem, 0);
            }
        }
        self.flaps()
    }

    /// Nobody has taken it on any more.
    pub(crate) fn give_back(&mut self) {
        self.acknowledged = None;
        self.comments.retain(|comment| comment.kind != OF_ACKNOWLEDGEMENT);
    }

    fn flaps(&mut self) -> Option<bool> {
        self.history.push_back(self.state);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        let steps = HISTORY - 1;
        let changes = self.history.iter().zip(self.history.iter().skip(1)).rev().enumerate();
        // The newest change weighs 1.2, the oldest 0.8.
        let weigh = |back: usize| 1.2 - 0.4 * back as f64 / (steps - 1) as f64;
        let sum: f64 = changes.filter(|(_, (before, after))| before != after).map(|(back, _)| weigh(back)).sum();
        let share = sum * 100.0 / steps as f64;
        let flapping = if self.flapping { share > FLAPS.1 } else { share >= FLAPS.0 };
        let before = std::mem::replace(&mut self.flapping, flapping);
        (before != flapping).then_some(flapping)
    }

    /// What is to be told, where `muted` says that nothing may be; what is muted is told later if it still holds, but for the end of a problem.
    pub(crate) fn news(&mut self, muted: bool) -> Option<News> {
        if self.hard_state == 0 {
            let told = std::mem::take(&mut self.told);
            self.changed = false;
            return (told && !muted && !self.flapping).then_some(News::Recovery);
        }
        let fresh = !self.told || self.changed;
        if !fresh || muted || self.flapping || self.acknowledged.is_some() {
            return None;
        }
        (self.told, self.changed) = (true, false);
        self.number += 1;
        Some(News::Problem)
    }

    /// Whether a bad state is only being looked at again.
    pub(crate) fn is_soft(&self) -> bool {
        self.state != self.hard_state
    }
}
