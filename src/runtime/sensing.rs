//! Sensors on their way: what is to be started goes to the keeper, what it tells comes back as inputs.
//!
//! **The next line of a sensor is taken when the one before it has been answered**, which is after its fact is on disk; and there are no more than
//! [`PER_SECOND`], after [`AT_ONCE`]. What is not taken waits in the sensor's pipe, so that a flood holds up who makes it and nobody else.

use crate::core::action::reason::Reason;
use crate::core::action::run::Secret;
use crate::core::effect::Answer;
use crate::core::id::SensorRef;
use crate::core::input::Input;
use crate::core::sensor::{End, Launch, News, masked};
use crate::runtime::dispatch::Callers;
use crate::runtime::outbox::bucket::Bucket;
use crate::runtime::ports::SensorKeeper;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// How many lines of one sensor are taken a second, in the long run.
pub const PER_SECOND: u32 = 50;
/// How many may come at once.
pub const AT_ONCE: u32 = 500;
/// How long the end waits for sensors to end.
const ENDING: Duration = Duration::from_secs(12);

/// The sensors that run.
#[derive(Clone)]
pub struct Sensing {
    keeper: Arc<dyn SensorKeeper>,
    running: Arc<Mutex<BTreeMap<(SensorRef, u64), CancellationToken>>>,
    /// How fast each may tell, also when it is started again and again.
    paces: Arc<Mutex<BTreeMap<SensorRef, Arc<Bucket>>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Sensing {
    /// Begins with none. When `stop` fires, all that run are ended.
    pub fn new(keeper: Arc<dyn SensorKeeper>, stop: CancellationToken) -> Self {
        Self { keeper, running: Arc::default(), paces: Arc::default(), tasks: TaskTracker::new(), stop }
    }

    /// Starts one; never waits.
    pub(crate) fn start(&self, launch: Launch, inputs: mpsc::Sender<Input>, callers: Callers) {
        let key = (launch.sensor.clone(), launch.run);
        let stop = self.stop.child_token();
        lock(&self.running).insert(key.clone(), stop.clone());
        let mut paces = lock(&self.paces);
        let pace = paces.entry(launch.sensor.clone());
        let pace = Arc::clone(pace.or_insert_with(|| Arc::new(Bucket::new(f64::from(PER_SECOND), AT_ONCE))));
        drop(paces);
        let (keeper, running) = (Arc::clone(&self.keeper), Arc::clone(&self.running));
        tracing::info!(sensor = %launch.sensor, run = launch.run, program = launch.program, "sensor starts");
        self.tasks.spawn(async move {
            // One piece of news at a time: what waits has to wait with the sensor.
            let (news, heard) = mpsc::channel(1);
            let hidden = launch.hidden.clone();
            let keeping = AbortOnDropHandle::new(tokio::spawn(async move { keeper.keep(launch, news, stop).await }));
            let ended = tell(&key, heard, &inputs, &callers, &pace, &hidden).await;
            let broken = keeping.await.err().map(|problem| problem.to_string());
            lock(&running).remove(&key);
            if !ended {
                // A keeper that ended without its last word has a bug; its sensor must be started again all the same.
                let (sensor, run) = key;
                let why = broken.unwrap_or_else(|| Reason::WithoutAWord.to_string());
                tracing::error!(%sensor, run, why, "a keeper of sensors broke its promise");
                let news = News::Ended { end: End::NotStarted { why }, errors: Vec::new() };
                // Without a loop there is nobody left to tell.
                let _ = inputs.send(Input::Sensor { sensor, run, request: None, news }).await;
            }
        });
    }

    /// Has one end.
    pub(crate) fn stop(&self, sensor: &SensorRef, run: u64) {
        if let Some(stop) = lock(&self.running).get(&(sensor.clone(), run)) {
            stop.cancel();
        }
    }

    /// Waits until all have ended that were told to.
    pub async fn ended(&self) {
        self.tasks.close();
        if tokio::time::timeout(ENDING, self.tasks.wait()).await.is_err() {
            tracing::error!("a sensor does not end; its keeper ends it when I am gone");
        }
    }
}

/// Hands news on. Gives whether the end was among it, or nobody wants to hear of it any more.
async fn tell(
    (sensor, run): &(SensorRef, u64),
    mut heard: mpsc::Receiver<News>,
    inputs: &mpsc::Sender<Input>,
    callers: &Callers,
    pace: &Bucket,
    hidden: &[Secret],
) -> bool {
    while let Some(mut news) = heard.recv().await {
        if let News::Errors(lines) | News::Ended { errors: lines, .. } = &mut news {
            lines.iter_mut().for_each(|line| *line = masked(line, hidden));
        }
        let last = matches!(news, News::Ended { .. });
        match &news {
            News::Started { pid } => tracing::info!(%sensor, run, pid, "sensor runs"),
            News::Said(_) => pace.take().await,
            News::Errors(lines) => tracing::debug!(%sensor, run, ?lines, "a sensor writes to standard error"),
            News::Ended { end, errors } => tracing::info!(%sensor, run, %end, ?errors, "sensor ended"),
        }
        let (reply, answered) = oneshot::channel();
        let request = matches!(news, News::Said(_)).then(|| callers.expect(reply));
        let input = Input::Sensor { sensor: sensor.clone(), run: *run, request, news };
        if inputs.send(input).await.is_err() || last {
            return true;
        }
        if request.is_some() {
            match answered.await {
                Ok(Answer::Failed { text }) => tracing::warn!(%sensor, run, text, "an event was not taken up"),
                Ok(_) => {}
                // Nobody decides any more.
                Err(_) => return true,
            }
        }
    }
    false
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
