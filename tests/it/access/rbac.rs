//! StackStorm's RBAC files: what they grant here, and what is told of them.

use crate::data;
use halcyon::config::{Config, Environment};
use halcyon::core::access::{Asker, Place, Rights};
use halcyon::core::content::diagnostic::Severity;
use halcyon::core::datastore::key::{Key, Scope};
use halcyon::core::id::{ActionRef, UserId};
use halcyon::core::input::{Directory, GroupMembers, Identity};
use halcyon::core::settings::Verb;
use jiff::Timestamp;
use std::collections::BTreeSet;

fn config() -> Config {
    let text = format!("[access]\nrbac = {:?}", data("rbac"));
    Config::parse(&data("config.toml"), &text, &Environment::new()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn what_is_granted_there_is_granted_here_and_no_more() {
    let settings = config().settings(1000);
    let names = ["guest", "lead", "operator", "nobody"];
    let mut directory = Directory {
        users: names.iter().map(|name| ((*name).to_owned(), UserId::new(*name))).collect(),
        ..Directory::default()
    };
    let now = Timestamp::UNIX_EPOCH;
    let members = BTreeSet::from([UserId::new("crew")]);
    directory
        .groups
        .insert("CN=crew,OU=groups,DC=example,DC=org".into(), GroupMembers { id: "g".into(), members, as_of: now });
    let rights = |name: &str| {
        let identity = Identity {
            id: UserId::new(name),
            username: name.into(),
            is_bot: false,
            active: true,
            member_of: BTreeSet::new(),
            zone: String::new(),
            as_of: now,
        };
        Rights::of(Asker::Chat(&identity), &settings, &directory, &Place::outside(now))
    };
    let check = |name: &str, verb: Verb, action: &str, expected: bool| {
        assert_eq!(rights(name).may(verb, &ActionRef::new(action)), expected, "{name} {verb:?} {action}");
    };
    check("guest", Verb::Run, "trial.greet", true);
    check("guest", Verb::View, "trial.greet", true);
    check("guest", Verb::Run, "core.local", true);
    check("guest", Verb::Run, "core.remote", false);
    check("guest", Verb::View, "core.remote", false);
    check("guest", Verb::Approve, "core.local", false);
    check("operator", Verb::View, "trial.greet", true);
    check("operator", Verb::Run, "trial.greet", false);
    check("operator", Verb::View, "words.say", true);
    check("operator", Verb::Run, "words.say", false);
    check("operator", Verb::View, "core.local", false);
    check("nobody", Verb::View, "trial.greet", false);
    check("crew", Verb::View, "core.remote", true);
    check("crew", Verb::Run, "core.remote", false);
    assert!(rights("lead").administers());
    let key = |name: &str| Key { scope: Scope::System, name: name.into() };
    assert!(rights("operator").may_with_value(Verb::View, &key("contact")));
    assert!(!rights("operator").may_with_value(Verb::Admin, &key("contact")));
    assert!(!rights("operator").may_with_value(Verb::View, &key("other")));
    assert!(rights("crew").may_with_value(Verb::View, &key("other")));
    assert!(!rights("crew").may_with_value(Verb::Admin, &key("other")));
    let written = &rights("guest").grants[0].grant.written;
    assert!(written.ends_with("roles/runner.yaml:8"), "{written}");
}

#[test]
fn what_has_no_counterpart_or_is_wrong_is_told_by_file_and_line() {
    let warnings = config().warnings;
    let folder = format!("{}/", data("rbac").display());
    let said: Vec<String> = warnings.iter().map(|problem| problem.to_string().replace(&folder, "")).collect();
    crate::golden("rbac/told.txt", &(said.join("\n") + "\n"));
    let count = |severity| warnings.iter().filter(|problem| problem.severity == severity).count();
    assert!(count(Severity::Error) > 6 && count(Severity::NotSupported) > 4, "{said:#?}");
}

#[test]
fn a_role_of_both_files_is_an_error() {
    let text = format!(
        "[access]\nrbac = {:?}\n[[access.roles]]\nname = \"runner\"\nusers = [\"operator\"]\ngrants = [\"view:site.*\"]",
        data("rbac")
    );
    let config = Config::parse(&data("config.toml"), &text, &Environment::new()).unwrap();
    assert_eq!(config.roles.iter().filter(|role| role.name == "runner").count(), 1);
    let told = config.warnings.iter().find(|problem| problem.message.contains("a role `runner` too")).unwrap();
    assert_eq!((told.severity, told.line), (Severity::Error, Some(2)));
}
