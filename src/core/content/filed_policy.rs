//! Policies with the files that they stand in, and what those say that tell what an action is.

use super::fields::Report;
use super::glob::covers;
use super::out_of_service;
use super::policy::{Covers, Does, Policy};
use crate::core::action::execution::EffectClass;
use crate::core::action::spec::Action;

/// A policy, the file that it stands in and the pack of that file.
pub(super) struct FiledPolicy {
    pub(super) policy: Policy,
    pub(super) file: String,
    pub(super) pack: String,
    pub(super) standing: Standing,
}

/// How far a policy can be relied on.
#[derive(Clone, Copy)]
pub(super) enum Standing {
    /// Its file was understood to its end.
    Sound,
    /// There is a mistake in its file.
    Spoilt,
    /// Its pack is left out.
    Lost,
}

/// How closely a policy is about an action: not at all, among others, or about this one alone.
pub(super) fn exactness(filed: &FiledPolicy, action: &Action) -> Option<bool> {
    match &filed.policy.covers {
        Covers::Glob(glob) => {
            covers(glob, action.reference.as_str()).then(|| glob.as_str() == action.reference.as_str())
        }
        Covers::Unknown => {
            (action.reference.pack() == filed.pack && action.effect != EffectClass::ReadOnly).then_some(false)
        }
    }
}

/// Has an action be what policies say that it is. Gives what is wrong with what they say.
pub(super) fn characterize<'p>(action: &mut Action, policies: &'p [FiledPolicy]) -> Option<Report<'p>> {
    // A policy for this very action beats one for many; of two alike, the more careful word counts.
    let said = |pick: &dyn Fn(&Does) -> Option<EffectClass>| {
        let covering = policies.iter().filter_map(|filed| Some((exactness(filed, action)?, pick(&filed.policy.does)?)));
        covering.max()
    };
    let class = said(&|does| match does {
        Does::Effect { class, .. } => *class,
        _ => None,
    });
    if let Some((_, class)) = class {
        action.effect = class;
    }
    let raw = policies
        .iter()
        .filter_map(|filed| match filed.policy.does {
            Does::Effect { raw: Some(raw), .. } => Some((exactness(filed, action)?, !raw)),
            _ => None,
        })
        .max();
    if let Some((_, careful)) = raw {
        action.raw = !careful;
    }
    let parting = policies
        .iter()
        .filter_map(|filed| match filed.policy.does {
            Does::Effect { parting: Some(parting), .. } => Some((exactness(filed, action)?, parting)),
            _ => None,
        })
        .max_by_key(|(exactness, _)| *exactness);
    if let Some((_, parting)) = parting {
        action.parting = parting;
    }
    let machines = policies
        .iter()
        .filter_map(|filed| match &filed.policy.does {
            Does::Effect { out_of_service: Some(said), .. } => Some((exactness(filed, action)?, (filed, said))),
            _ => None,
        })
        .max_by_key(|(exactness, _)| *exactness);
    machines.and_then(|(_, (filed, said))| out_of_service::lay_over(action, &filed.file, said))
}
