//! A verdict as a receipt that others can check: its fields, and the bytes that are signed.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::effect::{EffectVerdict, Outcome};
use super::evidence::Accountability;
use crate::json::Object;

/// The format of receipts.
pub const SCHEMA: &str = "dos.attest/receipt@1";

/// How a receipt is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// With a key that both sides know: who can check a receipt can forge one.
    HmacSha256,
    /// With a key whose public half is enough to check a receipt.
    Ed25519,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::HmacSha256, Self::Ed25519];

    /// The stable word, which is signed too.
    pub fn token(self) -> &'static str {
        match self {
            Self::HmacSha256 => "HMAC-SHA256",
            Self::Ed25519 => "ED25519",
        }
    }
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The format.
    pub schema: String,
    /// What was claimed.
    pub claim: String,
    /// How the agent put it.
    pub narrated: String,
    /// Where the witness looked.
    pub witness_surface: String,
    /// The witness.
    pub witness_author: String,
    /// Its rung; `None` where no witness stands behind the verdict.
    pub accountability_tier: Option<Accountability>,
    /// The verdict.
    pub verdict: String,
    /// May it be believed?
    pub believe: bool,
    /// Did a witness see that it is not so?
    pub refuted: bool,
    /// When it was made.
    pub timestamp: String,
    /// How it is signed.
    pub algorithm: Algorithm,
    /// The signature in hex; empty until it is signed.
    pub signature: String,
}

/// Why something is no receipt that can be checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// A field that is not there, or not as it must be.
    #[error("its {field} is {found}, where {wanted} belongs")]
    Field {
        /// Which.
        field: &'static str,
        /// What is there.
        found: String,
        /// What belongs there.
        wanted: &'static str,
    },
    /// Fields that would be signed as one text and read as another.
    #[error("its {0} holds a line break, with which one receipt could pass for another")]
    LineBreak(&'static str),
    /// Fields that no verdict has together.
    #[error("its verdict {verdict} contradicts its other fields")]
    Contradiction {
        /// The verdict.
        verdict: String,
    },
    /// A field that no receipt has, and that no signature covers.
    #[error("it has a field {0:?}, which no signature covers")]
    Foreign(String),
}

impl Receipt {
    /// The receipt of a verdict, not yet signed.
    pub fn of(
        verdict: &EffectVerdict,
        surface: &str,
        timestamp: &str,
        algorithm: Algorithm,
    ) -> Result<Self, ReceiptError> {
        let surface = if surface.is_empty() { &verdict.claim_key } else { surface };
        let receipt = Self {
            schema: SCHEMA.to_owned(),
            claim: verdict.claim_key.clone(),
            narrated: verdict.narrated.clone(),
            witness_surface: surface.to_owned(),
            witness_author: verdict.witness.clone(),
            accountability_tier: verdict.accountability,
            verdict: verdict.outcome.token().to_owned(),
            believe: verdict.believe(),
            refuted: verdict.refuted(),
            timestamp: timestamp.to_owned(),
            algorithm,
            signature: String::new(),
        };
        receipt.checked()
    }

