//! Who may do what: grants with conditions, approvers, groups, StackStorm's files, and that what is forbidden is as if it were not there.

mod forbidden;
mod people;
mod rbac;

use halcyon::config::{Config, Environment};
use halcyon::core::access::approvers::{Anybody, Approvers, Deed, Known, anybody, may_approve};
use halcyon::core::access::arguments::{Arguments, Patterns};
use halcyon::core::access::hours::Hours;
use halcyon::core::access::names::{Named, giving_rights, retie, tied};
use halcyon::core::access::{Asker, Place, Rights};
use halcyon::core::host::{HostError, Inventory, expand};
use halcyon::core::id::{ActionRef, ChannelId, Host, UserId};
use halcyon::core::input::{Directory, GroupMembers, Identity};
use halcyon::core::settings::{Settings, Verb};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Settings with these roles, as a file says them.
pub(crate) fn settings(roles: &str) -> Settings {
    let text = format!("[inventory.groups]\nstorage = [\"se01\"]\n{roles}");
    let config = Config::parse(Path::new("/etc/halcyon/config.toml"), &text, &Environment::new());
    config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings(1000)
}

fn inventory() -> Inventory {
    let groups = BTreeMap::from([
        ("storage".to_owned(), Ok(vec!["se[01-02]".to_owned()])),
        ("mixed".to_owned(), Ok(vec!["wn003,se01".to_owned()])),
        ("drained".to_owned(), Err("sinfo is not there".to_owned())),
    ]);
    Inventory::build(&["wn[001-006]".to_owned(), "se[01-02]".to_owned()], &groups).0
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-06-01T12:00:00Z")
}

fn identity(name: &str, channels: &[&str]) -> Identity {
    Identity {
        id: UserId::new(format!("id-of-{name}")),
        username: name.to_owned(),
        is_bot: false,
        active: true,
        member_of: channels.iter().map(|name| ChannelId::new(format!("id-of-{name}"))).collect(),
        zone: String::new(),
        as_of: noon(),
    }
}

fn directory(users: &[&str], channels: &[&str]) -> Directory {
    let user = |name: &&str| ((*name).to_owned(), UserId::new(format!("id-of-{name}")));
    let channel = |name: &&str| ((*name).to_owned(), ChannelId::new(format!("id-of-{name}")));
    Directory {
        users: users.iter().map(user).collect(),
        channels: channels.iter().map(channel).collect(),
        ..Directory::default()
    }
}

fn rights(settings: &Settings, here: &[&str], now: Timestamp) -> Rights {
    let place = Place { here: here.iter().map(|name| (*name).to_owned()).collect(), at: now, then: now };
    Rights::of(Asker::Chat(&identity("operator", &[])), settings, &directory(&["operator"], &["ops"]), &place)
}

