//! From what is written to what is meant: names, paths, addresses, words, and what does not go together.

use super::document::{Document, Spot, closest};
use super::inventory::{self, GroupSource};
use super::validated::{
    CALLS_AT_ONCE, CALLS_PER_SECOND, Config, HostKeys, Http, LATE_AFTER, Log, LogFormat, MENTION_AFTER, Mattermost, Ssh,
};
use super::{Environment, Network, file, secret};
use crate::core::callback::signature::CallbackKey;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::datastore::seal::MasterKey;
use crate::core::message::zone::named_zone;
use crate::core::rule::guard::Guard;
use crate::core::settings::{Address, Limits};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Turns what is written into what is meant, and collects what cannot be meant.
pub(super) struct Judge<'d, 't, 'e> {
    pub(super) document: &'d Document<'t>,
    pub(super) environment: &'e Environment,
    pub(super) directory: PathBuf,
}

impl Judge<'_, '_, '_> {
    /// Nothing when a key that cannot be done without is missing or useless; the problem is then reported.
    pub(super) fn config(&self, path: &Path, file: file::File) -> Option<Config> {
        let mut config = Config::of_pack(&self.directory);
        config.file = path.to_owned();
        if let Some(store) = self.path(file.store_path.as_ref()) {
            if let Some(spot) = file.store_path.as_ref().filter(|_| store.is_file()) {
                let hint = Some("name a directory, which is made where there is none".to_owned());
                self.document.problem(spot, format!("{} is a file", store.display()), hint);
            }
            config.control.socket = store.join("control.sock");
            config.store.path = store;
        }
        if let Some(keep) = file.store_keep {
            config.store.keep = (!keep.value.is_zero()).then_some(keep.value);
        }
        if let Some(keep) = file.store_keep_outputs {
            config.store.keep_outputs = (!keep.value.is_zero()).then_some(keep.value);
        }
        if let Some(reserve) = file.store_reserve {
            config.store.reserve = reserve.value;
        }
        if let Some(socket) = self.path(file.control_socket.as_ref()) {
            config.control.socket = socket;
        }
        if let Some(grace) = file.grace {
            config.serve.grace = grace.value;
        }
        if let Some(packs) = file.packs {
            config.content.packs = self.packs(&packs);
        }
        if let Some(poll) = file.poll {
            config.content.poll = poll.value;
        }
        if let Some(configs) = self.path(file.configs.as_ref()) {
            if let Some(spot) = file.configs.as_ref().filter(|_| !configs.is_dir()) {
                let hint = Some("name the directory that holds a file PACK.yaml for each pack".to_owned());
                self.document.warning(spot, format!("{} is not a directory", configs.display()), hint);
            }
            let usual = std::mem::replace(&mut config.content.configs, configs);
            config.content.packs.retain(|path| *path != usual);
        }
        config.content.take_configs();
        self.datastore(&mut config, file.datastore, file.key_file.as_ref());
        self.ssh(&mut config.ssh, file.ssh);
        config.local.run_as = file.run_as.as_ref().and_then(|spot| self.account(spot));
        if let Some(limit) = file.local_output_limit {
            config.local.output_limit = limit.value;
        }
        let mail_wanted = file.mail.is_some();
        config.mail = file.mail.and_then(|written| self.mail(written));
        let monitorings = self.monitorings(file.monitorings);
        let monitorings_sound = monitorings.is_some();
        config.monitorings = monitorings.unwrap_or_default();
        limits(&mut config.limits, &file.limits);
        guards(&mut config.guard, &file.guards);
        if let Some(settle) = &file.alerts.settle {
            config.settle = settle.value;
        }
        super::alerts::take_storms(&mut config.storms, &file.storms);
        let hosts = file.hosts.as_ref().map(|hosts| hosts.value.clone()).unwrap_or_default();
        let places = file.groups.iter().map(|(name, spot)| (name.clone(), spot.with(()))).collect();
        config.inventory.hosts = self.words(file.hosts);
        config.inventory.groups = self.groups(file.groups);
        inventory::check(self.document, &config.inventory, &hosts, &places);
        let groups = config.inventory.groups.keys().cloned().collect();
        config.escalation = self.escalation(file.escalation, &groups);
        config.roles = self.roles(file.access.roles, &groups);
        self.rbac(file.access.rbac.as_ref(), &mut config);
        config.chat_users = self.chat_users(file.access.chat_users);
        self.log(&mut config.log, file.log_level, file.log_format);
        let http_place = file.http.as_ref().map(|http| http.place.clone());
        let (http_wanted, chat_wanted) = (file.http.is_some(), file.mattermost.is_some());
        config.http = file.http.and_then(|http| self.http(&http));
        config.mattermost = file.mattermost.and_then(|chat| self.mattermost(chat, http_place.is_some()));
        if let Some(Some(Err(broken))) = config.mattermost.as_ref().map(|chat| &chat.callback_key) {
            config.warnings.push(Diagnostic { severity: Severity::Warning, ..broken.clone() });
        }
        if let Some(Err(missing)) = config.mattermost.as_ref().map(|chat| &chat.token) {
            let severity = Severity::Warning;
            let message = format!("{} (`halcyon serve` cannot start without)", missing.message);
            config.warnings.push(Diagnostic { severity, message, ..missing.clone() });
        }
        if let Some((_, Err(missing))) = config.mail.as_ref().and_then(|mail| mail.login.as_ref()) {
            let severity = Severity::Warning;
            let message = format!("{} (no mail is sent without)", missing.message);
            config.warnings.push(Diagnostic { severity, message, ..missing.clone() });
        }
        for monitoring in &config.monitorings {
            if let (Err(missing), false) = (&monitoring.secret, monitoring.open) {
                let severity = Severity::Warning;
                let message = format!("{} (the monitoring cannot be asked without)", missing.message);
                config.warnings.push(Diagnostic { severity, message, ..missing.clone() });
            }
        }
        let whole = http_wanted == config.http.is_some()
            && chat_wanted == config.mattermost.is_some()
            && mail_wanted == config.mail.is_some()
            && monitorings_sound;
        whole.then_some(config)
    }

    /// The master key. Where nobody speaks of one there is no need for one.
    fn datastore(&self, config: &mut Config, place: Option<Spot<()>>, key_file: Option<&Spot<String>>) {
        let spoken_of = place.is_some();
        let place = place.unwrap_or_else(|| Spot { value: (), line: None, key_path: "datastore".to_owned() });
        let path = self.path(key_file);
        let written = secret::fetch(
            "master key",
            self.document,
            self.environment,
            "HALCYON_DATASTORE_KEY",
            "datastore.key",
            "key_file",
            key_file.zip(path.as_deref()),
            &place,
        );
        let key = written.and_then(|written| {
            MasterKey::read(written.reveal()).map_err(|problem| {
                let hint = Some("`halcyon key create-master-key FILE` makes one".to_owned());
                let at = key_file.map_or_else(|| place.clone(), |spot| spot.with(()));
                self.document.diagnostic(Severity::Error, &at, format!("the master key is of no use: {problem}"), hint)
            })
        });
        if let (true, Err(missing)) = (spoken_of, &key) {
            let message = format!("{} (secrets of the datastore can be neither sealed nor opened)", missing.message);
            config.warnings.push(Diagnostic { severity: Severity::Warning, message, ..missing.clone() });
        }
        config.datastore.key_file = path;
        config.datastore.key = key;
    }

    fn mattermost(&self, chat: file::Mattermost, http: bool) -> Option<Mattermost> {
        let url = self.required(&chat.place, chat.url.as_ref(), "url", "https://chat.example.org");
        let url = url.and_then(|spot| self.url(&spot, true));
        let team = self.required(&chat.place, chat.team.as_ref(), "team", "ops").and_then(|spot| self.name(&spot));
        let token_path = self.path(chat.token_file.as_ref());
        let token_file = chat.token_file.as_ref().zip(token_path.as_deref());
        let token = secret::fetch(
            "token",
            self.document,
            self.environment,
            "HALCYON_MATTERMOST_TOKEN",
            "mattermost.token",
            "token_file",
            token_file,
            &chat.place,
        );
        let callback_url = chat.callback_url.and_then(|spot| {
            if !http {
                let hint = Some("add [http] with `listen`".to_owned());
                self.document.problem(&spot, "there is no [http] that a callback could reach", hint);
            }
            self.url(&spot, false)
        });
        let callback_key = self.callback_key(chat.callback_key_file.as_ref(), &chat.place);
        let channels = self.names(chat.channels);
        if channels.is_empty() && !self.document.complained("mattermost.channels") {
            let at = Spot { key_path: "mattermost.channels".to_owned(), ..chat.place.clone() };
            self.document.warning(&at, "no channel is named: the bot hears direct messages only", None);
        }
        let address = chat.address.map_or_else(
            || vec![Address::Mention, Address::Prefix],
            |words| words.value.iter().filter_map(|word| self.address(word)).collect(),
        );
        let prefix = match chat.prefix {
            None => "!".to_owned(),
            Some(spot) => {
                if spot.value.trim().is_empty() && address.contains(&Address::Prefix) {
                    let hint = Some("use a mark such as \"!\", or leave \"prefix\" out of `address`".to_owned());
                    self.document.problem(&spot, "an empty prefix stands before every line", hint);
                } else if spot.value.starts_with('/') {
                    let hint = Some("Mattermost keeps lines that begin with / for itself".to_owned());
                    self.document.warning(&spot, "the bot will never hear such a line", hint);
                }
                spot.value
            }
        };
        let ca_file = self.path(chat.ca_file.as_ref());
        if let (Some(spot), Some(path)) = (chat.ca_file.as_ref(), ca_file.as_deref()) {
            self.readable(spot, path);
        }
        let time_zone = chat.time_zone.map_or_else(String::new, |spot| {
            if named_zone(&spot.value).is_none() {
                let hint = Some("it is an IANA name such as `Europe/Berlin`, or `UTC`".to_owned());
                self.document.problem(&spot, "names no time zone", hint);
            }
            spot.value
        });
        let alert_channel = chat.alert_channel.and_then(|spot| self.name(&spot));
        let admin_channel = chat.admin_channel.and_then(|spot| self.name(&spot));
        Some(Mattermost {
            url: url?,
            token,
            team: team?,
            channels,
            alert_channel,
            admin_channel,
            address,
            prefix,
            callback_url,
            callback_key,
            ca_file,
            late_after: chat.late_after.map_or(LATE_AFTER, |spot| spot.value),
            mention_after: chat.mention_after.map_or(MENTION_AFTER, |spot| spot.value),
            time_zone,
            calls_per_second: calls(chat.calls_per_second, CALLS_PER_SECOND),
            calls_at_once: calls(chat.calls_at_once, CALLS_AT_ONCE),
        })
    }

    /// The key of the callbacks, where the site gives one.
    fn callback_key(&self, file: Option<&Spot<String>>, place: &Spot<()>) -> Option<Result<CallbackKey, Diagnostic>> {
        let (variable, credential) = ("HALCYON_CALLBACK_KEY", "mattermost.callback_key");
        if file.is_none() && !secret::is_given(self.environment, variable, credential) {
            return None;
        }
        let path = self.path(file);
        let named = file.zip(path.as_deref());
        let (document, environment) = (self.document, self.environment);
        let key = "callback_key_file";
        let written = secret::fetch("callback key", document, environment, variable, credential, key, named, place);
        Some(written.and_then(|written| {
            CallbackKey::read(written.reveal()).map_err(|problem| {
                let at = file.map_or_else(|| place.clone(), |spot| spot.with(()));
                let hint = Some("leave it out, and the bot makes one of its own".to_owned());
                document.diagnostic(Severity::Error, &at, format!("the callback key is of no use: {problem}"), hint)
            })
        }))
    }

    fn http(&self, http: &file::Http) -> Option<Http> {
        for spot in [&http.tls_cert_file, &http.tls_key_file].into_iter().flatten() {
            let hint = "leave it out and put a proxy that speaks TLS in front; bind `listen` to 127.0.0.1".to_owned();
            self.document.problem(spot, "TLS is not built in this version", Some(hint));
        }
        let allow = http.allow.iter().flat_map(|list| &list.value);
        let allow = allow.filter_map(|spot| self.parsed(spot, |text| text.parse::<Network>())).collect();
        let listen = self.required(&http.place, http.listen.as_ref(), "listen", "127.0.0.1:8070")?;
        let listen = self.parsed(&listen, |text| {
            text.parse::<SocketAddr>()
                .map_err(|_| format!("`{text}` is not an address with a port, such as 127.0.0.1:8070"))
        })?;
        Some(Http { listen, allow })
    }

    fn packs(&self, packs: &Spot<Vec<Spot<String>>>) -> Vec<PathBuf> {
        if packs.value.is_empty() && !self.document.complained(&packs.key_path) {
            self.document.warning(packs, "no pack is named: there are only the built-in actions", None);
        }
        let mut paths = Vec::new();
        for spot in &packs.value {
            let Some(path) = self.path(Some(spot)) else { continue };
            if !path.is_dir() {
                let hint = Some("name the directory that holds the pack's pack.yaml".to_owned());
                self.document.problem(spot, format!("{} is not a directory", path.display()), hint);
            } else if paths.contains(&path) {
                self.document.problem(spot, "this pack is named twice", None);
            } else {
                paths.push(path);
            }
        }
        paths
    }

    fn ssh(&self, ssh: &mut Ssh, file: file::Ssh) {
        ssh.config_file = self.path(file.config_file.as_ref());
        if let (Some(spot), Some(path)) = (file.config_file.as_ref(), ssh.config_file.as_deref()) {
            self.readable(spot, path);
        }
        ssh.known_hosts_file = self.path(file.known_hosts_file.as_ref());
        if let Some(spot) = file.known_hosts {
            let known = [("strict", HostKeys::Strict), ("accept-new", HostKeys::AcceptNew)];
            ssh.known_hosts = self.word(&spot, &known).unwrap_or(HostKeys::Strict);
        }
        if let Some(spot) = file.max_parallel {
            ssh.max_parallel = usize::try_from(spot.value).unwrap_or(usize::MAX);
        }
        if let Some(spot) = file.connect_timeout {
            ssh.connect_timeout = spot.value;
        }
        if let Some(spot) = file.output_limit {
            ssh.output_limit = spot.value;
        }
    }

    fn groups(&self, written: Vec<(String, Spot<file::Group>)>) -> BTreeMap<String, GroupSource> {
        let mut groups = BTreeMap::new();
        for (name, spot) in written {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
                let hint = Some("use letters, digits, `.`, `_` and `-`; it is written @name in chat".to_owned());
                self.document.problem(&spot, format!("`{name}` is not a name for a group"), hint);
            }
            let place = spot.with(());
            let source = match spot.value {
                file::Group::Members(members) => {
                    GroupSource::Members(members.into_iter().map(|member| member.value).collect())
                }
                file::Group::Command { command, refresh } => {
                    let Some(command) = self.required(&place, command.as_ref(), "command", "sinfo -h -o %N") else {
                        continue;
                    };
                    let refresh = refresh.map_or(Duration::from_secs(300), |spot| spot.value);
                    GroupSource::Command { command: command.value, refresh }
                }
            };
            groups.insert(name, source);
        }
        groups
    }

    fn address(&self, spot: &Spot<String>) -> Option<Address> {
        self.word(spot, &[("mention", Address::Mention), ("prefix", Address::Prefix), ("bare", Address::Bare)])
    }

    fn log(&self, log: &mut Log, level: Option<Spot<String>>, format: Option<Spot<String>>) {
        if let Some(spot) = level {
            match spot.value.parse::<tracing_subscriber::EnvFilter>() {
                Ok(_) => log.level = spot.value,
                Err(error) => {
                    let hint = Some("use error, warn, info, debug or trace".to_owned());
                    self.document.problem(&spot, format!("`{}` is not a filter: {error}", spot.value), hint);
                }
            }
        }
        if let Some(spot) = format {
            let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
            log.format = self.word(&spot, &formats).unwrap_or(LogFormat::Text);
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, spot: &Spot<String>, known: &[(&'static str, T)]) -> Option<T> {
        if let Some((_, meaning)) = known.iter().find(|(word, _)| *word == spot.value) {
            return Some(*meaning);
        }
        let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
        let hint = match closest(&spot.value, &words) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("known here: {}", words.join(", ")),
        };
        self.document.problem(spot, format!("`{}` is not known", spot.value), Some(hint));
        None
    }

    pub(super) fn required(
        &self,
        place: &Spot<()>,
        value: Option<&Spot<String>>,
        key: &str,
        example: &str,
    ) -> Option<Spot<String>> {
        let key_path = format!("{}.{key}", place.key_path);
        let at = Spot { key_path, ..place.clone() };
        match value {
            Some(spot) if !spot.value.trim().is_empty() => return Some(spot.clone()),
            Some(spot) => self.document.problem(spot, "is empty", None),
            // A value of the wrong type has been complained about at its own line.
            None if self.document.complained(&at.key_path) => {}
            None => self.document.problem(&at, "is missing", Some(format!("write `{key} = \"{example}\"`"))),
        }
        None
    }

    fn parsed<T>(&self, spot: &Spot<String>, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(spot.value.trim()) {
            Ok(value) => Some(value),
            Err(message) => {
                self.document.problem(spot, message, None);
                None
            }
        }
    }

    /// A web address without the slash at its end. One that carries the token has to be encrypted unless it stays on this machine.
    pub(super) fn url(&self, spot: &Spot<String>, carries_token: bool) -> Option<String> {
        let text = spot.value.trim().trim_end_matches('/');
        let url = match reqwest::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
            _ => {
                let hint = Some("write it whole, such as \"https://chat.example.org\"".to_owned());
                self.document.problem(spot, format!("`{text}` is not a web address"), hint);
                return None;
            }
        };
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            self.document.problem(spot, "has a user, a question mark or a # in it", Some("leave that out".to_owned()));
        }
        let host = url.host_str().unwrap_or_default();
        let loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if carries_token && url.scheme() == "http" && !loopback {
            self.document.warning(spot, "the token travels unencrypted", Some("use https".to_owned()));
        }
        Some(text.to_owned())
    }

    /// The name of a channel or a team as it stands in its address, which is not the one that is shown.
    pub(super) fn name(&self, spot: &Spot<String>) -> Option<String> {
        let name = spot.value.trim().trim_start_matches(['~', '#']);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            let hint = "use the name in its web address: lower-case letters, digits, `-` and `_`".to_owned();
            self.document.problem(spot, format!("`{}` is not such a name", spot.value), Some(hint));
            return None;
        }
        Some(name.to_owned())
    }

    pub(super) fn names(&self, list: Option<Spot<Vec<Spot<String>>>>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in list.iter().flat_map(|list| &list.value).filter_map(|spot| self.name(spot)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// A list of words that are not empty.
    pub(super) fn words(&self, list: Option<Spot<Vec<Spot<String>>>>) -> Vec<String> {
        let mut words = Vec::new();
        for spot in list.iter().flat_map(|list| &list.value) {
            match spot.value.trim() {
                "" => self.document.problem(spot, "is empty", None),
                word => words.push(word.to_owned()),
            }
        }
        words
    }

    fn account(&self, spot: &Spot<String>) -> Option<String> {
        let name = spot.value.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-$".contains(c);
        if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
            self.document.problem(spot, format!("`{name}` is not the name of an account"), None);
            return None;
        }
        Some(name.to_owned())
    }

    pub(super) fn path(&self, spot: Option<&Spot<String>>) -> Option<PathBuf> {
        let spot = spot?;
        let text = spot.value.trim();
        if text.is_empty() {
            self.document.problem(spot, "is empty", None);
            return None;
        }
        if text.starts_with('~') {
            let hint = Some("write the path out; nothing expands the ~ here".to_owned());
            self.document.problem(spot, format!("`{text}` begins with ~"), hint);
            return None;
        }
        let joined = self.directory.join(text);
        // `.` and doubled slashes go, so that messages show the path as people write it.
        Some(joined.components().collect())
    }

    pub(super) fn readable(&self, spot: &Spot<String>, path: &Path) {
        if let Err(error) = std::fs::File::open(path) {
            self.document.warning(spot, format!("cannot read {}: {error}", path.display()), None);
        }
    }
}

