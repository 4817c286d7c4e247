//! A1 to A11: the arbiter.

use serde_json::{Value, json};

use crate::{API_WEB, configured, empty, live_lanes};

/// Arbitrates in a workspace of the three lanes; expects this exit code.
#[track_caller]
fn arbitrated(arguments: &[&str], leases: &Value, code: i32) -> Value {
    let env = configured(API_WEB);
    let leases = leases.to_string();
    let output = env.run([&["arbitrate"], arguments, &["--leases", leases.as_str()]].concat());
    output.exits(code);
    assert_eq!(env.tree(), ["dos.toml"], "a question changes nothing");
    output.json()
}

/// A request for a tree beside a lease that holds another.
#[track_caller]
fn beside(tree: &[&str], held: &[&str], code: i32) -> Value {
    let arguments = ["--lane", "k", "--kind", "keyword", "--tree"];
    let arguments: Vec<&str> = arguments.iter().chain(tree).copied().collect();
    arbitrated(&arguments, &json!([{"lane": "q", "tree": held}]), code)
}

#[test]
fn a01_class_budgets_bind() {
    let leases = json!([{"lane": "q", "lane_kind": "cluster", "tree": ["q/"]}]);
    let by_flag = arbitrated(&["--class-budget", "cluster=1"], &leases, 1);
    assert_eq!(by_flag["reason_class"], "CLASS_BUDGET_EXHAUSTED");
    let roomy = arbitrated(&["--class-budget", "cluster=2"], &leases, 0);
    assert_eq!(roomy["lane"], "api");
    let config =
        format!("{API_WEB}\n[[concurrency_class]]\nname = \"cluster\"\nmax_concurrent = 1\n");
    let env = configured(&config);
    let leases = leases.to_string();
    env.run(["arbitrate", "--leases", &leases]).exits(1);
    let refused = env.run(["lease-lane", "acquire", "--owner", "a", "--leases", &leases]);
    assert_eq!(refused.exits(1).json()["reason_class"], "CLASS_BUDGET_EXHAUSTED");
    env.dos("lease-lane acquire --owner a").exits(0);
    env.dos("lease-lane acquire --owner b").exits(1);
    env.dos("lease-lane acquire --owner b --class-budget cluster=9").exits(2);
    assert_eq!(live_lanes(&env), ["api"]);
}

#[test]
fn a02_an_alias_is_the_lane_that_it_stands_for() {
    let env = configured(
        "[lanes]\nconcurrent=[\"api\"]\nautopick=[\"api\"]\n[lanes.trees]\napi=[\"api/**\"]\n\
         [lanes.aliases]\nk=\"api\"\n",
    );
    let grant = env.dos("lease-lane acquire --lane k --kind cluster --owner a").exits(0).json();
    assert_eq!((&grant["lane"], &grant["tree"]), (&json!("api"), &json!(["api/**"])));
    env.dos("lease-lane acquire --lane api --kind cluster --owner b").exits(1);
    env.dos("lease-lane acquire --lane K --owner b").exits(1);
    assert_eq!(live_lanes(&env), ["api"]);
}

#[test]
fn a03_changed_an_unknown_lane_is_refused() {
    for kind in ["cluster", "keyword"] {
        let answer = arbitrated(&["--lane", "nosuch", "--kind", kind], &json!([]), 1);
        assert_eq!(answer["reason_class"], "UNKNOWN_LANE", "{kind}");
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.contains("no lane nosuch") && reason.contains("api"), "{reason}");
    }
    let answer = arbitrated(&["--lane", "nosuch"], &json!([]), 1);
    assert_eq!(answer["reason_class"], "UNKNOWN_LANE");
    let named = arbitrated(&["--lane", "nosuch", "--tree", "x/**"], &json!([]), 0);
    assert_eq!(named["lane"], "nosuch", "with a tree it is a lane of its own");
}

#[test]
fn a04_the_whole_tree_beside_a_live_lease_is_refused() {
    let answer = beside(&["**/*", "zz", "yy"], &["src/a.py"], 1);
    assert_eq!(answer["reason_class"], "TREE_OVERLAP");
    let blocker = &answer["blocked_by"][0];
    assert_eq!(blocker["requested_pattern"], "**/*");
    assert_eq!(blocker["held_pattern"], "src/a.py");
    assert_eq!(blocker["witness"], "src/a.py");
}

#[test]
fn a05_paths_are_compared_as_paths() {
    for same in ["./api/x.py", "api//x.py", "api/./x.py", "api/?.py", "api/[w-y].py", "API/X.py"] {
        let answer = beside(&[same], &["api/x.py"], 1);
        assert_eq!(answer["blocked_by"][0]["requested_pattern"], same);
    }
    beside(&["src"], &["src2/x.py"], 0);
    beside(&["src/**"], &["src2/**"], 0);
    beside(&["api/?.py"], &["api/xy.py"], 0);
    beside(&["api/[ab].py"], &["api/x.py"], 0);
    let env = configured(API_WEB);
    let climbing =
        env.run(["arbitrate", "--lane", "k", "--kind", "keyword", "--tree", "z/../api/x.py"]);
    climbing.exits(2).says("z/../api/x.py").says("`..`");
    assert_eq!(climbing.stdout, "");
}

