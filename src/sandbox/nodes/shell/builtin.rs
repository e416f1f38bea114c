//! Commands that change or ask the shell itself.

use super::{Outcome, Shell, Stop, Variable};
use crate::sandbox::nodes::filesystem::absolute;
use crate::sandbox::nodes::tools;

const NAMES: &[&str] = &[
    ":", ".", "[", "alias", "break", "builtin", "cd", "command", "continue", "declare", "eval", "exec", "exit",
    "export", "hash", "let", "local", "pwd", "read", "readonly", "return", "set", "shift", "shopt", "source", "test",
    "trap", "type", "typeset", "ulimit", "umask", "unset", "wait", "which",
];

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}

impl Shell {
    /// Runs a builtin; none when there is no such builtin.
    pub(super) async fn builtin(&mut self, name: &str, arguments: &[String]) -> Option<Outcome> {
        let first = arguments.first().map(String::as_str);
        let number = |fallback: i32| first.and_then(|text| text.parse().ok()).unwrap_or(fallback);
        Some(match name {
            ":" | "alias" | "hash" | "shopt" | "ulimit" => Ok(0),
            "umask" => {
                if first.is_none() {
                    self.say("0022\n").await;
                }
                Ok(0)
            }
            "[" => match arguments.split_last() {
                Some((last, inner)) if last == "]" => Ok(self.test(inner).await),
                _ => {
                    self.complain("[: missing `]'").await;
                    Ok(2)
                }
            },
            "test" => Ok(self.test(arguments).await),
            "break" | "continue" if self.loops == 0 => Ok(0),
            "break" => Err(Stop::Break(number(1).max(1) as u32)),
            "continue" => Err(Stop::Continue(number(1).max(1) as u32)),
            "return" => Err(Stop::Return(number(self.last) & 0xff)),
            "exit" => Err(Stop::Exit(number(self.last) & 0xff)),
            "cd" => Ok(self.change_directory(first).await),
            "pwd" => {
                let line = format!("{}\n", self.directory);
                self.say(&line).await;
                Ok(0)
            }
            "eval" => {
                let text = arguments.join(" ");
                self.source(&text).await
            }
            "." | "source" => {
                let Some(path) = first else { return Some(Ok(2)) };
                let file = absolute(&self.directory, path);
                match tools::read_file(&self.machine, &file) {
                    Ok(text) => {
                        let text = String::from_utf8_lossy(&text).into_owned();
                        self.source(&text).await
                    }
                    Err(error) => {
                        self.complain(&format!("{path}: {error}")).await;
                        Ok(1)
                    }
                }
            }
            "exec" | "builtin" => match arguments.is_empty() {
                true => Ok(0),
                false => match self.invoke(arguments.to_vec()).await {
                    Ok(code) if name == "exec" => Err(Stop::Exit(code)),
                    ran => ran,
                },
            },
            "export" | "readonly" | "declare" | "typeset" | "local" => self.declare(name, arguments).await,
            "unset" => {
                for name in arguments.iter().filter(|argument| !argument.starts_with('-')) {
                    self.variables.remove(name);
                    self.functions.remove(name);
                }
                Ok(0)
            }
            "set" => self.set(arguments).await,
            "shift" => {
                let count = usize::try_from(number(1)).unwrap_or(0);
                if count > self.positional.len() {
                    return Some(Ok(1));
                }
                self.positional.drain(..count);
                Ok(0)
            }
            "let" => {
                let mut value = 0;
                for expression in arguments {
                    match self.calculated(expression).await {
                        Ok(Some(number)) => value = number,
                        Ok(None) => return Some(Ok(1)),
                        Err(stop) => return Some(Err(stop)),
                    }
                }
                Ok(i32::from(value == 0))
            }
            "read" => self.read(arguments).await,
            "trap" => {
                if let [command, signals @ ..] = arguments
                    && signals.iter().any(|signal| signal == "EXIT" || signal == "0")
                {
                    self.exit_trap = (command != "-").then(|| command.clone());
                }
                Ok(0)
            }
            "wait" => {
                let mut code = 0;
                let wanted: Vec<u32> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
                let jobs = self.jobs.clone();
                for (_, mut job) in jobs.into_iter().filter(|(pid, _)| wanted.is_empty() || wanted.contains(pid)) {
                    let ended = job.wait_for(Option::is_some).await.ok().and_then(|code| *code);
                    code = if wanted.is_empty() { 0 } else { ended.unwrap_or(127) };
                }
                Ok(code)
            }
            "type" | "which" => self.locate(name, arguments).await,
            "command" => match first {
                Some("-v" | "-V") => self.locate("command", &arguments[1..]).await,
                Some(_) => self.invoke(arguments.to_vec()).await,
                None => Ok(0),
            },
            _ => return None,
        })
    }

    async fn say(&self, text: &str) {
        let _ = self.streams.out.write(text.to_owned()).await;
    }

    async fn change_directory(&mut self, to: Option<&str>) -> i32 {
        let target = match to {
            None => self.value("HOME").unwrap_or_default(),
            Some("-") => self.value("OLDPWD").unwrap_or_else(|| self.directory.clone()),
            Some(path) => path.to_owned(),
        };
        let path = absolute(&self.directory, &target);
        let (exists, directory) = self.machine.files(|files| (files.exists(&path), files.is_directory(&path)));
        if !directory {
            let problem = if exists { "Not a directory" } else { "No such file or directory" };
            self.complain(&format!("cd: {target}: {problem}")).await;
            return 1;
        }
        let before = std::mem::replace(&mut self.directory, path);
        self.variables.entry("OLDPWD".to_owned()).or_default().values = vec![before];
        0
    }

