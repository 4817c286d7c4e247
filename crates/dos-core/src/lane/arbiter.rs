//! May this request be admitted beside these live leases, and on which lane?

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::lane::admission::{Candidate, Objection};
use crate::lane::effort::Effort;
use crate::lane::lease::{Lease, Tree, fold};
use crate::lane::live::LiveLeases;
use crate::lane::policy::Policy;
use crate::lane::refusal::{Blocker, Cause, Refusal};
use crate::limits::EFFORT_MAX;

/// What somebody asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The lane; empty for "any free one".
    pub lane: String,
    /// How the lane is meant. `None` with a lane means: that lane and no other.
    pub kind: Option<String>,
    /// What would be written; empty for what the lane declares.
    pub tree: Tree,
    /// Only read: others who only read may hold the same paths.
    pub shared: bool,
    /// Skip every check but one: a live exclusive lane still refuses.
    pub force: bool,
}

/// One candidate for a request that names no lane.
#[derive(Clone, Debug)]
pub struct Rung {
    /// The lane's name.
    pub lane: String,
    /// The kind it would be granted under; empty for `cluster`.
    pub kind: String,
    /// What it covers. A rung without a tree is passed over.
    pub tree: Tree,
}

/// A request that may be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The lane; another than the requested one only where `auto_picked`.
    pub lane: String,
    /// The kind to record in the lease.
    pub kind: String,
    /// What it covers.
    pub tree: Tree,
    /// It is only read.
    pub shared: bool,
    /// The lane was chosen here.
    pub auto_picked: bool,
    /// Why, for people.
    pub reason: String,
}

/// Decides one request against the live leases. `ladder` replaces the workspace's auto-pick order.
pub fn arbitrate(
    request: &Request,
    live: &[&Lease],
    policy: &Policy,
    ladder: Option<&[Rung]>,
) -> Result<Admission, Refusal> {
    arbitrate_beside(request, &LiveLeases::new(live.iter().copied(), policy), ladder)
}

/// The same beside leases that were looked at already, for who asks more than once.
pub fn arbitrate_beside(
    request: &Request,
    live: &LiveLeases<'_>,
    ladder: Option<&[Rung]>,
) -> Result<Admission, Refusal> {
    let policy = live.policy();
    let lane = policy.lanes.resolve(&request.lane).to_string();
    let tree = match request.tree.is_empty() {
        true => policy.lanes.tree(&lane),
        false => request.tree.clone(),
    };
    let effort = Effort::new(EFFORT_MAX);
    Arbiter { request, lane, tree, live, policy, ladder, effort }.decide()
}

struct Arbiter<'a, 'l> {
    request: &'a Request,
    /// The requested lane with aliases resolved.
    lane: String,
    /// The requested tree, or the one that the lane declares.
    tree: Tree,
    live: &'a LiveLeases<'l>,
    policy: &'a Policy,
    ladder: Option<&'a [Rung]>,
    /// For all comparisons of this request together.
    effort: Effort,
}

impl Arbiter<'_, '_> {
    fn decide(&self) -> Result<Admission, Refusal> {
        let exclusive = self.live.alone();
        if !exclusive.is_empty() {
            return Err(Refusal {
                free_lanes: Vec::new(),
                ..self.refuse(Cause::ExclusiveLive, exclusive)
            });
        }
        if self.request.force && !self.lane.is_empty() {
            return Ok(self.forced());
        }
        let kind = self.request.kind.as_deref();
        if kind == Some("global") || self.asks_exclusive() {
            return self.exclusively();
        }
        let named_holders = self.live.rivals(&self.lane, self.only_reads(&self.lane));
        let named = !self.lane.is_empty();
        if named && !named_holders.is_empty() && kind != Some("cluster") {
            return Err(self.refuse(Cause::LaneHeld, named_holders));
        }
        match kind {
            // A tree without a lane's name: the tree itself is what is asked for.
            None if !named && !self.tree.is_empty() => self.named("keyword"),
            Some("cluster" | "keyword") if !named && !self.tree.is_empty() => {
                self.named(kind.unwrap_or_default())
            }
            _ if !named => self.auto_pick(""),
            None => self.named(self.natural_kind()),
            Some("cluster") if named_holders.is_empty() => self.named("cluster"),
            Some("keyword") if !self.tree.is_empty() => self.named("keyword"),
            Some("keyword") => self.unresolved_keyword(),
            Some(_) => self.auto_pick(&self.why_another()),
        }
    }

    fn asks_exclusive(&self) -> bool {
        let lanes = &self.policy.lanes;
        let kind = self.request.kind.as_deref().unwrap_or_default();
        (!kind.is_empty() && lanes.is_exclusive(kind)) || lanes.is_exclusive(&self.lane)
    }

