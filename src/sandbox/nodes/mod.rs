//! # Nodes: a fake cluster behind real SSH
//!
//! For `halcyon demo` and the tests: one SSH server a node, in process, each on a loopback address of its own and all on one
//! port, with a host key each. What answers behind the login is a model of a node (kernel, load, disks, services, packages,
//! files), a small shell over it and fake tools that print what the real ones would.
//!
//! A cluster may have a batch system ([`BatchOptions`]) and a monitoring ([`MonitoringOptions`]), each on a machine of its own, which know of the
//! nodes what they would: whether their daemons answer, what a check found, and when. The monitoring tells what it finds by a [`Plugin`], a program of the host that
//! whoever starts the cluster names. A machine of administration sends commands to all others.
//!
//! ## Life cycle
//! [`Nodes::start`] binds the addresses and writes a client key, `known_hosts` and an `ssh_config` into a private directory.
//! A [`Fault`] can be set and healed on a node at any time. [`Nodes::close_all`] closes the ports; dropping [`Nodes`] also ends what runs.
//! A node that is told to `reboot` drops its connections, is away for a while and comes back with a new boot id.
//!
//! ## Invariants
//! - **Nothing of the host is reachable.** The shell's grammar is a parser's; every command is a function in `tools` over the
//!   node's model. There is no process, no file and no socket of the host behind any of them. The only process that is ever started is the monitoring's plugin, and what a client can have told to it is data.
//! - **Loopback only**, and only who holds the generated client key gets in.
//! - **Nothing that a client sends ends the server.** Scripts have a depth, a number of steps and an amount of output
//!   (`group`); beyond them they end with a message.
//! - **The node knows best**: a command started through the wrapper (`docs/node-wrapper.md`) goes on when its connection is
//!   lost, and [`Nodes::ledger`] tells what truly ran.
//! - **Deterministic**: what a node is follows from [`Options::seed`] and its name. Only clocks, pids and keys differ.
//!
//! ## Modules
//! - `cluster`: start, faults, ledger: what others call.
//! - `connection`: one node's port, logins, channels.
//! - `wrapper`: the verbs of the node wrapper.
//! - `machine`: the model of a node; `filesystem`: its files; `content`: what is in them at first.
//! - `batch`: the model of the batch system; `monitoring`: that of the monitoring, and its language; `keeper`: tells both how the machines do.
//! - `group`: a process group: what can be killed, and its limits. `stream`: standard input and output.
//! - `shell`: the interpreter; `tools`: the commands.

mod batch;
mod cluster;
mod connection;
mod content;
mod fault;
mod filesystem;
mod group;
mod keeper;
mod ledger;
mod machine;
mod monitoring;
mod shell;
mod stream;
mod tools;
mod wrapper;

pub use batch::{BatchOptions, BatchState};
pub use cluster::{Nodes, Options, StartError};
pub use fault::Fault;
pub use ledger::LedgerEntry;
pub use monitoring::{Access, MonitoringFaults, MonitoringOptions, Notified, Plugin};
