//! Schema tags and run ids.

use dos_core::fleet::run_id::{millis_of, mint};
use dos_core::schema;
use dos_core::timestamp::Timestamp;
use serde_json::json;

use crate::check;

#[test]
fn schema_tags_are_classified() {
    check("durable_schema_classify", |input| {
        let family = input["family"].as_str().unwrap();
        let understands = input["understands"].as_i64().unwrap();
        let record = input["record"].as_object().unwrap();
        let (readability, tag) = schema::classify(record, family, understands);
        let tag = tag.map(|tag| json!({"family": tag.family, "version": tag.version}));
        json!({
            "readability": readability.token(),
            "family": family,
            "ceiling": understands,
            "tag": tag,
        })
    });
}

#[test]
fn run_ids_are_minted_and_read() {
    check("run_id", |input| {
        if input["call"] == "parse" {
            let millis = millis_of(input["text"].as_str().unwrap());
            return json!({"is_run_id": millis.is_some(), "ts_ms": millis});
        }
        let minted =
            Timestamp::from_millis(input["ts_ms"].as_i64().unwrap()).ok().and_then(|now| {
                let process = input["process"].as_str().unwrap();
                let entropy = input["entropy"].as_u64().unwrap();
                mint(process, input["parent"].as_str(), input["root"].as_str(), now, entropy).ok()
            });
        minted.map_or(json!({"error": true}), |run| run.to_json())
    });
}