    fn forced(&self) -> Admission {
        let kind = self.request.kind.as_deref().filter(|kind| !kind.is_empty());
        let beside = self.live.holders(&self.lane).len();
        Admission {
            lane: self.lane.clone(),
            kind: kind.unwrap_or("keyword").to_string(),
            tree: self.tree.clone(),
            shared: self.only_reads(&self.lane),
            auto_picked: false,
            reason: match beside {
                0 => format!("forced: lane {} without a check", self.lane),
                _ => format!("forced: lane {} beside its {beside} live holder(s)", self.lane),
            },
        }
    }

    fn exclusively(&self) -> Result<Admission, Refusal> {
        let named = !self.lane.is_empty();
        let lane = if named { self.lane.as_str() } else { "global" };
        let holders = self.live.holders(lane);
        if named && !holders.is_empty() {
            return Err(self.refuse(Cause::LaneHeld, holders));
        }
        if !self.live.is_empty() {
            let refusal = self.refuse(Cause::MustRunAlone, self.live.leases().collect());
            return Err(Refusal { lane: lane.to_string(), ..refusal });
        }
        let kind = match self.policy.lanes.is_exclusive(lane) {
            true => fold(lane),
            false => "global".to_string(),
        };
        self.admit(lane, &kind, &self.tree, format!("exclusive lane {lane}: nothing else is live"))
    }

    /// That lane, and no other.
    fn named(&self, kind: &str) -> Result<Admission, Refusal> {
        if self.tree.is_empty() && !self.policy.lanes.knows(&self.lane) {
            return Err(self.refuse(self.unknown_lane(), Vec::new()));
        }
        let reason = match self.lane.as_str() {
            "" => "nothing that is held meets these paths".to_string(),
            lane if self.live.holders(lane).is_empty() => format!("lane {lane} is free"),
            lane => format!("lane {lane} is held by readers only"),
        };
        self.admit(&self.lane, kind, &self.tree, reason)
    }

