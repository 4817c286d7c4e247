//! What an agent claims to have done, joined to what witnesses saw of it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::evidence::{Accountability, Belief, Facts, Stance};

/// An effect that an agent claims: what is to be checked, never evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EffectClaim {
    /// What is claimed, in the words of whoever keeps the state: `orders:42`.
    pub key: String,
    /// What a witness is asked, where that is not the key.
    pub subject: String,
    /// How the agent put it. Shown, never read.
    pub narrated: String,
}

impl EffectClaim {
    /// What a witness is asked.
    pub fn probe(&self) -> &str {
        if self.subject.is_empty() { &self.key } else { &self.subject }
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A witness that counts saw it.
    Confirmed,
    /// A witness that counts saw that it is not there, or such witnesses disagree.
    Refuted,
    /// No witness that counts could tell.
    Unwitnessed,
    /// Nothing was claimed that could be checked.
    NoClaim,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Confirmed, Self::Refuted, Self::Unwitnessed, Self::NoClaim];

    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Confirmed => "CONFIRMED",
            Self::Refuted => "REFUTED",
            Self::Unwitnessed => "UNWITNESSED",
            Self::NoClaim => "NO_CLAIM",
        }
    }

    /// The outcome of several claims: one that is refuted refutes, one that is open leaves it open.
    /// One that claims nothing is open, beside others.
    pub fn of_all(outcomes: impl IntoIterator<Item = Self>) -> Self {
        let mut outcomes = outcomes.into_iter();
        let first = outcomes.next().unwrap_or(Self::NoClaim);
        outcomes.fold(first, |all, outcome| match (all, outcome) {
            (Self::Refuted, _) | (_, Self::Refuted) => Self::Refuted,
            _ if all == outcome => all,
            _ => Self::Unwitnessed,
        })
    }
}

/// The answer, with who stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectVerdict {
    /// The answer.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: String,
    /// What was claimed.
    pub claim_key: String,
    /// How the agent put it.
    pub narrated: String,
    /// The witness behind the answer; empty when there is none.
    pub witness: String,
    /// Its rung.
    pub accountability: Option<Accountability>,
    /// The witnesses that said nothing.
    pub silent: Vec<String>,
}

impl EffectVerdict {
    /// May it be believed?
    pub fn believe(&self) -> bool {
        self.outcome == Outcome::Confirmed
    }

    /// Did a witness see that it is not so?
    pub fn refuted(&self) -> bool {
        self.outcome == Outcome::Refuted
    }

    /// The verdict as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "verdict": self.outcome.token(),
            "believe": self.believe(),
            "refuted": self.refuted(),
            "reason": self.reason,
            "claim_key": self.claim_key,
            "narrated": self.narrated,
            "witness": self.witness,
            "accountability": self.accountability.map(Accountability::token),
            "silent_witnesses": self.silent,
        })
    }
}

/// Joins a claim to what witnesses saw. Only one that the agent did not author confirms or refutes.
pub fn witness_effect(claim: Option<&EffectClaim>, readbacks: &[Facts]) -> EffectVerdict {
    let Some(claim) = claim.filter(|claim| !claim.key.trim().is_empty()) else {
        return EffectVerdict {
            outcome: Outcome::NoClaim,
            reason: "NO_CLAIM: nothing is claimed that could be checked".to_owned(),
            claim_key: String::new(),
            narrated: String::new(),
            witness: String::new(),
            accountability: None,
            silent: Vec::new(),
        };
    };
    let belief = Belief::under_floor(readbacks);
    let behind = |stance| readbacks.iter().find(|facts| facts.counts_as(stance));
    let (outcome, witness) = match (belief.believe(), belief.refuted) {
        // Contested among witnesses that count: not believed, and a person must look.
        (true, true) => (Outcome::Refuted, behind(Stance::Attested)),
        (true, false) => (Outcome::Confirmed, behind(Stance::Attested)),
        (false, true) => (Outcome::Refuted, behind(Stance::Refuted)),
        (false, false) => (Outcome::Unwitnessed, None),
    };
    EffectVerdict {
        outcome,
        reason: reason(outcome, &claim.key, &belief, witness, readbacks),
        claim_key: claim.key.clone(),
        narrated: claim.narrated.clone(),
        witness: witness.map(|facts| facts.source.clone()).unwrap_or_default(),
        accountability: witness.map(|facts| facts.accountability),
        silent: belief.silent,
    }
}

fn reason(
    outcome: Outcome,
    key: &str,
    belief: &Belief,
    witness: Option<&Facts>,
    readbacks: &[Facts],
) -> String {
    let token = outcome.token();
    let detail = witness.map(|facts| facts.detail.as_str()).filter(|detail| !detail.is_empty());
    let because = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    let (attesting, refuting) = (belief.attesting.join(", "), belief.refuting.join(", "));
    match outcome {
        Outcome::Refuted if belief.believe() => format!(
            "{token}: witnesses disagree about {key:?}, {attesting} for and {refuting} against it; \
             a person must look"
        ),
        Outcome::Confirmed => format!("{token}: {attesting} looked, and {key:?} is so{because}"),
        Outcome::Refuted => format!("{token}: {refuting} looked, and {key:?} is not so{because}"),
        Outcome::Unwitnessed if !attesting.is_empty() => format!(
            "{token}: only the agent's own word is there for {key:?} ({attesting}), which proves \
             nothing"
        ),
        Outcome::Unwitnessed | Outcome::NoClaim => {
            let said: Vec<&str> = readbacks.iter().map(|facts| facts.detail.as_str()).collect();
            let said = said.into_iter().find(|detail| !detail.is_empty());
            let because = said.map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{token}: no witness could tell about {key:?}{because}")
        }
    }
}
