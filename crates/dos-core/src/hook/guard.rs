//! `[guard]`: how strict the guard of tool calls is.

use alloc::string::String;
use alloc::vec::Vec;

/// What becomes of a call that meets a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Nothing: the rule is not asked.
    Off,
    /// It runs, and the agent is told.
    Warn,
    /// It does not run.
    Deny,
}

impl Strictness {
    /// The names that `dos.toml` can give it.
    pub const NAMES: [&'static str; 3] = ["off", "warn", "deny"];

    /// The strictness of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::Off),
            "warn" => Some(Self::Warn),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }

    /// The name.
    pub fn token(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

/// The `[guard]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardPolicy {
    /// Patterns that no agent may write, after the built-in ones; `!` takes away from those.
    pub protected: Vec<String>,
    /// Commands that run any code they are given.
    pub exec: Strictness,
    /// Operations on the whole checkout while others hold parts of it.
    pub checkout_ops: Strictness,
    /// Writes outside of the lane that one holds.
    pub outside_lane: Strictness,
    /// Calls of which nobody can tell what they write, while others hold lanes. Never a denial:
    /// what is unknown proves nothing.
    pub unknown: Strictness,
}

impl Default for GuardPolicy {
    fn default() -> Self {
        Self {
            protected: Vec::new(),
            exec: Strictness::Off,
            checkout_ops: Strictness::Warn,
            outside_lane: Strictness::Warn,
            unknown: Strictness::Warn,
        }
    }
}

/// What is protected in every workspace, whatever hosts there are: the referee's own files.
pub const PROTECTED: [&str; 2] = [".dos/**", "dos.toml"];
