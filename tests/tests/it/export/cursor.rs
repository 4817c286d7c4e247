//! How far an export has come, for each transport and destination.

use std::fs;

use dos_tests::receivers::{Does, Peer};

use super::{append, exported, recorded, rows};
use crate::empty;

#[test]
fn each_destination_has_a_cursor_of_its_own() {
    let env = recorded(5);
    env.dos("export --to file --path a.jsonl --since auto").exits(0);
    append(&env, "{\"seq\":6}\n");
    env.dos("export --to file --path b.jsonl --since auto").exits(0).prints("6 rows");
    env.dos("export --to file --path a.jsonl --since auto").exits(0).prints("1 row ");
    assert_eq!(exported(&env, "a.jsonl"), exported(&env, "b.jsonl"));
    env.dos("export --to file --path ./a.jsonl --since auto").exits(0).prints("nothing new");
}

#[test]
fn a_cursor_of_the_original_is_gone_on_from_and_written() {
    let env = recorded(5);
    env.write(".dos/export-cursor.file", "3\n");
    env.dos("export --to file --path a.jsonl --since auto").exits(0).prints("2 rows");
    assert_eq!(exported(&env, "a.jsonl"), [4, 5]);
    let plain = || fs::read_to_string(env.path(".dos/export-cursor.file")).unwrap();
    assert_eq!(plain(), "5\n");
    // A second destination has not had those rows, whatever the file says.
    env.dos("export --to file --path b.jsonl --since auto").exits(0).prints("5 rows");
    append(&env, "{\"seq\":6}\n");
    env.dos("export --to file --path b.jsonl --since auto").exits(0);
    assert_eq!(plain(), "5\n", "the lowest of both");
    env.dos("export --to file --path a.jsonl --since auto").exits(0);
    assert_eq!(plain(), "6\n");
}

#[test]
fn following_from_a_number_leaves_nothing_out_later() {
    let env = recorded(5);
    let follow = "export --to file --path a.jsonl --follow --follow-max 1";
    env.dos(&format!("{follow} --since 3")).exits(0);
    assert_eq!(exported(&env, "a.jsonl"), [4, 5]);
    env.dos(follow).exits(0);
    assert_eq!(exported(&env, "a.jsonl"), [4, 5, 1, 2, 3, 4, 5]);
}

#[test]
fn a_cursor_of_another_journal_is_an_error() {
    let env = recorded(5);
    env.write(".dos/export-cursor.file", "900\n");
    let refused = env.dos("export --to file --path a.jsonl --since auto");
    refused.exits(2).says("900").says("ends at 5").says(".dos/export-cursor.file");
    assert_eq!(exported(&env, "a.jsonl"), [0; 0]);
    fs::remove_file(env.path(".dos/export-cursor.file")).unwrap();
    env.dos("export --to file --path a.jsonl --since auto").exits(0).prints("5 rows");
}