    /// Reads a receipt. What is missing or of another kind is an error, never a default: a default
    /// would be checked in place of what is there.
    pub fn from_json(object: &Object) -> Result<Self, ReceiptError> {
        let text = |field| match object.get(field) {
            Some(Value::String(text)) => Ok(text.clone()),
            other => Err(unfit(field, other, "a text")),
        };
        let flag = |field| match object.get(field) {
            Some(Value::Bool(flag)) => Ok(*flag),
            other => Err(unfit(field, other, "true or false")),
        };
        let schema = text("schema")?;
        if schema != SCHEMA {
            return Err(unfit("schema", object.get("schema"), SCHEMA));
        }
        let tier = text("accountability_tier")?;
        let accountability_tier = match Accountability::named(&tier) {
            None if !tier.is_empty() => {
                let wanted = "OS_RECORDED, THIRD_PARTY, AGENT_AUTHORED or an empty text";
                let found = object.get("accountability_tier");
                return Err(unfit("accountability_tier", found, wanted));
            }
            tier => tier,
        };
        let token = text("algorithm")?;
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.token() == token)
            .ok_or_else(|| unfit("algorithm", object.get("algorithm"), "HMAC-SHA256 or ED25519"))?;
        let receipt = Self {
            schema,
            claim: text("claim")?,
            narrated: text("narrated")?,
            witness_surface: text("witness_surface")?,
            witness_author: text("witness_author")?,
            accountability_tier,
            verdict: text("verdict")?,
            believe: flag("believe")?,
            refuted: flag("refuted")?,
            timestamp: text("timestamp")?,
            algorithm,
            signature: text("signature")?,
        };
        let known = Self::FIELDS.iter().chain(&["signature"]);
        match object.keys().find(|key| !known.clone().any(|field| field == key)) {
            Some(foreign) => Err(ReceiptError::Foreign(foreign.clone())),
            None => receipt.checked(),
        }
    }

    const FIELDS: [&'static str; 11] = [
        "schema",
        "claim",
        "narrated",
        "witness_surface",
        "witness_author",
        "accountability_tier",
        "verdict",
        "believe",
        "refuted",
        "timestamp",
        "algorithm",
    ];

    /// The values of the fields that are signed, in their order.
    fn values(&self) -> [&str; 11] {
        let flag = |flag| if flag { "true" } else { "false" };
        [
            &self.schema,
            &self.claim,
            &self.narrated,
            &self.witness_surface,
            &self.witness_author,
            self.accountability_tier.map(Accountability::token).unwrap_or_default(),
            &self.verdict,
            flag(self.believe),
            flag(self.refuted),
            &self.timestamp,
            self.algorithm.token(),
        ]
    }

    /// The bytes that are signed: `field=value` lines in their order, without a newline at the end.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let lines = Self::FIELDS.iter().zip(self.values());
        let lines: Vec<String> = lines.map(|(field, value)| format!("{field}={value}")).collect();
        lines.join("\n").into_bytes()
    }

    /// The receipt as JSON.
    pub fn to_json(&self) -> Value {
        let mut object = Object::new();
        for (field, value) in Self::FIELDS.into_iter().zip(self.values()) {
            let value = match field {
                "believe" => Value::Bool(self.believe),
                "refuted" => Value::Bool(self.refuted),
                _ => Value::String(value.to_owned()),
            };
            object.insert(field.to_owned(), value);
        }
        object.insert("signature".to_owned(), Value::String(self.signature.clone()));
        Value::Object(object)
    }

    /// Does it carry a finding that what was claimed is not so?
    pub fn is_adverse(&self) -> bool {
        self.verdict == Outcome::Refuted.token()
    }

    /// Lines are what separates the signed fields, so that no field but the last text of all may
    /// hold one; and the fields must be those of one verdict.
    fn checked(self) -> Result<Self, ReceiptError> {
        for (field, value) in Self::FIELDS.into_iter().zip(self.values()) {
            if value.contains('\n') {
                return Err(ReceiptError::LineBreak(field));
            }
        }
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.token() == self.verdict);
        let counts = matches!(
            self.accountability_tier,
            Some(Accountability::OsRecorded | Accountability::ThirdParty)
        );
        let fits = match outcome {
            Some(Outcome::Confirmed) => self.believe && !self.refuted && counts,
            Some(Outcome::Refuted) => !self.believe && self.refuted && counts,
            Some(Outcome::Unwitnessed | Outcome::NoClaim) => !self.believe && !self.refuted,
            None => false,
        };
        match fits {
            true => Ok(self),
            false => Err(ReceiptError::Contradiction { verdict: self.verdict }),
        }
    }
}

fn unfit(field: &'static str, found: Option<&Value>, wanted: &'static str) -> ReceiptError {
    let found = match found {
        None => "missing".to_owned(),
        Some(value) => crate::json::canonical(value).chars().take(80).collect(),
    };
    ReceiptError::Field { field, found, wanted }
}
