//! Configuration and packs read again while the bot runs: both when somebody asks for it, the packs also when their files have changed.
//!
//! **A configuration with mistakes changes nothing.** **Of a file of a pack that has got mistakes the last version without stays in force**
//! ([`super::last_good`]). **What is sound is in force at once; mistakes are told when the files have been left alone for a while**, so that
//! nobody is alarmed by a file that is being written. **Work that runs goes on with what it was started with.** What cannot change in a running process is told by its
//! key, and keeps its value until the restart.

use super::engine::{self, Shared};
use super::last_good::{LastGood, Reading};
use crate::adapters::content::watch::PackWatch;
use crate::adapters::http::HttpRunner;
use crate::adapters::inventory;
use crate::adapters::local::LocalRunner;
use crate::adapters::mail::MailRunner;
use crate::adapters::ssh::SshRunner;
use crate::config::Config;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::host::Inventory;
use crate::core::input::{Back, Input, Principal};
use crate::core::vitals::{PackChange, Reload};
use crate::runtime::hearing::Hearing;
use crate::runtime::ports::ReloadCall;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where the configuration is read again from.
pub type Read = Arc<dyn Fn() -> Result<Config, Vec<Diagnostic>> + Send + Sync>;

/// How often it is looked whether the old runner for nodes is still needed.
const LOOK: Duration = Duration::from_secs(1);

/// For how long files are left alone before it is told what is wrong with them.
const LEFT_ALONE: Duration = Duration::from_secs(2);

/// Reads again whenever it is asked for, and the packs whenever their files have changed.
pub(super) struct Reloader {
    pub(super) read: Read,
    pub(super) current: Config,
    pub(super) good: LastGood,
    pub(super) watch: PackWatch,
    pub(super) shared: Shared,
    /// Ends the task that keeps the inventory.
    pub(super) inventory: CancellationToken,
    /// The monitorings that are listened to.
    pub(super) hearing: Hearing,
}