    async fn declare(&mut self, how: &str, arguments: &[String]) -> Outcome {
        let mut exported = how == "export";
        let mut read_only = how == "readonly";
        for argument in arguments {
            if let Some(flags) = argument.strip_prefix('-') {
                exported |= flags.contains('x');
                read_only |= flags.contains('r');
                if flags.contains('p') && arguments.len() == 1 {
                    let lines: String = self
                        .environment()
                        .iter()
                        .map(|(name, value)| format!("declare -x {name}=\"{value}\"\n"))
                        .collect();
                    self.say(&lines).await;
                }
                continue;
            }
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (argument.as_str(), None),
            };
            if !is_name(name) {
                self.complain(&format!("{how}: `{argument}': not a valid identifier")).await;
                return Ok(1);
            }
            if matches!(how, "local" | "declare" | "typeset")
                && let Some(layer) = self.hidden.last_mut()
                && !layer.contains_key(name)
            {
                layer.insert(name.to_owned(), self.variables.remove(name));
            }
            match value {
                Some(value) => self.assign(name, value.to_owned()).await?,
                None if how == "local" => {
                    self.variables
                        .entry(name.to_owned())
                        .or_insert_with(|| Variable { values: vec![String::new()], ..Variable::default() });
                }
                None => {}
            }
            if let Some(variable) = self.variables.get_mut(name) {
                variable.exported |= exported;
                variable.read_only |= read_only;
            }
        }
        Ok(0)
    }

    pub(super) async fn set(&mut self, arguments: &[String]) -> Outcome {
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (on, flags) = match argument.as_bytes() {
                b"--" => {
                    self.positional = rest.cloned().collect();
                    return Ok(0);
                }
                [b'-', ..] => (true, &argument[1..]),
                [b'+', ..] => (false, &argument[1..]),
                _ => {
                    self.positional = std::iter::once(argument).chain(rest).cloned().collect();
                    return Ok(0);
                }
            };
            for flag in flags.chars() {
                match flag {
                    'e' => self.flags.errexit = on,
                    'u' => self.flags.nounset = on,
                    'x' => self.flags.xtrace = on,
                    'o' => match rest.next().map(String::as_str) {
                        Some("pipefail") => self.flags.pipefail = on,
                        Some("errexit") => self.flags.errexit = on,
                        Some("nounset") => self.flags.nounset = on,
                        Some("xtrace") => self.flags.xtrace = on,
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
        Ok(0)
    }

    async fn read(&mut self, arguments: &[String]) -> Outcome {
        let mut names: Vec<&str> = Vec::new();
        let mut raw = false;
        let mut skip = false;
        for argument in arguments {
            if std::mem::take(&mut skip) {
                continue;
            }
            match argument.strip_prefix('-') {
                Some(flags) => {
                    raw |= flags.contains('r');
                    skip = matches!(flags, "p" | "t" | "d" | "n");
                }
                None => names.push(argument),
            }
        }
        if names.is_empty() {
            names.push("REPLY");
        }
        let Some((line, ended)) = self.streams.input.line().await else {
            for name in names {
                self.assign(name, String::new()).await?;
            }
            return Ok(1);
        };
        let mut line = String::from_utf8_lossy(&line).into_owned();
        if !raw {
            line = line.replace('\\', "");
        }
        let separators = self.value("IFS").unwrap_or_default();
        let is_separator = |character: char| separators.contains(character);
        let is_blank = |character: char| is_separator(character) && character.is_whitespace();
        let mut rest = line.trim_matches(is_blank);
        let Some((last, before)) = names.split_last() else { return Ok(0) };
        for name in before {
            let (word, after) = rest.split_once(is_separator).unwrap_or((rest, ""));
            let word = word.to_owned();
            rest = after.trim_start_matches(is_blank);
            self.assign(name, word).await?;
        }
        let rest = rest.to_owned();
        self.assign(last, rest).await?;
        Ok(i32::from(!ended))
    }

    /// `type`, `which`, `command -v`.
    async fn locate(&self, how: &str, names: &[String]) -> Outcome {
        let mut code = 0;
        for name in names.iter().filter(|name| !name.starts_with('-')) {
            let line = if self.functions.contains_key(name) {
                if how == "type" { format!("{name} is a function\n") } else { format!("{name}\n") }
            } else if NAMES.contains(&name.as_str()) && how != "which" {
                if how == "type" { format!("{name} is a shell builtin\n") } else { format!("{name}\n") }
            } else if tools::is_known(name) || Shell::launches(name) {
                if how == "type" { format!("{name} is /usr/bin/{name}\n") } else { format!("/usr/bin/{name}\n") }
            } else {
                code = 1;
                match how {
                    "type" => self.complain(&format!("type: {name}: not found")).await,
                    "which" => {
                        let problem = format!(
                            "/usr/bin/which: no {name} in (/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin)\n"
                        );
                        let _ = self.streams.err.write(problem).await;
                    }
                    _ => {}
                }
                continue;
            };
            self.say(&line).await;
        }
        Ok(code)
    }
}
