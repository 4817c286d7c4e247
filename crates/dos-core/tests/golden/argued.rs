//! The differences from the original that docs/COMPAT.md argues, each by the name it has there.

use dos_core::lane::lease::fold;
use serde_json::Value;

/// The arguments that some vector of the function must need.
pub fn arguments(function: &str) -> &'static [&'static str] {
    match function {
        "arbitrate" => &["declared-tree", "nameless-cluster"],
        "arbitrate_ladder" => &["declared-tree", "exclusive-pick"],
        "classify_command" => &["bare-wrapper"],
        "compact" => &["seq-bound"],
        "diff_state" => &["truth-values"],
        "fold_since" => &["offset-stamp"],
        "resolve_since" => &["cursor-garbage"],
        "run_id" => &["run-id-time"],
        _ => &[],
    }
}

/// The argument for one difference, if there is one.
pub fn argument(function: &str, input: &Value, ours: &Value, want: &Value) -> Option<&'static str> {
    match function {
        "arbitrate" | "arbitrate_ladder" => arbiter(input, ours, want),
        // A wrapper without a command is a program: `env` alone prints, `sudo` alone is not EMPTY.
        "classify_command" => (want["capability"] == "EMPTY"
            && ours["program"].as_str().is_some_and(|name| {
                ["command", "env", "nice", "nohup", "sudo", "time"].contains(&name)
            }))
        .then_some("bare-wrapper"),
        // A sequence number beyond 64 bits is not believed, so that it cannot stop all writes.
        "compact" => (want["entries"][0]["seq_watermark"].as_f64()? > 1e19).then_some("seq-bound"),
        // `true` is not 1, and `false` is not 0.
        "diff_state" => {
            let of = |side: &str, key: &str| input[side][key].clone();
            let keys: Vec<String> = crate::texts(&ours["updated"]);
            let more = keys.iter().filter(|key| !crate::texts(&want["updated"]).contains(key));
            let truth = |key: &String| {
                of("before", key).is_boolean() != of("after", key).is_boolean()
                    && (of("before", key).is_number() || of("after", key).is_number())
            };
            more.map(truth).reduce(|all, one| all && one)?.then_some("truth-values")
        }
        // A stamp that says its offset, zero, is read as everywhere else.
        "fold_since" => input["entries"]
            .as_array()?
            .iter()
            .flat_map(|entry| [&entry["ts"], &entry["heartbeat_at"]])
            .any(|stamp| stamp.as_str().is_some_and(|stamp| stamp.ends_with("+00:00")))
            .then_some("offset-stamp"),
        // A cursor that cannot be read is an error, not the start.
        "resolve_since" => {
            (ours["error"] == true && want["auto"] == true).then_some("cursor-garbage")
        }
        // A time that does not fit is an error, not an id that sorts before all others.
        "run_id" => {
            let late = input["ts_ms"].as_i64()? >= 1 << 45;
            (late && ours["error"] == true).then_some("run-id-time")
        }
        _ => None,
    }
}

fn arbiter(input: &Value, ours: &Value, want: &Value) -> Option<&'static str> {
    let lane = input["requested_lane"].as_str()?;
    let no_tree = input["requested_tree"].as_array()?.is_empty();
    let declared = input["lanes"]["trees"].as_object()?.iter().any(|(name, tree)| {
        fold(name) == fold(lane) && tree.as_array().is_some_and(|tree| !tree.is_empty())
    });
    // The arbiter itself fills in what the lane declares; the original leaves that to its callers.
    if no_tree
        && declared
        && ours["lane"] == lane
        && (want["tree"] == Value::Array(vec![]) || want["lane"] != lane)
    {
        return Some("declared-tree");
    }
    // An exclusive lane is picked only when nothing is live: it runs alone.
    let exclusive = input["lanes"]["exclusive"].as_array()?.contains(&want["lane"]);
    if exclusive && want["auto_picked"] == true && !input["live_leases"].as_array()?.is_empty() {
        return Some("exclusive-pick");
    }
    // Without a lane and without a tree there is nothing to hold: any free lane is picked.
    if lane.is_empty() && no_tree && input["requested_kind"] == "cluster" {
        return Some("nameless-cluster");
    }
    None
}
