//! The conditions under which a lane may be granted: each can refuse, none can grant.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::lane::lease::{Lease, Tree};
use crate::lane::overlap::{Meeting, OverlapPolicy};

/// A lane that might be granted.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The lane's name.
    pub lane: &'a str,
    /// The kind it would be granted under.
    pub kind: &'a str,
    /// What would be covered.
    pub tree: &'a Tree,
    /// Would it only be read?
    pub shared: bool,
}

/// Why a condition refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// The trees meet.
    Meets(Meeting),
    /// The candidate covers nothing that is known, and somebody holds something.
    UnknownExtent,
    /// A condition of the embedding program: its name and what it says.
    Condition {
        /// The condition's name.
        name: String,
        /// Its reason, for people.
        reason: String,
    },
}

/// A condition of the embedding program, asked once for every live lease, and once with `None`
/// when there is none.
pub trait AdmissionPredicate {
    /// Its name in refusals.
    fn name(&self) -> &str;

    /// A reason to refuse, or `None`.
    fn objection(&self, candidate: &Candidate<'_>, live: Option<&Lease>) -> Option<String>;
}

/// All conditions together.
pub struct Conditions {
    /// When two known trees may be held at once.
    pub overlap: Box<dyn OverlapPolicy>,
    /// Further conditions, asked after the overlap policy.
    pub predicates: Vec<Box<dyn AdmissionPredicate>>,
}

impl Conditions {
    /// What a condition says, with a live lease or without.
    pub(super) fn refused(
        &self,
        candidate: &Candidate<'_>,
        live: Option<&Lease>,
    ) -> Option<Objection> {
        self.predicates.iter().find_map(|predicate| {
            let reason = predicate.objection(candidate, live)?;
            Some(Objection::Condition { name: predicate.name().to_string(), reason })
        })
    }
}
