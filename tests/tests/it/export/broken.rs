//! Against a collector that does all that a collector should not.

use std::net::TcpListener;

use dos_tests::TestEnv;
use dos_tests::receivers::{Does, Peer, free_port};
use serde_json::Value;

use super::{append, recorded, rows};
use crate::empty;

const COUNT: i64 = 20;

/// A workspace that exports in JSON to this collector.
fn exporting(peer: &Peer) -> TestEnv {
    let mut env = recorded(COUNT);
    env.set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", peer.port));
    env.set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    env.set("OTEL_EXPORTER_OTLP_TIMEOUT", "400");
    env
}

/// The number that the export would go on from.
fn reached(env: &TestEnv) -> i64 {
    let dry = env.dos("export --to otlp --since auto --dry-run --json").exits(0).json();
    dry["since"].as_i64().unwrap()
}

/// All rows have come at least once, in order.
#[track_caller]
fn all_came(peer: &Peer, count: i64) {
    let mut seen = std::collections::BTreeSet::new();
    let first: Vec<i64> = peer.numbers().into_iter().filter(|seq| seen.insert(*seq)).collect();
    assert_eq!(first, (1..=count).collect::<Vec<i64>>());
}

#[test]
fn what_may_pass_is_tried_again_until_it_does() {
    for plan in [
        Does::Answer(429, ""),
        Does::Answer(429, "Retry-After: 0\r\n"),
        Does::Answer(502, ""),
        Does::Answer(503, ""),
        Does::Answer(504, ""),
        Does::Hang,
        Does::ResetWhileReading,
        Does::ResetWhileAnswering,
    ] {
        let peer = Peer::start();
        peer.plan(&[Does::Take, plan, plan]);
        let env = exporting(&peer);
        let done = env.dos("export --to otlp --since auto --batch 8 --retry-for 30s --json");
        let done = done.exits(0).json();
        assert_eq!((&done["result"]["exported"], &done["pending"]), (&20.into(), &0.into()));
        all_came(&peer, COUNT);
        assert_eq!(reached(&env), COUNT, "{plan:?}");
        let again = if matches!(plan, Does::ResetWhileAnswering) { 16 } else { 0 };
        assert_eq!(peer.numbers().len() as i64, COUNT + again, "{plan:?}: nothing else came twice");
    }
}

#[test]
fn the_cursor_stays_before_what_was_not_acknowledged() {
    for plan in [
        Does::Answer(400, ""),
        Does::Answer(401, ""),
        Does::Answer(404, ""),
        Does::Answer(500, ""),
        Does::Answer(301, "Location: /elsewhere\r\n"),
        Does::Answer(503, ""),
        Does::Answer(429, "Retry-After: 3600\r\n"),
        Does::TakeSaying("<html>hello</html>"),
        Does::Hang,
        Does::ResetWhileReading,
        Does::ResetWhileAnswering,
    ] {
        let peer = Peer::start();
        peer.plan(&[Does::Take, plan]);
        let env = exporting(&peer);
        let failed = env.dos("export --to otlp --since auto --batch 8 --retry-for 0 --json");
        failed.exits(1);
        let answer = failed.json();
        assert_eq!((&answer["result"]["exported"], &answer["pending"]), (&8.into(), &12.into()));
        assert_eq!(reached(&env), 8, "{plan:?}");
        env.dos("export --to otlp --since auto").exits(0).prints("12 rows delivered");
        all_came(&peer, COUNT);
    }
}

