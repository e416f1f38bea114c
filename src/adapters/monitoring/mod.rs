//! # Monitorings
//!
//! What is asked of monitorings, one folder for each kind, behind the port [`Monitoring`]; and the runner that carries orders out.
//!
//! ## Life cycle of an order
//! ```text
//! read ──┬─ it is so already ────────────────────────────> confirmed
//!        ├─ nothing of that name ────────────────────────> refused
//!        └─ send ──┬─ refused, with the monitoring's words > refused
//!                  └─ taken ── read, again and again ──┬─ it is so ──> confirmed
//!                                                      └─ time over ─> not confirmed
//! ```
//!
//! - **Sent is not done.** Monitorings take orders before they look at them (CheckMK answers 204 when the command is written, and a site that is out of reach loses
//!   it); only a reading confirms.
//! - **An order may be repeated at any time**: it is looked first whether it was carried out, by the mark in the comment. So a run that was lost is begun anew; what it may have sent is looked for
//!   some seconds before it is sent again.
//! - **Many are asked for together**: one reading looks at all of them, and a monitoring that can be told of many at once is ([`Monitoring::send_all`]). Each has an end of its own.
//! - **Every reading is handed on**, so that what is known of alerts follows what was seen.
//! - **No secret is told**: credentials come from files, stand in no log and in no error.

pub mod alertmanager;
pub mod checkmk;
pub mod icinga2;
mod json_api;
pub mod nagios;

pub use json_api::Address;

use crate::core::action::reason::Reason;
use crate::core::action::run::{Attach, Exit, HostOutcome, INLINE_OUTPUT, Run, RunNews, Work};
use crate::core::alert::order::{Order, Part, Target, Wanted};
use crate::core::alert::standing::{Reading, Standing};
use crate::core::id::Host;
use crate::runtime::capture::{Allowance, Live, Stream};
use crate::runtime::outward;
use crate::runtime::ports::{Blobs, Monitoring, MonitoringError, Monitorings, Of, Runner};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long it is waited before it is looked whether something was done, for the first time and at most.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LOOKS: Duration = Duration::from_secs(2);
/// What clocks of monitorings count.
const A_SECOND: Duration = Duration::from_secs(1);
/// An order of which nobody knows whether it was taken is not sent again before so long: it may still be on its way.
const IN_DOUBT: Duration = Duration::from_secs(5);
/// The exit codes of what was refused, and of what was not confirmed.
const REFUSED: i32 = 1;
const NOT_CONFIRMED: i32 = 2;
/// How an order can end for one thing.
const ENDS: [&str; 5] = ["confirmed", "already", "refused", "not_confirmed", "unreachable"];
/// Where many things are told of, so much is told of why one was not done.
const SHORT_WHY: usize = 200;
/// Room for numbers that grow.
const SPARE: usize = 16;

/// Carries orders to monitorings out.
#[derive(Clone)]
pub struct MonitoringRunner {
    monitorings: Vec<Watched>,
    output_limit: u64,
    blobs: Arc<dyn Blobs>,
    now: fn() -> Timestamp,
}

/// A monitoring, and how long it has to show what was asked for.
#[derive(Clone)]
pub struct Watched {
    /// It.
    pub monitoring: Arc<dyn Monitoring>,
    /// How long.
    pub patience: Duration,
}

/// What came of an order for one thing.
#[derive(Debug, Clone, PartialEq)]
enum End {
    /// It is as was asked for; `already` before anything was sent.
    Confirmed { already: bool },
    /// Why it will not be done.
    Refused(String),
    /// It was taken and cannot be seen.
    NotConfirmed,
    /// It was never sent.
    Unreachable(String),
}

/// What is known of one thing while an order is carried out.
#[derive(Debug, Clone, Default)]
struct Progress {
    sent: bool,
    /// When it was tried to send it, without knowing what came of that.
    doubtful: Option<Instant>,
    /// When it had been looked at before the order was sent.
    checked: Option<Timestamp>,
    found: Option<Standing>,
    end: Option<End>,
}

