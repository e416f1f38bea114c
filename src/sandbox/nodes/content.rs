//! What is on a node at first: distribution, kernel, services, packages, files.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use super::batch;
use super::filesystem::FileSystem;
use super::machine::{Activity, Machine, Package, Process, Role, Service, State, wall_clock};
use super::monitoring::SITE;
use super::tools::livestatus_socket;

/// The kernel that runs and the one that waits as an update.
pub(crate) const KERNEL: &str = "5.14.0-427.13.1.el9_4";
pub(crate) const NEXT_KERNEL: &str = "5.14.0-427.40.1.el9_4";

const OS_RELEASE: &str = "NAME=\"AlmaLinux\"\nVERSION=\"9.4 (Seafoam Ocelot)\"\nID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\nPLATFORM_ID=\"platform:el9\"\nPRETTY_NAME=\"AlmaLinux 9.4 (Seafoam Ocelot)\"\nANSI_COLOR=\"0;34\"\nLOGO=\"fedora-logo-icon\"\nCPE_NAME=\"cpe:/o:almalinux:almalinux:9::baseos\"\n";

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nbin:x:1:1:bin:/bin:/sbin/nologin\ndaemon:x:2:2:daemon:/sbin:/sbin/nologin\nnobody:x:65534:65534:Kernel Overflow User:/:/sbin/nologin\nchrony:x:991:986:chrony system user:/var/lib/chrony:/sbin/nologin\nmunge:x:990:985:Runs Uid N Gid Emporium:/run/munge:/sbin/nologin\nslurm:x:450:450:SLURM workload manager:/var/lib/slurm:/sbin/nologin\nhalcyon:x:1000:1000::/home/halcyon:/bin/bash\natlsqmal:x:40001:40000:ATLAS jobs:/home/atlsqmal:/sbin/nologin\ncmssgm:x:40002:40000:CMS jobs:/home/cmssgm:/sbin/nologin\nlhcbprd:x:40003:40000:LHCb jobs:/home/lhcbprd:/sbin/nologin\n";

/// The accounts of jobs.
pub(crate) const BATCH_USERS: [&str; 3] = ["atlsqmal", "cmssgm", "lhcbprd"];

/// What the monitoring's agent runs on a worker: a line for each process of a batch user whose parent has gone.
const CHECK_UNPARENT: &str = r#"#!/bin/bash
echo '<<<unparent>>>'
ps -eo pid=,ppid=,user=,etimes=,args= | while read -r pid parent user age command; do
  [ "$parent" = 1 ] || continue
  uid=$(getent passwd "$user" | cut -d: -f3)
  [ "${uid:-0}" -ge 40000 ] || continue
  echo "$user pid=$pid age=$age $command"
done
"#;

/// name, description
const SERVICES: &[(&str, &str)] = &[
    ("chronyd", "NTP client/server"),
    ("crond", "Command Scheduler"),
    ("munge", "MUNGE authentication service"),
    ("node_exporter", "Prometheus exporter for machine metrics"),
    ("rsyslog", "System Logging Service"),
    ("slurmd", "Slurm node daemon"),
    ("sshd", "OpenSSH server daemon"),
    ("sssd", "System Security Services Daemon"),
    ("systemd-journald", "Journal Service"),
];

/// What a machine runs by its role.
fn services(role: Role) -> Vec<(&'static str, &'static str)> {
    let (without, with): (&[&str], &[(&str, &str)]) = match role {
        Role::Worker => (&[], &[]),
        Role::BatchServer => (&["slurmd"], &[("slurmctld", "Slurm controller daemon")]),
        Role::MonitoringServer => {
            (&["slurmd", "munge"], &[("httpd", "The Apache HTTP Server"), ("omd", "Checkmk Monitoring")])
        }
        Role::Administration => (&["slurmd", "munge"], &[("puppetserver", "Puppet Server")]),
    };
    SERVICES.iter().filter(|(name, _)| !without.contains(name)).chain(with).copied().collect()
}

