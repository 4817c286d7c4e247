//! The marker's arming and tally, the budget, the stream of tool calls.

use dos_core::config::Config;
use dos_core::hook::marker::{self, Budget};
use dos_core::hook::tool_stream::{self, Step};
use dos_core::hook::{MarkerPolicy, StreamPolicy, Tally};
use serde_json::{Value, json};

use crate::{check, texts};

#[test]
fn a_stop_arms_the_budget() {
    check("marker_decide", |input| {
        let policy = MarkerPolicy {
            respect_stop_hook_active: input["policy"]["respect_stop_hook_active"] == true,
            ..MarkerPolicy::default()
        };
        let policy = policy.armed_by(&texts(&input["policy"]["arm_on_env"]));
        let variable = |name: &str| input["env"].get(name).and_then(Value::as_str);
        let active = input["stop_hook_active"] == true;
        let arming = marker::decide(active, input["loop_flag"] == true, variable, &policy);
        json!({"armed": arming.is_armed()})
    });
}

#[test]
fn the_marker_table_is_read() {
    check("marker_policy", |input| {
        let table = toml_table(&input["table"]);
        let config = Config::parse(&format!("[marker]\n{table}"));
        assert!(config.findings.is_empty(), "{:?}", config.findings);
        json!({
            "max_streak": config.marker.max_streak,
            "arm_on_env": config.marker.arm_on_env,
            "respect_stop_hook_active": config.marker.respect_stop_hook_active,
        })
    });
}

/// JSON of texts, numbers, lists and truth values is TOML too.
fn toml_table(table: &Value) -> String {
    let fields = table.as_object().unwrap().iter();
    fields.map(|(key, value)| format!("{key} = {value}\n")).collect()
}

#[test]
fn a_tally_is_counted() {
    check("marker_count", |input| {
        let text = input["text"].as_str().unwrap();
        json!({"count": Tally::read(text.as_bytes()).waited})
    });
}

#[test]
fn a_streak_is_judged() {
    check("noop_classify", |input| {
        let number = |name: &str| u32::try_from(input[name].as_i64().unwrap()).ok();
        let (Some(waited), Some(most)) = (number("noop_turns"), number("max_streak")) else {
            return json!({"error": true});
        };
        let budget = Budget::after(waited.into(), most);
        json!({"verdict": budget.token(), "allow": budget.allows, "noop_turns": budget.spent})
    });
}

#[test]
fn a_stream_of_calls_is_judged() {
    check("classify_stream", |input| {
        let number = |name: &str| u32::try_from(input["policy"][name].as_u64().unwrap()).unwrap();
        let policy = StreamPolicy {
            repeat_n: number("repeat_n"),
            stall_n: number("stall_n"),
            ignore_tools: texts(&input["policy"]["ignore_tools"]),
        };
        let steps = input["steps"].as_array().unwrap().iter().rev().map(|step| Step {
            tool: step["tool_name"].as_str().unwrap().to_string(),
            args_digest: step["args_digest"].as_str().unwrap().to_string(),
            result_digest: step["result_digest"].as_str().map(str::to_string),
        });
        let verdict = tool_stream::classify(steps, &policy);
        json!({
            "state": verdict.state.token(),
            "repeat_run": verdict.run,
            "repeated_step": verdict.repeated.map(step_json),
        })
    });
}

fn step_json(step: Step) -> Value {
    json!({
        "tool_name": step.tool,
        "args_digest": step.args_digest,
        "result_digest": step.result_digest,
    })
}

#[test]
fn an_event_becomes_a_step() {
    check("step_from_event", |input| {
        let event = &input["event"];
        let Some(tool) = event["tool_name"].as_str().filter(|tool| !tool.is_empty()) else {
            return json!({"step": null});
        };
        let empty = json!({});
        let asked = event.get("tool_input").filter(|asked| !asked.is_null()).unwrap_or(&empty);
        let answer = |name: &str| event.get(name).filter(|answer| !answer.is_null());
        let result = answer("tool_response").or_else(|| answer("tool_output"));
        json!({"step": step_json(Step::of_call(tool, asked, result))})
    });
}
