//! The command line as it is written.

use super::sensor::SensorCommand;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A ChatOps bot for Mattermost with an automation engine inside.
#[derive(Debug, Parser)]
#[command(name = "halcyon", version, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 the thing asked for failed, 2 the asking was wrong, 3 something is not built yet."
)]
pub struct Arguments {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", default_value = "config.toml")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the bot until it is told to stop
    Serve,
    /// Show all of it at work: a chat server, cluster nodes and the bot in one process
    #[cfg(feature = "sandbox")]
    Demo(Demo),
    /// Tell everything that is wrong with the configuration and the packs
    Check {
        /// A configuration, the directory of one, or the directory of a pack [default: the configuration]
        path: Option<PathBuf>,
        /// Exit with 3 where nothing is wrong, but something asks for what is not built yet
        #[arg(long)]
        complete: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Try every step of the way from chat to nodes, and tell what to change
    Doctor {
        /// Try the way to this machine too
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell which part of the path from chat to nodes works, as the running bot sees it
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have the running bot read its configuration and the packs again
    Reload {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run an action by the bot that runs, wait for its end and print the result
    Run(Run),
    /// Work with action aliases
    Alias {
        /// What to do.
        #[command(subcommand)]
        command: AliasCommand,
    },
    /// Try what packs say of their workflows and aliases, without anything that runs: rehearsals and lines of chat in their folders tests/
    Test {
        /// Packs, directories of packs, or files
        #[arg(default_value = ".", value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell whether somebody may do what a line says, and by which rule; asks the bot that runs
    May(May),
    /// Work with packs
    Pack {
        /// What to do.
        #[command(subcommand)]
        command: PackCommand,
    },
    /// Try a rule on an event, look at rules, and switch them
    Rule {
        /// What to do.
        #[command(subcommand)]
        command: RuleCommand,
    },
    /// Look at sensors, and switch them
    Sensor {
        /// What to do.
        #[command(subcommand)]
        command: SensorCommand,
    },
    /// Look at what rules can listen to
    Trigger {
        /// What to do.
        #[command(subcommand)]
        command: TriggerCommand,
    },
    /// Look at workflows without running anything
    Workflow {
        /// What to do.
        #[command(subcommand)]
        command: WorkflowCommand,
    },
    /// Look at executions, stop and repeat them
    Execution {
        /// What to do.
        #[command(subcommand)]
        command: ExecutionCommand,
    },
    /// See and answer what executions ask people
    Inquiry {
        /// What to do.
        #[command(subcommand)]
        command: InquiryCommand,
    },
    /// Read and change the values of the datastore
    Key {
        /// What to do.
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Print everything that is stored, a line of JSON for each fact
    Export {
        /// Print JSON, as is always done
        #[arg(long)]
        json: bool,
    },
    /// Fill an empty store with what `export` printed
    Import {
        /// The file, or - for the standard input
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look into the audit: who did what, and what came of it
    Audit {
        /// What to do.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Requests for approvals: what waits, and what you say of it
    Approval {
        /// What to do.
        #[command(subcommand)]
        command: ApprovalCommand,
    },
    /// Start nothing but read-only actions until `unfreeze`
    Freeze {
        /// Why, for those who are told
        #[arg(required = true)]
        reason: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let everything start again
    Unfreeze {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Work with the keys by which other programs call webhooks
    ApiKey {
        /// What to do.
        #[command(subcommand)]
        command: ApiKeyCommand,
    },
    /// Tell a bot on another machine what a monitoring has to say
    Notify {
        /// Who calls.
        #[command(subcommand)]
        command: NotifyCommand,
    },
}

/// `api-key …`
#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Make a key and print it; it is shown this once
    Create {
        /// Whose it is, in a word
        name: String,
        /// A webhook that it is for, or a pattern with * [default: all]
        #[arg(long, value_name = "GLOB")]
        webhook: Vec<String>,
        /// It signs what it sends (HMAC-SHA256), and is not sent itself
        #[arg(long)]
        hmac: bool,
        /// Sign with the secret in this file [default: one that is made and printed]
        #[arg(long, value_name = "FILE", requires = "hmac")]
        secret_file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The keys that there are; not what they are
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have a key count no more
    Delete {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `notify …`
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// The notification plugin of CheckMK: keeps what CheckMK says, ends at once, and delivers it however long the bot is away
    Checkmk(CheckmkNotify),
    /// The notification command of Nagios: the same with what Nagios says in its environment
    Nagios(NagiosNotify),
}

/// `notify checkmk`
#[derive(Debug, Args)]
pub struct CheckmkNotify {
    /// Many notifications, on standard input
    #[arg(long, conflicts_with_all = ["drain", "status"])]
    pub bulk: bool,
    /// How the bot is reached [default: etc/halcyon-notify.toml in the site]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// What else may be wanted
    #[command(flatten)]
    pub instead: InsteadOfNotifying,
}

/// `notify nagios`
#[derive(Debug, Args)]
pub struct NagiosNotify {
    /// How the bot is reached
    #[arg(long, value_name = "FILE", default_value = "/etc/halcyon-notify.toml")]
    pub settings: PathBuf,
    /// What else may be wanted
    #[command(flatten)]
    pub instead: InsteadOfNotifying,
}

/// What `notify …` may do instead of taking a notification.
#[derive(Debug, Args)]
pub struct InsteadOfNotifying {
    /// Deliver what waits, and end when nothing is left
    #[arg(long)]
    pub drain: bool,
    /// Tell how many wait, and whether somebody delivers them
    #[arg(long, conflicts_with = "drain")]
    pub status: bool,
    /// Print JSON
    #[arg(long, requires = "status")]
    pub json: bool,
}

/// `demo`
#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub struct Demo {
    /// Stop after the tour; the exit code tells whether all of it went as it should
    #[arg(long)]
    pub once: bool,
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=250))]
    pub nodes: u16,
    /// The port of the chat page [default: any that is free]
    #[arg(long, value_name = "PORT")]
    pub page_port: Option<u16>,
    /// Close the SSH port of every node, to see how the bot tells of it
    #[arg(long)]
    pub nodes_down: bool,
    /// Close the SSH port of these nodes once the tour is over: wn007,wn009
    #[arg(long, value_name = "HOSTS", value_delimiter = ',')]
    pub dead: Vec<String>,
}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// The action, pack.name
    pub action: String,
    /// Its parameters
    #[arg(value_name = "KEY=VALUE")]
    pub parameters: Vec<String>,
    /// A word under which the execution is found with others
    #[arg(long, value_name = "WORD")]
    pub trace_tag: Option<String>,
    /// Print the id and do not wait
    #[arg(long)]
    pub detach: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `may`
#[derive(Debug, Args)]
pub struct May {
    /// The chat user; you without it
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The channel where it would be said; @direct for a direct message
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
    /// The line of chat
    #[arg(required = true)]
    pub line: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be said of an execution that ended as unknown.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Settlement {
    /// It ran
    Ran,
    /// It did not run
    NotRun,
    /// It shall be run again there
    Again,
}

/// `alias …`
#[derive(Debug, Subcommand)]
pub enum AliasCommand {
    /// Try the examples that a pack keeps beside its aliases, in tests/aliases.yaml and tests/aliases/
    Test {
        /// A pack, or a file of examples
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell which alias a line of chat would start, and with what
    Match {
        /// The line
        #[arg(required = true)]
        text: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `pack …`
#[derive(Debug, Subcommand)]
pub enum PackCommand {
    /// The packs with their versions, what they hold, and how much of it is wrong
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `rule …`
#[derive(Debug, Subcommand)]
pub enum RuleCommand {
    /// Tell whether a rule matches an event and why, without running anything; exits with 1 when it does not
    Test {
        /// The rule's file
        #[arg(long, value_name = "FILE")]
        rule: PathBuf,
        /// The file with the event: `trigger` and `payload`
        #[arg(long, value_name = "FILE")]
        trigger_instance: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// All rules, and what came of them
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One rule, and what came of it lately
    Show {
        /// Its ref, or its name alone
        rule: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have a rule in force, whatever its file says
    Enable {
        /// Its ref, or its name alone
        rule: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have a rule in force no more, whatever its file says
    Disable {
        /// Its ref, or its name alone
        rule: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have a rule act again that rests since its remedies failed
    Reset {
        /// Its ref, or its name alone
        rule: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `trigger …`
#[derive(Debug, Subcommand)]
pub enum TriggerCommand {
    /// The types of triggers, and how many rules listen to each
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `workflow …`
#[derive(Debug, Subcommand)]
pub enum WorkflowCommand {
    /// Tell everything that is wrong with a workflow
    Inspect {
        /// The workflow's file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what a workflow would do, step by step, when its actions go as a script says
    Trace {
        /// The workflow's file
        file: PathBuf,
        /// What the actions give, in JSON [default: all go well]
        script: Option<PathBuf>,
        /// Print JSON, as is always done
        #[arg(long)]
        json: bool,
    },
}

/// `execution …`
#[derive(Debug, Subcommand)]
pub enum ExecutionCommand {
    /// The newest executions
    List {
        /// How many
        #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = count)]
        last: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One execution with its result
    Get {
        /// Its id, the last digits of it, or `last`
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// All that was written on a host, byte by byte
    Output {
        /// Its id, the last digits of it, or `last`
        id: String,
        /// The host; may be left out where there is one only
        host: Option<String>,
        /// The error output instead
        #[arg(long)]
        stderr: bool,
        /// Into this file [default: the standard output]
        #[arg(short = 'o', long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Follow the output of an execution to its end
    Tail {
        /// Its id, the last digits of it, or `last`
        #[arg(default_value = "last")]
        id: String,
        /// Print JSON, an object a line
        #[arg(long)]
        json: bool,
    },
    /// Stop executions and their processes
    Cancel {
        /// Their ids or the last digits of them
        #[arg(required = true)]
        ids: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Draw the tasks of a workflow as they stand
    Graph {
        /// Its id, the last digits of it, or `last`
        id: String,
        /// The file: .svg, or .png [default: SVG to the standard output]
        #[arg(short = 'o', long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Print JSON: what is drawn, instead of drawing it
        #[arg(long)]
        json: bool,
    },
    /// Have a workflow begin nothing more; what it has begun goes on to its end
    Pause {
        /// Its id or the last digits of it
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a paused workflow go on
    Resume {
        /// Its id or the last digits of it
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what became of an execution that ended as unknown
    Settle {
        /// Its id or the last digits of it
        id: String,
        /// Whether it ran, or shall be run again on the hosts in question
        judgement: Settlement,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run the action of an execution again with the same parameters, or go on with a workflow that has ended
    #[command(alias = "re-run")]
    Rerun {
        /// Its id or the last digits of it
        id: String,
        /// Go on with a workflow from this task, or from what `failed`; may be given several times
        #[arg(long, value_name = "TASK")]
        from: Vec<String>,
        /// Print the new id and do not wait
        #[arg(long)]
        detach: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `audit …`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// The newest entries, oldest first
    Last {
        /// How many
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = entries)]
        last: usize,
        /// Only what this user did: a name, or a chat user's id
        #[arg(long, value_name = "NAME")]
        who: Option<String>,
        /// Only what was done with actions like this: site.reboot, site.*
        #[arg(long, value_name = "GLOB")]
        action: Option<String>,
        /// Only what is about this execution: its id or the last digits of it
        #[arg(long, value_name = "ID")]
        execution: Option<String>,
        /// Only what happened in this way: started, ended, refused, frozen, …
        #[arg(long, value_name = "WORD")]
        event: Option<String>,
        /// Print JSON, a line for each entry as `export` does
        #[arg(long)]
        json: bool,
    },
    /// Check that nothing was changed, taken out, put elsewhere or cut off; the bot may be running
    Verify {
        /// A file that `audit export` wrote, or - for the standard input [default: the store]
        file: Option<PathBuf>,
        /// What a checkpoint knows
        #[arg(long, value_name = "NUMBER:HASH")]
        checkpoint: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print all entries with their hashes, a line of JSON for each; the bot may be running
    Export {
        /// Begin with the entry of this number
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        from: u64,
        /// Print JSON, as is always done
        #[arg(long)]
        json: bool,
    },
    /// Tell the newest hash, to be kept elsewhere; it is told in the admin channel too
    Checkpoint {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove entries that were exported, up to a checkpoint; the bot must not be running
    Cut {
        /// What `audit export` wrote, beginning with the first entry that is kept
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// How many entries of the audit can be given at once.
fn entries(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=10_000) => Ok(count),
        _ => Err("must be a whole number from 1 to 10000".to_owned()),
    }
}

/// `inquiry`
#[derive(Debug, Subcommand)]
pub enum InquiryCommand {
    /// What waits for an answer
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One question with its schema
    Get {
        /// Its execution's id, the last digits of it, or its code
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Answer one
    Respond {
        /// Its execution's id, the last digits of it, or its code
        id: String,
        /// The whole answer as a JSON object
        #[arg(short, long, value_name = "JSON")]
        response: Option<String>,
        /// Values of the answer
        #[arg(value_name = "KEY=VALUE")]
        values: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `approval …`
#[derive(Debug, Subcommand)]
pub enum ApprovalCommand {
    /// What waits for an approval
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say yes
    Approve(Deciding),
    /// Say no; whoever asked will want to know why
    Deny(Deciding),
    /// Take your yes back while more are needed
    Revoke(Deciding),
    /// Take your own request back
    Withdraw(Deciding),
}

/// What is said of one request.
#[derive(Debug, Args)]
pub struct Deciding {
    /// Its code, or the id of the execution that waits
    pub code: String,
    /// The host or the number of hosts where the request wants it to be named, then the reason
    pub words: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `key …`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// One value
    Get {
        /// Its name
        name: String,
        /// Where.
        #[command(flatten)]
        place: KeyWhere,
        /// Show a secret in clear
        #[arg(short, long)]
        decrypt: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// All values, or those whose names begin with a text
    List {
        /// The beginning of the names
        #[arg(short, long)]
        prefix: Option<String>,
        /// Where.
        #[command(flatten)]
        place: KeyWhere,
        /// Show secrets in clear
        #[arg(short, long)]
        decrypt: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a value
    Set {
        /// Its name
        name: String,
        /// The value [default: what the standard input has]
        #[arg(allow_negative_numbers = true)]
        value: Option<String>,
        /// It is a secret: seal it with the master key
        #[arg(short, long)]
        encrypt: bool,
        /// The value is a ciphertext of StackStorm
        #[arg(long, conflicts_with = "encrypt", requires = "decrypt_with")]
        encrypted: bool,
        /// StackStorm's key file, for a value that StackStorm has encrypted
        #[arg(long, value_name = "KEYFILE")]
        decrypt_with: Option<PathBuf>,
        /// How many seconds it stands
        #[arg(short = 'l', long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
        ttl: Option<u64>,
        /// Where.
        #[command(flatten)]
        place: KeyWhere,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a value
    Delete {
        /// Its name
        name: String,
        /// Where.
        #[command(flatten)]
        place: KeyWhere,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete all values whose names begin with a text
    #[command(alias = "delete_by_prefix")]
    DeleteByPrefix {
        /// The beginning of the names
        #[arg(short, long)]
        prefix: String,
        /// Where.
        #[command(flatten)]
        place: KeyWhere,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set the values of a file as `st2 key list -j` writes it and `st2 key load` takes it, JSON or YAML
    Load {
        /// The file
        file: PathBuf,
        /// Make JSON of values that are not text
        #[arg(short, long)]
        convert: bool,
        /// All of them are secrets
        #[arg(short, long)]
        encrypt: bool,
        /// StackStorm's key file, for values that StackStorm has encrypted
        #[arg(long, value_name = "KEYFILE")]
        decrypt_with: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the key that seals secrets, in a file of its own
    CreateMasterKey {
        /// The file, which must not be there yet [default: `key_file` of the configuration]
        file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Where a value belongs.
#[derive(Debug, Args)]
pub struct KeyWhere {
    /// Everybody's values or those of a user
    #[arg(short, long)]
    pub scope: Option<KeyScope>,
    /// Whose values: a name that stands in a role, or a chat user's id
    #[arg(short, long)]
    pub user: Option<String>,
}

/// The scopes by StackStorm's words.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KeyScope {
    /// Everybody's
    #[value(alias = "st2kv.system")]
    System,
    /// A user's
    #[value(alias = "st2kv.user")]
    User,
    /// All that may be seen; for lists
    All,
}

/// How long something stands.
fn seconds(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(seconds @ 1..=MOST_SECONDS) => Ok(seconds),
        _ => Err(format!("must be a whole number of seconds from 1 to {MOST_SECONDS}")),
    }
}

/// A hundred years.
const MOST_SECONDS: u64 = 100 * 366 * 24 * 3600;

/// How many executions can be listed at once.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1000) => Ok(count),
        _ => Err("must be a whole number from 1 to 1000".to_owned()),
    }
}
