//! # The bot as one machine
//!
//! [`Bot::handle`] takes one [`Event`] and gives a [`Step`]: the facts to remember and the effects to perform. The runtime makes the facts
//! durable first and performs the effects then. [`Bot::next_deadline`] says when it wants to be woken though nothing has happened.
//!
//! This file routes; the work is in the files beside it, one for each way in:
//! - [`mod@hear`]: a post was heard;
//! - [`mod@clarify`]: a line that lacks one value is asked about;
//! - [`mod@again`]: the last line once more;
//! - [`mod@masking`]: what of a line may be repeated and remembered;
//! - [`mod@telling`]: how an alias wants its executions to be told;
//! - [`mod@inquire`]: an execution asks people;
//! - [`mod@listen`]: how far it has listened, and who else speaks with its account;
//! - [`mod@start`]: an execution is started, whoever asked for it, or has to wait;
//! - [`mod@approve`]: people say whether it may begin, [`mod@approve_by_press`] also without words, [`mod@approval_card`]: what is said of that;
//! - [`mod@turn`]: whose turn it is;
//! - [`mod@retry`]: what failed is tried again;
//! - [`mod@rule`]: something happened outside, and rules say what is to be done;
//! - [`mod@sensor`]: sensors are started, stopped and heard;
//! - [`mod@timer`]: timers of rules tick;
//! - [`mod@alert`]: a problem is told as long as it lives, [`mod@alert_held`] also while an execution has its machine out of service, [`mod@offer`]: what people may have done about it, [`mod@storm`] when there are many at once, [`mod@storm_post`] how that is shown, [`mod@escalate`] when nobody touches it;
//! - [`mod@order`]: what is asked of monitorings, [`mod@acting`]: by buttons below a problem, [`mod@reading`]: what they say when they are asked;
//! - [`mod@watch`]: a run tells how it goes;
//! - [`mod@workflow`]: a workflow goes on from task to task;
//! - [`mod@announce`]: an action says something in chat, or tells of an end;
//! - [`mod@authority`]: what somebody may do;
//! - [`mod@answer`]: somebody asked about executions, health or rights;
//! - [`mod@recover`]: the process has started again;
//! - [`mod@values`]: somebody asked for values of the datastore;
//! - [`mod@health`]: which part of the path does not work, since when, and what to do;
//! - [`mod@reload`]: configuration and packs were read again;
//! - [`mod@packs`]: what is wrong with the packs' files is told, once;
//! - [`mod@farewell`]: the process is being stopped.
//! - [`mod@audit`]: somebody asked for the audit;
//! - [`mod@freeze`]: nothing new is to be begun;
//! - [`mod@recover`]: the process has started again, or a command was lost on its way;
//! - [`mod@help`]: what there is to ask for, and [`mod@plan`]: what it would do;
//! - [`mod@schedule`]: lines that wait for their time;
//! - [`mod@press`]: somebody pressed a button, submitted a dialog or put an emoji on a post;
//! - [`mod@may`]: whether somebody may do something, and by which rule;
//! - [`mod@settle`]: nobody knows how an execution ended, and a person says it.
//!
//! - **State changes only by [`Memory::apply`]**: what is kept beside it (progress, connection) may be lost at any moment without harm.
//! - **The machine never looks at a clock and draws no random numbers**: both come with the event.

mod acting;
mod again;
mod alert;
mod alert_held;
mod alertmanager;
mod announce;
mod answer;
mod approval_card;
mod approve;
mod approve_by_press;
mod audit;
mod authority;
mod clarify;
mod escalate;
mod farewell;
mod freeze;
mod fuse;
mod hand_out;
mod health;
mod hear;
mod help;
mod inquire;
mod listen;
mod masking;
mod may;
mod named;
mod offer;
mod order;
mod packs;
mod plan;
mod press;
mod reading;
mod recover;
mod reload;
mod retry;
mod rule;
mod schedule;
mod sensor;
mod settle;
mod start;
mod storm;
mod storm_act;
mod storm_post;
mod telling;
mod timer;
mod turn;
mod uuid;
mod values;
mod watch;
mod webhook;
mod workflow;

