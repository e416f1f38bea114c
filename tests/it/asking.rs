//! What there is to ask for, what it would do, and what has been done: `help`, `plan`, `list`.

use crate::bot::{Machine, said, started};
use crate::world::{World, id_of};
use halcyon::core::chat::command::Command;
use halcyon::core::chat::filter::{Filter, ListWords};
use halcyon::core::content::load::load;
use halcyon::core::content::{PackSource, SourceFile};
use halcyon::core::effect::{Effect, Query};
use halcyon::core::input::Input;
use std::sync::Arc;

#[test]
fn what_is_listed_is_read_from_words_in_any_order() {
    let check = |line: &str, expected: Option<&str>| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let said = ListWords::read(&words).map(|read| {
            let stands: Vec<&str> = read.stands.iter().map(|status| status.word()).collect();
            format!(
                "{} {} {} {} {} {}",
                read.most,
                stands.join("+"),
                if read.mine { "mine" } else { "" },
                read.action.unwrap_or_default(),
                read.since.map(|since| since.as_secs().to_string()).unwrap_or_default(),
                read.host.map(|host| host.to_string()).unwrap_or_default()
            )
        });
        assert_eq!(said.map(|said| said.trim().replace("  ", " ")).as_deref(), expected, "list {line}");
    };
    check("", Some("10"));
    check("20", Some("20"));
    check("1000", Some("50"));
    check("running", Some("10 running+canceling"));
    check("FAILED mine", Some("10 failed+timeout mine"));
    check("mine failed", Some("10 failed+timeout mine"));
    check("site.upgrade* since 2h on wn003 5", Some("5  site.upgrade* 7200 wn003"));
    check("since", None);
    check("since soon", None);
    check("on", None);
    check("everything", None);
    check("site.a site.b", None);
    assert!(Command::read("list the nodes").is_none());
}

#[test]
fn rights_and_filters_come_before_the_limit() {
    let mut machine = Machine::new();
    let step = machine.hear("!list failed mine since 2h on wn003 trial.* 3", None);
    let Some(Effect::Find { query: Query::Filtered { limit, actions, filter }, ticket }) = step.effects.last() else {
        panic!("{:?}", step.effects)
    };
    assert_eq!((*limit, actions.as_slice()), (3, ["*".to_owned()].as_slice()));
    let Filter { stands, by, action, since, host, .. } = filter.clone();
    assert_eq!(stands.len(), 2);
    assert_eq!(by.unwrap().as_str(), "u1");
    assert_eq!(action.as_deref(), Some("trial.*"));
    assert_eq!(machine.now.duration_since(since.unwrap()).as_secs(), 7200);
    assert_eq!(host.unwrap().as_str(), "wn003");
    let step = machine.take(Input::Found { ticket: (**ticket).clone(), executions: Vec::new() });
    assert!(said(&step).contains("Nothing that you may see matches `failed mine"), "{}", said(&step));
}

/// A pack with so many aliases of an action.
fn many(count: usize) -> PackSource {
    let file = |inside: String, text: String| SourceFile { shown: format!("many/{inside}"), inside, text: Ok(text) };
    let manifest = "ref: many\nname: many\ndescription: many\nversion: 1.0.0\nauthor: us\n";
    let mut files = vec![file("pack.yaml".into(), manifest.into())];
    files.extend((0..count).map(|number| {
        let text = format!(
            "name: a{number}\naction_ref: core.noop\ndescription: the {number}th\nformats: [\"thing {number:03}\"]\n"
        );
        file(format!("aliases/a{number:03}.yaml"), text)
    }));
    PackSource { directory: "many".into(), shown: "many".into(), files, programs: Vec::new() }
}

#[test]
fn help_on_very_many_comes_in_pages() {
    let loaded = load(&[many(100)]);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let catalog = Arc::new(loaded.catalog);
    let check = |line: &str, expected: &[&str], absent: &[&str]| {
        let mut machine = Machine::new();
        machine.take(Input::Content { catalog: Arc::clone(&catalog), problems: Arc::default() });
        let text = said(&machine.hear(line, None));
        for wanted in expected {
            assert!(text.contains(wanted), "{line}: {wanted}: {text}");
        }
        for unwanted in absent {
            assert!(!text.contains(unwanted), "{line}: {unwanted}: {text}");
        }
    };
    check("!help", &["`thing 000`", "`thing 039`", "page 1 of 3", "`help 2`"], &["thing 040", "whoami"]);
    check("!help 2", &["`thing 040`", "`thing 079`", "`help 3`"], &["thing 039", "thing 080"]);
    check("!help 3", &["`thing 080`", "`thing 099`", "`whoami`"], &["page", "thing 079"]);
    check("!help 9", &["`thing 099`", "There is no page 9; this is the last one."], &["This is page"]);
    check("!help", &["Write `@halcyon …` or `!…`, or just the command"], &[]);
    check("!help thing 2", &["`thing 040`", "`help thing 3`"], &["thing 039"]);
    check("!help 99th", &["`thing 099`"], &["thing 008", "page"]);
    check("!help 7th", &["`thing 007`", "`thing 017`"], &["page"]);
}

#[test]
fn a_plan_starts_nothing_and_shows_no_secret() {
    for (line, expected) in [
        ("!plan hold 5 on wn[001-003]", "`trial.hold` (`remote-shell-cmd`, destructive) on 3 hosts: `wn[001-003]`"),
        ("!plan hold 5 on wn001", "echo holding; sleep 5"),
        ("!plan hold 5 on wn001", "destructive"),
        ("!plan login with s3cr3t on wn001", "********"),
        ("!plan hold 5 on wn009", "there is no host `wn009`"),
        ("!plan hold soon on wn001", "I cannot run"),
        ("!plan make coffee", "I do not know what `make coffee` means"),
        ("!plan status", "starts nothing"),
        ("!plan plan hold 5 on wn001", "starts nothing"),
    ] {
        let mut machine = Machine::new();
        let step = machine.hear(line, None);
        assert!(said(&step).contains(expected), "{line}: {}", said(&step));
        assert!(started(&step).is_none() && !step.effects.iter().any(|effect| matches!(effect, Effect::Run(_))));
        let facts = serde_json::to_string(&step.facts).unwrap();
        assert!(!facts.contains("s3cr3t"), "{line}: {facts}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_narrowed_in_the_world() {
    let world = World::start().await;
    let failed = id_of(&world.say("operator", "!run false on wn001").await);
    let fine = id_of(&world.say("operator", "!uptime on wn002").await);
    let other = id_of(&world.say("lead", "!uptime on wn003").await);
    let check = async |user: &str, line: &str, wanted: &[&String]| {
        let list = world.say(user, line).await.message;
        for id in [&failed, &fine, &other] {
            let wanted = wanted.iter().any(|wanted| wanted.as_str() == id.as_str());
            assert_eq!(list.contains(id.as_str()), wanted, "{user} {line}: {list}");
        }
    };
    check("lead", "!list failed", &[&failed]).await;
    check("lead", "!list mine", &[&other]).await;
    check("lead", "!list done since 1h", &[&fine, &other]).await;
    check("lead", "!list on wn002", &[&fine]).await;
    check("lead", "!list site.uptime", &[&fine, &other]).await;
    check("lead", "!list running", &[]).await;
    check("operator", "!list mine", &[&failed, &fine]).await;
    check("operator", "!list 1 failed", &[&failed]).await;
}
