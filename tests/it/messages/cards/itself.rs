//! What the bot says of itself: its coming and going, its files, its store.

use halcyon::core::message::card::{BrokenFile, Card, StillRunning, UnreadPart};
use halcyon::core::message::markdown;

fn still_running() -> Vec<StillRunning> {
    vec![
        StillRunning { id: "5c61ab".into(), line: markdown::code("reboot wn001"), hosts: markdown::code("wn001") },
        StillRunning { id: "5c61ac".into(), line: markdown::code("report"), hosts: String::new() },
    ]
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    vec![
        ("another instance", Card::OtherInstance { other: "0123456789abcdef".into(), own: "fedcba9876543210".into() }),
        (
            "not all was read",
            Card::Unread {
                parts: vec![
                    UnreadPart { channel: String::new(), before: "2026-11-22 10:00 UTC".into() },
                    UnreadPart { channel: "cluster".into(), before: String::new() },
                ],
            },
        ),
        ("stopping", Card::Stopping),
        ("going away quietly", Card::GoingAway { running: vec![], more: 0, grace: "30 s".into() }),
        ("going away", Card::GoingAway { running: still_running(), more: 2, grace: "30 s".into() }),
        ("left running", Card::LeftRunning { running: still_running(), more: 0 }),
        (
            "reloaded",
            Card::Reloaded {
                in_force: true,
                changed: vec!["`access.roles`".into(), "2 files of the packs".into()],
                restart: vec!["store.path".into()],
                problems: vec!["aliases/uptime.yaml:3: formts: unknown key".into()],
                more: 1,
            },
        ),
        (
            "reloaded without a change",
            Card::Reloaded { in_force: true, changed: vec![], restart: vec![], problems: vec![], more: 0 },
        ),
        (
            "not reloaded",
            Card::Reloaded {
                in_force: false,
                changed: vec![],
                restart: vec![],
                problems: vec!["config.toml:6: mattermost.chanels: unknown key".into()],
                more: 0,
            },
        ),
        (
            "files of packs with mistakes, and without them again",
            Card::PacksChanged {
                broken: vec![
                    BrokenFile {
                        file: "aliases/uptime.yaml".into(),
                        kept: true,
                        problems: vec![
                            "aliases/uptime.yaml:3: formts: unknown key; did you mean \"formats\"?".into(),
                            "aliases/uptime.yaml:4: enabled: must be true or false, not `*perhaps*`".into(),
                        ],
                        more: 3,
                    },
                    BrokenFile {
                        file: "actions/new.yaml".into(),
                        kept: false,
                        problems: vec!["actions/new.yaml: the file is empty".into()],
                        more: 0,
                    },
                ],
                more: 2,
                mended: vec!["aliases/reboot.yaml".into(), "actions/odd`name.yaml".into()],
                gone: vec!["policies/old.yaml".into()],
            },
        ),
        (
            "a file without mistakes again",
            Card::PacksChanged { broken: vec![], more: 0, mended: vec!["aliases/x.yaml".into()], gone: vec![] },
        ),
        ("a look-up that failed", Card::LookUpFailed { why: "cannot read log/1.facts: I/O error".into() }),
        (
            "little room",
            Card::LittleRoom { action: "site.uptime".into(), free: "17 MiB".into(), reserve: "64 MiB".into() },
        ),
        ("the store refuses", Card::StoreRefuses { why: "cannot write to log/1.facts: no space left".into() }),
        ("the store takes facts again", Card::StoreRecovered),
        (
            "frozen by somebody",
            Card::Frozen {
                action: "site.reboot".into(),
                why: "a storm is on the way".into(),
                by: "lead".into(),
                who: vec!["lead".into(), "chief".into()],
            },
        ),
        (
            "frozen by itself, and nobody has the right to end it in chat",
            Card::Frozen {
                action: "site.reboot".into(),
                why: "my store was damaged".into(),
                by: String::new(),
                who: vec![],
            },
        ),
        ("freeze", Card::FreezeChanged { frozen: true, before: false, why: "a storm".into() }),
        ("freeze once more", Card::FreezeChanged { frozen: true, before: true, why: "a storm".into() }),
        ("unfreeze", Card::FreezeChanged { frozen: false, before: true, why: String::new() }),
        ("unfreeze what is not frozen", Card::FreezeChanged { frozen: false, before: false, why: String::new() }),
        ("not for everybody", Card::NotAdmin { command: "freeze".into(), who: vec!["lead".into()] }),
        (
            "started quietly",
            Card::Started { version: "0.1.0".into(), interrupted: 0, problems: vec![], more: 0, frozen: String::new() },
        ),
        (
            "started frozen",
            Card::Started {
                version: "0.1.0".into(),
                interrupted: 0,
                problems: vec![],
                more: 0,
                frozen: "my store was damaged; the old one is kept in store/damaged-2026-01-01T00-00-00Z".into(),
            },
        ),
        (
            "started",
            Card::Started {
                version: "0.1.0".into(),
                interrupted: 2,
                problems: vec!["aliases/uptime.yaml:3: formts: unknown key".into()],
                more: 3,
                frozen: String::new(),
            },
        ),
    ]
}
