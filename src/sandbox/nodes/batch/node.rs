//! A node and a job as the batch system has them, and the words for how they stand.

use std::time::Duration;

use super::Seen;

/// One node.
pub(crate) struct Node {
    pub(crate) cores: u32,
    /// Mebibytes.
    pub(crate) memory: u64,
    pub(crate) address: String,
    pub(crate) down: bool,
    pub(crate) drain: bool,
    pub(crate) fail: bool,
    /// It has not answered for a while, or not yet.
    pub(crate) silent: bool,
    pub(crate) reason: Option<Reason>,
    /// Its daemon was asked to register.
    pub(super) registers: bool,
    pub(crate) seen: Option<Seen>,
    /// When it was heard of last.
    pub(super) heard: Duration,
    pub(super) slots: Vec<Slot>,
}

/// Room for one job after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    pub(super) busy: bool,
    /// How many it has had.
    pub(super) served: u32,
}

/// Why a node is as it is, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) text: String,
    pub(crate) user: String,
    /// Seconds since the epoch.
    pub(crate) at: i64,
}

impl Reason {
    pub(super) fn new(text: &str, user: &str, at: i64) -> Self {
        Self { text: text.to_owned(), user: user.to_owned(), at }
    }
}

/// One job; it runs, or is being stopped.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) uid: u32,
    pub(crate) node: String,
    pub(crate) cores: u32,
    pub(crate) partition: &'static str,
    /// When it began, since the start of the cluster.
    pub(crate) since: Duration,
    /// When it ends; never by itself where there is none.
    pub(super) ends: Option<Duration>,
    pub(super) slot: Option<usize>,
    /// Somebody has stopped it, and it is not gone yet.
    pub(crate) stopped: bool,
}

impl Node {
    pub(super) fn new(cores: u32, memory: u64, address: String, slots: u32) -> Self {
        Self {
            cores,
            memory,
            address,
            down: false,
            drain: false,
            fail: false,
            silent: false,
            reason: None,
            registers: false,
            seen: None,
            heard: Duration::ZERO,
            slots: vec![Slot::default(); slots as usize],
        }
    }

    /// Whether new jobs begin here.
    pub(super) fn in_service(&self) -> bool {
        !(self.down || self.drain || self.fail || self.silent)
    }
}

/// How a node stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) down: bool,
    pub(crate) draining: bool,
    pub(crate) failing: bool,
    pub(crate) silent: bool,
    pub(crate) completing: bool,
    pub(crate) taken: u32,
    pub(crate) cores: u32,
}

impl Standing {
    /// The word and its short form, as `sinfo` prints them, without the star.
    fn words(self) -> (&'static str, &'static str) {
        let busy = self.taken > 0;
        match self {
            Self { draining: true, down: false, .. } if busy => ("draining", "drng"),
            Self { draining: true, .. } => ("drained", "drain"),
            Self { failing: true, down: false, .. } if busy => ("failing", "failg"),
            Self { failing: true, down: false, .. } => ("fail", "fail"),
            Self { down: true, .. } => ("down", "down"),
            Self { completing: true, .. } => ("completing", "comp"),
            _ if self.taken >= self.cores => ("allocated", "alloc"),
            _ if busy => ("mixed", "mix"),
            _ => ("idle", "idle"),
        }
    }

    /// As `%T` of `sinfo` has it.
    pub(crate) fn word(self) -> String {
        format!("{}{}", self.words().0, self.star())
    }

    /// As `%t` of `sinfo` has it.
    pub(crate) fn short(self) -> String {
        format!("{}{}", self.words().1, self.star())
    }

    fn star(self) -> &'static str {
        if self.silent { "*" } else { "" }
    }

    fn base(self) -> &'static str {
        match self {
            Self { down: true, .. } => "DOWN",
            _ if self.taken == 0 => "IDLE",
            _ if self.taken >= self.cores => "ALLOCATED",
            _ => "MIXED",
        }
    }

    /// As `scontrol show node` has it: the base state and its flags.
    pub(crate) fn flags(self) -> String {
        let mut text = self.base().to_owned();
        for (there, flag) in [
            (self.draining, "+DRAIN"),
            (self.completing, "+COMPLETING"),
            (self.failing, "+FAIL"),
            (self.silent, "+NOT_RESPONDING"),
        ] {
            if there {
                text.push_str(flag);
            }
        }
        text
    }

    /// Slurm's number for it, by which `sinfo` sorts.
    pub(crate) fn rank(self) -> u32 {
        let base = match self.base() {
            "DOWN" => 1,
            "IDLE" => 2,
            "ALLOCATED" => 3,
            _ => 5,
        };
        let flags = [(self.draining, 0x200), (self.completing, 0x400), (self.silent, 0x800), (self.failing, 0x2000)];
        base + flags.iter().filter(|(there, _)| *there).map(|(_, flag)| flag).sum::<u32>()
    }

    /// Whether a state that somebody asks `sinfo` for is this one; nothing when there is no such state.
    pub(crate) fn fits(self, asked: &str) -> Option<bool> {
        let word = self.words().0;
        Some(match asked.to_ascii_lowercase().as_str() {
            "drain" => self.draining,
            "drained" | "draining" | "idle" | "allocated" | "mixed" | "completing" | "fail" | "failing" => {
                word.eq_ignore_ascii_case(asked)
            }
            "alloc" => word == "allocated",
            "mix" => word == "mixed",
            "comp" => self.completing,
            "down" => self.down,
            "no_respond" => self.silent,
            "unknown" | "future" | "reserved" | "resv" | "maint" | "power_down" | "powered_down" | "powering_down"
            | "powering_up" | "reboot" | "planned" | "blocked" | "perfctrs" | "cloud" | "?" => false,
            _ => return None,
        })
    }
}
