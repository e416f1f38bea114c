//! From resolved parameters to work for a runner.
//!
//! Here hosts become machines, and here is the door between what people type and a shell: **a value that a person gave and that a template
//! puts into the command may hold nothing that a shell acts on**, however many filters and other parameters it goes through. Putting quotes
//! around it would be wrong inside quotes of the pack's own. The command itself may be given (`core.remote` is there for that), and with it
//! its environment; values that the pack puts into the environment are data, and host names have been checked one by one.

use crate::core::action::execution::EffectClass;
use crate::core::action::flaw::Flaw;
use crate::core::action::inquiry::Form;
use crate::core::action::launcher::Place;
use crate::core::action::params::{self, ParameterProblem, Resolved};
use crate::core::action::run::{RemoteCommand, RemoteHost, Secret, ShellCommand, Work};
use crate::core::action::shell::{self, login, port, text, unusable};
use crate::core::action::spec::{Action, RunnerType, Script, Workflow};
use crate::core::action::{http, mail, monitoring};
use crate::core::host::{HostError, Inventory, expand};
use crate::core::id::{ActionRef, TriggerRef};
use crate::core::template::value::written;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The longest time that an inquiry waits, in minutes: ten years. For ever is 0.
const LONGEST_TTL: u64 = 10 * 366 * 24 * 60;

/// What to do.
#[derive(Debug, Clone)]
pub enum Plan {
    /// This.
    Run(Work),
    /// Nothing, successfully.
    Noop,
    /// Wait so long, or a random time up to it.
    Pause {
        /// The longest wait.
        longest: Duration,
        /// Any time up to it will do.
        random: bool,
    },
    /// Say this in chat.
    Announce(Announcement),
    /// Ask people this, and wait.
    Ask(Question),
    /// Conduct this workflow.
    Conduct(Arc<Workflow>),
    /// Bring this event on.
    Inject(Injection),
    /// Make a UUID: one of random bits, or of the time when `by_time` is set.
    Uuid {
        /// Version 1 instead of 4.
        by_time: bool,
    },
}

/// An event that an action brings on.
#[derive(Debug, Clone, PartialEq)]
pub struct Injection {
    /// What kind of event.
    pub trigger: TriggerRef,
    /// What is known of it.
    pub payload: Value,
    /// The word under which all that comes of it is found.
    pub trace_tag: Option<String>,
}

/// A question to people, as an action asks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What the answer has to be like; [`Form::of`] reads it.
    pub schema: Map<String, Value>,
    /// Names of roles that may answer; all when empty.
    pub roles: Vec<String>,
    /// Names of users who may answer; all when empty.
    pub users: Vec<String>,
    /// StackStorm's route.
    pub route: String,
    /// How many minutes it waits; 0 for ever.
    pub ttl: u64,
}

/// Something to be said in chat, as an action asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// StackStorm's route.
    pub route: String,
    /// The channel that is meant, by name or id; the route decides where it is absent.
    pub channel: Option<String>,
    /// Who is called by name.
    pub user: Option<String>,
    /// What is said: a text, or values with their names.
    pub message: Value,
}

