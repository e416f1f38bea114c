//! A program calls a webhook, or somebody asks for the keys by which programs do.
//!
//! **Who may not call a webhook learns nothing of it**: without a key for it, the answer is the same whether it exists or not.

use super::answer::{answer, name_of};
use super::{Bot, Moment, Step};
use crate::core::access::Rights;
use crate::core::datastore::request::Confidential;
use crate::core::effect::Answer;
use crate::core::fact::Fact;
use crate::core::id::{RequestId, TriggerInstanceId, TriggerRef};
use crate::core::input::{Back, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::phrase::Phrase;
use crate::core::rule::trigger::{Arrival, Source, TriggerInstance, WEBHOOK_TRIGGER};
use crate::core::webhook::api_key::{self, ApiKey, ApiKeyAsk, ShownKey, sealed_under};
use crate::core::webhook::signature::{Header, LONGEST_SECRET, MOST_SIGNING, SHORTEST_SECRET, WINDOW};
use crate::core::webhook::{self, Call, Refusal};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

impl Bot {
    /// A webhook was called.
    pub(super) fn called(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        call: Call,
    ) -> Result<(), Contradiction> {
        // A site that has had rules on a webhook of that name keeps it.
        if let Some(site) = webhook::alertmanager(&call.hook).filter(|_| !self.is_hook(&call.hook)) {
            return self.called_by_alertmanager(step, moment, request, (site, &call));
        }
        let instance = match self.event_of(moment, call) {
            Ok(instance) => instance,
            Err(refused) => {
                answer(step, request, refused);
                return Ok(());
            }
        };
        self.arrived(step, moment, Arrival { instance, request: Some(request) })
    }

    /// Whose key a call came with, and what its signature names the event.
    pub(super) fn caller(&self, at: Timestamp, call: &Call) -> Result<(&ApiKey, Option<String>), Answer> {
        let refused = |what, name: &str, why| {
            let text = self.sentences.phrase(&Phrase::Webhook { what, name, why: "" });
            Answer::CallRefused { why, text }
        };
        if let (None, Some(header)) = (&call.key, &call.signature) {
            return self.signed(at, call, header);
        }
        let known = call.key.as_ref().and_then(|digest| api_key::find(&self.memory.api_keys, digest));
        let key = known.ok_or_else(|| refused("no_key", "", Refusal::NoKey))?;
        if !key.is_for(&call.hook) {
            return Err(refused("not_this", &key.name, Refusal::NotThis));
        }
        Ok((key, None))
    }

    /// The event that a call brings.
    fn event_of(&self, moment: &mut Moment, call: Call) -> Result<TriggerInstance, Answer> {
        let say = |what, name: &str, why: &str| self.sentences.phrase(&Phrase::Webhook { what, name, why });
        let refused = |why: Refusal, text: String| Answer::CallRefused { why, text };
        let (key, signed) = self.caller(moment.at, &call)?;
        // An event keeps its name when it is brought by another key, since that may be the next key of the same program.
        let named = signed.as_deref().or_else(|| call.event_name());
        let id = match named {
            Some(name) => format!("{}:{name}", call.hook),
            None => format!("{}:{:016x}", call.hook, moment.bits()),
        };
        let trace_tag = call.trace_tag().map(str::to_owned);
        let source = Source::Webhook { name: call.hook.clone(), key: key.name.clone() };
        let (trigger, parameters, payload) = if call.hook == webhook::GENERIC {
            let trigger = call.body.get("trigger").and_then(Value::as_str).filter(|trigger| !trigger.is_empty());
            let Some(trigger) = trigger else { return Err(refused(Refusal::Wrong, say("no_trigger", "", ""))) };
            let payload = call.body.get("payload").cloned().unwrap_or_else(|| json!({}));
            (TriggerRef::new(trigger), Map::new(), payload)
        } else {
            if !self.is_hook(&call.hook) {
                return Err(refused(Refusal::NoHook, say("no_hook", &call.hook, "")));
            }
            let lower: Map<String, Value> =
                call.headers.iter().map(|(name, value)| (name.to_lowercase(), value.as_str().into())).collect();
            let payload = json!({"headers": call.headers, "headers_lower": lower, "body": call.body});
            let parameters = Map::from_iter([("url".to_owned(), Value::from(call.hook.as_str()))]);
            (TriggerRef::new(WEBHOOK_TRIGGER), parameters, payload)
        };
        let id = TriggerInstanceId::new(id);
        let instance = TriggerInstance {
            id,
            trigger,
            parameters,
            payload,
            occurred: moment.at,
            trace_tag,
            source,
            chain: Vec::new(),
        };
        self.is_sound(&instance).map_err(|text| refused(Refusal::Wrong, text))?;
        Ok(instance)
    }

    /// Whose signature it is, and how that names the event. Who has no key for the webhook, and who signs wrongly, is told the same.
    fn signed(&self, at: Timestamp, call: &Call, header: &Header) -> Result<(&ApiKey, Option<String>), Answer> {
        let refused = |what, why: &str| {
            let text = self.sentences.phrase(&Phrase::Webhook { what, name: "", why });
            Err(Answer::CallRefused { why: Refusal::NoKey, text })
        };
        let Some(signature) = header.read() else { return refused("signature_form", "") };
        let (mut signer, mut unopened) = (None, false);
        for key in self.memory.api_keys.values().filter(|key| key.is_for(&call.hook)) {
            let Some(sealed) = &key.secret else { continue };
            let opened = self.master_key.as_ref().ok().map(|master| master.open(&sealed_under(&key.name), sealed));
            match opened {
                Some(Ok(secret)) if signature.is_by(&secret, &call.raw) => signer = Some(key),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => unopened = true,
            }
        }
        let Some(key) = signer else {
            if unopened {
                let text = self.sentences.phrase(&Phrase::Webhook { what: "unchecked", name: "", why: "" });
                return Err(Answer::Failed { text });
            }
            return refused("bad_signature", "");
        };
        if !signature.is_fresh(at) {
            return refused("stale", &WINDOW.as_secs().to_string());
        }
        Ok((key, signature.event_name(&call.raw)))
    }

    /// Whether a rule in force listens to this webhook.
    fn is_hook(&self, hook: &str) -> bool {
        let listening = self.catalog.rules.listening(&TriggerRef::new(WEBHOOK_TRIGGER)).iter();
        let mut in_force = listening.filter(|rule| self.memory.events.is_enabled(rule));
        in_force.any(|rule| rule.trigger_parameters.get("url").and_then(Value::as_str) == Some(hook))
    }

    /// Somebody asks for keys, or wants one made or gone.
    pub(super) fn asked_for_api_keys(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        (by, rights): (&Principal, &Rights),
        ask: ApiKeyAsk,
    ) -> Result<(), Contradiction> {
        let back = Back::Request { request };
        if !rights.administers() {
            self.deny(step, moment, (by, &back), "api-key".to_owned(), None, "admin:*".to_owned())?;
            let text = self.sentences.phrase(&Phrase::Webhook { what: "not_admin", name: "", why: "" });
            answer(step, request, Answer::Refused { text });
            return Ok(());
        }
        let say = |bot: &Self, what, name: &str, why: &str| {
            let text = bot.sentences.phrase(&Phrase::Webhook { what, name, why });
            Answer::Refused { text }
        };
        let told = match ask {
            ApiKeyAsk::List => Answer::ApiKeys { keys: self.memory.api_keys.values().map(shown).collect() },
            ApiKeyAsk::Create { name, digest, webhooks } => match self.refuses_key(&name, &webhooks) {
                Some(text) => Answer::Refused { text },
                None => {
                    let (digest, secret) = (Some(digest), None);
                    let key = ApiKey { name, digest, secret, webhooks, made: moment.at, by: by.clone() };
                    self.make_key(step, moment, key, back)?
                }
            },
            ApiKeyAsk::Sign { name, secret: Confidential(secret), webhooks } => {
                let signing = self.memory.api_keys.values().filter(|key| key.secret.is_some()).count();
                match (self.refuses_key(&name, &webhooks), self.master_key.clone()) {
                    (Some(text), _) => Answer::Refused { text },
                    _ if !(SHORTEST_SECRET..=LONGEST_SECRET).contains(&secret.len()) => {
                        say(self, "weak_secret", &SHORTEST_SECRET.to_string(), &LONGEST_SECRET.to_string())
                    }
                    _ if signing >= MOST_SIGNING => say(self, "too_many", "", &MOST_SIGNING.to_string()),
                    (None, Err(why)) => say(self, "no_master_key", "", &why),
                    (None, Ok(master)) => {
                        let sealed = master.seal(&sealed_under(&name), &secret, moment.at, moment.bits());
                        let (digest, secret) = (None, Some(sealed));
                        let key = ApiKey { name, digest, secret, webhooks, made: moment.at, by: by.clone() };
                        self.make_key(step, moment, key, back)?
                    }
                }
            }
            ApiKeyAsk::Delete { name } => match self.memory.api_keys.get(&name).map(shown) {
                None => say(self, "no_such_key", &name, ""),
                Some(key) => {
                    self.note(step, moment, Fact::ApiKeyGone { name, by: by.clone(), from: Some(back) })?;
                    Answer::ApiKeys { keys: vec![key] }
                }
            },
        };
        answer(step, request, told);
        Ok(())
    }

    /// Why a key cannot be made.
    fn refuses_key(&self, name: &str, webhooks: &[String]) -> Option<String> {
        let say = |what, name: &str, why: &str| Some(self.sentences.phrase(&Phrase::Webhook { what, name, why }));
        let long = webhooks.iter().any(|pattern| pattern.is_empty() || pattern.len() > api_key::LONGEST_NAME);
        if !api_key::is_name(name) {
            say("no_name", "", &api_key::LONGEST_NAME.to_string())
        } else if webhooks.is_empty() || webhooks.len() > api_key::MOST_PATTERNS || long {
            say("no_patterns", "", &api_key::MOST_PATTERNS.to_string())
        } else if self.memory.api_keys.contains_key(name) {
            say("name_taken", name, "")
        } else if self.memory.api_keys.len() >= api_key::MOST {
            say("too_many", "", &api_key::MOST.to_string())
        } else {
            None
        }
    }

    fn make_key(&mut self, step: &mut Step, moment: &Moment, key: ApiKey, back: Back) -> Result<Answer, Contradiction> {
        let keys = vec![shown(&key)];
        self.note(step, moment, Fact::ApiKeyMade { key: Box::new(key), from: Some(back) })?;
        Ok(Answer::ApiKeys { keys })
    }
}

fn shown(key: &ApiKey) -> ShownKey {
    let (name, webhooks, by) = (key.name.clone(), key.webhooks.clone(), name_of(&key.by).to_owned());
    ShownKey { name, webhooks, signs: key.secret.is_some(), made: key.made, by }
}
