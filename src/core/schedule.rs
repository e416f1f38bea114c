//! Lines that wait for their time, as they are remembered.

use crate::core::id::{ActionRef, AliasRef, ExecutionId};
use crate::core::input::{Back, Principal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A line to be carried out later. Rights and content are looked at again then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scheduled {
    /// Named like an execution, so that `cancel` needs to know no difference.
    pub id: ExecutionId,
    /// The line, without the time before it. A line with a secret in it is never put off.
    pub line: String,
    /// The alias that the line meant when it was written.
    pub alias: AliasRef,
    /// What that started then.
    pub action: ActionRef,
    /// Whose it is.
    pub by: Principal,
    /// Where it was written.
    pub back: Back,
    /// That is a direct message.
    #[serde(default)]
    pub direct: bool,
    /// When it is due.
    pub due: Timestamp,
    /// The time zone in which its author thinks; empty when that is not known.
    pub zone: String,
}

/// Why a line does not wait any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum ScheduleEnd {
    /// It was carried out, and started these.
    Begun {
        /// The executions.
        executions: Vec<ExecutionId>,
    },
    /// It was not carried out, since it may not or cannot be any more.
    Refused,
    /// Its time came while the bot was away, and its author is asked whether it is still wanted.
    Asked,
    /// Its time came too long ago.
    Missed,
    /// Somebody took it off.
    Canceled {
        /// Who.
        by: Principal,
    },
}
