//! Handing out the whole of what was written on a host, piece by piece, to a caller of the control socket.

use super::Step;
use super::answer::answer;
use crate::core::action::execution::Execution;
use crate::core::action::run::Captured;
use crate::core::effect::{Answer, Effect};
use crate::core::id::{Host, RequestId};
use crate::core::input::OutputPart;

/// Has a piece of an output read that is too long for a fact.
pub(super) fn hand_out(step: &mut Step, request: RequestId, execution: &Execution, part: &OutputPart) {
    let outcome = execution.outcomes.get(&Host::new(part.host.as_str()));
    let written = outcome.map(|outcome| if part.stderr { &outcome.stderr } else { &outcome.stdout });
    match written {
        Some(Captured::Blob { blob, .. }) => {
            step.effects.push(Effect::HandOut { request, blob: blob.clone(), offset: part.offset });
        }
        // Nothing stands anywhere but in the execution itself.
        Some(Captured::Inline { .. }) | None => answer(step, request, Answer::Output { base64: String::new() }),
    }
}