use crate::core::access::names::Name;
use crate::core::action::run::RunNews;
use crate::core::chat::pace::Pace;
use crate::core::content::Catalog;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::datastore::seal::MasterKey;
use crate::core::effect::{Answer, Body, Delivery, Effect, Thread};
use crate::core::fact::{Dated, Fact};
use crate::core::host::Inventory;
use crate::core::id::{ChannelId, DeliveryId, ExecutionId, PostId, RuleRef, UserId};
use crate::core::input::{Back, Connection, DeliveryOutcome, Directory, Event, Identifying, Identity, Input, Storage};
use crate::core::memory::{Contradiction, Memory, answer_to};
use crate::core::message::card::Card;
use crate::core::message::markdown;
use crate::core::message::sentences::Sentences;
use crate::core::message::zone::named_zone;
use crate::core::rule::trigger::TriggerInstance;
use crate::core::sensor::News;
use crate::core::settings::Settings;
use crate::core::vitals::Vitals;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use watch::Watch;

/// The version that the bot calls itself by.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many problems in files the admin channel is told at the start.
const TOLD_PROBLEMS: usize = 10;

/// The whole bot.
#[derive(Debug)]
pub struct Bot {
    memory: Memory,
    watches: BTreeMap<ExecutionId, Watch>,
    settings: Arc<Settings>,
    catalog: Arc<Catalog>,
    problems: Arc<Vec<Diagnostic>>,
    /// What the admin channel knows of it.
    told: packs::Told,
    inventory: Arc<Inventory>,
    directory: Directory,
    /// The same as far as it gives rights.
    tied: Directory,
    /// Names in roles that mean somebody else by now, as far as the administrators were told.
    moved_names: BTreeSet<(Name, String)>,
    connection: Connection,
    /// The bot's own user and its name, as of the last connection.
    own: Option<(UserId, String)>,
    /// What was missed has been read since this process began.
    caught_up: bool,
    /// The cursor as it stands; the noted one lags.
    heard: Option<Timestamp>,
    /// The other instance that was heard last, and when.
    other: Option<(String, Timestamp)>,
    storage: Storage,
    sentences: Sentences,
    /// What the admin channel is to hear once it is known; said once.
    /// The number says how many executions were interrupted.
    announcement: Option<usize>,
    pace: Pace,
    /// The same for lines that are answered because they are too old to be taken.
    late_pace: Pace,
    refusals: press::Refusals,
    /// Whose turn it is, as the memory has it.
    queue: turn::Queue,
    /// When it is tried again to begin what has waited. Lost without harm.
    tried: BTreeMap<ExecutionId, Timestamp>,
    /// Who has been told that their emoji on a card has no effect. Lost without harm.
    told_by_emoji: BTreeSet<(ExecutionId, UserId, crate::core::message::card::Said)>,
    /// When it is looked again after lines that are due.
    looked_after: BTreeMap<ExecutionId, schedule::LookedAfter>,
    /// Until when it is not looked whether the newest hash of the audit has to be told.
    checkpoint_again: Option<Timestamp>,
    conducting: workflow::Conducting,
    timers: timer::Timers,
    sensors: sensor::Sensors,
    /// What has happened to the bot itself in this step, for the rules.
    happened: VecDeque<TriggerInstance>,
    /// When it was told last that a rule came to nothing, and why. Lost without harm.
    told_of_rules: BTreeMap<(RuleRef, String), Timestamp>,
    /// Remedies that have begun or ended in this step.
    turned_remedies: Vec<rule::Turned>,
    turned_machines: alert_held::Turned,
    storm_view: storm::View,
    /// Groups of alerts that were told of and not complete. Lost without harm.
    left_out: BTreeSet<String>,
    outlook: escalate::Outlook,
    groups_of: storm_post::GroupsOf,
    looks: reading::Looks,
    stopping: bool,
    vitals: Vitals,
    standing: health::Standing,
    /// The key to the secrets of the datastore, or why there is none. It is handed in and never remembered.
    master_key: Result<MasterKey, String>,
}

/// What one event leads to. Facts first, then effects.
#[derive(Debug, Default)]
pub struct Step {
    /// To be made durable, all or none.
    pub facts: Vec<Dated>,
    /// To be performed once the facts are durable.
    pub effects: Vec<Effect>,
}

/// The moment, and the randomness that deciding may use up.
#[derive(Debug)]
struct Moment {
    at: Timestamp,
    entropy: u64,
}