/// name, version, architecture, update, kilobytes
const PACKAGES: &[(&str, &str, &str, &str, u32)] = &[
    ("bash", "5.1.8-9.el9", "x86_64", "", 1_700),
    ("chrony", "4.5-1.el9", "x86_64", "", 330),
    ("coreutils", "8.32-35.el9", "x86_64", "", 1_200),
    ("curl", "7.76.1-29.el9_4", "x86_64", "7.76.1-29.el9_4.1", 294),
    ("glibc", "2.34-100.el9", "x86_64", "2.34-100.el9_4.4", 2_000),
    ("kernel", KERNEL, "x86_64", NEXT_KERNEL, 1_100),
    ("kernel-core", KERNEL, "x86_64", NEXT_KERNEL, 19_000),
    ("kernel-modules", KERNEL, "x86_64", NEXT_KERNEL, 38_000),
    ("linux-firmware", "20240210-143.el9", "noarch", "20240905-143.3.el9_4", 320_000),
    ("munge", "0.5.13-13.el9", "x86_64", "", 120),
    ("nfs-utils", "2.5.4-25.el9", "x86_64", "", 430),
    ("openssh", "8.7p1-38.el9", "x86_64", "8.7p1-38.el9_4.4", 455),
    ("openssh-server", "8.7p1-38.el9", "x86_64", "8.7p1-38.el9_4.4", 456),
    ("openssl-libs", "3.0.7-27.el9", "x86_64", "3.0.7-28.el9_4", 1_900),
    ("python3", "3.9.18-3.el9", "x86_64", "3.9.18-3.el9_4.5", 26),
    ("rsyslog", "8.2310.0-4.el9", "x86_64", "", 780),
    ("slurm", "23.11.7-1.el9", "x86_64", "", 21_000),
    ("slurm-slurmd", "23.11.7-1.el9", "x86_64", "", 1_300),
    ("sssd", "2.9.4-6.el9_4", "x86_64", "2.9.4-6.el9_4.3", 27),
    ("systemd", "252-32.el9_4", "x86_64", "252-32.el9_4.7", 4_200),
    ("tzdata", "2024a-1.el9", "noarch", "2024b-2.el9", 428),
];

/// The state of a node when the cluster starts.
pub(crate) fn first_state(machine: &Machine) -> State {
    let mut state = State::empty();
    let days = machine.draw("uptime", 3, 140);
    state.up_before = Duration::from_secs(days * 86_400 + machine.draw("uptime of the day", 0, 86_399));
    state.booted = Instant::now();
    state.boot_id = boot_id(machine, 0);
    state.kernel = format!("{KERNEL}.x86_64");
    state.kernels = vec![state.kernel.clone()];
    let boot = wall_clock().as_second() - state.up_before.as_secs() as i64;
    let broken = machine.draw("broken service", 0, 11) == 0;
    for (place, (name, description)) in services(machine.role).into_iter().enumerate() {
        let failed = broken && name == "node_exporter";
        let service = Service {
            description: description.to_owned(),
            active: if failed { Activity::Failed } else { Activity::Active },
            enabled: true,
            pid: 900 + place as u32 * 37 + machine.draw(name, 0, 30) as u32,
            since: boot + 12 + place as i64,
        };
        state.services.insert(name.to_owned(), service);
    }
    for (name, version, architecture, update, kilobytes) in PACKAGES {
        let package = Package {
            version: (*version).to_owned(),
            architecture,
            update: (!update.is_empty()).then(|| (*update).to_owned()),
            kilobytes: *kilobytes,
        };
        state.packages.insert((*name).to_owned(), package);
    }
    state.processes = first_processes(&state, boot);
    plant_files(machine, &mut state);
    state.journal = first_journal(machine, &state.services, boot);
    state
}

fn first_processes(state: &State, boot: i64) -> BTreeMap<u32, Process> {
    let resident = |parent: u32, command: &str| Process {
        parent,
        user: "root".to_owned(),
        command: command.to_owned(),
        started: boot,
        group: None,
        token: CancellationToken::new(),
    };
    let mut processes = BTreeMap::new();
    processes.insert(1, resident(0, "/usr/lib/systemd/systemd --switched-root --system --deserialize 31"));
    processes.insert(2, resident(0, "[kthreadd]"));
    for (name, service) in state.services.iter().filter(|(_, service)| service.active == Activity::Active) {
        processes.insert(service.pid, resident(1, &daemon(name)));
    }
    processes
}

/// The command line of a service's main process.
pub(crate) fn daemon(name: &str) -> String {
    match name {
        "sshd" => "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups".to_owned(),
        "slurmd" => "/usr/sbin/slurmd --systemd".to_owned(),
        "crond" => "/usr/sbin/crond -n".to_owned(),
        "systemd-journald" => "/usr/lib/systemd/systemd-journald".to_owned(),
        name => format!("/usr/sbin/{name}"),
    }
}