/// Why there is nothing to do. Each is a sentence for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanProblem {
    /// A shell would act on what was given.
    #[error("`{parameter}` may not contain {}, because {action} puts it into a shell command", listed(.characters))]
    Tainted {
        /// Which.
        parameter: String,
        /// The characters in question, each once; none when the parameter is secret.
        characters: BTreeSet<char>,
        /// The action.
        action: ActionRef,
    },
    /// The hosts mean nothing.
    #[error("{0}")]
    Hosts(#[from] HostError),
    /// A login that needs somebody to type.
    #[error("logging in with `{parameter}` is not offered; use a key that I can read")]
    Password {
        /// `password` or `passphrase`.
        parameter: String,
    },
    /// A value that no runner can use.
    #[error("`{parameter}` {why}")]
    Unusable {
        /// Which.
        parameter: String,
        /// What is wrong with it.
        why: Flaw,
    },
    /// A default did not bear the names of the machines.
    #[error("{0}")]
    Parameter(#[from] ParameterProblem),
}

pub(crate) fn listed(characters: &BTreeSet<char>) -> String {
    if characters.is_empty() {
        return "characters that a shell acts on".into();
    }
    let words: Vec<String> = characters
        .iter()
        .map(|character| match character {
            '\n' | '\r' => "a line break".to_owned(),
            '\t' => "a tab".to_owned(),
            '`' => "a backtick".to_owned(),
            control if control.is_control() => format!("the control character {:#04x}", u32::from(*control)),
            other if other.is_whitespace() => format!("the blank U+{:04X}", u32::from(*other)),
            other => format!("`{other}`"),
        })
        .collect();
    params::either(&words)
}

/// Makes work of an action and its parameters.
///
/// # Errors
/// The first thing in the way; see [`PlanProblem`].
pub fn plan(action: &Action, resolved: &Resolved, inventory: &Inventory) -> Result<Plan, PlanProblem> {
    let planner = Planner { action, resolved };
    match action.runner {
        RunnerType::Noop => Ok(Plan::Noop),
        RunnerType::Pause => planner.pause(),
        RunnerType::LocalShellCmd | RunnerType::LocalShellScript => planner.local(),
        RunnerType::RemoteShellCmd | RunnerType::RemoteShellScript => planner.remote(inventory),
        RunnerType::HttpRequest => Ok(Plan::Run(http::request(action, &resolved.values)?)),
        RunnerType::Mail => Ok(Plan::Run(mail::letter(&resolved.values)?)),
        RunnerType::Monitoring => Ok(Plan::Run(monitoring::order(action, &resolved.values)?)),
        RunnerType::Announcement => planner.announce(),
        RunnerType::Inquirer => planner.ask(),
        RunnerType::Orquesta => {
            let workflow = action.workflow.clone().ok_or_else(|| unusable("entry_point", Flaw::NoScript))?;
            Ok(Plan::Conduct(workflow))
        }
        RunnerType::InjectTrigger => {
            let text = |name| text(&resolved.values, name).filter(|text| !text.is_empty());
            let payload = resolved.values.get("payload").cloned().unwrap_or_else(|| Value::Object(Map::new()));
            let trigger = TriggerRef::new(text("trigger").unwrap_or_default());
            Ok(Plan::Inject(Injection { trigger, payload, trace_tag: text("trace_tag") }))
        }
        RunnerType::Uuid => Ok(Plan::Uuid { by_time: text(&resolved.values, "uuid_type").as_deref() == Some("uuid1") }),
    }
}

/// Whether an action has a shell run a command that it is given, or that it makes of what it is given.
pub(crate) fn takes_shell_command(action: &Action) -> bool {
    matches!(action.runner, RunnerType::LocalShellCmd | RunnerType::RemoteShellCmd)
}

/// Whether what would become a command holds nothing of strangers that a shell acts on.
///
/// # Errors
/// [`PlanProblem::Tainted`] or [`PlanProblem::Unusable`].
pub(crate) fn untainted(action: &Action, resolved: &Resolved) -> Result<(), PlanProblem> {
    let planner = Planner { action, resolved };
    match action.runner {
        RunnerType::LocalShellCmd | RunnerType::LocalShellScript => planner.clean(&[]),
        RunnerType::RemoteShellCmd | RunnerType::RemoteShellScript => planner.clean(&["hosts"]),
        RunnerType::HttpRequest
        | RunnerType::Mail
        | RunnerType::Monitoring
        | RunnerType::Announcement
        | RunnerType::Inquirer
        | RunnerType::Noop
        | RunnerType::Pause
        | RunnerType::Orquesta
        | RunnerType::InjectTrigger
        | RunnerType::Uuid => Ok(()),
    }
}

/// Makes the same work once more for the machines that it was made for, whatever their group holds now. The values are those that it was
/// granted with, so nobody is asked a second time whether they may stand in a shell command.
///
/// # Errors
/// As [`plan`]; and what does not run on machines makes no work.
pub fn again(action: &Action, mut resolved: Resolved, hosts: &[RemoteHost]) -> Result<Work, PlanProblem> {
    resolved.trust(resolved.given.clone());
    let planner = Planner { action, resolved: &resolved };
    let planned = match action.runner {
        RunnerType::RemoteShellCmd | RunnerType::RemoteShellScript => planner.remote_on(hosts.to_vec())?,
        RunnerType::LocalShellCmd | RunnerType::LocalShellScript => planner.local()?,
        RunnerType::HttpRequest => Plan::Run(http::request(action, &resolved.values)?),
        RunnerType::Mail => Plan::Run(mail::letter(&resolved.values)?),
        RunnerType::Monitoring => Plan::Run(monitoring::order(action, &resolved.values)?),
        RunnerType::Noop
        | RunnerType::Pause
        | RunnerType::Announcement
        | RunnerType::Inquirer
        | RunnerType::Orquesta
        | RunnerType::InjectTrigger
        | RunnerType::Uuid => Plan::Noop,
    };
    match planned {
        Plan::Run(work) => Ok(work),
        Plan::Noop
        | Plan::Pause { .. }
        | Plan::Announce(_)
        | Plan::Ask(_)
        | Plan::Conduct(_)
        | Plan::Inject(_)
        | Plan::Uuid { .. } => Err(unusable("cmd", Flaw::NothingRuns)),
    }
}

/// The runner's parameters that say as whom a command runs.
const WHO_RUNS: [&str; 4] = ["sudo", "username", "private_key", "bastion_host"];

struct Planner<'a> {
    action: &'a Action,
    resolved: &'a Resolved,
}

