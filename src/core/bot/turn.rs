//! Whose turn it is: the gate behind that of the approvals.
//!
//! What may not run beside others waits as `delayed`, and is looked at again as soon as one of those that it waits for has ended.

use super::Bot;
use super::start::{Gate, Prepared, Wish};
use crate::core::action::waiting::Waiting;
use crate::core::id::ExecutionId;
use jiff::Timestamp;

impl Bot {
    /// Whether an execution may begin beside those under way.
    #[expect(clippy::unused_self, reason = "nothing has to wait for its turn yet")]
    pub(super) fn turn_gate(&self, _at: Timestamp, _id: &ExecutionId, _wish: &Wish, _prepared: &Prepared) -> Gate {
        Gate::Open
    }

    /// Whether one of those that an execution lets go first has ended, so that it is looked at again.
    pub(super) fn turn_may_have_come(&self, waiting: &Waiting) -> bool {
        let Some(turn) = &waiting.turn else { return true };
        turn.behind.is_empty() || turn.behind.iter().any(|other| !self.memory.executions.contains_key(other))
    }
}
