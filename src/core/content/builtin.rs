//! The pack `core`, which is always there and comes from the program itself.

use super::{PackSource, SourceFile};

const FILES: &[(&str, &str)] = &[
    ("pack.yaml", include_str!("builtin/pack.yaml")),
    ("actions/echo.yaml", include_str!("builtin/echo.yaml")),
    ("actions/local.yaml", include_str!("builtin/local.yaml")),
    ("actions/noop.yaml", include_str!("builtin/noop.yaml")),
    ("actions/pause.yaml", include_str!("builtin/pause.yaml")),
    ("actions/remote.yaml", include_str!("builtin/remote.yaml")),
];

/// What StackStorm's own `core` holds beyond this one.
pub(crate) const NOT_BUILT: &[&str] = &[
    "core.announcement",
    "core.ask",
    "core.error",
    "core.http",
    "core.inject_trigger",
    "core.local_sudo",
    "core.remote_sudo",
    "core.sendmail",
    "core.uuid",
    "core.winrm_cmd",
    "core.winrm_ps_cmd",
];

/// The pack as if it had been read from disk.
pub(crate) fn core() -> PackSource {
    let file = |(inside, text): &(&str, &str)| SourceFile {
        shown: format!("built in: core/{inside}"),
        inside: (*inside).to_owned(),
        text: Ok((*text).to_owned()),
    };
    PackSource {
        directory: "core".to_owned(),
        shown: "built in: core".to_owned(),
        files: FILES.iter().map(file).collect(),
    }
}
