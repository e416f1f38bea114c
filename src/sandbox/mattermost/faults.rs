//! What shall go wrong: the handle by which a test makes the server misbehave.

use super::shared::Shared;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Before the route of a call that a proxy answered.
pub(crate) const BY_PROXY: &str = "by proxy: ";

/// How making a post fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostFailure {
    /// Answers 500 and makes nothing.
    ErrorBefore,
    /// Makes the post and answers 500 all the same.
    ErrorAfter,
    /// Dies before the post is made.
    DeadBefore,
    /// Makes the post and dies before answering.
    DeadAfter,
}

/// What a proxy before the server answers in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detour {
    /// 302 to a page that says that there is maintenance.
    Maintenance,
    /// A page of its own with this status.
    Page(u16),
}

/// What is to go wrong next.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) no_hello: bool,
    pub(crate) refuse_resume: bool,
    pub(crate) silence_new_sockets: bool,
    pub(crate) down: bool,
    pub(crate) holes_in_since: bool,
    pub(crate) forbid_callbacks: bool,
    pub(crate) detour: Option<Detour>,
    pub(crate) limited_calls: u32,
    pub(crate) retry_after: Duration,
    pub(crate) post_failures: VecDeque<PostFailure>,
    pub(crate) failing_calls: VecDeque<u16>,
    pub(crate) pending_answers: u32,
    pub(crate) slow: Duration,
}

/// Makes the server misbehave. Switches that take a `bool` stay until they are turned back; the others are used up.
#[derive(Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

impl Faults {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// New websockets get no `hello`.
    pub fn no_hello(&self, on: bool) {
        self.shared.plan().no_hello = on;
    }

    /// Cuts all websockets now. They can be resumed.
    pub fn drop_sockets(&self) {
        self.shared.world().with_open_connections(|connection| connection.gate.cut());
    }

    /// All open websockets stay open and fall silent: nothing is sent, not even pongs, and nothing is read.
    pub fn silence_sockets(&self) {
        self.shared.world().with_open_connections(|connection| connection.gate.silence());
    }

    /// New websockets are accepted and then left in silence.
    pub fn silence_new_sockets(&self, on: bool) {
        self.shared.plan().silence_new_sockets = on;
    }

    /// The next event of every open websocket is numbered one too high.
    pub fn skip_sequence_number(&self) {
        self.shared.world().with_open_connections(super::connection::Connection::skip_a_number);
    }

    /// The next event of every open websocket comes twice, under two numbers.
    pub fn duplicate_event(&self) {
        self.shared.world().with_open_connections(super::connection::Connection::repeat_an_event);
    }

    /// Every open websocket dies in the middle of its next event.
    pub fn die_in_mid_frame(&self) {
        self.shared.world().with_open_connections(super::connection::Connection::break_a_frame);
    }

    /// Whoever comes back gets a new connection and a new `hello`.
    pub fn refuse_resume(&self, on: bool) {
        self.shared.plan().refuse_resume = on;
    }

    /// Cuts every connection and forgets all websockets, as a restart of the server does.
    pub fn restart(&self) {
        self.shared.world().connections.values_mut().for_each(super::connection::Connection::forget);
        self.shared.cut_everything();
    }

    /// Cuts every connection and refuses new ones, until it is turned off.
    pub fn down(&self, on: bool) {
        self.shared.plan().down = on;
        if on {
            self.shared.cut_everything();
        }
    }

    /// The next calls are answered 429 in plain text with this `Retry-After` (in whole seconds).
    pub fn limit_rate(&self, calls: u32, retry_after: Duration) {
        let mut plan = self.shared.plan();
        plan.limited_calls = calls;
        plan.retry_after = retry_after;
    }

    /// The next calls, of whatever kind, are answered with this status and a JSON error.
    pub fn fail_calls(&self, calls: usize, status: u16) {
        self.shared.plan().failing_calls.extend(std::iter::repeat_n(status, calls));
    }

    /// No call and no new websocket reaches the server: a proxy answers all of them, until it is turned off. Open websockets stay.
    pub fn detour(&self, how: Option<Detour>) {
        self.shared.plan().detour = how;
    }

    /// How many calls a proxy has answered.
    pub fn detoured(&self) -> u64 {
        let calls = self.shared.calls();
        calls.into_iter().filter(|(route, _)| route.starts_with(BY_PROXY)).map(|(_, calls)| calls).sum()
    }

    /// The next posts fail in this way.
    pub fn fail_posts(&self, posts: usize, how: PostFailure) {
        self.shared.plan().post_failures.extend(std::iter::repeat_n(how, posts));
    }

    /// The next repeats of a `pending_post_id` are answered as if the first were still being saved.
    pub fn still_saving(&self, repeats: u32) {
        self.shared.plan().pending_answers = repeats;
    }

    /// Every REST answer takes this much longer.
    pub fn slow(&self, by: Duration) {
        self.shared.plan().slow = by;
    }

    /// `since` loses every second row.
    pub fn holes_in_since(&self, on: bool) {
        self.shared.plan().holes_in_since = on;
    }

    /// Button presses and dialogs are refused because the address of the integration is not allowed.
    pub fn forbid_callbacks(&self, on: bool) {
        self.shared.plan().forbid_callbacks = on;
    }

    /// Posts made from now on have the same time of creation.
    pub fn stop_clock(&self, on: bool) {
        self.shared.world().clock_stopped = on;
    }

    /// The server's clock shows this much more (less, if negative) than it should, in its posts and in its answers. No post is older than the
    /// one before it, though; a clock that was always behind is a matter of `Options`.
    pub fn skew_clock(&self, milliseconds: i64) {
        self.shared.world().skew_ms = milliseconds;
    }

    /// The next post is dated this much later than the server's clock, as an import may date one.
    pub fn date_next_post(&self, later_by: Duration) {
        self.shared.world().postdate_ms = i64::try_from(later_by.as_millis()).unwrap_or(i64::MAX);
    }

    /// Lists of posts do not show what was made within this time, as replicas that lag.
    pub fn lag_behind(&self, by: Duration) {
        self.shared.world().lag_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    }

    /// From now on this token is not valid. Open websockets stay open and hear nothing more.
    pub fn revoke_token(&self, token: &str) {
        self.shared.world().sessions.remove(token);
    }
}
