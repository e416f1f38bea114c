//! # Packs on disk
//!
//! Directories in, [`PackSource`]s out. What the files say is not looked at here; `watch` notices that they have changed.
//!
//! **A file is read only when it really is one and really lies in its pack**: a link that leads out of the pack, a device or a pipe is
//! reported and not opened, so that a pack cannot show what the bot's account can read elsewhere, nor make it wait.
//!
//! With the files that say something come those in `actions`, at any depth, that actions may run: whoever runs a script runs what was read
//! together with the file that names it. Of what lies in `sensors` it is only told how it looks from outside: a program runs from where it lies.

mod stamp;
pub(crate) mod watch;

use crate::core::content::yaml::MAX_BYTES;
use crate::core::content::{NOT_EXECUTABLE, PackSource, ProgramFile, SourceFile};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folders of a pack that hold content. What lies deeper inside of them is not content.
const FOLDERS: &[&str] = &["actions", "aliases", "policies", "rules", "sensors", "triggers"];

/// The folders of a pack that hold what the bot says.
const TEMPLATES: &[&str] = &["templates", "templates/partials", "templates/phrases"];

/// The most files that are read from one folder.
const MOST_FILES: usize = 20_000;

/// How deep scripts may lie in `actions`.
const DEEPEST: usize = 8;

/// Reads packs. A path is a pack itself when it holds a `pack.yaml`, otherwise a directory of packs, which are taken by name; those in
/// it without a `pack.yaml` are returned too, for the loader to speak of. What cannot be read is in the sources as such.
pub fn read_packs(paths: &[PathBuf]) -> Vec<PackSource> {
    paths.iter().flat_map(|path| read_path(path)).collect()
}

fn read_path(path: &Path) -> Vec<PackSource> {
    if is_pack(path) {
        return vec![read_pack(path)];
    }
    if is_configs(path) {
        return vec![read_configs(path)];
    }
    let inside = match entries(path) {
        Ok(inside) => inside,
        Err(why) => return vec![unreadable(path, why)],
    };
    let directories: Vec<PathBuf> = inside.into_iter().filter(|entry| entry.is_dir()).collect();
    if directories.iter().any(|directory| is_pack(directory)) {
        return directories.iter().map(|directory| read_pack(directory)).collect();
    }
    vec![read_pack(path)]
}

fn is_pack(path: &Path) -> bool {
    fs::symlink_metadata(path.join("pack.yaml")).is_ok()
}

/// Whether a directory holds the packs' configurations, `PACK.yaml` for each: by its name, or because there is nothing else in it.
pub fn is_configs(path: &Path) -> bool {
    if path.file_name().is_some_and(|name| name == "configs") {
        return path.is_dir() && !path.join("pack.yml").exists();
    }
    let Ok(inside) = entries(path) else { return false };
    let yaml = |file: &PathBuf| is_yaml(file) && file.file_stem().is_some_and(|name| name != "pack");
    !inside.is_empty() && inside.iter().all(yaml)
}

fn read_configs(path: &Path) -> PackSource {
    let mut files = Vec::new();
    match fs::canonicalize(path) {
        Ok(root) => read_folder(&root, path, "configs", &["yaml", "yml"], &mut files),
        Err(error) => files.push(failed(path, "configs/.yaml".to_owned(), error.to_string())),
    }
    PackSource { directory: String::new(), shown: shown(path), files, programs: Vec::new() }
}

fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") && !file.is_dir()
}

/// What a directory holds, sorted by name, without what is hidden.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: std::io::Error| format!("cannot list {}: {error}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn read_pack(path: &Path) -> PackSource {
    let root = match fs::canonicalize(path) {
        Ok(root) => root,
        Err(error) => return unreadable(path, error.to_string()),
    };
    let mut files = Vec::new();
    for name in ["pack.yaml", "pack.yml", "config.schema.yaml"] {
        let file = path.join(name);
        if fs::symlink_metadata(&file).is_ok() {
            files.push(read_file(&root, &file, name.to_owned()));
        }
    }
    let yaml: &[&str] = &["yaml", "yml"];
    let folders = FOLDERS.iter().map(|folder| (folder, yaml));
    let folders = folders.chain(TEMPLATES.iter().map(|folder| (folder, ["hbs"].as_slice())));
    for (folder, extensions) in folders {
        let directory = path.join(folder);
        match fs::symlink_metadata(&directory) {
            Ok(_) => read_folder(&root, &directory, folder, extensions, &mut files),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => files.push(failed(&directory, format!("{folder}/.yaml"), error.to_string())),
        }
    }
    read_scripts(&root, &path.join("actions"), "actions", DEEPEST, &mut files);
    let mut programs = Vec::new();
    look_for_programs(&root, &root.join("sensors"), "sensors", &mut programs);
    PackSource { directory: directory_name(&root), shown: shown(path), files, programs }
}

