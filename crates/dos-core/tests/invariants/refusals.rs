//! What a refusal says, for every cause: who holds what, for how long, until when, which patterns
//! meet, and how to go on.

use dos_core::journal::LiveSet;
use dos_core::lane::admission::{AdmissionPredicate, Candidate};
use dos_core::lane::command::Acquire;
use dos_core::lane::refusal::Blocker;
use dos_core::lane::{Command, Lease, Outcome, Policy, Refusal, decide};
use insta::assert_snapshot;

use crate::scripts::all_lanes;
use crate::values::{MINUTE, acquire, after, granted, lanes, refused, run, tree};

/// The answer to one request, ten minutes after others took these lanes, and the state it was for.
fn asked(policy: &Policy, held: &[(&str, &str)], asking: Acquire) -> (LiveSet, Refusal) {
    let mut live = LiveSet::default();
    for (lane, holder) in held {
        granted(run(&mut live, &Command::Acquire(acquire(lane, holder)), &after(0), policy));
    }
    let command = Command::Acquire(asking);
    let refusal = refused(run(&mut live, &command, &after(10 * MINUTE), policy));
    (live, refusal)
}

/// The token and the text for people, once it is known to name each holder and how to go on.
#[track_caller]
fn text(policy: &Policy, held: &[(&str, &str)], lane: &str) -> String {
    let (live, refusal) = asked(policy, held, acquire(lane, "bob"));
    let text = refusal.explain(after(10 * MINUTE).now);
    for Blocker { lease, meeting } in &refusal.blockers {
        let named = format!("{} holds {} on h1 for 10m 00s", lease.holder().unwrap(), lease.lane());
        assert!(text.contains(&named), "{text}");
        assert!(text.contains("lapses in 45m 00s if silent"), "{text}");
        if let Some(meeting) = meeting {
            assert!(text.contains(&meeting.requested) && text.contains(&meeting.held), "{text}");
        }
    }
    assert!(text.ends_with(&refusal.next_step()), "{text}");
    assert!(live.leases().all(|lease| lease.holder() != Some("bob")));
    format!("{}: {text}", refusal.cause)
}

fn policy() -> Policy {
    Policy::of_lanes(all_lanes())
}

#[test]
fn exclusive_live() {
    assert_snapshot!(text(&policy(), &[("solo", "alice")], "src"), @"EXCLUSIVE_LIVE: An exclusive lane is live and nothing may run beside it. alice holds solo on h1 for 10m 00s, lapses in 45m 00s if silent; pattern `src/**` meets `**/*` at src/a. Wait for it (--wait 10m) or ask the holder.");
}

#[test]
fn lane_held() {
    assert_snapshot!(text(&policy(), &[("docs", "alice"), ("api", "carol")], "docs"), @"LANE_HELD: Lane docs is held. alice holds docs on h1 for 10m 00s, lapses in 45m 00s if silent; pattern `*.md` meets `*.md` at .md. Wait for it (--wait 10m) or ask the holder.");
}

#[test]
fn must_run_alone() {
    assert_snapshot!(text(&policy(), &[("src", "alice"), ("docs", "carol")], "solo"), @"MUST_RUN_ALONE: Lane solo runs alone, and 2 others are live. alice holds src on h1 for 10m 00s, lapses in 45m 00s if silent; pattern `**/*` meets `src/**` at src/a. carol holds docs on h1 for 10m 00s, lapses in 45m 00s if silent; pattern `**/*` meets `*.md` at .md. Wait for it (--wait 10m) or ask the holder.");
}

#[test]
fn tree_overlap() {
    assert_snapshot!(text(&policy(), &[("src", "alice")], "api"), @"TREE_OVERLAP: Lane api meets a live lane. alice holds src on h1 for 10m 00s, lapses in 45m 00s if silent; pattern `src/api/**` meets `src/**` at src/api/a. Wait for it (--wait 10m), or take a free lane: docs.");
}

#[test]
fn tree_overlap_of_a_request_without_a_lane() {
    let mut asking = acquire("", "bob");
    asking.request.tree = tree(&["docs/x.md", "src/api/x.rs"]);
    let (_, refusal) = asked(&policy(), &[("src", "alice")], asking);
    let text = refusal.explain(after(10 * MINUTE).now);
    assert_snapshot!(text, @"The request meets a live lane. alice holds src on h1 for 10m 00s, lapses in 45m 00s if silent; pattern `src/api/x.rs` meets `src/**` at src/api/x.rs. Wait for it (--wait 10m), or take a free lane: docs.");
}

#[test]
fn empty_tree() {
    assert_snapshot!(text(&policy(), &[("src", "alice")], "build"), @"EMPTY_TREE: Lane build has no tree, so what it would write is unknown. alice holds src on h1 for 10m 00s, lapses in 45m 00s if silent. Pass --tree, or declare what it covers under [lanes.trees] in dos.toml.");
}

#[test]
fn unknown_lane() {
    assert_snapshot!(text(&policy(), &[], "nowhere"), @"UNKNOWN_LANE: This workspace has no lane nowhere. Its lanes are: api, audit, build, docs, global, solo, src, wide. Ask for one of those, leave --lane out to take any free lane, or declare it under [lanes] in dos.toml.");
}

#[test]
fn no_free_lane() {
    assert_snapshot!(text(&policy(), &[("src", "alice"), ("docs", "carol")], ""), @"NO_FREE_LANE: No lane is free to be picked. carol holds docs on h1 for 10m 00s, lapses in 45m 00s if silent; pattern `*.md` meets `*.md` at .md. alice holds src on h1 for 10m 00s, lapses in 45m 00s if silent; pattern `src/api/**` meets `src/**` at src/api/a. Wait for it (--wait 10m) or ask the holder.");
}

