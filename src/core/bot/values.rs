//! Somebody asked for values of the datastore, or wants some changed.
//!
//! Command line and chat ask the same questions and get the same answers here; who asks decides what may be seen. **What may not be seen does not
//! exist**, and whatever a person has opened is noted.

use super::answer::answer;
use super::hear::Speaker;
use super::{Bot, Moment, Step};
use crate::core::access::Rights;
use crate::core::action::params::MASK;
use crate::core::datastore::key::{Key, Scope, why_no_name};
use crate::core::datastore::request::{Asked, Confidential, NewValue, ShownValue, ValueAsk, ValueProblem};
use crate::core::datastore::{Entry, Kept, LARGEST, ROOM};
use crate::core::effect::{Answer, Effect};
use crate::core::fact::Fact;
use crate::core::id::{RequestId, UserId};
use crate::core::input::{Back, Principal};
use crate::core::memory::{Contradiction, answer_to};
use crate::core::message::card::Card;
use crate::core::message::markdown;
use crate::core::message::value::{ValueLine, ValueList};
use crate::core::settings::Verb;
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// The longest time to live: a century.
const LONGEST_TTL: u64 = 100 * 365 * 24 * 3600 + 25 * 24 * 3600;
/// The length of a chat user's id.
const USER_ID: usize = 26;

/// Who asks, and what they may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seeker<'a> {
    pub(super) by: &'a Principal,
    pub(super) rights: &'a Rights,
    pub(super) back: &'a Back,
}

impl Seeker<'_> {
    fn user(&self) -> Option<&UserId> {
        match self.by {
            Principal::ChatUser { id, .. } => Some(id),
            Principal::LocalUser { .. } | Principal::Rule { .. } => None,
        }
    }

    /// Their own values are everybody's own business.
    fn may(&self, verb: Verb, key: &Key) -> bool {
        let own = key.scope.user().is_some_and(|owner| Some(owner) == self.user());
        own || self.rights.may_with_value(verb, key)
    }

    fn need(&self, verb: Verb, key: &Key) -> Result<(), ValueProblem> {
        if self.may(verb, key) {
            return Ok(());
        }
        Err(ValueProblem::Denied { needed: format!("{}:{}", verb.word(), key.reference()) })
    }
}

impl Bot {
    /// Asked over the control socket.
    pub(super) fn asked_for_values(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        from: &Principal,
        rights: &Rights,
        ask: ValueAsk,
    ) -> Result<(), Contradiction> {
        let back = Back::Request { request };
        let told = match self.values(step, moment, Seeker { by: from, rights, back: &back }, ask)? {
            Ok(values) => Answer::Values { values },
            Err(problem) if problem.is_failure() => Answer::Failed { text: problem.to_string() },
            Err(problem) => {
                self.deny_value(step, moment, (from, &back), "key", &problem)?;
                Answer::Refused { text: problem.to_string() }
            }
        };
        answer(step, request, told);
        Ok(())
    }

    /// Does what a line says about values of the datastore. A secret is shown in a direct message only, and never by way of a fact: the post is
    /// promised with stars in it, and what they stand for is shown by a refresh, which nothing remembers.
    pub(super) fn hear_of_values(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        line: &str,
        ask: ValueAsk,
    ) -> Result<(), Contradiction> {
        let changes = matches!(ask, ValueAsk::Set { .. } | ValueAsk::Delete { .. } | ValueAsk::DeleteByPrefix { .. });
        if let Some(ago) = speaker.missed.clone().filter(|_| changes) {
            self.not_done(step, speaker, "question");
            return self.say(step, moment, &speaker.back, &Card::Late { line: self.masked(Some(speaker), line), ago });
        }
        let by = speaker.principal();
        let seeker = Seeker { by: &by, rights: &speaker.rights, back: &speaker.back };
        let told = match &ask {
            ValueAsk::Get { decrypt: true, .. } if !speaker.direct => Err(ValueProblem::InChannel),
            _ => self.values(step, moment, seeker, ask.clone())?,
        };
        let values = match told {
            Ok(values) => values,
            Err(problem) => {
                self.not_done(step, speaker, "question");
                let line = self.masked(Some(speaker), line);
                self.deny_value(step, moment, (&by, &speaker.back), &line, &problem)?;
                let card = Card::ValueRefused { problem: markdown::prose(&problem.to_string()) };
                return self.say(step, moment, &speaker.back, &card);
            }
        };
        let named =
            |value: ShownValue| ShownValue { user: value.user.map(|id| self.name_of_user(speaker, id)), ..value };
        let values: Vec<ShownValue> = values.into_iter().map(named).collect();
        if let ValueAsk::List { prefix, .. } = ask {
            let card = Card::Values(ValueList::new(&values, prefix, moment.at));
            return self.say(step, moment, &speaker.back, &card);
        }
        // All but a list is about one value.
        let Some(value) = values.into_iter().next() else { return Ok(()) };
        let card = match ask {
            ValueAsk::Get { .. } => Card::Value(ValueLine::new(&value, moment.at)),
            ValueAsk::Set { .. } => {
                let warn = value.secret && !speaker.direct;
                Card::ValueSet { warn, value: ValueLine::new(&value, moment.at) }
            }
            _ => Card::ValueDeleted { name: value.name.clone() },
        };
        if value.hidden || !value.secret {
            return self.say(step, moment, &speaker.back, &card);
        }
        let stars = ShownValue { text: Confidential(MASK.to_owned()), ..value };
        self.say(step, moment, &speaker.back, &Card::Value(ValueLine::new(&stars, moment.at)))?;
        if let Back::Chat { channel, post, .. } = &speaker.back {
            let (channel, of) = (channel.clone(), answer_to(post, card.template()));
            step.effects.push(Effect::Refresh { channel, of, text: self.sentences.say(&card), attachments: None });
        }
        Ok(())
    }

