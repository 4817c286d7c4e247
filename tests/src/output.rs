//! What a command answered, and what can be asked of it.

use std::process;

use serde_json::Value;

/// The answer of a command that has ended.
#[must_use = "an answer that nobody looks at tests nothing"]
#[derive(Clone, Debug)]
pub struct Output {
    /// The command, to be shown when something is not as expected.
    pub command: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
}

impl Output {
    pub(crate) fn new(command: String, output: process::Output) -> Self {
        Self {
            command,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It ended with this code, and did not panic.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        self.no_panic();
        assert_eq!(self.code, Some(code), "exit code of {self:#?}");
        self
    }

    /// It printed this, in some line.
    #[track_caller]
    pub fn prints(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "{text:?} is not on stdout of {self:#?}");
        self
    }

    /// It said this on stderr.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "{text:?} is not on stderr of {self:#?}");
        self
    }

    /// It said nothing on stderr.
    #[track_caller]
    pub fn is_quiet(&self) -> &Self {
        assert_eq!(self.stderr, "", "stderr of {self:#?}");
        self
    }

    /// It did not panic.
    #[track_caller]
    pub fn no_panic(&self) -> &Self {
        let panicked = self.stderr.contains("panicked") || self.code == Some(101);
        assert!(!panicked, "a panic: {self:#?}");
        self
    }

    /// What it printed, as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in the output of {self:#?}"))
    }

    /// What it printed, as one JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error} in a line of the output of {self:#?}"))
        };
        self.stdout.lines().map(parse).collect()
    }
}
