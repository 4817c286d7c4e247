//! The live leases, ready to be asked who is in the way.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;

use crate::lane::admission::{Candidate, Objection};
use crate::lane::index::RegionIndex;
use crate::lane::lease::{Lease, fold};
use crate::lane::pattern::Case;
use crate::lane::policy::Policy;
use crate::lane::region::Region;

/// The live leases in the order in which they were taken, with what a decision asks of them.
/// Build it once and ask it for as many candidates as there are.
pub struct LiveLeases<'a> {
    policy: &'a Policy,
    held: Vec<Held<'a>>,
    /// The places of the leases, sorted by the folded names of their lanes.
    by_lane: Vec<(Cow<'a, str>, usize)>,
    /// The places of those that tolerate no other.
    alone: Vec<usize>,
    /// Under policies that compare regions.
    index: Option<(Case, RegionIndex<'a>)>,
}

struct Held<'a> {
    lease: &'a Lease,
    region: OnceCell<Region>,
}

impl<'a> LiveLeases<'a> {
    /// Looks at these leases once.
    pub fn new(leases: &[&'a Lease], policy: &'a Policy) -> Self {
        let index =
            policy.conditions.overlap.region_case().map(|case| {
                (case, RegionIndex::of(leases.iter().map(|lease| lease.patterns()), case))
            });
        let lanes = &policy.lanes;
        let exclusive: Vec<String> = lanes.exclusive.iter().map(|name| fold(name)).collect();
        let is_exclusive = |name: &str| exclusive.iter().any(|lane| lane == name);
        let mut live = Self {
            policy,
            held: Vec::with_capacity(leases.len()),
            by_lane: Vec::with_capacity(leases.len()),
            alone: Vec::new(),
            index,
        };
        for (place, lease) in leases.iter().enumerate() {
            let lane = folded(lease.lane());
            let kind = folded(Cow::Borrowed(lease.kind()));
            if kind == "global" || is_exclusive(&kind) || is_exclusive(&lane) {
                live.alone.push(place);
            }
            live.by_lane.push((lane, place));
            live.held.push(Held { lease, region: OnceCell::new() });
        }
        live.by_lane.sort_unstable();
        live
    }

    /// Is nothing live?
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The policy that they are looked at under.
    pub fn policy(&self) -> &'a Policy {
        self.policy
    }

    /// The leases.
    pub fn leases(&self) -> impl Iterator<Item = &'a Lease> {
        self.held.iter().map(|held| held.lease)
    }

    /// The leases that tolerate no other.
    pub fn alone(&self) -> Vec<&'a Lease> {
        self.alone.iter().filter_map(|place| self.held.get(*place)).map(|held| held.lease).collect()
    }

    /// Who holds the lane, in the order in which it was taken.
    pub fn holders(&self, lane: &str) -> Vec<&'a Lease> {
        let wanted = fold(lane);
        let start = self.by_lane.partition_point(|(lane, _)| lane.as_ref() < wanted.as_str());
        let rest = self.by_lane.get(start..).unwrap_or_default().iter();
        rest.take_while(|(lane, _)| *lane == wanted)
            .filter_map(|(_, place)| self.held.get(*place))
            .map(|held| held.lease)
            .collect()
    }

    /// Those holders of the lane that stand in the way of one more: all of them, unless both sides
    /// only read.
    pub fn rivals(&self, lane: &str, shared: bool) -> Vec<&'a Lease> {
        let mut holders = self.holders(lane);
        holders.retain(|lease| !(shared && lease.is_shared()));
        holders
    }

    /// The first objection, lease by lease in the order in which they were taken, with that lease.
    pub fn objection(&self, candidate: &Candidate<'_>) -> Option<(Option<&'a Lease>, Objection)> {
        let conditions = &self.policy.conditions;
        if self.held.is_empty() {
            return conditions.refused(candidate, None).map(|objection| (None, objection));
        }
        if conditions.predicates.is_empty() {
            return self.meets(candidate).map(|(lease, objection)| (Some(lease), objection));
        }
        self.leases().find_map(|lease| {
            let objection = conditions.objection(candidate, lease)?;
            Some((Some(lease), objection))
        })
    }

    /// The first lease that the candidate's tree meets. Asks no condition.
    pub fn meets(&self, candidate: &Candidate<'_>) -> Option<(&'a Lease, Objection)> {
        let Some((case, index)) = self.index.as_ref().filter(|_| !candidate.tree.is_empty()) else {
            return self.leases().find_map(|lease| {
                let objection = self.policy.conditions.meets(candidate, lease)?;
                Some((lease, objection))
            });
        };
        let region = candidate.tree.region(*case);
        index.candidates(&region).into_iter().find_map(|number| {
            let held = self.held.get(number as usize)?;
            if candidate.shared && held.lease.is_shared() {
                return None;
            }
            let theirs = held.region.get_or_init(|| Region::read(held.lease.patterns(), *case));
            let contact = region.meets(theirs)?;
            Some((held.lease, Objection::Meets(contact.into())))
        })
    }
}

/// The name as it is compared.
fn folded(name: Cow<'_, str>) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    match name.bytes().all(is_plain) {
        true => name,
        false => Cow::Owned(fold(&name)),
    }
}
