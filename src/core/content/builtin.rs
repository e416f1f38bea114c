//! The packs that come from the program itself: `core`, what of StackStorm's `linux` and `chatops` makes sense here, what CheckMK tells, and
//! what monitorings can be asked for.
//!
//! **The actions of `core` are always those of the program**: a pack of that name on disk only adds to them. Of the other packs a site may
//! bring its own version; what that one lacks, or cannot run here, is filled up from the program.

use super::{PackSource, SourceFile};

/// What stands before the names of what is built in, in messages.
const SHOWN: &str = "built in: ";

/// A file, and its text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("builtin/", $folder, "/", $file)))),*]
    };
}

const CORE: &[File] = files!("core":
    "pack.yaml",
    "actions/announcement.yaml",
    "actions/ask.yaml",
    "actions/echo.yaml",
    "actions/error.yaml",
    "actions/http.yaml",
    "actions/inject_trigger.yaml",
    "actions/local.yaml",
    "actions/local_sudo.yaml",
    "actions/noop.yaml",
    "actions/pause.yaml",
    "actions/remote.yaml",
    "actions/remote_sudo.yaml",
    "actions/sendmail.yaml",
    "actions/uuid.yaml",
    "triggers/actiontrigger.yaml",
    "triggers/cron_timer.yaml",
    "triggers/date_timer.yaml",
    "triggers/inquiry.yaml",
    "triggers/interval_timer.yaml",
    "triggers/key_value_pair_create.yaml",
    "triggers/key_value_pair_delete.yaml",
    "triggers/key_value_pair_update.yaml",
    "triggers/key_value_pair_value_change.yaml",
    "triggers/notifytrigger.yaml",
    "triggers/sensor_process_exit.yaml",
    "triggers/sensor_process_spawn.yaml",
    "triggers/webhook.yaml",
);

const LINUX: &[File] = files!("linux":
    "pack.yaml",
    "actions/check_loadavg.yaml",
    "actions/check_processes.yaml",
    "actions/cp.yaml",
    "actions/file_touch.yaml",
    "actions/lsof.yaml",
    "actions/lsof_pids.yaml",
    "actions/mv.yaml",
    "actions/netstat.yaml",
    "actions/netstat_grep.yaml",
    "actions/pkill.yaml",
    "actions/rm.yaml",
    "actions/rsync.yaml",
    "actions/scp.yaml",
    "actions/service.yaml",
    "actions/traceroute.yaml",
    "actions/vmstat.yaml",
    "actions/scripts/check_loadavg.sh",
    "actions/scripts/check_processes.sh",
    "actions/scripts/service.sh",
    "actions/scripts/traceroute.sh",
);

const CHATOPS: &[File] = files!("chatops":
    "pack.yaml",
    "actions/post_message.yaml",
);

const CHECK_MK: &[File] = files!("check_mk":
    "pack.yaml",
    "triggers/event_handler.yaml",
);

const NAGIOS: &[File] = files!("nagios":
    "pack.yaml",
    "triggers/notification.yaml",
    "triggers/service_state_change.yaml",
);

const ICINGA2: &[File] = files!("icinga2":
    "pack.yaml",
    "triggers/notification.yaml",
    "triggers/event_state_change.yaml",
);

const ALERTMANAGER: &[File] = files!("alertmanager":
    "pack.yaml",
    "triggers/notification.yaml",
);

const MONITORING: &[File] = files!("monitoring":
    "pack.yaml",
    "actions/acknowledge.yaml",
    "actions/comment.yaml",
    "actions/downtime.yaml",
    "actions/move_downtime.yaml",
    "actions/recheck.yaml",
    "actions/remove_acknowledgement.yaml",
    "actions/remove_downtime.yaml",
    "actions/state.yaml",
    "aliases/acknowledge.yaml",
    "aliases/comment.yaml",
    "aliases/downtime.yaml",
    "aliases/recheck.yaml",
    "aliases/remove_acknowledgement.yaml",
    "aliases/remove_downtime.yaml",
    "aliases/state.yaml",
);

/// What StackStorm's packs of these names hold beyond ours.
pub(crate) const NOT_BUILT: &[&str] = &[
    "chatops.format_execution_result",
    "chatops.match",
    "chatops.match_and_execute",
    "chatops.post_result",
    "chatops.run",
    "core.winrm_cmd",
    "core.winrm_ps_cmd",
    "linux.diag_loadavg",
    "linux.dig",
    "linux.wait_for_ssh",
];

/// The packs as if they had been read from disk, `core` first.
pub(crate) fn packs() -> Vec<PackSource> {
    let named = [
        ("core", CORE),
        ("linux", LINUX),
        ("chatops", CHATOPS),
        ("check_mk", CHECK_MK),
        ("nagios", NAGIOS),
        ("icinga2", ICINGA2),
        ("alertmanager", ALERTMANAGER),
        ("monitoring", MONITORING),
    ];
    named.into_iter().map(|(name, files)| pack(name, files)).collect()
}

fn pack(name: &str, files: &[File]) -> PackSource {
    let file = |(inside, text): &File| SourceFile {
        shown: format!("{SHOWN}{name}/{inside}"),
        inside: (*inside).to_owned(),
        text: Ok((*text).to_owned()),
    };
    PackSource {
        directory: name.to_owned(),
        shown: format!("{SHOWN}{name}"),
        files: files.iter().map(file).collect(),
        programs: Vec::new(),
    }
}

/// Whether a file or a pack of this name in messages is built in.
pub(crate) fn is_built_in(shown: &str) -> bool {
    shown.starts_with(SHOWN)
}
