//! Run ids sort by time, read back their time, and keep their lineage.

use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

/// The last millisecond that fits into an id.
const LAST: i64 = (1 << 45) - 1;

proptest! {
    #[test]
    fn ids_sort_by_time_and_read_it_back(
        mut times in proptest::collection::vec(0..=LAST, 2..10),
        entropy in any::<u64>(),
    ) {
        times.sort_unstable();
        times.dedup();
        let ids: Vec<String> =
            times.iter().map(|millis| mint("p", None, None, at(*millis), entropy).unwrap().run_id).collect();
        prop_assert!(ids.is_sorted_by(|left, right| left < right));
        let read: Vec<i64> = ids.iter().filter_map(|id| millis_of(id)).collect();
        prop_assert_eq!(read, times);
    }

    #[test]
    fn ids_of_one_millisecond_differ_by_their_random_bits(one in 0..1_u64 << 30, two in 0..1_u64 << 30) {
        let id = |entropy| mint("p", None, None, at(5), entropy).unwrap().run_id;
        prop_assert_eq!(id(one) == id(two), one == two);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>(), digits in "RID-[0-9A-Z]{14,16}") {
        for text in [text, digits] {
            if let Some(millis) = millis_of(&text) {
                prop_assert!((0..=LAST).contains(&millis));
                prop_assert!(text.len() == 19 && !text[4..].contains(['I', 'L', 'O', 'U']));
            }
        }
    }
}

#[test]
fn an_id_has_nineteen_characters() {
    let id = mint("nightly", None, None, at(1_768_046_400_000), 0x3fff_ffff).unwrap();
    assert_eq!(id.run_id, "RID-1KEKWE4G0ZZZZZZ");
    assert_eq!(mint("p", None, None, at(0), 0).unwrap().run_id, "RID-000000000000000");
    assert_eq!(mint("p", None, None, at(LAST), u64::MAX).unwrap().run_id, "RID-ZZZZZZZZZZZZZZZ");
}

#[test]
fn a_run_that_nobody_started_is_its_own_root() {
    for root in [None, Some("")] {
        let id = mint("p", None, root, at(0), 1).unwrap();
        assert_eq!((&id.root_id, id.parent_id), (&id.run_id, None));
    }
    let id = mint("p", Some("RID-A"), Some("RID-B"), at(0), 1).unwrap();
    assert_eq!((id.parent_id.as_deref(), id.root_id.as_str()), (Some("RID-A"), "RID-B"));
}

#[test]
fn a_process_gets_its_prefix_once() {
    for process in ["nightly", "PROC-nightly"] {
        assert_eq!(mint(process, None, None, at(0), 1).unwrap().process_id, "PROC-nightly");
    }
}

#[test]
fn what_cannot_be_minted_is_an_error_with_a_way_out() {
    let nameless = mint("", None, None, at(0), 1).unwrap_err();
    assert_eq!(nameless, MintError::NoProcess);
    assert!(nameless.to_string().contains("dos run-id mint"));
    assert_eq!(mint("p", None, None, at(LAST + 1), 1), Err(MintError::TimeOutOfRange));
}

#[test]
fn other_text_is_no_id() {
    for text in ["", "RID-", "rid-000000000000000", "RID-00000000000000", "RID-0000000000000000"] {
        assert_eq!(millis_of(text), None, "{text}");
    }
    for letter in ["I", "L", "O", "U", "a", "é"] {
        let text = format!("RID-{letter}{}", "0".repeat(15 - letter.len()));
        assert_eq!(millis_of(&text), None, "{text}");
    }
}

#[test]
fn the_object_has_every_field() {
    let id = mint("p", Some("RID-A"), None, at(7), 1).unwrap();
    let json = id.to_json();
    for (field, value) in [
        ("run_id", json!(id.run_id)),
        ("process_id", json!("PROC-p")),
        ("parent_id", json!("RID-A")),
        ("root_id", json!(id.run_id)),
        ("ts_ms", json!(7)),
    ] {
        assert_eq!(json.get(field), Some(&value), "{field}");
    }
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(5));
}