impl MonitoringRunner {
    /// A runner for these, which keeps so many bytes of what came of an order; without any every order is refused with the reason.
    pub fn new(monitorings: Vec<Watched>, output_limit: u64, blobs: Arc<dyn Blobs>, now: fn() -> Timestamp) -> Self {
        Self { monitorings, output_limit, blobs, now }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<dyn Monitoring>> {
        self.monitorings.iter().map(|watched| Arc::clone(&watched.monitoring)).collect()
    }

    fn find(&self, name: &str) -> Result<&Watched, String> {
        match self.monitorings.as_slice() {
            [] => Err(Reason::NoMonitoring.to_string()),
            [only] if name.is_empty() => Ok(only),
            several => {
                let found = several.iter().find(|watched| watched.monitoring.name() == name);
                found.ok_or_else(|| Reason::UnknownMonitoring { name }.to_string())
            }
        }
    }

    async fn begin(&self, work: &Work, news: &mpsc::Sender<RunNews>, cancel: &CancellationToken, anew: bool) {
        match work {
            Work::Monitoring(order) => {
                let work = |host: Host| async move { self.carry_out(order, &host, news, anew).await };
                outward::carry_out(work, &Live::default(), news, cancel).await;
            }
            Work::Local(_) | Work::Remote(_) | Work::Http(_) | Work::Mail(_) => outward::misled(news).await,
        }
    }

    /// Carries an order out. What is begun `anew` may have been sent.
    async fn carry_out(&self, order: &Order, host: &Host, news: &mpsc::Sender<RunNews>, anew: bool) -> HostOutcome {
        let began = Instant::now();
        let parts = order.parts.iter().map(|part| self.carry_part_out(order, part, news, anew));
        let parts: Vec<Came> = futures_util::future::join_all(parts).await;
        let (exit, told, said) = outcome(order, &parts, began.elapsed());
        let (allowance, live) = (Allowance::new(self.output_limit), Live::default());
        let stream = Stream { host, blobs: &*self.blobs, allowance: &allowance, live: &live };
        let never = CancellationToken::new();
        let stdout = stream.read(told.as_bytes(), &never).await;
        let stderr = stream.read(said.as_bytes(), &never).await;
        HostOutcome { exit, stdout, stderr, seconds: began.elapsed().as_secs_f64() }
    }

    /// Carries out what concerns one monitoring.
    async fn carry_part_out(&self, order: &Order, part: &Part, news: &mpsc::Sender<RunNews>, anew: bool) -> Came {
        let began = Instant::now();
        let mut things: BTreeMap<Target, Progress> =
            part.about.iter().map(|target| (target.clone(), Progress::default())).collect();
        let watched = match self.find(&part.monitoring) {
            Ok(watched) => watched,
            Err(why) => {
                for thing in things.values_mut() {
                    thing.end = Some(End::Unreachable(why.clone()));
                }
                return Came { monitoring: part.monitoring.clone(), things };
            }
        };
        let patience = order.patience.unwrap_or(watched.patience);
        // Two downtimes are one too many, and a check too many is none.
        let doubt = if anew && order.wanted != Wanted::Recheck { IN_DOUBT.min(patience / 4) } else { Duration::ZERO };
        let (mut pause, mut trouble) = (FIRST_LOOK, String::new());
        loop {
            let open: Vec<Target> =
                things.iter().filter(|(_, thing)| thing.end.is_none()).map(|(target, _)| target.clone()).collect();
            match watched.monitoring.read(&Of::Named(open.clone())).await {
                Ok(reading) => {
                    let since = (began.elapsed(), doubt);
                    trouble = self.take(watched, order, (&mut things, since), &reading).await.unwrap_or_default();
                    if things.values().any(|thing| thing.end.is_some()) || order.wanted == Wanted::Read {
                        // A loop that is gone wants nothing.
                        let _ = news.send(RunNews::Read(Box::new(reading))).await;
                    }
                }
                Err(MonitoringError::Later { why }) => trouble = why,
                Err(MonitoringError::Refused { why }) => {
                    let why = Reason::MonitoringRefused { why: &why }.to_string();
                    for thing in things.values_mut().filter(|thing| thing.end.is_none()) {
                        thing.end = Some(End::Refused(why.clone()));
                    }
                }
            }
            if things.values().all(|thing| thing.end.is_some()) || began.elapsed() >= patience {
                break;
            }
            tokio::time::sleep(pause.min(patience.saturating_sub(began.elapsed()))).await;
            pause = (pause * 2).min(LOOKS);
        }
        for thing in things.values_mut().filter(|thing| thing.end.is_none()) {
            thing.end = Some(match thing.sent || thing.doubtful.is_some() {
                true => End::NotConfirmed,
                false => End::Unreachable(Reason::MonitoringSilent { why: &trouble }.to_string()),
            });
        }
        Came { monitoring: watched.monitoring.name().to_owned(), things }
    }

    /// Takes a reading: what is done is done, and what was not sent yet is sent. Gives what was in the way of that.
    async fn take(
        &self,
        watched: &Watched,
        order: &Order,
        (things, (waited, doubt)): (&mut BTreeMap<Target, Progress>, (Duration, Duration)),
        reading: &Reading,
    ) -> Option<String> {
        let mut wanted: Vec<(Target, Standing)> = Vec::new();
        let several = things.len() > 1;
        for (target, thing) in things.iter_mut().filter(|(_, thing)| thing.end.is_none()) {
            if let Some(found) = reading.of(target) {
                thing.found = Some(found.clone());
                if shows(order, thing, found) {
                    thing.end = Some(End::Confirmed { already: !thing.sent && thing.doubtful.is_none() });
                } else if several && matches!(order.wanted, Wanted::Acknowledge { .. }) && found.is_good() {
                    // Of many asked for together some are over meanwhile, and a monitoring that is told of many at once leaves these out without a word.
                    thing.end = Some(End::Refused(Reason::WellAlready.to_string()));
                } else if !thing.sent
                    && waited >= doubt
                    && thing.doubtful.is_none_or(|since| since.elapsed() >= IN_DOUBT)
                    && self.is_time(order, found, waited)
                {
                    thing.checked = found.checked;
                    wanted.push((target.clone(), found.clone()));
                }
            } else if reading.unknown.contains(target) {
                thing.end = Some(End::Refused(Reason::NotWatched.to_string()));
            }
        }
        let mut trouble = None;
        let sent = match wanted.as_slice() {
            [] => Vec::new(),
            [(target, found)] => vec![watched.monitoring.send(order, target, found).await],
            several => watched.monitoring.send_all(order, several).await,
        };
        for ((target, _), sent) in wanted.iter().zip(sent) {
            let Some(thing) = things.get_mut(target) else { continue };
            match sent {
                Ok(()) => thing.sent = true,
                Err(MonitoringError::Refused { why }) => {
                    thing.end = Some(End::Refused(Reason::MonitoringRefused { why: &why }.to_string()));
                }
                Err(MonitoringError::Later { why }) => {
                    thing.doubtful = Some(Instant::now());
                    trouble = Some(why);
                }
            }
        }
        trouble
    }

    /// Whether what comes of an order could be told from what was before: clocks of monitorings count seconds. Nothing is waited for longer than that: what is
    /// checked every moment is never old.
    fn is_time(&self, order: &Order, found: &Standing, waited: Duration) -> bool {
        let now = (self.now)();
        let old = |checked: Timestamp| checked.as_second() != now.as_second();
        order.wanted != Wanted::Recheck || waited > A_SECOND || found.checked.is_none_or(old)
    }
}

/// Whether what was asked for is so.
fn shows(order: &Order, thing: &Progress, found: &Standing) -> bool {
    let token = order.mark.token();
    let ours = |comment: &str| comment.contains(&token);
    match &order.wanted {
        Wanted::Acknowledge { .. } => match &found.acknowledged {
            // Not every source tells with what words.
            Some(said) => ours(&said.comment) || (thing.sent && said.comment.is_empty()),
            None => false,
        },
        Wanted::RemoveAcknowledgement => found.acknowledged.is_none(),
        Wanted::Downtime { .. } => found.downtimes.iter().any(|downtime| ours(&downtime.said.comment)),
        Wanted::MoveDowntime { id, end } => {
            let moved = |ends: Timestamp| ends.duration_since(*end).unsigned_abs() < Duration::from_secs(60);
            found.downtimes.iter().any(|downtime| downtime.id == *id && downtime.end.is_some_and(moved))
        }
        Wanted::RemoveDowntime { .. } => !found.downtimes.iter().any(|downtime| order.wanted.removes(downtime)),
        Wanted::Comment => found.comments.iter().any(|said| ours(&said.comment)),
        Wanted::Recheck => thing.sent && found.checked > thing.checked,
        Wanted::Read => true,
    }
}

/// What came of the part of an order that concerns one monitoring.
struct Came {
    monitoring: String,
    things: BTreeMap<Target, Progress>,
}

/// What came of all of it: the way it ended, of which the worst decides, the result, and what was in the way.
fn outcome(order: &Order, parts: &[Came], took: Duration) -> (Exit, String, String) {
    let not_confirmed = Reason::NotConfirmed { seconds: took.as_secs() }.to_string();
    let (mut problems, mut said, mut undone) = (Vec::new(), Vec::new(), Vec::new());
    let (mut code, mut lost) = (0, Vec::new());
    let mut counts: BTreeMap<&str, usize> = ENDS.into_iter().map(|end| (end, 0)).collect();
    let all = parts.iter().flat_map(|part| part.things.iter().map(|(target, thing)| (&part.monitoring, target, thing)));
    for (monitoring, target, thing) in all {
        let (word, why) = match thing.end.as_ref() {
            Some(End::Confirmed { already: true }) => ("already", ""),
            Some(End::Confirmed { already: false }) => ("confirmed", ""),
            Some(End::Refused(why)) => ("refused", why.as_str()),
            Some(End::Unreachable(why)) => ("unreachable", why.as_str()),
            Some(End::NotConfirmed) | None => ("not_confirmed", not_confirmed.as_str()),
        };
        *counts.entry(word).or_default() += 1;
        match word {
            "refused" => code = REFUSED,
            "not_confirmed" | "unreachable" if code == 0 => code = NOT_CONFIRMED,
            _ => {}
        }
        if word == "unreachable" {
            lost.push(why);
        }
        if !why.is_empty() {
            let service = target.service.as_deref().unwrap_or_default();
            said.push(format!("{} {service}", target.host).trim_end().to_owned() + ": " + why);
            undone.push(shown(target, None, word, why.get(..why.floor_char_boundary(SHORT_WHY)).unwrap_or(why)));
        }
        let mut entry = shown(target, thing.found.as_ref(), word, why);
        if parts.len() > 1 {
            entry["monitoring"] = json!(monitoring);
        }
        problems.push(entry);
    }
    let exit = match lost.first() {
        // Nothing of it was ever sent.
        Some(why) if lost.len() == problems.len() => Exit::Unreachable { why: (*why).to_owned() },
        _ => Exit::Code { code },
    };
    let names: Vec<&str> = parts.iter().map(|part| part.monitoring.as_str()).collect();
    let mut told = json!({
        "order": order.wanted.word(),
        "monitoring": names.join(", "),
        "count": problems.len(),
        "counts": counts,
        "problems": problems,
        "left_out": 0,
    });
    // Of more than that it is told what was not done, as far as there is room: what is too long is not known to those who read it.
    if told.to_string().len() > INLINE_OUTPUT {
        told["problems"] = json!([]);
        let mut room = INLINE_OUTPUT.saturating_sub(told.to_string().len() + SPARE);
        let fits = undone.iter().map_while(|one| {
            room = room.checked_sub(one.to_string().len() + 1)?;
            Some(one)
        });
        let fits: Vec<&Value> = fits.collect();
        told["left_out"] = json!(undone.len() - fits.len());
        told["problems"] = json!(fits);
    }
    (exit, told.to_string(), said.join("\n"))
}

/// One thing as the result of the action has it.
fn shown(target: &Target, found: Option<&Standing>, end: &str, why: &str) -> Value {
    let mut entry = json!({"host": target.host, "service": target.service, "end": end});
    if !why.is_empty() {
        entry["why"] = json!(why);
    }
    if let Some(found) = found {
        let downtimes = found.downtimes.iter().map(|downtime| {
            json!({"id": downtime.id, "by": downtime.said.by, "comment": downtime.said.comment, "end": downtime.end})
        });
        entry["state"] = json!(found.state.map(|state| state.word()));
        entry["output"] = json!(found.output);
        entry["acknowledged"] = json!(found.acknowledged.is_some());
        entry["in_downtime"] = json!(found.in_downtime);
        entry["checked"] = json!(found.checked);
        entry["downtimes"] = downtimes.collect();
    }
    entry
}

#[async_trait]
impl Monitorings for MonitoringRunner {
    async fn look(&self, name: &str, named: Vec<Target>) -> Result<Reading, MonitoringError> {
        let watched = self.find(name).map_err(|why| MonitoringError::Refused { why })?;
        let mut reading = watched.monitoring.read(&Of::Open).await?;
        let open: BTreeSet<Target> = reading.list.iter().map(|standing| standing.target()).collect();
        // What is not among the problems is well, or not there any more: that it says itself.
        let others: Vec<Target> = named.into_iter().filter(|target| !open.contains(target)).collect();
        if !others.is_empty() {
            let rest = watched.monitoring.read(&Of::Named(others)).await?;
            reading.list.extend(rest.list);
            reading.unknown = rest.unknown;
        }
        Ok(reading)
    }
}

#[async_trait]
impl Runner for MonitoringRunner {
    async fn run(&self, run: Run, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        self.begin(&run.work, &news, &cancel, false).await;
    }

    async fn attach(&self, attach: Attach, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        self.begin(&attach.work, &news, &cancel, true).await;
    }
}
