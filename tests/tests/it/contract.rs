//! What other programs rely on: JSON keys, exit codes, the words of a refusal, the help.

mod codes;
mod help;

use dos_tests::TestEnv;
use serde_json::{Value, json};

use crate::{API_WEB, configured, live_lanes};

/// The keys of the original's answers, as it was seen to print them, and their types.
const DECISION: &str = "auto_picked:bool free_clusters:list lane:text lane_kind:text outcome:text \
                        pick_count:null reason:text tree:list";
const ACQUIRE: &str = "auto_picked:bool free_clusters:list journaled:bool lane:text \
                       lane_kind:text outcome:text owner:text pick_count:null reason:text \
                       tree:list";
const LEASE: &str = "acquired_at:text holder:text host_id:text lane:text lane_kind:text \
                     loop_ts:text tree:list";

/// The object has all of these keys, with values of these types.
#[track_caller]
fn has_keys(value: &Value, keys: &str) {
    for key in keys.split_whitespace() {
        let (name, wanted) = key.split_once(':').unwrap();
        let found = match value.get(name) {
            None => "nothing",
            Some(Value::Null) => "null",
            Some(Value::Bool(_)) => "bool",
            Some(Value::Number(_)) => "number",
            Some(Value::String(_)) => "text",
            Some(Value::Array(_)) => "list",
            Some(Value::Object(_)) => "object",
        };
        assert_eq!(found, wanted, "the type of {name:?} in {value}");
    }
}

#[test]
fn every_answer_has_the_keys_of_the_original() {
    let env = configured(API_WEB);
    let pid = std::process::id();
    has_keys(&env.dos("arbitrate --lane api --kind cluster").exits(0).json(), DECISION);
    has_keys(&env.dos("arbitrate --lane api --kind cluster --leases []").exits(0).json(), DECISION);
    let grant = env.dos(&format!("lease-lane acquire --lane api --owner a --pid {pid}"));
    has_keys(&grant.exits(0).json(), ACQUIRE);
    assert_eq!(grant.json()["journaled"], true);
    let refused = env.dos("arbitrate --lane k --kind keyword --tree api/x").exits(1).json();
    has_keys(&refused, DECISION);
    let refused = env.dos("lease-lane acquire --lane k --kind keyword --tree api/x --owner b");
    has_keys(&refused.exits(1).json(), ACQUIRE);
    assert_eq!(refused.json()["journaled"], false);
    assert_eq!(refused.json()["free_clusters"], json!(["web"]));
    for (owner, code, beat) in [("a", 0, true), ("z", 1, false)] {
        let answer = env.dos(&format!("lease-lane heartbeat --lane api --owner {owner}"));
        has_keys(&answer.exits(code).json(), "beat:bool lane:text owner:text");
        assert_eq!(answer.json()["beat"], beat);
    }
    let live = env.dos("lease-lane live").exits(0).json();
    has_keys(&live[0], LEASE);
    has_keys(&live[0], "heartbeat_at:text pid:number");
    has_keys(&env.dos("journal replay").exits(0).json()[0], LEASE);
    let spawned = env.dos("lease-lane spawn --lane web --owner q").exits(0).json();
    has_keys(&spawned, "holder:text lane:text loop_ts:text recorded:bool");
    for (owner, code, released) in [("z", 1, false), ("a", 0, true)] {
        let answer = env.dos(&format!("lease-lane release --lane api --owner {owner}"));
        has_keys(&answer.exits(code).json(), "lane:text owner:text released:bool");
        assert_eq!(answer.json()["released"], released);
    }
    let halted = env.dos("halt --handle h").exits(0).json();
    has_keys(&halted, "command:null handle:text lane:text loop_ts:text recorded:bool");
    let halted = env.dos("halt --handle h --command kill").exits(0).json();
    has_keys(&halted, "command:text");
    let compacted = env.dos("journal compact").exits(0).json();
    has_keys(&compacted, "bytes_reclaimed:number entries_after:number entries_before:number");
    let minted = env.dos("run-id mint nightly").exits(0).json();
    has_keys(&minted, "run_id:text process_id:text root_id:text ts_ms:number parent_id:null");
}

