//! News for a webhook.

use std::fs;

use dos_tests::TestEnv;
use dos_tests::receivers::{Does, Peer};
use serde_json::Value;

use super::append;
use crate::{API_WEB, configured, empty};

fn row(seq: i64, syscall: &str, verdict: &str, lane: &str) -> String {
    format!(
        "{{\"seq\":{seq},\"ts\":\"2026-01-10T12:00:00Z\",\"syscall\":\"{syscall}\",\"verdict\":\"{verdict}\",\"lane\":\"{lane}\"}}\n"
    )
}

fn with_news() -> TestEnv {
    let env = empty();
    let rows = [
        row(1, "arbitrate", "refuse", "api"),
        row(2, "arbitrate", "refuse", "api"),
        row(3, "liveness", "ADVANCING", "web"),
        row(4, "liveness", "STALLED", "web"),
        row(5, "halt", "HALT", "<!channel> & co"),
    ];
    env.write(".dos/verdict-journal.jsonl", rows.concat());
    env
}

fn bodies(peer: &Peer) -> Vec<Value> {
    peer.requests().iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect()
}

#[test]
fn all_news_are_one_message_and_told_once() {
    let env = with_news();
    let peer = Peer::start();
    let notify = format!("notify --url http://127.0.0.1:{}/hook --every 0", peer.port);
    env.dos(&notify).exits(0).prints("told http://127.0.0.1");
    let told = bodies(&peer);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["severity"], "URGENT");
    let title = told[0]["title"].as_str().unwrap();
    assert!(title.starts_with("1 stall, 1 halt, 2 refusals in "), "{title}");
    assert_eq!(told[0]["fields"].as_array().unwrap().len(), 3);
    let text = told[0]["text"].as_str().unwrap();
    assert!(text.contains("arbitrate refuse, lane api (2 times)"), "{text}");
    env.dos(&notify).exits(0).prints("no news");
    // The same again is no news, another lane is.
    append(&env, &row(6, "arbitrate", "refuse", "api"));
    env.dos(&notify).exits(0).prints("no news");
    append(&env, &row(7, "arbitrate", "refuse", "docs"));
    env.dos(&notify).exits(0).prints("told");
    let told = bodies(&peer);
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[1]["severity"], told[1]["fields"].as_array().unwrap().len()),
        (&"WARN".into(), 1)
    );
    // After a while it is news again.
    append(&env, &row(8, "arbitrate", "refuse", "api"));
    env.dos(&format!("{notify} --repeat-after 0")).exits(0).prints("told");
}

#[test]
fn messages_are_held_back_and_none_is_lost() {
    let env = with_news();
    let peer = Peer::start();
    let notify = format!("notify --url http://127.0.0.1:{}/hook", peer.port);
    env.dos(&notify).exits(0).prints("told");
    append(&env, &row(6, "arbitrate", "refuse", "docs"));
    env.dos(&notify).exits(0).prints("held for");
    append(&env, &row(7, "arbitrate", "refuse", "web"));
    env.dos(&notify).exits(0).prints("held for");
    env.dos(&format!("{notify} --every 0")).exits(0).prints("told");
    let told = bodies(&peer);
    assert!(told[1]["title"].as_str().unwrap().starts_with("2 refusals in "), "{}", told[1]);
}

#[test]
fn a_message_that_was_not_taken_is_sent_again() {
    let env = with_news();
    let peer = Peer::start();
    let notify = format!("notify --url http://127.0.0.1:{}/hook --retry-for 0", peer.port);
    for plan in [
        Does::Answer(500, ""),
        Does::Answer(429, ""),
        Does::ResetWhileReading,
        Does::ResetWhileAnswering,
    ] {
        peer.plan(&[plan]);
        env.dos(&notify).exits(1).prints("not told");
    }
    peer.plan(&[Does::Answer(503, ""), Does::Take]);
    env.dos(&notify.replace("--retry-for 0", "--retry-for 30s")).exits(0).prints("told");
    env.dos(&notify).exits(0).prints("no news");
    let answer = env.dos(&format!("{notify} --json")).exits(0).json();
    assert_eq!(answer["result"]["delivered"], false);
}

