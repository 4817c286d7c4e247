//! What a crew does at one look: who is ended, and who is not.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::*;
use crate::fleet::liveness::{Progress, classify};
use crate::lane::Lease;
use crate::lane::vitality::Death;

const NOW: i64 = 1_768_046_400_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW + millis).unwrap()
}

/// A crew with one worker, `RID-1` on lane `api`, that was started so long ago.
fn crew(age: i64) -> Crew {
    let process = ProcessId { pid: 7, start: 9, boot: "b/1".to_string() };
    let (run_id, lane) = ("RID-1".to_string(), "api".to_string());
    let mut crew = Crew::default();
    let started = Event::Started { run_id, lane, process, at: at(-age) };
    crew.apply(&started, &WorkerPolicy::default());
    crew
}

/// A holder that was last heard of so long ago.
fn holder(fields: Value, silent: i64, death: Option<Death>) -> Holder {
    let mut object = json!({"lane": "api", "loop_ts": "t", "tree": ["api/**"]});
    let stamp = json!({"acquired_at": at(-silent).to_string()});
    for more in [fields, stamp] {
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    let progress = Progress {
        run_started_ms: NOW - 3_600_000,
        now_ms: NOW,
        commits_since_start: 0,
        journal_events_since: 0,
        last_heartbeat_age_ms: (silent >= 0).then_some(silent),
        process_alive: None,
    };
    Holder {
        worktree: None,
        lease: Lease::from_object(object.as_object().unwrap().clone()),
        verdict: classify(&progress, &LivenessPolicy::default()),
        death,
        last_commit: None,
    }
}

fn look(crew: &mut Crew, holders: Vec<Holder>) -> Vec<Effect> {
    look_after(crew, holders, None)
}

/// The same, where the lane was given back so long ago.
fn look_after(crew: &mut Crew, holders: Vec<Holder>, given_back: Option<i64>) -> Vec<Effect> {
    look_where(crew, holders, given_back, None)
}

fn view(holders: Vec<Holder>, given_back: Option<i64>, taken: Option<i64>) -> FleetView {
    let given_back = given_back.map(|age| ("api".to_string(), at(-age)));
    let taken = taken.map(|age| ("RID-1".to_string(), at(-age)));
    FleetView {
        now: at(0),
        host: "here".to_string(),
        holders,
        intents: vec![],
        given_back: given_back.into_iter().collect(),
        taken: taken.into_iter().collect(),
        notices: vec![],
        commits: vec![],
    }
}

/// The same, where the worker took a lane so long ago.
fn look_where(
    crew: &mut Crew,
    holders: Vec<Holder>,
    given_back: Option<i64>,
    taken: Option<i64>,
) -> Vec<Effect> {
    let view = view(holders, given_back, taken);
    let policy = Policy::of_lanes(crate::lane::Lanes::default());
    let rules = Rules {
        policy: &policy,
        supervise: &SupervisePolicy::default(),
        liveness: &LivenessPolicy::default(),
        worker: &WorkerPolicy::default(),
    };
    crew.step(Input::Look(&view), &rules).effects
}

fn asked(effects: &[Effect]) -> Option<Why> {
    effects.iter().find_map(|effect| match effect {
        Effect::Ask { why, .. } => Some(*why),
        _ => None,
    })
}

const OWN: &str = r#"{"run_id": "RID-1"}"#;

fn own() -> Value {
    serde_json::from_str(OWN).unwrap()
}

#[test]
fn a_silent_worker_is_asked_to_end() {
    let hour = 3_600_000;
    assert_eq!(asked(&look(&mut crew(hour), vec![holder(own(), hour, None)])), Some(Why::Stalled));
    assert_eq!(asked(&look(&mut crew(hour), vec![holder(own(), 0, None)])), None);
}

#[test]
fn a_worker_whose_lease_has_lapsed_is_asked_to_end() {
    let lapsed = Death::Lapsed { silent_millis: 3_600_000, ttl_millis: 60_000 };
    let holders = vec![holder(own(), 3_600_000, Some(lapsed))];
    assert_eq!(asked(&look(&mut crew(3_600_000), holders)), Some(Why::Stalled));
}

#[test]
fn nobody_is_ended_for_a_clock_that_was_wrong() {
    let holders = vec![holder(own(), -60_000, None)];
    assert_eq!(holders[0].liveness(), Liveness::Stalled);
    assert_eq!(asked(&look(&mut crew(3_600_000), holders)), None);
}

#[test]
fn a_worker_that_took_no_lane_is_asked_to_end_unless_somebody_holds_it() {
    let hour = 3_600_000;
    assert_eq!(asked(&look(&mut crew(hour), vec![])), Some(Why::NeverStarted));
    assert_eq!(asked(&look(&mut crew(1000), vec![])), None);
    let named = json!({"holder": "agent-api"});
    assert_eq!(asked(&look(&mut crew(hour), vec![holder(named, 0, None)])), None);
}

#[test]
fn the_next_supervisor_knows_that_a_worker_has_held_its_lane() {
    let mut first = crew(3_600_000);
    let effects = look(&mut first, vec![holder(own(), 0, None)]);
    let held = Event::Held { run_id: "RID-1".to_string(), at: at(0) };
    assert!(effects.contains(&Effect::Record(held.clone())), "{effects:?}");
    assert!(!look(&mut first, vec![holder(own(), 0, None)]).contains(&Effect::Record(held)));
    let mut next = Crew::default();
    let standing = first.standing_for();
    standing.iter().for_each(|event| next.apply(event, &WorkerPolicy::default()));
    assert_eq!(next.standing_for(), standing);
    assert_eq!(asked(&look(&mut next, vec![])), None, "it held and gave back");
}

#[test]
fn a_worker_that_gave_its_lane_back_and_runs_on_is_asked_to_end() {
    let hour = 3_600_000;
    let held = |age: i64| Event::Held { run_id: "RID-1".to_string(), at: at(-age) };
    let after = |age: i64, holders, given_back| {
        let mut crew = crew(hour);
        crew.apply(&held(age), &WorkerPolicy::default());
        asked(&look_after(&mut crew, holders, given_back))
    };
    assert_eq!(after(hour, vec![], None), Some(Why::Idle));
    assert_eq!(after(1000, vec![], None), None);
    // Between two looks somebody has held the lane.
    assert_eq!(after(hour, vec![], Some(1000)), None);
    assert_eq!(after(hour, vec![], Some(hour / 2)), Some(Why::Idle));
    assert_eq!(asked(&look_after(&mut crew(hour), vec![], Some(1000))), None);
    assert_eq!(asked(&look_after(&mut crew(hour), vec![], Some(hour))), Some(Why::NeverStarted));
    // It has taken another lane between two looks.
    assert_eq!(asked(&look_where(&mut crew(hour), vec![], None, Some(1000))), None);
    assert_eq!(asked(&look_where(&mut crew(hour), vec![], None, Some(hour))), Some(Why::Idle));
    // What was recorded by a clock that was wrong holds only until now.
    let mut crew = crew(hour);
    assert_eq!(asked(&look_after(&mut crew, vec![], Some(-hour))), None);
    assert_eq!(crew.workers().next().unwrap().last_held, at(0));
}

#[test]
fn a_lease_of_a_run_that_the_worker_has_started_is_the_workers() {
    let hour = 3_600_000;
    let of_child =
        json!({"lane": "web", "holder": "agent", "run_id": "RID-2", "parent_id": "RID-1"});
    let holders = |silent| vec![holder(of_child.clone(), silent, None)];
    assert_eq!(asked(&look(&mut crew(hour), holders(hour))), Some(Why::Stalled));
    assert_eq!(asked(&look(&mut crew(hour), holders(0))), None);
}

#[test]
fn who_runs_alone_waits_for_a_lane_that_rests_and_is_told() {
    let lanes = crate::lane::Lanes {
        concurrent: vec!["api".to_string()],
        exclusive: vec!["release".to_string()],
        ..Default::default()
    };
    let policy = Policy::of_lanes(lanes);
    let rules = Rules {
        policy: &policy,
        supervise: &SupervisePolicy { target: 1, ..SupervisePolicy::default() },
        liveness: &LivenessPolicy::default(),
        worker: &WorkerPolicy::default(),
    };
    let plan = |until| {
        let mut crew = Crew::default();
        let rest = Rest { deaths: 1, until };
        let rests = Event::Rests { lane: "api".to_string(), rest };
        crew.apply(&rests, &WorkerPolicy::default());
        crew.plan(&view(vec![], None, None), &rules).0
    };
    let lanes = |plans: &[LanePlan]| plans.iter().map(|plan| plan.lane.clone()).collect::<Vec<_>>();
    let waiting = plan(at(1));
    assert_eq!(
        (lanes(&waiting.spawn), lanes(&waiting.flag)),
        (vec![], vec!["release".to_string()])
    );
    assert!(waiting.flag[0].reason.contains("waits for api"), "{:?}", waiting.flag);
    let rested = plan(at(0));
    assert_eq!((lanes(&rested.spawn), lanes(&rested.flag)), (vec!["api".to_string()], vec![]));
}

#[test]
fn nobody_is_ended_for_a_machine_that_slept() {
    let hour = 3_600_000;
    let spin = LivenessPolicy::default().spin_ms;
    let looked_after = |ticks: &[i64], holders| {
        let mut crew = crew(hour);
        ticks.iter().for_each(|before| crew.tick(at(-before)));
        asked(&look(&mut crew, holders))
    };
    let silent = || vec![holder(own(), hour, None)];
    for (holders, why) in [(silent(), Why::Stalled), (vec![], Why::NeverStarted)] {
        assert_eq!(looked_after(&[NAP_MS], holders.clone()), Some(why));
        assert_eq!(looked_after(&[NAP_MS + 1], holders), None, "{why:?}");
    }
    // It has had its time since then.
    let woke = |ago: i64| {
        let ticks = (0..=ago).rev().step_by(NAP_MS as usize);
        [hour].into_iter().chain(ticks).collect::<Vec<i64>>()
    };
    assert_eq!(looked_after(&woke(spin), silent()), Some(Why::Stalled));
    assert_eq!(looked_after(&woke(spin - 1), silent()), None);
    // A clock that went forward and back again gives nobody more time than he has.
    let start = WorkerPolicy::default().start_ms;
    let back = |ago: i64| [vec![hour, -24 * hour], woke(ago).split_off(1)].concat();
    assert_eq!(looked_after(&back(start - 1), vec![]), None);
    assert_eq!(looked_after(&back(start), vec![]), Some(Why::NeverStarted));
}

#[test]
fn a_machine_that_slept_takes_nothing_of_the_time_to_end() {
    let mut crew = crew(3_600_000);
    let before = NAP_MS + WorkerPolicy::default().stop_ms;
    crew.workers.values_mut().for_each(|worker| worker.asked = Some(at(-before)));
    crew.tick(at(-before));
    let effects = look(&mut crew, vec![]);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Kill { .. })), "{effects:?}");
}
