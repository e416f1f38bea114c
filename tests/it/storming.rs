//! A storm from end to end: a monitoring that tells of 150 machines over HTTP, a bot that is killed in the middle, and a chat server that takes only so many calls.

use crate::callbacks::{free_port, url};
use crate::world::{CHANNEL, PATIENCE, World};
use halcyon::config::Http;
use halcyon::core::effect::Answer;
use halcyon::core::input::Ask;
use halcyon::core::webhook::api_key::{ApiKeyAsk, Digest};
use halcyon::sandbox::mattermost::{Happening, Options, Post, RateLimit};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::TryRecvError;

const KEY: &str = "key-of-the-monitoring";
const PACK: &[(&str, &str)] = &[
    ("pack.yaml", "ref: heals\nname: heals\ndescription: what heals\nversion: 1.0.0\nauthor: site\n"),
    (
        "rules/down.yaml",
        "name: down\nenabled: true\ntrigger: {type: check_mk.event_handler}\n\
         criteria: {trigger.host.state: {type: eq, pattern: DOWN}}\naction: {ref: core.noop}\n",
    ),
];
const MORE: &str =
    "[storms]\nquiet = 15\n[[access.roles]]\nname = \"healing\"\nrules = [\"heals.*\"]\ngrants = [\"run:core.noop\"]\n";

struct Monitoring {
    client: reqwest::Client,
    told: u32,
}

impl Monitoring {
    async fn tell(&mut self, world: &World, kind: &str, host: &str, state: &str, group: &str) {
        self.told += 1;
        let payload = json!({
            "notification_type": kind,
            "host": {"name": host, "state": state, "output": "no answer within 15 s"},
            "event": {"id": format!("e{}", self.told), "site": "hep", "host_groups": [group]},
        });
        let body = json!({"trigger": "check_mk.event_handler", "payload": payload}).to_string();
        // It tells again what nobody has taken.
        loop {
            let asked =
                self.client.post(url(world, "/api/v1/webhooks/st2")).header("St2-Api-Key", KEY).body(body.clone());
            match asked.send().await {
                Ok(answer) if answer.status().is_success() => return,
                _ => tokio::task::yield_now().await,
            }
        }
    }
}

async fn metric(world: &World, name: &str) -> f64 {
    let text = reqwest::get(url(world, "/metrics")).await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_fifty_machines_go_down_and_come_back() {
    let limited = Options { rate_limit: Some(RateLimit { per_second: 10, burst: 60 }), ..Options::default() };
    let mut world = World::on_chat(MORE, |_| {}, limited).await;
    world.add_pack("heals", PACK);
    let listen = format!("127.0.0.1:{}", free_port());
    world.config.http = Some(Http { listen: listen.parse().unwrap(), allow: Vec::new() });
    world.start_bot().await;
    let ask = ApiKeyAsk::Create { name: "monitoring".into(), digest: Digest::of(KEY), webhooks: vec!["*".into()] };
    assert!(matches!(world.ask(Ask::ApiKeys(ask)).await, Answer::ApiKeys { .. }));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut monitoring = Monitoring { client, told: 0 };
    let mut happenings = world.chat.subscribe();
    let bot = world.bot.clone();
    let is_storm = move |post: &Post| post.user_id == bot && post.root_id.is_empty() && post.message.contains("torm");

    for number in 1..=150 {
        monitoring.tell(&world, "PROBLEM", &format!("wn{number:03}"), "DOWN", "workers").await;
        if number == 75 {
            monitoring.tell(&world, "PROBLEM", "se01", "DOWN", "storage").await;
            world.kill_bot();
            world.start_bot().await;
        }
    }
    let height = world
        .chat
        .wait_for(CHANNEL, |post| is_storm(post) && post.message.contains("151 problems"), PATIENCE)
        .await
        .unwrap();
    let lines: Vec<&str> = height.message.lines().collect();
    assert!(lines[2].contains("`se01` (storage)") && lines[2].contains("no answer"), "{}", height.message);
    assert!(lines[3].contains("**workers**: 150 · `wn[001-150]`"), "{}", height.message);
    assert!(height.message.contains("**No rule acts on these**"), "{}", height.message);
    for number in (1..=150).rev().filter(|number| *number != 42) {
        monitoring.tell(&world, "RECOVERY", &format!("wn{number:03}"), "UP", "workers").await;
    }
    let over = world
        .chat
        .wait_for(CHANNEL, |post| post.id == height.id && post.message.contains("is over"), PATIENCE)
        .await
        .unwrap();
    assert!(over.message.contains("151 problems, 149 over, 2 left"), "{}", over.message);
    world.reply(&height.id, |post| post.message.contains("Still open: `se01,wn042`")).await;

    // Ten before anybody could know, its own, and what is left: each says what it is.
    let ours: Vec<Post> = world.chat.posts(CHANNEL).into_iter().filter(|post| post.user_id == world.bot).collect();
    let roots: Vec<&Post> =
        ours.iter().filter(|post| post.root_id.is_empty() && !post.message.contains("I am here")).collect();
    let parts =
        roots.iter().filter(|post| post.message.contains(&format!("part of [the storm](/_redirect/pl/{})", height.id)));
    let left = roots.iter().filter(|post| post.message.starts_with(":red_circle: **DOWN**"));
    assert_eq!((parts.count(), left.count(), roots.len()), (10, 2, 13), "{roots:#?}");
    assert_eq!(ours.iter().filter(|post| post.root_id == height.id).count(), 2, "it began, and it is over");
    let mut drawn = Vec::new();
    loop {
        match happenings.try_recv() {
            Ok(Happening::Edited(post)) if post.id == height.id => drawn.push(post.update_at),
            // Of so many the oldest may have been lost.
            Ok(_) | Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    let seconds = (drawn.last().unwrap() - drawn[0]) / 1_000;
    assert!(i64::try_from(drawn.len()).unwrap() <= seconds + 2, "{drawn:?}");
    assert!(metric(&world, "halcyon_chat_pauses_total").await < 1.0, "the chat server never had to say 429");
    let Answer::Executions { executions } = world.ask(Ask::Executions { limit: 100 }).await else { panic!() };
    let begun: Vec<Value> = executions.iter().map(|one| json!(one.request.action)).collect();
    assert_eq!(begun.len(), 10, "rules acted before it was a storm, and not in it: {begun:?}");
    // What is left of it waits for a person.
    let answer = world.say("operator", "!storm go").await;
    assert!(
        answer.message.contains("You may not let rules act") && answer.message.contains("**lead**"),
        "{}",
        answer.message
    );
    let answer = world.say("lead", "!storm go").await;
    assert!(answer.message.contains("Rules act again") && answer.message.contains("2 problems"), "{}", answer.message);
    world.reply(&height.id, |post| post.message.contains("lead lets rules act")).await;
    let Answer::Executions { executions } = world.ask(Ask::Executions { limit: 100 }).await else { panic!() };
    assert!(executions.len() <= 12, "{executions:?}");
}
