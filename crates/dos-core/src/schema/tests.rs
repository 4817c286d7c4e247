//! Tags as records carry them, and which reader may read what.

use serde_json::json;

use super::*;

fn verdict(schema: Value, family: &str, understands: i64) -> &'static str {
    let record: Object = [(String::from("schema"), schema)].into_iter().collect();
    classify(&record, family, understands).0.token()
}

#[test]
fn a_reader_reads_its_own_family_up_to_its_version() {
    let tag = |version: i64| json!({"family": "lane-journal", "version": version});
    assert_eq!(verdict(tag(1), "lane-journal", 1), "READABLE");
    assert_eq!(verdict(tag(1), "lane-journal", 2), "READABLE");
    assert_eq!(verdict(tag(2), "lane-journal", 1), "UNREADABLE_NEWER");
    assert_eq!(verdict(tag(i64::MAX), "lane-journal", 1), "UNREADABLE_NEWER");
    assert_eq!(verdict(tag(1), "verdicts", 1), "WRONG_FAMILY");
    assert_eq!(verdict(tag(9), "verdicts", 1), "WRONG_FAMILY", "the family comes first");
}

#[test]
fn an_empty_family_matches_any() {
    assert_eq!(verdict(json!(1), "lane-journal", 1), "READABLE");
    assert_eq!(verdict(json!(2), "lane-journal", 1), "UNREADABLE_NEWER");
    assert_eq!(verdict(json!({"family": "", "version": 1}), "verdicts", 1), "READABLE");
    assert_eq!(verdict(json!({"family": "x", "version": 1}), "", 1), "READABLE");
}

#[test]
fn what_makes_no_sense_is_no_tag() {
    for schema in [
        json!(null),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!("1"),
        json!(true),
        json!([1]),
        json!({}),
        json!({"family": "x"}),
        json!({"version": 1}),
        json!({"family": 1, "version": 1}),
        json!({"family": "x", "version": 0}),
        json!({"family": "x", "version": "1"}),
    ] {
        assert_eq!(Tag::read(&schema), None, "{schema}");
        assert_eq!(verdict(schema, "x", 1), "UNTAGGED");
    }
    assert_eq!(classify(&Object::new(), "x", 1), (Readability::Untagged, None));
}

#[test]
fn the_tag_is_handed_back_whatever_the_answer() {
    let record: Object =
        [(String::from("schema"), json!({"family": "y", "version": 7}))].into_iter().collect();
    let tag = Tag { family: "y".into(), version: 7 };
    assert_eq!(classify(&record, "x", 1), (Readability::WrongFamily, Some(tag)));
}
