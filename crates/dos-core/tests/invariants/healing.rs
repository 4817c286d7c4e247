//! Self-healing: when a holder counts as dead, what is taken from it then, and how it comes back.

use dos_core::journal::LiveSet;
use dos_core::lane::command::{Acquire, Adopt, Claim};
use dos_core::lane::decide::{DecideError, holds_token, live_leases};
use dos_core::lane::lease::ProcessId;
use dos_core::lane::vitality::{
    Death, GRACE_MILLIS, ProcessState, TTL_MILLIS_DEFAULT, lapses_at, proof_of_death,
};
use dos_core::lane::{Command, Lanes, Moment, Outcome, Policy, Tree, decide};
use dos_core::limits;
use dos_core::timestamp::Timestamp;
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

use crate::values::{
    HOST, MINUTE, SECOND, acquire, adopt, after, cases, claim, granted, heartbeat, lanes, lease,
    live_set, moment_at, noon, ops, policy, process, refused, run, scavenge, tree,
};

/// Checks both sides of the instant at which the lease lapses, so long after its newest stamp.
#[track_caller]
fn lapses_after(fields: Value, millis: i64) {
    let lease = lease(fields);
    let at = |millis| moment_at(lease.newest_stamp().unwrap().plus_millis(millis));
    assert_eq!(lapses_at(&lease), Some(at(millis).now));
    assert_eq!(proof_of_death(&lease, &at(millis)), None, "still alive at that millisecond");
    let ttl_millis = millis - GRACE_MILLIS;
    let death = Death::Lapsed { silent_millis: millis + 1, ttl_millis };
    assert_eq!(proof_of_death(&lease, &at(millis + 1)), Some(death));
}

#[test]
fn a_silent_lease_lapses_exactly_after_its_time_to_live_and_the_grace() {
    assert_eq!((TTL_MILLIS_DEFAULT, GRACE_MILLIS), (50 * MINUTE, 5 * MINUTE));
    let at = "2026-01-10T12:00:00Z";
    lapses_after(json!({"acquired_at": at}), 55 * MINUTE);
    lapses_after(json!({"acquired_at": at, "ttl_minutes": 1}), 6 * MINUTE);
    lapses_after(json!({"acquired_at": at, "ttl_minutes": 0.5}), 5 * MINUTE + 30 * SECOND);
    lapses_after(json!({"heartbeat_at": at}), 55 * MINUTE);
    lapses_after(json!({"acquired_at": "2026-01-10T11:00Z", "heartbeat_at": at}), 55 * MINUTE);
    lapses_after(json!({"acquired_at": at, "heartbeat_at": "2026-01-10T11:00Z"}), 55 * MINUTE);
    let later = json!({"acquired_at": at, "heartbeat_at": "2026-01-10T12:00:00.250Z"});
    assert_eq!(lapses_at(&lease(later.clone())), Some(noon().plus_millis(55 * MINUTE + 250)));
    lapses_after(later, 55 * MINUTE);
    let most = limits::TTL_MINUTES_MAX;
    let longest = i64::from(most) * MINUTE + GRACE_MILLIS;
    lapses_after(json!({"acquired_at": at, "ttl_minutes": most}), longest);
}

#[test]
fn a_time_to_live_that_makes_no_sense_is_the_default() {
    let too_long = f64::from(limits::TTL_MINUTES_MAX) + 1.0;
    for ttl in [json!(0), json!(-5), json!("5"), json!(null), json!(too_long), json!([1])] {
        let at = "2026-01-10T12:00:00Z";
        lapses_after(json!({"acquired_at": at, "ttl_minutes": ttl}), 55 * MINUTE);
    }
}

