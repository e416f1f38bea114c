//! The two state machines: how a task and how a workflow stand after something happened. The tables are those of Orquesta 1.6; what is not
//! listed changes nothing.

use super::status::Status;

/// Whether anything else is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Active,
    Dormant,
}

/// How the other items of a task stand, when one of them tells something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    Paused,
    Canceled,
    Failed,
    Incomplete,
    Completed,
}

/// What is left of a workflow when one of its tasks has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Canceled,
    Paused,
    Incomplete,
    Completed,
}

/// What a command of the engine does to the task that stands for it.
pub(crate) fn command(now: Status, fails: bool) -> Option<Status> {
    (now == Status::Unset).then_some(if fails { Status::Failed } else { Status::Succeeded })
}

/// A task that is asked to try again.
pub(crate) fn retry(now: Status) -> Option<Status> {
    matches!(now, Status::Succeeded | Status::Failed).then_some(Status::Retrying)
}

/// What the action of a task tells.
pub(crate) fn task(now: Status, told: Status) -> Option<Status> {
    use Status as S;
    let next = match now {
        S::Unset => matches!(told, S::Requested | S::Scheduled | S::Delayed | S::Running | S::Pending).then_some(told),
        S::Requested | S::Scheduled | S::Delayed => match told {
            S::Scheduled if now != S::Scheduled => Some(told),
            S::Delayed if now != S::Delayed => Some(told),
            S::Running | S::Pending | S::Pausing | S::Paused | S::Canceling | S::Canceled => Some(told),
            S::Failed | S::Timeout | S::Abandoned => Some(told),
            _ => None,
        },
        S::Running => match told {
            S::Running | S::Pending | S::Pausing | S::Paused | S::Canceling | S::Canceled | S::Succeeded => Some(told),
            S::Failed | S::Timeout | S::Abandoned => Some(S::Failed),
            _ => None,
        },
        S::Pending => match told {
            S::Canceled | S::Succeeded => Some(told),
            S::Failed | S::Timeout | S::Abandoned => Some(S::Failed),
            _ => None,
        },
        S::Pausing => match told {
            S::Paused | S::Resuming | S::Canceling | S::Canceled => Some(told),
            S::Failed | S::Timeout | S::Abandoned => Some(S::Failed),
            _ => None,
        },
        S::Paused => matches!(told, S::Running | S::Resuming | S::Canceling | S::Canceled).then_some(told),
        S::Resuming | S::Retrying => matches!(told, S::Running | S::Canceling | S::Canceled).then_some(told),
        S::Canceling => match told {
            S::Paused | S::Canceled => Some(S::Canceled),
            S::Failed | S::Timeout | S::Abandoned => Some(S::Failed),
            _ => None,
        },
        S::Succeeded | S::Failed | S::Timeout | S::Abandoned | S::Canceled => None,
    };
    next.filter(|next| *next != now)
}

