//! The leases that are held, ready to be asked who is alive and in the way.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;

use crate::lane::admission::{Candidate, Objection};
use crate::lane::effort::Effort;
use crate::lane::index::{Ends, EndsIndex};
use crate::lane::lease::{Lease, Tree, same_name};
use crate::lane::overlap::Meeting;
use crate::lane::policy::Policy;
use crate::lane::region::Region;
use crate::lane::vitality::{Death, Moment, proof_of_death};

/// The leases in the order in which they were taken, with what a decision asks of them. Build it
/// once and ask it for as many candidates as there are.
///
/// A lease counts as long as its holder is not provably dead. That is judged only of those leases
/// that make a difference to the answer.
pub struct LiveLeases<'a> {
    policy: &'a Policy,
    held: Vec<Held<'a>>,
    /// What the paths of each lease start and end with, in the order of the leases.
    ends: OnceCell<Vec<(Ends<'a>, u32)>>,
}

struct Held<'a> {
    lease: &'a Lease,
    lane: Cow<'a, str>,
    /// Does it tolerate no other?
    alone: bool,
    /// By what its life is judged; nothing for one that counts in any case.
    moment: Option<&'a Moment>,
    death: OnceCell<Option<Death>>,
}

impl<'a> Held<'a> {
    fn new(lease: &'a Lease, policy: &Policy, moment: Option<&'a Moment>) -> Self {
        let (lane, alone) = (lease.lane(), policy.runs_alone(lease));
        Self { lease, lane, alone, moment, death: OnceCell::new() }
    }

    fn death(&self) -> Option<&Death> {
        let judge = || proof_of_death(self.lease, self.moment?);
        self.death.get_or_init(judge).as_ref()
    }

    fn is_alive(&self) -> bool {
        self.death().is_none()
    }
}

impl<'a> LiveLeases<'a> {
    /// Leases that all count.
    pub fn new(leases: impl IntoIterator<Item = &'a Lease>, policy: &'a Policy) -> Self {
        let held = leases.into_iter().map(|lease| Held::new(lease, policy, None)).collect();
        Self { policy, held, ends: OnceCell::new() }
    }

    /// Leases that count if their holders live at this moment, and others that count in any case.
    pub fn judged(
        leases: impl IntoIterator<Item = &'a Lease>,
        moment: &'a Moment,
        others: &'a [Lease],
        policy: &'a Policy,
    ) -> Self {
        let judged = leases.into_iter().map(|lease| Held::new(lease, policy, Some(moment)));
        let others = others.iter().map(|lease| Held::new(lease, policy, None));
        Self { policy, held: judged.chain(others).collect(), ends: OnceCell::new() }
    }

    /// Is nothing live?
    pub fn is_empty(&self) -> bool {
        self.leases().next().is_none()
    }

