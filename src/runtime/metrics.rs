//! # Numbers about the bot
//!
//! Counted where things pass: facts and inputs at the loop, calls at the outbox, writes at the store. The core counts nothing. [`Metrics::text`]
//! writes them in the text format of Prometheus, by hand: that is thirty lines here, and a library would bring more than it saves.
//!
//! **Label values are a closed list**: never a user, a host, an action or anything else that somebody can make more of.

use crate::core::action::execution::Status;
use crate::core::action::run::Exit;
use crate::core::callback::Refusal;
use crate::core::effect::Effect;
use crate::core::fact::Fact;
use crate::core::input::{Connection, Input};
use crate::core::sensor::News;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The kinds of series that Prometheus knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
    /// The name of its label, and every value that it can have; no label where there is none.
    label: &'static str,
    values: &'static [&'static str],
}

const fn plain(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family { name, kind, help, label: "", values: &[] }
}

const fn labelled(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: &'static [&'static str],
) -> Family {
    Family { name, kind: Kind::Counter, help, label, values }
}

const POSTS_HEARD: &str = "halcyon_posts_heard_total";
const LINES_TAKEN: &str = "halcyon_lines_taken_total";
const LINES_ANSWERED: &str = "halcyon_lines_answered_total";
const EXECUTIONS_STARTED: &str = "halcyon_executions_started_total";
const EXECUTIONS_ENDED: &str = "halcyon_executions_ended_total";
const COMMANDS_ENDED: &str = "halcyon_commands_ended_total";
const DELIVERIES_INTENDED: &str = "halcyon_deliveries_intended_total";
const DELIVERIES_SENT: &str = "halcyon_deliveries_sent_total";
const DELIVERIES_REFUSED: &str = "halcyon_deliveries_refused_total";
const CALLBACKS: &str = "halcyon_callbacks_total";
const CALLBACKS_REFUSED: &str = "halcyon_callbacks_refused_total";
const CONNECTIONS: &str = "halcyon_chat_connections_total";
const DISCONNECTIONS: &str = "halcyon_chat_disconnections_total";
const RELOADS: &str = "halcyon_reloads_total";
const SENSOR_STARTS: &str = "halcyon_sensor_starts_total";
const SENSOR_ENDS: &str = "halcyon_sensor_ends_total";
const SENSOR_LINES: &str = "halcyon_sensor_lines_total";
const TURN_SECONDS: &str = "halcyon_loop_turn_seconds";
const TURN_INPUTS: &str = "halcyon_loop_turn_inputs";
const STORE_WRITE_SECONDS: &str = "halcyon_store_write_seconds";

