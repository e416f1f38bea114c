//! Monitorings that tell by themselves: each is listened to, and what it tells goes to the bot as an event.
//!
//! - **The next event is taken when the one before it has been answered**, which is after its fact is on disk.
//! - **One that cannot be taken up now is brought again until it can**: the monitoring does not repeat it.

use crate::core::alert::source::Event;
use crate::core::effect::Answer;
use crate::core::id::{TriggerInstanceId, TriggerRef};
use crate::core::input::Input;
use crate::core::rule::trigger::{Arrival, Source, TriggerInstance};
use crate::runtime::dispatch::Callers;
use crate::runtime::ports::{Monitoring, MonitoringTold};
use jiff::Timestamp;
use serde_json::Map;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// So many events wait here; the others wait where they come from.
const WAITING: usize = 64;
/// How long it is waited before what could not be taken up is brought again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is listened to.
#[derive(Clone)]
pub struct Hearing {
    inputs: mpsc::WeakSender<Input>,
    callers: Callers,
    now: fn() -> Timestamp,
    stop: CancellationToken,
    current: Arc<Mutex<CancellationToken>>,
}

impl Hearing {
    /// Begins with none; ends when `stop` fires.
    pub fn new(
        inputs: &mpsc::Sender<Input>,
        callers: Callers,
        now: fn() -> Timestamp,
        stop: &CancellationToken,
    ) -> Self {
        let current = Arc::new(Mutex::new(stop.child_token()));
        Self { inputs: inputs.downgrade(), callers, now, stop: stop.clone(), current }
    }

    /// Listens to these, and to no other any more.
    pub fn hear(&self, monitorings: Vec<Arc<dyn Monitoring>>) {
        let stop = self.stop.child_token();
        let before = std::mem::replace(&mut *self.current.lock().unwrap_or_else(PoisonError::into_inner), stop.clone());
        before.cancel();
        for monitoring in monitorings {
            let (hearing, stop) = (self.clone(), stop.clone());
            tokio::spawn(async move { hearing.one(monitoring, stop).await });
        }
    }

    async fn one(&self, monitoring: Arc<dyn Monitoring>, stop: CancellationToken) {
        let (tell, mut told) = mpsc::channel(WAITING);
        let name = monitoring.name().to_owned();
        let until = stop.clone();
        let _listening = AbortOnDropHandle::new(tokio::spawn(async move { monitoring.listen(tell, until).await }));
        let handing_on = async {
            while let Some(told) = told.recv().await {
                let kept = match told {
                    MonitoringTold::Gap => self.send(Input::MonitoringGap { monitoring: name.clone() }).await,
                    MonitoringTold::Event(event) => self.event(&name, *event).await,
                };
                if kept.is_none() {
                    return;
                }
            }
        };
        stop.run_until_cancelled(handing_on).await;
    }

    /// Brings an event until it is taken up. Nothing when nobody decides any more.
    async fn event(&self, name: &str, event: Event) -> Option<()> {
        let instance = TriggerInstance {
            id: TriggerInstanceId::new(event.id),
            trigger: TriggerRef::new(event.source.trigger()),
            parameters: Map::new(),
            payload: event.payload,
            occurred: (self.now)(),
            trace_tag: None,
            source: Source::Monitoring { name: name.to_owned() },
            chain: Vec::new(),
        };
        loop {
            let (reply, answered) = oneshot::channel();
            let request = Some(self.callers.expect(reply));
            self.send(Input::Event(Box::new(Arrival { instance: instance.clone(), request }))).await?;
            match answered.await {
                Ok(Answer::Failed { .. }) => tokio::time::sleep(AGAIN).await,
                Ok(Answer::Refused { text }) => {
                    tracing::warn!(monitoring = name, text, "an event of a monitoring was refused");
                    return Some(());
                }
                Ok(_) => return Some(()),
                Err(_) => return None,
            }
        }
    }

    async fn send(&self, input: Input) -> Option<()> {
        self.inputs.upgrade()?.send(input).await.ok()
    }
}
