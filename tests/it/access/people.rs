//! People who join and leave groups, are renamed, deactivated, or turned into bots: through the chat server.

use super::settings;
use crate::operations::halcyon;
use crate::world::{CHANNEL, PATIENCE, World, under_way};
use halcyon::core::effect::Answer;
use halcyon::core::input::Ask;
use halcyon::sandbox::mattermost::Post;
use std::time::Duration;

const NO_ROLE: &str = "role";

/// A world whose crew has a role by a group, and whose lead has one by name.
async fn world(group: &str) -> World {
    let mut world = World::without_bot("").await;
    let roles = format!(
        "[[access.roles]]\nname = \"crew\"\ngroups = [{group:?}]\ngrants = [\"run:trial.*\"]\n\
         [[access.roles]]\nname = \"lead\"\nusers = [\"lead\"]\nchannels = [\"leads\"]\ngrants = [\"admin:*\"]\n\
         [[access.roles]]\nname = \"operator\"\nusers = [\"operator\"]\ngrants = [\"run:trial.*\", \"run:site.*\"]"
    );
    world.config.roles = settings(&roles).roles;
    // Every line is decided about with what the server says of groups just then.
    world.options.groups_age = Some(Duration::ZERO);
    world
}

async fn whoami(world: &World, user: &str) -> String {
    let post = world.write(user, "!whoami");
    world.answer_that(&post, |answer| answer.message.starts_with("You are")).await.message
}