    /// Notes it where the trouble is a right that is lacking.
    fn deny_value(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        who: (&Principal, &Back),
        line: &str,
        problem: &ValueProblem,
    ) -> Result<(), Contradiction> {
        match problem {
            ValueProblem::Denied { needed } => self.deny(step, moment, who, line.to_owned(), None, needed.clone()),
            _ => Ok(()),
        }
    }

    /// Does what is asked: gives the values that were found, set or deleted.
    ///
    /// # Errors
    /// The outer result is a contradiction in the memory; the inner one says why nothing was done.
    pub(super) fn values(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        seeker: Seeker<'_>,
        ask: ValueAsk,
    ) -> Result<Result<Vec<ShownValue>, ValueProblem>, Contradiction> {
        let found = match ask {
            ValueAsk::Get { scope, name, decrypt } => self.get_value(moment, seeker, &scope, name, decrypt),
            ValueAsk::List { scope, prefix, decrypt } => self.list_values(moment, seeker, &scope, &prefix, decrypt),
            ValueAsk::Set { values } => return self.set_values(step, moment, seeker, values),
            ValueAsk::Delete { scope, name } => return self.delete_value(step, moment, seeker, &scope, name),
            ValueAsk::DeleteByPrefix { scope, prefix } => {
                return self.delete_values(step, moment, seeker, &scope, &prefix);
            }
        };
        let found = match found {
            Ok(found) => found,
            Err(problem) => return Ok(Err(problem)),
        };
        let opened = found.iter().filter(|(_, shown)| shown.secret && !shown.hidden);
        let keys: Vec<Key> = opened.map(|(key, _)| key.clone()).collect();
        if !keys.is_empty() {
            self.note(
                step,
                moment,
                Fact::ValuesOpened { keys, by: seeker.by.clone(), from: Some(seeker.back.clone()) },
            )?;
        }
        Ok(Ok(found.into_iter().map(|(_, shown)| shown).collect()))
    }

    fn get_value(
        &self,
        moment: &Moment,
        seeker: Seeker<'_>,
        scope: &Asked,
        name: String,
        decrypt: bool,
    ) -> Result<Vec<(Key, ShownValue)>, ValueProblem> {
        let key = Key { scope: self.scope(seeker, scope)?, name };
        let entry = self.memory.datastore.get(&key, moment.at).filter(|_| seeker.may(Verb::View, &key));
        let entry = entry.ok_or_else(|| absent(&key))?;
        let open = decrypt && entry.value.is_sealed();
        if open {
            seeker.need(Verb::Admin, &key)?;
        }
        let shown = self.shown(&key, entry, open)?;
        Ok(vec![(key, shown)])
    }

