//! Commands that run another command: `sudo`, `sh -c`, `env`, `timeout`, `xargs` and the like; and tools.

use std::time::Duration;

use super::{Outcome, Shell};
use crate::sandbox::nodes::filesystem::absolute;
use crate::sandbox::nodes::stream::Source;
use crate::sandbox::nodes::tools::{self, Call};

const NAMES: &[&str] =
    &["bash", "dash", "env", "ionice", "nice", "nohup", "setsid", "sh", "stdbuf", "sudo", "time", "timeout", "xargs"];

/// What `sudo` was told before its command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sudo {
    pub(crate) user: Option<String>,
    pub(crate) password_on_input: bool,
    pub(crate) never_ask: bool,
    pub(crate) keep_environment: bool,
    /// Where the command begins among the arguments.
    pub(crate) command: usize,
}

impl Sudo {
    /// Reads the flags; an error is what `sudo` would say.
    pub(crate) fn parse(arguments: &[String]) -> Result<Sudo, String> {
        let mut sudo = Sudo::default();
        while let Some(argument) = arguments.get(sudo.command) {
            sudo.command += 1;
            match argument.as_str() {
                "--" => return Ok(sudo),
                "-u" | "--user" | "-g" | "-p" | "--prompt" => {
                    let value = arguments.get(sudo.command).ok_or("sudo: option requires an argument")?;
                    if matches!(argument.as_str(), "-u" | "--user") {
                        sudo.user = Some(value.clone());
                    }
                    sudo.command += 1;
                }
                "--stdin" => sudo.password_on_input = true,
                "--non-interactive" => sudo.never_ask = true,
                "--preserve-env" => sudo.keep_environment = true,
                long if long.starts_with("--user=") => sudo.user = Some(long["--user=".len()..].to_owned()),
                long if long.starts_with("--prompt=") || long.starts_with("--preserve-env=") => {}
                "--set-home" | "--login" | "--reset-timestamp" => {}
                flags if flags.len() > 1 && flags.starts_with('-') => {
                    for flag in flags[1..].chars() {
                        match flag {
                            'S' => sudo.password_on_input = true,
                            'n' => sudo.never_ask = true,
                            'E' => sudo.keep_environment = true,
                            'H' | 'i' | 'k' => {}
                            other => return Err(format!("sudo: invalid option -- '{other}'")),
                        }
                    }
                }
                _ => {
                    sudo.command -= 1;
                    return Ok(sudo);
                }
            }
        }
        Ok(sudo)
    }

    /// Takes the password from the input if it is there, and checks it; an error is what `sudo` would say.
    pub(crate) async fn admit(&self, user: &str, password: Option<&str>, input: &Source) -> Result<(), String> {
        // Sudo reads a password only where it wants one.
        let asks = password.is_some() && user != "root";
        let given = match asks && self.password_on_input {
            true => input.line().await.map(|(line, _)| String::from_utf8_lossy(&line).into_owned()),
            false => None,
        };
        match (password, given) {
            (None, _) => Ok(()),
            _ if user == "root" => Ok(()),
            (Some(wanted), Some(given)) if wanted == given => Ok(()),
            (Some(_), Some(_)) => Err(format!(
                "[sudo] password for {user}: Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt"
            )),
            (Some(_), None) if self.never_ask => Err("sudo: a password is required".to_owned()),
            (Some(_), None) => Err(
                "sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper\nsudo: a password is required"
                    .to_owned(),
            ),
        }
    }
}