/// A number of calls; its bounds were checked when it was read.
fn calls(written: Option<Spot<u64>>, usual: u32) -> u32 {
    written.and_then(|spot| u32::try_from(spot.value).ok()).unwrap_or(usual)
}

fn guards(guard: &mut Guard, written: &file::Guards) {
    if let Some(cooldown) = &written.cooldown {
        guard.cooldown = cooldown.value;
    }
    for (number, written) in [(&mut guard.per_hour, &written.per_hour), (&mut guard.failures, &written.failures)] {
        if let Some(spot) = written {
            *number = u32::try_from(spot.value).unwrap_or(u32::MAX);
        }
    }
}

fn limits(limits: &mut Limits, written: &file::Limits) {
    let pairs = [
        (&mut limits.executions, &written.executions),
        (&mut limits.executions_per_user, &written.executions_per_user),
        (&mut limits.lines_per_user, &written.lines_per_user),
        (&mut limits.lines_per_channel, &written.lines_per_channel),
        (&mut limits.scheduled_per_user, &written.scheduled_per_user),
        (&mut limits.approvals_per_user, &written.approvals_per_user),
        (&mut limits.workflow_tasks, &written.workflow_tasks),
        (&mut limits.workflow_idle, &written.workflow_idle),
        (&mut limits.waiting, &written.waiting),
        (&mut limits.waiting_per_user, &written.waiting_per_user),
    ];
    for (limit, written) in pairs {
        if let Some(spot) = written {
            *limit = usize::try_from(spot.value).unwrap_or(usize::MAX);
        }
    }
    if let Some(late) = &written.scheduled_late {
        limits.scheduled_late = late.value;
    }
    if let Some(longest) = &written.longest_wait {
        limits.longest_wait = longest.value;
    }
}