impl Planner<'_> {
    fn pause(&self) -> Result<Plan, PlanProblem> {
        let seconds = self.resolved.values.get("max_pause").and_then(Value::as_u64);
        let seconds = seconds.ok_or_else(|| unusable("max_pause", Flaw::NotSeconds))?;
        let random = self.resolved.values.get("random").and_then(Value::as_bool).unwrap_or(false);
        Ok(Plan::Pause { longest: Duration::from_secs(seconds), random })
    }

    fn local(&self) -> Result<Plan, PlanProblem> {
        self.clean(&[])?;
        Ok(Plan::Run(Work::Local(self.command(&self.resolved.values, Place::Here)?)))
    }

    fn remote(&self, inventory: &Inventory) -> Result<Plan, PlanProblem> {
        if let Some(parameter) =
            ["password", "passphrase"].iter().find(|name| self.resolved.values.contains_key(**name))
        {
            return Err(PlanProblem::Password { parameter: (*parameter).to_owned() });
        }
        let expression = text(&self.resolved.values, "hosts").unwrap_or_default();
        if expression.trim().is_empty() {
            return Err(unusable("hosts", Flaw::NoMachine));
        }
        self.remote_on(expand(&expression, inventory)?)
    }

    /// The same on machines that are known.
    fn remote_on(&self, hosts: Vec<RemoteHost>) -> Result<Plan, PlanProblem> {
        self.clean(&["hosts"])?;
        let values = self.with_names(&hosts)?;
        Ok(Plan::Run(Work::Remote(RemoteCommand {
            hosts,
            username: login(&values, "username")?,
            port: port(&values)?,
            bastion: login(&values, "bastion_host")?,
            private_key: text(&values, "private_key").map(Secret::new),
            command: self.command(&values, Place::There(&text(&values, "dir").unwrap_or_else(|| "/tmp".to_owned())))?,
        })))
    }

    /// What the shell gets: the command, or the script of the action in a text that runs it.
    fn command(&self, values: &Map<String, Value>, place: Place<'_>) -> Result<ShellCommand, PlanProblem> {
        let command = if self.action.runner.runs_script() {
            let script: Option<&Script> = self.action.script.as_deref();
            let script = script.ok_or_else(|| unusable("entry_point", Flaw::NoScript))?;
            shell::script(self.action, script, place, values)?
        } else {
            shell::command(values)?
        };
        let read_only = self.action.effect == EffectClass::ReadOnly;
        Ok(ShellCommand { parting: self.action.parting, read_only, ..command })
    }

    fn announce(&self) -> Result<Plan, PlanProblem> {
        let values = &self.resolved.values;
        if values.get("experimental") != Some(&Value::Bool(true)) {
            return Err(unusable("experimental", Flaw::NotExperimental));
        }
        if values.get("whisper") == Some(&Value::Bool(true)) {
            return Err(unusable("whisper", Flaw::Whisper));
        }
        let own = values.iter().filter(|(name, _)| !self.action.runner_parameters.contains(name));
        let said: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        let message = said.get("message").cloned().unwrap_or(Value::Object(said));
        Ok(Plan::Announce(Announcement {
            route: text(values, "route").unwrap_or_else(|| "general".to_owned()),
            channel: text(values, "channel").filter(|channel| !channel.is_empty()),
            user: text(values, "user").filter(|user| !user.is_empty()),
            message,
        }))
    }

    fn ask(&self) -> Result<Plan, PlanProblem> {
        let values = &self.resolved.values;
        let schema = values.get("schema").and_then(Value::as_object).cloned().unwrap_or_default();
        Form::of(&schema).map_err(|flaw| unusable("schema", flaw))?;
        let names = |key: &str| -> Vec<String> {
            let list = values.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().map(|name| written(name).trim().trim_start_matches('@').to_owned()).collect()
        };
        let ttl = values.get("ttl").and_then(Value::as_u64).filter(|minutes| *minutes <= LONGEST_TTL);
        let ttl = ttl.ok_or_else(|| unusable("ttl", Flaw::NotMinutes { most: LONGEST_TTL }))?;
        let route = text(values, "route").unwrap_or_default();
        Ok(Plan::Ask(Question { schema, roles: names("roles"), users: names("users"), route, ttl }))
    }

    /// The values with `hosts` written out, so that a command can speak of the machines by name.
    fn with_names(&self, hosts: &[RemoteHost]) -> Result<Map<String, Value>, PlanProblem> {
        let spoken_of = self
            .action
            .parameters
            .keys()
            .any(|name| params::sources(self.action, name, &self.resolved.given).contains("hosts"));
        if !spoken_of {
            return Ok(self.resolved.values.clone());
        }
        let names: Vec<&str> = hosts.iter().map(|host| host.host.as_str()).collect();
        let given = self.resolved.values.iter().filter(|(name, _)| self.resolved.given.contains(*name));
        let mut given: Map<String, Value> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
        given.insert("hosts".into(), Value::from(names.join(",")));
        let evaluated = params::evaluate(self.action, &given, &BTreeSet::new(), &self.resolved.surroundings);
        evaluated.map(|evaluated| evaluated.values).map_err(|mut problems| match problems.pop() {
            Some(problem) => problem.into(),
            None => unusable("hosts", Flaw::NotInCommand),
        })
    }

    /// Refuses what a person gave and a shell would act on. `checked` are names that have had their own check.
    fn clean(&self, checked: &[&str]) -> Result<(), PlanProblem> {
        if self.action.raw {
            return Ok(());
        }
        let from_a_person = |name: &str| self.resolved.given.contains(name) && !self.resolved.trusted.contains(name);
        // `PATH`, `LD_PRELOAD` or `BASH_ENV` would make another command of the pack's own, and as whom it runs is the pack's to say, too.
        // Whoever may give the command may give these with it.
        if !self.resolved.given.contains("cmd") {
            if from_a_person("env") {
                return Err(unusable("env", Flaw::PacksEnvironment));
            }
            if let Some(name) = WHO_RUNS.iter().find(|name| from_a_person(name)) {
                return Err(unusable(name, Flaw::PacksAccount));
            }
        }
        // What a checked value was made of does not reach the command by way of it.
        let ends = self.resolved.given.iter().cloned().chain(checked.iter().map(|name| (*name).to_owned())).collect();
        let sources = params::sources(self.action, "cmd", &ends);
        // A command that was given is the asker's own, and so is what it holds.
        let rendered = sources.iter().map(String::as_str).chain(["cmd"]).filter(|name| !checked.contains(name));
        for taken in rendered.filter_map(|name| self.resolved.taken.get(name)).flatten() {
            if taken.entry.trusted {
                continue;
            }
            let mut characters = BTreeSet::new();
            suspicious(&taken.entry.value, &mut characters);
            if !characters.is_empty() {
                if taken.entry.secret {
                    characters.clear();
                }
                let action = self.action.reference.clone();
                return Err(PlanProblem::Tainted { parameter: taken.name.clone(), characters, action });
            }
        }
        for name in sources {
            if !from_a_person(&name) || checked.contains(&name.as_str()) {
                continue;
            }
            let mut characters = BTreeSet::new();
            if let Some(value) = self.resolved.values.get(&name) {
                suspicious(value, &mut characters);
            }
            if !characters.is_empty() {
                // Not even single letters of a secret are said.
                if self.resolved.secrets.contains(&name) {
                    characters.clear();
                }
                let action = self.action.reference.clone();
                return Err(PlanProblem::Tainted { parameter: name, characters, action });
            }
        }
        Ok(())
    }
}

/// Collects the characters of a value that a shell may act on, at whatever depth they stand.
pub(crate) fn suspicious(value: &Value, found: &mut BTreeSet<char>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| suspicious(item, found)),
        Value::Object(map) => {
            for (key, item) in map {
                suspicious(&Value::from(key.as_str()), found);
                suspicious(item, found);
            }
        }
        other => found.extend(written(other).chars().filter(|character| !harmless(*character))),
    }
}

/// A letter of any script, a digit, a blank, or a sign without meaning to a shell.
fn harmless(character: char) -> bool {
    match character {
        ' ' | '_' | '-' | '.' | ',' | ':' | '/' | '@' | '%' | '+' | '=' => true,
        ascii if ascii.is_ascii() => ascii.is_ascii_alphanumeric(),
        other => other.is_alphabetic(),
    }
}
