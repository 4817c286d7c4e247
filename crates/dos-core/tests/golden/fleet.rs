//! Liveness, the fold that feeds it, and the plan for a roster.

use dos_core::fleet::liveness::{Liveness, LivenessPolicy, Progress, classify};
use dos_core::fleet::supervise::{LanePlan, LaneState, Roster, SupervisePolicy, supervise};
use dos_core::journal::Freshness;
use dos_core::journal::entry::Record;
use dos_core::lane::Tree;
use dos_core::lane::lease::LeaseKey;
use dos_core::lane::overlap::{Prefix, RATIO_MAX};
use serde_json::{Value, json};

use crate::{check, texts};

#[test]
fn runs_are_judged() {
    check("liveness", |input| {
        let policy = match &input["policy"] {
            Value::Null => LivenessPolicy::default(),
            policy => LivenessPolicy {
                grace_ms: policy["grace_ms"].as_i64().unwrap(),
                spin_ms: policy["spin_ms"].as_i64().unwrap(),
            },
        };
        let progress = Progress {
            run_started_ms: input["run_started_ms"].as_i64().unwrap(),
            now_ms: input["now_ms"].as_i64().unwrap(),
            commits_since_start: input["commits_since_start"].as_u64().unwrap(),
            journal_events_since: input["journal_events_since"].as_u64().unwrap(),
            last_heartbeat_age_ms: input["last_heartbeat_age_ms"].as_i64(),
            process_alive: input["process_alive"].as_bool(),
        };
        json!({"verdict": classify(&progress, &policy).liveness.token()})
    });
}

#[test]
fn beats_and_events_of_one_lease_are_counted() {
    check("fold_since", |input| {
        let started = input["run_started_ms"].as_i64().unwrap();
        let lease = input["lease_key"].as_array().map(|key| LeaseKey {
            loop_ts: key[0].as_str().unwrap().to_string(),
            lane: key[1].as_str().unwrap().to_string(),
        });
        let mut fold = Freshness::new(lease, started, input["now_ms"].as_i64().unwrap());
        for entry in input["entries"].as_array().unwrap() {
            let line = Record::from_object(entry.as_object().unwrap().clone()).line();
            fold.line(line.trim_end_matches('\n').as_bytes(), true);
        }
        json!({
            "events_since_start": fold.events_since_start,
            "newest_heartbeat_age_ms": fold.newest_beat_age_ms(),
            "saw_corrupt": fold.saw_corrupt,
        })
    });
}

fn lane(value: &Value) -> LaneState {
    LaneState {
        lane: value["lane"].as_str().unwrap().to_string(),
        liveness: value["liveness"].as_str().and_then(Liveness::named),
        tree: Tree::new(texts(&value["tree"])),
        is_exclusive: value["is_exclusive"] == true,
        pending: value["pending"] == true,
        spinning_age_ms: value["spinning_age_ms"].as_i64(),
        repeatable: value["repeatable"] == true,
        barred: false,
    }
}

fn plans(plans: &[LanePlan]) -> Value {
    let plan =
        |plan: &LanePlan| json!({"lane": plan.lane, "disposition": plan.disposition.token()});
    plans.iter().map(plan).collect()
}

#[test]
fn rosters_are_planned() {
    check("supervise", |input| {
        let policy = &input["policy"];
        let policy = SupervisePolicy {
            target: policy["target"].as_u64().unwrap(),
            count_spinning_as_alive: policy["count_spinning_as_alive"] == true,
            reap_stalled: policy["reap_stalled"] == true,
            spin_halt_after_ms: policy["spin_halt_after_ms"].as_i64(),
            worker_launch_template: policy["worker_launch_template"].as_str().unwrap().to_string(),
            max_concurrency: policy["max_concurrency"].as_u64(),
        };
        let lanes = input["lanes"].as_array().unwrap().iter().map(lane).collect();
        let roster = Roster { lanes, held_elsewhere: Vec::new() };
        let target = input["target"].as_u64().unwrap();
        let plan = supervise(&roster, target, &policy, &Prefix { ratio_max: RATIO_MAX });
        json!({
            "verdict": plan.verdict.token(),
            "alive": plan.alive,
            "admissible": plan.admissible,
            "target": plan.target,
            "spawn": plans(&plan.spawn),
            "reap": plans(&plan.reap),
            "flag": plans(&plan.flag),
            "proposed_halt": plans(&plan.proposed_halt),
        })
    });
}
