//! What a node says of itself: `uptime`, `df`, `free`, `uname`, `hostname`, `id`, `ip` and the like.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::{Call, Ran};
use crate::sandbox::nodes::content::{self, Memory, Mount};
use crate::sandbox::nodes::machine::wall_clock;

pub(super) async fn run(call: &Call<'_>) -> Ran {
    match call.name {
        "uptime" => uptime(call).await,
        "df" => df(call).await,
        "free" => free(call).await,
        "uname" => uname(call).await,
        "hostname" | "hostnamectl" => hostname(call).await,
        "whoami" | "logname" => call.print(format!("{}\n", call.user)).await,
        "id" => id(call).await,
        "nproc" => call.print(format!("{}\n", call.machine.cores())).await,
        "lscpu" => {
            let cores = call.machine.cores();
            call.print(format!(
                "Architecture:            x86_64\nCPU op-mode(s):          32-bit, 64-bit\nCPU(s):                  {cores}\nVendor ID:               AuthenticAMD\nModel name:              AMD EPYC 7543 32-Core Processor\n"
            ))
            .await
        }
        "lsblk" => lsblk(call).await,
        "mount" => {
            let lines: String = content::mounts(call.machine)
                .iter()
                .map(|mount| format!("{} on {} type {} (rw,relatime)\n", mount.device, mount.path, mount.kind))
                .collect();
            call.print(lines).await
        }
        "ip" => ip(call).await,
        "who" | "w" | "users" | "last" => who(call).await,
        "tty" => {
            call.out("not a tty\n").await?;
            Ok(1)
        }
        "getent" => getent(call).await,
        "sysctl" => sysctl(call).await,
        _ => Ok(0),
    }
}