#[test]
fn a_lease_without_a_stamp_never_lapses() {
    for fields in [json!({}), json!({"acquired_at": "yesterday", "heartbeat_at": 5})] {
        let lease = lease(fields);
        assert_eq!(lapses_at(&lease), None);
        let end = Timestamp::parse("9999-12-31T23:59:59Z").unwrap();
        assert_eq!(proof_of_death(&lease, &moment_at(end)), None);
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn a_granted_lease_lapses_by_its_own_declaration(
        now in 0..4_000_000_000_000_i64,
        ttl in proptest::option::of(1..=limits::TTL_MINUTES_MAX),
    ) {
        let policy = policy(&[("src", &["src/**"])]);
        let moment = moment_at(Timestamp::from_millis(now).unwrap());
        let mut live = LiveSet::default();
        let asking = Acquire { ttl_minutes: ttl, ..acquire("src", "p") };
        let lease = granted(run(&mut live, &Command::Acquire(asking), &moment, &policy)).lease;
        // Stamps are whole seconds: a lease never lapses a moment too late.
        let stamp = now - now % SECOND;
        let end = stamp + ttl.map_or(50 * MINUTE, |ttl| i64::from(ttl) * MINUTE) + 5 * MINUTE;
        let at = |millis| moment_at(Timestamp::from_millis(millis).unwrap());
        prop_assert_eq!(proof_of_death(&lease, &at(end)), None);
        prop_assert!(proof_of_death(&lease, &at(end + 1)).is_some());
        prop_assert_eq!(live_leases(&live, &at(end)).len(), 1);
        prop_assert_eq!(live_leases(&live, &at(end + 1)).len(), 0);
    }
}

fn with_process(id: &ProcessId, state: ProcessState) -> Moment {
    Moment { processes: vec![(id.clone(), state)], ..after(0) }
}

#[test]
fn a_process_proves_death_only_when_it_was_named_in_full_on_this_host() {
    let at = "2026-01-10T12:00:00Z";
    let id = process(7);
    let full = json!({
        "acquired_at": at, "host_id": HOST, "pid": 7, "pid_start": 7007, "pid_boot": "boot-1",
    });
    let gone = with_process(&id, ProcessState::Gone);
    assert_eq!(proof_of_death(&lease(full.clone()), &gone), Some(Death::ProcessGone { pid: 7 }));
    for field in ["host_id", "pid", "pid_start", "pid_boot"] {
        for other in [Value::Null, json!("h2"), json!(8)] {
            let mut fields = full.clone();
            fields[field] = other;
            assert_eq!(proof_of_death(&lease(fields), &gone), None, "{field}");
        }
    }
    assert_eq!(
        proof_of_death(&lease(full.clone()), &with_process(&id, ProcessState::Running)),
        None
    );
    assert_eq!(proof_of_death(&lease(full.clone()), &after(0)), None, "unknown is not gone");
    let elsewhere = Moment { host: "h2".to_string(), ..gone };
    assert_eq!(proof_of_death(&lease(full), &elsewhere), None);
}

#[test]
fn a_holder_that_named_no_process_is_not_judged_by_one() {
    let policy = policy(&[("src", &["src/**"])]);
    let mut live = LiveSet::default();
    granted(run(&mut live, &Command::Acquire(acquire("src", "p")), &after(0), &policy));
    let named = Acquire { process: Some(process(7)), ..acquire("src", "q") };
    let mut gone = with_process(&process(7), ProcessState::Gone);
    refused(run(&mut live, &Command::Acquire(named.clone()), &gone, &policy));
    run(&mut live, &Command::Release(claim("src", "p")), &gone, &policy);
    granted(run(&mut live, &Command::Acquire(named), &after(0), &policy));
    gone.host = "h2".to_string();
    let asking = Command::Acquire(acquire("src", "r"));
    refused(run(&mut live, &asking, &gone, &policy));
    gone.host = HOST.to_string();
    let grant = granted(run(&mut live, &asking, &gone, &policy));
    assert_eq!(grant.scavenged[0].1, Death::ProcessGone { pid: 7 });
}

/// The lanes on which somebody died: overlapping, apart, without a tree, exclusive.
fn dead_policy() -> Policy {
    let declared = lanes(&[("src", &["src/**"]), ("api", &["src/api/**"]), ("docs", &["docs/**"])]);
    let mut lanes = Lanes { exclusive: vec!["solo".to_string()], ..declared };
    lanes.concurrent.push("build".to_string());
    lanes.trees.insert("solo".to_string(), tree(&["**/*"]));
    Policy::of_lanes(lanes)
}

/// A lease of that lane as the workspace grants it, taken at noon for a minute.
fn short_lease(lane: &str, tree: &Tree) -> Value {
    json!({
        "lane": lane, "loop_ts": "L", "holder": "dead", "tree": tree.to_json(), "host_id": HOST,
        "lane_kind": "cluster", "acquired_at": "2026-01-10T12:00:00Z", "ttl_minutes": 1, "token": 1,
    })
}

/// What is taken away is what would have stood in the way, were it alive; and nothing else.
#[track_caller]
fn takes_away_just_what_is_in_the_way(policy: &Policy, dead: &[&str], lane: &str) {
    let leases: Vec<Value> =
        dead.iter().map(|lane| short_lease(lane, &policy.lanes.tree(lane))).collect();
    let asking = Command::Acquire(acquire(lane, "p"));
    let in_the_way: Vec<&str> = dead
        .iter()
        .zip(&leases)
        .filter(|(_, lease)| {
            let alone = live_set(std::slice::from_ref(lease));
            let answer = decide(&alone, &asking, &after(0), policy).unwrap();
            matches!(answer.outcome, Outcome::Refused(_))
        })
        .map(|(lane, _)| *lane)
        .collect();
    let mut live = live_set(&leases);
    let decision = run(&mut live, &asking, &after(7 * MINUTE), policy);
    let mut expected = vec!["SCAVENGE"; in_the_way.len()];
    expected.push("ACQUIRE");
    assert_eq!(ops(&decision), expected, "{lane} among the dead {dead:?}");
    let grant = granted(decision);
    let taken: Vec<_> = grant.scavenged.iter().map(|(lease, _)| lease.lane()).collect();
    assert_eq!(taken, in_the_way);
    let left: Vec<_> = live.leases().map(|lease| lease.lane()).collect();
    let stay = dead.iter().filter(|lane| !in_the_way.contains(lane)).chain([&lane]);
    assert_eq!(left, stay.copied().collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_grant_takes_away_just_the_dead_in_its_way(
        dead in subsequence(vec!["src", "api", "docs", "build", "solo"], 0..=5),
        lane in proptest::sample::select(vec!["src", "api", "docs", "build", "solo"]),
    ) {
        takes_away_just_what_is_in_the_way(&dead_policy(), &dead, lane);
    }
}

#[test]
fn a_lane_that_is_declared_with_an_empty_tree_takes_nothing_from_its_neighbours() {
    let mut policy = dead_policy();
    for lane in ["notes", "drafts"] {
        policy.lanes.trees.insert(lane.to_string(), Tree::default());
    }
    takes_away_just_what_is_in_the_way(&policy, &["drafts"], "notes");
}

#[test]
fn a_named_request_takes_nothing_for_the_sake_of_a_budget_that_does_not_bind_it() {
    let mut policy = dead_policy();
    policy.class_budgets.insert("cluster".to_string(), 1);
    takes_away_just_what_is_in_the_way(&policy, &["docs"], "src");
}

#[test]
fn a_picked_lane_takes_nothing_while_its_class_has_room() {
    let mut policy = dead_policy();
    policy.class_budgets.insert("cluster".to_string(), 4);
    policy.lanes.autopick = vec!["src".to_string()];
    let mut live = live_set(&[short_lease("docs", &tree(&["docs/**"]))]);
    let asking = Command::Acquire(acquire("", "p"));
    let grant = granted(run(&mut live, &asking, &after(7 * MINUTE), &policy));
    assert_eq!(grant.scavenged, [], "docs and src together are two of four");
}

#[test]
fn a_refused_request_takes_nothing_away() {
    let policy = dead_policy();
    let mut alive = short_lease("api", &tree(&["src/api/**"]));
    alive["ttl_minutes"] = json!(60);
    let mut live = live_set(&[short_lease("src", &tree(&["src/**"])), alive]);
    let asking = Command::Acquire(acquire("src", "p"));
    let decision = run(&mut live, &asking, &after(7 * MINUTE), &policy);
    assert_eq!(ops(&decision), [""; 0]);
    let refusal = refused(decision);
    let blockers: Vec<_> = refusal.blockers.iter().map(|blocker| blocker.lease.lane()).collect();
    assert_eq!(blockers, ["api"]);
    assert_eq!(live.len(), 2);
}

#[test]
fn a_scavenge_on_request_needs_the_same_proof() {
    let policy = dead_policy();
    let mut live = live_set(&[short_lease("src", &tree(&["src/**"]))]);
    let alive = run(&mut live, &scavenge("SRC"), &after(6 * MINUTE), &policy);
    assert!(matches!(alive.outcome, Outcome::StillAlive(_)) && alive.entries.is_empty());
    let dead = run(&mut live, &scavenge("SRC"), &after(6 * MINUTE + 1), &policy);
    assert!(matches!(dead.outcome, Outcome::Done(_)));
    assert_eq!(dead.entries[0].object()["prev_holder"], "dead");
    assert!(live.is_empty());
    let none = run(&mut live, &scavenge("src"), &after(0), &policy);
    assert!(matches!(none.outcome, Outcome::NotHeld { .. }) && none.entries.is_empty());
}

#[test]
fn a_heartbeat_brings_a_lapsed_holder_back_while_nobody_took_its_place() {
    let policy = dead_policy();
    let mut live = live_set(&[short_lease("src", &tree(&["src/**"]))]);
    let late = after(30 * MINUTE);
    assert_eq!(live_leases(&live, &late).len(), 0);
    run(&mut live, &heartbeat("src", "dead"), &late, &policy);
    assert_eq!(live_leases(&live, &late).len(), 1);
    assert_eq!(live_leases(&live, &after(36 * MINUTE)).len(), 1);
    let asking = Command::Acquire(acquire("api", "p"));
    refused(run(&mut live, &asking, &after(36 * MINUTE), &policy));
    granted(run(&mut live, &asking, &after(36 * MINUTE + 1), &policy));
    let gone = run(&mut live, &heartbeat("src", "dead"), &after(37 * MINUTE), &policy);
    assert_eq!(gone.outcome, Outcome::NotHeld { holders: vec![] });
}

#[test]
fn an_adoption_from_a_live_holder_must_name_it() {
    let policy = dead_policy();
    let mut live = LiveSet::default();
    let taken = Acquire { process: Some(process(1)), ..acquire("src", "p") };
    let grant = granted(run(&mut live, &Command::Acquire(taken), &after(0), &policy));
    for from in [None, Some("q"), Some("")] {
        let kept = run(&mut live, &adopt("src", "r", from), &after(MINUTE), &policy);
        assert_eq!(kept.outcome, Outcome::StillAlive(grant.lease.clone()));
        assert_eq!(kept.entries, []);
    }
    let Outcome::Adopted(before, token) =
        run(&mut live, &adopt("SRC", "r", Some("p")), &after(MINUTE), &policy).outcome
    else {
        panic!("p named itself")
    };
    assert_eq!(before, grant.lease);
    assert!(token > grant.token);
    let moment = after(MINUTE);
    assert_eq!(holds_token(&live, "src", grant.token, &moment), None, "the old token is void");
    let lease = holds_token(&live, "Src", token, &moment).unwrap();
    assert_eq!((lease.holder(), lease.loop_ts()), (Some("r"), grant.lease.loop_ts()));
    assert_eq!(lease.tree(), grant.lease.tree());
    assert_eq!(lease.newest_stamp(), Some(noon().plus_millis(MINUTE)));
    assert_eq!(lease.named_process(), None, "the former holder's process speaks for nobody");
    for former in [heartbeat("src", "p"), Command::Release(claim("src", "p"))] {
        let answer = run(&mut live, &former, &moment, &policy);
        assert!(matches!(answer.outcome, Outcome::NotHeld { .. }));
    }
    let done = run(&mut live, &Command::Release(claim("src", "r")), &moment, &policy);
    assert!(matches!(done.outcome, Outcome::Done(_)));
}

#[test]
fn an_adoption_from_a_dead_holder_needs_no_name_and_lives_by_its_new_process() {
    let policy = dead_policy();
    let mut live = live_set(&[short_lease("src", &tree(&["src/**"]))]);
    let to = Adopt {
        lane: "src".to_string(),
        holder: "r".to_string(),
        process: Some(process(9)),
        ..Adopt::default()
    };
    let answer = run(&mut live, &Command::Adopt(to), &after(7 * MINUTE), &policy);
    assert!(matches!(answer.outcome, Outcome::Adopted(_, 101)), "{answer:?}");
    let lease = live.leases().next().unwrap();
    assert_eq!((lease.token(), lease.named_process()), (Some(101), Some(process(9))));
    assert_eq!(proof_of_death(lease, &after(13 * MINUTE)), None);
    let gone = Moment { processes: vec![(process(9), ProcessState::Gone)], ..after(7 * MINUTE) };
    assert_eq!(proof_of_death(lease, &gone), Some(Death::ProcessGone { pid: 9 }));
    let nobody = run(&mut live, &adopt("docs", "r", None), &after(0), &policy);
    assert_eq!(nobody.outcome, Outcome::NotHeld { holders: vec![] });
}

fn beat(coalesce_millis: i64) -> Command {
    Command::Heartbeat { claim: claim("src", "p"), coalesce_millis }
}

#[test]
fn a_heartbeat_is_written_once_the_last_one_is_old_enough() {
    let policy = dead_policy();
    let mut live = LiveSet::default();
    granted(run(&mut live, &Command::Acquire(acquire("src", "p")), &after(0), &policy));
    let mut written = |millis: i64, coalesce: i64| {
        let decision = run(&mut live, &beat(coalesce), &after(millis), &policy);
        let coalesced = matches!(decision.outcome, Outcome::Coalesced(_));
        assert_eq!(coalesced, decision.entries.is_empty());
        !coalesced
    };
    assert!(!written(0, MINUTE) && !written(MINUTE - 1, MINUTE));
    assert!(written(MINUTE, MINUTE));
    assert!(!written(2 * MINUTE - 1, MINUTE) && written(2 * MINUTE, MINUTE));
    assert!(written(2 * MINUTE, 0), "without a bound every beat is written");
    assert!(written(0, MINUTE), "a stamp from the future is replaced");
    let stranger = run(&mut live, &heartbeat("src", "q"), &after(0), &policy);
    assert!(matches!(stranger.outcome, Outcome::NotHeld { .. }));
}

#[test]
fn a_heartbeat_is_never_left_out_for_so_long_that_the_lease_lapses() {
    let policy = dead_policy();
    let mut live = LiveSet::default();
    let asking = Acquire { ttl_minutes: Some(1), ..acquire("src", "p") };
    granted(run(&mut live, &Command::Acquire(asking), &after(0), &policy));
    for minute in 1..60 {
        let moment = after(minute * MINUTE);
        run(&mut live, &beat(30 * MINUTE), &moment, &policy);
        assert_eq!(live_leases(&live, &moment).len(), 1, "it beats every minute: minute {minute}");
    }
}

#[test]
fn only_its_holder_gives_a_lease_back() {
    let policy = dead_policy();
    let mut live = LiveSet::default();
    let grant = granted(run(&mut live, &Command::Acquire(acquire("src", "p")), &after(0), &policy));
    for holder in ["q", "P", "p2"] {
        let answer = run(&mut live, &Command::Release(claim("src", holder)), &after(0), &policy);
        assert_eq!(answer.outcome, Outcome::NotHeld { holders: vec![grant.lease.clone()] });
        assert_eq!(answer.entries, []);
    }
    let other_loop = Claim { loop_ts: "L".to_string(), ..claim("src", "p") };
    let answer = run(&mut live, &Command::Release(other_loop), &after(0), &policy);
    assert!(matches!(answer.outcome, Outcome::NotHeld { .. }));
    let done = run(&mut live, &Command::Release(claim("src", "p")), &after(0), &policy);
    assert_eq!(done.outcome, Outcome::Done(grant.lease));
    let again = run(&mut live, &Command::Release(claim("src", "p")), &after(0), &policy);
    assert_eq!(again.outcome, Outcome::NotHeld { holders: vec![] });
    let nobody = decide(&live, &Command::Release(claim("src", "")), &after(0), &policy);
    assert!(matches!(nobody, Err(DecideError::Input(_))));
}

#[test]
fn without_a_loop_stamp_the_newest_lease_of_the_claimant_is_meant() {
    let policy = dead_policy();
    let mut live = LiveSet::default();
    let mut tokens = Vec::new();
    for holder in ["p", "p", "q"] {
        let mut forced = acquire("src", holder);
        forced.request.force = true;
        tokens.push(granted(run(&mut live, &Command::Acquire(forced), &after(0), &policy)).token);
    }
    let left = |live: &LiveSet| live.leases().map(|lease| lease.token()).collect::<Vec<_>>();
    for expected in [vec![tokens[0], tokens[2]], vec![tokens[2]]] {
        run(&mut live, &Command::Release(claim("src", "p")), &after(0), &policy);
        assert_eq!(left(&live), expected.into_iter().map(Some).collect::<Vec<_>>());
    }
}

#[test]
fn a_lease_without_a_holder_is_anybodys_to_give_back() {
    let policy = dead_policy();
    for holder in [json!(null), json!(7), json!(["p"])] {
        let mut fields = short_lease("src", &tree(&["src/**"]));
        fields["holder"] = holder;
        let mut live = live_set(&[fields]);
        let done = run(&mut live, &Command::Release(claim("src", "anybody")), &after(0), &policy);
        assert!(matches!(done.outcome, Outcome::Done(_)) && live.is_empty());
    }
}

#[test]
fn grants_of_one_second_have_identities_of_their_own() {
    let policy = dead_policy();
    let mut live = LiveSet::default();
    let mut forced = acquire("src", "p");
    forced.request.force = true;
    let stamps: Vec<String> = (0..4)
        .map(|tick| {
            let command = Command::Acquire(forced.clone());
            let grant = granted(run(&mut live, &command, &after(tick * 300), &policy));
            grant.lease.loop_ts().into_owned()
        })
        .collect();
    let expected = [0, 1, 2, 3].map(|second| format!("2026-01-10T12:00:0{second}Z"));
    assert_eq!(stamps, expected);
    assert_eq!(live.len(), 4);
    let taken = Acquire { loop_ts: stamps[1].clone(), ..forced.clone() };
    let error = decide(&live, &Command::Acquire(taken.clone()), &after(0), &policy).unwrap_err();
    assert!(matches!(error, DecideError::SameIdentity { .. }), "{error}");
    // The dead give up their identity together with their lane.
    granted(run(&mut live, &Command::Acquire(taken), &after(70 * MINUTE), &policy));
    assert_eq!(live.len(), 1);
}

#[test]
fn the_end_of_time_ends_the_search_for_a_free_loop_stamp() {
    let policy = dead_policy();
    let mut live = LiveSet::default();
    let mut forced = acquire("src", "p");
    forced.request.force = true;
    let end = moment_at(Timestamp::parse("9999-12-31T23:59:59Z").unwrap());
    granted(run(&mut live, &Command::Acquire(forced.clone()), &end, &policy));
    let error = decide(&live, &Command::Acquire(forced), &end, &policy).unwrap_err();
    assert!(matches!(error, DecideError::SameIdentity { .. }), "{error}");
}

#[test]
fn the_last_sequence_number_is_an_error_and_no_panic() {
    let policy = dead_policy();
    for (watermark, room) in [(limits::SEQ_MAX, false), (limits::SEQ_MAX - 1, true)] {
        let journal = format!("{{\"op\": \"SPAWN\", \"seq\": {watermark}}}\n");
        let live = dos_core::journal::live_set::replay(journal.as_bytes());
        let answer = decide(&live, &Command::Acquire(acquire("src", "p")), &after(0), &policy);
        assert_eq!(answer.is_ok(), room, "{answer:?}");
        if let Err(error) = answer {
            assert_eq!(error, DecideError::SequenceExhausted);
        }
    }
}
