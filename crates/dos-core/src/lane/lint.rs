//! Dead policy: what a workspace declares and no decision can ever come to.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::lane::effort::Effort;
use crate::lane::intersect::{Common, Doubt};
use crate::lane::lease::fold;
use crate::lane::map::{LaneMap, LaneMeeting, MappedLane};
use crate::lane::overlap::Meeting;
use crate::lane::policy::{Lanes, Policy, Role};
use crate::lane::region::Region;
use crate::lane::tree::required_name;
use crate::limits::MAP_EFFORT_MAX;

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
    linter.slips(map);
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

    /// Trees that own nothing, and lanes that are in each other's way.
    fn regions(&mut self, map: &LaneMap) {
        let effort = Effort::new(MAP_EFFORT_MAX);
        let case = self.policy.conditions.overlap.region_case();
        let region = |lane: &MappedLane| Some(lane.tree.region(case?));
        let regions: Vec<Option<Region>> = map.lanes.iter().map(region).collect();
        for (lane, region) in map.lanes.iter().zip(&regions) {
            let Some(region) = region else { continue };
            let takes_away = region.clauses().iter().any(|clause| clause.takes_away());
            if takes_away && region.example(&effort) == Common::Nothing {
                let detail = format!("lane {} owns no path: all is taken away again", lane.name);
                let fix = "remove the `!` patterns that take too much, or the lane".to_string();
                self.error("LANE_OWNS_NOTHING", &lane.name, detail, fix);
            }
        }
        // Proved; never where nobody knows.
        let within = |inner: usize, outer: usize| match (regions.get(inner), regions.get(outer)) {
            (Some(Some(inner)), Some(Some(outer))) => {
                inner.beyond(outer, &effort) == Common::Nothing
            }
            _ => false,
        };
        let picked: BTreeMap<String, usize> =
            self.policy.lanes.autopick.iter().zip(0..).map(|(name, at)| (fold(name), at)).collect();
        let mut unreached = BTreeSet::new();
        for LaneMeeting { left, right, meeting, .. } in &map.meetings {
            let (Some(one), Some(other)) = (map.lanes.get(*left), map.lanes.get(*right)) else {
                continue;
            };
            // A pattern that cannot be read is told already, with its place.
            if meeting.doubt == Some(Doubt::Unreadable) {
                continue;
            }
            // A reader beside a writer is meant so: that is what it is declared for.
            let by_turns = self.names.concurrent.contains(&fold(&one.name))
                && self.names.concurrent.contains(&fold(&other.name))
                && [one, other].iter().all(|lane| lane.role == Role::Concurrent);
            let order = (picked.get(&fold(&one.name)), picked.get(&fold(&other.name)));
            let both_picked = order.0.is_some() && order.1.is_some();
            if !by_turns && !both_picked {
                continue;
            }
            let inside = (within(*left, *right), within(*right, *left));
            if both_picked {
                let (first, second, is_within) = match order.0 < order.1 {
                    true => (one, other, inside.0),
                    false => (other, one, inside.1),
                };
                // A reader is free where a writer is not.
                let as_free = first.role == second.role || first.role == Role::Shared;
                if is_within && as_free && unreached.insert(&second.name) {
                    self.never_reached(&first.name, &second.name);
                }
            }
            if by_turns {
                match inside {
                    (true, false) => self.shadowed(&one.name, &other.name),
                    (false, true) => self.shadowed(&other.name, &one.name),
                    _ => self.overlapping(&one.name, &other.name, meeting),
                }
            }
        }
    }

    fn never_reached(&mut self, before: &str, name: &str) {
        let detail = format!(
            "`autopick` never gets to {name}: whenever its paths are free, so are those of \
             {before}, which comes first and lies within it"
        );
        let fix = format!("put {name:?} before {before:?}, or remove it from `autopick`");
        self.warn("AUTOPICK_NEVER_REACHED", name, detail, fix);
    }

    fn shadowed(&mut self, inner: &str, outer: &str) {
        let detail =
            format!("lane {inner} lies within {outer}, so that the two never run side by side");
        let fix = format!(
            "take its paths away from {outer}: add `!` and each of its patterns; or remove it"
        );
        self.warn("LANE_REGION_SHADOWED", inner, detail, fix);
    }

    fn overlapping(&mut self, one: &str, other: &str, meeting: &Meeting) {
        let detail = format!("lanes {one} and {other} never run side by side: {meeting}");
        let fix = "give them trees that do not meet, or make them one lane".to_string();
        self.warn("CONCURRENT_LANES_OVERLAP", &format!("{one}+{other}"), detail, fix);
    }

    /// Patterns that mean something, but hardly what their author had in mind.
    fn slips(&mut self, map: &LaneMap) {
        for lane in &map.lanes {
            for pattern in lane.tree.patterns() {
                if let Some((detail, fix)) = slip(pattern) {
                    let detail = format!("pattern `{pattern}` of lane {}: {detail}", lane.name);
                    self.warn("PATTERN_MISLEADS", &lane.name, detail, fix);
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

/// What a pattern means other than it looks, and what to write instead.
fn slip(pattern: &str) -> Option<(&'static str, String)> {
    let text = pattern.trim();
    let text = text.strip_prefix('!').unwrap_or(text).trim_start();
    let stars = |part: &str| part.contains("**") && !part.chars().all(|letter| letter == '*');
    if text.starts_with('#') {
        None
    } else if text.starts_with("~/") {
        let detail = "it names a folder `~` of the repository, not the home folder";
        Some((detail, "write the path from the root of the repository".to_string()))
    } else if ["\\*", "\\?", "\\["].iter().any(|escape| text.contains(escape)) && text.contains('/')
    {
        let detail = "`\\` separates folders here, it does not escape";
        Some((detail, "write `[*]`, `[?]` or `[[]` for the character itself".to_string()))
    } else if text.split(['/', '\\']).any(stars) {
        let part = |part: &str| match part.strip_prefix("**") {
            Some(rest) if stars(part) => format!("**/*{rest}"),
            _ => part.to_string(),
        };
        let meant = text.split(['/', '\\']).map(part).collect::<Vec<_>>().join("/");
        let detail = "`**` within a name is a `*` and crosses no folder";
        let fix = match meant == text {
            true => "write one `*`, or `/**/` for any folders".to_string(),
            false => format!("write `{meant}` for any folder, or one `*`"),
        };
        Some((detail, fix))
    } else {
        None
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
