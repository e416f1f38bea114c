//! One sensor under supervision: when it is started, stopped, and started again.
//!
//! ```text
//!          wanted                 due                    ended
//!   Off ───────────► Waiting ───────────► Running ───────────────► Waiting, longer each time
//!    ▲                  │                    │ wanted no more, or otherwise
//!    └──────────────────┴──── ended ◄──── Stopping
//! ```
//!
//! - **Waits double from a second to five minutes, with some chance in them**, so that what failed together is not started together. Who has lived
//!   for a minute begins anew.
//! - **A program with a poll interval that ends with exit code 0 has done its work**: it is started again when the interval is over.
//! - **It is told once that one fails again and again, and once that it lives again.**

use super::End;
use jiff::{SignedDuration, Timestamp};

/// The wait after the first failure.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);
/// Who has run for so long is well.
pub const WELL: SignedDuration = SignedDuration::from_mins(1);
/// After so many failures one after the other it is told.
pub const TROUBLED: u32 = 3;

/// How a sensor stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is not to run.
    Off,
    /// It is started at this moment.
    Waiting {
        /// Which.
        until: Timestamp,
    },
    /// It runs.
    Running {
        /// Which start that was.
        run: u64,
        /// Since when.
        since: Timestamp,
        /// Its process id, once that is known.
        pid: Option<u32>,
    },
    /// It was told to end, and has not yet.
    Stopping {
        /// Which start that was.
        run: u64,
    },
}

/// What is to be done about a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    Nothing,
    /// The run with this number is to end.
    Stop(u64),
}

/// What the end of a run means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was to end, or nobody knows that run any more.
    Wanted,
    /// It has looked once, as it was to, and does so again.
    Polled,
    /// It failed so often in a row.
    Failed(u32),
}

/// A sensor under supervision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervised {
    state: State,
    /// What is to run; nothing when it is not to. Another text means that it has to be started anew.
    wanted: Option<String>,
    /// The number of the newest start.
    run: u64,
    failures: u32,
    /// It was told that it fails, since it last changed.
    told: bool,
    /// It was told that it fails, and not yet that it lives again.
    owed: bool,
    /// It has run long enough, or has looked as it was to, since it last failed or changed.
    well: bool,
    /// Since when it does not run although it should.
    down: Option<Timestamp>,
    last: Option<(Timestamp, End)>,
}

impl Default for Supervised {
    fn default() -> Self {
        let (told, owed, well) = (false, false, false);
        Self { state: State::Off, wanted: None, run: 0, failures: 0, told, owed, well, down: None, last: None }
    }
}

impl Supervised {
    /// How it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How often it failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether it has failed so often in a row that somebody has to look.
    pub fn is_troubled(&self) -> bool {
        self.wanted.is_some() && self.failures >= TROUBLED
    }

    /// Since when it does not run although it should; nothing while it does, or is resting between two looks.
    pub fn down(&self) -> Option<Timestamp> {
        self.down.filter(|_| self.wanted.is_some())
    }

    /// How it ended last, and when.
    pub fn last(&self) -> Option<&(Timestamp, End)> {
        self.last.as_ref()
    }

    /// This is to run from now on, or nothing.
    pub fn want(&mut self, wanted: Option<String>, now: Timestamp) -> Order {
        if self.wanted == wanted {
            return Order::Nothing;
        }
        // What is new has not failed yet.
        (self.failures, self.told, self.well, self.down) = (0, false, false, None);
        self.owed &= wanted.is_some();
        self.wanted = wanted;
        match self.state {
            State::Running { run, .. } => {
                self.state = State::Stopping { run };
                Order::Stop(run)
            }
            State::Stopping { .. } => Order::Nothing,
            State::Off | State::Waiting { .. } => {
                self.state = if self.wanted.is_some() { State::Waiting { until: now } } else { State::Off };
                Order::Nothing
            }
        }
    }

    /// Whether it is to be started.
    pub fn is_due(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Waiting { until } if until <= now)
    }

    /// It is started. Gives the number of the start. What it was started with is what it is from now on.
    pub fn start(&mut self, with: String, now: Timestamp) -> u64 {
        self.run += 1;
        self.wanted = Some(with);
        self.state = State::Running { run: self.run, since: now, pid: None };
        self.run
    }

    /// Its program has begun.
    pub fn started(&mut self, run: u64, process: u32) {
        if let State::Running { run: known, pid, .. } = &mut self.state
            && *known == run
        {
            *pid = Some(process);
        }
    }

    /// Whether this run is the one that runs or is being stopped.
    pub fn is_run(&self, number: u64) -> bool {
        matches!(self.state, State::Running { run, .. } | State::Stopping { run } if run == number)
    }

    /// A run has ended. `poll` is the time between two looks.
    pub fn ended(&mut self, run: u64, end: End, poll: Option<SignedDuration>, now: Timestamp, bits: u64) -> Ending {
        if !self.is_run(run) {
            return Ending::Wanted;
        }
        let state = std::mem::replace(&mut self.state, State::Off);
        let State::Running { since, .. } = state else {
            if self.wanted.is_some() {
                self.state = State::Waiting { until: now };
            }
            return Ending::Wanted;
        };
        let done = end == End::Code(0);
        self.last = Some((now, end));
        if let (true, Some(poll)) = (done, poll) {
            (self.failures, self.told, self.well, self.down) = (0, false, true, None);
            self.state = State::Waiting { until: now.saturating_add(poll).unwrap_or(Timestamp::MAX) };
            return Ending::Polled;
        }
        if now.duration_since(since) >= WELL {
            self.failures = 0;
        }
        self.failed(now, bits)
    }

    /// It could not even be tried to start it.
    pub fn not_started(&mut self, why: String, now: Timestamp, bits: u64) -> Ending {
        self.last = Some((now, End::NotStarted { why }));
        self.failed(now, bits)
    }

    fn failed(&mut self, now: Timestamp, bits: u64) -> Ending {
        self.failures = self.failures.saturating_add(1);
        self.well = false;
        self.down.get_or_insert(now);
        let until = now.saturating_add(wait(self.failures, bits)).unwrap_or(Timestamp::MAX);
        self.state = State::Waiting { until };
        Ending::Failed(self.failures)
    }

    /// Whether it is to be told now that it fails again and again; true once a spell.
    pub fn tells_of_trouble(&mut self) -> bool {
        let tells = self.is_troubled() && !self.told;
        self.told |= tells;
        self.owed |= tells;
        tells
    }

    /// Looks whether it has come to itself: it runs long enough, or has looked as it was to. True when that is to be told.
    pub fn recovers(&mut self, now: Timestamp) -> bool {
        if let State::Running { since, .. } = self.state
            && now.duration_since(since) >= WELL
        {
            (self.failures, self.told, self.well, self.down) = (0, false, true, None);
        }
        self.well && std::mem::take(&mut self.owed)
    }

    /// When it is to be looked after.
    pub fn next(&self) -> Option<Timestamp> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Running { since, .. } if self.failures > 0 || self.owed => since.saturating_add(WELL).ok(),
            State::Off | State::Running { .. } | State::Stopping { .. } => None,
        }
    }
}

/// The wait after so many failures: doubled each time, and between four and six fifths of that.
fn wait(failures: u32, bits: u64) -> SignedDuration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    let chance = i32::try_from(bits % 401).unwrap_or(0);
    whole.saturating_mul(800 + chance) / 1_000
}
