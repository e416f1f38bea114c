//! A site as it truly is: one node, its batch system, its monitoring and a mail server. What the actions of the pack do to it is modelled, and what
//! its machines tell afterwards.

use halcyon::core::action::run::{Begun, Captured, Exit, HostOutcome, Parting, RunNews, Work};
use halcyon::core::id::{ExecutionId, Host};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const NODE: &str = "wn001";
/// How long a reboot takes.
const REBOOT: SignedDuration = SignedDuration::from_secs(90);
/// How long a machine that does not answer is asked again.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// What becomes of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Story {
    /// It does as it should.
    Fine,
    /// It does not come back from its reboot.
    Broken,
    /// Its jobs do not end.
    Busy,
}

#[derive(Debug, Clone)]
pub(super) struct Site {
    story: Story,
    /// Why the node is out of service, where it is.
    pub(super) drained: Option<String>,
    jobs_until: Timestamp,
    boot: u32,
    booted: Timestamp,
    back: Timestamp,
    /// The kernel that runs, and the newest that is installed.
    kernels: (u32, u32),
    /// What its wrapper knows: the codes of what has ended there.
    notes: BTreeMap<(ExecutionId, u32), i32>,
    /// The same of the other machines.
    others: BTreeMap<(ExecutionId, u32), i32>,
    /// What was done.
    pub(super) did: Vec<&'static str>,
    pub(super) mails: Vec<String>,
}

impl Site {
    pub(super) fn new(story: Story, now: Timestamp) -> Self {
        let days = |days: i64| now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap();
        let jobs_until = match story {
            Story::Fine | Story::Broken => now.checked_add(SignedDuration::from_secs(150)).unwrap(),
            Story::Busy => Timestamp::MAX,
        };
        Self {
            story,
            drained: None,
            jobs_until,
            boot: 1,
            booted: days(20),
            back: days(20),
            kernels: (1, 1),
            notes: BTreeMap::new(),
            others: BTreeMap::new(),
            did: Vec::new(),
            mails: Vec::new(),
        }
    }

    /// How often something was done.
    pub(super) fn times(&self, what: &str) -> usize {
        self.did.iter().filter(|did| **did == what).count()
    }

    /// Whether the node runs the new kernel.
    pub(super) fn is_new(&self) -> bool {
        self.kernels.0 == 2
    }

    fn is_away(&self, host: &str, now: Timestamp) -> bool {
        host == NODE && now < self.back
    }

    /// When the node will answer again.
    pub(super) fn back(&self) -> Timestamp {
        self.back
    }