/// Every metric there is, in the order in which they are written.
pub const FAMILIES: &[Family] = &[
    plain(POSTS_HEARD, Kind::Counter, "Posts that the chat server told of, of whomever and wherever."),
    plain(LINES_TAKEN, Kind::Counter, "Posts that were meant for the bot and taken up."),
    plain(LINES_ANSWERED, Kind::Counter, "First answers that stand in the chat."),
    plain(EXECUTIONS_STARTED, Kind::Counter, "Executions started."),
    labelled(
        EXECUTIONS_ENDED,
        "Executions ended, by how.",
        "status",
        &["succeeded", "failed", "timeout", "canceled", "unknown"],
    ),
    plain("halcyon_executions_running", Kind::Gauge, "Executions under way."),
    labelled(
        COMMANDS_ENDED,
        "Commands ended on a machine, by how.",
        "exit",
        &["succeeded", "failed", "timeout", "canceled", "unreachable", "unknown"],
    ),
    plain(DELIVERIES_INTENDED, Kind::Counter, "Deliveries promised."),
    plain(DELIVERIES_SENT, Kind::Counter, "Deliveries that stand in the chat."),
    plain(DELIVERIES_REFUSED, Kind::Counter, "Deliveries that the chat server refused for good."),
    plain("halcyon_deliveries_waiting", Kind::Gauge, "Deliveries promised that do not stand yet."),
    plain("halcyon_deliveries_oldest_seconds", Kind::Gauge, "How long the oldest of them has been waiting."),
    plain("halcyon_chat_calls_repeated_total", Kind::Counter, "Calls of the outbox that failed and are made again."),
    plain("halcyon_chat_calls_refused_total", Kind::Counter, "Calls of the outbox that the chat server refused."),
    plain(
        "halcyon_chat_pauses_total",
        Kind::Counter,
        "Times that the outbox had to wait because the chat server asked for it (Retry-After).",
    ),
    plain(CALLBACKS, Kind::Counter, "Presses of buttons and dialogs submitted, rightly signed."),
    labelled(
        CALLBACKS_REFUSED,
        "Presses and dialogs that were refused as such that should not have come, by why.",
        "why",
        &["forged", "foreign_post", "late", "replayed", "other_user", "not_identified", "unreadable"],
    ),
    plain("halcyon_chat_connected", Kind::Gauge, "1 while the websocket stands."),
    plain(CONNECTIONS, Kind::Counter, "Times that the websocket came up."),
    plain(DISCONNECTIONS, Kind::Counter, "Times that it was reported as down."),
    plain("halcyon_sensors_running", Kind::Gauge, "Sensors that run."),
    plain("halcyon_sensors_failing", Kind::Gauge, "Sensors that should run, and failed last."),
    plain(SENSOR_STARTS, Kind::Counter, "Times that the program of a sensor was started."),
    plain(SENSOR_ENDS, Kind::Counter, "Times that one ended, or could not be started."),
    plain(SENSOR_LINES, Kind::Counter, "Lines that sensors wrote and that were read."),
    plain("halcyon_store_facts_total", Kind::Counter, "Facts stored."),
    plain("halcyon_store_bytes_total", Kind::Counter, "Bytes of facts stored."),
    plain("halcyon_store_syncs_total", Kind::Counter, "Times that the disk was told to sync the log."),
    plain("halcyon_store_refused_total", Kind::Counter, "Writes that the store refused."),
    plain("halcyon_store_newest_fact", Kind::Gauge, "The number of the newest fact."),
    plain("halcyon_store_free_bytes", Kind::Gauge, "Room for the bot on the file system of the store."),
    plain(STORE_WRITE_SECONDS, Kind::Histogram, "How long the loop waited for the store."),
    plain(TURN_SECONDS, Kind::Histogram, "How long a turn of the loop took, the store included."),
    plain(TURN_INPUTS, Kind::Histogram, "How many inputs a turn took together."),
    plain("halcyon_loop_pulse_age_seconds", Kind::Gauge, "How long ago the loop last proved that it turns."),
    plain("halcyon_ssh_connections", Kind::Gauge, "Connections to nodes that are kept open."),
    labelled(RELOADS, "Times that the configuration was read again.", "result", &["in_force", "refused"]),
    plain("halcyon_build_info", Kind::Gauge, "1, with the version as its label."),
    plain("process_start_time_seconds", Kind::Gauge, "When the process started, in seconds since 1970."),
    plain("process_resident_memory_bytes", Kind::Gauge, "Memory that the process holds."),
];

/// Upper bounds of the sizes that are told apart.
fn bounds(name: &str) -> &'static [f64] {
    match name {
        TURN_INPUTS => &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
        _ => &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5],
    }
}

/// Everything that is counted. Shared by whoever counts.
#[derive(Debug)]
pub struct Metrics {
    counts: Mutex<Counts>,
    proven: Mutex<Instant>,
}

#[derive(Debug, Default)]
struct Counts {
    counters: BTreeMap<(&'static str, &'static str), u64>,
    sizes: BTreeMap<&'static str, Sizes>,
    running: usize,
    unsent: usize,
    connected: bool,
    sensors_running: usize,
    sensors_failing: usize,
}

#[derive(Debug, Default, Clone)]
struct Sizes {
    /// One for each bound, and one beyond.
    counts: Vec<u64>,
    sum: f64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { counts: Mutex::default(), proven: Mutex::new(Instant::now()) }
    }
}

