//! Who did what.

use halcyon::core::message::card::{AuditRow, Card};
use halcyon::core::message::markdown;

fn audit_row(number: u64, event: &'static str, about: &str) -> AuditRow {
    AuditRow {
        number,
        at: "14:02 CET".into(),
        event,
        mark: "",
        who: "operator".into(),
        about: about.into(),
        id: "5c61ab".into(),
        count: 24,
        hosts: markdown::code("wn[001-024]"),
        status: "",
        failed: String::new(),
        reason: String::new(),
        took: String::new(),
    }
}

fn audit_verified(flaws: &[&str], entries: u64, checkpoints: usize) -> Card {
    Card::AuditVerified {
        sound: flaws.is_empty(),
        entries,
        first: entries.min(1),
        number: entries,
        hash: "3f0c".repeat(16),
        checkpoints,
        flaws: flaws.iter().map(|flaw| (*flaw).to_owned()).collect(),
        more: flaws.len() / 2,
    }
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    vec![
        (
            "entries of the audit",
            Card::Audit {
                rows: vec![
                    audit_row(17, "started", "`reboot wn[001-024]`"),
                    AuditRow {
                        mark: "x",
                        count: 0,
                        status: "failed",
                        failed: markdown::code("wn007"),
                        took: "12 s".into(),
                        who: String::new(),
                        ..audit_row(18, "ended", "`reboot wn[001-024]`")
                    },
                    AuditRow {
                        mark: "no_entry",
                        id: String::new(),
                        count: 0,
                        reason: "needs run:site.reboot".into(),
                        ..audit_row(19, "refused", "`reboot wn001`")
                    },
                    AuditRow {
                        mark: "ice_cube",
                        id: String::new(),
                        count: 0,
                        reason: "a *storm*".into(),
                        ..audit_row(20, "frozen", "")
                    },
                ],
                words: "last 4".into(),
                since: 0,
            },
        ),
        (
            "entries of the audit that were looked for in a part of it",
            Card::Audit {
                rows: vec![AuditRow {
                    count: 1,
                    hosts: "`wn001`".into(),
                    ..audit_row(17, "started", "`reboot wn001`")
                }],
                words: "operator".into(),
                since: 12,
            },
        ),
        ("no entries of the audit", Card::Audit { rows: vec![], words: String::new(), since: 0 }),
        ("none that is like that", Card::Audit { rows: vec![], words: "nobody".into(), since: 0 }),
        ("a sound audit", audit_verified(&[], 4711, 2)),
        ("a sound audit without checkpoints", audit_verified(&[], 1, 0)),
        ("an audit without entries", audit_verified(&[], 0, 0)),
        (
            "an audit that was tampered with",
            audit_verified(&["entry 12 was changed: its hash is another", "entries 20 to 31 are missing"], 4711, 2),
        ),
        ("a checkpoint", Card::Checkpoint { number: 4711, hash: "3f0c".repeat(16), daily: false }),
        ("a checkpoint by itself", Card::Checkpoint { number: 4711, hash: "3f0c".repeat(16), daily: true }),
        ("no checkpoint", Card::Checkpoint { number: 0, hash: "0".repeat(64), daily: false }),
    ]
}