    /// An action is carried out; gives how it ends and what it writes.
    pub(super) fn act(
        &mut self,
        action: &str,
        work: &Work,
        (id, attempt): (&ExecutionId, u32),
        now: Timestamp,
    ) -> (Exit, String) {
        let fine = |text: String| (Exit::Code { code: 0 }, text);
        let host = place(work).to_string();
        if self.is_away(&host, now) {
            return (Exit::Unreachable { why: "nobody answers".to_owned() }, String::new());
        }
        let done = match action {
            "site.batch_state" => {
                let jobs = u32::from(now < self.jobs_until);
                let offline = self.drained.is_some();
                let state = match (offline, jobs) {
                    (false, 0) => "idle",
                    (false, _) => "mixed",
                    (true, 0) => "drained",
                    (true, _) => "draining",
                };
                let ours = self.drained.as_ref().is_some_and(|why| why.starts_with("halcyon: "));
                fine(json!({"state": state, "offline": offline, "down": false, "ours": ours, "jobs": jobs}).to_string())
            }
            "site.boot" => {
                let (runs, newest) = (format!("5.14.0-{}", self.kernels.0), format!("5.14.0-{}", self.kernels.1));
                let began = self.booted.as_second();
                fine(
                    json!({"id": format!("boot-{}", self.boot), "began": began, "kernel": runs, "newest": newest})
                        .to_string(),
                )
            }
            "site.monitoring_state" => {
                let host_state = i32::from(now < self.back);
                fine(json!([["Ping", 2 * host_state, now.as_second(), host_state]]).to_string())
            }
            "site.batch_offline" => {
                self.did.push("drain");
                let Work::Remote(remote) = work else { panic!("{work:?}") };
                self.drained = Some(format!("halcyon: {}", remote.command.env["REASON"].reveal()));
                fine(String::new())
            }
            "site.batch_online" => {
                self.did.push("resume");
                self.drained = None;
                fine(String::new())
            }
            "site.install_kernel" => {
                self.did.push("install");
                self.kernels.1 = 2;
                fine("Complete!".to_owned())
            }
            "site.begin_reboot" => {
                self.did.push("reboot");
                self.boot += 1;
                self.kernels.0 = self.kernels.1;
                self.back = match self.story {
                    Story::Broken => Timestamp::MAX,
                    Story::Fine | Story::Busy => now.checked_add(REBOOT).unwrap(),
                };
                self.booted = self.back;
                self.notes.clear();
                return (Exit::Left, String::new());
            }
            "site.email_notify" => {
                let Work::Mail(letter) = work else { panic!("{work:?}") };
                self.mails.push(letter.subject.clone());
                return fine("Successfully sent mail".to_owned());
            }
            other => panic!("{other}"),
        };
        let notes = if host == NODE { &mut self.notes } else { &mut self.others };
        notes.insert((id.clone(), attempt), 0);
        done
    }

    /// What a machine tells of a command that was begun before, as `runtime::attend` has it; nothing while it does not answer, and is still asked.
    pub(super) fn told(
        &self,
        work: &Work,
        id: &ExecutionId,
        (host, begun): (&Host, &Begun),
        (asked, now): (Timestamp, Timestamp),
    ) -> Option<RunNews> {
        let since = |then: Timestamp| now.duration_since(then);
        let why = || "as the machine says".to_owned();
        let sure = |exit| Some(RunNews::HostFinished { host: host.clone(), outcome: silent(exit) });
        let lost = |exit| Some(RunNews::HostLost { host: host.clone(), outcome: silent(exit) });
        let Work::Remote(remote) = work else { return lost(Exit::Unknown { why: why() }) };
        if self.is_away(host.as_str(), now) {
            return if since(asked) >= PATIENCE { sure(Exit::Unknown { why: why() }) } else { None };
        }
        let here = host.as_str() == NODE;
        let age = SignedDuration::try_from(begun.ago).unwrap() + since(asked);
        let up = if here { since(self.booted) } else { SignedDuration::from_hours(1_000) };
        if remote.command.parting == Parting::Leaves && up < age {
            return sure(Exit::Left);
        }
        let notes = if here { &self.notes } else { &self.others };
        match notes.get(&(id.clone(), begun.attempt)) {
            Some(code) => sure(Exit::Unheard { code: *code }),
            None if up <= age + SignedDuration::from_mins(1) => lost(Exit::Unknown { why: why() }),
            None => lost(Exit::NeverBegan { why: why() }),
        }
    }
}

/// Where a run does its work: every action of the pack is for one machine.
pub(super) fn place(work: &Work) -> Host {
    match work {
        Work::Remote(remote) => {
            assert_eq!(remote.hosts.len(), 1);
            remote.hosts[0].host.clone()
        }
        Work::Mail(_) | Work::Monitoring(_) => Host::new("localhost"),
        Work::Local(_) | Work::Http(_) => panic!("{work:?}"),
    }
}

pub(super) fn silent(exit: Exit) -> Box<HostOutcome> {
    Box::new(HostOutcome { exit, stdout: Captured::empty(), stderr: Captured::empty(), seconds: 0.1 })
}

/// The patience of those who ask, for the clock.
pub(super) const ASKED_FOR: Duration = Duration::from_secs(600);
