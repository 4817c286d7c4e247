//! The projects of a machine, retention, data classes.

use dos_core::config::Config;
use dos_core::json::Object;
use dos_core::registry::{Axis, fold_latest, learn, normalized, project_id};
use dos_core::retention::{JournalSize, Kept, RetentionPolicy, plan_reap};
use dos_core::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::check;

fn rows(input: &Value) -> Vec<Object> {
    input["rows"].as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect()
}

/// A `dos.toml` with this one table. TOML has no null, and the vectors have none either.
fn config(table: &str, content: &Value) -> Config {
    let lines: String = content
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    let config = Config::parse(&format!("[{table}]\n{lines}"));
    assert!(config.findings.is_empty(), "{:?}", config.findings);
    config
}

#[test]
fn a_project_is_named_by_its_path() {
    check(
        "project_id_for",
        |input| json!({"project_id": project_id(&normalized(input["path"].as_str().unwrap()))}),
    );
}

#[test]
fn the_newest_row_of_each_project_counts() {
    check("fold_latest", |input| json!({"rows": fold_latest(rows(input))}));
}

#[test]
fn overrides_are_counted() {
    check("learn", |input| {
        let axis = input["axis"].as_str().unwrap();
        let axis = Axis::ALL.into_iter().find(|known| known.token() == axis).unwrap();
        let tally = learn(&rows(input), axis);
        let tally = tally.iter().map(|(group, count)| json!({"group": group, "count": count}));
        json!({"tally": tally.collect::<Value>()})
    });
}

#[test]
fn what_is_beyond_the_cap_is_dropped() {
    check("plan_reap", |input| {
        let entries = input["entries"].as_array().unwrap().iter();
        let entries: Vec<Kept> = entries
            .map(|entry| Kept {
                name: entry[0].as_str().unwrap().to_string(),
                modified: entry[1].as_f64().unwrap(),
            })
            .collect();
        // A cap below nothing is none that `[retention]` can have; the original takes it for 0.
        let keep_last = input["keep_last"].as_i64().map(|cap| u64::try_from(cap).unwrap_or(0));
        json!({"drop": plan_reap(&entries, keep_last)})
    });
}

#[test]
fn caps_are_read() {
    check("retention_policy", |input| {
        let policy = config("retention", &input["table"]).retention;
        json!({
            "journal_max_entries": policy.journal_max_entries,
            "journal_max_age_days": policy.journal_max_age_days,
            "runs_keep_last": policy.runs_keep_last,
            "verdicts_keep_last": policy.verdicts_keep_last,
            "audits_keep_last": policy.audits_keep_last,
            "projections_compact": policy.projections_compact,
        })
    });
}

#[test]
fn a_journal_is_compacted_when_it_is_long_or_old() {
    check("should_compact", |input| {
        let mut size = JournalSize::default();
        for entry in input["entries"].as_array().unwrap() {
            size.see(entry.as_object().unwrap());
        }
        let policy = RetentionPolicy {
            journal_max_entries: input["policy"]["journal_max_entries"].as_u64(),
            journal_max_age_days: input["policy"]["journal_max_age_days"].as_f64(),
            ..RetentionPolicy::default()
        };
        let now = Timestamp::from_millis(input["now_ms"].as_i64().unwrap()).unwrap();
        json!({"compact": size.past(&policy, now).is_some()})
    });
}

#[test]
fn paths_are_classified() {
    check("data_class_classify", |input| {
        let policy = config("data_class", &input["table"]).data_class;
        json!({"class": policy.classify(input["path"].as_str().unwrap()).token()})
    });
}
