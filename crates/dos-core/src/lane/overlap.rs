//! Can two trees touch one file? The overlap policies: `exact`, and `prefix` as the original has it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::lane::index::Ends;
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
        let (requested, held) = (shortened(requested), shortened(held));
        match (&self.witness, self.doubt) {
            (Some(path), _) => {
                let path = shortened(path);
                write!(formatter, "pattern `{requested}` meets `{held}` at {path}")
            }
            (None, None) => write!(formatter, "pattern `{requested}` meets `{held}`"),
            (None, Some(doubt)) => {
                let reason = doubt.reason();
                write!(formatter, "pattern `{requested}` may meet `{held}`: {reason}")
            }
        }
    }
}

/// How much of a pattern or a path a sentence repeats, in characters.
const SHOWN_CHARACTERS_MAX: usize = 120;

/// The text for a sentence: a very long one is cut.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
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

    /// The ends of a tree's patterns, where trees can only meet if some ends of theirs are alike.
    /// Then only those are compared.
    fn ends<'a>(&self, patterns: &mut dyn Iterator<Item = &'a str>, add: &mut dyn FnMut(Ends<'a>)) {
        if patterns.next().is_some() {
            add(Ends::default());
        }
    }

    /// What the policy counted, where it counts.
    fn count(&self, _requested: &Tree, _held: &Tree) -> Option<PrefixVerdict> {
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

    fn ends<'a>(&self, patterns: &mut dyn Iterator<Item = &'a str>, add: &mut dyn FnMut(Ends<'a>)) {
        Ends::of_tree(patterns, self.case, add);
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrefixVerdict {
    /// `admit_disjoint`, `admit_soft`, `refuse_overlap` or `refuse_exact_glob`.
    pub token: &'static str,
    /// How many of the requested patterns meet some pattern of the lease.
    pub shared: usize,
    /// How many patterns were requested.
    pub requested: usize,
    /// The part of them that may meet.
    pub ratio_max: f64,
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
        self.compare(requested, held).0
    }

    /// The verdict, and the first two patterns that meet.
    fn compare<'a>(
        &self,
        requested: &'a Tree,
        held: &'a Tree,
    ) -> (PrefixVerdict, Option<(&'a str, &'a str)>) {
        let count = requested.patterns().len();
        let held: Vec<(&str, Cow<'_, str>)> = prefix_texts(held).collect();
        let (mut shared, mut first, mut same) = (0, None, None);
        for (ours, text) in prefix_texts(requested) {
            let meets = |other: &Cow<'_, str>| {
                text.starts_with(other.as_ref()) || other.starts_with(text.as_ref())
            };
            let mut met = held.iter().filter(|(_, other)| meets(other)).peekable();
            let Some((theirs, _)) = met.peek() else { continue };
            shared += 1;
            first.get_or_insert((ours, *theirs));
            // The text that stands for the whole repository does not count.
            if same.is_none() && !text.is_empty() {
                same = met.find(|(_, other)| *other == text).map(|(theirs, _)| (ours, *theirs));
            }
        }
        let token = if same.is_some() {
            "refuse_exact_glob"
        } else if shared == 0 {
            "admit_disjoint"
        } else if shared as f64 / count.max(1) as f64 > self.ratio_max {
            "refuse_overlap"
        } else {
            "admit_soft"
        };
        let verdict = PrefixVerdict { token, shared, requested: count, ratio_max: self.ratio_max };
        (verdict, same.or(first))
    }

    /// The policy with the bound that the original never goes beyond.
    fn bounded(&self) -> Self {
        Self { ratio_max: self.ratio_max.min(RATIO_MAX) }
    }
}

impl OverlapPolicy for Prefix {
    fn name(&self) -> &'static str {
        "prefix"
    }

    fn meeting(&self, requested: &Tree, held: &Tree) -> Option<Meeting> {
        let (verdict, met) = self.bounded().compare(requested, held);
        let (requested, held) = met.filter(|_| !verdict.admissible())?;
        Some(Meeting { requested: requested.into(), held: held.into(), witness: None, doubt: None })
    }

    fn ends<'a>(&self, patterns: &mut dyn Iterator<Item = &'a str>, add: &mut dyn FnMut(Ends<'a>)) {
        let texts = patterns.filter(|pattern| !pattern.is_empty()).map(prefix_text);
        texts.for_each(|prefix| add(Ends { prefix, suffix: Cow::Borrowed("") }));
    }

    fn count(&self, requested: &Tree, held: &Tree) -> Option<PrefixVerdict> {
        Some(self.bounded().verdict(requested, held))
    }
}

/// The text of a pattern up to its first `*`, in one case, with `/` as the separator.
pub fn prefix_text(pattern: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii() && byte != b'\\' && !byte.is_ascii_uppercase();
    let before = |text: &str| text.find('*').unwrap_or(text.len());
    match pattern.bytes().all(plain) {
        true => {
            let text = pattern.trim();
            Cow::Borrowed(text.get(..before(text)).unwrap_or_default())
        }
        false => {
            let mut text = fold(pattern.replace('\\', "/").trim());
            text.truncate(before(&text));
            Cow::Owned(text)
        }
    }
}

/// The patterns that are no empty text, each with what is compared of it.
fn prefix_texts(tree: &Tree) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let patterns = tree.patterns().iter().map(String::as_str);
    patterns.filter(|pattern| !pattern.is_empty()).map(|pattern| (pattern, prefix_text(pattern)))
}

/// No pattern of one tree meets one of the other, as `prefix` compares them. A tree without
/// patterns is never disjoint: what it covers is unknown.
pub fn prefixes_disjoint(left: &Tree, right: &Tree) -> bool {
    let known = |tree: &Tree| prefix_texts(tree).next().is_some();
    known(left) && known(right) && Prefix { ratio_max: 0.0 }.verdict(left, right).shared == 0
}
