//! A real Nagios 4 that watches thirty machines, tells the bot by its notification command, and takes what is asked of it by its command pipe.

use super::{Bot, Daemon, Port, asked_for};
use crate::ssh::poll;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many machines it watches.
const HOSTS: u8 = 30;
/// The service that flaps for as long as there is a file.
const FLAPS: &str = "Link";

/// A Nagios in a folder of its own.
pub(super) struct Nagios {
    daemon: Option<Daemon>,
    folder: tempfile::TempDir,
    /// The machines, `wn001` and so on.
    pub(super) hosts: Vec<Port>,
    /// A service on each of them.
    pub(super) services: Vec<Port>,
}

impl Nagios {
    /// Makes its folder and the machines.
    pub(super) fn prepare() -> Self {
        let folder = tempfile::Builder::new().prefix("halnagios").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let port = |number: u8| Port::open([127, 0, 89, number].into());
        let nagios = Self {
            daemon: None,
            folder,
            hosts: (1..=HOSTS).map(port).collect(),
            services: (1..=HOSTS).map(port).collect(),
        };
        for name in ["rw", "checkresults", "spool", "log"] {
            std::fs::create_dir(nagios.path(name)).unwrap();
        }
        nagios
    }

    /// The part of the configuration of a bot that asks something of it.
    pub(super) fn section(&self) -> String {
        format!(
            "[[monitoring]]\nname = \"nagios\"\nkind = \"nagios\"\nsite = \"mon01\"\ncommand_file = {:?}\nstatus_file = {:?}\nconfirm = 20\n",
            self.pipe(),
            self.path("status.dat"),
        )
    }

    /// Starts it, and has it tell this bot.
    pub(super) fn start(&mut self, bot: &Bot) {
        let settings = format!(
            "url = \"http://{}\"\napi_key_file = {:?}\nspool = {:?}\nlongest_wait = 1\nsite = \"mon01\"\n",
            bot.listen,
            self.path("key"),
            self.path("spool/halcyon"),
        );
        std::fs::write(self.path("key"), &bot.key).unwrap();
        std::fs::write(self.path("halcyon-notify.toml"), settings).unwrap();
        std::fs::write(self.path("nagios.cfg"), self.main()).unwrap();
        std::fs::write(self.path("objects.cfg"), self.objects()).unwrap();
        self.run();
    }

    /// The daemon begins, with what it has retained.
    pub(super) fn run(&mut self) {
        let _ = std::fs::remove_file(self.pipe());
        let mut command = Command::new("nagios4");
        command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        command.arg(self.path("nagios.cfg"));
        self.daemon = Some(Daemon::start(&mut command, &self.path("log/said")));
        let pipe = self.pipe();
        poll("Nagios has its pipe", || pipe.exists());
    }

    /// The daemon is gone, and its pipe lies there.
    pub(super) fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill();
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn pipe(&self) -> PathBuf {
        self.path("rw/nagios.cmd")
    }

    fn main(&self) -> String {
        let place = self.folder.path().display();
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap().trim().to_owned();
        let group = Command::new("id").arg("-gn").output().unwrap().stdout;
        let group = String::from_utf8(group).unwrap().trim().to_owned();
        format!(
            "log_file={place}/log/nagios.log\ncfg_file={place}/objects.cfg\nobject_cache_file={place}/objects.cache\n\
             precached_object_file={place}/objects.precache\nstatus_file={place}/status.dat\nstatus_update_interval=1\n\
             temp_file={place}/temp\ntemp_path={place}/spool\ncheck_result_path={place}/checkresults\nlock_file={place}/nagios.lock\n\
             state_retention_file={place}/retention.dat\nretain_state_information=1\nretention_update_interval=1\n\
             command_file={place}/rw/nagios.cmd\nquery_socket={place}/rw/nagios.qh\nnagios_user={user}\nnagios_group={group}\n\
             check_external_commands=1\nenable_environment_macros=1\ninterval_length=1\nenable_flap_detection=1\n\
             check_for_updates=0\ncheck_workers=2\nuse_syslog=0\nmax_concurrent_checks=40\nlow_service_flap_threshold=15\n\
             high_service_flap_threshold=20\nexecute_service_checks=1\nexecute_host_checks=1\nenable_notifications=1\n\
             cached_host_check_horizon=0\ncached_service_check_horizon=0\nsoft_state_dependencies=0\n"
        )
    }

