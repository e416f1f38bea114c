//! The last line once more: `!!`, `again`, and `again wn002` for other hosts.
//!
//! What is repeated is the last line of the same person in the same channel for which something was started; it is taken up as if it had been
//! written anew, by the rights and the content of now. **No line with a secret in it is kept**, and then there is nothing to repeat, so that
//! nobody repeats the one before it by mistake. And executions once more, by their ids.

use super::hear::{HIGHEST, Speaker};
use super::{Bot, Moment, Step};
use crate::core::alias::matcher::Selection;
use crate::core::effect::Query;
use crate::core::fact::Choice;
use crate::core::id::{AliasRef, ChannelId, UserId};
use crate::core::input::Purpose;
use crate::core::memory::Contradiction;
use crate::core::message::card::Card;
use jiff::{SignedDuration, Timestamp};

/// For how long `!!` without the bot's name is understood. Later it is an exclamation between people.
const FRESH: SignedDuration = SignedDuration::from_mins(30);

impl Bot {
    /// Runs something again. What it would repeat is not known here, so it counts as what can do harm.
    pub(super) fn hear_of_rerun(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        line: &str,
        wanted: (String, Purpose),
    ) -> Result<(), Contradiction> {
        if let Some(ago) = speaker.missed.clone() {
            let choice = Choice { line: line.to_owned(), alias: None, again: true };
            return self.ask_again(step, moment, speaker, choice, ago);
        }
        self.look_up_one(step, moment, speaker, line, wanted)
    }

    /// Offers a line that was missed under a number of its own, beside those that are offered already.
    pub(super) fn ask_again(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        choice: Choice,
        ago: String,
    ) -> Result<(), Contradiction> {
        let key = (speaker.identity.id.clone(), speaker.channel.clone());
        let open = self.memory.choices.get(&key).filter(|offer| moment.at <= offer.until);
        let mut lines = open.map(|offer| offer.lines.clone()).unwrap_or_default();
        let line = choice.line.clone();
        lines.push(choice);
        let number = lines.len();
        self.not_done(step, speaker, "question");
        if number > HIGHEST {
            return self.say(step, moment, &speaker.back, &Card::Late { line, ago });
        }
        self.offer(step, moment, speaker, lines)?;
        self.say(step, moment, &speaker.back, &Card::AskAgain { line, ago, number })
    }

    /// Asks the store for one execution.
    pub(super) fn look_up_one(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        line: &str,
        (id, purpose): (String, Purpose),
    ) -> Result<(), Contradiction> {
        self.look_up(step, moment, speaker, line, (Query::ById(id.clone()), id, purpose))
    }

    /// Whether somebody has started something in this channel lately.
    pub(super) fn is_fresh(&self, user: &UserId, channel: &ChannelId, now: Timestamp) -> bool {
        let kept = self.memory.lines.get(&(user.clone(), channel.clone()));
        kept.is_some_and(|kept| now.duration_since(kept.at) <= FRESH)
    }

    /// Does what the last line said, on other hosts where some are named.
    pub(super) fn once_more(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        hosts: Option<&str>,
    ) -> Result<(), Contradiction> {
        let key = (speaker.identity.id.clone(), speaker.channel.clone());
        let kept = self.memory.lines.get(&key).map(|kept| (kept.line.clone(), kept.alias.clone()));
        let card = match (&kept, hosts) {
            (None, _) => Card::NothingToRepeat { secret: false },
            (Some((None, _)), _) => Card::NothingToRepeat { secret: true },
            (Some((Some(line), alias)), None) => {
                return self.obey_alias(step, moment, speaker, line, alias);
            }
            (Some((Some(line), alias)), Some(hosts)) => match self.on_other_hosts(speaker, line, alias, hosts) {
                Some(line) => return self.obey_alias(step, moment, speaker, &line, alias),
                None => Card::CannotRepeatOn { line: line.clone(), hosts: hosts.to_owned() },
            },
        };
        self.not_done(step, speaker, "question");
        self.say(step, moment, &speaker.back, &card)
    }

    /// The line with other hosts in the place of its own, where it is certain what that place is: the line has one parameter `hosts`, whose
    /// text stands in it once, and with the new text it differs in nothing else.
    fn on_other_hosts(&self, speaker: &Speaker<'_>, line: &str, alias: &AliasRef, hosts: &str) -> Option<String> {
        let read = |line: &str| {
            let meant = self.catalog.matcher.select_among(line, &|known| known.reference == *alias);
            match meant {
                Selection::One(found) if found.further.is_empty() => Some(found),
                _ => None,
            }
        };
        let before = read(line)?;
        let old = before.parameters.get("hosts").filter(|_| !before.defaulted.contains("hosts"))?;
        let mut places = line.match_indices(old.as_str());
        let (at, _) = places.next().filter(|_| !old.is_empty())?;
        if places.next().is_some() {
            return None;
        }
        let changed = format!("{}{hosts}{}", &line[..at], &line[at + old.len()..]);
        let after = read(&changed)?;
        let mut expected = before.parameters.clone();
        expected.insert("hosts".to_owned(), hosts.to_owned());
        (after.parameters == expected && self.knows_hosts_of(speaker, &after)).then_some(changed)
    }
}
