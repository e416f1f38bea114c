//! Reading back: pages, posts of the same millisecond, posts that vanish, servers of old.

use super::{World, brisk, kind, new_post, options};
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::routing::{any, get};
use halcyon::adapters::mattermost::Mattermost;
use halcyon::core::id::ChannelId;
use halcyon::core::input::ChannelKind;
use halcyon::runtime::ports::{Chat, Joined};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

async fn cluster(world: &World) -> Joined {
    let id = ChannelId::new(world.server.channel_id("cluster").unwrap());
    world.chat.channels().await.unwrap().into_iter().find(|joined| joined.channel == id).unwrap()
}

/// The texts since then, with a sign when there is more.
async fn texts(world: &World, since: Timestamp, most: usize) -> Vec<String> {
    let history = world.chat.history(&cluster(world).await, since, most).await.unwrap();
    let more = (!history.complete).then(|| "and more".to_owned());
    more.into_iter().chain(history.posts.into_iter().map(|post| post.message)).collect()
}

#[tokio::test]
async fn everything_since_a_moment_is_read_once_and_in_order() {
    let world = World::start().await;
    // (how many posts, how many of them in one millisecond, read at most)
    for (count, together, most) in
        [(0, 0, 1000), (3, 0, 1000), (450, 0, 1000), (450, 250, 1000), (700, 650, 1000), (450, 0, 300)]
    {
        world.say("before");
        let since = Timestamp::from_millisecond(world.server.posts("cluster").last().unwrap().create_at + 1).unwrap();
        let mut expected = Vec::new();
        for number in 0..count {
            world.faults().stop_clock(number >= 30 && number < 30 + together);
            expected.push(number.to_string());
            world.say(&number.to_string());
        }
        world.faults().stop_clock(false);
        let read = texts(&world, since, most).await;
        if most < count {
            assert_eq!(read[0], "and more");
            assert!(
                read.len() > most && read[1..] == expected[expected.len() + 1 - read.len()..],
                "{} read",
                read.len()
            );
        } else {
            let mut sorted = read.clone();
            sorted.sort_by_key(|text| text.parse::<usize>().unwrap());
            assert_eq!(sorted, expected, "{count} posts, {together} in one millisecond");
            assert!(together > 0 || read == expected, "the order of writing");
        }
    }
}

#[tokio::test]
async fn a_post_that_vanishes_between_two_pages_hides_nothing() {
    let world = World::start().await;
    let ids: Vec<String> = (0..450).map(|number| world.say(&number.to_string())).collect();
    let route = "GET /api/v4/channels/{channel_id}/posts";
    world.faults().slow(Duration::from_millis(200));
    let reading = texts(&world, Timestamp::UNIX_EPOCH, 10_000);
    let vandal = async {
        while world.server.calls_of(route) < 2 {
            tokio::task::yield_now().await;
        }
        // The post before which the next page begins, and its neighbours.
        for id in &ids[245..255] {
            world.server.erase(id);
        }
        world.faults().slow(Duration::ZERO);
    };
    let (read, ()) = tokio::join!(reading, vandal);
    for number in (0..245).chain(255..450) {
        assert!(read.contains(&number.to_string()), "{number} is missing");
    }
}

#[tokio::test]
async fn what_was_read_has_its_marks_and_the_clock_is_the_servers() {
    let world = World::start().await;
    world.server.post_as_webhook("lead", "cluster", "from a hook", "lead").unwrap();
    world.chat.create(&new_post(&world, "d1", "ours")).await.unwrap();
    let named = halcyon::runtime::ports::NewPost { instance: Some("ab12".into()), ..new_post(&world, "d2", "named") };
    world.chat.create(&named).await.unwrap();
    let direct = world.server.direct_channel("operator", "halcyon").unwrap();
    world.server.post_as("operator", &direct, "psst", None).unwrap();
    let history = world.chat.history(&cluster(&world).await, Timestamp::UNIX_EPOCH, 10).await.unwrap();
    let line = |post: &halcyon::core::input::HeardPost| {
        format!("{} {:?} {}", post.message, post.instance, post.marks.props.join(" "))
    };
    let lines: Vec<String> = history.posts.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "from a hook None from_webhook override_username webhook_display_name",
            "ours None from_bot",
            "named Some(\"ab12\") from_bot"
        ]
    );
    let joined = world.chat.channels().await.unwrap();
    let private = joined.iter().find(|joined| joined.channel.as_str() == direct).unwrap();
    assert_eq!(private.kind, ChannelKind::Direct);
    assert_eq!(private.newest.as_millisecond(), world.server.posts(&direct)[0].create_at);
    let unknown = Joined { channel: ChannelId::new("x".repeat(26)), ..private.clone() };
    let problem = world.chat.history(&unknown, Timestamp::UNIX_EPOCH, 10).await.unwrap_err();
    assert!(["refused", "unknown"].contains(&kind(&problem).as_str()), "{problem}");
    // Our own clock stands in 2023; the server's is asked for with the connection.
    let apart = world.chat.clock().as_millisecond() - world.server.now();
    assert!(apart.abs() < 10_000, "{apart} ms");
    world.faults().limit_rate(1, Duration::from_secs(7));
    let problem = world.chat.channels().await.unwrap_err();
    assert_eq!(kind(&problem), "later Some(7)");
}

#[tokio::test]
async fn a_server_of_old_tells_channels_by_team() {
    let channels = async |Path(team): Path<String>| {
        let own = json!({"id": format!("c-{team}"), "type": "P", "last_post_at": 5});
        axum::Json(json!([{"id": "direct", "type": "D", "last_post_at": 7}, own]))
    };
    let posts = async |Query(query): Query<BTreeMap<String, String>>| {
        let page: Value = match query.get("before") {
            None => json!({"order": null, "posts": null}),
            Some(_) => json!({}),
        };
        axum::Json(page)
    };
    let nowhere =
        json!({"id": "api.context.404.app_error", "message": "Sorry.", "detailed_error": "", "status_code": 404});
    let api = Router::new()
        .route("/users/me/teams", get(async || axum::Json(json!([{"id": "t1"}, {"id": "t2"}]))))
        .route("/users/me/teams/{team}/channels", get(channels))
        .route("/channels/{channel}/posts", get(posts))
        .route("/{*rest}", any(async || (StatusCode::NOT_FOUND, axum::Json(nowhere))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().nest("/api/v4", api)).await });
    let chat = Mattermost::new(options(url, "secret-token", brisk())).unwrap();
    let joined = chat.channels().await.unwrap();
    let names: Vec<String> = joined.iter().map(|joined| format!("{} {:?}", joined.channel, joined.kind)).collect();
    assert_eq!(names, ["c-t1 Private", "c-t2 Private", "direct Direct"]);
    let history = chat.history(&joined[0], Timestamp::UNIX_EPOCH, 10).await.unwrap();
    assert!(history.posts.is_empty() && history.complete);
}
