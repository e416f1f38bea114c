//! The tour: lines of chat, who says yes to them, and what has to come of each.

use super::{CHANNEL, DemoOptions, PATIENCE, Stage, monitoring, site};
use crate::sandbox::mattermost::{Happening, Post, Server};
use crate::sandbox::nodes::Fault;
use anyhow::bail;
use std::io::Write;
use std::time::Duration;

/// How long a roll-out may take. On an idle machine it is half a minute.
const LONG_PATIENCE: Duration = Duration::from_secs(180);

/// One line of the tour and what must come of it.
struct Scene {
    what: &'static str,
    who: &'static str,
    line: String,
    /// The answer must contain this.
    expect: String,
    shown: Shown,
    /// Who presses *Approve* on the card, and what else has to hold; nobody where no card is expected.
    approval: Option<(&'static str, Proof)>,
}

/// What is shown of a post before its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// Its first lines, as they change.
    Head,
    /// How its tasks stand, as that changes.
    Tasks,
}

/// What has to hold beside the words of the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// What stood on the card is what ran.
    Script,
    /// The nodes, the batch system and the mailbox agree with what the post says.
    Upgrade,
}

impl Scene {
    fn asked(what: &'static str, line: impl Into<String>, expect: impl Into<String>) -> Self {
        Self { what, who: "operator", line: line.into(), expect: expect.into(), shown: Shown::Nothing, approval: None }
    }
}

/// The nodes of the roll-out: how many, and the one that does not come back.
struct Rollout {
    count: u16,
    lost: String,
}

impl Rollout {
    fn of(nodes: u16) -> Self {
        Self { count: nodes.min(6), lost: format!("wn{:03}", nodes.min(4)) }
    }

    fn names(&self) -> impl Iterator<Item = String> {
        (1..=self.count).map(|number| format!("wn{number:03}"))
    }
}

impl Stage {
    pub(super) async fn tour(&self, options: &DemoOptions, out: &mut dyn Write) -> anyhow::Result<bool> {
        let greeted = |post: &Post| post.message.contains("I am here");
        if self.chat.wait_for(CHANNEL, greeted, PATIENCE).await.is_err() {
            bail!("the bot did not come into the channel within {} s", PATIENCE.as_secs());
        }
        let mut well = true;
        for scene in scenes(options) {
            if scene.line.contains("!kernel on") {
                self.nodes.fault("wn002", Fault::RefuseConnections).await;
            }
            let rollout = scene.approval.is_some_and(|(_, proof)| proof == Proof::Upgrade);
            let lost = Rollout::of(options.nodes).lost;
            if rollout {
                self.nodes.heal("wn002").await;
                self.nodes.fault(&lost, Fault::StaysDown).await;
            }
            well &= self.play(&scene, options, out).await?;
            if rollout {
                self.nodes.heal(&lost).await;
            }
        }
        if options.nodes_down {
            return Ok(well);
        }
        self.nodes.heal("wn002").await;
        // Only now, or what the tour did to the nodes so far would be told as well.
        self.begin_to_tell(&self.config, &self.directory).await?;
        let last = format!("wn{:03}", options.nodes);
        well &= self.heals(&last, out).await?;
        Ok(well)
    }