fn plant_files(machine: &Machine, state: &mut State) {
    let fqdn = format!("{}.{}", machine.name, machine.domain);
    let files = state.files_mut();
    for directory in ["/tmp", "/var/tmp", "/var/log", "/run", "/home/halcyon", "/root", "/scratch", "/usr/bin", "/boot"]
    {
        files.plant_directory(directory);
    }
    files.plant("/etc/os-release", OS_RELEASE);
    files.plant("/etc/almalinux-release", "AlmaLinux release 9.4 (Seafoam Ocelot)\n");
    files.plant("/etc/redhat-release", "AlmaLinux release 9.4 (Seafoam Ocelot)\n");
    files.plant("/etc/hostname", &format!("{fqdn}\n"));
    files.plant(
        "/etc/machine-id",
        &format!("{:016x}{:016x}\n", machine.draw("id a", 0, u64::MAX - 1), machine.draw("id b", 0, u64::MAX - 1)),
    );
    let hosts = format!(
        "127.0.0.1   localhost localhost.localdomain\n::1         localhost localhost.localdomain\n{} {fqdn} {}\n",
        address(machine),
        machine.name
    );
    files.plant("/etc/hosts", &hosts);
    files.plant("/etc/passwd", PASSWD);
    match machine.role {
        Role::MonitoringServer => plant_monitoring(files),
        Role::Worker => files.plant("/usr/share/check-mk-agent/plugins/check_unparent", CHECK_UNPARENT),
        Role::BatchServer | Role::Administration => {}
    }
    files.plant("/etc/resolv.conf", &format!("search {}\nnameserver 10.42.0.2\n", machine.domain));
    files.plant("/etc/fstab", "/dev/mapper/vg0-root /        xfs  defaults 0 0\n/dev/sda1            /boot    xfs  defaults 0 0\nstore:/home          /home    nfs4 defaults 0 0\n");
    files.plant("/etc/slurm/slurm.conf", "ClusterName=demo\nSlurmctldHost=head\nAuthType=auth/munge\n");
    files.plant("/proc/sys/kernel/random/boot_id", "");
    files.plant("/proc/version", "");
    let cpu: String = (0..machine.cores())
        .map(|at| {
            format!("processor\t: {at}\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7543 32-Core Processor\ncpu MHz\t\t: 2794.750\n\n")
        })
        .collect();
    files.plant("/proc/cpuinfo", &cpu);
}

/// The monitoring's site and the program that asks it.
fn plant_monitoring(files: &mut FileSystem) {
    let home = format!("/omd/sites/{SITE}");
    files.plant("/etc/passwd", &format!("{PASSWD}{SITE}:x:996:996:OMD site {SITE}:{home}:/bin/bash\n"));
    files.plant(&livestatus_socket(), "");
    let asks = "#!/bin/bash\nif [ $# -gt 0 ]; then\n  printf '%b\\n' \"$*\" | unixcat \"$HOME/tmp/run/live\"\nelse\n  unixcat \"$HOME/tmp/run/live\"\nfi\n";
    files.plant(&format!("{home}/bin/lq"), asks);
}

/// What every machine of a cluster with a batch system has of its configuration.
pub(crate) fn slurm_conf(server: &str, nodes: &[&str]) -> String {
    let mut text = format!(
        "ClusterName=demo\nSlurmctldHost={server}\nAuthType=auth/munge\nReturnToService=2\nNodeName={} Sockets=2\n",
        batch::compress(nodes.iter().copied())
    );
    for (at, (name, limit, share)) in batch::PARTITIONS.iter().enumerate() {
        let among = nodes.iter().take(nodes.len().div_ceil(*share)).copied();
        let default = if at == 0 { " Default=YES" } else { "" };
        text.push_str(&format!("PartitionName={name} Nodes={}{default} MaxTime={limit}\n", batch::compress(among)));
    }
    text
}

fn first_journal(machine: &Machine, services: &BTreeMap<String, Service>, boot: i64) -> Vec<String> {
    let pid = |name: &str| services.get(name).map_or(1, |service| service.pid);
    let mut lines = Vec::new();
    let mut put = |second: i64, unit: &str, message: &str| {
        let time = jiff::Timestamp::from_second(second).unwrap_or_default();
        lines.push(journal_line(time, &machine.name, unit, message));
    };
    put(boot, "kernel", &format!("Linux version {KERNEL}.x86_64 (mockbuild@x64-builder02.example) (gcc 11.4.1)"));
    for (place, (name, description)) in self::services(machine.role).into_iter().enumerate() {
        let at = boot + 12 + place as i64;
        put(at, "systemd[1]", &format!("Starting {description}..."));
        put(at, &format!("{name}[{}]", pid(name)), "starting up");
        put(at, "systemd[1]", &format!("Started {description}."));
    }
    let hour = wall_clock().as_second() - 3_600;
    for minute in 0..60 {
        if machine.role == Role::Worker {
            let job = 48_000 + machine.draw(&format!("job {minute}"), 0, 900);
            put(
                hour + minute * 60,
                &format!("slurmd[{}]", pid("slurmd")),
                &format!("launch task StepId={job}.0 request from UID:1000 GID:1000 HOST:10.42.0.2"),
            );
        }
        if minute % 10 == 0 {
            put(hour + minute * 60 + 1, "CROND[20110]", "(root) CMD (/usr/lib64/sa/sa1 1 1)");
        }
        if minute % 15 == 0 {
            put(hour + minute * 60 + 2, &format!("chronyd[{}]", pid("chronyd")), "Selected source 10.42.0.2");
        }
    }
    lines
}

