//! The process has started again: whatever was running then is looked at.
//!
//! A pause goes on, since its end is stored. A command that was running may have ended, may still run or may never have begun: it ends as
//! `unknown` and the one who asked is told so. A line that was being looked into is answered with the request to say it again. **It is never run again silently.** Deliveries that were promised are handed to the outbox by
//! the runtime, which looks in the channel before it repeats one.

use super::{Bot, Moment, Step};
use crate::core::action::execution::Status;
use crate::core::id::ExecutionId;
use crate::core::memory::{Contradiction, Owed};
use crate::core::message::card::Card;
use crate::core::message::phrase::Phrase;

impl Bot {
    pub(super) fn recover(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let owed: Vec<Owed> = self.memory.owed.values().cloned().collect();
        for Owed { back, line } in owed {
            self.say(step, moment, &back, &Card::Restarted { line })?;
        }
        let live: Vec<(ExecutionId, bool)> = self
            .memory
            .executions
            .values()
            .map(|execution| (execution.request.id.clone(), execution.request.ends_at.is_some()))
            .collect();
        let interrupted = live.iter().filter(|(_, pausing)| !pausing).count();
        for (id, pausing) in live {
            if pausing {
                self.watches.insert(id, super::Watch::new(&[], moment.at));
            } else {
                let why = self.sentences.phrase(&Phrase::Interrupted);
                self.finish(step, moment, &id, Status::Unknown, Some(why))?;
            }
        }
        self.announcement = Some(interrupted);
        Ok(())
    }
}
