//! What the files of packs look like from outside.

use super::{FOLDERS, entries, is_configs, is_pack};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How deep below a folder of a pack it is looked for changes: workflows lie in a folder of `actions`.
const DEPTH: usize = 2;

/// What the files of packs look like from outside. As long as it is the same, nothing has to be read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Each file as it was found; absent for one that could not be looked at.
    files: BTreeMap<PathBuf, Option<Look>>,
    /// The directories in which something may happen to them.
    pub(super) directories: BTreeMap<PathBuf, Watched>,
}

/// A file or directory as the system describes it. The time of the last change of its description is part of it: nobody can set that back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A directory that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    /// Device and inode: another directory of the same name has to be watched anew.
    place: (u64, u64),
    /// The names in it that matter; all when absent.
    pub(super) names: Option<BTreeSet<OsString>>,
}

/// Looks at everything that [`super::read_packs`] would read, without reading it.
pub(super) fn stamp(paths: &[PathBuf]) -> Stamp {
    let mut stamp = Stamp::default();
    for path in paths {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        // A link to a pack, or its directory, may be exchanged as a whole.
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
            stamp.watch(parent, &[name.into()]);
        }
        if is_pack(&path) {
            stamp.pack(&path);
            continue;
        }
        if is_configs(&path) {
            stamp.folder(&path, 1);
            continue;
        }
        stamp.watch(&path, &[]);
        let inside = entries(&path).unwrap_or_default();
        inside.iter().filter(|entry| entry.is_dir()).for_each(|directory| stamp.pack(directory));
        stamp.pack(&path);
    }
    stamp
}

impl Stamp {
    /// Watches a directory for what happens to these names in it; to all where there are none.
    fn watch(&mut self, directory: &Path, names: &[OsString]) {
        let Ok(found) = fs::metadata(directory) else { return };
        let names = (!names.is_empty()).then(|| names.iter().cloned().collect::<BTreeSet<_>>());
        let place = (found.dev(), found.ino());
        let watched = self.directories.entry(directory.to_owned()).or_insert(Watched { place, names: names.clone() });
        watched.names = match (watched.names.take(), names) {
            (Some(known), Some(more)) => Some(known.union(&more).cloned().collect()),
            _ => None,
        };
    }

    fn pack(&mut self, directory: &Path) {
        let manifests = ["pack.yaml", "pack.yml", "config.schema.yaml"];
        let folders = FOLDERS.iter().chain(&["templates"]);
        let names: Vec<OsString> = manifests.iter().chain(folders.clone()).map(OsString::from).collect();
        self.watch(directory, &names);
        for name in manifests {
            let file = directory.join(name);
            if fs::symlink_metadata(&file).is_ok() {
                self.file(file);
            }
        }
        for folder in folders {
            self.folder(&directory.join(folder), DEPTH);
        }
    }

    fn folder(&mut self, directory: &Path, depth: usize) {
        let Ok(inside) = fs::read_dir(directory) else { return };
        self.watch(directory, &[]);
        for entry in inside.flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().ok();
            if kind.is_some_and(|kind| kind.is_symlink())
                && let Some(parent) = fs::canonicalize(&path).ok().as_deref().and_then(Path::parent)
            {
                self.watch(parent, &[]);
            }
            if kind.is_some_and(|kind| kind.is_dir()) {
                if depth > 1 {
                    self.folder(&path, depth - 1);
                }
            } else {
                self.file(path);
            }
        }
    }

    fn file(&mut self, path: PathBuf) {
        let look = fs::metadata(&path).ok().map(|found| look(&found));
        self.files.insert(path, look);
    }
}

fn look(found: &Metadata) -> Look {
    Look {
        place: (found.dev(), found.ino()),
        size: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    }
}