#[test]
fn who_asks_for_an_hour_is_not_asked_again_at_once() {
    let peer = Peer::start();
    peer.plan(&[Does::Answer(429, "Retry-After: 3600\r\n")]);
    let env = exporting(&peer);
    env.dos("export --to otlp --since auto").exits(1).says("3600 s").prints("answered 429");
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn nobody_there_is_said_so() {
    let port = free_port();
    let mut env = recorded(COUNT);
    env.set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"));
    let refused = env.dos("export --to otlp --since auto --retry-for 0");
    refused.exits(1).prints("Connection refused").prints("20 not");
    env.dos("export --to otlp --endpoint http://name.invalid --retry-for 0").exits(1);
    let statsd = format!("export --to statsd --port {port} --since auto --retry-for 0");
    env.dos(&statsd).exits(1).prints("nobody listens");
    let dry = env.dos(&format!("{statsd} --json --dry-run")).exits(0).json();
    assert_eq!((&dry["since"], &dry["pending"]), (&0.into(), &20.into()));
    // Somebody comes while it is tried again.
    let exporter = env.start("export --to otlp --since auto --retry-for 30s");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let taker = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut stream = listener.accept().unwrap().0;
        let mut buffer = [0; 65536];
        let mut request = Vec::new();
        let is_whole = |request: &[u8]| {
            let text = String::from_utf8_lossy(request);
            let length = text
                .find("content-length: ")
                .and_then(|at| text[at + 16..].split("\r\n").next()?.parse::<usize>().ok());
            let head = request.windows(4).position(|four| four == b"\r\n\r\n");
            matches!((length, head), (Some(length), Some(head)) if request.len() >= head + 4 + length)
        };
        while !is_whole(&request) {
            let count = stream.read(&mut buffer).unwrap();
            request.extend(&buffer[..count]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    exporter.finish().exits(0).prints("20 rows delivered");
    taker.join().unwrap();
}

#[test]
fn what_was_rejected_is_counted_and_not_sent_again() {
    let peer = Peer::start();
    let rejected = r#"{"partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "too old"}}"#;
    peer.plan(&[Does::TakeSaying(rejected)]);
    let env = exporting(&peer);
    let partial = env.dos("export --to otlp --since auto --json");
    let answer: Value = partial.exits(1).says("rejected 3").says("too old").json();
    assert_eq!((&answer["rejected"], &answer["pending"]), (&3.into(), &0.into()));
    env.dos("export --to otlp --since auto").exits(0).prints("nothing new");
    assert_eq!(peer.requests().len(), 1);
    let warned = r#"{"partialSuccess": {"errorMessage": "a warning"}}"#;
    peer.plan(&[Does::TakeSaying(warned)]);
    append(&env, &rows(1));
    env.dos("export --to otlp --since auto").exits(0).says("a warning");
}

#[test]
fn what_is_too_large_is_sent_in_pieces() {
    let peer = Peer::start();
    peer.plan(&[Does::Answer(413, ""), Does::Answer(413, ""), Does::Take]);
    let env = exporting(&peer);
    env.dos("export --to otlp --since auto").exits(0).prints("20 rows delivered");
    assert_eq!(peer.numbers(), (1..=COUNT).collect::<Vec<i64>>());
    assert_eq!(peer.requests().len(), 2 + 4);
    // A row by itself that is too large holds the export up, and is not passed over.
    append(&env, &rows(1));
    peer.plan(&[Does::Answer(413, "")]);
    env.dos("export --to otlp --since auto").exits(1).prints("1 not");
}

#[test]
fn what_came_of_a_batch_in_pieces_does_not_come_again() {
    let peer = Peer::start();
    // Nothing with row 8 in it is taken: pieces of 20, 10, 5, then 5, 2, 2, 1.
    let large = Does::Answer(413, "");
    peer.plan(&[large, large, Does::Take, large, Does::Take, large, large]);
    let env = exporting(&peer);
    env.dos("export --to otlp --since auto").exits(1).prints("7 rows delivered, 13 not");
    assert_eq!(peer.numbers(), (1..=7).collect::<Vec<i64>>());
    assert_eq!(reached(&env), 7);
    env.dos("export --to otlp --since auto").exits(0).prints("13 rows delivered");
    assert_eq!(peer.numbers(), (1..=COUNT).collect::<Vec<i64>>());
}

#[test]
fn a_look_that_was_cut_short_is_not_called_complete() {
    let peer = Peer::start();
    peer.plan(&[Does::TakeAfter(400); 20]);
    let mut env = exporting(&peer);
    env.set("OTEL_EXPORTER_OTLP_TIMEOUT", "20000");
    let cut = env.dos("export --to otlp --follow --follow-max 1 --batch 1");
    let left = COUNT - reached(&env);
    assert!(left > 0);
    cut.exits(1).prints(&format!("{left} not yet"));
    // The same after a signal: what does not go at once is left.
    append(&env, &rows(COUNT));
    peer.plan(&[Does::TakeAfter(400); 20]);
    let before = peer.requests().len();
    let follower = env.start("export --to otlp --follow --batch 1");
    dos_tests::poll_until("it exports", std::time::Duration::from_secs(20), || {
        (peer.requests().len() > before).then_some(())
    });
    follower.signal("TERM");
    follower.finish().exits(1).prints("not yet");
}

#[test]
fn who_asked_for_an_hour_is_left_alone_after_a_signal() {
    let peer = Peer::start();
    peer.plan(&[Does::Answer(429, "Retry-After: 3600\r\n")]);
    let env = exporting(&peer);
    let follower = env.start("export --to otlp --follow");
    dos_tests::poll_until("it asks", std::time::Duration::from_secs(20), || {
        (!peer.requests().is_empty()).then_some(())
    });
    follower.signal("TERM");
    follower.finish().exits(1).prints("20 not");
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn the_last_rows_go_in_batches_as_well() {
    let peer = Peer::start();
    let env = exporting(&peer);
    env.dos("export --to otlp --tail 10 --batch 4").exits(0).prints("10 rows delivered");
    assert_eq!(peer.requests().len(), 3);
    assert_eq!(peer.numbers(), (11..=COUNT).collect::<Vec<i64>>());
}

#[test]
fn secrets_go_to_no_collector_that_the_repository_has_chosen() {
    let peer = Peer::start();
    let mut env = recorded(COUNT);
    env.write(".env", format!("DOS_OTLP_ENDPOINT=http://127.0.0.1:{}\n", peer.port));
    env.set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    env.dos("export --to otlp").exits(0);
    env.set("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret");
    let refused = env.dos("export --to otlp");
    refused.exits(2).says("OTEL_EXPORTER_OTLP_HEADERS is not sent").says("--endpoint");
    assert_eq!(peer.requests().len(), 1);
    let endpoint = format!("http://127.0.0.1:{}", peer.port);
    env.run(["export", "--to", "otlp", "--endpoint", &endpoint]).exits(0);
    assert_eq!(peer.requests()[1].headers["api-key"], "secret");
}

#[test]
fn logs_and_metrics_at_one_url_have_a_cursor_each() {
    let peer = Peer::start();
    let mut env = exporting(&peer);
    let url = format!("http://127.0.0.1:{}/in", peer.port);
    env.set("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", &url);
    env.set("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &url);
    env.dos("export --to otlp --since auto").exits(0).prints("20 rows");
    env.dos("export --to otlp --signal metrics --since auto").exits(0).prints("20 rows");
}

#[test]
fn what_is_no_collector_is_asked_once() {
    let peer = Peer::start();
    peer.plan(&[Does::TakeSaying("<html>hello</html>")]);
    let env = exporting(&peer);
    env.dos("export --to otlp --since auto").exits(1).prints("is it a collector?");
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn headers_and_paths_are_those_of_the_variables() {
    let peer = Peer::start();
    let mut env = exporting(&peer);
    env.set("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b,x-team=core");
    env.set("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", format!("http://127.0.0.1:{}/in/logs", peer.port));
    env.dos("export --to otlp").exits(0);
    env.dos("export --to otlp --signal metrics").exits(0);
    let requests = peer.requests();
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/in/logs", "/v1/metrics"]);
    for request in &requests {
        assert_eq!(request.headers["api-key"], "a b");
        assert_eq!(request.headers["x-team"], "core");
        assert_eq!(request.headers["content-type"], "application/json");
        assert!(request.headers["user-agent"].starts_with("dos/"));
    }
}

#[test]
fn without_curl_there_is_no_tls_and_a_way_out_is_named() {
    let mut env = recorded(COUNT);
    env.set("PATH", "/nowhere");
    env.set("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:1");
    env.dos("export --to otlp").exits(1).prints("curl").prints("over http");
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    for (name, value, said) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "http://HOST:PORT"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret", "NAME=VALUE"),
    ] {
        let mut env = empty();
        env.set(name, value);
        let refused = env.dos("export --to otlp");
        refused.exits(2).says(said);
        assert!(!refused.stderr.contains("secret"), "{refused:#?}");
    }
    let env = empty();
    env.dos("export --to file").exits(2).says("--path");
    env.dos("export --to file --path .").exits(2).says("is a folder");
    env.dos("export --to statsd --host unix://x").exits(2).says("unix:///PATH");
    env.dos("export --to statsd --metric a:b").exits(2).says("no name of a metric");
    env.dos("export --to nosuch").exits(2).says("dos-export-NAME");
    env.dos("export --to ../x").exits(2).says("no name of a transport");
    env.dos("export --to file --path x -- more").exits(2).says("takes no arguments");
    env.dos("export --batch 0").exits(2);
    env.dos("export --follow-interval -1").exits(2);
    env.dos("export --follow-interval 1e19").exits(2).says("longer than a year");
    env.dos("export --to file --path x --rotate 0").exits(2).says("--rotate");
    env.dos("notify --dry-run --follow").exits(2);
    env.write(".env", "# settings\nDOS_STATSD_PORT = x\n");
    env.dos("export --to statsd").exits(2).says("is no port");
    assert_eq!(
        env.tree().iter().filter(|name| name.contains(".dos")).count(),
        0,
        "nothing written"
    );
}
