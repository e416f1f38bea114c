//! Alertmanager calls its webhook: `alertmanager`, or `alertmanager/NAME` where there are several.
//!
//! A body has many alerts, and most of them say nothing new. Those that do are taken up in one step, so that either all of it is on disk when Alertmanager is
//! answered, or it is told to send it again. What it leaves out, since its receiver has a bound, is told to the administrators.

use super::answer::answer;
use super::{Bot, Moment, Step};
use crate::core::alert::alertmanager::{Body, INSTANCE, MOST, Unreadable};
use crate::core::alert::source::Source as Alert;
use crate::core::effect::Answer;
use crate::core::id::{RequestId, TriggerInstanceId, TriggerRef};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, MonitoringTold};
use crate::core::message::phrase::Phrase;
use crate::core::rule::trigger::{Source, TriggerInstance};
use crate::core::settings::Monitored;
use crate::core::webhook::{Call, Refusal};
use serde_json::Map;

/// Of so many groups it is known that they were not complete.
const MOST_GROUPS: usize = 200;

impl Bot {
    /// Takes up what a body says that is new. `site` is what the Alertmanager is called, empty where there is one.
    pub(super) fn called_by_alertmanager(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        (site, call): (&str, &Call),
    ) -> Result<(), Contradiction> {
        let key = match self.caller(moment.at, call) {
            Ok((key, _)) => key.name.clone(),
            Err(refused) => {
                answer(step, request, refused);
                return Ok(());
            }
        };
        if let Some(later) = self.not_now() {
            answer(step, request, later);
            return Ok(());
        }
        let body = match Body::read(&call.body) {
            Ok(body) => body,
            Err(why) => {
                let (what, why) = match why {
                    Unreadable::Version => ("no_alertmanager", String::new()),
                    Unreadable::Alerts => ("no_alerts", String::new()),
                    Unreadable::TooMany => ("too_many_alerts", MOST.to_string()),
                };
                let text = self.sentences.phrase(&Phrase::Webhook { what, name: &call.hook, why: &why });
                answer(step, request, Answer::CallRefused { why: Refusal::Wrong, text });
                return Ok(());
            }
        };
        let of = |one: &&Monitored| {
            one.source == Alert::Alertmanager.name() && one.site.as_deref().is_none_or(|known| known == site)
        };
        let known = self.settings.monitorings.iter().find(of);
        let host_label = known.and_then(|one| one.host_label.clone()).unwrap_or_else(|| INSTANCE.to_owned());
        let (mut new, mut executions) = (false, Vec::new());
        for told in &body.alerts {
            let Some(event) = told.event(site, &host_label, &self.memory.alerts) else { continue };
            let id = TriggerInstanceId::new(event.id);
            if self.memory.events.has_taken(&id) {
                continue;
            }
            let instance = TriggerInstance {
                id,
                trigger: TriggerRef::new(event.source.trigger()),
                parameters: Map::new(),
                payload: event.payload,
                occurred: moment.at,
                trace_tag: None,
                source: Source::Webhook { name: call.hook.clone(), key: key.clone() },
                chain: Vec::new(),
            };
            // What a site's own schema of the trigger refuses cannot be said to Alertmanager, which would never send the others then.
            if self.is_sound(&instance).is_err() {
                continue;
            }
            new = true;
            executions.extend(self.consider(step, moment, instance)?);
        }
        self.tell_of_left_out(step, moment, site, &body)?;
        let id = TriggerInstanceId::new(format!("{}:{:016x}", call.hook, moment.bits()));
        answer(step, request, Answer::Event { id, new, executions });
        Ok(())
    }

    /// Tells the administrators that a body does not have all alerts of its group: once for each group, until one comes that has all.
    fn tell_of_left_out(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        site: &str,
        body: &Body,
    ) -> Result<(), Contradiction> {
        let group = format!("{site} {}", body.group);
        if body.left_out == 0 {
            self.left_out.remove(&group);
            return Ok(());
        }
        if self.left_out.len() >= MOST_GROUPS || !self.left_out.insert(group) {
            return Ok(());
        }
        let name = if site.is_empty() { Alert::Alertmanager.name() } else { site };
        let told = MonitoringTold { name: name.to_owned(), left_out: body.left_out, ..MonitoringTold::default() };
        self.tell_admins(step, moment, "monitoring", &Card::MonitoringTold(told))
    }
}