#[test]
fn the_records_of_the_journal_have_the_keys_of_the_original() {
    let env = configured(API_WEB);
    env.dos("lease-lane spawn --lane api --owner a").exits(0);
    env.dos("lease-lane acquire --lane api --owner a --ttl-minutes 7 --run-id RID-1").exits(0);
    env.dos("lease-lane heartbeat --lane api --owner a").exits(0);
    env.dos("lease-lane acquire --lane api --owner b").exits(1);
    env.dos("lease-lane adopt --lane api --owner b --from a").exits(0);
    env.dos("halt --handle h --lane api").exits(0);
    env.dos("lease-lane release --lane api --owner b").exits(0);
    let records = env.records();
    let wanted = [
        ("SPAWN", "holder:text host_id:text lane:text loop_ts:text pid:number reason:text"),
        ("ACQUIRE", "lane:text lane_kind:text lease:object loop_ts:text reason:text tree:list"),
        ("HEARTBEAT", "heartbeat_at:text host_id:text lane:text loop_ts:text"),
        ("REFUSE", "holder:text lane:text loop_ts:text reason:text reason_class:text"),
        ("ADOPT", "holder:text lane:text loop_ts:text prev_holder:text heartbeat_at:text"),
        ("HALT", "handle:text lane:text loop_ts:text reason:text command:null run_id:null"),
        ("RELEASE", "host_id:text lane:text loop_ts:text reason:text"),
    ];
    assert_eq!(env.operations(), wanted.map(|(op, _)| op));
    for ((record, (_, keys)), seq) in records.iter().zip(wanted).zip(1..) {
        has_keys(record, keys);
        has_keys(record, "op:text seq:number ts:text");
        assert_eq!(record["seq"], seq);
    }
    has_keys(&records[1]["lease"], LEASE);
    has_keys(&records[1]["lease"], "ttl_minutes:number run_id:text");
    let written = String::from_utf8(env.journal()).unwrap();
    assert!(written.starts_with("{\"") && written.contains("\": \""), "spaced as the original's");
}

#[test]
fn a_refusal_says_how_to_go_on() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner alice --ttl-minutes 30").exits(0);
    let refused = env.dos("lease-lane acquire --lane k --tree docs/a api/?.py --owner bob");
    let answer = refused.exits(1).json();
    let blocker = &answer["blocked_by"][0];
    has_keys(blocker, "holder:text lane:text host_id:text held_seconds:number lapses_at:text");
    assert_eq!((&blocker["holder"], &blocker["lane"]), (&json!("alice"), &json!("api")));
    assert_eq!(blocker["requested_pattern"], "api/?.py");
    assert_eq!(blocker["held_pattern"], "api/**");
    let witness = blocker["witness"].as_str().unwrap();
    assert!(witness.starts_with("api/") && witness.ends_with(".py"), "{witness}");
    assert_eq!(witness.len(), "api/x.py".len(), "{witness}");
    assert_eq!(answer["reason_class"], "TREE_OVERLAP");
    assert_eq!(answer["requested_lane"], "k");
    let next = answer["next_step"].as_str().unwrap();
    assert!(next.contains("--wait") && next.contains("web"), "{next}");
    let reason = answer["reason"].as_str().unwrap();
    for said in ["alice holds api", " for ", "lapses in 3", "`api/?.py`", "`api/**`", witness, next]
    {
        assert!(reason.contains(said), "{said:?} is not in {reason:?}");
    }
    let record = env.records().pop().unwrap();
    assert_eq!((&record["op"], &record["reason"]), (&json!("REFUSE"), &answer["reason"]));
    let explained = env.dos("arbitrate --lane api --explain").exits(1).json();
    assert!(explained["interpretation"].as_str().unwrap().starts_with("STOP: "), "{explained}");
    let explained = env.dos("arbitrate --lane web --explain").exits(0).json();
    assert!(explained["interpretation"].as_str().unwrap().starts_with("GO: "), "{explained}");
}

#[test]
fn every_cause_of_a_refusal_names_what_to_do() {
    let free = r#"[{"lane":"q","tree":["q/**"]}]"#;
    let api = r#"[{"lane":"api","tree":["api/**"]}]"#;
    let both = r#"[{"lane":"api","tree":["api/**"]},{"lane":"web","tree":["web/**"]}]"#;
    let alone = r#"[{"lane":"global","lane_kind":"global","tree":["**/*"]}]"#;
    let config = format!("{API_WEB}[lanes.aliases]\ndocs = \"docs\"\n");
    for (arguments, leases, cause) in [
        ("--lane web", alone, "EXCLUSIVE_LIVE"),
        ("--lane api", api, "LANE_HELD"),
        ("--lane global", free, "MUST_RUN_ALONE"),
        ("--lane k --tree api/x", api, "TREE_OVERLAP"),
        ("--lane docs", free, "EMPTY_TREE"),
        ("--lane nosuch", free, "UNKNOWN_LANE"),
        (
            "--class-budget cluster=1",
            r#"[{"lane":"q","lane_kind":"cluster"}]"#,
            "CLASS_BUDGET_EXHAUSTED",
        ),
        ("", both, "NO_FREE_LANE"),
    ] {
        let env = configured(&config);
        let question = ["arbitrate", "--leases", leases];
        let answer = env.run(question.into_iter().chain(arguments.split_whitespace()));
        let answer = answer.exits(1).json();
        assert_eq!(answer["reason_class"], cause, "{answer}");
        assert!(answer["next_step"].as_str().unwrap().len() > 20, "{answer}");
    }
}

