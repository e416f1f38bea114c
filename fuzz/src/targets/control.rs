//! Lines of the control socket, questions and answers.

use halcyon::core::effect::Answer;
use halcyon::core::input::Ask;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

pub(crate) fn check(data: &[u8]) {
    line::<Ask>(data);
    line::<Answer>(data);
}

fn line<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    let Ok(said) = serde_json::from_slice::<T>(data) else { return };
    let written = serde_json::to_vec(&said).unwrap();
    assert!(!written.contains(&b'\n'), "a line is one line");
    assert_eq!(said, serde_json::from_slice(&written).unwrap(), "what is written is what is read");
}
