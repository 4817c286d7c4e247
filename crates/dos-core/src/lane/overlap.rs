//! Can two trees touch one file? The overlap policies: `exact`, and `prefix` as the original has it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::lane::lease::{Tree, fold};
use crate::lane::pattern::Case;
use crate::lane::region::{Contact, Doubt};

/// Two patterns that meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The pattern of the request.
    pub requested: String,
    /// The pattern of the lease.
    pub held: String,
    /// A path that both own, where the policy can name one.
    pub witness: Option<String>,
    /// Why they count as meeting where that is not proved.
    pub doubt: Option<Doubt>,
}

impl From<Contact<'_>> for Meeting {
    fn from(contact: Contact<'_>) -> Self {
        let (witness, doubt) = match contact.witness {
            Ok(path) => (Some(path), None),
            Err(doubt) => (None, Some(doubt)),
        };
        Self { requested: contact.ours.into(), held: contact.theirs.into(), witness, doubt }
    }
}

impl fmt::Display for Meeting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requested, held, .. } = self;
        match (&self.witness, self.doubt) {
            (Some(path), _) => write!(formatter, "pattern `{requested}` meets `{held}` at {path}"),
            (None, None) => write!(formatter, "pattern `{requested}` meets `{held}`"),
            (None, Some(Doubt::Unreadable)) => {
                write!(formatter, "pattern `{requested}` may meet `{held}`: one cannot be read")
            }
            (None, Some(Doubt::TooCostly)) => {
                write!(formatter, "pattern `{requested}` may meet `{held}`: too costly to rule out")
            }
        }
    }
}

/// Decides whether a request may run beside a lease. Both trees are known and not empty.
pub trait OverlapPolicy {
    /// The name under which `dos.toml` chooses it.
    fn name(&self) -> &'static str;

    /// The two patterns that forbid it; `None` when the request may be admitted.
    fn meeting(&self, requested: &Tree, held: &Tree) -> Option<Meeting>;

    /// The rule of case, when trees meet exactly where the regions that they spell share a path.
    /// Then an index over regions is asked instead of comparing with every lease.
    fn region_case(&self) -> Option<Case> {
        None
    }
}

/// The policies that `[overlap] policy` can name.
pub const POLICY_NAMES: [&str; 2] = ["exact", "prefix"];

/// The policy of that name.
pub fn policy_named(name: &str, case: Case, ratio_max: f64) -> Option<Box<dyn OverlapPolicy>> {
    match name {
        "exact" => Some(Box::new(Exact { case })),
        "prefix" => Some(Box::new(Prefix { ratio_max })),
        _ => None,
    }
}

/// Refuses when some path is owned by both trees, and names it.
///
/// A pattern that cannot be read may name any path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exact {
    /// Do letters of different case name different files?
    pub case: Case,
}

impl OverlapPolicy for Exact {
    fn name(&self) -> &'static str {
        "exact"
    }

    fn meeting(&self, requested: &Tree, held: &Tree) -> Option<Meeting> {
        requested.region(self.case).meets(&held.region(self.case)).map(Meeting::from)
    }

    fn region_case(&self) -> Option<Case> {
        Some(self.case)
    }
}

/// The part of two trees that may be shared before `prefix` refuses, and its upper bound.
pub const RATIO_MAX: f64 = 1.0 / 3.0;

/// The original's rule: a pattern is its text up to the first `*`; two meet where one text begins
/// with the other. Up to `ratio_max` of the requested patterns may meet, and never more than a
/// third. It admits real collisions; it is here for fleets that share a journal with the original.
#[derive(Clone, Copy, Debug)]
pub struct Prefix {
    /// The part of the requested patterns that may meet.
    pub ratio_max: f64,
}

/// What `prefix` says of two trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixVerdict {
    /// `admit_disjoint`, `admit_soft`, `refuse_overlap` or `refuse_exact_glob`.
    pub token: &'static str,
    /// How many of the requested patterns meet some pattern of the lease.
    pub shared: usize,
    /// How many patterns were requested.
    pub requested: usize,
}

impl PrefixVerdict {
    /// May the request be admitted?
    pub fn admissible(&self) -> bool {
        self.token.starts_with("admit")
    }
}

impl Prefix {
    /// Counts the patterns that meet and compares their part with `ratio_max`.
    pub fn verdict(&self, requested: &Tree, held: &Tree) -> PrefixVerdict {
        let count = requested.patterns().len();
        let shared = shared_prefixes(requested, held).len();
        let token = if same_glob(requested, held).is_some() {
            "refuse_exact_glob"
        } else if shared == 0 {
            "admit_disjoint"
        } else if shared as f64 / count.max(1) as f64 > self.ratio_max {
            "refuse_overlap"
        } else {
            "admit_soft"
        };
        PrefixVerdict { token, shared, requested: count }
    }
}

impl OverlapPolicy for Prefix {
    fn name(&self) -> &'static str {
        "prefix"
    }

    fn meeting(&self, requested: &Tree, held: &Tree) -> Option<Meeting> {
        let bounded = Self { ratio_max: self.ratio_max.min(RATIO_MAX) };
        if bounded.verdict(requested, held).admissible() {
            return None;
        }
        let same = same_glob(requested, held);
        let (requested, held) =
            same.or_else(|| shared_prefixes(requested, held).into_iter().next())?;
        Some(Meeting { requested, held, witness: None, doubt: None })
    }
}

/// The text of a pattern up to its first `*`, in one case, with `/` as the separator.
pub fn prefix_text(pattern: &str) -> String {
    let folded = fold(pattern.replace('\\', "/").trim());
    match folded.split_once('*') {
        Some((before, _)) => before.to_string(),
        None => folded,
    }
}

/// No pattern of one tree meets one of the other, as `prefix` compares them. A tree without
/// patterns is never disjoint: what it covers is unknown.
pub fn prefixes_disjoint(left: &Tree, right: &Tree) -> bool {
    let known = |tree: &Tree| tree.patterns().iter().any(|pattern| !pattern.is_empty());
    known(left) && known(right) && shared_prefixes(left, right).is_empty()
}

/// Each requested pattern that meets, with the first lease pattern that it meets.
fn shared_prefixes(requested: &Tree, held: &Tree) -> Vec<(String, String)> {
    let held: Vec<(&String, String)> = held
        .patterns()
        .iter()
        .filter(|pattern| !pattern.is_empty())
        .map(|pattern| (pattern, prefix_text(pattern)))
        .collect();
    let mut found = Vec::new();
    for pattern in requested.patterns().iter().filter(|pattern| !pattern.is_empty()) {
        let ours = prefix_text(pattern);
        let meets =
            held.iter().find(|(_, theirs)| ours.starts_with(theirs) || theirs.starts_with(&ours));
        if let Some((theirs, _)) = meets {
            found.push((pattern.clone(), (*theirs).clone()));
        }
    }
    found
}

/// The first requested pattern whose compared text is also one of the lease's; the text that
/// stands for the whole repository does not count.
fn same_glob(requested: &Tree, held: &Tree) -> Option<(String, String)> {
    requested.patterns().iter().find_map(|ours| {
        let text = prefix_text(ours);
        let theirs = held.patterns().iter().find(|theirs| prefix_text(theirs) == text)?;
        (!text.is_empty()).then(|| (ours.clone(), theirs.clone()))
    })
}
