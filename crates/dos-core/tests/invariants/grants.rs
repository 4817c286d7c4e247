//! Invariant 4 on long random scripts, and on the corners that they do not reach.

use dos_core::journal::LiveSet;
use dos_core::journal::decode::{Effect, Line, decode_line};
use dos_core::lane::command::{Acquire, Adopt, Claim, Halt, Spawn};
use dos_core::lane::{Command, Lanes, Outcome, Request, decide};
use dos_core::limits;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::conflicts::Rule;
use crate::scripts::{Move, Rules, World};
use crate::values::{
    MINUTE, acquire, after, cases, claim, granted, heartbeat, lease, policy, process, refused, run,
    texts, tree,
};

const LANES: [&str; 12] =
    ["", "src", "SRC", "s", "api", "docs", "Wide", "build", "solo", "global", "hot", "audit"];

fn acquiring() -> impl Strategy<Value = Acquire> {
    let trees = [&[][..], &[], &[], &["src/api/x.rs"], &["docs/**"], &["tools/x", "docs/api/**"]];
    let request = (
        select(&LANES[..]),
        option::weighted(0.3, select(vec!["cluster", "keyword", "global", "solo", "odd"])),
        select(trees.to_vec()),
        any::<bool>(),
    )
        .prop_map(|(lane, kind, patterns, shared)| Request {
            lane: lane.to_string(),
            kind: kind.map(str::to_string),
            tree: tree(patterns),
            shared,
            force: false,
        });
    (
        request,
        select(vec!["p", "q", "r"]),
        option::weighted(0.5, select(vec![1, 2, 60])),
        option::weighted(0.3, 1..4_u32),
        option::weighted(0.1, select(vec!["L1", "L2"])),
        any::<bool>(),
    )
        .prop_map(|(request, holder, ttl_minutes, pid, loop_ts, record_refusal)| Acquire {
            request,
            holder: holder.to_string(),
            loop_ts: loop_ts.unwrap_or_default().to_string(),
            process: pid.map(process),
            ttl_minutes,
            record_refusal,
            ..Acquire::default()
        })
}

fn step() -> impl Strategy<Value = Move> {
    let holder = || select(vec!["p", "q", "r"]).prop_map(str::to_string);
    let named = || select(&LANES[1..]).prop_map(str::to_string);
    let claim = || {
        (named(), holder()).prop_map(|(lane, holder)| Claim { lane, holder, ..Claim::default() })
    };
    let adopt = (named(), holder(), option::of(holder()), option::weighted(0.3, 1..4_u32))
        .prop_map(|(lane, holder, from, pid)| {
            Command::Adopt(Adopt {
                lane,
                holder,
                from,
                process: pid.map(process),
                ..Adopt::default()
            })
        });
    let beat = (claim(), select(vec![0, 1000, MINUTE]))
        .prop_map(|(claim, coalesce_millis)| Command::Heartbeat { claim, coalesce_millis });
    let halt = named()
        .prop_map(|lane| Command::Halt(Halt { handle: "h".to_string(), lane, ..Halt::default() }));
    let spawn = (named(), holder())
        .prop_map(|(lane, holder)| Command::Spawn(Spawn { lane, holder, ..Spawn::default() }));
    let scavenge = named().prop_map(|lane| Command::Scavenge {
        lane,
        loop_ts: String::new(),
        ended_run: None,
    });
    let command = prop_oneof![
        6 => acquiring().prop_map(Command::Acquire),
        2 => claim().prop_map(Command::Release),
        2 => beat,
        2 => adopt,
        1 => scavenge,
        1 => halt,
        1 => spawn,
    ];
    prop_oneof![
        8 => command.prop_map(Move::Do),
        // The clock may jump, and jump back.
        2 => select(vec![1, 300, 90_000, 4 * MINUTE, 7 * MINUTE, 70 * MINUTE, -2 * MINUTE, -MINUTE * 60])
            .prop_map(Move::Wait),
        1 => (1..4_u32).prop_map(|pid| Move::Dies(process(pid))),
    ]
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn invariant_4_no_double_grant(
        script in vec(step(), 1..60),
        rule in select(vec![Rule::Exact, Rule::Prefix]),
        budget in 0..4_u32,
    ) {
        let rules = Rules::new(rule, budget);
        let mut world = World::new();
        for step in &script {
            world.step(step, &rules);
        }
    }
}

#[test]
fn invariant_4_a_restart_of_the_process_table_brings_nobody_back_into_the_way() {
    let rules = Rules::new(Rule::Exact, 0);
    let mut world = World::new();
    let p = Acquire { process: Some(process(1)), ..acquire("src", "p") };
    world.step(&Move::Do(Command::Acquire(p)), &rules);
    world.step(&Move::Dies(process(1)), &rules);
    world.step(&Move::Do(Command::Acquire(acquire("api", "q"))), &rules);
    // Nothing is known of the process any more: had its lease stayed, it would count again.
    world.moment.processes.clear();
    world.step(&Move::Do(heartbeat("src", "p")), &rules);
    let lanes: Vec<_> = world.live.leases().map(|lease| lease.lane().into_owned()).collect();
    assert_eq!(lanes, ["api"]);
}