/// One line as `journalctl` prints it.
pub(crate) fn journal_line(time: jiff::Timestamp, host: &str, unit: &str, message: &str) -> String {
    format!("{} {host} {unit}: {message}", time.to_zoned(TimeZone::UTC).strftime("%b %d %H:%M:%S"))
}

/// The address that the node believes to have.
pub(crate) fn address(machine: &Machine) -> String {
    format!("10.42.{}.{}", 1 + machine.draw("rack", 0, 7), machine.draw("address", 10, 250))
}

pub(crate) fn boot_id(machine: &Machine, reboots: u32) -> String {
    let a = machine.draw(&format!("boot a {reboots}"), 0, u64::MAX - 1);
    let b = machine.draw(&format!("boot b {reboots}"), 0, u64::MAX - 1);
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 48 & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

/// Writes the files that say which boot this is.
pub(crate) fn write_proc(machine: &Machine) {
    let mut state = machine.state();
    let boot = format!("{}\n", state.boot_id);
    let version = format!(
        "Linux version {} (mockbuild@x64-builder02.example) (gcc (GCC) 11.4.1 20231218 (Red Hat 11.4.1-3)) #1 SMP PREEMPT_DYNAMIC\n",
        state.kernel
    );
    let files = state.files_mut();
    files.plant("/proc/sys/kernel/random/boot_id", &boot);
    files.plant("/proc/version", &version);
}

/// The files whose text is made when they are read.
pub(crate) fn live(machine: &Machine, path: &str) -> Option<String> {
    match path {
        "/proc/loadavg" => {
            let [one, five, fifteen] = machine.load();
            let pid = machine.next_pid();
            Some(format!("{one:.2} {five:.2} {fifteen:.2} {}/{} {pid}\n", one as u64 + 1, 900 + machine.cores()))
        }
        "/proc/uptime" => {
            let up = machine.up().as_secs_f64();
            Some(format!("{up:.2} {:.2}\n", up * machine.cores() as f64 * 0.4))
        }
        "/proc/meminfo" => {
            let memory = Memory::of(machine);
            Some(format!(
                "MemTotal:       {:>8} kB\nMemFree:        {:>8} kB\nMemAvailable:   {:>8} kB\nCached:         {:>8} kB\nSwapTotal:      {:>8} kB\nSwapFree:       {:>8} kB\n",
                memory.total, memory.free, memory.available, memory.cached, memory.swap, memory.swap
            ))
        }
        _ => None,
    }
}

/// Memory in KiB.
pub(crate) struct Memory {
    pub(crate) total: u64,
    pub(crate) used: u64,
    pub(crate) free: u64,
    pub(crate) shared: u64,
    pub(crate) cached: u64,
    pub(crate) available: u64,
    pub(crate) swap: u64,
}

impl Memory {
    pub(crate) fn of(machine: &Machine) -> Memory {
        let total = machine.memory();
        let used = total / 100 * machine.draw("used memory", 4, 71);
        let cached = (total - used) / 100 * machine.draw("cached memory", 5, 60);
        let free = total - used - cached;
        Memory { total, used, free, shared: cached / 20, cached, available: free + cached * 9 / 10, swap: 8_388_604 }
    }
}

/// A mounted file system, sizes in KiB.
pub(crate) struct Mount {
    pub(crate) device: &'static str,
    pub(crate) path: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) size: u64,
    pub(crate) used: u64,
}

/// The file systems of a node, as `df` and `mount` show them.
pub(crate) fn mounts(machine: &Machine) -> Vec<Mount> {
    let memory = machine.memory();
    let disk = |device, path, kind, size: u64, used: u64| Mount { device, path, kind, size, used };
    let share = |purpose: &str, low, high| machine.draw(purpose, low, high);
    let root = 73_364_480;
    let scratch = [932_364_288, 1_875_374_424][share("scratch disk", 0, 1) as usize];
    // One node in sixteen has a full root, so that there is something to find.
    let filled = if share("full root", 0, 15) == 0 { 97 } else { share("root used", 18, 64) };
    vec![
        disk("devtmpfs", "/dev", "devtmpfs", 4_096, 0),
        disk("tmpfs", "/dev/shm", "tmpfs", memory / 2, 0),
        disk("tmpfs", "/run", "tmpfs", memory / 5, share("run used", 9_000, 90_000)),
        disk("/dev/mapper/vg0-root", "/", "xfs", root, root / 100 * filled),
        disk("/dev/sda1", "/boot", "xfs", 983_040, share("boot used", 260_000, 520_000)),
        disk("/dev/nvme0n1p1", "/scratch", "xfs", scratch, scratch / 100 * share("scratch used", 1, 88)),
        disk("store:/home", "/home", "nfs4", 10_737_418_240, 6_871_947_673),
    ]
}
