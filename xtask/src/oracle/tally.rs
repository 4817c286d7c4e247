//! What was compared, what differed and why, and what nobody can explain.

use std::collections::BTreeMap;

use serde_json::Value;

/// A difference that is meant to be there.
///
/// None of them excuses an answer by itself. Each stands for one rewriting of the question: the
/// original, asked the rewritten question, has to give exactly our answer. Those marked "outcome"
/// have no such question, and predict our answer in full instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Explanation {
    /// A2: an alias means its lane.
    AliasResolves,
    /// The lane's declared tree is found although its name is spelled in another case.
    DeclaredTree,
    /// A cluster request without lane and tree takes any free lane.
    NamelessCluster,
    /// L1: a lease under the name of an exclusive lane is exclusive, whatever kind it says.
    ExclusiveByName,
    /// A lease of the kind `global` is exclusive also where no lane of that name is declared.
    GlobalKind,
    /// L2: a lane is held also when the lease spells its name in another case.
    NameCase,
    /// A kind that is an exclusive lane's name counts in any case.
    KindCase,
    /// A3: an unknown lane without a tree is refused for the kind `cluster` too.
    UnknownLane,
    /// A lease without a lane's name holds no lane that a request without one could ask for.
    NamelessLease,
    /// A7: a lease's tree that is one text is one pattern, and an entry that is none covers anything.
    OddTree,
    /// An exclusive lane is not chosen for a request while something is live.
    ExclusivePick,
    /// A1: class budgets bind the choice of a lane for a request that names none.
    ClassBudget,
    /// L1: the lease records the kind that was decided, not the one that was asked for.
    DecidedKind,
    /// Outcome: a live lease's lane and loop stamp cannot be granted again.
    SameIdentity,
    /// L10, outcome: there is no owner without a name.
    EmptyOwner,
    /// W11: a complete last line that cannot be read is corrupt.
    LastLineCorrupt,
    /// W12: the last line is closed before the next record is written.
    LastLineClosed,
    /// W12: a byte order mark is no part of the first record.
    ByteOrderMark,
    /// W3: lines end at line feeds, not at U+0085, U+2028 or U+2029 inside a text.
    LineSeparators,
    /// W5: a nested lease has the identity of its record.
    NestedIdentity,
    /// W6: a sequence number beyond 63 bits is not believed.
    SeqRange,
    /// A compaction says where the history is.
    Archive,
}

impl Explanation {
    /// All of them, so that one that never occurs is noticed.
    pub const ALL: [Self; 22] = [
        Self::AliasResolves,
        Self::DeclaredTree,
        Self::NamelessCluster,
        Self::ExclusiveByName,
        Self::GlobalKind,
        Self::NameCase,
        Self::KindCase,
        Self::UnknownLane,
        Self::NamelessLease,
        Self::OddTree,
        Self::ExclusivePick,
        Self::ClassBudget,
        Self::DecidedKind,
        Self::SameIdentity,
        Self::EmptyOwner,
        Self::LastLineCorrupt,
        Self::LastLineClosed,
        Self::ByteOrderMark,
        Self::LineSeparators,
        Self::NestedIdentity,
        Self::SeqRange,
        Self::Archive,
    ];

    /// The name it is counted under.
    pub fn name(self) -> &'static str {
        match self {
            Self::AliasResolves => "alias-resolves (A2)",
            Self::DeclaredTree => "declared-tree",
            Self::NamelessCluster => "nameless-cluster",
            Self::ExclusiveByName => "exclusive-by-name (L1)",
            Self::GlobalKind => "global-kind",
            Self::NameCase => "name-case (L2)",
            Self::KindCase => "kind-case (L2)",
            Self::UnknownLane => "unknown-lane (A3)",
            Self::NamelessLease => "nameless-lease",
            Self::OddTree => "odd-tree (A7)",
            Self::ExclusivePick => "exclusive-pick",
            Self::ClassBudget => "class-budget (A1)",
            Self::DecidedKind => "decided-kind (L1)",
            Self::SameIdentity => "same-identity",
            Self::EmptyOwner => "empty-owner (L10)",
            Self::LastLineCorrupt => "last-line-corrupt (W11)",
            Self::LastLineClosed => "last-line-closed (W12)",
            Self::ByteOrderMark => "byte-order-mark (W12)",
            Self::LineSeparators => "line-separators (W3)",
            Self::NestedIdentity => "nested-identity (W5)",
            Self::SeqRange => "seq-range (W6)",
            Self::Archive => "archive",
        }
    }
}

/// A difference that nothing explains.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// What differs, in words that are the same for differences of one kind.
    pub what: String,
    /// What was asked.
    pub input: Value,
    /// What we answered.
    pub ours: Value,
    /// What the original answers to the question as our rules read it.
    pub expected: Value,
}

/// The counts of a run.
#[derive(Debug, Default)]
pub struct Tally {
    /// Cases by kind.
    pub cases: BTreeMap<&'static str, u64>,
    /// Pairs of answers that were compared.
    pub comparisons: u64,
    /// Questions that went through both command lines.
    pub both_command_lines: u64,
    /// Comparisons whose difference was explained, by explanation.
    pub explained: BTreeMap<Explanation, u64>,
}

impl Tally {
    /// Counts a comparison, and says what differs if the two are not the same.
    pub fn compare(
        &mut self,
        what: &str,
        input: &Value,
        ours: &Value,
        expected: &Value,
    ) -> Result<(), Box<Mismatch>> {
        self.comparisons += 1;
        if ours == expected {
            return Ok(());
        }
        Err(Box::new(Mismatch {
            what: what.to_string(),
            input: input.clone(),
            ours: ours.clone(),
            expected: expected.clone(),
        }))
    }

    /// Counts one explained difference.
    pub fn explain(&mut self, explanation: Explanation) {
        *self.explained.entry(explanation).or_insert(0) += 1;
    }

    /// Prints the counts.
    pub fn print(&self) {
        println!("cases");
        for (kind, count) in &self.cases {
            println!("  {count:>7} {kind}");
        }
        println!("{:>9} comparisons", self.comparisons);
        println!("{:>9} questions through both command lines", self.both_command_lines);
        println!("explained differences");
        for explanation in Explanation::ALL {
            let count = self.explained.get(&explanation).copied().unwrap_or(0);
            println!("  {count:>7} {}", explanation.name());
        }
    }

    /// The explanations that nothing needed.
    pub fn unused(&self) -> Vec<&'static str> {
        let all = Explanation::ALL.into_iter();
        all.filter(|one| !self.explained.contains_key(one)).map(Explanation::name).collect()
    }
}