impl Shell {
    pub(super) fn launches(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// Runs a command that runs another; none when the name is no such command.
    pub(super) async fn launch(&mut self, name: &str, arguments: &[String]) -> Option<Outcome> {
        Some(match name {
            "sudo" => self.sudo(arguments).await,
            "sh" | "bash" | "dash" => self.shell(name, arguments).await,
            "env" => self.env(arguments).await,
            "nohup" | "setsid" | "time" => self.child(arguments).await,
            "nice" | "ionice" | "stdbuf" => {
                let mut rest = arguments;
                while let [flag, after @ ..] = rest
                    && flag.starts_with('-')
                {
                    rest = match (flag.len(), after) {
                        (2, [_, after @ ..]) => after,
                        _ => after,
                    };
                }
                self.child(rest).await
            }
            "timeout" => self.timeout(arguments).await,
            "xargs" => self.xargs(arguments).await,
            _ => return None,
        })
    }

    /// Runs words in a child of this shell.
    async fn child(&mut self, words: &[String]) -> Outcome {
        let mut child = self.subshell().await?;
        child.functions.clear();
        match child.invoke(words.to_vec()).await {
            Ok(code) | Err(super::Stop::Exit(code) | super::Stop::Return(code)) => Ok(code),
            Err(_) => Ok(0),
        }
    }

    async fn sudo(&mut self, arguments: &[String]) -> Outcome {
        let refused = match Sudo::parse(arguments) {
            Err(problem) => Some(problem),
            Ok(sudo) => {
                let password = self.machine.sudo_password.clone();
                match sudo.admit(&self.user, password.as_deref(), &self.streams.input).await {
                    Err(problem) => Some(problem),
                    Ok(()) => {
                        let mut child = self.subshell().await?;
                        child.functions.clear();
                        if !sudo.keep_environment {
                            child.variables.retain(|name, _| matches!(name.as_str(), "PATH" | "LANG" | "SHELL"));
                        }
                        child.become_user(sudo.user.as_deref().unwrap_or("root"));
                        let words = arguments.get(sudo.command..).unwrap_or_default();
                        return match child.invoke(words.to_vec()).await {
                            Ok(code) | Err(super::Stop::Exit(code) | super::Stop::Return(code)) => Ok(code),
                            Err(_) => Ok(0),
                        };
                    }
                }
            }
        };
        if let Some(problem) = refused {
            let _ = self.streams.err.write(format!("{problem}\n")).await;
        }
        Ok(1)
    }

    /// `sh [-flags] -c TEXT [NAME ARGUMENTS]`, `sh FILE ARGUMENTS`, `sh -s` and `sh` with the script on its input.
    async fn shell(&mut self, name: &str, arguments: &[String]) -> Outcome {
        let mut child = self.subshell().await?;
        child.functions.clear();
        child.variables.retain(|_, variable| variable.exported);
        child.flags = Default::default();
        child.tested = 0;
        child.loops = 0;
        child.name = name.to_owned();
        let mut rest = arguments;
        let mut text = None;
        while let [flag, after @ ..] = rest
            && (flag.starts_with('-') || flag.starts_with('+'))
        {
            rest = after;
            match flag.as_str() {
                "--" => break,
                long if long.starts_with("--") => continue,
                "-o" | "+o" => {
                    if let [option, after @ ..] = rest {
                        child.set(&[flag.clone(), option.clone()]).await?;
                        rest = after;
                    }
                }
                short => {
                    child.set(&[short.replace(['c', 'l', 's', 'i'], "")]).await?;
                    if short.contains('c') {
                        let [script, after @ ..] = rest else {
                            self.complain("-c: option requires an argument").await;
                            return Ok(2);
                        };
                        text = Some(script.clone());
                        rest = after;
                        break;
                    }
                }
            }
        }
        let text = match (text, rest) {
            (Some(text), rest) => {
                if let [zero, arguments @ ..] = rest {
                    child.name = zero.clone();
                    child.positional = arguments.to_vec();
                }
                text
            }
            (None, [file, arguments @ ..]) => {
                let path = absolute(&self.directory, file);
                match tools::read_file(&self.machine, &path) {
                    Ok(data) => {
                        child.name = file.clone();
                        child.positional = arguments.to_vec();
                        String::from_utf8_lossy(&data).into_owned()
                    }
                    Err(error) => {
                        self.complain(&format!("{file}: {error}")).await;
                        return Ok(127);
                    }
                }
            }
            (None, []) => {
                let Some(data) = self.streams.input.rest().await else {
                    self.complain("script too large for this sandbox node").await;
                    return Ok(2);
                };
                String::from_utf8_lossy(&data).into_owned()
            }
        };
        Ok(child.script(&text).await)
    }

    async fn env(&mut self, arguments: &[String]) -> Outcome {
        let mut child = self.subshell().await?;
        let mut rest = arguments;
        while let [argument, after @ ..] = rest {
            if argument == "-i" {
                child.variables.retain(|name, _| name == "PATH");
            } else if let Some((name, value)) = argument.split_once('=') {
                child.export(name, value);
            } else if argument == "-u" {
                if let [name, ..] = after {
                    child.variables.remove(name);
                }
                rest = after.get(1..).unwrap_or_default();
                continue;
            } else {
                break;
            }
            rest = after;
        }
        if rest.is_empty() {
            let lines: String = child.environment().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            let _ = self.streams.out.write(lines).await;
            return Ok(0);
        }
        child.child(rest).await
    }

    async fn timeout(&mut self, arguments: &[String]) -> Outcome {
        let mut rest = arguments;
        while let [flag, after @ ..] = rest
            && flag.starts_with('-')
        {
            let takes_value = matches!(flag.as_str(), "-s" | "-k" | "--signal" | "--kill-after");
            rest = if takes_value { after.get(1..).unwrap_or_default() } else { after };
        }
        let Some((limit, words)) = rest.split_first() else { return Ok(125) };
        let Some(limit) = tools::duration(limit) else {
            let _ = self.streams.err.write(format!("timeout: invalid time interval '{limit}'\n")).await;
            return Ok(125);
        };
        let limit = if limit.is_zero() { Duration::from_secs(u64::from(u32::MAX)) } else { limit };
        match tokio::time::timeout(limit, self.child(words)).await {
            Ok(ran) => ran,
            Err(_) => Ok(124),
        }
    }

    async fn xargs(&mut self, arguments: &[String]) -> Outcome {
        let mut each = usize::MAX;
        let mut replace: Option<String> = None;
        let mut none_for_nothing = false;
        let mut rest = arguments;
        while let [flag, after @ ..] = rest
            && flag.starts_with('-')
        {
            rest = after;
            match flag.as_str() {
                "-n" | "-L" | "-I" | "-P" => {
                    let [value, after @ ..] = rest else { return Ok(1) };
                    match flag.as_str() {
                        "-I" => replace = Some(value.clone()),
                        "-P" => {}
                        _ => each = value.parse().unwrap_or(1).max(1),
                    }
                    rest = after;
                }
                "-r" | "--no-run-if-empty" => none_for_nothing = true,
                short if short.starts_with("-n") => each = short[2..].parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        let command = if rest.is_empty() { vec!["echo".to_owned()] } else { rest.to_vec() };
        let Some(input) = self.streams.input.rest().await else {
            self.complain("xargs: memory exhausted on this sandbox node").await;
            return Ok(1);
        };
        let input = String::from_utf8_lossy(&input).into_owned();
        let mut code = 0;
        if let Some(mark) = replace {
            for line in input.lines().filter(|line| !line.trim().is_empty()) {
                self.step().await?;
                let words: Vec<String> = command.iter().map(|word| word.replace(&mark, line.trim())).collect();
                code = code.max(self.child(&words).await?);
            }
        } else {
            let items: Vec<String> = input.split_whitespace().map(str::to_owned).collect();
            // As GNU's, it runs its command once where there is nothing.
            if items.is_empty() && !none_for_nothing {
                self.step().await?;
                code = self.child(&command).await?;
            }
            for part in items.chunks(each.min(5_000)) {
                self.step().await?;
                let mut words = command.clone();
                words.extend_from_slice(part);
                code = code.max(self.child(&words).await?);
            }
        }
        Ok(if code == 0 { 0 } else { 123 })
    }

    /// Runs a tool, or a script that lies in the node's file system.
    pub(super) async fn tool(&mut self, name: &str, plain: &str, arguments: &[String]) -> Outcome {
        self.step().await?;
        if plain.contains('/') || plain.is_empty() {
            let path = absolute(&self.directory, plain);
            let script = self.machine.files(|files| files.exists(&path) && !files.is_directory(&path));
            if script {
                let mut words = vec![path];
                words.extend_from_slice(arguments);
                return self.shell("bash", &words).await;
            }
            self.complain(&format!("{name}: No such file or directory")).await;
            return Ok(127);
        }
        if !tools::is_known(plain) {
            self.complain(&format!("{name}: command not found")).await;
            return Ok(127);
        }
        let mut line = name.to_owned();
        for argument in arguments.iter().take(20) {
            line.push(' ');
            line.push_str(argument);
        }
        let entered = self.machine.enter(self.pid, &self.user, &line, &self.group);
        let call = Call {
            name: plain,
            arguments,
            machine: &self.machine,
            streams: &self.streams,
            user: &self.user,
            directory: &self.directory,
            pid: entered.pid,
        };
        Ok(entered.token.run_until_cancelled(tools::run(&call)).await.unwrap_or(143))
    }
}