async fn uptime(call: &Call<'_>) -> Ran {
    let up = call.machine.up().as_secs();
    if call.has('s') {
        let since = jiff::Timestamp::from_second(wall_clock().as_second() - up as i64).unwrap_or_default();
        return call.print(format!("{}\n", since.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S"))).await;
    }
    let (days, hours, minutes) = (up / 86_400, up / 3_600 % 24, up / 60 % 60);
    if call.has('p') {
        let mut parts = Vec::new();
        for (count, unit) in [(days / 7, "week"), (days % 7, "day"), (hours, "hour"), (minutes, "minute")] {
            if count > 0 {
                parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
            }
        }
        return call.print(format!("up {}\n", parts.join(", "))).await;
    }
    call.print(uptime_line(call)).await
}

fn uptime_line(call: &Call<'_>) -> String {
    let up = call.machine.up().as_secs();
    let (days, hours, minutes) = (up / 86_400, up / 3_600 % 24, up / 60 % 60);
    let now = wall_clock().to_zoned(TimeZone::UTC).strftime("%H:%M:%S");
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        days => format!("{days} days, "),
    };
    let clock = if hours == 0 { format!("{minutes} min") } else { format!("{hours:>2}:{minutes:02}") };
    let [one, five, fifteen] = call.machine.load();
    format!(" {now} up {days}{clock},  0 users,  load average: {one:.2}, {five:.2}, {fifteen:.2}\n")
}

/// A size in KiB as `-h` shows it: rounded up, one digit below ten.
fn human(kilobytes: u64, tail: &str) -> String {
    if kilobytes == 0 {
        return "0".to_owned();
    }
    let mut value = kilobytes as f64;
    for unit in ["K", "M", "G", "T", "P"] {
        if value < 1_024.0 {
            return if value < 10.0 {
                format!("{:.1}{unit}{tail}", (value * 10.0).ceil() / 10.0)
            } else {
                format!("{:.0}{unit}{tail}", value.ceil())
            };
        }
        value /= 1_024.0;
    }
    format!("{value:.0}E{tail}")
}

async fn df(call: &Call<'_>) -> Ran {
    let mounts = content::mounts(call.machine);
    let operands = call.operands();
    let mut shown: Vec<&Mount> = Vec::new();
    let mut code = 0;
    if operands.is_empty() {
        shown.extend(&mounts);
    }
    for operand in operands {
        let path = call.path(operand);
        if !call.machine.files(|files| files.exists(&path)) && !mounts.iter().any(|mount| mount.path == path) {
            code = 1;
            let _ = call.fail(1, &format!("{operand}: No such file or directory")).await;
            continue;
        }
        let below =
            |mount: &&Mount| mount.path == "/" || path == mount.path || path.starts_with(&format!("{}/", mount.path));
        shown.extend(mounts.iter().filter(below).max_by_key(|mount| mount.path.len()));
    }
    if shown.is_empty() {
        return Ok(code);
    }
    let readable = call.has('h');
    let kinds = call.has('T');
    let mut text = String::new();
    let kind_title = if kinds { "Type     " } else { "" };
    match readable {
        true => _ = writeln!(text, "Filesystem            {kind_title}  Size  Used Avail Use% Mounted on"),
        false if call.has('P') => {
            _ = writeln!(
                text,
                "Filesystem            {kind_title}1024-blocks        Used   Available Capacity Mounted on"
            );
        }
        false => {
            _ = writeln!(text, "Filesystem            {kind_title}  1K-blocks        Used   Available Use% Mounted on")
        }
    }
    for mount in shown {
        let available = mount.size - mount.used;
        let percent = if mount.size == 0 { 0 } else { (mount.used * 100).div_ceil(mount.size) };
        let kind = if kinds { format!("{:<8} ", mount.kind) } else { String::new() };
        let (device, path) = (mount.device, mount.path);
        _ = match readable {
            true => writeln!(
                text,
                "{device:<21} {kind}{:>6} {:>5} {:>5} {percent:>3}% {path}",
                human(mount.size, ""),
                human(mount.used, ""),
                human(available, "")
            ),
            false if call.has('P') => {
                writeln!(
                    text,
                    "{device:<21} {kind}{:>11} {:>11} {available:>11} {percent:>7}% {path}",
                    mount.size, mount.used
                )
            }
            false => writeln!(
                text,
                "{device:<21} {kind}{:>11} {:>11} {available:>11} {percent:>3}% {path}",
                mount.size, mount.used
            ),
        };
    }
    call.out(text).await?;
    Ok(code)
}

async fn free(call: &Call<'_>) -> Ran {
    let memory = Memory::of(call.machine);
    let show = |kilobytes: u64| {
        if call.has('h') {
            human(kilobytes, "i")
        } else if call.has('m') {
            (kilobytes / 1_024).to_string()
        } else if call.has('g') {
            (kilobytes / 1_048_576).to_string()
        } else {
            kilobytes.to_string()
        }
    };
    let none = if call.has('h') { "0B".to_owned() } else { "0".to_owned() };
    let mut text = "               total        used        free      shared  buff/cache   available\n".to_owned();
    let _ = writeln!(
        text,
        "Mem:     {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}",
        show(memory.total),
        show(memory.used),
        show(memory.free),
        show(memory.shared),
        show(memory.cached),
        show(memory.available)
    );
    let _ = writeln!(text, "Swap:    {:>11} {none:>11} {:>11}", show(memory.swap), show(memory.swap));
    call.print(text).await
}

async fn uname(call: &Call<'_>) -> Ran {
    let kernel = call.machine.state().kernel.clone();
    let node = format!("{}.{}", call.machine.name, call.machine.domain);
    let version = "#1 SMP PREEMPT_DYNAMIC Wed Apr 17 18:51:40 EDT 2024";
    if call.has('a') {
        return call.print(format!("Linux {node} {kernel} {version} x86_64 x86_64 x86_64 GNU/Linux\n")).await;
    }
    let mut parts: Vec<&str> = Vec::new();
    for (flag, part) in
        [('s', "Linux"), ('n', &node), ('r', &kernel), ('v', version), ('m', "x86_64"), ('o', "GNU/Linux")]
    {
        if call.has(flag) {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        parts.push("Linux");
    }
    call.print(format!("{}\n", parts.join(" "))).await
}

async fn hostname(call: &Call<'_>) -> Ran {
    let (name, domain) = (&call.machine.name, call.machine.domain);
    if call.name == "hostnamectl" {
        let kernel = call.machine.state().kernel.clone();
        return call
            .print(format!(
                " Static hostname: {name}.{domain}\n       Icon name: computer-server\n         Chassis: server\nOperating System: AlmaLinux 9.4 (Seafoam Ocelot)\n          Kernel: Linux {kernel}\n    Architecture: x86-64\n"
            ))
            .await;
    }
    let line = match () {
        () if call.has('s') => name.clone(),
        () if call.has('d') => domain.to_owned(),
        () if call.has('i') || call.has('I') => content::address(call.machine),
        () => format!("{name}.{domain}"),
    };
    call.print(format!("{line}\n")).await
}

async fn id(call: &Call<'_>) -> Ran {
    let user = call.operands().first().map_or(call.user, |user| *user).to_owned();
    let number = match user.as_str() {
        "root" => 0,
        user if user == call.user || user == "halcyon" => 1_000,
        user => return call.fail(1, &format!("'{user}': no such user")).await,
    };
    let line = match () {
        () if call.has('n') => user,
        () if call.has('u') || call.has('g') => number.to_string(),
        () => format!("uid={number}({user}) gid={number}({user}) groups={number}({user})"),
    };
    call.print(format!("{line}\n")).await
}

async fn lsblk(call: &Call<'_>) -> Ran {
    let mut text = "NAME         MAJ:MIN RM   SIZE RO TYPE MOUNTPOINTS\nsda            8:0    0    80G  0 disk \n├─sda1         8:1    0     1G  0 part /boot\n└─sda2         8:2    0    79G  0 part \n  └─vg0-root 253:0    0    70G  0 lvm  /\n".to_owned();
    if let Some(scratch) = content::mounts(call.machine).iter().find(|mount| mount.path == "/scratch") {
        let _ = writeln!(
            text,
            "nvme0n1      259:0    0 {:>5} 0 disk \n└─nvme0n1p1  259:1    0 {0:>5} 0 part /scratch",
            human(scratch.size, "")
        );
    }
    call.print(text).await
}

async fn ip(call: &Call<'_>) -> Ran {
    let address = content::address(call.machine);
    let hardware = call.machine.draw("hardware address", 0, 0x00ff_ffff);
    let hardware = format!("0c:42:a1:{:02x}:{:02x}:{:02x}", hardware >> 16, hardware >> 8 & 0xff, hardware & 0xff);
    let operands = call.operands();
    let what = operands.first().copied().unwrap_or("address");
    if what.starts_with('r') {
        return call.print(format!("default via 10.42.0.1 dev eth0 proto static metric 100 \n10.42.0.0/16 dev eth0 proto kernel scope link src {address} metric 100 \n")).await;
    }
    if call.arguments.iter().any(|argument| argument == "-br" || argument == "-brief") {
        return call
            .print(format!(
                "lo               UNKNOWN        127.0.0.1/8 ::1/128 \neth0             UP             {address}/16 \n"
            ))
            .await;
    }
    let with_addresses = !what.starts_with('l');
    let mut text = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n".to_owned();
    if with_addresses {
        text.push_str("    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n");
    }
    let _ = writeln!(
        text,
        "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9000 qdisc mq state UP group default qlen 1000\n    link/ether {hardware} brd ff:ff:ff:ff:ff:ff"
    );
    if with_addresses {
        let _ = writeln!(
            text,
            "    inet {address}/16 brd 10.42.255.255 scope global noprefixroute eth0\n       valid_lft forever preferred_lft forever"
        );
    }
    call.print(text).await
}

async fn who(call: &Call<'_>) -> Ran {
    if call.name == "last" {
        return call.print("\nwtmp begins Mon Jan  1 00:00:00 2024\n").await;
    }
    if call.name == "w" {
        return call
            .print(format!(
                "{}USER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU WHAT\n",
                uptime_line(call)
            ))
            .await;
    }
    let boot = wall_clock().as_second() - call.machine.up().as_secs() as i64;
    if call.has('b') {
        let boot = jiff::Timestamp::from_second(boot).unwrap_or_default().to_zoned(TimeZone::UTC);
        return call.print(format!("         system boot  {}\n", boot.strftime("%Y-%m-%d %H:%M"))).await;
    }
    Ok(0)
}

async fn getent(call: &Call<'_>) -> Ran {
    let operands = call.operands();
    let (database, key) = (operands.first().copied().unwrap_or_default(), operands.get(1).copied());
    let file = match database {
        "passwd" => "/etc/passwd",
        "hosts" => "/etc/hosts",
        _ => return Ok(1),
    };
    let text = super::read_file(call.machine, file)
        .map(|data| String::from_utf8_lossy(&data).into_owned())
        .unwrap_or_default();
    let separators: &[char] = if database == "passwd" { &[':'] } else { &[' '] };
    let fits = |line: &&str| match key {
        Some(key) => line.split(separators).any(|part| part == key),
        None => true,
    };
    let lines: String = text.lines().filter(fits).map(|line| format!("{line}\n")).collect();
    let code = if lines.is_empty() { 2 } else { 0 };
    call.out(lines).await?;
    Ok(code)
}

async fn sysctl(call: &Call<'_>) -> Ran {
    let mut code = 0;
    for key in call.operands() {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        match super::read_file(call.machine, &path) {
            Ok(value) => {
                let value = String::from_utf8_lossy(&value).into_owned();
                let line = if call.has('n') { value } else { format!("{key} = {value}") };
                call.out(line).await?;
            }
            Err(_) => code = call.fail(1, &format!("cannot stat {path}: No such file or directory")).await?,
        }
    }
    Ok(code)
}
