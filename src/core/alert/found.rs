//! Problems of which nobody has told, and that are there when the monitoring is asked: those that began in a downtime.

use super::life::{Alert, Board, COMES_BACK, Change, MOST, Seen, Turn, Word, shortened};
use super::standing::Standing;
use super::storm::Storms;
use jiff::Timestamp;

impl Board {
    /// What is seen of a problem that began in a downtime, at `from` or later, as it stands when it is told: nothing where it is known, where somebody has taken it on, and where the
    /// monitoring does not believe it yet. Monitorings tell whole seconds, so what began within the second of `from` began later: told once too often is better than never.
    pub fn found(&self, standing: &Standing, asked: Timestamp, from: Timestamp) -> Option<Seen> {
        let begun = standing.since.filter(|since| since.as_second() >= from.as_second())?;
        let is_new = standing.in_downtime && standing.hard && standing.state.is_some() && !standing.is_good();
        if !is_new || standing.acknowledged.is_some() {
            return None;
        }
        let known = self.find(&standing.problem);
        let (mut alert, turn) = match known {
            None if self.alerts().count() >= MOST => return None,
            None => (Alert::new(standing.problem.clone(), asked), Turn::Opened),
            Some(known) => {
                let over =
                    known.recovered.filter(|over| over.as_second() <= begun.as_second() && known.told <= asked)?;
                let soon = asked.duration_since(over) <= COMES_BACK;
                let mut again = known.clone();
                again.remedies.retain(|remedy| remedy.ended.is_none());
                (again.recovered, again.escalated, again.touched) = (None, 0, None);
                again.told_of.clear();
                if !soon {
                    again.post = None;
                }
                (again, if soon { Turn::Back } else { Turn::Opened })
            }
        };
        (alert.state, alert.output) = (standing.state, shortened(&standing.output));
        (alert.since, alert.told) = (begun, asked);
        (alert.opened, alert.read, alert.unknown) = (Some(asked), Some(asked), None);
        let word = standing.downtimes.first().map(|downtime| self.said(&alert.problem.host, &downtime.said, asked));
        alert.downtime = Some(word.unwrap_or(Word { by: None, comment: None, at: asked }));
        alert.flapping = standing.flapping;
        if !standing.host_groups.is_empty() {
            alert.host_groups.clone_from(&standing.host_groups);
        }
        alert.choices = alert.choices.saturating_add(1);
        Some(Seen { alert, turns: vec![(turn, None)] })
    }
}

impl Storms {
    /// How a problem stands was seen and not told: where it is a member, that counts as well.
    pub fn seen(&mut self, at: Timestamp, alert: &Alert, board: &Board) {
        self.changed(at, &Change::new(Turn::FoundOver, alert.clone(), None), board);
    }
}
