//! Halcyon beside real monitorings from Debian's packages: `./test.sh peers` calls for it.
//!
//! | real | stands for something |
//! | --- | --- |
//! | Nagios 4, Icinga 2, Alertmanager: their daemons, with configurations of their own, in folders of their own | |
//! | the program `halcyon`, as `serve` and as Nagios' notification command | |
//! | the plugins that check, on thirty addresses of the loopback | what they check: ports that the test opens and closes |
//!
//! The chat is the sandbox's. Every wait is for what is meant; nothing is waited out.

mod alertmanager;
mod icinga;
mod nagios;

use crate::callbacks::free_port;
use crate::operations::{Service, halcyon, heard, world};
use crate::world::{CHANNEL, World};
use halcyon::sandbox::mattermost::Post;
use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a monitoring may take to find and tell something; only ever waited for in full by a test that fails.
const PATIENCE: Duration = Duration::from_secs(90);

/// Whether these tests are to run; says so when not.
fn asked_for() -> bool {
    let asked = std::env::var_os("HALCYON_PEERS").is_some_and(|value| value == "1");
    if !asked {
        // Past the harness, which keeps the output of tests that pass to itself.
        let _ = writeln!(
            std::io::stderr(),
            "peers_monitoring: not run; it meets real monitorings when HALCYON_PEERS=1 is set"
        );
    }
    asked
}

/// The program, between the sandbox's chat and a real monitoring.
struct Bot {
    world: World,
    service: Option<Service>,
    listen: SocketAddr,
    /// A key for the webhooks of the monitoring.
    key: String,
}

impl Bot {
    /// Starts it; `more` is added to its configuration.
    async fn start(webhook: &str, more: &str) -> Self {
        let listen: SocketAddr = ([127, 0, 0, 1], free_port()).into();
        let world = world(&format!("[http]\nlisten = \"{listen}\"\n{more}")).await;
        let mut bot = Self { world, service: None, listen, key: String::new() };
        bot.serve().await;
        let (code, said) = halcyon(&bot.world, &["api-key", "create", "monitoring", "--webhook", webhook]).await;
        assert_eq!(code, 0, "{said}");
        said.lines().next().unwrap().trim().clone_into(&mut bot.key);
        bot
    }

    /// A process of it begins.
    async fn serve(&mut self) {
        let greetings =
            |world: &World| world.chat.posts(CHANNEL).iter().filter(|post| post.message.contains("I am here")).count();
        let before = greetings(&self.world);
        self.service = Some(Service::start(&self.world, false));
        heard(&self.world, "I am here").await;
        let more = |_: &Post| greetings(&self.world) > before;
        self.world.chat.wait_for(CHANNEL, more, PATIENCE).await.unwrap();
    }

    /// It is gone, as after a power cut.
    fn kill(&mut self) {
        self.service = None;
    }

    /// The post of a problem, once it says all of this.
    async fn alert(&self, of: &str, says: &[&str]) -> Post {
        let wanted = |post: &Post| {
            let first = post.message.lines().next().unwrap_or_default();
            post.root_id.is_empty()
                && first.ends_with(of)
                && first.contains("**")
                && says.iter().all(|text| post.message.contains(text))
        };
        self.world
            .chat
            .wait_for(CHANNEL, wanted, PATIENCE)
            .await
            .unwrap_or_else(|problem| panic!("{of} {says:?}: {problem}"))
    }

    /// A line in the thread of a problem.
    async fn line(&self, of: &Post, says: &str) -> Post {
        let wanted = |post: &Post| post.root_id == of.id && post.message.contains(says);
        self.world
            .chat
            .wait_for(CHANNEL, wanted, PATIENCE)
            .await
            .unwrap_or_else(|problem| panic!("{says:?}: {problem}"))
    }

    /// Somebody writes a line; gives the answer once it says this.
    async fn asked(&self, line: &str, says: &str) -> String {
        let post = self.world.write("lead", line);
        let wanted = |answer: &Post| answer.message.contains(says);
        let answer = tokio::time::timeout(PATIENCE, self.world.answer_within(PATIENCE, &post, wanted)).await;
        answer.unwrap_or_else(|_| panic!("{line}: nobody says {says:?}")).message
    }

    /// How many lines of a thread say this.
    fn lines_of(&self, of: &Post, says: &str) -> usize {
        let posts = self.world.chat.posts(CHANNEL);
        posts.iter().filter(|post| post.root_id == of.id && post.message.contains(says)).count()
    }

    /// How many posts there are whose first line ends so.
    fn posts_of(&self, of: &str) -> usize {
        let posts = self.world.chat.posts(CHANNEL);
        posts
            .iter()
            .filter(|post| post.root_id.is_empty() && post.message.lines().next().unwrap_or_default().ends_with(of))
            .count()
    }
}

/// A machine of the loopback that is there while its port is open.
struct Port {
    address: SocketAddr,
    open: Option<TcpListener>,
}

impl Port {
    /// Any free port of an address, open.
    fn open(host: IpAddr) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        Self { address: listener.local_addr().unwrap(), open: Some(listener) }
    }

    fn close(&mut self) {
        self.open = None;
    }

    fn reopen(&mut self) {
        // The kernel keeps what was closed a moment ago; the address is nobody else's.
        let socket = rustix_listener(self.address);
        self.open = Some(socket);
    }
}

fn rustix_listener(address: SocketAddr) -> TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(128).unwrap();
    listener.into_std().unwrap()
}

/// A daemon that is ended with the test.
struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it with its words in a file.
    fn start(command: &mut Command, log: &Path) -> Self {
        use std::os::unix::process::CommandExt;
        let said = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        // It may have helpers, which go with it.
        let child = command.process_group(0).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let _ = rustix::process::kill_process_group(rustix::process::Pid::from_child(&self.child), signal);
    }

    /// It is gone at once.
    fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        let end = std::time::Instant::now() + Duration::from_secs(5);
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }
}
