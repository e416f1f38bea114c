//! The one owner of the server's state, shared by its tasks.

use super::event::Happening;
use super::faults::Plan;
use super::gate::Gate;
use super::world::World;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;

/// Times and secrets that do not change while the server runs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) page_token: String,
    pub(crate) authentication_deadline: Duration,
    pub(crate) ping_every: Duration,
    pub(crate) pong_deadline: Duration,
    pub(crate) rate_limit: Option<super::server::RateLimit>,
    pub(crate) beside: Vec<super::server::Beside>,
}

/// What every task of the server holds.
pub(crate) struct Shared {
    world: Mutex<World>,
    plan: Mutex<Plan>,
    calls: Mutex<BTreeMap<String, u64>>,
    buckets: Mutex<BTreeMap<String, Bucket>>,
    gates: Mutex<Vec<Weak<Gate>>>,
    pub(crate) settings: Settings,
    pub(crate) http: reqwest::Client,
    pub(crate) happenings: broadcast::Sender<Happening>,
}

/// The calls that somebody may still make.
#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// A lock whose holder panicked still guards consistent data: every operation is complete or has not begun.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        world: World,
        settings: Settings,
        http: reqwest::Client,
        happenings: broadcast::Sender<Happening>,
    ) -> Self {
        Self {
            world: Mutex::new(world),
            plan: Mutex::new(Plan::default()),
            calls: Mutex::new(BTreeMap::new()),
            buckets: Mutex::new(BTreeMap::new()),
            gates: Mutex::new(Vec::new()),
            settings,
            http,
            happenings,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }

    pub(crate) fn count_call(&self, route: String) {
        *lock(&self.calls).entry(route).or_default() += 1;
    }

    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        lock(&self.calls).clone()
    }

    pub(crate) fn remember_gate(&self, gate: &Arc<Gate>) {
        let mut gates = lock(&self.gates);
        gates.retain(|gate| gate.strong_count() > 0);
        gates.push(Arc::downgrade(gate));
    }

    /// Cuts every connection, REST and websocket.
    pub(crate) fn cut_everything(&self) {
        for gate in lock(&self.gates).iter().filter_map(Weak::upgrade) {
            gate.cut();
        }
    }

    /// Takes one call from somebody's bucket: what is left, or how long to wait.
    pub(crate) fn charge(&self, who: &str, limit: super::server::RateLimit) -> Result<u32, Duration> {
        let mut buckets = lock(&self.buckets);
        let now = Instant::now();
        let full = f64::from(limit.burst.max(1));
        let bucket = buckets.entry(who.to_owned()).or_insert(Bucket { left: full, at: now });
        let refill = now.duration_since(bucket.at).as_secs_f64() * f64::from(limit.per_second.max(1));
        bucket.left = (bucket.left + refill).min(full);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / f64::from(limit.per_second.max(1))));
        }
        bucket.left -= 1.0;
        let mut left = 0;
        while f64::from(left + 1) <= bucket.left {
            left += 1;
        }
        Ok(left)
    }
}
