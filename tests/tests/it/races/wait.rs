//! `--wait`: a lane is had as soon as it is free, and not longer waited for than was said.

use std::process::Command;
use std::time::Duration;

use dos_tests::{Running, TestEnv, now_millis, poll_until, stamp, stopwatch};
use serde_json::json;

use crate::{API_WEB, configured, empty, field, live_lanes};

/// A workspace whose lane `api` is held by `a`.
fn held() -> TestEnv {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    env
}

/// Somebody who waits for the lane `api`, and already sleeps.
fn waiter(env: &TestEnv, owner: &str, wait: &str) -> Running {
    let waiter = env.start(&format!("lease-lane acquire --lane api --owner {owner} --wait {wait}"));
    waiter.until_it_watches();
    waiter
}

#[test]
fn a_waiter_gets_the_lane_right_after_its_release() {
    let mut took: Vec<Duration> = (0..5)
        .map(|_| {
            let env = held();
            let waiting = waiter(&env, "b", "30s");
            env.dos("lease-lane release --lane api --owner a").exits(0);
            let watch = stopwatch();
            let granted = waiting.finish();
            let took = watch.elapsed();
            assert_eq!(granted.exits(0).json()["owner"], "b");
            assert_eq!(
                env.operations(),
                ["ACQUIRE", "RELEASE", "ACQUIRE"],
                "no refusal on the way"
            );
            took
        })
        .collect();
    took.sort();
    // The middle one: the machine may be busy with other tests.
    assert!(took[2] < Duration::from_millis(200), "took {took:?}");
}

#[test]
fn a_waiter_gets_the_lane_of_a_process_that_is_killed() {
    let env = configured(API_WEB);
    let mut command = Command::new("sleep");
    command.arg("300");
    let holder = Running::start(command);
    env.dos(&format!("lease-lane acquire --lane api --owner a --pid {}", holder.pid())).exits(0);
    let mut waiting = waiter(&env, "b", "30s");
    assert!(waiting.is_running());
    holder.kill();
    let watch = stopwatch();
    let granted = waiting.finish().exits(0).json();
    assert!(watch.elapsed() < Duration::from_secs(2), "took {:?}", watch.elapsed());
    assert_eq!(granted["scavenged"][0]["holder"], "a");
    assert_eq!(env.operations(), ["ACQUIRE", "SCAVENGE", "ACQUIRE"]);
}

#[test]
fn a_waiter_gets_the_lane_when_its_holder_lapses() {
    let env = empty();
    let (ttl, grace) = (60_000, 300_000);
    let since = now_millis() - ttl - grace + 1500;
    let lease = json!({
        "lane": "main", "loop_ts": "t", "tree": ["**/*"], "holder": "silent",
        "acquired_at": stamp(since), "ttl_minutes": 1,
    });
    let record = json!({"op": "ACQUIRE", "lane": "main", "loop_ts": "t", "lease": lease});
    env.write_journal(format!("{record}\n"));
    assert_eq!(live_lanes(&env), ["main"]);
    let watch = stopwatch();
    let granted = env.dos("lease-lane acquire --lane main --owner b --wait 30s").exits(0).json();
    assert!(watch.elapsed() < Duration::from_secs(4), "took {:?}", watch.elapsed());
    assert_eq!(granted["scavenged"][0]["holder"], "silent");
}

#[test]
fn a_lane_goes_to_one_of_two_waiters_and_the_other_goes_on_waiting() {
    let env = held();
    let mut waiting = vec![("b", waiter(&env, "b", "30s")), ("c", waiter(&env, "c", "30s"))];
    env.dos("lease-lane release --lane api --owner a").exits(0);
    let first = poll_until("one of two waiters has the lane", Duration::from_secs(10), || {
        waiting.iter_mut().position(|(_, running)| !running.is_running())
    });
    let (winner, output) = waiting.remove(first);
    output.finish().exits(0);
    let (loser, mut other) = waiting.remove(0);
    assert_eq!(field(&env.dos("lease-lane live").exits(0).json(), "holder"), [winner]);
    other.until_it_watches();
    assert!(other.is_running());
    env.dos(&format!("lease-lane release --lane api --owner {winner}")).exits(0);
    other.finish().exits(0);
    assert_eq!(field(&env.dos("lease-lane live").exits(0).json(), "holder"), [loser]);
    assert!(!env.operations().contains(&"REFUSE".to_string()));
}