    fn natural_kind(&self) -> &'static str {
        if self.policy.lanes.is_concurrent(&self.lane) { "cluster" } else { "keyword" }
    }

    /// A keyword without a tree: a lane that the workspace knows falls back to any free lane, one
    /// that it does not know is refused rather than replaced.
    fn unresolved_keyword(&self) -> Result<Admission, Refusal> {
        if !self.policy.lanes.knows(&self.lane) {
            return Err(self.refuse(self.unknown_lane(), Vec::new()));
        }
        self.auto_pick(&format!(" ({} has no tree)", self.lane))
    }

    fn admit(
        &self,
        lane: &str,
        kind: &str,
        tree: &Tree,
        reason: String,
    ) -> Result<Admission, Refusal> {
        let shared = self.only_reads(lane);
        let candidate = Candidate { lane, kind, tree, shared };
        match self.live.objection(&candidate, &self.effort) {
            None => Ok(Admission {
                lane: lane.to_string(),
                kind: kind.to_string(),
                tree: tree.clone(),
                shared,
                auto_picked: false,
                reason,
            }),
            Some((lease, objection)) => {
                let (cause, meeting) = match objection {
                    Objection::Meets(meeting) => (Cause::TreeOverlap, Some(meeting)),
                    Objection::UnknownExtent => (Cause::EmptyTree, None),
                    Objection::Condition { name, reason } => {
                        (Cause::Condition { name, reason }, None)
                    }
                };
                let blocker = lease.map(|lease| Blocker { lease: lease.clone(), meeting });
                let refusal = self.refuse(cause, Vec::new());
                let blockers = blocker.into_iter().collect();
                Err(Refusal { lane: lane.to_string(), blockers, ..refusal })
            }
        }
    }

    /// Walks the candidates in order and takes the first that is free.
    fn auto_pick(&self, why: &str) -> Result<Admission, Refusal> {
        let bare = self.lane.is_empty() || self.request.kind.as_deref() == Some("keyword");
        if let (Some(ladder), true) = (self.ladder, bare) {
            return self.climb(ladder, why);
        }
        let lanes = &self.policy.lanes;
        let rungs: Vec<Rung> = lanes
            .autopick
            .iter()
            .map(|lane| Rung { lane: lane.clone(), kind: String::new(), tree: lanes.tree(lane) })
            .collect();
        let walk = self.walk(&rungs, bare, why);
        match self.ladder {
            Some(_) => walk,
            None => walk.map_err(|refusal| Refusal { free_lanes: Vec::new(), ..refusal }),
        }
    }

    fn climb(&self, ladder: &[Rung], why: &str) -> Result<Admission, Refusal> {
        let rungs: Vec<Rung> =
            ladder.iter().filter(|rung| !rung.tree.is_empty()).cloned().collect();
        self.walk(&rungs, true, why)
    }

    /// Takes the first rung that nothing stands against. Class budgets bind only a request that
    /// leaves the choice of the lane to us.
    fn walk(&self, rungs: &[Rung], bounded: bool, why: &str) -> Result<Admission, Refusal> {
        let live_by_kind = match self.policy.class_budgets.is_empty() {
            true => BTreeMap::new(),
            false => self.live.by_kind(),
        };
        let mut blockers: Vec<Blocker> = Vec::new();
        let (mut over_budget, mut within_budget) = (false, false);
        for rung in rungs {
            let kind = if rung.kind.is_empty() { "cluster" } else { rung.kind.as_str() };
            let alone = self.policy.lanes.is_exclusive(&rung.lane)
                || self.policy.lanes.is_exclusive(kind)
                || kind == "global";
            if alone && !self.live.is_empty() {
                blockers.extend(self.live.leases().map(|lease| self.blocker(lease, &rung.tree)));
                continue;
            }
            let holders = self.live.rivals(&rung.lane, self.only_reads(&rung.lane));
            if !holders.is_empty() {
                blockers.extend(holders.into_iter().map(|lease| self.blocker(lease, &rung.tree)));
                continue;
            }
            if bounded && self.class_is_full(kind, &live_by_kind) {
                let class = self.live.leases().filter(|lease| lease.kind() == kind);
                blockers.extend(class.map(|lease| self.blocker(lease, &rung.tree)));
                over_budget = true;
                continue;
            }
            within_budget = true;
            let reason = format!("auto-picked free lane {}{why}", rung.lane);
            match self.admit(&rung.lane, kind, &rung.tree, reason) {
                Ok(admission) => return Ok(Admission { auto_picked: true, ..admission }),
                Err(refusal) => blockers.extend(refusal.blockers),
            }
        }
        let mut seen = Vec::new();
        blockers.retain(|blocker| {
            let key = blocker.lease.key();
            let new = !seen.contains(&key);
            seen.push(key);
            new
        });
        let cause = match over_budget && !within_budget {
            true => Cause::ClassBudgetExhausted { full: self.full_classes(&live_by_kind) },
            false => Cause::NoFreeLane,
        };
        Err(Refusal { blockers, ..self.refuse(cause, Vec::new()) })
    }

    fn class_is_full(&self, kind: &str, live_by_kind: &BTreeMap<&str, u32>) -> bool {
        let most = self.policy.class_budgets.get(kind).copied().unwrap_or(0);
        most > 0 && live_by_kind.get(kind).copied().unwrap_or(0) >= most
    }

    fn full_classes(&self, live_by_kind: &BTreeMap<&str, u32>) -> Vec<String> {
        let budgets = self.policy.class_budgets.iter();
        budgets
            .filter(|(kind, _)| self.class_is_full(kind, live_by_kind))
            .map(|(kind, most)| {
                let live = live_by_kind.get(kind.as_str()).copied().unwrap_or(0);
                format!("{kind} ({live}/{most})")
            })
            .collect()
    }

    /// Would a grant of the lane be one to read only?
    fn only_reads(&self, lane: &str) -> bool {
        self.request.shared || self.policy.lanes.is_shared(lane)
    }

    fn why_another(&self) -> String {
        match self.policy.lanes.knows(&self.lane) {
            true => format!(" (lane {} is held)", self.lane),
            false => format!(" ({} is no lane of this workspace)", self.lane),
        }
    }

    fn unknown_lane(&self) -> Cause {
        let mut known: Vec<String> = self.policy.lanes.names().cloned().collect();
        known.sort();
        known.dedup();
        Cause::UnknownLane { known }
    }

    fn refuse(&self, cause: Cause, holders: Vec<&Lease>) -> Refusal {
        let lanes = &self.policy.lanes;
        let free = |lane: &&String| {
            let apart = lanes.is_exclusive(lane) && !self.live.is_empty();
            self.live.rivals(lane, self.only_reads(lane)).is_empty() && !apart
        };
        Refusal {
            cause,
            lane: self.lane.clone(),
            blockers: holders.into_iter().map(|lease| self.blocker(lease, &self.tree)).collect(),
            free_lanes: lanes.autopick.iter().filter(free).cloned().collect(),
            open_lanes: self.open_lanes(),
        }
    }

    /// The lanes of the auto-pick order that could be taken right now.
    fn open_lanes(&self) -> Vec<String> {
        let lanes = &self.policy.lanes;
        if !self.live.alone().is_empty() {
            return Vec::new();
        }
        let open = |lane: &&String| {
            let tree = lanes.tree(lane);
            let shared = self.only_reads(lane);
            let candidate = Candidate { lane, kind: "cluster", tree: &tree, shared };
            self.live.rivals(lane, shared).is_empty()
                && !lanes.is_exclusive(lane)
                && self.live.meets(&candidate, &self.effort).is_none()
        };
        lanes.autopick.iter().filter(open).cloned().collect()
    }

    /// The lease with the patterns that meet, where both sides have some.
    fn blocker(&self, lease: &Lease, tree: &Tree) -> Blocker {
        let meeting = self.live.meeting(tree, lease, &self.effort);
        Blocker { lease: lease.clone(), meeting }
    }
}
