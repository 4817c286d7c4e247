//! Quirks of reading the verdict journal: E4 and E5, as `observe` has them.

use serde_json::json;

use crate::empty;

const JOURNAL: &str = ".dos/verdict-journal.jsonl";

#[test]
fn e04_a_number_beyond_all_bounds_is_none_and_ends_nothing() {
    let env = empty();
    for seq in ["1e400", "-1e400", "99999999999999999999", "null", "\"x\"", "[1]", "{}", "true"] {
        env.write(JOURNAL, format!("{{\"seq\":{seq},\"syscall\":\"a\"}}\n"));
        let answer = env.dos("observe --json").exits(0).json();
        let wanted = i64::from(seq == "true");
        assert_eq!(answer["events"][0]["seq"], wanted, "{seq}");
        assert_eq!(answer["events"][0]["syscall"], "a", "the rest of the row counts: {seq}");
        // Who records behind such a row counts on.
        env.dos("--observe exec-capability --command ls").exits(0).is_quiet();
        let answer = env.dos("observe --json").exits(0).json();
        assert_eq!(answer["events"][1]["seq"], wanted + 1, "{seq}");
    }
}

#[test]
fn e05_a_row_without_a_time_has_none() {
    let env = empty();
    env.write(JOURNAL, "{\"seq\":1,\"syscall\":\"a\"}\n");
    let answer = env.dos("observe --json").exits(0).json();
    assert_eq!(answer["events"][0]["ts"], json!(""));
    env.dos("observe --tail 1").exits(0).prints("-                         1  a");
}
