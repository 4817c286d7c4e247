//! Dead policy: what a workspace declares and no decision can ever come to.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::lane::intersect::Common;
use crate::lane::lease::{Tree, fold};
use crate::lane::map::{LaneMap, Role};
use crate::lane::policy::{Lanes, Policy};
use crate::lane::region::Region;
use crate::lane::tree::required_name;

#[cfg(test)]
mod tests;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something declared does not hold, or no lane can be taken.
    Error,
    /// Something is not as its author will have meant it.
    Warn,
}

impl Severity {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable word for it.
    pub kind: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The lane, alias or pair of lanes that it is about.
    pub subject: String,
    /// What is wrong.
    pub detail: String,
    /// What mends it.
    pub fix: String,
}

/// What is wrong with the lanes of a policy; with patterns that match no file, if the map has files.
pub fn lint(policy: &Policy, map: &LaneMap) -> Vec<Finding> {
    let mut linter = Linter { policy, names: Names::of(&policy.lanes), findings: Vec::new() };
    linter.names();
    linter.without_tree();
    linter.autopick();
    linter.aliases();
    linter.regions(map);
    linter.meetings(map);
    linter.idle(map);
    linter.findings
}

/// The declared names, folded.
struct Names {
    concurrent: BTreeSet<String>,
    exclusive: BTreeSet<String>,
    all: BTreeSet<String>,
    trees: BTreeSet<String>,
}

impl Names {
    fn of(lanes: &Lanes) -> Self {
        let folded = |names: &[String]| names.iter().map(|name| fold(name)).collect();
        Self {
            concurrent: lanes
                .concurrent
                .iter()
                .chain(&lanes.shared)
                .map(|name| fold(name))
                .collect(),
            exclusive: folded(&lanes.exclusive),
            all: lanes.names().map(|name| fold(name)).collect(),
            trees: lanes.trees.keys().map(|name| fold(name)).collect(),
        }
    }
}

struct Linter<'a> {
    policy: &'a Policy,
    names: Names,
    findings: Vec<Finding>,
}