    /// Breaks a node, and shows what comes of it until all is well again.
    async fn heals(&self, node: &str, out: &mut dyn Write) -> anyhow::Result<bool> {
        writeln!(
            out,
            "The monitoring finds a process of {} on {node} whose parent has gone; a rule asks to kill it.",
            monitoring::USER
        )?;
        out.flush()?;
        self.nodes.abandon(node, monitoring::USER);
        let bot = self.chat.user_id("halcyon").map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let (about, ours) = (format!("`{node}` · {}", monitoring::SERVICE), bot.clone());
        let opened = move |post: &Post| {
            post.user_id == ours && post.message.starts_with(":red_circle:") && post.message.contains(&about)
        };
        let card = move |post: &Post| {
            post.user_id == bot && post.message.starts_with(":lock:") && post.message.contains("healing.kill_unparent")
        };
        let Ok(alert) = self.chat.wait_for(CHANNEL, opened, PATIENCE).await else {
            writeln!(out, "  {:<9} ^ the alert should have been posted\n", "")?;
            return Ok(false);
        };
        show(out, "halcyon", &readable(&alert.message))?;
        let Ok(card) = self.chat.wait_for(CHANNEL, card, PATIENCE).await else {
            writeln!(out, "  {:<9} ^ the rule should have asked for an approval\n", "")?;
            return Ok(false);
        };
        show(out, "halcyon", &readable(&card.message))?;
        writeln!(out, "  {:<9} presses Approve", "lead")?;
        out.flush()?;
        self.press("lead", &card.id).await?;
        let id = alert.id.clone();
        let over = move |post: &Post| post.id == id && post.message.starts_with(":white_check_mark:");
        let Ok(over) = self.chat.wait_for(CHANNEL, over, PATIENCE).await else {
            writeln!(out, "  {:<9} ^ the alert should have ended\n", "")?;
            return Ok(false);
        };
        show(out, "halcyon", &readable(&over.message))?;
        let left = self.nodes.abandoned(node).len();
        if left > 0 {
            writeln!(out, "  {:<9} ^ {left} processes are left on {node}", "")?;
        }
        writeln!(out)?;
        Ok(left == 0)
    }

    /// Presses *Approve* on a card. Until the bot has noted that its post stands, it asks for patience.
    async fn press(&self, who: &str, post: &str) -> anyhow::Result<()> {
        let mut happenings = self.chat.subscribe();
        for _ in 0..50 {
            let pressed = self.chat.click(who, post, "approve").await;
            pressed.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
            let told = |happening: &Happening| matches!(happening, Happening::Whispered { .. });
            match Server::wait_for_happening(&mut happenings, told, PATIENCE).await {
                Some(Happening::Whispered { post, .. }) if post.message.contains("press again") => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                _ => return Ok(()),
            }
        }
        bail!("the bot does not know the post of its card")
    }

    /// Writes the line, shows the answer, and says whether it was the right one.
    async fn play(&self, scene: &Scene, options: &DemoOptions, out: &mut dyn Write) -> anyhow::Result<bool> {
        writeln!(out, "{}\n  {:<9} {}", scene.what, scene.who, scene.line)?;
        out.flush()?;
        let asked = self
            .chat
            .post_as(scene.who, CHANNEL, &scene.line, None)
            .map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let asked_at = self.chat.post(&asked).map_or(0, |post| post.create_at);
        let bot = self.chat.user_id("halcyon").map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let patience = if scene.shown == Shown::Tasks { LONG_PATIENCE } else { PATIENCE };
        let (mut seen, mut asked_of, mut told) = (String::new(), None, String::new());
        let answer = loop {
            let (before, bot) = (seen.clone(), bot.clone());
            let news = move |post: &Post| {
                post.user_id == bot && post.create_at > asked_at && post.root_id.is_empty() && post.message != before
            };
            let Ok(post) = self.chat.wait_for(CHANNEL, news, patience).await else { break None };
            if let (true, Some((approver, _))) = (post.message.starts_with(":lock:"), scene.approval) {
                if asked_of.is_none() {
                    show(out, "halcyon", &readable(&post.message))?;
                    writeln!(out, "  {approver:<9} presses Approve")?;
                    out.flush()?;
                    self.press(approver, &post.id).await?;
                }
                (seen, asked_of) = (post.message.clone(), Some(post.message));
                continue;
            }
            if !under_way(&post.message) {
                break Some(post.message);
            }
            let text = match scene.shown {
                Shown::Nothing => String::new(),
                Shown::Head => readable(&post.message).lines().take(2).collect::<Vec<_>>().join("\n"),
                Shown::Tasks => tasks(&post.message),
            };
            if !text.is_empty() && text != told {
                show(out, "", &text)?;
                out.flush()?;
                told = text;
            }
            seen = post.message;
        };
        let Some(answer) = answer else {
            writeln!(out, "  {:<9} (no answer within {} s)\n", "halcyon", patience.as_secs())?;
            return Ok(false);
        };
        let text = readable(&answer);
        show(out, "halcyon", &text)?;
        let mut right = text.contains(&scene.expect);
        if !right {
            writeln!(out, "  {:<9} ^ this should have said: {}", "", scene.expect)?;
        }
        match scene.approval {
            None => {}
            Some((_, Proof::Script)) => right &= self.ran_as_shown(asked_of.as_deref(), out)?,
            Some((_, Proof::Upgrade)) => right &= self.is_upgraded(&Rollout::of(options.nodes), &text, out).await?,
        }
        writeln!(out)?;
        Ok(right)
    }