    fn objects(&self) -> String {
        let plugins = "/usr/lib/nagios/plugins";
        let notify = format!(
            "{} notify nagios --settings {}",
            env!("CARGO_BIN_EXE_halcyon"),
            self.path("halcyon-notify.toml").display()
        );
        let place = self.folder.path().display();
        let link = format!(
            "#!/bin/sh\ncd {place}\nlast=$(cat last 2>/dev/null || echo 0)\ncode=0\n[ -e flaps ] && code=$((2 - last))\n\
             echo \"$code\" >last\necho \"link $code\"\nexit \"$code\"\n"
        );
        std::fs::write(self.path("link"), link).unwrap();
        std::fs::set_permissions(self.path("link"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut text = format!(
            "define timeperiod {{\n timeperiod_name always\n alias always\n sunday 00:00-24:00\n monday 00:00-24:00\n tuesday 00:00-24:00\n \
             wednesday 00:00-24:00\n thursday 00:00-24:00\n friday 00:00-24:00\n saturday 00:00-24:00\n}}\n\
             define command {{\n command_name port\n command_line {plugins}/check_tcp -H $HOSTADDRESS$ -p $ARG1$ -t 5\n}}\n\
             define command {{\n command_name link\n command_line {place}/link\n}}\n\
             define command {{\n command_name halcyon\n command_line {notify}\n}}\n\
             define contact {{\n contact_name halcyon\n host_notifications_enabled 1\n service_notifications_enabled 1\n \
             host_notification_period always\n service_notification_period always\n host_notification_options d,u,r,f,s\n \
             service_notification_options w,u,c,r,f,s\n host_notification_commands halcyon\n service_notification_commands halcyon\n}}\n"
        );
        let common = "max_check_attempts 2\n check_interval 3\n retry_interval 1\n check_period always\n notification_interval 0\n \
                      notification_period always\n contacts halcyon\n flap_detection_enabled";
        for (number, (host, service)) in self.hosts.iter().zip(&self.services).enumerate() {
            let name = format!("wn{:03}", number + 1);
            writeln!(
                text,
                "define host {{\n host_name {name}\n alias {name}\n address {}\n check_command port!{}\n {common} 0\n}}\n\
                 define service {{\n host_name {name}\n service_description Port\n check_command port!{}\n {common} 0\n}}",
                host.address.ip(),
                host.address.port(),
                service.address.port(),
            )
            .unwrap();
        }
        // Only hard states count as flapping.
        let often = common.replace("check_interval 3", "check_interval 1").replace("attempts 2", "attempts 1");
        writeln!(
            text,
            "define service {{\n host_name wn030\n service_description {FLAPS}\n check_command link\n {often} 1\n}}\n\
             define hostgroup {{\n hostgroup_name workers\n alias workers\n members *\n}}"
        )
        .unwrap();
        text
    }

    /// Somebody at the monitoring does something.
    pub(super) fn command(&self, line: &str) {
        let now = halcyon::app::now().as_second();
        let mut pipe = OpenOptions::new()
            .write(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
            .open(self.pipe())
            .unwrap();
        pipe.write_all(format!("[{now}] {line}\n").as_bytes()).unwrap();
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log/nagios.log")).unwrap_or_default()
    }
}

/// What stands in a block of the status file, for the tests' own eyes.
pub(super) fn status(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_nagios_tells_of_thirty_machines() {
    if !asked_for() {
        return;
    }
    let mut bot = Bot::start("st2", "").await;
    let mut nagios = Nagios::prepare();
    nagios.start(&bot);
    // A service: problem, somebody takes it on there, a downtime, the end.
    nagios.services[0].close();
    let post = bot.alert("`wn001` · Port", &[":red_circle: **CRITICAL**", "onnection refused"]).await;
    nagios.command("ACKNOWLEDGE_SVC_PROBLEM;wn001;Port;2;1;0;operator;the vendor | comes `now`");
    bot.line(&post, ":raising_hand: Taken on by operator: _the vendor").await;
    let now = halcyon::app::now().as_second();
    nagios.command(&format!("SCHEDULE_SVC_DOWNTIME;wn001;Port;{now};{};1;0;3600;operator;a new cable", now + 3600));
    bot.line(&post, ":wrench: In downtime, by operator: _a new cable_").await;
    let file = nagios.path("status.dat");
    let id = || {
        let text = status(&file);
        let (_, block) = text.split_once("servicedowntime {")?;
        let line = block.lines().find_map(|line| line.trim().strip_prefix("downtime_id="))?;
        line.parse::<u32>().ok()
    };
    tokio::task::block_in_place(|| poll("the downtime stands in the status", || id().is_some()));
    nagios.command(&format!("DEL_SVC_DOWNTIME;{}", id().unwrap()));
    bot.line(&post, "The downtime is over.").await;
    nagios.services[0].reopen();
    bot.line(&post, ":white_check_mark: Over after").await;
    // A machine goes while the bot is away, and another one; both are told when it is back, in order.
    bot.kill();
    nagios.hosts[1].close();
    tokio::task::block_in_place(|| {
        poll("Nagios notifies", || nagios.log().contains("HOST NOTIFICATION: halcyon;wn002;DOWN"))
    });
    nagios.hosts[1].reopen();
    tokio::task::block_in_place(|| poll("and again", || nagios.log().contains("HOST NOTIFICATION: halcyon;wn002;UP")));
    bot.serve().await;
    let host = bot.alert("`wn002`", &[":white_check_mark: **OK again**"]).await;
    bot.line(&host, ":white_check_mark: Over after").await;
    // One that comes and goes.
    std::fs::write(nagios.path("flaps"), "").unwrap();
    let flapping = bot.alert("`wn030` · Link", &["comes and goes"]).await;
    std::fs::remove_file(nagios.path("flaps")).unwrap();
    bot.line(&flapping, "It has come to rest").await;
    assert_eq!(bot.posts_of("`wn001` · Port"), 1);
    assert!(bot.world.chat.posts(crate::world::CHANNEL).iter().all(|post| !post.message.contains("@all")));
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_nagios_does_what_chat_asks() {
    if !asked_for() {
        return;
    }
    let mut nagios = Nagios::prepare();
    let bot = Bot::start("st2", &nagios.section()).await;
    nagios.start(&bot);
    nagios.services[4].close();
    let post = bot.alert("`wn005` · Port", &[":red_circle: **CRITICAL**"]).await;
    // What a semicolon would end is a part of what is said.
    bot.asked("!ack wn005 \"Port\" the vendor comes; DEL_ALL", "taken on").await;
    bot.line(&post, ":raising_hand: Taken on by lead: _the vendor comes").await;
    let log = nagios.log();
    assert!(
        log.contains("ACKNOWLEDGE_SVC_PROBLEM;wn005;Port;2;1;0;lead;the vendor comes  DEL_ALL (lead via Halcyon, #"),
        "{log}"
    );
    bot.asked("!downtime wn005 \"Port\" 1h a new cable", "in downtime").await;
    bot.line(&post, ":wrench: In downtime, by lead: _a new cable_").await;
    bot.asked("!downtime wn005 \"Port\" off", "no downtime any more").await;
    bot.line(&post, "The downtime is over.").await;
    bot.asked("!unack wn005 \"Port\"", "nobody has it any more").await;
    bot.asked("!comment wn005 \"Port\": nobody can say why", "written").await;
    nagios.services[4].reopen();
    bot.asked("!recheck wn005 \"Port\"", "OK").await;
    bot.line(&post, ":white_check_mark: Over after").await;
    // What we have said ourselves is told once, whatever Nagios tells of it.
    for said in ["Taken on by lead", "In downtime, by lead", "Over after"] {
        assert_eq!(bot.lines_of(&post, said), 1, "{said}");
    }
    bot.asked("!ack wn005 \"Fan\" what is that", "knows no such host or service").await;
    nagios.kill();
}