#[test]
fn a_webhook_that_asks_for_an_hour_is_not_asked_again_at_the_next_look() {
    let env = with_news();
    let peer = Peer::start();
    peer.plan(&[Does::Answer(429, "Retry-After: 3600\r\n")]);
    let url = format!("http://127.0.0.1:{}", peer.port);
    let follower = env.spawn(["notify", "--follow", "--every", "0", "--url", &url]);
    dos_tests::poll_until("it asks", std::time::Duration::from_secs(20), || {
        (!peer.requests().is_empty()).then_some(())
    });
    // Longer than the pause between two looks.
    std::thread::sleep(std::time::Duration::from_secs(3));
    follower.signal("TERM");
    follower.finish().exits(1).prints("answered 429");
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn what_one_choice_passes_over_is_news_for_another() {
    let env = with_news();
    let peer = Peer::start();
    let notify = format!("notify --url http://127.0.0.1:{}/hook --every 0", peer.port);
    env.dos(&format!("{notify} --on stalls")).exits(0).prints("told");
    env.dos(&format!("{notify} --on refusals,halts")).exits(0).prints("told");
    env.dos(&format!("{notify} --on halts,refusals")).exits(0).prints("no news");
    assert_eq!(bodies(&peer)[1]["fields"].as_array().unwrap().len(), 2);
}

#[test]
fn a_token_goes_to_no_webhook_of_the_repository_and_never_to_slack() {
    let mut env = with_news();
    let peer = Peer::start();
    let url = format!("http://127.0.0.1:{}", peer.port);
    env.set("DOS_WEBHOOK_TOKEN", "secret");
    env.write(".env", format!("DOS_WEBHOOK_URL={url}\nDOS_SLACK_WEBHOOK_URL={url}\n"));
    let refused = env.dos("notify");
    refused.exits(2).says("DOS_WEBHOOK_TOKEN is not sent").says("--url");
    assert!(peer.requests().is_empty());
    env.dos("notify --to slack").exits(0).prints("told");
    env.run(["notify", "--url", &url]).exits(0).prints("told");
    let sent = peer.requests();
    assert!(!sent[0].headers.contains_key("authorization"));
    assert_eq!(sent[1].headers["authorization"], "Bearer secret");
}

#[test]
fn slack_gets_text_that_calls_nobody() {
    let mut env = with_news();
    let peer = Peer::start();
    env.set("DOS_SLACK_WEBHOOK_URL", format!("http://127.0.0.1:{}/services/SECRET", peer.port));
    let told = env.dos("notify --to slack");
    told.exits(0);
    let body = bodies(&peer).remove(0);
    let text = body["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(text.contains("&lt;!channel&gt; &amp; co"), "{text}");
    assert!(body["text"].as_str().unwrap().starts_with("[URGENT] 1 stall"), "{body}");
    let files: String = env
        .tree()
        .iter()
        .filter(|name| name.contains("export-cursor"))
        .map(|name| fs::read_to_string(env.path(name)).unwrap())
        .collect();
    for said in [&told.stdout, &told.stderr, &files] {
        assert!(!said.contains("SECRET"), "{said}");
    }
    assert!(files.contains("told"), "{files}");
}

#[test]
fn it_tells_of_what_verbs_record_while_it_follows() {
    let mut env = configured(API_WEB);
    env.set("DISPATCH_OBSERVE", "1");
    let peer = Peer::start();
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    let url = format!("http://127.0.0.1:{}", peer.port);
    let follower = env.spawn(["notify", "--follow", "--every", "0", "--url", &url]);
    env.dos("lease-lane acquire --lane api --owner b").exits(1);
    dos_tests::poll_until("it is told", std::time::Duration::from_secs(20), || {
        (!peer.requests().is_empty()).then_some(())
    });
    follower.signal("TERM");
    follower.finish().exits(0);
    let told = bodies(&peer).remove(0);
    assert!(told["text"].as_str().unwrap().contains("arbitrate refuse, lane api"), "{told}");
}

#[test]
fn what_to_tell_of_can_be_chosen_and_seen_first() {
    let env = with_news();
    let seen = env.dos("notify --dry-run --on stalls").exits(0).json();
    assert_eq!(seen["fields"].as_array().unwrap().len(), 1);
    let seen = env.dos("notify --to slack --dry-run").exits(0).json();
    assert_eq!(seen["blocks"].as_array().unwrap().len(), 2);
    assert!(!env.tree().iter().any(|name| name.contains("export-cursor")));
    env.dos("notify").exits(2).says("DOS_WEBHOOK_URL");
    env.dos("notify --to slack").exits(2).says("DOS_SLACK_WEBHOOK_URL");
    env.dos("notify --on nothing").exits(2);
}