    /// Whether what stood on the card is what ran on a node.
    fn ran_as_shown(&self, card: Option<&str>, out: &mut dyn Write) -> anyhow::Result<bool> {
        let planned = card.and_then(fenced).unwrap_or_default();
        let mut ran = self.nodes.names().flat_map(|name| self.nodes.ledger(name));
        let same = !planned.is_empty() && ran.any(|command| is_planned(&command.script, planned));
        let word = if same { "Byte for byte" } else { "Not" };
        writeln!(out, "  {:<9} {word} what stood on the card is what ran on the node.", "")?;
        Ok(same)
    }

    /// Whether the lost node is told of in the post and in a mail and is out of service, and all others have the new kernel and are in service.
    async fn is_upgraded(&self, rollout: &Rollout, post: &str, out: &mut dyn Write) -> anyhow::Result<bool> {
        let subject = format!("{}: kernel upgrade failed", rollout.lost);
        let told = self.mailbox.wait_for(|mail| mail.letter().subject() == subject, PATIENCE).await;
        let at_the_end = self
            .mailbox
            .wait_for(|mail| mail.letter().subject().contains("done, and not all upgraded"), PATIENCE)
            .await;
        for mail in [&told, &at_the_end].into_iter().flatten() {
            let letter = mail.letter();
            writeln!(out, "  {:<9} {} to {}", "a mail", letter.subject(), mail.to.join(", "))?;
        }
        let wrong = format!("{}: the node has not come back from its reboot", rollout.lost);
        let mailed = told.is_some_and(|mail| mail.to == [site::MAIL_TO])
            && at_the_end.is_some_and(|mail| mail.letter().body.contains(&wrong));
        let mut problems = Vec::new();
        if !mailed {
            problems.push(format!("the mails should have told: {wrong}"));
        }
        if !post.contains(&wrong) {
            problems.push(format!("the post should have told: {wrong}"));
        }
        for name in rollout.names() {
            let stands = self.nodes.batch_state(&name).map(|node| node.state).unwrap_or_default();
            let lost = name == rollout.lost;
            let out_of_service = ["drain", "down", "fail"].iter().any(|word| stands.starts_with(word));
            let reboots =
                self.nodes.ledger(&name).iter().filter(|ran| ran.script.lines().last() == Some("reboot")).count();
            if lost != out_of_service || reboots != 1 {
                problems.push(format!("{name} is {stands} and was rebooted {reboots} times"));
            }
        }
        for problem in &problems {
            writeln!(out, "  {:<9} ^ {problem}", "")?;
        }
        if let (true, Some(page)) = (problems.is_empty(), self.chat.beside_url("Mailbox")) {
            writeln!(out, "  {:<9} The mails lie here: {page}", "")?;
        }
        Ok(problems.is_empty())
    }
}

