//! The way to the chat server and back.

use super::Findings;
use crate::adapters::api;
use crate::adapters::mattermost::{Account, Mattermost, Pace, Place};
use crate::app::engine::mattermost_options;
use crate::config::{self, Config};
use crate::runtime::ports::{Chat, ChatError};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The oldest server that is supported.
const OLDEST: (u32, u32) = (5, 37);
/// How long a post may take to come back.
const PATIENCE: Duration = Duration::from_secs(10);
/// How far the clocks may be apart: lines older than two minutes are not run.
const APART: f64 = 30.0;
/// Posts shorter than this hold hardly any output.
const SHORT_POST: usize = 4000;
/// What the bot does, as the server calls it.
const NEEDED: [&str; 4] = ["create_post", "edit_post", "add_reaction", "upload_file"];

pub(super) async fn examine(config: &Config, runs: bool, findings: &mut Findings) {
    let Some(section) = &config.mattermost else {
        findings.warn("chat", "there is no [mattermost] in the configuration", "add it; `halcyon serve` needs it");
        return;
    };
    let chat = match mattermost_options(section, Pace::default()).and_then(|options| Ok(Mattermost::new(options)?)) {
        Ok(chat) => chat,
        Err(problem) => {
            findings.fail(
                "chat",
                format!("{problem:#}"),
                "put the bot's access token where mattermost.token_file says",
            );
            return;
        }
    };
    if !server(section, &chat, findings).await {
        return;
    }
    let account = match chat.account().await {
        Ok(account) => account,
        Err(ChatError::Token { why }) => {
            let advice = "make a new token for the bot (Integrations > Bot Accounts) and put it into the token file";
            findings.fail("chat", format!("the server does not accept the token: {why}"), advice);
            return;
        }
        Err(problem) => {
            findings.fail("chat", format!("asking whose the token is: {problem}"), "try again when the server is well");
            return;
        }
    };
    let name = &account.username;
    if account.is_bot {
        findings.ok("chat", format!("the token is that of the bot account {name}"));
    } else {
        let advice = "make a bot account: posts of a person's account are taken for that person's, and its token gives away that person's rights";
        findings.fail("chat", format!("the token is that of {name}, which is not a bot account"), advice);
    }
    places(section, config, &chat, &account, findings).await;
    round_trip(&chat, &account, findings).await;
    roles(config, &chat, findings).await;
    callback(section, config, runs, &chat, &account, findings).await;
}

