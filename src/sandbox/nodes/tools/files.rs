//! Files and directories of the node.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::{Call, Ran, read_file};
use crate::sandbox::nodes::filesystem::{Entry, FileError};
use crate::sandbox::nodes::machine::wall_clock;

/// Names that `find` and `ls -R` go through.
const WALKED: usize = 20_000;

pub(super) async fn run(call: &Call<'_>) -> Ran {
    match call.name {
        "cat" => cat(call).await,
        "ls" => ls(call).await,
        "stat" => stat(call).await,
        "du" => du(call).await,
        "find" => find(call).await,
        "cp" | "mv" | "ln" => copy(call).await,
        "realpath" => {
            let lines: String = call.operands().iter().map(|path| format!("{}\n", call.path(path))).collect();
            call.print(lines).await
        }
        "mktemp" => mktemp(call).await,
        "chmod" | "chown" => {
            let mut code = 0;
            for path in call.operands().into_iter().skip(1) {
                if !call.machine.files(|files| files.exists(&call.path(path))) {
                    code = call.fail(1, &format!("cannot access '{path}': No such file or directory")).await?;
                }
            }
            Ok(code)
        }
        _ => change(call).await,
    }
}

async fn cat(call: &Call<'_>) -> Ran {
    let files = call.operands();
    let mut code = 0;
    let inputs = if files.is_empty() { vec!["-"] } else { files };
    for file in inputs {
        if file == "-" {
            while let Some(piece) = call.streams.input.piece().await {
                call.out(piece).await?;
            }
            continue;
        }
        match read_file(call.machine, &call.path(file)) {
            Ok(data) if call.has('n') => {
                let text = String::from_utf8_lossy(&data).into_owned();
                let lines = text.lines().enumerate().map(|(at, line)| format!("{:>6}\t{line}\n", at + 1));
                call.out(lines.collect::<String>()).await?;
            }
            Ok(data) => call.out(data).await?,
            Err(error) => code = call.fail(1, &format!("{file}: {error}")).await?,
        }
    }
    Ok(code)
}

/// `touch`, `mkdir`, `rmdir`, `rm`.
async fn change(call: &Call<'_>) -> Ran {
    let operands = call.operands();
    let forced = call.has('f');
    if operands.is_empty() && !forced {
        return call.fail(1, "missing operand").await;
    }
    let mut code = 0;
    for operand in operands {
        let path = call.path(operand);
        let (doing, changed) = match call.name {
            "touch" => (
                "cannot touch",
                call.machine.files(|files| match files.exists(&path) {
                    true => Ok(()),
                    false => files.write(&path, b""),
                }),
            ),
            "mkdir" => {
                ("cannot create directory", call.machine.files(|files| files.make_directory(&path, call.has('p'))))
            }
            "rmdir" => ("failed to remove", call.machine.files(|files| files.remove_empty_directory(&path))),
            _ => {
                let recursive = call.has('r') || call.has('R') || call.has_long("--recursive");
                ("cannot remove", call.machine.files(|files| files.remove(&path, recursive)))
            }
        };
        match changed {
            Ok(()) => {}
            Err(FileError::Missing) if forced && call.name == "rm" => {}
            Err(error) => code = call.fail(1, &format!("{doing} '{operand}': {error}")).await?,
        }
    }
    Ok(code)
}

async fn copy(call: &Call<'_>) -> Ran {
    let operands = call.operands();
    let Some((target, sources)) = operands.split_last().filter(|(_, sources)| !sources.is_empty()) else {
        return call.fail(1, "missing file operand").await;
    };
    let target_path = call.path(target);
    let into = call.machine.files(|files| files.is_directory(&target_path));
    let mut code = 0;
    for source in sources {
        let path = call.path(source);
        let name = path.rsplit('/').next().unwrap_or_default();
        let destination = if into { call.path(&format!("{target_path}/{name}")) } else { target_path.clone() };
        let changed = call.machine.files(|files| {
            let data = files.read(&path)?;
            files.write(&destination, &data)?;
            if call.name == "mv" && path != destination { files.remove(&path, false) } else { Ok(()) }
        });
        if let Err(error) = changed {
            code = call.fail(1, &format!("cannot stat '{source}': {error}")).await?;
        }
    }
    Ok(code)
}

async fn ls(call: &Call<'_>) -> Ran {
    let operands = call.operands();
    let operands = if operands.is_empty() { vec!["."] } else { operands };
    let several = operands.len() > 1;
    let mut text = String::new();
    let mut code = 0;
    for (place, operand) in operands.iter().enumerate() {
        let path = call.path(operand);
        let listed = call.machine.files(|files| {
            if files.is_directory(&path) && !call.has('d') {
                Some(
                    files
                        .list(&path)
                        .into_iter()
                        .map(|name| (format!("{path}/{name}").replace("//", "/"), name))
                        .collect(),
                )
            } else if files.exists(&path) {
                Some(vec![(path.clone(), (*operand).to_owned())])
            } else {
                None
            }
        });
        let Some(mut names): Option<Vec<(String, String)>> = listed else {
            code = call.fail(2, &format!("cannot access '{operand}': No such file or directory")).await?;
            continue;
        };
        if several {
            let _ = writeln!(text, "{}{operand}:", if place > 0 { "\n" } else { "" });
        }
        if !call.has('a') && !call.has('A') {
            names.retain(|(_, name)| !name.starts_with('.') || name == operand);
        }
        if call.has('l') {
            let _ = writeln!(text, "total {}", names.len() * 4);
        }
        for (path, name) in names {
            let _ = if call.has('l') {
                writeln!(text, "{}", long_line(call, &path, &name))
            } else {
                writeln!(text, "{name}")
            };
        }
    }
    call.out(text).await?;
    Ok(code)
}

