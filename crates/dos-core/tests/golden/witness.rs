//! Evidence, effects, and the difference of two states.

use dos_core::witness::{
    Accountability, Belief, EffectClaim, Facts, Rules, Stance, State, diff_state, witness_effect,
};
use serde_json::Value;

use crate::check;

fn facts(list: &Value) -> Vec<Facts> {
    let read = |facts: &Value| Facts {
        source: facts["source_name"].as_str().unwrap().to_string(),
        accountability: Accountability::named(facts["accountability"].as_str().unwrap()).unwrap(),
        stance: match (facts["stance"].as_str().unwrap(), &facts["reachable"]) {
            ("ATTESTED", Value::Bool(true)) => Stance::Attested,
            ("REFUTED", Value::Bool(true)) => Stance::Refuted,
            ("ATTESTED" | "REFUTED" | "NO_SIGNAL", _) => Stance::NoSignal,
            other => panic!("{other:?}"),
        },
        subject: String::new(),
        detail: String::new(),
    };
    list.as_array().unwrap().iter().map(read).collect()
}

/// Without the sentence, which is worded anew.
fn without_reason(mut answer: Value) -> Value {
    answer.as_object_mut().unwrap().remove("reason").unwrap();
    answer
}

#[test]
fn states_are_compared() {
    check("diff_state", |input| {
        let state = |name: &str| State::from_json(input[name].to_string()).unwrap();
        let (before, after) = (state("before"), state("after"));
        diff_state(&before, &after, &Rules::default()).to_json()
    });
}

#[test]
fn belief_rests_on_the_floor() {
    check("believe_under_floor", |input| {
        without_reason(Belief::under_floor(&facts(&input["facts"])).to_json())
    });
}

#[test]
fn effects_are_joined_to_what_was_seen() {
    check("witness_effect", |input| {
        let text = |name: &str| input["claim"][name].as_str().unwrap().to_string();
        let claim = input["claim"].is_object().then(|| EffectClaim {
            key: text("key"),
            subject: text("subject"),
            narrated: text("narrated"),
        });
        without_reason(witness_effect(claim.as_ref(), &facts(&input["readbacks"])).to_json())
    });
}
