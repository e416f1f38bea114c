//! What the log tells of each line: one id from the post to its result.
//!
//! The id is that of the post, or `request-N` for what was asked over the control socket. Every event of the log that belongs to a line carries
//! it as `line`, so that looking for the id gives the story: heard, taken, started (with alias, action and execution), what ended where, what was
//! said. **The words of a line are not logged**: they may hold what nobody wants in a log.

use crate::core::effect::Effect;
use crate::core::fact::{Dated, Fact};
use crate::core::id::{DeliveryId, ExecutionId};
use crate::core::input::{Back, Input};
use crate::core::memory::Memory;
use std::collections::{BTreeMap, VecDeque};

/// How many executions that ended are kept, for the deliveries that follow their end.
const MOST_ENDED: usize = 512;

/// Which execution belongs to which line.
#[derive(Debug, Default)]
pub(crate) struct Story {
    lines: BTreeMap<ExecutionId, String>,
    ended: VecDeque<ExecutionId>,
}

/// A fact with its line, to be logged once it is on disk.
pub(crate) struct Told {
    line: String,
    what: What,
}

enum What {
    Taken { channel: String },
    Started { execution: ExecutionId, action: String, alias: String, hosts: usize },
    HostFinished { execution: ExecutionId, host: String, exit: String, seconds: f64 },
    CancelAsked { execution: ExecutionId },
    Waits { execution: ExecutionId, action: String, request: String },
    Approval { execution: ExecutionId, event: String },
    Finished { execution: ExecutionId, status: &'static str },
    Intended { delivery: DeliveryId },
    Sent { delivery: DeliveryId, post: String },
    Refused { delivery: DeliveryId, why: String },
}

impl Story {
    /// Goes on with what was under way when the last process ended.
    pub(crate) fn remember(memory: &Memory) -> Self {
        let lines = memory.executions.iter().map(|(id, execution)| (id.clone(), line_of(&execution.request.back)));
        Self { lines: lines.collect(), ended: VecDeque::new() }
    }

    /// An input on its way into the core.
    pub(crate) fn hear(input: &Input) {
        match input {
            Input::Post(post) => tracing::debug!(line = %post.id, channel = %post.channel, "post heard"),
            Input::Request { request, from, .. } => {
                let line = format!("request-{}", request.0);
                tracing::debug!(line, ?from, "question heard");
            }
            _ => {}
        }
    }

    /// Finds the line of a fact, before the fact is given away.
    pub(crate) fn follow(&mut self, dated: &Dated) -> Option<Told> {
        let told = |line: &str, what| Some(Told { line: line.to_owned(), what });
        match &dated.fact {
            Fact::PostTaken { post, channel, .. } => told(post.as_str(), What::Taken { channel: channel.to_string() }),
            Fact::ExecutionStarted(request) => {
                let line = line_of(&request.back);
                self.lines.insert(request.id.clone(), line.clone());
                let alias = request.alias.as_ref().map(ToString::to_string).unwrap_or_default();
                let (execution, hosts) = (request.id.clone(), request.hosts.len());
                told(&line, What::Started { execution, action: request.action.to_string(), alias, hosts })
            }
            Fact::ExecutionWaits(waits) => {
                let line = line_of(&waits.request.back);
                self.lines.insert(waits.request.id.clone(), line.clone());
                let request = waits.approval.as_ref().map(|request| request.code.clone()).unwrap_or_default();
                let (execution, action) = (waits.request.id.clone(), waits.request.action.to_string());
                told(&line, What::Waits { execution, action, request })
            }
            Fact::Approval { id, event, .. } => {
                let event = serde_json::to_string(event).unwrap_or_default();
                told(self.line(id), What::Approval { execution: id.clone(), event })
            }
            Fact::HostFinished { id, host, outcome } => {
                let exit = serde_json::to_string(&outcome.exit).unwrap_or_default();
                let (execution, seconds) = (id.clone(), outcome.seconds);
                told(self.line(id), What::HostFinished { execution, host: host.to_string(), exit, seconds })
            }
            Fact::CancelAsked { id, .. } => told(self.line(id), What::CancelAsked { execution: id.clone() }),
            Fact::ExecutionFinished { id, status, .. } => {
                self.ended.push_back(id.clone());
                let told = told(self.line(id), What::Finished { execution: id.clone(), status: status.word() });
                if self.ended.len() > MOST_ENDED
                    && let Some(oldest) = self.ended.pop_front()
                {
                    self.lines.remove(&oldest);
                }
                told
            }
            Fact::DeliveryIntended(delivery) => {
                told(self.line_said(&delivery.id), What::Intended { delivery: delivery.id.clone() })
            }
            Fact::DeliverySent { delivery, post } => {
                told(self.line_said(delivery), What::Sent { delivery: delivery.clone(), post: post.to_string() })
            }
            Fact::DeliveryRefused { delivery, why } => {
                told(self.line_said(delivery), What::Refused { delivery: delivery.clone(), why: why.clone() })
            }
            _ => None,
        }
    }

    /// What the carrying out of an effect is logged in.
    pub(crate) fn span(&self, effect: &Effect) -> tracing::Span {
        match effect {
            Effect::Run(run) => {
                tracing::info_span!("line", line = self.line(&run.execution), execution = %run.execution)
            }
            Effect::Attach(attach) => {
                tracing::info_span!("line", line = self.line(&attach.execution), execution = %attach.execution)
            }
            _ => tracing::Span::none(),
        }
    }

    fn line(&self, execution: &ExecutionId) -> &str {
        self.lines.get(execution).map_or("", String::as_str)
    }

    /// The line of a delivery, whose name begins with that of a post or of an execution.
    fn line_said<'d>(&'d self, delivery: &'d DeliveryId) -> &'d str {
        let name = delivery.as_str();
        let owner = name.rsplit_once('-').map_or(name, |(owner, _)| owner);
        self.lines.get(&ExecutionId::new(owner)).map_or(owner, String::as_str)
    }
}

impl Told {
    /// Writes it.
    pub(crate) fn log(&self) {
        let line = self.line.as_str();
        match &self.what {
            What::Taken { channel } => tracing::info!(line, channel, "line taken"),
            What::Started { execution, action, alias, hosts } => {
                tracing::info!(line, %execution, action, alias, hosts, "execution started");
            }
            What::Waits { execution, action, request } => {
                tracing::info!(line, %execution, action, request, "execution waits");
            }
            What::Approval { execution, event } => tracing::info!(line, %execution, event, "approval"),
            What::HostFinished { execution, host, exit, seconds } => {
                tracing::info!(line, %execution, host, exit, seconds, "command ended");
            }
            What::CancelAsked { execution } => tracing::info!(line, %execution, "cancel asked for"),
            What::Finished { execution, status } => tracing::info!(line, %execution, status, "execution ended"),
            What::Intended { delivery } => tracing::debug!(line, %delivery, "delivery promised"),
            What::Sent { delivery, post } => tracing::info!(line, %delivery, post, "delivery stands"),
            What::Refused { delivery, why } => tracing::warn!(line, %delivery, ?why, "delivery refused"),
        }
    }
}

fn line_of(back: &Back) -> String {
    match back {
        Back::Chat { post, .. } => post.to_string(),
        Back::Request { request } => format!("request-{}", request.0),
        Back::Told { .. } => "rule".to_owned(),
    }
}