fn long_line(call: &Call<'_>, path: &str, name: &str) -> String {
    let (directory, size) = call.machine.files(|files| (files.is_directory(path), files.size(path).unwrap_or(0)));
    let mode = if directory { "drwxr-xr-x" } else { "-rw-r--r--" };
    let owner = if path.starts_with("/home/") || path.starts_with("/tmp/") { call.user } else { "root" };
    let up = call.machine.up().as_secs() as i64;
    let time = jiff::Timestamp::from_second(wall_clock().as_second() - up).unwrap_or_default();
    let time = time.to_zoned(TimeZone::UTC).strftime("%b %e %H:%M").to_string();
    format!("{mode} {} {owner:<8} {owner:<8} {size:>8} {time} {name}", if directory { 2 } else { 1 })
}

async fn stat(call: &Call<'_>) -> Ran {
    let mut code = 0;
    let mut arguments = call.arguments.iter();
    let mut format = None;
    let mut paths = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-c" => format = arguments.next().cloned(),
            path if !path.starts_with('-') => paths.push(path),
            _ => {}
        }
    }
    for operand in paths {
        let path = call.path(operand);
        let Some(size) = call.machine.files(|files| files.size(&path)) else {
            code = call.fail(1, &format!("cannot statx '{operand}': No such file or directory")).await?;
            continue;
        };
        let now = wall_clock();
        let line = match &format {
            Some(format) => format
                .replace("%n", operand)
                .replace("%s", &size.to_string())
                .replace("%Y", &now.as_second().to_string())
                .replace("%U", "root")
                .replace("%a", "644"),
            None => format!("  File: {operand}\n  Size: {size}\nModify: {now}"),
        };
        call.out(format!("{line}\n")).await?;
    }
    Ok(code)
}

/// All files below a path, the path itself first.
fn walk(call: &Call<'_>, path: &str) -> Vec<(String, bool, usize)> {
    call.machine.files(|files| {
        let mut found = Vec::new();
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            if found.len() >= WALKED {
                break;
            }
            let directory = match files.entry(&path) {
                Some(Entry::Directory) => true,
                Some(Entry::File(_)) => false,
                None => continue,
            };
            if directory {
                let base = if path == "/" { "" } else { path.as_str() };
                open.extend(files.list(&path).into_iter().rev().map(|name| format!("{base}/{name}")));
            }
            let size = files.size(&path).unwrap_or(0);
            found.push((path, directory, size));
        }
        found
    })
}

async fn du(call: &Call<'_>) -> Ran {
    let operands = call.operands();
    let operands = if operands.is_empty() { vec!["."] } else { operands };
    let mut code = 0;
    for operand in operands {
        let found = walk(call, &call.path(operand));
        if found.is_empty() {
            code = call.fail(1, &format!("cannot access '{operand}': No such file or directory")).await?;
            continue;
        }
        let kilobytes: usize = found.iter().map(|(_, _, size)| size.div_ceil(4096) * 4).sum();
        let size = if call.has('h') { format!("{kilobytes}K") } else { kilobytes.to_string() };
        call.out(format!("{size}\t{operand}\n")).await?;
    }
    Ok(code)
}

async fn find(call: &Call<'_>) -> Ran {
    let mut roots = Vec::new();
    let (mut name, mut kind) = (None, None);
    let mut arguments = call.arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-name" => name = arguments.next().cloned(),
            "-type" => kind = arguments.next().cloned(),
            "-maxdepth" | "-mtime" | "-mindepth" | "-size" => {
                arguments.next();
            }
            path if !path.starts_with('-') => roots.push(path.to_owned()),
            "-print" => {}
            other => return call.fail(1, &format!("unknown predicate `{other}'")).await,
        }
    }
    if roots.is_empty() {
        roots.push(".".to_owned());
    }
    let mut code = 0;
    let mut lines = String::new();
    for root in roots {
        let path = call.path(&root);
        let found = walk(call, &path);
        if found.is_empty() {
            code = call.fail(1, &format!("'{root}': No such file or directory")).await?;
        }
        for (file, directory, _) in found {
            let base = file.rsplit('/').next().unwrap_or_default();
            let fits_kind = match kind.as_deref() {
                Some("f") => !directory,
                Some("d") => directory,
                _ => true,
            };
            let fits_name = name.as_ref().is_none_or(|pattern| crate::sandbox::nodes::shell::fits(pattern, base));
            if fits_kind && fits_name {
                let shown = file.strip_prefix(&path).map_or_else(|| file.clone(), |rest| format!("{root}{rest}"));
                let _ = writeln!(lines, "{shown}");
            }
        }
    }
    call.out(lines).await?;
    Ok(code)
}

async fn mktemp(call: &Call<'_>) -> Ran {
    let path = format!("/tmp/tmp.{:08x}", call.machine.draw(&format!("mktemp {}", call.pid), 0, 0xffff_ffff));
    let made = call.machine.files(|files| match call.has('d') {
        true => files.make_directory(&path, false),
        false => files.write(&path, b""),
    });
    match made {
        Ok(()) => call.print(format!("{path}\n")).await,
        Err(error) => call.fail(1, &format!("failed to create file via template: {error}")).await,
    }
}
