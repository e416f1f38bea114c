//! Redirections.

use brush_parser::ast::{self, IoFileRedirectKind as Kind, IoFileRedirectTarget as Target, IoRedirect};

use super::{Shell, Stop};
use crate::sandbox::nodes::filesystem::absolute;
use crate::sandbox::nodes::stream::{Sink, Source};
use crate::sandbox::nodes::tools;

impl Shell {
    /// Applies redirections in order; an exit code when one failed, which has been said.
    pub(super) async fn redirect_all(&mut self, redirects: Option<&ast::RedirectList>) -> Result<Option<i32>, Stop> {
        for redirect in redirects.iter().flat_map(|redirects| &redirects.0) {
            if let Some(code) = self.redirect(redirect).await? {
                return Ok(Some(code));
            }
        }
        Ok(None)
    }

    pub(super) async fn redirect(&mut self, redirect: &IoRedirect) -> Result<Option<i32>, Stop> {
        match redirect {
            IoRedirect::File(descriptor, kind, target) => match target {
                Target::Filename(word) => {
                    let path = self.text_of(&word.value).await?;
                    self.redirect_file(*descriptor, kind, &path).await
                }
                Target::Fd(from) => self.duplicate(*descriptor, kind, &from.to_string()).await,
                Target::Duplicate(word) => {
                    let from = self.text_of(&word.value).await?;
                    self.duplicate(*descriptor, kind, &from).await
                }
                Target::ProcessSubstitution(..) => {
                    self.complain("process substitution is not available on this sandbox node").await;
                    Ok(Some(1))
                }
            },
            IoRedirect::HereDocument(_, document) => {
                let mut text = document.doc.value.clone();
                if document.remove_tabs {
                    text = text.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect();
                }
                if document.requires_expansion {
                    text = self.document(&text).await?;
                }
                self.streams.input = Source::bytes(text);
                Ok(None)
            }
            IoRedirect::HereString(_, word) => {
                let text = self.text_of(&word.value).await?;
                self.streams.input = Source::bytes(format!("{text}\n"));
                Ok(None)
            }
            IoRedirect::OutputAndError(word, append) => {
                let path = self.text_of(&word.value).await?;
                let kind = if *append { Kind::Append } else { Kind::Write };
                let failed = self.redirect_file(Some(1), &kind, &path).await?;
                self.streams.err = self.streams.out.clone();
                Ok(failed)
            }
        }
    }

    async fn redirect_file(&mut self, descriptor: Option<i32>, kind: &Kind, path: &str) -> Result<Option<i32>, Stop> {
        let file = absolute(&self.directory, path);
        if matches!(kind, Kind::Read) {
            return Ok(match tools::read_file(&self.machine, &file) {
                Ok(data) => {
                    self.streams.input = Source::bytes(data);
                    None
                }
                Err(error) => {
                    self.complain(&format!("{path}: {error}")).await;
                    Some(1)
                }
            });
        }
        let sink = match file.as_str() {
            "/dev/null" => Sink::Null,
            "/dev/stdout" => self.streams.out.clone(),
            "/dev/stderr" => self.streams.err.clone(),
            _ => {
                let append = matches!(kind, Kind::Append);
                let opened = self.machine.files(|files| match append {
                    true => files.append(&file, b""),
                    false => files.write(&file, b""),
                });
                if let Err(error) = opened {
                    self.complain(&format!("{path}: {error}")).await;
                    return Ok(Some(1));
                }
                Sink::File { machine: self.machine.clone(), path: file }
            }
        };
        self.set_descriptor(descriptor.unwrap_or(1), sink).await
    }

    async fn duplicate(&mut self, descriptor: Option<i32>, kind: &Kind, from: &str) -> Result<Option<i32>, Stop> {
        if matches!(kind, Kind::DuplicateInput) {
            match from {
                "0" => {}
                "-" => self.streams.input = Source::empty(),
                from => {
                    self.complain(&format!("{from}: Bad file descriptor")).await;
                    return Ok(Some(1));
                }
            }
            return Ok(None);
        }
        let sink = match from {
            "1" => self.streams.out.clone(),
            "2" => self.streams.err.clone(),
            "-" => Sink::Null,
            path if descriptor.is_none() && path.parse::<i32>().is_err() => {
                let failed = self.redirect_file(Some(1), &Kind::Write, path).await?;
                self.streams.err = self.streams.out.clone();
                return Ok(failed);
            }
            from => {
                self.complain(&format!("{from}: Bad file descriptor")).await;
                return Ok(Some(1));
            }
        };
        self.set_descriptor(descriptor.unwrap_or(1), sink).await
    }

    async fn set_descriptor(&mut self, descriptor: i32, sink: Sink) -> Result<Option<i32>, Stop> {
        match descriptor {
            1 => self.streams.out = sink,
            2 => self.streams.err = sink,
            other => {
                self.complain(&format!("{other}: descriptors above 2 are not available on this sandbox node")).await;
                return Ok(Some(1));
            }
        }
        Ok(None)
    }
}