/// With a budget of one lease of the kind `cluster`.
fn narrow() -> Policy {
    let mut policy = policy();
    policy.class_budgets.insert("cluster".to_string(), 1);
    policy
}

#[test]
fn class_budget_exhausted() {
    let text = text(&narrow(), &[("docs", "alice")], "");
    assert_snapshot!(text, @"CLASS_BUDGET_EXHAUSTED: Every candidate belongs to a full class: cluster (1/1). alice holds docs on h1 for 10m 00s, lapses in 45m 00s if silent; pattern `*.md` meets `*.md` at .md. Wait for one of them (--wait 10m), or raise max_concurrent in dos.toml.");
}

/// Refuses everything.
struct Night;

impl AdmissionPredicate for Night {
    fn name(&self) -> &str {
        "night"
    }

    fn objection(&self, candidate: &Candidate<'_>, _: Option<&Lease>) -> Option<String> {
        Some(format!("{} rests until six", candidate.lane))
    }
}

#[test]
fn condition() {
    let mut policy = policy();
    policy.conditions.predicates.push(Box::new(Night));
    assert_snapshot!(text(&policy, &[], "docs"), @"CONDITION: Condition night refuses: docs rests until six. Ask whoever set up this condition.");
}

/// A full class is held by somebody, on whatever lane: "ask the holder" must say whom.
#[test]
fn a_full_class_names_its_holders() {
    let (_, refusal) = asked(&narrow(), &[("wide", "alice")], acquire("", "bob"));
    assert_eq!(refusal.cause.token(), "CLASS_BUDGET_EXHAUSTED");
    let text = refusal.explain(after(10 * MINUTE).now);
    assert!(text.contains("alice holds wide"), "{text}");
}

/// What a refusal tells the caller to take instead can be taken.
#[test]
fn a_lane_that_is_offered_instead_can_be_taken() {
    let policy = policy();
    let mut false_hopes = Vec::new();
    for held in [&[("src", "alice")][..], &[("api", "alice")], &[("src", "alice"), ("docs", "c")]] {
        for lane in ["src", "api", "docs", "build", "solo"] {
            let mut live = LiveSet::default();
            for (lane, holder) in held {
                granted(run(
                    &mut live,
                    &Command::Acquire(acquire(lane, holder)),
                    &after(0),
                    &policy,
                ));
            }
            let take = |lane: &str| {
                decide(&live, &Command::Acquire(acquire(lane, "bob")), &after(0), &policy).unwrap()
            };
            let Outcome::Refused(refusal) = take(lane).outcome else { continue };
            let next = refusal.next_step();
            let Some((_, offered)) = next.split_once("take a free lane: ") else { continue };
            for offer in offered.trim_end_matches('.').split(", ") {
                if !matches!(take(offer).outcome, Outcome::Granted(_)) {
                    false_hopes.push(format!("{lane} is refused beside {held:?}: {next}"));
                }
            }
        }
    }
    assert!(false_hopes.is_empty(), "{}", false_hopes.join("\n"));
}

/// Nobody holds anything: there is nothing to wait for and nobody to ask.
#[test]
fn a_workspace_without_lanes_to_pick_says_so() {
    let mut nothing_to_pick = lanes(&[("src", &["src/**"])]);
    nothing_to_pick.autopick.clear();
    let (_, refusal) = asked(&Policy::of_lanes(nothing_to_pick), &[], acquire("", "bob"));
    let text = refusal.explain(after(0).now);
    assert!(!text.contains("Wait for it") && !text.contains("ask the holder"), "{text}");
}

#[test]
fn programs_get_the_same_as_people() {
    let (_, refusal) = asked(&policy(), &[("src", "alice")], acquire("api", "bob"));
    let json = dos_core::json::pretty(&refusal.blockers_json(after(10 * MINUTE).now));
    assert_snapshot!(json, @r#"
    [
      {
        "doubt": null,
        "held_pattern": "src/**",
        "held_seconds": 600,
        "holder": "alice",
        "host_id": "h1",
        "lane": "src",
        "lapses_at": "2026-01-10T12:55:00Z",
        "loop_ts": "2026-01-10T12:00:00Z",
        "mode": "exclusive",
        "requested_pattern": "src/api/**",
        "run_id": null,
        "witness": "src/api/a"
      }
    ]
    "#);
}

/// A refusal is recorded with the sentences that the caller saw.
#[test]
fn a_recorded_refusal_is_what_was_said() {
    let policy = policy();
    let mut live = LiveSet::default();
    granted(run(&mut live, &Command::Acquire(acquire("src", "alice")), &after(0), &policy));
    let asking = Acquire { record_refusal: true, ..acquire("api", "bob") };
    let moment = after(10 * MINUTE);
    let decision = decide(&live, &Command::Acquire(asking), &moment, &policy).unwrap();
    let [record] = &decision.entries[..] else { panic!("one record: {decision:?}") };
    let Outcome::Refused(refusal) = &decision.outcome else { panic!("{decision:?}") };
    let object = record.object();
    assert_eq!((record.op(), &object["holder"]), ("REFUSE", &"bob".into()));
    assert_eq!(object["reason"], refusal.explain(moment.now));
    assert_eq!(object["reason_class"], "TREE_OVERLAP");
}