impl Linter<'_> {
    fn error(&mut self, kind: &'static str, subject: &str, detail: String, fix: String) {
        let (severity, subject) = (Severity::Error, subject.to_string());
        self.findings.push(Finding { kind, severity, subject, detail, fix });
    }

    fn warn(&mut self, kind: &'static str, subject: &str, detail: String, fix: String) {
        let (severity, subject) = (Severity::Warn, subject.to_string());
        self.findings.push(Finding { kind, severity, subject, detail, fix });
    }

    /// Names that no request can ask for, that are listed twice, or that contradict each other.
    fn names(&mut self) {
        let lanes = &self.policy.lanes;
        let trees: Vec<String> = lanes.trees.keys().cloned().collect();
        let lists = [
            ("concurrent", &lanes.concurrent),
            ("exclusive", &lanes.exclusive),
            ("shared", &lanes.shared),
            ("autopick", &lanes.autopick),
            ("trees", &trees),
        ];
        let mut bad = BTreeSet::new();
        for (list, names) in lists {
            let mut listed = BTreeSet::new();
            for name in names {
                if let Err(error) = required_name("lane name", name)
                    && bad.insert(name.clone())
                {
                    let detail = format!("{error}, so that nobody can ask for it");
                    self.error("LANE_NAME", name, detail, format!("rename it in `{list}`"));
                }
                if !listed.insert(fold(name)) {
                    let detail = format!("lane {name} is in `{list}` twice; case does not count");
                    self.warn("LANE_TWICE", name, detail, "remove one of the two".to_string());
                }
            }
        }
        for (list, names) in [("concurrent", &lanes.concurrent), ("shared", &lanes.shared)] {
            for name in names {
                if self.names.exclusive.contains(&fold(name)) {
                    let detail = format!("lane {name} is both {list} and exclusive; it runs alone");
                    let fix = "remove it from one of the two lists".to_string();
                    self.error("LANE_BOTH_CONCURRENT_AND_EXCLUSIVE", name, detail, fix);
                }
            }
        }
    }

    fn without_tree(&mut self) {
        let lanes = &self.policy.lanes;
        let mut seen = BTreeSet::new();
        for name in lanes.names() {
            let key = fold(name);
            let Names { concurrent, exclusive, trees, .. } = &self.names;
            // An entry of `autopick` that is declared nowhere else is another finding.
            let declared = concurrent.contains(&key) || trees.contains(&key);
            let empty = declared && !exclusive.contains(&key) && lanes.tree(name).is_empty();
            if empty && seen.insert(key) {
                let detail = format!(
                    "lane {name} has no tree: what it would write is unknown, and it is refused \
                     beside any other"
                );
                let fix =
                    format!("say what it covers under [lanes.trees]: {name:?} = [\"{name}/**\"]");
                self.error("LANE_WITHOUT_TREE", name, detail, fix);
            }
        }
    }

    fn autopick(&mut self) {
        let lanes = &self.policy.lanes;
        for name in &lanes.autopick {
            let key = fold(name);
            let Names { concurrent, exclusive, trees, .. } = &self.names;
            if exclusive.contains(&key) {
                let detail = format!("`autopick` lists {name}, which is exclusive");
                let fix = format!(
                    "remove {name:?} from `autopick`; exclusive lanes are asked for by name"
                );
                self.warn("AUTOPICK_EXCLUSIVE", name, detail, fix);
            } else if !concurrent.contains(&key) && !trees.contains(&key) {
                let stands_for = lanes.aliases.iter().find(|(alias, _)| fold(alias) == key);
                let detail = format!("`autopick` lists {name}, which is no lane");
                let fix = match stands_for {
                    Some((_, lane)) => format!("write {lane:?}, which it is an alias of"),
                    None => {
                        format!("add {name:?} to `concurrent` and to [lanes.trees], or remove it")
                    }
                };
                self.warn("AUTOPICK_LANE_UNDECLARED", name, detail, fix);
            }
        }
    }

    fn aliases(&mut self) {
        let lanes = &self.policy.lanes;
        for (alias, lane) in &lanes.aliases {
            let is_lane = |name: &str| {
                let key = fold(name);
                key == "global" || self.names.all.contains(&key)
            };
            if !is_lane(lane) {
                let detail = format!("alias {alias} stands for {lane}, which is no lane");
                let fix = format!("let it stand for one of: {}", known(lanes));
                self.warn("ALIAS_TARGET_UNDECLARED", alias, detail, fix);
            } else if is_lane(alias) && fold(alias) != fold(lane) {
                let detail = format!("alias {alias} does nothing: there is a lane of that name");
                let fix = "rename the alias, or remove it".to_string();
                self.warn("ALIAS_SHADOWED", alias, detail, fix);
            }
        }
    }

    /// Trees that own nothing, and entries of `autopick` that are never picked: when one is free,
    /// so is a lane before it that lies within it.
    fn regions(&mut self, map: &LaneMap) {
        let Some(case) = self.policy.conditions.overlap.region_case() else {
            return;
        };
        let mut regions: BTreeMap<String, (&str, Region)> = BTreeMap::new();
        for lane in map.lanes.iter().filter(|lane| !lane.tree.is_empty()) {
            let region = lane.tree.region(case);
            let takes_away = region.clauses().iter().any(|clause| clause.takes_away());
            if takes_away && region.example() == Common::Nothing {
                let detail = format!("lane {} owns no path: all is taken away again", lane.name);
                let fix = "remove the `!` patterns that take too much, or the lane".to_string();
                self.error("LANE_OWNS_NOTHING", &lane.name, detail, fix);
            } else if lane.role != Role::Exclusive {
                regions.insert(fold(&lane.name), (&lane.name, region));
            }
        }
        let order: BTreeMap<String, usize> =
            self.policy.lanes.autopick.iter().zip(0..).map(|(name, at)| (fold(name), at)).collect();
        let mut unreached = BTreeSet::new();
        for meeting in &map.meetings {
            let lane = |place: usize| {
                let key = fold(&map.lanes.get(place)?.name);
                let (name, region) = regions.get(&key)?;
                Some((*order.get(&key)?, *name, region))
            };
            let (Some(one), Some(other)) = (lane(meeting.left), lane(meeting.right)) else {
                continue;
            };
            let (first, second) = if one.0 < other.0 { (one, other) } else { (other, one) };
            if first.2.beyond(second.2) == Common::Nothing && unreached.insert(second.1) {
                let (before, name) = (first.1, second.1);
                let detail = format!(
                    "`autopick` never gets to {name}: whenever it is free, so is {before}, which \
                     comes first and lies within it"
                );
                let fix = format!("put {name:?} before {before:?}, or remove it from `autopick`");
                self.warn("AUTOPICK_NEVER_REACHED", name, detail, fix);
            }
        }
    }

    /// Concurrent lanes that never run side by side.
    fn meetings(&mut self, map: &LaneMap) {
        let case = self.policy.conditions.overlap.region_case();
        for meeting in &map.meetings {
            let (Some(left), Some(right)) =
                (map.lanes.get(meeting.left), map.lanes.get(meeting.right))
            else {
                continue;
            };
            let listed = |name: &str| self.names.concurrent.contains(&fold(name));
            if !listed(&left.name) || !listed(&right.name) {
                continue;
            }
            let within = |inner: &Tree, outer: &Tree| {
                case.is_some_and(|case| {
                    inner.region(case).beyond(&outer.region(case)) == Common::Nothing
                })
            };
            let inside = (within(&left.tree, &right.tree), within(&right.tree, &left.tree));
            let shadowed = match inside {
                (true, false) => Some((left, right)),
                (false, true) => Some((right, left)),
                _ => None,
            };
            match shadowed {
                Some((inner, outer)) => {
                    let detail = format!(
                        "lane {} lies within {}, so that the two never run side by side",
                        inner.name, outer.name
                    );
                    let fix = format!(
                        "take its paths away from {}: add `!` and each of its patterns; or remove it",
                        outer.name
                    );
                    self.warn("LANE_REGION_SHADOWED", &inner.name, detail, fix);
                }
                None => {
                    let detail = format!(
                        "lanes {} and {} never run side by side: {}",
                        left.name, right.name, meeting.meeting
                    );
                    let fix = "give them trees that do not meet, or make them one lane".to_string();
                    let subject = format!("{}+{}", left.name, right.name);
                    self.warn("CONCURRENT_LANES_OVERLAP", &subject, detail, fix);
                }
            }
        }
    }

    /// Patterns that match no file. A repository without files proves nothing.
    fn idle(&mut self, map: &LaneMap) {
        if map.files_total.unwrap_or(0) == 0 {
            return;
        }
        for lane in &map.lanes {
            for pattern in &lane.idle {
                let detail = format!("pattern `{pattern}` of lane {} matches no file", lane.name);
                let fix = "mend the path, or remove the pattern".to_string();
                self.warn("PATTERN_MATCHES_NOTHING", &lane.name, detail, fix);
            }
        }
    }
}

fn known(lanes: &Lanes) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in lanes.names() {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    if names.is_empty() { "(none)".to_string() } else { names.join(", ") }
}