    fn list_values(
        &self,
        moment: &Moment,
        seeker: Seeker<'_>,
        scope: &Asked,
        prefix: &str,
        decrypt: bool,
    ) -> Result<Vec<(Key, ShownValue)>, ValueProblem> {
        let only = match scope {
            Asked::All => None,
            // Whoever may do everything may see the values of all users at once.
            Asked::User { user: None } if seeker.user().is_none() && seeker.rights.administers() => None,
            scope => Some(self.scope(seeker, scope)?),
        };
        let users_only = matches!(scope, Asked::User { .. });
        let wanted = |key: &Key| {
            only.as_ref().is_none_or(|only| key.scope == *only)
                && (!users_only || key.scope != Scope::System)
                && key.name.starts_with(prefix)
                && seeker.may(Verb::View, key)
        };
        let standing = self.memory.datastore.standing(moment.at).filter(|(key, _)| wanted(key));
        standing
            .map(|(key, entry)| {
                let open = decrypt && entry.value.is_sealed() && seeker.may(Verb::Admin, key);
                Ok((key.clone(), self.shown(key, entry, open)?))
            })
            .collect()
    }

    /// Sets all of these or none.
    fn set_values(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        seeker: Seeker<'_>,
        values: Vec<NewValue>,
    ) -> Result<Result<Vec<ShownValue>, ValueProblem>, Contradiction> {
        let mut prepared: BTreeMap<Key, Entry> = BTreeMap::new();
        for value in values {
            match self.prepare_value(moment, seeker, value) {
                Ok((key, entry)) => drop(prepared.insert(key, entry)),
                Err(problem) => return Ok(Err(problem)),
            }
        }
        let store = &self.memory.datastore;
        let size = |key: &Key, entry: &Entry| key.name.len() + entry.value.text().len();
        let replaced = prepared.keys().filter_map(|key| store.get(key, moment.at).map(|entry| size(key, entry)));
        let more: usize = prepared.iter().map(|(key, entry)| size(key, entry)).sum();
        if (store.size() + more).saturating_sub(replaced.sum()) > ROOM {
            return Ok(Err(ValueProblem::Full));
        }
        let mut shown = Vec::new();
        for (key, entry) in prepared {
            shown.push(masked(&key, &entry));
            let (Entry { value, expires, by, .. }, from) = (entry, Some(seeker.back.clone()));
            let value = Box::new(value);
            self.note(step, moment, Fact::ValueSet { key, value, expires, by, from })?;
        }
        Ok(Ok(shown))
    }

    fn prepare_value(
        &self,
        moment: &mut Moment,
        seeker: Seeker<'_>,
        new: NewValue,
    ) -> Result<(Key, Entry), ValueProblem> {
        let NewValue { scope, name, text: Confidential(text), secret, ttl } = new;
        if let Some(why) = why_no_name(&name) {
            return Err(ValueProblem::Name { name, why });
        }
        let key = Key { scope: self.scope(seeker, &scope)?, name };
        seeker.need(Verb::Admin, &key)?;
        if text.len() > LARGEST {
            return Err(ValueProblem::TooLarge { name: key.name, bytes: text.len() });
        }
        let expires = match ttl {
            None => None,
            Some(seconds @ 1..=LONGEST_TTL) => {
                let ttl = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
                Some(moment.at.checked_add(ttl).map_err(|_| ValueProblem::Ttl)?)
            }
            Some(_) => return Err(ValueProblem::Ttl),
        };
        // What was a secret stays one: a forgotten option must not lay it open.
        let before = self.memory.datastore.get(&key, moment.at);
        let value = if secret || before.is_some_and(|entry| entry.value.is_sealed()) {
            let entropy = moment.bits();
            let master = self.master_key.as_ref();
            let master =
                master.map_err(|why| ValueProblem::NoMasterKey { name: key.name.clone(), why: why.clone() })?;
            Kept::Sealed { text: master.seal(&key, &text, moment.at, entropy) }
        } else {
            Kept::Plain { text }
        };
        let entry = Entry { value, expires, by: seeker.by.clone(), at: moment.at };
        Ok((key, entry))
    }

    fn delete_value(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        seeker: Seeker<'_>,
        scope: &Asked,
        name: String,
    ) -> Result<Result<Vec<ShownValue>, ValueProblem>, Contradiction> {
        let key = match self.scope(seeker, scope) {
            Ok(scope) => Key { scope, name },
            Err(problem) => return Ok(Err(problem)),
        };
        let entry = self.memory.datastore.get(&key, moment.at).filter(|_| seeker.may(Verb::View, &key));
        let Some(shown) = entry.map(|entry| masked(&key, entry)) else { return Ok(Err(absent(&key))) };
        if let Err(problem) = seeker.need(Verb::Admin, &key) {
            return Ok(Err(problem));
        }
        self.note(step, moment, Fact::ValueDeleted { key, by: seeker.by.clone(), from: Some(seeker.back.clone()) })?;
        Ok(Ok(vec![shown]))
    }