/// Whether there is a server that we can work with.
async fn server(section: &config::Mattermost, chat: &Mattermost, findings: &mut Findings) -> bool {
    let url = &section.url;
    let client = match chat.client_config().await {
        Ok(client) => client,
        Err(problem) => {
            let tls =
                if url.starts_with("https:") { "; for a certificate of your own set mattermost.ca_file" } else { "" };
            let advice = format!("check mattermost.url, the name in DNS, proxies and firewalls{tls}");
            findings.fail("chat", format!("reaching {url}: {problem}"), advice);
            return false;
        }
    };
    let encrypted = if url.starts_with("https:") { "TLS is good" } else { "without TLS" };
    findings.ok("chat", format!("{url} answers, {encrypted}"));
    let version = client.get("Version").map_or("", String::as_str);
    match parse_version(version) {
        Some(found) if found >= OLDEST => findings.ok("chat", format!("its version is {version}")),
        Some(_) => {
            let advice = "upgrade the server to 5.37 or newer";
            findings.fail("chat", format!("its version is {version}"), advice);
        }
        None => findings.warn("chat", format!("its version is not told ({version:?})"), "5.37 is the oldest supported"),
    }
    match client.get("MaxPostSize").and_then(|size| size.parse::<usize>().ok()) {
        Some(size) if size > SHORT_POST => findings.ok("chat", format!("posts may have {size} characters")),
        Some(size) => {
            let advice = "long answers come as files; a newer database schema of the server takes 16383";
            findings.warn("chat", format!("posts may have {size} characters only"), advice);
        }
        None => findings.warn("chat", "how long posts may be is not told", "4000 characters are taken for safe"),
    }
    if client.get("EnableFileAttachments").is_some_and(|value| value == "false") {
        findings.warn("chat", "files are switched off", "set EnableFileAttachments, or long output cannot be attached");
    }
    true
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The team and the channels.
async fn places(
    section: &config::Mattermost,
    config: &Config,
    chat: &Mattermost,
    account: &Account,
    findings: &mut Findings,
) {
    let team = match chat.team_place(account).await {
        Ok(Some(team @ Place { roles: Some(_), .. })) => {
            findings.ok("chat", format!("{} is a member of the team {}", account.username, section.team));
            team
        }
        Ok(Some(_)) => {
            let tried = format!("{} is no member of the team {}", account.username, section.team);
            findings.fail("chat", tried, "invite the bot to the team");
            return;
        }
        Ok(None) => {
            let advice = "use the name in the team's web address for mattermost.team, and invite the bot to the team";
            findings.fail("chat", format!("there is no team {}, or the bot may not see it", section.team), advice);
            return;
        }
        Err(problem) => {
            findings.fail("chat", format!("looking for the team {}: {problem}", section.team), "");
            return;
        }
    };
    let spoken = section.channels.iter().map(|name| (name, "mattermost.channels"));
    let spoken = spoken
        .chain(section.alert_channel.iter().map(|name| (name, "mattermost.alert_channel")))
        .chain(section.admin_channel.iter().map(|name| (name, "mattermost.admin_channel")));
    let roles = config.roles.iter().flat_map(|role| role.channels.iter().map(|name| (name, "access.roles")));
    let mut seen = BTreeSet::new();
    for (name, key) in spoken.chain(roles).filter(|(name, _)| seen.insert(name.as_str())) {
        let place = match chat.channel_place(account, &team, name).await {
            Ok(place) => place,
            Err(problem) => {
                findings.fail("chat", format!("looking for the channel {name}: {problem}"), "");
                continue;
            }
        };
        match place {
            Some(Place { roles: Some(member), .. }) => {
                may_post(chat, account, &team, (name, &member), findings).await;
            }
            Some(_) => {
                let tried = format!("{} is no member of the channel {name} ({key})", account.username);
                findings.fail("chat", tried, format!("write `/invite @{}` in that channel", account.username));
            }
            None => {
                let tried = format!("there is no channel {name} ({key}), or it is private and the bot is not in it");
                findings.fail("chat", tried, "use the name in the channel's web address, and invite the bot");
            }
        }
    }
    if section.admin_channel.is_none() {
        let advice = "set mattermost.admin_channel, or nobody in chat hears of trouble with the bot itself";
        findings.warn("chat", "there is no admin channel", advice);
    }
}

async fn may_post(
    chat: &Mattermost,
    account: &Account,
    team: &Place,
    (channel, member): (&str, &str),
    findings: &mut Findings,
) {
    let roles = [account.roles.as_str(), team.roles.as_deref().unwrap_or_default(), member];
    let roles: BTreeSet<&str> = roles.iter().flat_map(|roles| roles.split_whitespace()).collect();
    let there = format!("{} is a member of the channel {channel}", account.username);
    match chat.permissions(&roles).await.filter(|permissions| !permissions.is_empty()) {
        Some(permissions) => {
            let lacking: Vec<&str> = NEEDED.into_iter().filter(|needed| !permissions.contains(*needed)).collect();
            if lacking.is_empty() {
                findings.ok("chat", format!("{there} and may do what it needs there"));
            } else {
                let tried = format!("{there}, and its roles do not give it {}", lacking.join(", "));
                findings.fail("chat", tried, "give its role these permissions in the system console");
            }
        }
        None => findings.ok("chat", format!("{there}; the server does not tell what its roles allow")),
    }
}

async fn round_trip(chat: &Mattermost, account: &Account, findings: &mut Findings) {
    match chat.round_trip(account, PATIENCE).await {
        Ok(trip) => {
            let (opened, heard) = (trip.opened.as_millis(), trip.heard.as_millis());
            findings.ok(
                "chat",
                format!(
                    "the websocket stood after {opened} ms, and a post to itself was heard after {heard} ms and deleted"
                ),
            );
            match &trip.emoji {
                Ok(took) => findings.ok("chat", format!("an emoji on it was heard after {} ms", took.as_millis())),
                Err(why) => {
                    let advice = "without emojis, answers and approvals are given by lines and buttons; give the bot add_reaction";
                    findings.warn("chat", format!("hearing an emoji of its own: {why}"), advice);
                }
            }
            let apart = trip.clock_ahead.abs();
            let direction = if trip.clock_ahead > 0.0 { "ahead of" } else { "behind" };
            if apart <= APART {
                findings.ok("chat", format!("the server's clock is {apart:.1} s {direction} ours"));
            } else {
                let advice = "set both clocks (NTP): the bot does not run lines that seem to be older than two minutes";
                findings.fail("chat", format!("the server's clock is {apart:.0} s {direction} ours"), advice);
            }
        }
        Err(why) => {
            let advice =
                "a proxy before the server must let websockets through (Upgrade header), for longer than a minute";
            findings.fail("chat", format!("hearing a post of its own over the websocket: {why}"), advice);
        }
    }
}

/// The names in the roles.
async fn roles(config: &Config, chat: &Mattermost, findings: &mut Findings) {
    let users: BTreeSet<String> = config.roles.iter().flat_map(|role| role.users.iter().cloned()).collect();
    let groups: BTreeSet<String> = config.roles.iter().flat_map(|role| role.groups.iter().cloned()).collect();
    if users.is_empty() && groups.is_empty() {
        return;
    }
    let (users, groups): (Vec<String>, Vec<String>) = (users.into_iter().collect(), groups.into_iter().collect());
    match chat.directory(&users, &[], &groups, &[]).await {
        Ok(directory) => {
            for (group, members) in &directory.groups {
                findings.ok("access", format!("the group {group} has {} members", members.members.len()));
            }
            for (group, why) in &directory.untold {
                let advice = "nobody has a role by this group. Groups need a licence of the server that has them, and for groups of the \
                              directory service a role of the bot with sysconsole_read_user_management_groups; or give the role by \
                              `channels` or `users`";
                findings.warn("access", format!("the members of the group {group} are not known: {why}"), advice);
            }
            if users.is_empty() {
                return;
            }
            let unknown: Vec<&str> =
                users.iter().map(String::as_str).filter(|user| !directory.users.contains_key(*user)).collect();
            if unknown.is_empty() {
                findings.ok("access", format!("all {} users that are named in roles exist", users.len()));
            } else {
                let tried = format!("no user of the chat server has the name {}", unknown.join(", "));
                findings.warn("access", tried, "correct access.roles.users: user names, not the names that are shown");
            }
        }
        Err(problem) => findings.fail("access", format!("looking for the users of the roles: {problem}"), ""),
    }
}

/// Whether the server reaches `[http]`.
async fn callback(
    section: &config::Mattermost,
    config: &Config,
    runs: bool,
    chat: &Mattermost,
    account: &Account,
    findings: &mut Findings,
) {
    let (Some(url), Some(http)) = (&section.callback_url, &config.http) else {
        let tried = "there is no mattermost.callback_url, so there are no buttons; lines and emojis do everything";
        findings.ok("callback", tried);
        return;
    };
    // Without a bot this process answers for it, on the same address.
    let stop = CancellationToken::new();
    if !runs {
        match api::bind(http).await {
            Ok(listener) => drop(tokio::spawn(api::serve_probe(listener, http.clone(), stop.clone()))),
            Err(problem) => {
                findings.fail("callback", problem.to_string(), "end what has this address, or choose another");
                return;
            }
        }
    }
    let nonce: String = match random() {
        Ok(nonce) => nonce,
        Err(why) => {
            findings.fail("callback", format!("the system gives no random number: {why}"), "");
            return;
        }
    };
    let target = format!("{url}/mattermost/probe");
    match chat.press(account, &target, &nonce).await {
        Ok(()) => findings.ok("callback", format!("the server reaches {url}, and its answer comes back")),
        Err(why) => {
            let advice = "the server must reach callback_url: DNS, firewall, [http] allow, and AllowedUntrustedInternalConnections in its configuration for an internal address";
            findings.fail("callback", format!("having the server call {target}: {why}"), advice);
        }
    }
    stop.cancel();
}

fn random() -> Result<String, String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
