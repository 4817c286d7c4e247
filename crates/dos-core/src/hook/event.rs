//! One event of an agent host, in words that are the same for all hosts.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

/// What a call does to files, as far as its tool and its arguments tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It writes no file.
    Reads,
    /// It writes these files, named as the call names them.
    Writes(Vec<String>),
    /// It runs this shell command.
    Runs {
        /// The command.
        command: String,
        /// The folder it starts in, where the call names one.
        folder: Option<String>,
        /// Is it run by a server, which may see other files and be in another folder?
        elsewhere: bool,
    },
    /// Nobody knows. It names these paths.
    Unknown(Vec<String>),
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The session; `None` when the host names none that could be told from another one.
    pub session: Option<String>,
    /// The folder that the agent is in.
    pub cwd: Option<String>,
    /// The tool; empty at a stop.
    pub tool: String,
    /// What it does to files.
    pub act: Act,
    /// What it was asked.
    pub input: Value,
    /// What it answered; `None` before the call, and when it answered nothing.
    pub result: Option<Value>,
    /// Has a hook held this stop back before?
    pub stop_hook_active: bool,
}

impl Event {
    /// An event of which nothing is known but its tool and what the tool was asked.
    pub fn of_call(tool: &str, input: Value, act: Act) -> Self {
        Self {
            session: None,
            cwd: None,
            tool: tool.to_string(),
            act,
            input,
            result: None,
            stop_hook_active: false,
        }
    }
}

/// A session's name, if it is one.
pub fn session_name(value: Option<&Value>) -> Option<String> {
    let name = value?.as_str()?;
    (!name.trim().is_empty()).then(|| name.to_string())
}