/// What one item of a task tells, seen beside the others. What is no end, pause or question is told as of a task without items.
pub(crate) fn item(now: Status, told: Status, activity: Activity, others: Others) -> Option<Status> {
    use Activity::{Active, Dormant};
    use Others as O;
    use Status as S;
    let next = match told {
        S::Requested | S::Scheduled | S::Delayed | S::Running | S::Pausing | S::Canceling => return task(now, told),
        S::Pending | S::Paused => match (now, activity, others) {
            (S::Running, Active, _) => Some(S::Pausing),
            (S::Running | S::Pausing, Dormant, O::Paused | O::Incomplete | O::Completed) => Some(S::Paused),
            (S::Running | S::Pausing, Dormant, O::Canceled) => Some(S::Canceled),
            (S::Running | S::Pausing, Dormant, O::Failed) => Some(S::Failed),
            (S::Canceling, Dormant, _) => Some(S::Canceled),
            _ => None,
        },
        S::Canceled => match (now, activity) {
            (S::Running, Active) => Some(S::Canceling),
            (S::Running | S::Pausing | S::Canceling, Dormant) => Some(S::Canceled),
            _ => None,
        },
        S::Failed | S::Timeout | S::Abandoned => match (now, activity, others) {
            (S::Running | S::Pausing, Dormant, O::Canceled) => Some(S::Canceled),
            (S::Running | S::Pausing, Dormant, _) => Some(S::Failed),
            (S::Canceling, Dormant, _) => Some(S::Canceled),
            _ => None,
        },
        S::Succeeded => match (now, activity, others) {
            (S::Running | S::Pausing, Dormant, O::Canceled) => Some(S::Canceled),
            (S::Running | S::Pausing, Dormant, O::Paused) => Some(S::Paused),
            (S::Running | S::Pausing, Dormant, O::Failed) => Some(S::Failed),
            (S::Running, Dormant, O::Incomplete) => Some(S::Running),
            (S::Pausing, Dormant, O::Incomplete) => Some(S::Paused),
            (S::Running | S::Pausing | S::Canceling, Dormant, O::Completed) => Some(S::Succeeded),
            (S::Canceling, Dormant, _) => Some(S::Canceled),
            _ => None,
        },
        S::Unset | S::Resuming | S::Retrying => None,
    };
    next.filter(|next| *next != now)
}

/// What a request to the whole workflow does to a task with items that is at work. Others do not hear of it: whoever runs them tells how
/// they took it.
pub(crate) fn task_hears(now: Status, asked: Status, activity: Activity) -> Option<Status> {
    use Status as S;
    if now != S::Running {
        return None;
    }
    match (asked, activity) {
        (S::Pausing | S::Paused, Activity::Active) => Some(S::Pausing),
        (S::Pausing | S::Paused, Activity::Dormant) => Some(S::Paused),
        (S::Canceling | S::Canceled, Activity::Active) => Some(S::Canceling),
        (S::Canceling | S::Canceled, Activity::Dormant) => Some(S::Canceled),
        _ => None,
    }
}

/// What somebody asks of a workflow. `finished` tells that nothing is left to do.
pub(crate) fn request(now: Status, asked: Status, activity: Activity, finished: bool) -> Option<Status> {
    use Activity::{Active, Dormant};
    use Status as S;
    let paused = matches!(asked, S::Pausing | S::Paused);
    let canceled = matches!(asked, S::Canceling | S::Canceled);
    match now {
        S::Unset => matches!(asked, S::Requested | S::Scheduled | S::Delayed | S::Running | S::Failed).then_some(asked),
        S::Requested | S::Scheduled | S::Delayed => match asked {
            S::Scheduled if now != S::Scheduled => Some(asked),
            S::Delayed if now != S::Delayed => Some(asked),
            S::Running | S::Failed => Some(asked),
            _ if paused && activity == Dormant => Some(S::Paused),
            _ if canceled && activity == Dormant => Some(S::Canceled),
            _ => None,
        },
        S::Running | S::Pausing | S::Resuming => match (asked, activity) {
            (_, Active) if paused => Some(S::Pausing),
            (_, Dormant) if paused => Some(S::Paused),
            (_, Active) if canceled => Some(S::Canceling),
            (_, Dormant) if canceled => Some(S::Canceled),
            (S::Failed, _) => Some(S::Failed),
            (S::Succeeded, _) if now == S::Running => Some(S::Succeeded),
            (S::Running, _) if now != S::Running => Some(S::Running),
            (S::Resuming, _) if now == S::Pausing => Some(S::Resuming),
            _ => None,
        },
        S::Paused => match asked {
            S::Running | S::Resuming if finished => Some(S::Succeeded),
            S::Running | S::Resuming | S::Failed => Some(asked),
            _ if canceled && activity == Dormant => Some(S::Canceled),
            _ => None,
        },
        S::Canceling => match activity {
            Active if canceled => Some(S::Canceling),
            Dormant if canceled => Some(S::Canceled),
            _ => (asked == S::Failed).then_some(S::Failed),
        },
        S::Succeeded => (asked == S::Failed).then_some(S::Failed),
        S::Pending | S::Failed | S::Timeout | S::Abandoned | S::Retrying | S::Canceled => None,
    }
}

