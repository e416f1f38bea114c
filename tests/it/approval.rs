//! The machine of a request for an approval against its table under `tests/data/machines`. Run with
//! `HALCYON_REGENERATE=1` to write the table anew, and read the difference.

use crate::execution::{at, check};
use halcyon::core::access::approvers::Approvers;
use halcyon::core::approval::Terms;
use halcyon::core::approval::request::{Event, Joined, Request, State, Unseat, Via, Voter};
use halcyon::core::id::{ChannelId, PostId, UserId};
use halcyon::core::input::{Back, Principal};
use std::collections::BTreeMap;

const STATES: [State; 7] =
    [State::Pending, State::Approved, State::Begun, State::Denied, State::Withdrawn, State::Expired, State::Void];

fn terms(policy: &str, quorum: usize) -> Terms {
    Terms {
        policy: policy.into(),
        approvers: Approvers { roles: vec!["lead".into()], ..Approvers::default() },
        quorum,
        allow_requester: false,
        expires: 900,
        reason_required: false,
        confirm_target: false,
    }
}

/// One that two policies want: one yes for the first, two for the second.
pub(crate) fn request() -> Request {
    Request {
        code: "K3QZ".into(),
        terms: vec![terms("site.one", 1), terms("site.two", 2)],
        state: State::Pending,
        revision: 1,
        votes: BTreeMap::new(),
        asked: at(0),
        until: at(900),
        place: Some(ChannelId::new("c1")),
        zone: String::new(),
        reminded: false,
        joined: Vec::new(),
        ended_by: None,
        why: String::new(),
        lost: None,
        taken_back: BTreeMap::new(),
    }
}

fn voter(name: &str) -> Voter {
    Voter { id: UserId::new(format!("id-{name}")), name: name.into() }
}

pub(crate) fn yes(name: &str, counts: &[usize]) -> Event {
    Event::Approved { by: voter(name), reason: String::new(), counts: counts.to_vec(), via: Via::Button }
}

fn asker() -> Principal {
    Principal::ChatUser { id: UserId::new("u1"), name: "operator".into() }
}

/// A request to which `lead` has said yes, in each state.
fn in_state(state: State) -> Request {
    let mut request = request();
    let mut take = |event: &Event, second| {
        let revision = request.revision;
        request.apply(at(second), revision, event).unwrap();
    };
    take(&yes("lead", &[0, 1]), 1);
    match state {
        State::Pending => {}
        State::Approved | State::Begun => take(&yes("second", &[1]), 2),
        State::Denied => take(&Event::Denied { by: voter("third"), reason: "not now".into(), via: Via::Reaction }, 2),
        State::Withdrawn => take(&Event::Withdrawn { by: asker() }, 2),
        State::Expired => take(&Event::Expired, 900),
        State::Void => take(&Event::Void { why: "the file has changed".into() }, 2),
    }
    if state == State::Begun {
        request.begin().unwrap();
    }
    assert_eq!(request.state, state);
    request
}

fn events() -> Vec<(&'static str, i64, Event)> {
    let joined =
        Joined { by: asker(), back: Back::Chat { channel: ChannelId::new("c"), root: None, post: PostId::new("p") } };
    let unseat = |name: &str, why| Event::Unseated { voter: voter(name).id, why };
    vec![
        ("approve, the last yes", 9, yes("fourth", &[1])),
        ("approve for the first only", 9, yes("fourth", &[0])),
        ("approve again", 9, yes("lead", &[0, 1])),
        ("approve for nothing", 9, yes("fourth", &[])),
        ("approve for what is not there", 9, yes("fourth", &[2])),
        ("deny", 9, Event::Denied { by: voter("fourth"), reason: "no".into(), via: Via::Button }),
        ("revoke", 9, Event::Revoked { by: voter("lead") }),
        ("revoke without a yes", 9, Event::Revoked { by: voter("fourth") }),
        ("withdraw", 9, Event::Withdrawn { by: asker() }),
        ("expire too early", 9, Event::Expired),
        ("expire", 900, Event::Expired),
        ("void", 9, Event::Void { why: "another host".into() }),
        ("unseat", 9, unseat("lead", Unseat::Account)),
        ("unseat without a yes", 9, unseat("fourth", Unseat::Right)),
        ("remind", 450, Event::Reminded),
        ("join", 9, Event::Joined { joined }),
    ]
}

#[test]
fn every_state_meets_every_event() {
    let mut table = String::new();
    for state in STATES {
        for (name, second, event) in events() {
            let mut request = in_state(state);
            let before = request.clone();
            let line = match request.apply(at(second), before.revision, &event) {
                Ok(()) => format!(
                    "{} ({} said yes, revision {})",
                    request.state.word(),
                    request.votes.len(),
                    request.revision
                ),
                Err(illegal) => {
                    assert_eq!(request, before, "a refused event has changed something");
                    format!("illegal: {illegal}")
                }
            };
            table.push_str(&format!("{:<9} + {:<29} -> {line}\n", state.word(), name));
            // What was decided on an older card counts for nothing, whatever it is.
            let mut request = before.clone();
            let overtaken = request.apply(at(second), before.revision - 1, &event);
            assert!(
                overtaken.is_err() && request == before,
                "{state:?} takes {name} that was decided on an older revision"
            );
        }
        let mut request = in_state(state);
        let line = match request.begin() {
            Ok(()) => request.state.word().to_owned(),
            Err(illegal) => format!("illegal: {illegal}"),
        };
        table.push_str(&format!("{:<9} + {:<29} -> {line}\n\n", state.word(), "begin"));
    }
    check("approval.txt", &table);
}

#[test]
fn a_request_is_called_to_mind_once_and_at_half_of_its_time() {
    let mut request = request();
    assert_eq!(request.half(), at(450));
    request.apply(at(450), 1, &Event::Reminded).unwrap();
    assert_eq!(request.apply(at(451), 1, &Event::Reminded).unwrap_err().to_string(), "it was called to mind before");
    assert_eq!(request.revision, 1, "the buttons stay good");
}
