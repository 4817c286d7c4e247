//! How loud a verdict is.

/// The severities that a verdict can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A verdict like any other.
    Info,
    /// Something that may need a look.
    Warn,
    /// Something is wrong.
    Error,
}

const WARN: &[&str] = &[
    "COSTLY",
    "DEFER",
    "DIMINISHING",
    "DIVERGED",
    "HELD",
    "OPEN",
    "QUIET_INCOMPLETE",
    "RECENTLY_ATTEMPTED",
    "SPINNING",
    "WARN",
];
const ERROR: &[&str] =
    &["BLOCK", "NOT_SHIPPED", "REJECT_POISON", "STALLED", "UNRESUMABLE", "WASTEFUL"];

impl Severity {
    /// The severity of a verdict, whatever the case of its letters.
    pub fn of(verdict: &str) -> Self {
        let is_in =
            |tokens: &[&str]| tokens.iter().any(|token| token.eq_ignore_ascii_case(verdict));
        match () {
            () if is_in(ERROR) => Self::Error,
            () if is_in(WARN) => Self::Warn,
            () => Self::Info,
        }
    }

    /// Its number in OpenTelemetry.
    pub fn number(self) -> u8 {
        match self {
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
        }
    }

    /// Its name.
    pub fn token(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}