    /// The policy that they are looked at under.
    pub fn policy(&self) -> &'a Policy {
        self.policy
    }

    /// The leases.
    pub fn leases(&self) -> impl Iterator<Item = &'a Lease> {
        self.held.iter().filter(|held| held.is_alive()).map(|held| held.lease)
    }

    /// The leases that tolerate no other.
    pub fn alone(&self) -> Vec<&'a Lease> {
        let alone = self.held.iter().filter(|held| held.alone && held.is_alive());
        alone.map(|held| held.lease).collect()
    }

    /// Who holds the lane, in the order in which it was taken.
    pub fn holders(&self, lane: &str) -> Vec<&'a Lease> {
        let holders = self.held.iter().filter(|held| same_name(&held.lane, lane));
        holders.filter(|held| held.is_alive()).map(|held| held.lease).collect()
    }

    /// Those holders of the lane that stand in the way of one more: all of them, unless both sides
    /// only read.
    pub fn rivals(&self, lane: &str, shared: bool) -> Vec<&'a Lease> {
        let mut holders = self.holders(lane);
        holders.retain(|lease| !(shared && lease.is_shared()));
        holders
    }

    /// How many leases of each kind there are.
    pub fn by_kind(&self) -> BTreeMap<&'a str, u32> {
        let mut counts = BTreeMap::new();
        for lease in self.leases() {
            *counts.entry(lease.kind()).or_insert(0) += 1;
        }
        counts
    }

    /// The first objection, lease by lease in the order in which they were taken, with that lease.
    pub fn objection(
        &self,
        candidate: &Candidate<'_>,
        effort: &Effort,
    ) -> Option<(Option<&'a Lease>, Objection)> {
        let conditions = &self.policy.conditions;
        if conditions.predicates.is_empty() {
            let found = self.meets(candidate, effort);
            return found.map(|(lease, objection)| (Some(lease), objection));
        }
        if self.is_empty() {
            return conditions.refused(candidate, None).map(|objection| (None, objection));
        }
        let met = self.meets(candidate, effort);
        for lease in self.leases() {
            if let Some((meeting, objection)) = &met
                && core::ptr::eq(*meeting, lease)
            {
                return Some((Some(lease), objection.clone()));
            }
            if let Some(objection) = conditions.refused(candidate, Some(lease)) {
                return Some((Some(lease), objection));
            }
        }
        None
    }

    /// The first lease that the candidate's tree meets. Asks no condition.
    ///
    /// A lease without a tree claims nothing. A candidate without one may touch anything. Two that
    /// only read are in nobody's way.
    pub fn meets(
        &self,
        candidate: &Candidate<'_>,
        effort: &Effort,
    ) -> Option<(&'a Lease, Objection)> {
        let counts =
            |held: &&Held<'a>| !(candidate.shared && held.lease.is_shared()) && held.is_alive();
        if candidate.tree.is_empty() {
            let claims = |held: &&Held<'a>| held.lease.patterns().next().is_some();
            let held = self.held.iter().filter(claims).find(counts)?;
            return Some((held.lease, Objection::UnknownExtent));
        }
        let compared = Compared::new(candidate.tree, self.policy);
        self.near(candidate.tree).filter_map(|place| self.held.get(place)).filter(counts).find_map(
            |held| Some((held.lease, Objection::Meets(compared.meeting(held.lease, effort)?))),
        )
    }

    /// The patterns that meet, where both sides have some.
    pub fn meeting(&self, tree: &Tree, lease: &Lease, effort: &Effort) -> Option<Meeting> {
        let known = !tree.is_empty() && lease.patterns().next().is_some();
        known.then(|| Compared::new(tree, self.policy).meeting(lease, effort))?
    }

    /// The dead that would forbid the candidate, were they alive; of its kind only where its class
    /// is full.
    pub fn dead_in_the_way(
        &self,
        candidate: &Candidate<'_>,
        class_is_full: bool,
        effort: &Effort,
    ) -> Vec<(&'a Lease, Death)> {
        let lanes = &self.policy.lanes;
        let conditions = &self.policy.conditions;
        let Candidate { lane, kind, tree, shared } = *candidate;
        let alone = kind == "global" || lanes.is_exclusive(kind) || lanes.is_exclusive(lane);
        let compared = Compared::new(tree, self.policy);
        let mut near = self.near(tree).peekable();
        let mut found = Vec::new();
        for (place, held) in self.held.iter().enumerate() {
            let is_near = near.next_if_eq(&place).is_some();
            let lease = held.lease;
            let both_read = || shared && lease.is_shared();
            let surely = alone
                || held.alone
                || (tree.is_empty() && lease.patterns().next().is_some() && !both_read())
                || (!lane.is_empty() && same_name(&held.lane, lane) && !both_read())
                || (class_is_full && lease.kind() == kind);
            if !(surely || is_near || !conditions.predicates.is_empty()) {
                continue;
            }
            let Some(death) = held.death() else { continue };
            let meets = || is_near && !both_read() && compared.meeting(lease, effort).is_some();
            let refused = || conditions.refused(candidate, Some(lease)).is_some();
            if surely || meets() || refused() {
                found.push((lease, death.clone()));
            }
        }
        found
    }

    /// The places of the leases whose trees may meet the tree, in order. All others do not.
    fn near(&self, tree: &Tree) -> impl Iterator<Item = usize> {
        let overlap = &self.policy.conditions.overlap;
        let mut keys = Vec::new();
        let patterns = &mut tree.patterns().iter().map(String::as_str);
        overlap.ends(patterns, &mut |ends| keys.push((ends, 0)));
        let asked = EndsIndex::of(keys);
        let ends = self.ends.get_or_init(|| {
            let mut ends = Vec::with_capacity(self.held.len());
            for (number, held) in (0..).zip(&self.held) {
                let patterns = &mut held.lease.patterns();
                overlap.ends(patterns, &mut |key| ends.push((key, number)));
            }
            ends
        });
        let mut last = None;
        ends.iter().filter_map(move |(key, number)| {
            let fresh = last != Some(*number) && asked.matching(key).next().is_some();
            fresh.then(|| {
                last = Some(*number);
                *number as usize
            })
        })
    }
}

/// A tree that leases are compared with under a policy.
struct Compared<'a> {
    tree: &'a Tree,
    policy: &'a Policy,
    /// Under policies that compare regions.
    region: OnceCell<Region>,
}

impl<'a> Compared<'a> {
    fn new(tree: &'a Tree, policy: &'a Policy) -> Self {
        Self { tree, policy, region: OnceCell::new() }
    }

    /// The patterns that meet. A lease's tree is read when it is asked about and not kept: what it
    /// stands for may be far longer than its text.
    fn meeting(&self, lease: &Lease, effort: &Effort) -> Option<Meeting> {
        let overlap = &self.policy.conditions.overlap;
        let Some(case) = overlap.region_case() else {
            return overlap.meeting(self.tree, &lease.tree());
        };
        let ours = self.region.get_or_init(|| self.tree.region(case));
        let theirs = Region::read(lease.patterns(), case);
        // When nothing is left to pay with, the comparison says so.
        let _ = effort.pay(theirs.cost());
        ours.meets_within(&theirs, effort).map(Meeting::from)
    }
}
