//! Where secrets come from: the environment, a credential of systemd, or a file of their own.

use super::Environment;
use super::document::{Document, Spot};
use crate::core::action::run::Secret;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The longest secret that is read.
const LONGEST: u64 = 64 * 1024;

/// Fetches a secret: the environment first, then the credential that systemd has put into `CREDENTIALS_DIRECTORY`, then the file. What is missing is told as an error diagnostic; a file that everybody can read is a warning in
/// the document.
#[expect(clippy::too_many_arguments, reason = "each caller names its secret once, and a struct would only rename them")]
pub(super) fn fetch(
    what: &str,
    document: &Document<'_>,
    environment: &Environment,
    variable: &str,
    credential: &str,
    key: &str,
    file: Option<(&Spot<String>, &Path)>,
    place: &Spot<()>,
) -> Result<Secret, Diagnostic> {
    let fail = |at: &Spot<()>, message: String, hint: String| {
        Err(document.diagnostic(Severity::Error, at, message, Some(hint)))
    };
    if let Some(value) = environment.get(variable) {
        let value = value.trim();
        if value.is_empty() {
            return fail(place, format!("{variable} is set and empty"), "unset it or give it a value".to_owned());
        }
        return Ok(Secret::new(value));
    }
    let credential = environment.get("CREDENTIALS_DIRECTORY").map(|directory| Path::new(directory).join(credential));
    if let Some(text) = credential.and_then(|path| read(&path).ok()).map(|(text, _)| text.trim().to_owned())
        && !text.is_empty()
        && !text.contains(char::is_whitespace)
    {
        return Ok(Secret::new(text));
    }
    let Some((spot, path)) = file else {
        return fail(place, format!("there is no {what}"), format!("name a file by `{key}` or set {variable}"));
    };
    let at = spot.with(());
    match read(path) {
        Err(error) => {
            let hint = format!("make the file readable for the account that runs halcyon, or set {variable}");
            fail(&at, format!("cannot read {}: {error}", path.display()), hint)
        }
        Ok((text, mode)) => {
            if mode & 0o007 != 0 {
                let message = format!("{} can be read or changed by every user of this machine", path.display());
                document.warning(&at, message, Some(format!("chmod 600 {}", path.display())));
            }
            match text.trim() {
                "" => fail(&at, format!("{} is empty", path.display()), format!("write the {what} into it")),
                text if text.contains(char::is_whitespace) => {
                    let message = format!("{} holds more than one word", path.display());
                    fail(&at, message, format!("it must hold the {what} and nothing else"))
                }
                text => Ok(Secret::new(text)),
            }
        }
    }
}

/// Whether the environment or a credential gives a secret.
pub(super) fn is_given(environment: &Environment, variable: &str, credential: &str) -> bool {
    let directory = environment.get("CREDENTIALS_DIRECTORY");
    environment.get(variable).is_some()
        || directory.is_some_and(|directory| Path::new(directory).join(credential).exists())
}

fn read(path: &Path) -> std::io::Result<(String, u32)> {
    let file = std::fs::File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok((text, mode))
}
