//! The files of a node, in memory.

use std::collections::BTreeMap;

/// Bytes that all files of a node may hold.
const CAPACITY: usize = 32 << 20;

/// A file or a directory.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    File(Vec<u8>),
    Directory,
}

/// Why a file could not be read or written, in the words that tools print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    #[error("No such file or directory")]
    Missing,
    #[error("Is a directory")]
    IsDirectory,
    #[error("Not a directory")]
    NotDirectory,
    #[error("File exists")]
    Exists,
    #[error("Directory not empty")]
    NotEmpty,
    #[error("No space left on device")]
    Full,
}

/// All files by absolute path.
#[derive(Debug, Default)]
pub(crate) struct FileSystem {
    entries: BTreeMap<String, Entry>,
    bytes: usize,
}

/// The absolute path without `.`, `..` and double slashes.
pub(crate) fn absolute(directory: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { directory };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

impl FileSystem {
    /// The file and all directories above it, for what is there from the beginning.
    pub(crate) fn plant(&mut self, path: &str, text: &str) {
        self.plant_directory(parent(path));
        let _ = self.write(path, text.as_bytes());
    }

    pub(crate) fn plant_directory(&mut self, path: &str) {
        let mut at = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            at.push('/');
            at.push_str(part);
            self.entries.entry(at.clone()).or_insert(Entry::Directory);
        }
    }

    pub(crate) fn entry(&self, path: &str) -> Option<Entry> {
        match path {
            "/" => Some(Entry::Directory),
            "/dev/null" => Some(Entry::File(Vec::new())),
            path => self.entries.get(path).cloned(),
        }
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        path == "/" || path == "/dev/null" || self.entries.contains_key(path)
    }

    pub(crate) fn is_directory(&self, path: &str) -> bool {
        path == "/" || matches!(self.entries.get(path), Some(Entry::Directory))
    }

    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        match self.entry(path) {
            Some(Entry::File(data)) => Ok(data),
            Some(Entry::Directory) => Err(FileError::IsDirectory),
            None => Err(FileError::Missing),
        }
    }

    /// The size of a file without a copy of it.
    pub(crate) fn size(&self, path: &str) -> Option<usize> {
        match self.entries.get(path) {
            Some(Entry::File(data)) => Some(data.len()),
            Some(Entry::Directory) => Some(4096),
            None if self.exists(path) => Some(0),
            None => None,
        }
    }

    pub(crate) fn write(&mut self, path: &str, data: &[u8]) -> Result<(), FileError> {
        if path == "/dev/null" {
            return Ok(());
        }
        if self.is_directory(path) {
            return Err(FileError::IsDirectory);
        }
        if !self.is_directory(parent(path)) {
            return Err(if self.exists(parent(path)) { FileError::NotDirectory } else { FileError::Missing });
        }
        let before = self.size(path).unwrap_or(0);
        if self.bytes - before + data.len() > CAPACITY {
            return Err(FileError::Full);
        }
        // A name costs room too, or empty files would be without limit.
        self.bytes = self.bytes - before + data.len() + if self.entries.contains_key(path) { 0 } else { path.len() };
        self.entries.insert(path.to_owned(), Entry::File(data.to_vec()));
        Ok(())
    }

    pub(crate) fn append(&mut self, path: &str, data: &[u8]) -> Result<(), FileError> {
        match self.entries.get_mut(path) {
            Some(Entry::File(held)) => {
                if self.bytes + data.len() > CAPACITY {
                    return Err(FileError::Full);
                }
                self.bytes += data.len();
                held.extend_from_slice(data);
                Ok(())
            }
            _ => self.write(path, data),
        }
    }

    pub(crate) fn make_directory(&mut self, path: &str, parents: bool) -> Result<(), FileError> {
        if self.exists(path) {
            return if parents && self.is_directory(path) { Ok(()) } else { Err(FileError::Exists) };
        }
        if !self.is_directory(parent(path)) {
            if !parents {
                return Err(FileError::Missing);
            }
            self.make_directory(parent(path), true)?;
        }
        if self.bytes + path.len() > CAPACITY {
            return Err(FileError::Full);
        }
        self.bytes += path.len();
        self.entries.insert(path.to_owned(), Entry::Directory);
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &str, recursive: bool) -> Result<(), FileError> {
        if !self.exists(path) || path == "/" || path == "/dev/null" {
            return Err(FileError::Missing);
        }
        if self.is_directory(path) && !recursive {
            return Err(FileError::IsDirectory);
        }
        let below = format!("{path}/");
        let doomed: Vec<String> = self
            .entries
            .range(path.to_owned()..)
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(path))
            .filter(|name| *name == path || name.starts_with(&below))
            .cloned()
            .collect();
        for name in doomed {
            if let Some(Entry::File(data)) = self.entries.remove(&name) {
                self.bytes = self.bytes.saturating_sub(data.len() + name.len());
            } else {
                self.bytes = self.bytes.saturating_sub(name.len());
            }
        }
        Ok(())
    }

    pub(crate) fn remove_empty_directory(&mut self, path: &str) -> Result<(), FileError> {
        if !self.exists(path) {
            return Err(FileError::Missing);
        }
        if !self.is_directory(path) {
            return Err(FileError::NotDirectory);
        }
        if !self.list(path).is_empty() {
            return Err(FileError::NotEmpty);
        }
        self.remove(path, true)
    }

    /// The names right in a directory, in order.
    pub(crate) fn list(&self, directory: &str) -> Vec<String> {
        let below = if directory == "/" { "/".to_owned() } else { format!("{directory}/") };
        self.entries
            .range(below.clone()..)
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(&below))
            .filter_map(|name| name.strip_prefix(&below))
            .filter(|name| !name.is_empty() && !name.contains('/'))
            .map(str::to_owned)
            .collect()
    }
}