#[test]
fn invariant_4_a_global_grant_is_alone_even_where_no_lane_is_declared_exclusive() {
    let policy = policy(&[("src", &["src/**"])]);
    let mut live = LiveSet::default();
    let request = Request { kind: Some("global".to_string()), ..Request::default() };
    let global = Acquire { request, ..acquire("", "p") };
    let grant = granted(run(&mut live, &Command::Acquire(global), &after(0), &policy));
    assert_eq!(grant.lease.kind(), "global");
    assert_eq!(grant.admission.reason, "exclusive lane global: nothing else is live");
    refused(run(&mut live, &Command::Acquire(acquire("src", "q")), &after(0), &policy));
}

#[test]
fn invariant_4_a_forced_grant_still_respects_an_exclusive_lane() {
    let rules = Rules::new(Rule::Exact, 0);
    let mut live = LiveSet::default();
    let force = |lane: &str, holder: &str| {
        let mut forced = acquire(lane, holder);
        forced.request.force = true;
        Command::Acquire(forced)
    };
    granted(run(&mut live, &force("src", "p"), &after(0), &rules.policy));
    granted(run(&mut live, &force("src", "q"), &after(0), &rules.policy));
    granted(run(&mut live, &force("api", "r"), &after(0), &rules.policy));
    assert_eq!(live.len(), 3);
    let mut live = LiveSet::default();
    granted(run(&mut live, &Command::Acquire(acquire("solo", "p")), &after(0), &rules.policy));
    refused(run(&mut live, &force("src", "q"), &after(0), &rules.policy));
}

#[test]
fn invariant_4_a_lease_that_is_recorded_elsewhere_counts() {
    let policy = policy(&[("src", &["src/**"]), ("api", &["src/api/**"])]);
    let mut other = LiveSet::default();
    let held = granted(run(&mut other, &Command::Acquire(acquire("src", "p")), &after(0), &policy));
    let live = LiveSet::default();
    let asking = Acquire { elsewhere: vec![held.lease.clone()], ..acquire("api", "q") };
    let decision = decide(&live, &Command::Acquire(asking), &after(0), &policy).unwrap();
    assert_eq!(refused(decision).blockers[0].lease, held.lease);
}

/// A grant that nobody can read back would be granted again.
#[test]
fn invariant_4_every_granted_lease_can_be_read_back() {
    let policy = policy(&[("src", &["src/**"])]);
    let long = "x".repeat(limits::LINE_BYTES_MAX);
    let many: Vec<String> = (0..=limits::PATTERNS_MAX).map(|index| format!("d{index}")).collect();
    let request = |tree: &[String]| Request {
        lane: "hot".to_string(),
        tree: tree.iter().cloned().collect(),
        ..Request::default()
    };
    for request in [request(&[long]), request(&many)] {
        let asking = Acquire { request, ..acquire("", "p") };
        let Ok(decision) =
            decide(&LiveSet::default(), &Command::Acquire(asking), &after(0), &policy)
        else {
            continue;
        };
        let line = decision.entries[0].line();
        let read = decode_line(line.trim_end().as_bytes(), true);
        let held = matches!(&read, Line::Entry(entry) if matches!(entry.effect, Effect::Hold(..)));
        assert!(held, "acknowledged, but it reads as {:.60}", format!("{read:?}"));
    }
}

#[test]
fn invariant_4_a_lane_is_given_back_under_the_name_it_was_asked_for() {
    let lanes = Lanes {
        aliases: [("s".to_string(), "src".to_string())].into(),
        ..crate::values::lanes(&[("src", &["src/**"])])
    };
    let policy = dos_core::lane::Policy::of_lanes(lanes);
    for name in ["src", "SRC", "s", "S"] {
        let mut live = LiveSet::default();
        granted(run(&mut live, &Command::Acquire(acquire(name, "p")), &after(0), &policy));
        let beat = run(&mut live, &heartbeat(name, "p"), &after(1), &policy);
        assert!(matches!(beat.outcome, Outcome::Done(_)), "{name}: {:?}", beat.outcome);
        let release = run(&mut live, &Command::Release(claim(name, "p")), &after(2), &policy);
        assert!(matches!(release.outcome, Outcome::Done(_)), "{name}: {:?}", release.outcome);
        assert!(live.is_empty());
    }
}

#[test]
fn invariant_4_an_alias_and_another_case_are_the_same_lane() {
    let rules = Rules::new(Rule::Exact, 0);
    for first in ["src", "SRC", "s", "S"] {
        for second in ["src", "Src", "s", "S"] {
            let mut live = LiveSet::default();
            granted(run(
                &mut live,
                &Command::Acquire(acquire(first, "p")),
                &after(0),
                &rules.policy,
            ));
            let asking = Command::Acquire(acquire(second, "q"));
            let refusal = refused(run(&mut live, &asking, &after(0), &rules.policy));
            assert_eq!(refusal.cause.token(), "LANE_HELD", "{first} then {second}");
        }
    }
    assert_eq!(rules.policy.lanes.autopick, texts(&["docs", "api", "src"]));
}