#[test]
fn a_waiter_is_refused_once_its_time_has_passed() {
    let env = held();
    let watch = stopwatch();
    let refused = env.dos("lease-lane acquire --lane api --owner b --wait 300ms");
    let took = watch.elapsed();
    let answer = refused.exits(1).json();
    assert_eq!(answer["reason_class"], "LANE_HELD");
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(3), "took {took:?}");
    assert_eq!(env.operations(), ["ACQUIRE", "REFUSE"]);
    assert_eq!(env.records()[1]["holder"], "b");
    // No time at all is one try.
    env.dos("lease-lane acquire --lane api --owner b --wait 0").exits(1);
    assert_eq!(env.operations(), ["ACQUIRE", "REFUSE", "REFUSE"]);
}

#[test]
fn a_waiter_is_not_woken_into_an_answer_by_what_others_write() {
    let env = held();
    let mut waiting = waiter(&env, "b", "30s");
    for _ in 0..20 {
        env.dos("lease-lane heartbeat --lane api --owner a").exits(0);
    }
    env.dos("lease-lane acquire --lane web --owner w").exits(0);
    env.dos("journal compact").exits(0);
    assert!(waiting.is_running());
    env.dos("lease-lane release --lane api --owner a").exits(0);
    waiting.finish().exits(0);
}

#[test]
fn a_waiter_gets_the_lane_of_a_workspace_that_is_compacted() {
    let env = held();
    // The journal is another file from now on: a watch on the old one would see nothing.
    let waiting = waiter(&env, "b", "30s");
    env.dos("journal compact").exits(0);
    let watch = stopwatch();
    env.dos("lease-lane release --lane api --owner a").exits(0);
    waiting.finish().exits(0);
    assert!(watch.elapsed() < Duration::from_secs(2), "took {:?}", watch.elapsed());
}

#[test]
fn waiting_for_a_lane_that_does_not_exist_ends_with_the_time() {
    let env = configured(API_WEB);
    let refused = env.dos("lease-lane acquire --lane nosuch --owner b --wait 200ms");
    assert_eq!(refused.exits(1).json()["reason_class"], "UNKNOWN_LANE");
}

#[test]
fn a_wrong_question_is_told_before_a_wait() {
    let env = held();
    let ask = ["lease-lane", "acquire", "--lane", "api", "--wait", "3s"];
    for wrong in [&["--owner", "a "][..], &["--owner", ""], &["--owner", "b", "--ttl-minutes", "0"]]
    {
        let watch = stopwatch();
        env.run(ask.iter().chain(wrong)).exits(2);
        let took = watch.elapsed();
        assert!(took < Duration::from_secs(1), "{wrong:?} was found out after {took:?}");
    }
}

#[test]
fn a_beat_for_a_process_that_is_gone_is_no_beat() {
    let env = configured(API_WEB);
    let mut holder = Command::new("sleep").arg("60").spawn().unwrap();
    let lane = "api";
    env.dos(&format!("lease-lane acquire --lane {lane} --owner a --pid {}", holder.id())).exits(0);
    env.dos(&format!("lease-lane heartbeat --lane {lane} --owner a")).exits(0);
    holder.kill().unwrap();
    holder.wait().unwrap();
    env.dos(&format!("lease-lane heartbeat --lane {lane} --owner a")).exits(1);
    let released = env.dos(&format!("lease-lane release --lane {lane} --owner b")).exits(1).json();
    assert_eq!(released["reason"], "nobody holds it");
}
