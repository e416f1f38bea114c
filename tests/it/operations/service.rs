//! Signals, the service manager, and the log.

use super::{Service, halcyon, heard, world};
use crate::world::{PATIENCE, id_of, under_way};
use halcyon::app::engine::Engine;
use rustix::process::Signal;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_manager_is_told_how_the_bot_is() {
    for abstract_socket in [false, true] {
        let world = world("[serve]\ngrace = 2").await;
        let mut service = Service::start(&world, abstract_socket);
        service.told("READY=1");
        service.told("STATUS=connected to the chat; 0 running");
        service.told("WATCHDOG=1");
        service.signal(Signal::HUP);
        let reloading = service.told("RELOADING=1\nMONOTONIC_USEC=");
        let at: u64 = reloading.rsplit('=').next().unwrap().parse().unwrap();
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let since = u64::try_from(now.tv_sec).unwrap() - at / 1_000_000;
        assert!(since < 60, "{since}");
        service.told("READY=1");
        heard(&world, "I have read my configuration").await;
        service.signal(Signal::TERM);
        service.told("STOPPING=1");
        assert_eq!(service.ended().code(), Some(0), "{}", service.log());
        heard(&world, "I am being stopped and take nothing new. Nothing is running.").await;
        let log = service.log();
        assert_eq!(log.contains("<6> INFO halcyon"), abstract_socket, "{log}");
    }
}

/// What is read again may be on a file system that does not answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_that_hangs_keeps_nobody_from_stopping_the_bot() {
    let world = world("").await;
    let mut service = Service::start(&world, false);
    heard(&world, "I am here").await;
    let config = world.directory.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::remove_file(&config).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&config).status().unwrap().success());
    for answered in [true, false] {
        service.signal(Signal::HUP);
        service.told("RELOADING=1");
        service.told("WATCHDOG=1");
        if answered {
            std::fs::write(&config, &text).unwrap();
            service.told("READY=1");
        }
    }
    service.signal(Signal::TERM);
    service.told("STOPPING=1");
    assert_eq!(service.ended().code(), Some(0), "{}", service.log());
    heard(&world, "I am being stopped").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_that_does_not_turn_feeds_no_watchdog() {
    let world = world("").await;
    let service = Service::start(&world, false);
    service.told("WATCHDOG=1");
    service.signal(Signal::STOP);
    let mut bytes = [0; 4096];
    while service.manager.recv(&mut bytes).is_ok() {}
    let end = Instant::now() + std::time::Duration::from_secs(2);
    while Instant::now() < end {
        assert!(service.manager.recv(&mut bytes).is_err(), "a process that stands still is not alive");
    }
    service.signal(Signal::CONT);
    service.told("WATCHDOG=1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_its_grace_and_says_what_goes_on() {
    let world = world("[serve]\ngrace = 2").await;
    let mut service = Service::start(&world, false);
    heard(&world, "I am here").await;
    let asked = world.write("operator", "!wait 600 on wn[001-002]");
    let card = world.answer_that(&asked, under_way).await;
    world.answer_that(&asked, |post| post.message.contains("waiting")).await;
    let began = Instant::now();
    service.signal(Signal::TERM);
    let told = heard(&world, "I will wait at most 2.0 s").await;
    assert!(told.contains("wait 600 on") && told.contains(&id_of(&card)) && told.contains("wn[001-002]"), "{told}");
    let refused = world.answer(&world.write("operator", "!uptime on wn001")).await;
    assert!(refused.message.contains("I am being stopped"), "{}", refused.message);
    let left = heard(&world, "I am stopping now").await;
    assert!(left.contains(&id_of(&card)) && left.contains("is not interrupted"), "{left}");
    assert_eq!(service.ended().code(), Some(0), "{}", service.log());
    assert!(began.elapsed().as_secs() >= 2, "the grace is given");
    // What runs on the nodes goes on, and nothing else was started.
    assert_eq!(world.started(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_twice_it_stops_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let world = world("[serve]\ngrace = 600").await;
        let mut service = Service::start(&world, false);
        heard(&world, "I am here").await;
        let asked = world.write("operator", "!wait 600 on wn001");
        world.answer_that(&asked, |post| post.message.contains("waiting")).await;
        service.signal(Signal::TERM);
        heard(&world, "I will wait at most 10 min").await;
        service.signal(second);
        assert_eq!(service.ended().code(), Some(1), "{}", service.log());
        assert!(service.log().contains("told twice to stop"), "{}", service.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_ends_with_one() {
    let world = world("").await;
    let taken = Service::start(&world, false);
    heard(&world, "I am here").await;
    let (code, said) = halcyon(&world, &["serve"]).await;
    assert_eq!(code, 1, "{said}");
    let holder = rustix::process::Pid::from_child(&taken.child).as_raw_nonzero();
    assert!(said.contains(&format!("is in use by another process (pid {holder}); a bot that runs on it")), "{said}");
    drop(taken);
}

/// A command that found no bot is the bot for a moment, and a start of the bot meanwhile is none that fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_has_the_store_is_waited_for() {
    let world = world("").await;
    let moment = Engine::start_alone(&world.config).await.unwrap();
    let holder = format!("(pid {}, a command that ends by itself)", std::process::id());
    let waits = || {
        let service = Service::start(&world, false);
        service.told(&format!("STATUS=waiting for the store, which another process has {holder}"));
        service.told("EXTEND_TIMEOUT_USEC=120000000");
        assert!(
            service.log().contains(&format!("is in use by another process {holder}; waiting")),
            "{}",
            service.log()
        );
        service
    };
    let mut stopped = waits();
    stopped.signal(Signal::TERM);
    assert_eq!(stopped.ended().code(), Some(0), "{}", stopped.log());
    let service = waits();
    moment.stop().await.unwrap();
    service.told("READY=1");
    heard(&world, "I am here").await;
    assert_eq!(service.log().matches("waiting for it").count(), 1, "{}", service.log());
}

/// The log has everything of a line under the id of its post: what was heard, matched, started, said, and how it ended; and none of its words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_the_story_of_a_line_under_one_id() {
    for format in ["json", "text"] {
        let world = world(&format!("[log]\nlevel = \"info,halcyon=debug\"\nformat = \"{format}\"")).await;
        let service = Service::start(&world, false);
        heard(&world, "I am here").await;
        let asked = world.write("operator", "!login with s3cr3t-word on wn001");
        world.answer(&asked).await;
        let end = Instant::now() + PATIENCE;
        let steps = [
            "post heard",
            "line taken",
            "execution started",
            "trial.login",
            "delivery promised",
            "run starts",
            "command ended",
            "wn001",
            "execution ended",
            "succeeded",
            "delivery stands",
        ];
        loop {
            let log = service.log();
            let story: Vec<&str> = log.lines().filter(|line| line.contains(&asked)).collect();
            let missing: Vec<_> = steps.iter().filter(|step| !story.iter().any(|line| line.contains(**step))).collect();
            assert!(!log.contains("s3cr3t-word"), "{log}");
            if missing.is_empty() {
                if format == "json" {
                    story.iter().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
                }
                break;
            }
            assert!(Instant::now() < end, "{missing:?} is missing in:\n{}", story.join("\n"));
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}
