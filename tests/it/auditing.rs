//! The audit in chat and on the command line: who sees what of it, what is refused and noted, checkpoints, a damaged one, and freezing.

use crate::bot::{Machine, said, started};
use crate::world::{CHANNEL, World, id_of};
use halcyon::cli::{self, Surroundings};
use halcyon::core::action::run::{Captured, Exit, HostOutcome, RunNews};
use halcyon::core::audit::chain::Head;
use halcyon::core::audit::question::{Question, Told};
use halcyon::core::audit::{Entry, Filter};
use halcyon::core::effect::{Answer, Effect};
use halcyon::core::fact::Fact;
use halcyon::core::id::Host;
use halcyon::core::input::{Ask, Input};
use std::fs;

/// The newest entries, as the control socket tells them.
pub(crate) async fn entries(world: &World) -> Vec<Entry> {
    entries_of(world, Filter::default()).await
}

/// The newest of these entries.
pub(crate) async fn entries_of(world: &World, filter: Filter) -> Vec<Entry> {
    let about = Question::Newest { most: 100, filter };
    let Answer::Audit { told: Told::Lines { lines, .. } } = world.ask(Ask::Audit { about }).await else { panic!() };
    lines.iter().map(|line| halcyon::core::audit::chain::Parts::of(line).unwrap().decode().unwrap()).collect()
}

/// What `halcyon audit …` prints and how it ends, with the configuration of this world.
fn halcyon(world: &World, words: &[&str]) -> (String, String, u8) {
    let config = world.directory.path().join("config.toml");
    let token = world.chat.bot_token();
    let words: Vec<_> =
        ["halcyon", "--config", config.to_str().unwrap(), "audit"].iter().chain(words).map(Into::into).collect();
    // A command has a runtime of its own.
    let command = std::thread::spawn(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let environment = [("HALCYON_MATTERMOST_TOKEN".to_owned(), token)].into();
        let surroundings =
            Surroundings { out: &mut out, err: &mut err, terminal: false, environment, now: halcyon::app::now };
        let code = cli::main(words, surroundings);
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code)
    });
    command.join().unwrap()
}