fn read_folder(root: &Path, directory: &Path, folder: &str, extensions: &[&str], files: &mut Vec<SourceFile>) {
    let inside = match entries(directory) {
        Ok(inside) => inside,
        Err(why) => {
            // Stands for every file of the folder, so that the loader has to take notice.
            files.push(failed(directory, format!("{folder}/.yaml"), why));
            return;
        }
    };
    let content = inside.into_iter().filter(|file| {
        file.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known)) && !file.is_dir()
    });
    for (index, file) in content.enumerate() {
        if index == MOST_FILES {
            let why = format!("the folder holds more than {MOST_FILES} files; the rest is left out");
            files.push(failed(directory, format!("{folder}/.yaml"), why));
            return;
        }
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.push(read_file(root, &file, format!("{folder}/{name}")));
    }
}

/// Everything below a directory that could be a script or belong to one. What cannot be read is told to whoever wants to run it.
fn read_scripts(root: &Path, directory: &Path, inside: &str, deeper: usize, files: &mut Vec<SourceFile>) {
    let before = files.len();
    let (top, directory_of_library) = (inside == "actions", inside.starts_with("actions/lib"));
    for path in entries(directory).unwrap_or_default() {
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let inside = format!("{inside}/{name}");
        let metadata = fs::symlink_metadata(&path);
        let (directory, link) = metadata.map_or((false, false), |found| (found.is_dir(), found.is_symlink()));
        // The workflows lie deeper.
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let content = yaml && (top || directory_of_library);
        let compiled = path.extension().is_some_and(|extension| extension == "pyc");
        let passed_over = directory || content || compiled || (link && path.is_dir());
        if directory && deeper > 0 && name != "__pycache__" {
            read_scripts(root, &path, &inside, deeper - 1, files);
        } else if !passed_over {
            files.push(read_file(root, &path, inside));
        }
        if files.len() - before > MOST_FILES {
            return;
        }
    }
}

/// What could be a program of a sensor or belong to one: what lies in `sensors`, and in a folder of it. Nothing of it is read.
fn look_for_programs(root: &Path, directory: &Path, inside: &str, programs: &mut Vec<ProgramFile>) {
    for path in entries(directory).unwrap_or_default() {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let below = format!("{inside}/{name}");
        let content = is_yaml(&path) || path.extension().is_some_and(|extension| extension == "pyc");
        if path.is_dir() {
            if inside == "sensors" && name != "__pycache__" {
                look_for_programs(root, &path, &below, programs);
            }
        } else if !content && programs.len() < MOST_FILES {
            let stamp = stamp_of(root, &path);
            programs.push(ProgramFile { inside: below, path: path.display().to_string(), stamp });
        }
    }
}

fn stamp_of(root: &Path, path: &Path) -> Result<String, String> {
    let real = fs::canonicalize(path).map_err(|error| error.to_string())?;
    if !real.starts_with(root) {
        return Err("it is a link that leads out of the pack".to_owned());
    }
    let found = fs::metadata(&real).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is not a plain file".to_owned());
    }
    if found.permissions().mode() & 0o111 == 0 && !real.starts_with(root.join("sensors/lib")) {
        return Err(NOT_EXECUTABLE.to_owned());
    }
    Ok(format!("{}-{}-{}.{}", found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

fn read_file(root: &Path, path: &Path, inside: String) -> SourceFile {
    SourceFile { shown: shown(path), inside, text: read_text(root, path) }
}

fn read_text(root: &Path, path: &Path) -> Result<String, String> {
    let real = fs::canonicalize(path).map_err(|error| error.to_string())?;
    if !real.starts_with(root) {
        return Err("it is a link that leads out of the pack".to_owned());
    }
    if !fs::metadata(&real).map_err(|error| error.to_string())?.is_file() {
        return Err("it is not a plain file".to_owned());
    }
    let mut bytes = Vec::new();
    // One byte more than is taken, so that a longer file is known as one.
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(&real).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count();
        format!("line {line} is not UTF-8")
    })
}

fn unreadable(path: &Path, why: String) -> PackSource {
    let directory = directory_name(path);
    let files = vec![failed(path, "pack.yaml".to_owned(), why)];
    PackSource { directory, shown: shown(path), files, programs: Vec::new() }
}

fn failed(path: &Path, inside: String, why: String) -> SourceFile {
    SourceFile { shown: shown(path), inside, text: Err(why) }
}

fn directory_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The path as the user wrote it, without a leading `./`.
fn shown(path: &Path) -> String {
    match path.strip_prefix(".") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
        _ => path.display().to_string(),
    }
}
