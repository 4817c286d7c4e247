//! What lanes own, counted by hand and against asking each region about each file.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::lane::pattern::tests::{paths_over, patterns};
use crate::lane::policy::Lanes;

fn policy(trees: &[(&str, &[&str])]) -> Policy {
    let texts = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
    let names: Vec<&str> = trees.iter().map(|(name, _)| *name).collect();
    Policy::of_lanes(Lanes {
        concurrent: texts(&names),
        exclusive: texts(&["all"]),
        shared: texts(&["r1", "R2"]),
        trees: trees
            .iter()
            .map(|(name, tree)| (name.to_string(), Tree::new(texts(tree))))
            .collect(),
        ..Lanes::default()
    })
}

fn files(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn files_belong_to_the_lanes_whose_last_pattern_names_them() {
    let policy = policy(&[
        ("all", &["**/*", "!vendor"]),
        ("api", &["src/api/**", "!**/*.lock", "none/**"]),
        ("docs", &["docs", "**/*.MD"]),
    ]);
    let names = ["src/api/a.rs", "src/api/x.lock", "docs/x", "a.md", "vendor/x", "Cargo.toml"];
    let map = LaneMap::draw(&policy, Some(&files(&names)));
    let owned: Vec<(&str, usize)> =
        map.lanes.iter().map(|lane| (lane.name.as_str(), lane.files)).collect();
    assert_eq!(owned, [("all", 5), ("api", 1), ("docs", 2), ("r1", 0), ("R2", 0)]);
    assert_eq!(map.lanes[1].idle, ["none/**"]);
    assert_eq!(map.unowned, ["vendor/x"]);
    assert_eq!(map.exclusive_only, ["Cargo.toml", "src/api/x.lock"]);
    assert_eq!(map.files_total, Some(6));
    let bare = LaneMap::draw(&policy, None);
    assert_eq!((bare.files_total, bare.unowned.len()), (None, 0));
    assert_eq!(bare.lanes[1].idle, [""; 0]);
}

#[test]
fn lanes_meet_unless_one_runs_alone_or_both_only_read() {
    let policy = policy(&[
        ("all", &["**/*"]),
        ("api", &["src/api/**"]),
        ("r1", &["src"]),
        ("r2", &["src/**"]),
        ("web", &["web"]),
        ("bare", &[]),
    ]);
    let map = LaneMap::draw(&policy, None);
    let roles: Vec<&str> = map.lanes.iter().map(|lane| lane.role.token()).collect();
    assert_eq!(roles, ["exclusive", "concurrent", "shared", "shared", "concurrent", "concurrent"]);
    let met: Vec<(usize, usize)> = map.meetings.iter().map(|m| (m.left, m.right)).collect();
    assert_eq!(met, [(1, 2), (1, 3)]);
    assert!(map.meetings_complete);
    assert_eq!(map.meetings[0].meeting.witness.as_deref(), Some("src/api/a"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn counts_what_each_region_owns(
        trees in prop::collection::vec(
            prop::collection::vec((patterns(), any::<bool>()), 1..4), 1..5),
    ) {
        let paths = paths_over(&['a', 'b', 'c', '/'], 4);
        let trees: Vec<Tree> = trees.iter().map(|clauses| {
            let line = |(index, (text, away)): (usize, &(String, bool))| {
                format!("{}{text}", if *away && index > 0 { "!" } else { "" })
            };
            Tree::new(clauses.iter().enumerate().map(line))
        }).collect();
        let lanes = Lanes {
            trees: trees.iter().enumerate().map(|(n, t)| (format!("l{n}"), t.clone())).collect(),
            ..Lanes::default()
        };
        let map = LaneMap::draw(&Policy::of_lanes(lanes), Some(&paths));
        let regions: Vec<Region> = trees.iter().map(|t| t.region(Case::default())).collect();
        for (lane, region) in map.lanes.iter().zip(&regions) {
            let owned = paths.iter().filter(|path| region.matches(path)).count();
            prop_assert_eq!(lane.files, owned, "{:?}", lane.tree);
        }
        let nobody = |path: &&String| !regions.iter().any(|region| region.matches(path));
        let mut unowned: Vec<String> = paths.iter().filter(nobody).cloned().collect();
        unowned.sort();
        prop_assert_eq!(&map.unowned, &unowned);
        for (left, region) in regions.iter().enumerate() {
            for (right, other) in regions.iter().enumerate().skip(left + 1) {
                let listed = map.meetings.iter().any(|m| (m.left, m.right) == (left, right));
                prop_assert_eq!(region.meets(other).is_some(), listed);
            }
        }
    }
}