impl Reloader {
    /// Until nobody can ask any more, or `stop`.
    pub(super) async fn serve(mut self, mut calls: mpsc::UnboundedReceiver<ReloadCall>, stop: CancellationToken) {
        let serving = async {
            let mut untold: Option<(Instant, PackChange)> = None;
            loop {
                let due = untold.as_ref().map(|(due, _)| *due);
                tokio::select! {
                    call = calls.recv() => {
                        let Some(ReloadCall { by, back, done }) = call else { break };
                        let reload = self.reload().await;
                        // It names everything that is wrong.
                        untold = None;
                        self.tell((by, back), reload).await;
                        // Whoever wanted to know may have gone.
                        let _ = done.map(|done| done.send(()));
                    }
                    () = self.watch.changed() => {
                        let gone = untold.take().map(|(_, change)| change.gone).unwrap_or_default();
                        let mut change = self.take_changed().await;
                        change.gone.extend(gone);
                        untold = Some((Instant::now() + LEFT_ALONE, change));
                    }
                    () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                        if let Some((_, change)) = untold.take() {
                            // A loop that has ended tells nobody anything.
                            let _ = self.shared.inputs.send(Input::PacksChanged(change)).await;
                        }
                    }
                }
            }
        };
        stop.run_until_cancelled(serving).await;
    }

    async fn tell(&self, (by, back): (Option<Principal>, Option<Back>), reload: Reload) {
        for problem in &reload.problems {
            tracing::warn!("{problem}");
        }
        let Reload { in_force, changed, restart, .. } = &reload;
        tracing::info!(in_force, ?changed, ?restart, "configuration and packs read again");
        // A loop that has ended tells nobody anything.
        let _ = self.shared.inputs.send(Input::Reloaded { by, back, reload }).await;
    }

    async fn reload(&mut self) -> Reload {
        let read = Arc::clone(&self.read);
        let next = match tokio::task::spawn_blocking(move || read()).await {
            Ok(Ok(next)) => next,
            Ok(Err(problems)) => return refused(problems.iter().map(ToString::to_string)),
            Err(error) => {
                return refused([format!("reading the configuration failed, which is a bug of mine: {error}")]);
            }
        };
        if let Some(Err(missing)) = next.mattermost.as_ref().map(|chat| &chat.token) {
            return refused([missing.to_string()]);
        }
        let differences = differences(&self.current, &next);
        let next = kept(&self.current, next);
        let mut reload =
            Reload { in_force: true, changed: differences.live, restart: differences.restart, ..Reload::default() };
        reload.problems.extend(next.warnings.iter().map(ToString::to_string));
        self.take_parts(&next, &mut reload).await;
        self.take_settings(&next).await;
        self.take_content(&next, &mut reload).await;
        if next.inventory != self.current.inventory {
            self.take_inventory(&next).await;
        }
        self.current = next;
        reload
    }

    async fn take_settings(&self, next: &Config) {
        let settings = Arc::new(next.settings(self.shared.own_uid));
        self.shared.settings.send_replace(Arc::clone(&settings));
        let _ = self.shared.inputs.send(Input::Settings(settings)).await;
        let _ = self.shared.inputs.send(engine::master_key(next)).await;
    }

    /// The packs as they are now, in a configuration that may have changed.
    async fn take_content(&mut self, next: &Config, reload: &mut Reload) {
        if next.content != self.current.content {
            self.watch = PackWatch::new(next.content.packs.clone(), next.content.poll).await;
        }
        let Some(reading) = self.read_packs(&next.content.packs).await else {
            reload.problems.push("reading the packs failed, which is a bug of mine; the old ones stay in force".into());
            return;
        };
        let errors = reading.loaded.diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
        reload.problems.extend(errors.map(ToString::to_string));
        if reading.differing > 0 {
            let files = if reading.differing == 1 { "file" } else { "files" };
            reload.changed.push(format!("{} {files} of the packs", reading.differing));
        }
        self.put_in_force(reading).await;
    }

    /// The packs as they are now, since their files have changed.
    async fn take_changed(&mut self) -> PackChange {
        let packs = self.current.content.packs.clone();
        let Some(reading) = self.read_packs(&packs).await else {
            tracing::error!("reading the packs failed, which is a bug of mine; the old ones stay in force");
            return PackChange::default();
        };
        if reading.differing > 0 {
            tracing::info!(files = reading.differing, "files of packs have changed and are in force");
        }
        self.put_in_force(reading).await
    }

    async fn read_packs(&mut self, packs: &[PathBuf]) -> Option<Reading> {
        let (mut good, packs) = (std::mem::take(&mut self.good), packs.to_vec());
        // Many files are read, and nobody waits for this thread meanwhile.
        let read = tokio::task::spawn_blocking(move || {
            let reading = good.read(&packs);
            (good, reading)
        });
        let (good, reading) = read.await.ok()?;
        self.good = good;
        Some(reading)
    }

    async fn put_in_force(&self, reading: Reading) -> PackChange {
        let Reading { loaded, kept, gone, .. } = reading;
        self.shared.deciders.send_if_modified(|known| {
            let next = loaded.catalog.deciders();
            std::mem::replace(known, next.clone()) != next
        });
        let input = Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::new(loaded.diagnostics) };
        let _ = self.shared.inputs.send(input).await;
        PackChange { kept, gone }
    }

    async fn take_inventory(&mut self, next: &Config) {
        self.inventory.cancel();
        self.inventory = self.shared.stop.child_token();
        keep_inventory(next, &self.shared, &self.inventory).await;
    }

    /// Runners and chat. One that cannot be made leaves the old one in its place.
    async fn take_parts(&self, next: &Config, reload: &mut Reload) {
        let (shared, old) = (&self.shared, &self.current);
        if next.local != old.local {
            let local = LocalRunner::new(engine::local_options(next), Arc::clone(&shared.blobs));
            shared.sensors.set(Arc::new(local.clone()));
            shared.local.set(Arc::new(local));
            shared.http.set(Arc::new(HttpRunner::new(next.local.output_limit, Arc::clone(&shared.blobs))));
        }
        if next.mail != old.mail {
            shared.mail.set(Arc::new(MailRunner::new(engine::mail_options(next))));
        }
        if next.monitorings != old.monitorings || next.local != old.local {
            let runner = engine::monitoring_runner(next, &shared.blobs);
            if next.monitorings != old.monitorings && shared.chat.is_some() {
                self.hearing.hear(runner.all());
            }
            shared.monitorings.set(Arc::new(runner.clone()));
            shared.monitoring.set(Arc::new(runner));
        }
        if next.ssh != old.ssh {
            match SshRunner::open(engine::ssh_options(next), Arc::clone(&shared.blobs)).await {
                Ok(runner) => shared.exchange_remote(Arc::new(runner)),
                Err(problem) => fail(reload, "ssh", &problem.to_string()),
            }
        }
        if let (Some(chat), Some(new), Some(old)) = (&shared.chat, &next.mattermost, &old.mattermost)
            && (new.token != old.token || new.ca_file != old.ca_file)
        {
            match engine::chat(next, shared.pace, shared.callback_key.as_ref()) {
                Ok(Some(next)) => chat.set(next),
                Ok(None) => {}
                Err(problem) => fail(reload, "mattermost", &format!("{problem:#}")),
            }
        }
    }
}

fn refused(problems: impl IntoIterator<Item = String>) -> Reload {
    Reload { problems: problems.into_iter().collect(), ..Reload::default() }
}

/// A section could not be put in force.
fn fail(reload: &mut Reload, section: &str, why: &str) {
    reload.changed.retain(|key| !key.starts_with(section));
    reload.problems.push(format!("[{section}] stays as it was: {why}"));
}