impl Metrics {
    /// Counts what an input tells.
    pub(crate) fn input(&self, input: &Input) {
        match input {
            Input::Post(_) => self.add(POSTS_HEARD, ""),
            Input::Pressed(_) | Input::Submitted(_) => self.add(CALLBACKS, ""),
            Input::Connection(Connection::Up { .. }) => self.add(CONNECTIONS, ""),
            Input::Connection(Connection::Down { .. }) => self.add(DISCONNECTIONS, ""),
            Input::Sensor { news: News::Said(_), .. } => self.add(SENSOR_LINES, ""),
            Input::Sensor { news: News::Ended { .. }, .. } => self.add(SENSOR_ENDS, ""),
            Input::Reloaded { reload, .. } => self.add(RELOADS, if reload.in_force { "in_force" } else { "refused" }),
            _ => {}
        }
    }

    /// Counts what an effect tells.
    pub(crate) fn effect(&self, effect: &Effect) {
        if matches!(effect, Effect::StartSensor(_)) {
            self.add(SENSOR_STARTS, "");
        }
        if let Effect::Reply { reply, .. } = effect
            && let Some(why) = reply.refused
        {
            self.callback_refused(why);
        }
    }

    /// A callback was refused.
    pub(crate) fn callback_refused(&self, why: Refusal) {
        self.add(CALLBACKS_REFUSED, why.word());
    }

    /// Counts a fact that is on disk.
    pub(crate) fn fact(&self, fact: &Fact) {
        match fact {
            Fact::PostTaken { .. } => self.add(LINES_TAKEN, ""),
            Fact::ExecutionStarted(_) => self.add(EXECUTIONS_STARTED, ""),
            Fact::ExecutionFinished { status, .. } => match status {
                Status::Succeeded | Status::Failed | Status::Timeout | Status::Canceled | Status::Unknown => {
                    self.add(EXECUTIONS_ENDED, status.word());
                }
                Status::Requested
                | Status::Delayed
                | Status::Running
                | Status::Pending
                | Status::Pausing
                | Status::Paused
                | Status::Canceling => {}
            },
            Fact::HostFinished { outcome, .. } => self.add(COMMANDS_ENDED, exit_word(&outcome.exit)),
            Fact::DeliveryIntended(_) => self.add(DELIVERIES_INTENDED, ""),
            Fact::DeliverySent { delivery, .. } => {
                self.add(DELIVERIES_SENT, "");
                let (_, kind) = delivery.as_str().rsplit_once('-').unwrap_or_default();
                let later = ["end", "told", "question", "inquiry", "judged", "due_asked", "due_missed", "due_refused"]
                    .contains(&kind);
                // What the bot says of itself ends in a number, what it answers in the kind of the answer.
                let own = kind.len() == 16 && kind.bytes().all(|digit| digit.is_ascii_hexdigit());
                if !later && !own {
                    self.add(LINES_ANSWERED, "");
                }
            }
            Fact::DeliveryRefused { .. } => self.add(DELIVERIES_REFUSED, ""),
            _ => {}
        }
    }

    /// One turn of the loop has ended.
    pub(crate) fn turned(&self, inputs: usize, took: Duration, running: usize, unsent: usize, connected: bool) {
        self.measure(TURN_SECONDS, took.as_secs_f64());
        // A batch is bounded, so nothing is lost in the conversion.
        self.measure(TURN_INPUTS, inputs as f64);
        let mut counts = self.counts();
        (counts.running, counts.unsent, counts.connected) = (running, unsent, connected);
    }

    /// So many sensors run, and so many should and do not.
    pub(crate) fn sensors(&self, (running, failing): (usize, usize)) {
        let mut counts = self.counts();
        (counts.sensors_running, counts.sensors_failing) = (running, failing);
    }

    /// The loop waited so long for the store.
    pub(crate) fn written(&self, took: Duration) {
        self.measure(STORE_WRITE_SECONDS, took.as_secs_f64());
    }

    /// The loop has proven that it turns.
    pub(crate) fn prove(&self) {
        *lock(&self.proven) = Instant::now();
    }

    /// How long ago the loop proved that it turns.
    pub fn silent_for(&self) -> Duration {
        lock(&self.proven).elapsed()
    }

    /// Executions under way, deliveries waiting, and whether the chat is connected, as of the last turn.
    pub fn glance(&self) -> (usize, usize, bool) {
        let counts = self.counts();
        (counts.running, counts.unsent, counts.connected)
    }