#[test]
fn invariant_4_readers_share_a_lane_that_no_writer_gets() {
    let mut declared = crate::values::lanes(&[("src", &["src/**"]), ("audit", &["src/api/**"])]);
    declared.shared = vec!["audit".to_string()];
    let policy = dos_core::lane::Policy::of_lanes(declared);
    let reader = |lane: &str, holder: &str| {
        let mut reading = acquire(lane, holder);
        reading.request.shared = true;
        Command::Acquire(reading)
    };
    let mut live = LiveSet::default();
    let first = granted(run(&mut live, &reader("src", "p"), &after(0), &policy));
    assert_eq!(first.lease.object()["mode"], "shared");
    granted(run(&mut live, &reader("SRC", "q"), &after(1), &policy));
    granted(run(&mut live, &Command::Acquire(acquire("audit", "r")), &after(2), &policy));
    granted(run(&mut live, &Command::Acquire(acquire("audit", "s")), &after(3), &policy));
    for lane in ["src", "SRC", "hot"] {
        let mut writing = acquire(lane, "w");
        writing.request.tree = crate::values::tree(&["src/api/x.rs"]);
        let refusal = refused(run(&mut live, &Command::Acquire(writing), &after(4), &policy));
        assert!(refusal.explain(after(4).now).contains("p reads src"), "{refusal:?}");
    }
    assert_eq!(live.len(), 4);
    // Each reader gives back what is its own, and then a writer keeps readers out.
    for (lane, holder) in [("src", "q"), ("audit", "r"), ("src", "p"), ("audit", "s")] {
        let release = Command::Release(claim(lane, holder));
        let done = run(&mut live, &release, &after(5), &policy).outcome;
        assert!(matches!(done, Outcome::Done(_)), "{done:?}");
    }
    granted(run(&mut live, &Command::Acquire(acquire("src", "w")), &after(6), &policy));
    refused(run(&mut live, &reader("src", "p"), &after(7), &policy));
    refused(run(&mut live, &Command::Acquire(acquire("audit", "r")), &after(7), &policy));
}

#[test]
fn invariant_4_whoever_does_not_say_that_he_reads_writes() {
    let policy = policy(&[("src", &["src/**"])]);
    for mode in ["\"exclusive\"", "\"Shared\"", "true", "null", "[\"shared\"]"] {
        let mode: serde_json::Value = serde_json::from_str(mode).unwrap();
        let held = serde_json::json!({
            "lane": "x", "loop_ts": "t", "tree": ["src/a"], "mode": mode,
            "acquired_at": "2026-01-10T12:00:00Z",
        });
        let mut live = crate::values::live_set(&[held]);
        let mut reading = acquire("src", "p");
        reading.request.shared = true;
        refused(run(&mut live, &Command::Acquire(reading), &after(0), &policy));
    }
}

#[test]
fn invariant_4_an_exclusive_lane_is_not_picked_beside_a_live_one() {
    let mut lanes = crate::values::lanes(&[("src", &["src/**"]), ("solo", &["solo/**"])]);
    lanes.concurrent = vec!["src".to_string()];
    lanes.exclusive = vec!["solo".to_string()];
    lanes.autopick = vec!["src".to_string(), "solo".to_string()];
    let policy = dos_core::lane::Policy::of_lanes(lanes);
    let mut live = LiveSet::default();
    let first = granted(run(&mut live, &Command::Acquire(acquire("", "p")), &after(0), &policy));
    assert_eq!(first.lease.lane(), "src");
    refused(run(&mut live, &Command::Acquire(acquire("", "q")), &after(1), &policy));
    // Nor is it offered to somebody who is refused.
    let held = Command::Acquire(acquire("src", "q"));
    let refusal = refused(run(&mut live, &held, &after(1), &policy));
    assert!(refusal.free_lanes.is_empty(), "{:?}", refusal.free_lanes);
    run(&mut live, &Command::Release(claim("src", "p")), &after(2), &policy);
    refused_or_granted_alone(&mut live, &policy);
}

/// With nothing live the walk may take either lane, and then no other.
fn refused_or_granted_alone(live: &mut LiveSet, policy: &dos_core::lane::Policy) {
    granted(run(live, &Command::Acquire(acquire("solo", "p")), &after(3), policy));
    refused(run(live, &Command::Acquire(acquire("", "q")), &after(4), policy));
}

#[test]
fn a_name_without_a_mark_is_no_work_tree() {
    let of = |id: Option<&str>| lease(serde_json::json!({"worktree": "/r/one", "worktree_id": id}));
    for unmarked in [None, Some("one@")] {
        let by_place = of(unmarked);
        assert_eq!(by_place.work_tree().unwrap().id, None);
        assert!(by_place.works_in("/r/one", Some("one@12")) && by_place.works_in("/r/one", None));
        assert!(!by_place.works_in("/r/two", Some("one@")));
    }
    let marked = of(Some("one@12"));
    assert!(marked.works_in("/r/two", Some("one@12")));
    assert!(!marked.works_in("/r/one", Some("one@34")) && !marked.works_in("/r/one", Some("one@")));
}
