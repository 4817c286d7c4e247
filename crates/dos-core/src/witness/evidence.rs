//! The evidence floor: who wrote down what a witness says decides how far it counts.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

/// Who wrote down what a witness says, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accountability {
    /// The agent itself: shown, and never believed.
    AgentAuthored,
    /// This machine: an exit code, a file that we read.
    OsRecorded,
    /// Somebody else: a remote store, a provider.
    ThirdParty,
}

/// The rungs of a witness that can make us believe. There is none for an agent's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WitnessRung {
    /// This machine.
    OsRecorded,
    /// Somebody else.
    ThirdParty,
}

/// An agent's own word is no witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the agent wrote itself (AGENT_AUTHORED) is no witness")]
pub struct AgentAuthored;

impl Accountability {
    /// Every rung, from the weakest.
    pub const ALL: [Self; 3] = [Self::AgentAuthored, Self::OsRecorded, Self::ThirdParty];

    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::AgentAuthored => "AGENT_AUTHORED",
            Self::OsRecorded => "OS_RECORDED",
            Self::ThirdParty => "THIRD_PARTY",
        }
    }

    /// The rung of this word.
    pub fn named(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rung| rung.token() == token)
    }

    fn witness(self) -> Option<WitnessRung> {
        self.try_into().ok()
    }
}

impl WitnessRung {
    /// The stable word.
    pub fn token(self) -> &'static str {
        Accountability::from(self).token()
    }
}

impl From<WitnessRung> for Accountability {
    fn from(rung: WitnessRung) -> Self {
        match rung {
            WitnessRung::OsRecorded => Self::OsRecorded,
            WitnessRung::ThirdParty => Self::ThirdParty,
        }
    }
}

impl TryFrom<Accountability> for WitnessRung {
    type Error = AgentAuthored;

    fn try_from(rung: Accountability) -> Result<Self, AgentAuthored> {
        match rung {
            Accountability::AgentAuthored => Err(AgentAuthored),
            Accountability::OsRecorded => Ok(Self::OsRecorded),
            Accountability::ThirdParty => Ok(Self::ThirdParty),
        }
    }
}

/// What a witness says of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// It looked, and the effect is there.
    Attested,
    /// It looked, and the effect is not there.
    Refuted,
    /// It could not look, or cannot tell. Never a verdict.
    NoSignal,
}

impl Stance {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Attested => "ATTESTED",
            Self::Refuted => "REFUTED",
            Self::NoSignal => "NO_SIGNAL",
        }
    }
}

/// What one witness saw of one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The witness.
    pub source: String,
    /// Who wrote it down.
    pub accountability: Accountability,
    /// What it says.
    pub stance: Stance,
    /// What it was asked about.
    pub subject: String,
    /// A line for people.
    pub detail: String,
}

impl Facts {
    /// The facts as JSON. A witness was reached when it says anything.
    pub fn to_json(&self) -> Value {
        json!({
            "source_name": self.source,
            "accountability": self.accountability.token(),
            "stance": self.stance.token(),
            "subject": self.subject,
            "detail": self.detail,
            "reachable": self.stance != Stance::NoSignal,
        })
    }

    /// Does it say so on a rung that counts?
    pub(crate) fn counts_as(&self, stance: Stance) -> bool {
        self.stance == stance && self.accountability.witness().is_some()
    }
}

/// What somebody saw who looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The effect is there.
    Present,
    /// The effect is not there.
    Absent,
    /// It looked, and cannot tell.
    Unclear,
}

/// A witness. Its rung is its own for good: what it sees cannot raise it.
pub trait EvidenceSource {
    /// Its name, in verdicts.
    fn name(&self) -> &str;
    /// Who writes down what it says.
    fn accountability(&self) -> Accountability;
    /// Looks, and says what it saw with a line for people; an error is why it could not look.
    fn look(&self, subject: &str) -> Result<(Sight, String), String>;