#[test]
fn a_cursor_that_cannot_be_read_is_an_error() {
    let env = recorded(5);
    env.dos("export --to file --path a.jsonl --since auto").exits(0);
    let ours = env
        .tree()
        .into_iter()
        .find(|name| name.starts_with(".dos/export-cursor.file.") && name.split('.').count() == 4);
    let ours = ours.unwrap();
    let good = fs::read_to_string(env.path(&ours)).unwrap();
    append(&env, "{\"seq\":6}\n");
    for bad in ["", "\n", "5\n", "{}", "\u{0}", &good.replace("seq", "qes"), &good[..40]] {
        env.write(&ours, bad);
        let refused = env.dos("export --to file --path a.jsonl --since auto");
        refused.exits(2).says(&ours).says("hint: ");
    }
    env.write(&ours, &good);
    env.dos("export --to file --path a.jsonl --since auto").exits(0).prints("1 row ");
    assert_eq!(exported(&env, "a.jsonl"), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_place_that_is_gone_is_said_so() {
    let env = recorded(5);
    let export = "export --to file --path a.jsonl --since auto";
    env.dos(export).exits(0);
    let other = rows(2).replace("verify", "other");
    env.write(".dos/verdict-journal.jsonl", other);
    env.dos(export).exits(1).says("not in the verdict journal any more").prints("2 rows");
    env.dos(export).exits(0).prints("nothing new");
}

#[test]
fn two_exports_to_one_destination_do_not_send_twice() {
    let peer = Peer::start();
    peer.plan(&[Does::Take, Does::Hang]);
    let mut env = recorded(20);
    env.set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", peer.port));
    env.set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    let first = env.start("export --to otlp --since auto --batch 8");
    dos_tests::poll_until("it hangs", std::time::Duration::from_secs(20), || {
        (peer.requests().len() == 2).then_some(())
    });
    let second = env.dos("export --to otlp --since auto");
    second.exits(4).says("another export to http://127.0.0.1");
    // Elsewhere is none of its business.
    env.dos("export --to file --path a.jsonl --since auto").exits(0).prints("20 rows");
    first.kill();
    env.dos("export --to otlp --since auto").exits(0).prints("12 rows");
    assert_eq!(peer.numbers(), (1..=20).collect::<Vec<i64>>());
}

#[test]
fn following_goes_on_where_it_ended_and_stops_when_told() {
    let env = recorded(3);
    let follow = "export --to file --path a.jsonl --follow --follow-interval 0 --json";
    let follower = env.start(follow);
    let until = |count: usize| {
        dos_tests::poll_until("rows arrive", std::time::Duration::from_secs(20), || {
            (exported(&env, "a.jsonl").len() == count).then_some(())
        });
    };
    until(3);
    append(&env, "{\"seq\":4}\n");
    until(4);
    follower.signal("TERM");
    let ended = follower.finish();
    let lines = ended.exits(0).json_lines();
    let sent: i64 = lines.iter().map(|line| line["result"]["exported"].as_i64().unwrap()).sum();
    assert_eq!(sent, 4);
    append(&env, "{\"seq\":5}\n");
    env.dos(&format!("{follow} --follow-max 2")).exits(0);
    assert_eq!(exported(&env, "a.jsonl"), [1, 2, 3, 4, 5]);
}

#[test]
fn what_is_recorded_until_the_signal_comes_is_still_brought() {
    let env = recorded(3);
    let follower =
        env.start("export --to file --path a.jsonl --follow --follow-interval 100 --batch 3");
    dos_tests::poll_until("rows arrive", std::time::Duration::from_secs(20), || {
        (exported(&env, "a.jsonl").len() == 3).then_some(())
    });
    append(&env, &(4..=40).map(|seq| format!("{{\"seq\":{seq}}}\n")).collect::<String>());
    follower.signal("INT");
    follower.finish().exits(0);
    assert_eq!(exported(&env, "a.jsonl"), (1..=40).collect::<Vec<i64>>());
}

#[test]
fn one_time_exports_remember_nothing() {
    let env = recorded(5);
    env.dos("export --to file --path a.jsonl").exits(0).prints("5 rows");
    env.dos("export --to file --path a.jsonl --since 3").exits(0).prints("2 rows");
    env.dos("export --to file --path a.jsonl --tail 1").exits(0).prints("1 row ");
    assert_eq!(exported(&env, "a.jsonl"), [1, 2, 3, 4, 5, 4, 5, 5]);
    assert!(!env.tree().iter().any(|name| name.contains("export-cursor")));
    env.dos("export --to file --path b.jsonl --since auto --dry-run").exits(0).prints("5 rows");
    assert!(!env.tree().iter().any(|name| name.contains("export-cursor") || name == "b.jsonl"));
    let none = empty();
    none.dos("export --to file --path a.jsonl --since auto").exits(0).prints("nothing new");
}

#[test]
fn a_variable_moves_the_cursor() {
    let mut env = recorded(5);
    env.set("DISPATCH_EXPORT_CURSOR_PATH", "elsewhere/cursor");
    fs::create_dir(env.path("elsewhere")).unwrap();
    env.dos("export --to file --path a.jsonl --since auto").exits(0).prints("5 rows");
    assert_eq!(fs::read_to_string(env.path("elsewhere/cursor.file")).unwrap(), "5\n");
    env.dos("export --to file --path a.jsonl --since auto").exits(0).prints("nothing new");
}