#[test]
fn a06_leases_that_are_no_objects_are_a_wrong_question() {
    let env = configured(API_WEB);
    env.run(["arbitrate", "--leases", "[1]"]).exits(2).says("--leases").says("entry 1");
    env.run(["lease-lane", "acquire", "--owner", "a", "--leases", r#"["x"]"#])
        .exits(2)
        .says("--leases");
    let second = r#"[{"lane":"a"},null]"#;
    env.run(["arbitrate", "--leases", second]).exits(2).says("entry 2");
    assert_eq!(env.tree(), ["dos.toml"]);
}

#[test]
fn a07_changed_a_tree_that_is_a_text_is_one_pattern() {
    let apart = json!([{"lane": "q", "tree": "zzz/**"}]);
    arbitrated(&["--lane", "api", "--kind", "cluster"], &apart, 0);
    let meets = json!([{"lane": "q", "tree": "api/x*"}]);
    let answer = arbitrated(&["--lane", "api"], &meets, 1);
    assert_eq!(answer["blocked_by"][0]["held_pattern"], "api/x*");
}

#[test]
fn a08_every_forced_override_is_recorded() {
    let env = configured(API_WEB);
    let leases = r#"[{"lane":"api","tree":["api/**"]}]"#;
    for _ in 0..2 {
        env.run(["arbitrate", "--lane", "api", "--force", "--leases", leases]).exits(0);
    }
    let log = env.path(".dos/decisions/resolved.jsonl");
    let written = std::fs::read_to_string(log).unwrap();
    let records: Vec<Value> =
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2, "{written}");
    assert!(records.iter().all(|record| record["lane"] == "api"), "{written}");
    // Force that overrides nothing is no override.
    env.dos("arbitrate --lane web --force --leases []").exits(0);
    let log = env.path(".dos/decisions/resolved.jsonl");
    assert_eq!(std::fs::read_to_string(log).unwrap(), written);
}

#[test]
fn a09_an_unknown_overlap_policy_is_reported_and_exact_applies() {
    let config = format!("{API_WEB}\n[overlap]\npolicy=\"nope\"\n");
    let line = 1 + config.lines().position(|line| line.contains("nope")).unwrap();
    let env = configured(&config);
    let place = format!("dos.toml:{line}:8:");
    let grant = env.dos("lease-lane acquire --lane api --kind cluster --owner a");
    grant.exits(0).says("warning").says(&place).says("nope").says("exact");
    let refused = env.dos("lease-lane acquire --lane k --tree api/?.py --owner b");
    assert_eq!(refused.exits(1).says(&place).json()["reason_class"], "TREE_OVERLAP");
    env.dos("arbitrate --lane web").exits(0).says(&place);
    // A slip is told from a wild guess.
    let near = configured("[overlap]\npolicy = \"exakt\"\n");
    near.dos("arbitrate --lane main").exits(0).says("did you mean \"exact\"?");
}

#[test]
fn a10_kept_a_ratio_above_a_third_has_no_effect() {
    let prefix = |ratio: &str| {
        configured(&format!("{API_WEB}\n[overlap]\npolicy=\"prefix\"\nratio_max={ratio}\n"))
    };
    let leases = r#"[{"lane":"q","tree":["src/a.py"]}]"#;
    let ask = ["arbitrate", "--lane", "k", "--kind", "keyword", "--leases", leases, "--tree"];
    let ask = |tree: &[&'static str]| [&ask[..], tree].concat();
    prefix("1.0").run(ask(&["src/**"])).exits(1);
    prefix("1.0").run(ask(&["src/**", "yy"])).exits(1);
    prefix("1.0").run(ask(&["src/**", "yy", "zz"])).exits(0);
    prefix("0.1").run(ask(&["src/**", "yy", "zz"])).exits(1);
    // Under the default policy there is nothing to share.
    configured(API_WEB).run(ask(&["src/**", "yy", "zz"])).exits(1);
}

#[test]
fn a11_changed_an_unknown_kind_is_a_wrong_question() {
    let env = configured(API_WEB);
    for verb in ["arbitrate", "lease-lane acquire --owner a"] {
        let output = env.dos(&format!("{verb} --lane web --kind bogus"));
        output.exits(2).says("bogus").says("cluster").says("keyword").says("global");
        assert_eq!(output.stdout, "");
    }
    assert_eq!(env.tree(), ["dos.toml"]);
    empty().run(["arbitrate", "--lane", "main", "--kind", ""]).exits(0);
}
