//! The decision table of the arbiter and the overlap policy `prefix`.

use dos_core::lane::arbiter::Rung;
use dos_core::lane::overlap::{Prefix, RATIO_MAX, prefix_text, prefixes_disjoint};
use dos_core::lane::{Lanes, Lease, Policy, Request, Tree, arbitrate};
use serde_json::{Value, json};

use crate::{check, texts};

fn tree(value: &Value) -> Tree {
    Tree::new(texts(value))
}

fn lanes(table: &Value) -> Lanes {
    let trees = table["trees"].as_object().cloned().unwrap_or_default();
    let aliases = table["aliases"].as_object().cloned().unwrap_or_default();
    Lanes {
        concurrent: texts(&table["concurrent"]),
        exclusive: texts(&table["exclusive"]),
        shared: Vec::new(),
        autopick: texts(&table["autopick"]),
        trees: trees.iter().map(|(lane, value)| (lane.clone(), tree(value))).collect(),
        aliases: aliases
            .iter()
            .map(|(alias, lane)| (alias.clone(), lane.as_str().unwrap().to_string()))
            .collect(),
    }
}

fn decision(input: &Value) -> Value {
    let ratio_max = input["overlap_ratio_max"].as_f64().unwrap_or(RATIO_MAX);
    let mut policy = Policy::new(lanes(&input["lanes"]), Box::new(Prefix { ratio_max }));
    for (kind, most) in input["class_budgets"].as_object().into_iter().flatten() {
        policy
            .class_budgets
            .insert(kind.clone(), u32::try_from(most.as_i64().unwrap_or(0)).unwrap_or(0));
    }
    let request = Request {
        lane: input["requested_lane"].as_str().unwrap().to_string(),
        kind: Some(input["requested_kind"].as_str().unwrap().to_string()),
        tree: tree(&input["requested_tree"]),
        shared: false,
        force: input["force"].as_bool().unwrap(),
    };
    let live: Vec<Lease> = input["live_leases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lease| Lease::from_object(lease.as_object().unwrap().clone()))
        .collect();
    let live: Vec<&Lease> = live.iter().collect();
    let ladder: Option<Vec<Rung>> = input["auto_pick_order"].as_array().map(|rungs| {
        rungs
            .iter()
            .map(|rung| Rung {
                lane: rung[0].as_str().unwrap().to_string(),
                kind: rung[1].as_str().unwrap().to_string(),
                tree: tree(&rung[2]),
            })
            .collect()
    });
    match arbitrate(&request, &live, &policy, ladder.as_deref()) {
        Ok(admission) => json!({
            "outcome": "acquire",
            "lane": admission.lane,
            "lane_kind": admission.kind,
            "tree": admission.tree.to_json(),
            "auto_picked": admission.auto_picked,
            "free_clusters": [],
            "pick_count": null,
        }),
        Err(refusal) => json!({
            "outcome": "refuse",
            "lane": "",
            "lane_kind": "",
            "tree": [],
            "auto_picked": false,
            "free_clusters": refusal.free_lanes,
            "pick_count": null,
        }),
    }
}

#[test]
fn arbitrate_follows_the_table() {
    check("arbitrate", decision);
}

#[test]
fn arbitrate_walks_the_ladder() {
    check("arbitrate_ladder", decision);
}

#[test]
fn prefix_counts_shared_patterns() {
    check("overlap_verdict", |input| {
        let ratio_max = input["ratio_max"].as_f64().unwrap_or(RATIO_MAX);
        let verdict = Prefix { ratio_max }
            .verdict(&tree(&input["requested_tree"]), &tree(&input["lease_tree"]));
        json!({
            "verdict": verdict.token,
            "shared": verdict.shared,
            "requested": verdict.requested,
            "admissible": verdict.admissible(),
        })
    });
}

#[test]
fn prefix_trees_are_disjoint() {
    check(
        "lane_trees_disjoint",
        |input| json!({"disjoint": prefixes_disjoint(&tree(&input["a"]), &tree(&input["b"]))}),
    );
}

#[test]
fn prefix_text_ends_at_the_first_star() {
    check(
        "norm_tree_prefix",
        |input| json!({"prefix": prefix_text(input["glob"].as_str().unwrap())}),
    );
}