    /// Deletes what the asker may delete; what they may only see is an error, and then nothing goes.
    fn delete_values(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        seeker: Seeker<'_>,
        scope: &Asked,
        prefix: &str,
    ) -> Result<Result<Vec<ShownValue>, ValueProblem>, Contradiction> {
        let scope = match self.scope(seeker, scope) {
            Ok(scope) => scope,
            Err(problem) => return Ok(Err(problem)),
        };
        if prefix.is_empty() {
            return Ok(Err(ValueProblem::EmptyPrefix));
        }
        let standing = self.memory.datastore.standing(moment.at);
        let concerned = standing.filter(|(key, _)| key.scope == scope && key.name.starts_with(prefix));
        let concerned = concerned.filter(|(key, _)| seeker.may(Verb::View, key));
        let concerned: Vec<(Key, ShownValue)> =
            concerned.map(|(key, entry)| (key.clone(), masked(key, entry))).collect();
        if let Some(problem) = concerned.iter().find_map(|(key, _)| seeker.need(Verb::Admin, key).err()) {
            return Ok(Err(problem));
        }
        let mut deleted = Vec::new();
        for (key, shown) in concerned {
            self.note(
                step,
                moment,
                Fact::ValueDeleted { key, by: seeker.by.clone(), from: Some(seeker.back.clone()) },
            )?;
            deleted.push(shown);
        }
        Ok(Ok(deleted))
    }

    /// The scope that is meant.
    fn scope(&self, seeker: Seeker<'_>, asked: &Asked) -> Result<Scope, ValueProblem> {
        match asked {
            Asked::System => Ok(Scope::System),
            Asked::All => Err(ValueProblem::ScopeAll),
            Asked::User { user: None } => {
                seeker.user().cloned().map(|user| Scope::User { user }).ok_or(ValueProblem::Whose)
            }
            Asked::User { user: Some(user) } => {
                let found = self.user_called(user);
                let own = found.is_some() && found.as_ref() == seeker.user();
                if !own && !seeker.rights.administers() {
                    return Err(ValueProblem::Others);
                }
                let user = found.ok_or_else(|| ValueProblem::UnknownUser { user: user.clone() })?;
                Ok(Scope::User { user })
            }
        }
    }

    /// A user by name, as far as the settings name them, or by id.
    fn user_called(&self, user: &str) -> Option<UserId> {
        let name = user.trim_start_matches('@').to_lowercase();
        let is_id = user.len() == USER_ID && user.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        self.tied.users.get(&name).cloned().or_else(|| is_id.then(|| UserId::new(user)))
    }

    /// The name of the user with this id, where it is known; else the id.
    fn name_of_user(&self, speaker: &Speaker<'_>, id: String) -> String {
        if speaker.identity.id.as_str() == id {
            return speaker.identity.username.clone();
        }
        let known = self.tied.users.iter().chain(&self.directory.users);
        known.into_iter().find(|(_, user)| user.as_str() == id).map_or(id, |(name, _)| name.clone())
    }

    fn shown(&self, key: &Key, entry: &Entry, open: bool) -> Result<ShownValue, ValueProblem> {
        let masked = masked(key, entry);
        if !open {
            return Ok(masked);
        }
        let name = || key.name.clone();
        let master = self.master_key.as_ref();
        let master = master.map_err(|why| ValueProblem::NoMasterKey { name: name(), why: why.clone() })?;
        let opened = master.open(key, entry.value.text());
        let opened = opened.map_err(|why| ValueProblem::Sealed { name: name(), why })?;
        Ok(ShownValue { text: Confidential(opened), hidden: false, ..masked })
    }
}

fn absent(key: &Key) -> ValueProblem {
    ValueProblem::Absent { name: key.name.clone(), scope: key.scope.word() }
}

/// A value with stars in the place of a secret.
fn masked(key: &Key, entry: &Entry) -> ShownValue {
    let secret = entry.value.is_sealed();
    ShownValue {
        name: key.name.clone(),
        scope: key.scope.word().to_owned(),
        user: key.scope.user().map(ToString::to_string),
        text: Confidential(if secret { MASK.to_owned() } else { entry.value.text().to_owned() }),
        secret,
        hidden: secret,
        expires: entry.expires,
    }
}