    /// All of it as text. `measured` has what is not counted but looked at, by name; what is absent there is left out.
    pub fn text(&self, measured: &BTreeMap<&'static str, f64>, version: &str) -> String {
        let counts = self.counts();
        let mut text = String::new();
        for family in FAMILIES {
            let lines = lines(family, &counts, measured, version, self.silent_for());
            if lines.is_empty() {
                continue;
            }
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            // Writing to a text does not fail.
            let _ = write!(text, "# HELP {0} {1}\n# TYPE {0} {kind}\n{lines}", family.name, family.help);
        }
        text
    }

    fn add(&self, name: &'static str, value: &'static str) {
        *self.counts().counters.entry((name, value)).or_default() += 1;
    }

    fn measure(&self, name: &'static str, size: f64) {
        let bounds = bounds(name);
        let mut counts = self.counts();
        let sizes = counts.sizes.entry(name).or_default();
        sizes.counts.resize(bounds.len() + 1, 0);
        let place = bounds.iter().position(|bound| size <= *bound).unwrap_or(bounds.len());
        if let Some(count) = sizes.counts.get_mut(place) {
            *count += 1;
        }
        sizes.sum += size;
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        lock(&self.counts)
    }
}

/// The samples of one metric.
fn lines(
    family: &Family,
    counts: &Counts,
    measured: &BTreeMap<&'static str, f64>,
    version: &str,
    silent: Duration,
) -> String {
    let name = family.name;
    let count = |value| counts.counters.get(&(name, value)).copied().unwrap_or_default();
    let mut text = String::new();
    let mut line = |labels: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{name}{labels} {value}");
    };
    match (family.kind, name) {
        (_, "halcyon_build_info") => line(&format!("{{version=\"{version}\"}}"), &1),
        (_, "halcyon_executions_running") => line("", &counts.running),
        (_, "halcyon_deliveries_waiting") => line("", &counts.unsent),
        (_, "halcyon_sensors_running") => line("", &counts.sensors_running),
        (_, "halcyon_sensors_failing") => line("", &counts.sensors_failing),
        (_, "halcyon_chat_connected") => line("", &u8::from(counts.connected)),
        (_, "halcyon_loop_pulse_age_seconds") => line("", &silent.as_secs_f64()),
        (Kind::Histogram, _) => {
            let bounds = bounds(name);
            let mut sizes = counts.sizes.get(name).cloned().unwrap_or_default();
            sizes.counts.resize(bounds.len() + 1, 0);
            let mut sum = 0;
            for (bound, count) in bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]).zip(&sizes.counts) {
                sum += count;
                let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {sum}");
            }
            let _ = writeln!(text, "{name}_sum {}\n{name}_count {sum}", sizes.sum);
        }
        _ if !family.label.is_empty() => {
            for value in family.values {
                line(&format!("{{{}=\"{value}\"}}", family.label), &count(value));
            }
        }
        _ if COUNTED.contains(&name) => line("", &count("")),
        _ => {
            if let Some(value) = measured.get(name) {
                line("", value);
            }
        }
    }
    text
}

/// Counters that are counted here; the others are looked at where they are kept.
const COUNTED: [&str; 13] = [
    CALLBACKS,
    POSTS_HEARD,
    LINES_TAKEN,
    LINES_ANSWERED,
    EXECUTIONS_STARTED,
    DELIVERIES_INTENDED,
    DELIVERIES_SENT,
    DELIVERIES_REFUSED,
    CONNECTIONS,
    DISCONNECTIONS,
    SENSOR_STARTS,
    SENSOR_ENDS,
    SENSOR_LINES,
];

fn exit_word(exit: &Exit) -> &'static str {
    match exit {
        Exit::Code { code: 0 } | Exit::Unheard { code: 0 } | Exit::Rebooted | Exit::Left => "succeeded",
        Exit::Answered { .. } if exit.succeeded() => "succeeded",
        Exit::Code { .. } | Exit::Unheard { .. } | Exit::Answered { .. } => "failed",
        Exit::Timeout => "timeout",
        Exit::Canceled => "canceled",
        Exit::Unreachable { .. } | Exit::NeverBegan { .. } => "unreachable",
        Exit::Unknown { .. } => "unknown",
    }
}

/// The lock; a panic elsewhere leaves these plain values as good as they were.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