impl Moment {
    /// Fresh bits from those that came with the event (splitmix64).
    fn bits(&mut self) -> u64 {
        self.entropy = self.entropy.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.entropy;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

impl Bot {
    /// The clock by which somebody is told times: that of their own time zone, of the site's where the name is empty because it is not known or
    /// nobody in particular is told.
    pub(in crate::core::bot) fn clock(&self, zone: &str) -> TimeZone {
        named_zone(zone).or_else(|| named_zone(&self.settings.zone)).unwrap_or(TimeZone::UTC)
    }

    /// The bot as of its stored facts, knowing nothing of the world yet.
    ///
    /// # Errors
    /// A fact that cannot be true after those before it.
    pub fn remember(facts: &[Dated], settings: Arc<Settings>) -> Result<Self, Contradiction> {
        Self::recall(Memory::default(), facts, settings)
    }

    /// The same from a memory that was written down and the facts after it.
    ///
    /// # Errors
    /// A fact that cannot be true after those before it.
    pub fn recall(mut memory: Memory, facts: &[Dated], settings: Arc<Settings>) -> Result<Self, Contradiction> {
        for fact in facts {
            memory.apply(fact)?;
        }
        let queue = turn::Queue::of(&memory);
        let mut bot = Self {
            memory,
            queue,
            watches: BTreeMap::new(),
            settings,
            catalog: Arc::default(),
            problems: Arc::default(),
            told: packs::Told::default(),
            inventory: Arc::default(),
            directory: Directory::default(),
            tied: Directory::default(),
            moved_names: BTreeSet::new(),
            connection: Connection::Down { why: String::new() },
            own: None,
            caught_up: false,
            heard: None,
            other: None,
            storage: Storage::default(),
            sentences: Sentences::new(),
            announcement: None,
            pace: Pace::default(),
            late_pace: Pace::default(),
            refusals: press::Refusals::default(),
            tried: BTreeMap::new(),
            told_by_emoji: BTreeSet::new(),
            looked_after: BTreeMap::new(),
            checkpoint_again: None,
            conducting: workflow::Conducting::default(),
            timers: timer::Timers::new(),
            sensors: sensor::Sensors::default(),
            happened: VecDeque::new(),
            told_of_rules: BTreeMap::new(),
            turned_remedies: Vec::new(),
            turned_machines: alert_held::Turned::default(),
            storm_view: storm::View::default(),
            left_out: BTreeSet::new(),
            outlook: escalate::Outlook::default(),
            groups_of: storm_post::GroupsOf::default(),
            looks: reading::Looks::default(),
            stopping: false,
            vitals: Vitals::default(),
            standing: health::Standing::default(),
            master_key: Err("none has been read yet".to_owned()),
        };
        if bot.memory.storms.now().is_some() {
            bot.storm_view.change();
        }
        bot.doubt_all_workflows();
        bot.set_alarms();
        Ok(bot)
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the chat server is connected.
    pub fn is_connected(&self) -> bool {
        self.me().is_some()
    }

    /// How many sensors run, and how many should and do not.
    pub fn sensors(&self) -> (usize, usize) {
        (self.sensors.running(), self.sensors.down())
    }

    /// What is remembered.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Decides about one event.
    ///
    /// # Errors
    /// A fact that this very decision made contradicts the memory. That is a bug of ours; nothing of the step may be carried out.
    pub fn handle(&mut self, event: Event) -> Result<Step, Contradiction> {
        let mut moment = Moment { at: event.at, entropy: event.entropy };
        let mut step = Step::default();
        let concerns_health = matches!(
            event.input,
            Input::Connection(_)
                | Input::Content { .. }
                | Input::Inventory(_)
                | Input::Storage(_)
                | Input::Sensor { news: News::Ended { .. }, .. }
                | Input::SetAside { .. }
                | Input::Vitals(_)
                | Input::Stop
        );
        match event.input {
            Input::Started => {
                self.recover(&mut step, &moment)?;
                self.open_turns();
            }
            Input::Settings(settings) => {
                self.settings = settings;
                self.outlook.doubt();
                self.doubt_rights();
            }
            Input::MasterKey(key) => self.master_key = key,
            Input::Content { catalog, problems } => {
                self.sentences = catalog.sentences.clone();
                self.catalog = catalog;
                self.problems = problems;
                self.follow_timers(&mut step, &moment)?;
                self.sensors.unsettle();
            }
            Input::Inventory(inventory) => {
                self.outlook.doubt();
                self.groups_of = storm_post::GroupsOf::new(&inventory);
                self.inventory = inventory;
            }
            Input::Connection(connection) => {
                if let Connection::Up { me, username, .. } = &connection {
                    self.own = Some((me.clone(), username.clone()));
                }
                self.connection = connection;
            }
            Input::Directory(directory) => {
                self.outlook.doubt();
                self.resolved(&mut step, &mut moment, directory)?;
                self.announce(&mut step, &mut moment)?;
                self.bring_all_to_channel(&mut step, &mut moment)?;
                self.ask_admins(&mut step, &moment)?;
            }
            Input::Post(post) => {
                self.touched_by(&mut step, &moment, &post)?;
                self.hear(&mut step, &mut moment, &post)?;
                hear::spare_signs(&mut step, &post.id);
            }
            Input::Pressed(press) => self.pressed(&mut step, &mut moment, &press)?,
            Input::Submitted(submission) => self.submitted(&mut step, &mut moment, &submission)?,
            Input::Forged(forgery) => self.forged(&mut step, &moment, forgery)?,
            Input::Reacted(reaction) => self.reacted(&mut step, &mut moment, &reaction)?,
            Input::ReactionsRead { post, reactions, .. } => {
                self.reactions_read(&mut step, &mut moment, &post, &reactions)?;
            }
            Input::CaughtUp { until, unread } => {
                self.caught_up(&mut step, &mut moment, until, &unread)?;
                self.read_all_reactions(&mut step);
            }
            // What was said without a promise, since the store took none, is not noted either.
            Input::Delivered { delivery, .. } if !self.promised(&delivery) => {}
            Input::Delivered { delivery, outcome } => {
                let (fact, stands) = match outcome {
                    DeliveryOutcome::Sent { post } => (Fact::DeliverySent { delivery, post: post.clone() }, Some(post)),
                    DeliveryOutcome::Refused { why } => (Fact::DeliveryRefused { delivery, why }, None),
                };
                self.note(&mut step, &moment, fact)?;
                if let Some(post) = stands {
                    self.card_stands(&mut step, &post);
                }
            }
            Input::Run { news: RunNews::Read(reading), .. } => self.take_reading(&mut step, &mut moment, &reading)?,
            Input::MonitoringGap { monitoring } => self.look_soon_at(&monitoring),
            Input::MonitoringRead { monitoring, reading } => {
                self.monitoring_read(&mut step, &mut moment, &monitoring, reading)?;
            }
            Input::Run { execution, news } => self.watch(&mut step, &moment, &execution, news)?,
            Input::Sensor { sensor, run, request, news } => {
                self.sensor_news(&mut step, &mut moment, (&sensor, run), request, news)?;
            }
            Input::Event(arrival) => self.arrived(&mut step, &mut moment, *arrival)?,
            Input::Request { request, from, ask } => self.asked(&mut step, &mut moment, request, from, ask)?,
            Input::Found { ticket, executions } => self.found(&mut step, &mut moment, ticket, executions)?,
            Input::LookUpFailed { ticket, why } => {
                self.say(&mut step, &moment, &ticket.back, &Card::LookUpFailed { why })?;
            }
            Input::OutputsRead { execution, texts } => self.outputs_read(&execution, texts),
            Input::Storage(storage) => self.stored(&mut step, &mut moment, storage)?,
            Input::SetAside { place, why } => self.set_aside(&mut step, &moment, &place, why.as_deref())?,
            Input::Deadline => {}
            Input::Identified { of, people } => self.looked_up(&mut step, &mut moment, of, people)?,
            Input::UserLookedUp { ticket, identity } => {
                self.user_looked_up(&mut step, &moment, &ticket, identity)?;
            }
            Input::Vitals(vitals) => self.vitals = vitals,
            Input::PacksChanged(change) => self.packs_changed(&mut step, &mut moment, &change)?,
            Input::Reloaded { by, back, reload } => self.reloaded(&mut step, &mut moment, by, back, reload)?,
            Input::Audited { asker, told } => {
                self.audited(&mut step, &mut moment, asker.map(|asker| *asker), told)?;
            }
            Input::AuditSetAside { place, why, head } => {
                self.audit_set_aside(&mut step, &moment, place, why, head)?;
            }
            Input::Stop => {
                self.sensors.unsettle();
                self.stop(&mut step, &mut moment)?;
            }
            Input::GraceOver => self.leave(&mut step, &mut moment)?,
        }
        if concerns_health {
            self.watch_health(event.at);
        }
        self.look_after_due(&mut step, &moment)?;
        self.look_after_waiting(&mut step, &mut moment)?;
        self.look_after_checkpoint(&mut step, &moment);
        self.end_what_is_over(&mut step, &moment)?;
        self.go_on_with_workflows(&mut step, &mut moment)?;
        self.take_turns(&mut step, &mut moment)?;
        self.tick(&mut step, &mut moment)?;
        self.look_after_sensors(&mut step, &mut moment)?;
        self.follow_events(&mut step, &mut moment)?;
        self.tell_of_remedies(&mut step, &mut moment)?;
        self.follow_service(&mut step, &mut moment)?;
        self.look_after_storm(&mut step, &mut moment)?;
        self.look_after_escalation(&mut step, &mut moment)?;
        self.look_at_monitorings(&mut step, &moment);
        self.forget_alerts(&mut step, &moment)?;
        self.lapse_offers(&mut step, &moment)?;
        self.set_alarms();
        self.refresh(&mut step, &moment);
        self.note_cursor(&mut step, &moment)?;
        Ok(step)
    }

    /// When the bot wants to be woken, and why.
    pub fn next_deadline(&self) -> Option<(Timestamp, &'static str)> {
        let pauses = self.memory.executions.values().filter_map(|execution| execution.request.ends_at);
        let pauses = pauses.map(|at| (at, "a pause ends"));
        let refreshes = self.watches.iter().filter_map(|(id, watch)| {
            let execution = self.memory.executions.get(id)?;
            let told = approval_card::stands_in(execution).is_some() && !telling::is_quiet(&execution.request);
            (told || self.memory.tails.contains_key(id))
                .then(|| (watch.due(execution.began()), "a post is to be brought up to date"))
        });
        let lines = self.memory.scheduled.values().map(|line| (self.next_look(line), "a line is due"));
        let unanswered = self.next_unanswered().map(|at| (at, "an inquiry ends"));
        let checkpoint = self.next_checkpoint().map(|at| (at, "a checkpoint is due"));
        let waiting = self.next_look_after_waiting().map(|at| (at, "what waits is looked after"));
        let workflows = self.next_of_workflows().map(|at| (at, "workflows"));
        let ticks = self.next_tick().map(|at| (at, "a timer ticks"));
        let sensors = self.next_sensor().map(|at| (at, "a sensor"));
        let alerts = self.memory.alerts.next_past().into_iter().chain(self.memory.alerts.next_settled());
        let alerts = alerts.min().map(|at| (at, "alerts"));
        let offers = self.memory.alerts.offers().next_lapse().map(|at| (at, "offers lapse"));
        let storm = self.next_of_storm().map(|at| (at, "a storm"));
        let turns = self.next_turn().map(|at| (at, "a turn comes"));
        let looks = self.next_look_at_monitorings().map(|at| (at, "monitorings"));
        let others = unanswered
            .into_iter()
            .chain(checkpoint)
            .chain(waiting)
            .chain(turns)
            .chain(offers)
            .chain(looks)
            .chain(workflows)
            .chain(alerts)
            .chain(storm)
            .chain(self.outlook.next().map(|at| (at, "escalation")))
            .chain(sensors)
            .chain(ticks);
        pauses.chain(refreshes).chain(lines).chain(others).min_by_key(|(at, _)| *at)
    }

    fn promised(&self, delivery: &DeliveryId) -> bool {
        self.memory.unsent.iter().any(|promised| promised.id == *delivery)
    }

    /// It is known who people are by now.
    fn looked_up(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        of: Identifying,
        people: Option<Vec<Identity>>,
    ) -> Result<(), Contradiction> {
        match (of, people) {
            (Identifying::Due(line), people) => {
                let author = people.as_ref().and_then(|people| people.first());
                self.identified(step, moment, &line, author)
            }
            (Identifying::Conducting(root), people) => {
                self.knows_conductor(moment.at, &root, people.as_deref());
                Ok(())
            }
            (Identifying::Beginning(id), Some(people)) => self.counted(step, moment, &id, &people),
            // It is tried again after a while.
            (Identifying::Beginning(_), None) => Ok(()),
            (Identifying::Deciding { request, decision }, people) => {
                let voter = people.and_then(|people| people.into_iter().next());
                self.decided_by_command(step, moment, request, voter.as_ref(), *decision)
            }
        }
    }

    /// Remembers: into the memory and into the step.
    fn note(&mut self, step: &mut Step, moment: &Moment, fact: Fact) -> Result<(), Contradiction> {
        self.value_event(&fact, moment, step.facts.len());
        self.watch_remedies(&fact);
        self.watch_service(&fact);
        self.watch_escalation(&fact);
        let dated = Dated { at: moment.at, fact };
        self.memory.apply(&dated)?;
        self.follow_turns(&dated.fact);
        self.follow_workflows(&dated.fact);
        step.facts.push(dated);
        Ok(())
    }

    /// Promises a delivery and asks for it.
    fn deliver(&mut self, step: &mut Step, moment: &Moment, delivery: Delivery) -> Result<(), Contradiction> {
        self.note(step, moment, Fact::DeliveryIntended(delivery.clone()))?;
        step.effects.push(Effect::Deliver(delivery));
        Ok(())
    }

    /// Answers whoever asked: in chat with a card, on the control socket with its text.
    fn say(&mut self, step: &mut Step, moment: &Moment, back: &Back, card: &Card) -> Result<(), Contradiction> {
        match back {
            Back::Chat { channel, root, post } => {
                let delivery = Delivery {
                    id: answer_to(post, card.template()),
                    channel: channel.clone(),
                    body: Body::Post {
                        root: root.clone().map(|post| Thread::Post { post }),
                        text: self.sentences.say(card),
                        files: Vec::new(),
                    },
                };
                self.deliver(step, moment, delivery)
            }
            Back::Request { request } => {
                let answer = Box::new(Answer::Refused { text: markdown::bare(&self.sentences.say(card)) });
                step.effects.push(Effect::Answer { request: *request, answer });
                Ok(())
            }
            // Nobody asked.
            Back::Told { .. } => Ok(()),
        }
    }

    /// The channels whose members have roles or may decide about approvals, as far as they are known.
    fn role_channels(&self) -> Vec<ChannelId> {
        let roles = self.settings.roles.iter().flat_map(|role| &role.channels);
        let policies = self.catalog.approvals.values().flatten().flat_map(|policy| &policy.terms.approvers.channels);
        let names: BTreeSet<&String> = roles.chain(policies).collect();
        names.into_iter().filter_map(|name| self.directory.channels.get(name).cloned()).collect()
    }

    /// The bot's own user, known from the first connection on: what was missed is still being decided about when a connection has gone again.
    fn me(&self) -> Option<(&UserId, &str)> {
        self.own.as_ref().map(|(me, username)| (me, username.as_str()))
    }

    /// Whether the chat server has said who and where those are that settings and policies name. Before that nobody has any right, and nothing that
    /// begins by itself could be told of.
    fn knows_the_chat(&self) -> bool {
        self.me().is_some() && !self.directory.channels.is_empty()
    }

    /// Whether commands are heard in this channel.
    fn hears(&self, channel: &ChannelId) -> bool {
        self.settings.channels.iter().any(|name| self.directory.channels.get(name) == Some(channel))
    }

    /// Where the administrators are, once that is known.
    fn admin_channel(&self) -> Option<ChannelId> {
        self.directory.channels.get(self.settings.admin_channel.as_ref()?).cloned()
    }

    /// What keeps files, or parts of them, out of force.
    fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// Tells the admin channel that the bot is there, once it is known where that is.
    fn announce(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        // Whoever reads it may write: the line is heard as it is written.
        if self.admin_channel().is_none() || !self.caught_up {
            return Ok(());
        }
        let Some(interrupted) = self.announcement.take() else { return Ok(()) };
        self.told = packs::Told::of(&self.problems);
        let wrong: Vec<String> = self.errors().map(ToString::to_string).collect();
        let card = Card::Started {
            version: VERSION.to_owned(),
            interrupted,
            more: wrong.len().saturating_sub(TOLD_PROBLEMS),
            problems: wrong.into_iter().take(TOLD_PROBLEMS).collect(),
            frozen: self.frozen_why(),
        };
        self.tell_admins(step, moment, "started", &card)
    }
}

/// Puts an emoji on a post.
fn react(step: &mut Step, channel: &ChannelId, post: &PostId, emoji: &'static str) {
    step.effects.push(Effect::React { channel: channel.clone(), post: post.clone(), emoji, remove: false });
}

/// Takes an emoji away again.
fn unreact(step: &mut Step, channel: &ChannelId, post: &PostId, emoji: &'static str) {
    step.effects.push(Effect::React { channel: channel.clone(), post: post.clone(), emoji, remove: true });
}
