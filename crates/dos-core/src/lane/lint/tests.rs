//! Each slip is found, and nothing else.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::config::Config;

fn kinds(lanes: &str, files: Option<&[&str]>) -> Vec<String> {
    let config = Config::parse(&format!("[lanes]\n{lanes}\n"));
    assert_eq!(config.findings, []);
    let files: Option<Vec<String>> =
        files.map(|files| files.iter().map(|file| String::from(*file)).collect());
    let map = LaneMap::draw(&config.policy, files.as_deref());
    let found = lint(&config.policy, &map);
    found.iter().map(|finding| format!("{} {}", finding.kind, finding.subject)).collect()
}

#[test]
fn lanes_that_are_meant_well_have_no_findings() {
    let text = "concurrent = [\"a\", \"b\"]\nexclusive = [\"global\"]\nautopick = [\"b\", \"a\"]\n\
                shared = [\"r\", \"s\"]\naliases = {alpha = \"A\", all = \"global\"}\n\
                [lanes.trees]\na = [\"a/**\"]\nb = [\"b/**\", \"!b/x\"]\nglobal = [\"**/*\"]\n\
                r = [\"docs\"]\ns = [\"docs\"]";
    assert_eq!(kinds(text, None), [""; 0]);
    assert_eq!(kinds(text, Some(&["a/x", "b/x/y", "docs/z"])), [""; 0]);
    assert_eq!(kinds(text, Some(&[])), [""; 0]);
    assert_eq!(kinds("", None), [""; 0]);
}

#[test]
fn each_slip_is_found() {
    let cases = [
        ("concurrent = [\"a\"]", "LANE_WITHOUT_TREE a"),
        ("shared = [\"a\"]", "LANE_WITHOUT_TREE a"),
        ("trees = {a = []}", "LANE_WITHOUT_TREE a"),
        ("concurrent = [\" a\"]\ntrees = {\" a\" = [\"a\"]}", "LANE_NAME  a"),
        ("concurrent = [\"a\", \"A\"]\ntrees = {a = [\"a\"]}", "LANE_TWICE A"),
        (
            "concurrent = [\"a\"]\nexclusive = [\"A\"]\ntrees = {a = [\"a\"]}",
            "LANE_BOTH_CONCURRENT_AND_EXCLUSIVE a",
        ),
        (
            "shared = [\"a\"]\nexclusive = [\"A\"]\ntrees = {a = [\"a\"]}",
            "LANE_BOTH_CONCURRENT_AND_EXCLUSIVE a",
        ),
        ("exclusive = [\"x\"]\nautopick = [\"x\"]", "AUTOPICK_EXCLUSIVE x"),
        ("autopick = [\"x\"]", "AUTOPICK_LANE_UNDECLARED x"),
        ("exclusive = [\"x\"]\naliases = {y = \"z\"}", "ALIAS_TARGET_UNDECLARED y"),
        ("exclusive = [\"x\", \"y\"]\naliases = {y = \"x\"}", "ALIAS_SHADOWED y"),
        (
            "concurrent = [\"a\", \"b\"]\ntrees = {a = [\"x/**\"], b = [\"*/y\"]}",
            "CONCURRENT_LANES_OVERLAP a+b",
        ),
        (
            "concurrent = [\"a\", \"b\"]\ntrees = {a = [\"x/**\"], b = [\"X/*\", \"X/**\"]}",
            "CONCURRENT_LANES_OVERLAP a+b",
        ),
        (
            "concurrent = [\"a\", \"b\"]\ntrees = {a = [\"x/**\"], b = [\"x/y\"]}",
            "LANE_REGION_SHADOWED b",
        ),
        ("trees = {a = [\"x/*\", \"!x/?\", \"!x/??*\"]}", "LANE_OWNS_NOTHING a"),
        (
            "autopick = [\"a\", \"b\"]\ntrees = {a = [\"x/y\"], b = [\"x/**\"]}",
            "AUTOPICK_NEVER_REACHED b",
        ),
    ];
    for (lanes, finding) in cases {
        assert_eq!(kinds(lanes, None), [finding], "{lanes}");
    }
    // A reader is free where a writer is not, so that a writer before it does not hide it.
    let readers = "concurrent = [\"a\"]\nshared = [\"r\", \"s\"]\nautopick = [\"a\", \"r\"]\n\
                   trees = {a = [\"x/y\"], r = [\"x/**\"], s = [\"x/y\"]}";
    assert_eq!(kinds(readers, None), [""; 0]);
    let readers = "shared = [\"a\"]\nconcurrent = [\"r\"]\nautopick = [\"a\", \"r\"]\n\
                   trees = {a = [\"x/y\"], r = [\"x/**\"]}";
    assert_eq!(kinds(readers, None), ["AUTOPICK_NEVER_REACHED r"]);
    // The wider lane first: the narrower one is picked when something else in the wider is held.
    let reached = "autopick = [\"b\", \"a\"]\ntrees = {a = [\"x/y\"], b = [\"x/**\"]}";
    assert_eq!(kinds(reached, None), [""; 0]);
}

#[test]
fn a_pattern_that_matches_no_file_is_found() {
    let lanes = "trees = {a = [\"x/**\", \"y\", \"!z\"]}";
    let found = ["PATTERN_MATCHES_NOTHING a", "PATTERN_MATCHES_NOTHING a"];
    assert_eq!(kinds(lanes, Some(&["x/a"])), found);
    assert_eq!(kinds(lanes, Some(&["x/a", "Y/b", "z/c"])), [""; 0]);
}
