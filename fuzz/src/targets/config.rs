//! `config.toml`.

use halcyon::config::{Config, Environment};
use halcyon::core::content::diagnostic::Severity;
use std::collections::BTreeMap;
use std::path::Path;

const TOKEN: &str = "7f3kq9x2w8";

pub(crate) fn check(data: &[u8]) {
    let text = super::text(data);
    // The token comes from the environment, so that no file is read that an input names.
    let environment = Environment::from([("HALCYON_MATTERMOST_TOKEN".to_owned(), TOKEN.to_owned())]);
    let parse = || Config::parse(Path::new("/nowhere/config.toml"), &text, &environment);
    let parsed = parse();
    let problems = match &parsed {
        Ok(config) => &config.warnings,
        Err(problems) => problems,
    };
    for problem in problems {
        assert_eq!(problem.file, "/nowhere/config.toml");
        super::inside(problem.line, &text);
        assert!(!problem.message.is_empty());
    }
    // Writing it out costs as much as reading it, so only some are.
    if data.len().is_multiple_of(4) {
        let shown = format!("{parsed:?}");
        assert_eq!(shown, format!("{:?}", parse()), "a file means one thing");
        assert!(!shown.contains(TOKEN) || text.contains(TOKEN), "the token is shown");
    }
    match parsed {
        Ok(config) => {
            assert!(config.warnings.iter().all(|warning| warning.severity != Severity::Error));
            let _ = config.settings(0);
            let _ = config.inventory.build(&BTreeMap::new());
            assert!(config.store.path.is_absolute() && config.control.socket.is_absolute());
        }
        Err(problems) => {
            assert!(problems.iter().any(|problem| problem.severity == Severity::Error), "refused without a reason");
        }
    }
}
