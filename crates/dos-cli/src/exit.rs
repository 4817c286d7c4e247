//! Exit codes: what each verb answers by, in one table.

use std::process::ExitCode;

use dos_core::witness::Outcome;

/// The codes that verbs end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The answer is yes, or the thing is done.
    Yes,
    /// The answer is no.
    No,
    /// The question was wrong, or could not be answered: usage, input, disk.
    Contract,
    /// Nobody who counts could tell.
    Unwitnessed,
    /// The lock stayed busy past the deadline: ask again.
    Busy,
    /// A run is alive and does not move.
    Spinning,
    /// A run shows no sign of life.
    Stalled,
    /// The code of a command that was run.
    Of(u8),
}

impl Exit {
    /// It can run any code. The original has the same number for it.
    pub const GRANTS: Self = Self::Of(3);

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Contract => 2,
            Self::Unwitnessed | Self::Spinning => 3,
            Self::Busy | Self::Stalled => 4,
            Self::Of(code) => code,
        }
    }

    /// The code of a verdict about a claim.
    pub fn of_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Confirmed => Self::Yes,
            Outcome::Refuted => Self::No,
            Outcome::Unwitnessed | Outcome::NoClaim => Self::Unwitnessed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What a verb's codes mean: token and code.
pub struct Contract {
    /// The verb as it is typed.
    pub verb: &'static str,
    /// Tokens and their codes.
    pub codes: &'static [(&'static str, Exit)],
}

const CONTRACT_ERROR: (&str, Exit) = ("contract_error", Exit::Contract);
/// Whatever the event, a hook has answered. Hosts take 2 for a refusal, so that it is never used.
const HOOK: &[(&str, Exit)] = &[("answered", Exit::Yes), ("miswired", Exit::No)];
const LOCK_BUSY: (&str, Exit) = ("lock_busy", Exit::Busy);