fn words(entries: &[Entry]) -> Vec<&'static str> {
    // That names in roles were tied is told by the tests of access.
    entries.iter().map(|entry| entry.event.word()).filter(|word| *word != "name-tied").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_is_told_to_those_who_may_see_it() {
    let mut world = World::without_bot(
        "[[access.roles]]\nname = \"reader\"\nusers = [\"guest\"]\ngrants = [\"view:site.uptime\", \"run:trial.greet\"]\n",
    )
    .await;
    world.start_bot().await;
    let done = world.say("operator", "!greet you on wn[001-002]").await;
    let id = id_of(&done);
    world.say("operator", "!uptime on wn001").await;
    // What one may not run is answered as what does not exist, and noted.
    let forbidden = world.say("guest", "!wait 5 on wn001").await.message;
    let unknown = world.say("guest", "!wxit 5 on wn001").await.message;
    assert_eq!(forbidden.replace("wait 5", "wxit 5"), unknown);
    world.say("operator", "!freeze now").await;
    world.say("operator", "!reload").await;
    world.say("lead", "!freeze a storm").await;
    world.say("lead", "!unfreeze").await;
    world.say("lead", "!key set site.word hello").await;
    let mut all = entries(&world).await;
    all.retain(|entry| entry.event.word() != "name-tied");
    assert_eq!(
        words(&all),
        ["started", "ended", "started", "ended", "refused", "refused", "refused", "frozen", "unfrozen", "value-set"]
    );
    let refused: Vec<(&str, &str)> = all
        .iter()
        .filter(|entry| entry.event.word() == "refused")
        .map(|entry| (&*entry.line, &*entry.reason))
        .collect();
    assert_eq!(
        refused,
        [("wait 5 on wn001", "needs run:trial.wait"), ("freeze now", "needs admin:*"), ("reload", "needs admin:*")]
    );
    assert_eq!(all[0].hosts.as_ref().unwrap().names, "wn[001-002]");
    assert!(all[1].milliseconds.is_some() && all[1].failed.is_none());

    let check = async |user: &str, line: &str, expected: &[&str], not: &[&str]| {
        let said = world.say(user, line).await.message;
        assert!(expected.iter().all(|text| said.contains(text)), "{line}: {said}");
        assert!(!not.iter().any(|text| said.contains(text)), "{line}: {said}");
    };
    check("lead", "!audit last 20", &["**refused** `wait 5 on wn001`", "a storm", "`greet you on wn[001-002]`"], &[])
        .await;
    check("lead", "!audit 2", &["**unfrozen**", "**value-set** `key.system.site.word`"], &["a storm"]).await;
    check("lead", "!audit guest", &["**refused**"], &["operator", "**started**"]).await;
    check("lead", &format!("!audit {id}"), &["**started**", "**ended** succeeded"], &["uptime"]).await;
    check("operator", "!audit", &["`greet you", "`uptime on wn001`"], &["refused", "storm", "site.word"]).await;
    check("guest", "!audit", &["`uptime on wn001`", "greet you"], &["storm", "wait"]).await;
    check("guest", "!audit words.*", &["nothing that is like `words.*`"], &[]).await;
    check("operator", "!audit verify", &["`audit verify` is for those who may administer me"], &[]).await;
    check("lead", "!audit verify", &["The audit is as it was written: 14 entries, from 1 to 14"], &[]).await;
    let told = world.say("lead", "!audit checkpoint").await.message;
    let Answer::Audit { told: Told::Head { head } } = world.ask(Ask::Audit { about: Question::Head }).await else {
        panic!()
    };
    assert!(told.contains("entry 14 has `"), "{told}");
    assert_eq!(head.number, 15, "the checkpoint is an entry");
    let there = |post: &halcyon::sandbox::mattermost::Post| post.message.contains(&head.hash);
    world.chat.wait_for(CHANNEL, there, crate::world::PATIENCE).await.unwrap();
    check("lead", "!audit verify", &["in keeping with 2 checkpoints"], &[]).await;

    // On the command line, beside the bot.
    let (out, err, code) = halcyon(&world, &["last", "-n", "4", "--event", "refused"]);
    assert_eq!((err.as_str(), code), ("", 0));
    assert!(out.lines().count() == 4 && out.contains("refused by @guest"), "{out}");
    let (out, _, code) = halcyon(&world, &["verify", "--checkpoint", &head.to_string()]);
    assert!(code == 0 && out.starts_with("sound: 16 entries, 1 to 16, compared with 1 checkpoints"), "{out}");
    let wrong = Head { hash: "00".repeat(32), ..head.clone() };
    let (out, _, code) = halcyon(&world, &["verify", "--checkpoint", &wrong.to_string()]);
    assert!(code == 1 && out.starts_with("entry 15 is not the one that a checkpoint knows"), "{out}");
    let (lines, _, code) = halcyon(&world, &["export"]);
    assert_eq!((code, lines.lines().count()), (0, 16));
    let file = world.directory.path().join("audit.jsonl");
    fs::write(&file, &lines).unwrap();
    let (_, err, code) = halcyon(&world, &["cut", file.to_str().unwrap()]);
    assert!(code == 2 && err.contains("stop the bot first"), "{err}");
    world.stop_bot().await;
    let (out, err, code) = halcyon(&world, &["checkpoint", "--json"]);
    assert!(code == 0 && out.contains("\"number\":16"), "{out} {err}");
    let (out, _, code) = halcyon(&world, &["verify", file.to_str().unwrap(), "--json"]);
    assert!(code == 0 && out.contains("\"sound\": true"), "{out}");
    let (_, err, code) = halcyon(&world, &["cut", file.to_str().unwrap()]);
    assert!(code == 2 && err.contains("no file of the audit lies wholly before the checkpoint"), "{err}");
    fs::write(&file, lines.replace("a storm", "a breeze")).unwrap();
    let (_, err, code) = halcyon(&world, &["cut", file.to_str().unwrap()]);
    assert!(code == 2 && err.contains("the export is not sound"), "{err}");
    let (_, err, code) = halcyon(&world, &["verify", "--checkpoint", "12"]);
    assert!(code == 2 && err.contains("`12` is no checkpoint"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_audit_is_set_aside_and_the_bot_starts_frozen() {
    let mut world = World::start().await;
    world.say("operator", "!greet you on wn001").await;
    world.say("lead", "!audit verify").await;
    world.stop_bot().await;
    let file = world.config.store.path.join("audit/00000000000000000001.entries");
    let mut bytes = fs::read(&file).unwrap();
    // The first entry was synced before the others were written, or is made again; a record of another version is nobody's to cut.
    bytes[3] = 9;
    fs::write(&file, bytes).unwrap();
    world.start_bot().await;
    let greeting = world.chat.posts(CHANNEL).into_iter().rfind(|post| post.message.contains("I am here")).unwrap();
    assert!(greeting.message.contains("my audit was damaged"), "{}", greeting.message);
    let refused = world.say("operator", "!greet you on wn001").await.message;
    assert!(refused.contains("I did not start `trial.greet`") && refused.contains("audit.damaged-"), "{refused}");
    assert_eq!(words(&entries(&world).await), ["started", "ended", "set-aside", "frozen"]);
    let sound = world.say("lead", "!audit verify").await.message;
    assert!(sound.contains("The audit is as it was written: 6 entries"), "{sound}");
    assert!(world.say("lead", "!unfreeze").await.message.contains("no longer frozen"));
    // It is said once.
    world.stop_bot().await;
    world.start_bot().await;
    assert!(world.say("operator", "!greet you on wn001").await.message.contains("done"));
}

#[test]
fn a_checkpoint_is_told_once_a_day_where_there_is_something_new() {
    let mut machine = Machine::new();
    let until = machine.now;
    machine.take(Input::CaughtUp { until, unread: vec![] });
    let asked = |effects: &[Effect]| {
        effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Audit { question: Question::Head, asker: None }))
            .count()
    };
    let head = |number: u64| Input::Audited {
        asker: None,
        told: Ok(Told::Head { head: Head { number, hash: "ab".repeat(32) } }),
    };
    machine.wait(24 * 3600 - 1);
    assert_eq!(asked(&machine.take(Input::Deadline).effects), 0);
    machine.wait(1);
    assert_eq!(machine.bot.next_deadline().unwrap().0, machine.now);
    assert_eq!(asked(&machine.take(Input::Deadline).effects), 1);
    assert_eq!(asked(&machine.take(Input::Deadline).effects), 0, "it is asked once");
    assert!(machine.bot.next_deadline().unwrap().0 > machine.now);
    // Nothing to tell yet; it is looked again.
    assert!(machine.take(head(0)).facts.is_empty());
    machine.wait(3600);
    assert_eq!(asked(&machine.take(Input::Deadline).effects), 1);
    let step = machine.take(head(7));
    assert!(said(&step).contains("Checkpoint of the audit: entry 7 has `abab"), "{}", said(&step));
    assert!(step.facts.iter().any(|dated| matches!(dated.fact, Fact::CheckpointTold { by: None, .. })));
    machine.wait(24 * 3600 - 1);
    assert_eq!(asked(&machine.take(Input::Deadline).effects), 0);
    machine.wait(1);
    assert_eq!(asked(&machine.take(Input::Deadline).effects), 1);
    // Nothing but its own entry has been added.
    assert!(machine.take(head(8)).facts.is_empty());
    machine.wait(3600);
    machine.take(Input::Deadline);
    assert!(said(&machine.take(head(9))).contains("entry 9 has"));
    // Without a connection it waits.
    let mut lonely = Machine::over(machine.facts.clone(), machine.now);
    lonely.wait(25 * 3600);
    assert_eq!(asked(&lonely.take(Input::Stop).effects), 0);
    assert!(lonely.bot.next_deadline().unwrap().0 > lonely.now);
}

/// While it is frozen nothing is begun on a host that had not begun before, whatever is known of it.
#[test]
fn what_had_not_begun_before_a_freeze_is_not_begun_in_it() {
    let lost = |exit| {
        let outcome = HostOutcome { exit, stdout: Captured::empty(), stderr: Captured::empty(), seconds: 0.0 };
        RunNews::HostLost { host: Host::new("wn001"), outcome: Box::new(outcome) }
    };
    let never = || Exit::NeverBegan { why: "it never arrived".into() };
    let begun = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Run(_)));
    for (line, frozen, expected) in
        [("!greet you on wn001", false, true), ("!greet you on wn001", true, false), ("!uptime on wn001", true, true)]
    {
        let mut machine = Machine::new();
        let id = started(&machine.hear(line, None)).unwrap();
        if frozen {
            let from = halcyon::core::input::Principal::LocalUser { uid: 1000, name: "halcyon".into() };
            let ask = Ask::Freeze { reason: "a storm".into() };
            machine.take(Input::Request { request: halcyon::core::id::RequestId(1), from, ask });
        }
        let step = machine.news(&id, lost(never()));
        assert_eq!(begun(&step.effects), expected, "{line}, frozen: {frozen}");
        if !expected {
            let step = machine.news(&id, RunNews::Finished { error: None });
            assert!(!said(&step).is_empty(), "nothing ends in silence");
        }
    }
}