/// What is written, in this order.
fn scenes(options: &DemoOptions) -> Vec<Scene> {
    let last = options.nodes;
    let all = format!("wn[001-{last:03}]");
    let rollout = Rollout::of(last);
    // Nodes that the roll-out leaves alone, where there are so many.
    let (from, some) = if last >= 12 { (7, 12) } else { (1, last.min(6)) };
    let some_hosts = format!("wn[{from:03}-{some:03}]");
    let mut scenes = vec![
        Scene::asked(
            "Every node answers at once, and one post holds it all.",
            format!("@halcyon uptime on {all}"),
            format!("done on all {last} hosts"),
        ),
        Scene {
            shown: Shown::Head,
            ..Scene::asked(
                "A long command: one post, edited as it goes.",
                format!("!update packages on {some_hosts}"),
                format!("done on all {} hosts", some + 1 - from),
            )
        },
        Scene::asked("A typo is not run; what was probably meant is offered.", "!uptme on wn001", "Did you mean"),
        Scene::asked("A number picks it.", "1", "done on wn001"),
        Scene::asked(
            "wn002 has closed its port: it delays nobody.",
            format!("!kernel on {all}"),
            format!("failed on 1 of {last} hosts (wn002)"),
        ),
        Scene {
            approval: Some(("lead", Proof::Script)),
            ..Scene::asked(
                "A reboot is not one person's word: the lead presses Approve on the card.",
                format!("!reboot wn{some:03}"),
                "rebooted",
            )
        },
        Scene { who: "guest", ..Scene::asked("Somebody without a role.", "@halcyon reboot wn001", "no role") },
        Scene {
            shown: Shown::Tasks,
            approval: Some(("lead", Proof::Upgrade)),
            ..Scene::asked(
                "A workflow over many nodes: out of service, new kernel, reboot, back. One of them does not come back.",
                format!("!upgrade kernel on wn[001-{:03}]", rollout.count),
                "done, and not all upgraded",
            )
        },
    ];
    if options.nodes < 2 {
        scenes.retain(|scene| !scene.line.contains("!kernel on"));
    }
    // With few nodes the one that was rebooted is among those of the roll-out, and with all ports closed there is nothing to upgrade.
    if options.nodes < 12 || options.nodes_down {
        scenes.retain(|scene| !scene.line.contains("upgrade kernel"));
    }
    scenes
}

/// How the tasks of a workflow stand, without the times.
fn tasks(message: &str) -> String {
    let rows = readable(message);
    let rows = rows.lines().filter(|row| row.starts_with("- "));
    let without_time = |row: &str| {
        let parts: Vec<&str> = row.split(" · ").collect();
        let is_time = |part: &str| part.ends_with(" s") || part.ends_with(" ms") || part.ends_with(" min");
        parts.iter().filter(|part| !is_time(part)).copied().collect::<Vec<_>>().join(" · ")
    };
    rows.map(without_time).filter(|row| row.contains(" · ")).collect::<Vec<_>>().join("\n")
}

/// Shows what somebody says.
fn show(out: &mut dyn Write, who: &str, text: &str) -> std::io::Result<()> {
    for (place, line) in text.lines().enumerate() {
        writeln!(out, "  {:<9} {line}", if place == 0 { who } else { "" })?;
    }
    Ok(())
}

/// What stands between the fences of a post.
fn fenced(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("```text\n")?;
    rest.split_once("\n```").map(|(text, _)| text)
}

/// Whether a script that ran is the one that was shown, behind nothing but the names that StackStorm gives to every command.
fn is_planned(script: &str, planned: &str) -> bool {
    let before = script.strip_suffix(planned);
    before.is_some_and(|before| {
        before.lines().all(|line| line.starts_with("export ST2_ACTION_") || line == "cd /tmp || exit 1")
    })
}

fn under_way(message: &str) -> bool {
    [":hourglass_flowing_sand:", ":lock:", ":unlock:"].iter().any(|sign| message.starts_with(sign))
}

/// A post as a terminal shows it: no Markdown, emoji as signs.
fn readable(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut fence = false;
    for line in message.lines() {
        // What stands between fences is shown as it is.
        if line.starts_with("```") {
            fence = !fence;
            continue;
        }
        if fence {
            text.push_str(line);
            text.push('\n');
            continue;
        }
        let mut characters = line.chars().filter(|character| !matches!(character, '`' | '*' | '\u{200b}')).peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' => text.extend(characters.next()),
                character => text.push(character),
            }
        }
        text.push('\n');
    }
    const SIGNS: [(&str, &str); 11] = [
        (":lock:", "🔒"),
        (":unlock:", "🔓"),
        (":white_check_mark:", "✔"),
        (":hourglass_flowing_sand:", "…"),
        (":x:", "✘"),
        (":alarm_clock:", "⏰"),
        (":no_entry:", "⛔"),
        (":question:", "?"),
        (":large_green_circle:", "●"),
        (":red_circle:", "●"),
        (":adhesive_bandage:", "✚"),
    ];
    SIGNS.iter().fold(text, |text, (name, sign)| text.replace(name, sign)).replace("\n\n", "\n").trim().to_owned()
}