/// Picks from a list by a generator of random numbers.
fn pick<'a>(state: &mut u64, from: &[&'a str]) -> &'a str {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    from[(*state >> 33) as usize % from.len()]
}

/// The part of a decision that does not depend on the second in which it was made.
fn timeless(decision: &Value) -> Value {
    let mut kept = decision.clone();
    for field in ["reason", "journaled", "owner", "token", "loop_ts", "scavenged"] {
        kept.as_object_mut().unwrap().remove(field);
    }
    if let Some(blockers) = kept.get_mut("blocked_by").and_then(Value::as_array_mut) {
        for blocker in blockers {
            blocker.as_object_mut().unwrap().remove("held_seconds");
        }
    }
    kept
}

/// One workspace through many random requests: the question and the deed get the same answer.
fn question_and_deed_agree(env: &TestEnv, seed: u64) {
    let mut state = seed;
    let state = &mut state;
    let lanes = ["", "", "api", "web", "API", "k", "global", "nosuch", "alias", "docs"];
    let kinds = ["", "", "--kind cluster", "--kind keyword", "--kind global"];
    let trees =
        ["", "", "", "--tree api/x.py", "--tree src/** docs/?", "--tree **", "--tree api/[!x]*"];
    let elsewhere = [
        "",
        "",
        "",
        r#"--leases=[{"lane":"web","tree":["web/**"]}]"#,
        r#"--leases=[{"lane":"q","lane_kind":"cluster","tree":"src/a"}]"#,
    ];
    for step in 0..25 {
        let lane = pick(state, &lanes);
        let lane = if lane.is_empty() { String::new() } else { format!("--lane {lane}") };
        let (kind, tree) = (pick(state, &kinds), pick(state, &trees));
        let elsewhere = pick(state, &elsewhere);
        let request = format!("{lane} {kind} {tree}");
        // The question takes them instead of the journal's leases, the deed beside them.
        let question = if elsewhere.is_empty() || live_lanes(env).is_empty() {
            env.dos(&format!("arbitrate {request} {elsewhere}"))
        } else {
            let live = env.dos("lease-lane live").exits(0).json();
            let mut all = live.as_array().unwrap().clone();
            let more: Value = serde_json::from_str(&elsewhere["--leases=".len()..]).unwrap();
            all.extend(more.as_array().unwrap().iter().cloned());
            let all = Value::Array(all).to_string();
            let arguments = format!("arbitrate {request} --leases");
            env.run(arguments.split_whitespace().chain([all.as_str()]))
        };
        let deed = env.dos(&format!("lease-lane acquire --owner o{step} {request} {elsewhere}"));
        let place = format!("seed {seed}, step {step}: {request} {elsewhere}");
        assert_eq!(
            question.no_panic().code,
            deed.no_panic().code,
            "{place}\n{question:#?}\n{deed:#?}"
        );
        assert_eq!(timeless(&question.json()), timeless(&deed.json()), "{place}");
        if pick(state, &["stay", "release"]) == "release" {
            for lease in
                env.dos("lease-lane live").exits(0).json().as_array().unwrap().iter().take(1)
            {
                let (lane, owner) = (lease["lane"].as_str(), lease["holder"].as_str());
                let arguments = ["lease-lane", "release", "--lane", lane.unwrap(), "--owner"];
                env.run(arguments.into_iter().chain(owner)).exits(0);
            }
        }
    }
}

#[test]
fn arbitrate_and_acquire_never_differ() {
    let more = "[lanes.aliases]\nalias = \"api\"\ndocs = \"docs\"\n";
    let budget = "[[concurrency_class]]\nname = \"cluster\"\nmax_concurrent = 1\n";
    let prefix = "[overlap]\npolicy = \"prefix\"\n";
    for (config, seed) in [
        (format!("{API_WEB}{more}"), 1),
        (format!("{API_WEB}{more}{budget}"), 2),
        (format!("{API_WEB}{more}{prefix}"), 3),
        (String::new(), 4),
    ] {
        question_and_deed_agree(&configured(&config), seed);
    }
}