    /// The facts. A witness that cannot look gives no signal, never a verdict.
    fn gather(&self, subject: &str) -> Facts {
        let (stance, detail) = match self.look(subject) {
            Ok((Sight::Present, detail)) => (Stance::Attested, detail),
            Ok((Sight::Absent, detail)) => (Stance::Refuted, detail),
            Ok((Sight::Unclear, detail)) | Err(detail) => (Stance::NoSignal, detail),
        };
        Facts {
            source: self.name().to_owned(),
            accountability: self.accountability(),
            stance,
            subject: subject.to_owned(),
            detail,
        }
    }
}

/// What may be believed of an effect. To believe and to refute at once is a conflict, for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belief {
    /// The strongest rung that attests it; `None`: it is not believed.
    pub attested: Option<WitnessRung>,
    /// Did a witness that counts see that it is not there?
    pub refuted: bool,
    /// Who says it is there, in order.
    pub attesting: Vec<String>,
    /// Who says it is not.
    pub refuting: Vec<String>,
    /// Who says nothing.
    pub silent: Vec<String>,
}

impl Belief {
    /// Folds what the witnesses saw. Their order changes the order of the names and nothing else.
    pub fn under_floor<'a>(facts: impl IntoIterator<Item = &'a Facts>) -> Self {
        let mut belief = Self::default();
        for fact in facts {
            let rung = fact.accountability.witness();
            let named = match fact.stance {
                Stance::Attested => {
                    belief.attested = belief.attested.max(rung);
                    &mut belief.attesting
                }
                Stance::Refuted => {
                    belief.refuted |= rung.is_some();
                    &mut belief.refuting
                }
                Stance::NoSignal => &mut belief.silent,
            };
            named.push(fact.source.clone());
        }
        belief
    }

    /// Does a witness that counts attest it?
    pub fn believe(&self) -> bool {
        self.attested.is_some()
    }

    /// Why, for people.
    pub fn reason(&self) -> String {
        let (attesting, refuting) = (self.attesting.join(", "), self.refuting.join(", "));
        match (self.believe(), self.refuted) {
            (true, true) => {
                format!("conflict: {attesting} saw it, {refuting} saw that it is not there")
            }
            (true, false) => format!("believed: {attesting} saw it"),
            (false, true) => format!("refuted: {refuting} saw that it is not there"),
            (false, false) if !self.attesting.is_empty() => {
                format!("open: only the agent itself says so ({attesting})")
            }
            (false, false) => "open: no witness saw anything".to_owned(),
        }
    }

    /// The belief as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "believe": self.believe(),
            "refuted": self.refuted,
            "reason": self.reason(),
            "attesting": self.attesting,
            "refuting": self.refuting,
            "silent": self.silent,
        })
    }
}

/// Something that a derived value was computed from.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// What one witness saw.
    Facts(&'a Facts),
    /// What is believed.
    Belief(&'a Belief),
}

impl Operand<'_> {
    fn rung(self) -> Option<WitnessRung> {
        match self {
            Self::Facts(facts) if facts.stance == Stance::Attested => {
                facts.accountability.witness()
            }
            Self::Belief(belief) if !belief.refuted => belief.attested,
            _ => None,
        }
    }
}

/// The witness of a value that was computed from others by `operation`, declared beforehand.
///
/// It stands on the rung of its weakest operand. An operand that no witness attests, or an operation
/// that nobody declared, makes it the agent's own word.
pub fn derived(
    source: &str,
    operation: &str,
    operands: &[Operand<'_>],
    subject: &str,
    agrees: bool,
) -> Facts {
    let weakest = operands.iter().map(|operand| operand.rung()).min().flatten();
    let declared = !operation.trim().is_empty();
    let (stance, rung) = match (agrees, weakest) {
        (true, Some(rung)) if declared => (Stance::Attested, rung.into()),
        (true, _) => (Stance::Attested, Accountability::AgentAuthored),
        (false, Some(rung)) => (Stance::Refuted, rung.into()),
        (false, None) => (Stance::Refuted, Accountability::AgentAuthored),
    };
    let operation = if declared { operation } else { "an operation that was not declared" };
    let result = if agrees { "agrees" } else { "does not agree" };
    Facts {
        source: source.to_owned(),
        accountability: rung,
        stance,
        subject: subject.to_owned(),
        detail: format!("{operation} over {} operands {result}", operands.len()),
    }
}