/// Every verb that answers by its exit code.
pub const CONTRACTS: &[Contract] = &[
    Contract {
        verb: "arbitrate",
        codes: &[("acquire", Exit::Yes), ("refuse", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract {
        verb: "attest",
        codes: &[
            ("confirmed", Exit::Yes),
            ("refuted", Exit::No),
            ("unwitnessed", Exit::Unwitnessed),
            ("no_claim", Exit::Unwitnessed),
            CONTRACT_ERROR,
        ],
    },
    Contract { verb: "attest-key", codes: &[("written", Exit::Yes), CONTRACT_ERROR] },
    Contract {
        verb: "doctor --check",
        codes: &[("healthy", Exit::Yes), ("findings", Exit::No), CONTRACT_ERROR],
    },
    Contract {
        verb: "exec-capability",
        codes: &[
            ("BOUNDED", Exit::Yes),
            ("EMPTY", Exit::Yes),
            ("GRANTS_ARBITRARY_EXEC", Exit::GRANTS),
            CONTRACT_ERROR,
        ],
    },
    Contract {
        verb: "export",
        codes: &[("delivered", Exit::Yes), ("not_delivered", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract {
        verb: "forget",
        codes: &[("forgotten", Exit::Yes), ("unknown", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract { verb: "halt", codes: &[("recorded", Exit::Yes), CONTRACT_ERROR, LOCK_BUSY] },
    Contract { verb: "hook marker", codes: HOOK },
    Contract { verb: "hook posttool", codes: HOOK },
    Contract { verb: "hook pretool", codes: HOOK },
    Contract { verb: "hook stop", codes: &[("answered", Exit::Yes)] },
    Contract { verb: "journal compact", codes: &[("done", Exit::Yes), CONTRACT_ERROR, LOCK_BUSY] },
    Contract {
        verb: "journal verify",
        codes: &[("intact", Exit::Yes), ("corrupt", Exit::No), CONTRACT_ERROR],
    },
    Contract { verb: "lanes", codes: &[("shown", Exit::Yes), CONTRACT_ERROR] },
    Contract { verb: "learn", codes: &[("counted", Exit::Yes), CONTRACT_ERROR] },
    Contract {
        verb: "lease acquire",
        codes: &[("acquired", Exit::Yes), ("busy", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract { verb: "lease release", codes: &[("done", Exit::Yes), CONTRACT_ERROR, LOCK_BUSY] },
    Contract {
        verb: "lease-lane acquire",
        codes: &[("acquire", Exit::Yes), ("refuse", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract {
        verb: "lease-lane adopt",
        codes: &[("adopted", Exit::Yes), ("not_adopted", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract {
        verb: "lease-lane check",
        codes: &[("live", Exit::Yes), ("not_live", Exit::No), CONTRACT_ERROR],
    },
    Contract {
        verb: "lease-lane heartbeat",
        codes: &[("beat", Exit::Yes), ("not_held", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract {
        verb: "lease-lane release",
        codes: &[("released", Exit::Yes), ("not_held", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract {
        verb: "lease-lane spawn",
        codes: &[("recorded", Exit::Yes), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract {
        verb: "lease-lane reap",
        codes: &[("reaped", Exit::Yes), ("nothing_dead", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract {
        verb: "lint",
        codes: &[("clean", Exit::Yes), ("findings", Exit::No), CONTRACT_ERROR],
    },
    Contract {
        verb: "liveness",
        codes: &[
            ("ADVANCING", Exit::Yes),
            ("SPINNING", Exit::Spinning),
            ("STALLED", Exit::Stalled),
            CONTRACT_ERROR,
        ],
    },
    Contract { verb: "loop", codes: &[("planned", Exit::Yes), CONTRACT_ERROR] },
    Contract {
        verb: "observe",
        codes: &[("shown", Exit::Yes), ("corrupt", Exit::No), CONTRACT_ERROR],
    },
    Contract {
        verb: "notify",
        codes: &[("told", Exit::Yes), ("not_told", Exit::No), CONTRACT_ERROR, LOCK_BUSY],
    },
    Contract {
        verb: "overlap",
        codes: &[("disjoint", Exit::Yes), ("meet", Exit::No), CONTRACT_ERROR],
    },
    Contract { verb: "projects", codes: &[("listed", Exit::Yes), CONTRACT_ERROR] },
    Contract {
        verb: "quickstart",
        codes: &[("no_collision", Exit::Yes), ("collision", Exit::No), CONTRACT_ERROR],
    },
    Contract { verb: "reap", codes: &[("done", Exit::Yes), CONTRACT_ERROR, LOCK_BUSY] },
    Contract { verb: "reindex", codes: &[("done", Exit::Yes), CONTRACT_ERROR, LOCK_BUSY] },
    Contract { verb: "run", codes: &[("refuse", Exit::No), CONTRACT_ERROR, LOCK_BUSY] },
    Contract {
        verb: "run-id show",
        codes: &[("shown", Exit::Yes), ("missing", Exit::No), CONTRACT_ERROR],
    },
    Contract {
        verb: "snapshot list",
        codes: &[("intact", Exit::Yes), ("changed", Exit::No), CONTRACT_ERROR],
    },
    Contract {
        verb: "snapshot show",
        codes: &[("shown", Exit::Yes), ("unwitnessed", Exit::Unwitnessed), CONTRACT_ERROR],
    },
    Contract {
        verb: "snapshot take",
        codes: &[
            ("taken", Exit::Yes),
            ("name_taken", Exit::No),
            ("unwitnessed", Exit::Unwitnessed),
            CONTRACT_ERROR,
            LOCK_BUSY,
        ],
    },
    Contract {
        verb: "state-diff",
        codes: &[
            ("confirmed", Exit::Yes),
            ("refuted", Exit::No),
            ("unwitnessed", Exit::Unwitnessed),
            ("no_claim", Exit::Unwitnessed),
            CONTRACT_ERROR,
        ],
    },
    Contract {
        verb: "supervise",
        codes: &[("ended", Exit::Yes), ("another", Exit::No), CONTRACT_ERROR],
    },
    Contract { verb: "top", codes: &[("shown", Exit::Yes), CONTRACT_ERROR] },
    Contract {
        verb: "verify-receipt",
        codes: &[("valid", Exit::Yes), ("invalid", Exit::No), CONTRACT_ERROR],
    },
    Contract { verb: "watch", codes: &[("watched", Exit::Yes), CONTRACT_ERROR, LOCK_BUSY] },
];