#[test]
fn conditions_are_over_what_arguments_came_to() {
    let check = |grants: &str, verb: Verb, values: Value, hosts: &[&str], expected: bool| {
        let roles = format!("[[access.roles]]\nname = \"crew\"\nusers = [\"operator\"]\ngrants = [{grants}]");
        let rights = rights(&settings(&roles), &["ops"], noon());
        let hosts: Vec<Host> = hosts.iter().map(|name| Host::new(*name)).collect();
        let values = values.as_object().unwrap();
        let arguments = Arguments { values, hosts: &hosts, remote: !hosts.is_empty() };
        let may = rights.may_with(verb, &ActionRef::new("site.restart"), &arguments, &inventory());
        assert_eq!(may, expected, "{grants}: {verb:?} with {values:?} on {hosts:?}");
    };
    let run = Verb::Run;
    let on_workers = r#"{ verb = "run", on = "site.*", arguments = { hosts = "wn*" } }"#;
    check(on_workers, run, json!({}), &["wn001", "wn006"], true);
    check(on_workers, run, json!({}), &["wn001", "se01"], false);
    check(on_workers, Verb::View, json!({}), &["wn001"], true);
    check(on_workers, Verb::View, json!({}), &["se01"], false);
    check(on_workers, Verb::Approve, json!({}), &["wn001"], false);
    check(on_workers, Verb::Admin, json!({}), &["wn001"], false);
    // An action that goes to no machine has none that is as wanted.
    check(on_workers, run, json!({}), &[], false);
    check(on_workers, run, json!({"hosts": "wn001"}), &[], true);
    check(on_workers, run, json!({"hosts": "wn001,se01"}), &[], false);
    check(on_workers, run, json!({"hosts": "@mixed"}), &[], false);
    check(on_workers, run, json!({"hosts": "wn9999"}), &[], false);
    let ranges = r#"{ verb = "run", on = "site.*", arguments = { hosts = "wn[001-003],@storage,!se02" } }"#;
    check(ranges, run, json!({}), &["wn003", "se01"], true);
    check(ranges, run, json!({}), &["wn004"], false);
    check(ranges, run, json!({}), &["se02"], false);
    let drained = r#"{ verb = "run", on = "site.*", arguments = { hosts = "@drained" } }"#;
    check(drained, run, json!({}), &["wn001"], false);
    let but_drained = r#"{ verb = "run", on = "site.*", arguments = { hosts = "wn*,!@drained" } }"#;
    check(but_drained, run, json!({}), &["wn001"], false);
    // Two grants hold for some of the machines each.
    let two = r#"{ verb = "run", on = "site.*", arguments = { hosts = "wn*" } },
                 { verb = "run", on = "*.restart", arguments = { hosts = ["se01", "se02"] } }"#;
    check(two, run, json!({}), &["wn001", "se02"], true);
    // All conditions of one grant have to hold together.
    let service = r#"{ verb = "run", on = "site.*", arguments = { hosts = "wn*", service = ["slurm*", "sshd"] } },
                     { verb = "run", on = "site.*", arguments = { hosts = "se*", service = "nfs" } }"#;
    check(service, run, json!({"service": "slurmd"}), &["wn001"], true);
    check(service, run, json!({"service": "nfs"}), &["wn001"], false);
    check(service, run, json!({"service": "nfs"}), &["se01"], true);
    check(service, run, json!({"service": "slurmd"}), &["se01"], false);
    check(service, run, json!({"service": null}), &["wn001"], false);
    check(service, run, json!({}), &["wn001"], false);
    check(service, run, json!({"service": ["slurmd", "sshd"]}), &["wn001"], true);
    check(service, run, json!({"service": ["slurmd", "nfs"]}), &["wn001"], false);
    check(service, run, json!({"service": []}), &["wn001"], false);
    check(service, run, json!({"service": "********"}), &["wn001"], false);
    let number = r#"{ verb = "run", on = "site.*", arguments = { count = "1", force = "false" } }"#;
    check(number, run, json!({"count": 1, "force": false}), &[], true);
    check(number, run, json!({"count": 10, "force": false}), &[], false);
    check(r#""run:site.*""#, run, json!({"service": "nfs"}), &["se01"], true);
    check(r#""run:other.*""#, run, json!({}), &["wn001"], false);
}

#[test]
fn grants_hold_where_and_when_they_say() {
    let check = |conditions: &str, here: &[&str], now: &str, expected: bool| {
        let grant = format!("{{ verb = \"run\", on = \"site.*\", {conditions} }}");
        let roles = format!("[[access.roles]]\nname = \"crew\"\nusers = [\"operator\"]\ngrants = [{grant}]");
        let rights = rights(&settings(&roles), here, at(now));
        assert_eq!(
            rights.may(Verb::Run, &ActionRef::new("site.restart")),
            expected,
            "{conditions} in {here:?} at {now}"
        );
        // What does not hold is known all the same.
        assert_eq!(rights.grants.len() + rights.resting.len(), 1);
    };
    let (summer, winter) = ("2026-07-01T06:30:00Z", "2026-12-01T06:30:00Z");
    check("channels = [\"ops\"]", &["ops"], summer, true);
    check("channels = [\"ops\"]", &["cluster"], summer, false);
    check("channels = [\"ops\"]", &[], summer, false);
    check("channels = [\"ops\"]", &["@direct"], summer, false);
    check("channels = [\"ops\", \"@direct\"]", &["@direct"], summer, true);
    let day = "hours = \"08:00-20:00 Europe/Berlin\"";
    check(day, &[], summer, true);
    check(day, &[], winter, false);
    check(day, &[], "2026-07-01T18:00:00Z", false);
    check(day, &[], "2026-12-01T18:59:59Z", true);
    check("days = \"mon-fri Europe/Berlin\"", &[], "2026-07-05T21:59:00Z", false);
    check("days = \"mon-fri Europe/Berlin\"", &[], "2026-07-05T22:00:00Z", true);
    check("days = \"mon-fri\", hours = \"08:00-20:00 Europe/Berlin\"", &[], "2026-07-04T10:00:00Z", false);
    check("days = \"mon-fri\", hours = \"08:00-20:00 Europe/Berlin\"", &[], "2026-07-03T10:00:00Z", true);
}

#[test]
fn hours_go_by_the_clock_on_the_wall() {
    let check = |hours: &str, now: &str, expected: bool| {
        assert_eq!(Hours::read(hours).unwrap().hold(at(now)), expected, "{hours} at {now}");
    };
    // Over midnight, belonging to the day on which they begin.
    check("fri 22:00-06:00 Europe/Berlin", "2026-07-03T20:00:00Z", true);
    check("fri 22:00-06:00 Europe/Berlin", "2026-07-04T03:59:00Z", true);
    check("fri 22:00-06:00 Europe/Berlin", "2026-07-04T04:00:00Z", false);
    check("fri 22:00-06:00 Europe/Berlin", "2026-07-03T03:00:00Z", false);
    check("sat,sun Europe/Berlin", "2026-07-05T12:00:00Z", true);
    check("fri-mon 00:00-24:00 UTC", "2026-07-06T23:59:59Z", true);
    check("fri-mon 00:00-24:00 UTC", "2026-07-07T00:00:00Z", false);
    // The night in which 02:00 to 03:00 is left out, and the one in which it comes twice.
    check("02:00-03:00 Europe/Berlin", "2026-03-29T00:59:59Z", false);
    check("02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z", false);
    check("01:30-04:00 Europe/Berlin", "2026-03-29T01:00:00Z", true);
    check("02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00Z", true);
    check("02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00Z", true);
    check("02:00-03:00 Europe/Berlin", "2026-10-25T02:00:00Z", false);
    for wrong in [
        "",
        "08:00-20:00",
        "Europe/Berlin",
        "08:00-20:00 Mars/Olympus",
        "8-20 Europe/Berlin",
        "08:00-08:00 UTC",
        "25:00-26:00 UTC",
        "08:60-09:00 UTC",
        "mon-fry 08:00-20:00 UTC",
        "mon tue UTC",
        "24:00-08:00 UTC",
        "mon-fri",
    ] {
        assert!(Hours::read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn patterns_that_mean_nothing_are_told() {
    for wrong in ["", "wn*,", "wn[3-1]", "wn[", "@", "@a b", "!"] {
        assert!(Patterns::read([wrong]).is_err(), "{wrong:?}");
    }
    assert_eq!(Patterns::read(["wn*", "wn[001,003],!wn007"]).unwrap().to_string(), "wn*, wn[001,003],!wn007");
}

#[test]
fn machines_beyond_are_as_if_there_were_none() {
    let whole = inventory();
    let seen = whole.with_only(&|host| host.as_str() < "wn003" && host.as_str().starts_with("wn"));
    let missing = expand("se01", &seen).unwrap_err();
    assert_eq!(missing.to_string().replace("se01", "zz99"), expand("zz99", &seen).unwrap_err().to_string());
    let HostError::UnknownHost { similar, .. } = expand("wn003", &seen).unwrap_err() else { panic!() };
    assert_eq!(similar, ["wn001", "wn002"]);
    for gone in ["@storage", "@mixed", "@drained"] {
        assert!(matches!(expand(gone, &seen), Err(HostError::UnknownGroup { .. })), "{gone}");
    }
    assert_eq!(expand("@mixed", &whole.with_only(&|host| host.as_str() == "wn003")).unwrap().len(), 1);
    // Nothing left is not the same as no list.
    assert!(expand("wn001", &whole.with_only(&|_| false)).is_err());
    assert!(expand("wn001", &Inventory::default().with_only(&|_| false)).is_ok());
}

#[test]
fn a_role_comes_by_name_channel_or_group() {
    let roles = "[[access.roles]]\nname = \"crew\"\nusers = [\"@Operator\"]\nchannels = [\"ops\"]\ngroups = [\"night shift\"]\n\
                 unix_users = [\"operator\"]\ngrants = [\"run:*\"]";
    let settings = settings(roles);
    let group = |as_of| GroupMembers { id: "g1".into(), members: [UserId::new("id-of-guest")].into(), as_of };
    let mut names = directory(&["operator"], &["ops"]);
    names.groups.insert("night shift".into(), group(noon()));
    let check = |asker: Asker<'_>, now: Timestamp, expected: bool| {
        let rights = Rights::of(asker, &settings, &names, &Place::outside(now));
        assert_eq!(rights.any(), expected, "{asker:?} at {now}");
    };
    let (operator, guest) = (identity("operator", &[]), identity("guest", &[]));
    check(Asker::Chat(&operator), noon(), true);
    check(Asker::Chat(&identity("stranger", &[])), noon(), false);
    check(Asker::Chat(&identity("stranger", &["ops"])), noon(), true);
    check(Asker::Chat(&guest), noon(), true);
    // What was said of a group long ago is not known any more.
    check(Asker::Chat(&guest), at("2026-06-01T12:05:00Z"), true);
    check(Asker::Chat(&guest), at("2026-06-01T12:05:01Z"), false);
    check(Asker::Chat(&Identity { is_bot: true, ..operator.clone() }), noon(), false);
    check(Asker::Chat(&Identity { active: false, ..operator.clone() }), noon(), false);
    check(Asker::Chat(&Identity { is_bot: true, ..guest.clone() }), noon(), false);
    check(Asker::Local { uid: 7, name: "operator" }, noon(), true);
    check(Asker::Local { uid: 7, name: "guest" }, noon(), false);
    check(Asker::Local { uid: 1000, name: "halcyon" }, noon(), true);
}

#[test]
fn names_are_tied_to_whom_they_meant_first() {
    let roles = "[[access.roles]]\nname = \"crew\"\nusers = [\"lead\"]\nchannels = [\"ops\"]\n\
                 grants = [{ verb = \"run\", on = \"*\", channels = [\"night\", \"@direct\"] }]";
    let named = Approvers { users: vec!["second".to_owned()], ..Approvers::default() };
    let names = giving_rights(&settings(roles).roles, &named);
    let before = directory(&["lead", "second"], &["ops", "night"]);
    let first = retie(&names, &before, &BTreeMap::new());
    assert_eq!((first.tied.len(), first.moved.len(), first.freed.len()), (4, 0, 0));
    let ties: BTreeMap<_, _> = first.tied.into_iter().collect();
    assert_eq!(retie(&names, &before, &ties), Default::default());
    // Somebody else is called so by now.
    let mut after = before.clone();
    after.users.insert("lead".into(), UserId::new("another"));
    after.channels.insert("ops".into(), ChannelId::new("another"));
    let moved: Vec<Named> = retie(&names, &after, &ties).moved.into_iter().map(|((kind, _), _)| kind).collect();
    assert_eq!(moved, [Named::User, Named::Channel]);
    let holds = tied(after, &ties);
    assert_eq!(holds.users["lead"], UserId::new("id-of-lead"));
    assert_eq!(holds.channels.keys().collect::<Vec<_>>(), ["night"]);
    // Nobody is.
    assert_eq!(tied(Directory::default(), &ties).users["lead"], UserId::new("id-of-lead"));
    let freed = retie(&BTreeSet::new(), &before, &ties).freed;
    assert_eq!(freed.len(), 4);
}

#[test]
fn approvers_are_named_by_the_policy_and_trusted_by_a_grant() {
    let roles = r#"
        [[access.roles]]
        name = "lead"
        users = ["lead", "second"]
        grants = ["admin:*"]
        [[access.roles]]
        name = "storage"
        users = ["storage-lead"]
        channels = ["storage-leads"]
        grants = [{ verb = "approve", on = "site.*", arguments = { hosts = "se*" }, channels = ["ops"] }]
        [[access.roles]]
        name = "operator"
        users = ["operator"]
        grants = ["run:*"]
    "#;
    let settings = settings(roles);
    let mut names = directory(&["lead", "second", "storage-lead", "operator"], &["ops", "storage-leads"]);
    names.inactive.insert(UserId::new("id-of-second"));
    let inventory = inventory();
    let known = Known { settings: &settings, directory: &names, inventory: &inventory };
    let action = ActionRef::new("site.restart");
    let values = serde_json::Map::new();
    let approvers = |roles: &[&str], users: &[&str], channels: &[&str]| Approvers {
        roles: roles.iter().map(ToString::to_string).collect(),
        users: users.iter().map(ToString::to_string).collect(),
        channels: channels.iter().map(ToString::to_string).collect(),
    };
    let may = |who: &Identity, approvers: &Approvers, host: &str, here: &str| {
        let hosts = [Host::new(host)];
        let deed = Deed { action: &action, arguments: Arguments { values: &values, hosts: &hosts, remote: true } };
        let place = Place { here: vec![here.to_owned()], at: noon(), then: noon() };
        let rights = Rights::of(Asker::Chat(who), &settings, &names, &place);
        may_approve(who, &rights, approvers, deed, known)
    };
    let (lead, storage) = (identity("lead", &[]), identity("storage-lead", &[]));
    let by_role = approvers(&["lead", "storage"], &[], &[]);
    assert!(may(&lead, &by_role, "wn001", "ops") && may(&lead, &by_role, "se01", "cluster"));
    assert!(may(&storage, &by_role, "se01", "ops"));
    assert!(!may(&storage, &by_role, "wn001", "ops"), "not on this machine");
    assert!(!may(&storage, &by_role, "se01", "cluster"), "not in this channel");
    assert!(!may(&identity("operator", &[]), &by_role, "se01", "ops"), "not named");
    assert!(!may(&identity("operator", &[]), &approvers(&[], &["operator"], &[]), "se01", "ops"), "not trusted");
    assert!(may(&lead, &approvers(&[], &["@Lead"], &[]), "se01", "ops"));
    assert!(!may(&lead, &approvers(&["storage"], &[], &[]), "se01", "ops"), "trusted, and not asked");
    assert!(may(&identity("anybody", &["storage-leads"]), &approvers(&[], &[], &["storage-leads"]), "se01", "ops"));
    assert!(!may(&identity("anybody", &["ops"]), &approvers(&[], &[], &["ops"]), "se01", "ops"));
    assert!(!may(&Identity { active: false, ..lead.clone() }, &by_role, "se01", "ops"));
    assert!(!may(&Identity { is_bot: true, ..lead.clone() }, &by_role, "se01", "ops"));

    let there = |approvers: &Approvers, host: &str, but: Option<&str>| {
        let hosts = [Host::new(host)];
        let deed = Deed { action: &action, arguments: Arguments { values: &values, hosts: &hosts, remote: true } };
        let but = but.map(|name| UserId::new(format!("id-of-{name}")));
        match anybody(approvers, deed, known, noon(), &but.iter().collect::<Vec<_>>()) {
            Anybody::Nobody => "nobody".to_owned(),
            Anybody::Known { users, perhaps } => {
                let users: Vec<&str> = users.iter().map(|user| user.as_str().trim_start_matches("id-of-")).collect();
                format!("{}{}", users.join(" "), if perhaps { " and perhaps others" } else { "" })
            }
        }
    };
    // Whoever is deactivated is not counted.
    assert_eq!(there(&approvers(&["lead"], &[], &[]), "wn001", None), "lead");
    assert_eq!(there(&approvers(&["lead"], &[], &[]), "wn001", Some("lead")), "nobody");
    assert_eq!(there(&approvers(&["lead"], &[], &[]), "wn001", Some("operator")), "lead");
    assert_eq!(there(&approvers(&["operator"], &["operator"], &[]), "wn001", None), "nobody");
    assert_eq!(there(&approvers(&[], &["second"], &[]), "wn001", None), "nobody");
    // The lead, who may everywhere, could be in their channel.
    assert_eq!(there(&approvers(&["storage"], &[], &[]), "wn001", None), " and perhaps others");
    assert_eq!(there(&approvers(&["storage"], &[], &[]), "wn001", Some("lead")), "nobody", "not on this machine");
    assert_eq!(there(&approvers(&["storage"], &[], &[]), "se01", None), "storage-lead and perhaps others");
    assert_eq!(there(&approvers(&[], &[], &["ops"]), "wn001", None), " and perhaps others");
    assert_eq!(there(&approvers(&["nowhere"], &["nobody"], &["nowhere"]), "wn001", None), "nobody");
}