/// Whether somebody may say hello.
async fn greets(world: &World, user: &str) -> bool {
    let post = world.write(user, "!greet you on wn001");
    // What the administrators are told is no answer.
    let answers = |answer: &Post| !under_way(answer) && !answer.message.starts_with(":warning:");
    let said = world.answer_that(&post, answers).await.message;
    assert!(said.contains("done") || said.contains(NO_ROLE) || said.contains("do not know"), "{said}");
    said.contains("done")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_of_the_directory_service_give_roles() {
    let mut world = world("crew").await;
    world.chat.license_groups(true);
    world.chat.add_group("crew", "ldap");
    world.chat.let_read_groups("halcyon").unwrap();
    world.start_bot().await;
    assert!(!greets(&world, "guest").await);
    world.chat.join_group("guest", "crew").unwrap();
    assert!(greets(&world, "guest").await);
    assert!(whoami(&world, "guest").await.contains("crew"));
    world.chat.leave_group("guest", "crew").unwrap();
    assert!(!greets(&world, "guest").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_will_not_tell_of_groups_grants_nothing() {
    let mut world = world("crew").await;
    world.start_bot().await;
    // Without a licence.
    assert!(!greets(&world, "guest").await);
    world.chat.license_groups(true);
    // Without such a group.
    assert!(!greets(&world, "guest").await);
    world.chat.add_group("crew", "ldap");
    world.chat.join_group("guest", "crew").unwrap();
    // Without the permission.
    assert!(!greets(&world, "guest").await);
    world.chat.let_read_groups("halcyon").unwrap();
    assert!(greets(&world, "guest").await);
    // With two of the name.
    world.chat.add_group("crew", "custom");
    assert!(!greets(&world, "guest").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_everybody_may_join_gives_no_role() {
    let mut world = world("crew").await;
    world.chat.license_groups(true);
    world.chat.add_group("crew", "custom");
    world.chat.join_group("guest", "crew").unwrap();
    world.start_bot().await;
    assert!(!greets(&world, "guest").await, "every user may join a custom group");
    world.chat.keep_custom_groups(true);
    assert!(greets(&world, "guest").await);
    world.chat.keep_custom_groups(false);
    assert!(!greets(&world, "guest").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_given_away_gives_nothing_away() {
    let mut world = world("crew").await;
    world.start_bot().await;
    assert!(whoami(&world, "lead").await.contains("admin:*"));
    world.chat.rename("lead", "chief").unwrap();
    world.chat.rename("guest", "lead").unwrap();
    // Across a restart too.
    for restarted in [false, true] {
        if restarted {
            world.stop_bot().await;
            world.start_bot().await;
        }
        let chief = whoami(&world, "chief").await;
        assert!(chief.contains("admin:*"), "{restarted}: {chief}");
        let taker = whoami(&world, "lead").await;
        assert!(!taker.contains("admin:*"), "{restarted}: {taker}");
        assert!(!greets(&world, "lead").await);
    }
    let told = |post: &Post| post.message.contains("`lead` in `access.roles` is not the one");
    world.chat.wait_for(CHANNEL, told, PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_is_made_anew_under_an_old_name_gives_nothing() {
    let mut world = world("crew").await;
    let team = world.chat.add_team("ops");
    let leads = world.chat.add_private_channel(&team, "leads");
    world.chat.join("halcyon", &leads).unwrap();
    world.chat.join("operator", &leads).unwrap();
    world.start_bot().await;
    assert!(whoami(&world, "operator").await.contains("admin:*"));
    world.stop_bot().await;
    world.chat.rename_channel(&leads, "former-leads").unwrap();
    let taken = world.chat.add_private_channel(&team, "leads");
    world.chat.join("halcyon", &taken).unwrap();
    world.chat.join("guest", &taken).unwrap();
    world.start_bot().await;
    assert!(!whoami(&world, "guest").await.contains("admin:*"));
    assert!(!whoami(&world, "operator").await.contains("admin:*"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_deactivated_or_a_bot_has_nothing_and_loses_nothing() {
    let mut world = world("crew").await;
    world.start_bot().await;
    assert!(greets(&world, "operator").await);
    // What was written before somebody left is decided about after.
    let later = world.say("operator", "!in 1s greet me on wn001").await.message;
    assert!(later.contains("greet me"), "{later}");
    world.chat.set_active("operator", false).unwrap();
    let refused = |post: &Post| post.message.contains("greet me on wn001") && post.message.contains(NO_ROLE);
    world.chat.wait_for(CHANNEL, refused, PATIENCE).await.unwrap();
    world.chat.set_active("operator", true).unwrap();
    assert!(greets(&world, "operator").await, "it is theirs again");
    // A bot is not even answered, whatever it had a right to before.
    world.chat.set_bot("operator", true).unwrap();
    let before = world.started();
    world.write("operator", "!greet you on wn001");
    assert!(!greets(&world, "guest").await);
    assert_eq!(world.started(), before);
    world.chat.set_bot("operator", false).unwrap();
    assert!(greets(&world, "operator").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_explained_by_its_rule() {
    let mut world = World::without_bot("").await;
    let roles = r#"
        [[access.roles]]
        name = "crew"
        users = ["guest"]
        unix_users = []
        grants = [
            { verb = "run", on = "trial.greet", arguments = { hosts = "wn[001-003]" } },
            { verb = "run", on = "trial.count", channels = ["elsewhere"] },
            { verb = "run", on = "trial.rest", hours = "02:00-02:01 UTC", channels = ["cluster"] },
            "view:trial.wait",
        ]
        [[access.roles]]
        name = "lead"
        users = ["lead"]
        grants = ["admin:*"]
    "#;
    world.config.roles = settings(roles).roles;
    world.start_bot().await;
    let check = async |user: &str, line: &str, wanted: &[&str]| {
        let said = world.say(user, line).await.message;
        for wanted in wanted {
            assert!(said.contains(wanted), "{user} {line}: no {wanted:?} in\n{said}");
        }
    };
    check(
        "guest",
        "!may greet you on wn001",
        &["You may do", "`trial.greet`", "/etc/halcyon/config.toml:", "role `crew`"],
    )
    .await;
    check("guest", "!may greet you on wn005", &["You may not do", "there is no host `wn005`"]).await;
    check("guest", "!may count to 3 on wn001", &["You may not do", "holds only in `elsewhere`"]).await;
    check("guest", "!may uptime on wn001", &["do not know what `uptime on wn001`"]).await;
    check("guest", "!may @lead greet you on wn001", &["for", "lead"]).await;
    check(
        "lead",
        "!may @guest greet you on wn005",
        &["`guest` may not", "`hosts` has to be `wn[001-003]`, not `wn005`"],
    )
    .await;
    check("lead", "!may @guest uptime on wn001", &["`guest` may not", "No grant of their roles speaks of it (crew)"])
        .await;
    check("lead", "!may @operator greet you on wn001", &["They have no role"]).await;
    check("lead", "!may @nobody-here greet you on wn001", &["no user `nobody-here`"]).await;
    check("lead", "!may greet you on wn005", &["You may do", "`admin:*`"]).await;
    // Over the control socket, as the account of the bot itself.
    let ask = |user: &str, channel: Option<&str>, line: &str| Ask::May {
        user: Some(user.to_owned()),
        channel: channel.map(str::to_owned),
        line: line.to_owned(),
    };
    let Answer::May { allowed, reasons, .. } = world.ask(ask("guest", None, "greet you on wn001")).await else {
        panic!()
    };
    assert!(allowed && reasons.len() == 1);
    let Answer::May { allowed, .. } = world.ask(ask("guest", None, "count to 3 on wn001")).await else { panic!() };
    assert!(!allowed);
    let Answer::May { allowed, .. } = world.ask(ask("guest", Some("elsewhere"), "count to 3 on wn001")).await else {
        panic!()
    };
    assert!(allowed);
    let own = Ask::May { user: None, channel: None, line: "greet you on wn005".into() };
    let Answer::May { allowed, roles, .. } = world.ask(own).await else { panic!() };
    assert!(allowed && roles == ["owner of this process"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_asks_the_bot_that_runs() {
    let world = crate::operations::world("").await;
    let (code, said) = halcyon(&world, &["may", "--user", "operator", "greet you on wn001"]).await;
    assert!(code == 1 && said.contains("the bot is not running"), "{code} {said}");
    let _bot = crate::operations::Service::start(&world, false);
    crate::operations::heard(&world, "I am here").await;
    let (code, said) = halcyon(&world, &["may", "--user", "operator", "greet you on wn001"]).await;
    assert!(
        code == 0 && said.starts_with("`operator` may do") && said.contains("- yes: `run:trial.*`"),
        "{code} {said}"
    );
    let (code, said) = halcyon(&world, &["may", "--user", "guest", "--json", "greet you on wn001"]).await;
    let value: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(code == 1 && value["allowed"] == false && value["action"] == "trial.greet", "{code} {said}");
}