/// Gives what the configuration says of hosts at once; what commands say comes when they have said it.
pub(super) async fn keep_inventory(config: &Config, shared: &Shared, stop: &CancellationToken) {
    let (options, known) = engine::inventory_options(config);
    let (first, _) = Inventory::build(&config.inventory.hosts, &known);
    let _ = shared.inputs.send(Input::Inventory(Arc::new(first))).await;
    let (changes, mut changed) = mpsc::channel(1);
    tokio::spawn(inventory::keep(options, changes, stop.clone()));
    let inputs = shared.inputs.clone();
    let stop = stop.clone();
    tokio::spawn(async move {
        while let Some((inventory, problems)) = changed.recv().await {
            for problem in problems {
                tracing::warn!("inventory: {}: {}", problem.key_path, problem.message);
            }
            if stop.is_cancelled() || inputs.send(Input::Inventory(Arc::new(inventory))).await.is_err() {
                break;
            }
        }
    });
}

/// Closes the connections of a runner once its last run has ended.
pub(super) fn retire(runner: Arc<SshRunner>, stop: CancellationToken) {
    tokio::spawn(async move {
        while Arc::strong_count(&runner) > 1 && !stop.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => {}
            }
        }
        runner.shutdown().await;
    });
}

/// Which keys differ, by what becomes of them.
#[derive(Debug, Default)]
struct Differences {
    live: Vec<String>,
    restart: Vec<String>,
}

fn differences(old: &Config, new: &Config) -> Differences {
    let mut found = Differences::default();
    let mut live = |differs: bool, key: &str| {
        if differs {
            found.live.push(key.to_owned());
        }
    };
    if let (Some(old), Some(new)) = (&old.mattermost, &new.mattermost) {
        live(old.token != new.token, "mattermost.token_file");
        live(old.ca_file != new.ca_file, "mattermost.ca_file");
        live(old.channels != new.channels, "mattermost.channels");
        live(old.alert_channel != new.alert_channel, "mattermost.alert_channel");
        live(old.admin_channel != new.admin_channel, "mattermost.admin_channel");
        live(old.address != new.address, "mattermost.address");
        live(old.prefix != new.prefix, "mattermost.prefix");
        live(old.late_after != new.late_after, "mattermost.late_after");
        live(old.mention_after != new.mention_after, "mattermost.mention_after");
        live(old.time_zone != new.time_zone, "mattermost.time_zone");
    }
    live(old.serve.grace != new.serve.grace, "serve.grace");
    live(old.content.packs != new.content.packs, "content.packs");
    live(old.content.configs != new.content.configs, "content.configs");
    live(old.datastore != new.datastore, "datastore.key_file");
    live(old.content.poll != new.content.poll, "content.poll");
    live(old.ssh != new.ssh, "ssh");
    live(old.local != new.local, "local");
    live(old.mail != new.mail, "mail");
    live(old.monitorings != new.monitorings, "monitoring");
    live(old.inventory != new.inventory, "inventory");
    live(old.limits != new.limits, "limits");
    live(old.guard != new.guard, "guards");
    live(old.settle != new.settle, "alerts.settle");
    live(old.storms != new.storms, "storms");
    live(old.escalation != new.escalation, "escalation");
    live(old.roles != new.roles, "access.roles");
    let mut restart = |differs: bool, key: &str| {
        if differs {
            found.restart.push(key.to_owned());
        }
    };
    match (&old.mattermost, &new.mattermost) {
        (Some(old), Some(new)) => {
            restart(old.url != new.url, "mattermost.url");
            restart(old.team != new.team, "mattermost.team");
            restart(old.callback_url != new.callback_url, "mattermost.callback_url");
            restart(old.callback_key != new.callback_key, "mattermost.callback_key_file");
            restart(old.calls_per_second != new.calls_per_second, "mattermost.calls_per_second");
            restart(old.calls_at_once != new.calls_at_once, "mattermost.calls_at_once");
        }
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => restart(true, "mattermost"),
    }
    restart(old.http != new.http, "http");
    restart(old.store.path != new.store.path, "store.path");
    restart(old.store.keep != new.store.keep, "store.keep");
    restart(old.store.keep_outputs != new.store.keep_outputs, "store.keep_outputs");
    restart(old.store.reserve != new.store.reserve, "store.reserve");
    restart(old.control != new.control, "control.socket");
    restart(old.log != new.log, "log");
    found
}

/// The new configuration with what only a restart can change as it was.
fn kept(old: &Config, mut new: Config) -> Config {
    (new.http, new.store, new.control, new.log) =
        (old.http.clone(), old.store.clone(), old.control.clone(), old.log.clone());
    new.mattermost = match (&old.mattermost, new.mattermost) {
        (Some(old), Some(mut new)) => {
            (new.url, new.team, new.callback_url) = (old.url.clone(), old.team.clone(), old.callback_url.clone());
            new.callback_key = old.callback_key.clone();
            (new.calls_per_second, new.calls_at_once) = (old.calls_per_second, old.calls_at_once);
            Some(new)
        }
        (old, _) => old.clone(),
    };
    new
}