/// How a task stands, as its workflow sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskEvent {
    /// It stands so, and that is all.
    Stands(Status),
    /// It succeeded.
    Succeeded(Rest),
    /// It failed, and something that follows takes care of it.
    Remediated(Rest),
    /// It failed.
    Failed,
}

/// What a task does to its workflow. Gives the new status where the table has one, even if it is the old one.
pub(crate) fn workflow(now: Status, event: TaskEvent, activity: Activity) -> Option<Status> {
    use Activity::{Active, Dormant};
    use Status as S;
    use TaskEvent as E;
    Some(match (now, event, activity) {
        (S::Running | S::Pausing | S::Resuming, E::Failed, _) => S::Failed,
        (S::Canceling, E::Failed, Active) => S::Canceling,
        (S::Canceling, E::Failed, Dormant) => S::Canceled,

        (S::Running | S::Pausing | S::Resuming, E::Stands(S::Pending), Active) => S::Pausing,
        (S::Running | S::Pausing | S::Resuming, E::Stands(S::Pending), Dormant) => S::Paused,
        (S::Running, E::Stands(S::Pausing), _) => S::Running,
        // A task can be paused by itself, and the others go on.
        (S::Running, E::Stands(S::Paused), Active) => S::Running,
        (S::Pausing, E::Stands(S::Paused), Active) => S::Pausing,
        (S::Running | S::Pausing, E::Stands(S::Paused), Dormant) => S::Paused,
        (S::Paused, E::Stands(S::Running | S::Resuming), _) => S::Running,
        (S::Resuming, E::Stands(S::Running), _) => S::Running,
        (S::Pausing, E::Stands(S::Retrying), Active) => S::Pausing,
        (S::Pausing, E::Stands(S::Retrying), Dormant) => S::Paused,
        (S::Running | S::Pausing | S::Resuming, E::Stands(S::Canceling), _) => S::Canceling,
        (S::Running | S::Pausing | S::Resuming, E::Stands(S::Canceled), Active) => S::Canceling,
        (S::Running | S::Pausing | S::Resuming, E::Stands(S::Canceled), Dormant) => S::Canceled,
        (S::Canceling, E::Stands(S::Pending | S::Paused | S::Canceled | S::Retrying), Active) => S::Canceling,
        (S::Canceling, E::Stands(S::Pending | S::Paused | S::Canceled | S::Retrying), Dormant) => S::Canceled,

        (S::Running, E::Succeeded(Rest::Paused) | E::Remediated(Rest::Paused), Active) => S::Pausing,
        (S::Running, E::Succeeded(Rest::Canceled) | E::Remediated(Rest::Canceled), Active) => S::Canceling,
        (S::Pausing, E::Succeeded(_), Active) => S::Pausing,
        (S::Pausing, E::Remediated(Rest::Canceled), Active) => S::Canceling,
        (S::Pausing, E::Remediated(_), Active) => S::Pausing,
        (S::Resuming | S::Canceling, E::Succeeded(rest) | E::Remediated(rest), Active) => match rest {
            Rest::Paused | Rest::Canceled => return None,
            Rest::Incomplete | Rest::Completed if now == S::Resuming => S::Running,
            Rest::Incomplete | Rest::Completed => S::Canceling,
        },
        (S::Running, E::Succeeded(_) | E::Remediated(_), Active) => S::Running,
        (S::Canceling, E::Succeeded(_) | E::Remediated(_), Dormant) => S::Canceled,
        (S::Running | S::Pausing | S::Resuming, E::Succeeded(rest) | E::Remediated(rest), Dormant) => match rest {
            Rest::Canceled => S::Canceled,
            Rest::Paused => S::Paused,
            Rest::Incomplete | Rest::Completed if now == S::Pausing => S::Paused,
            Rest::Incomplete => S::Running,
            Rest::Completed => S::Succeeded,
        },
        _ => return None,
    })
}
