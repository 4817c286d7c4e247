//! Exit codes: what `exit-codes` lists is what the verbs answer.

use std::collections::BTreeSet;
use std::fs::{self, File};

use dos_tests::{Running, TestEnv};
use serde_json::Value;

use crate::{API_WEB, configured, empty};

/// One answer that a verb is brought to give.
struct Case {
    verb: &'static str,
    arguments: &'static str,
    token: &'static str,
}

const fn case(verb: &'static str, arguments: &'static str, token: &'static str) -> Case {
    Case { verb, arguments, token }
}

/// In a workspace where `a` holds `api` under the token 1 and has the archive lock, and a `ghost`
/// was never heard of again.
const CASES: &[Case] = &[
    case("arbitrate", "--lane web", "acquire"),
    case("arbitrate", "--lane api", "refuse"),
    case("arbitrate", "--leases x", "contract_error"),
    case("attest", "--claim k --accept-cmd true --key-file one.json", "confirmed"),
    case("attest", "--claim k --accept-cmd false --key-file one.json", "refuted"),
    case("attest", "--claim k --accept-cmd nosuch --key-file one.json", "unwitnessed"),
    case("attest", "--claim k --accept-cmd true", "contract_error"),
    case("attest-key", "new.pem", "written"),
    case("attest-key", "one.json", "contract_error"),
    case("exec-capability", "--command ls", "BOUNDED"),
    case("exec-capability", "--command A=1", "EMPTY"),
    case("exec-capability", "--command sh", "GRANTS_ARBITRARY_EXEC"),
    case("exec-capability", "", "contract_error"),
    case("export", "", "delivered"),
    case("export", "--to statsd --port 1 --retry-for 0", "not_delivered"),
    case("export", "--since x", "contract_error"),
    case("forget", ".", "forgotten"),
    case("forget", "nosuch", "unknown"),
    case("forget", "", "contract_error"),
    case("halt", "--handle h", "recorded"),
    case("halt", "", "contract_error"),
    case("hook marker", "--max-markers -1", "answered"),
    case("hook marker", "--dialect nosuch", "miswired"),
    case("hook posttool", "", "answered"),
    case("hook posttool", "--loop", "miswired"),
    case("hook pretool", "--workspace nosuch", "answered"),
    case("hook pretool", "--nosuch", "miswired"),
    case("hook stop", "--dialect whatever --nosuch", "answered"),
    case("journal verify", "", "intact"),
    case("journal verify", "--nosuch", "contract_error"),
    case("journal compact", "", "done"),
    case("journal compact", "--nosuch", "contract_error"),
    case("lanes", "", "shown"),
    case("lanes", "--nosuch", "contract_error"),
    case("learn", "lane-refusals", "counted"),
    case("learn", "nosuch", "contract_error"),
    case("lease acquire", "a", "acquired"),
    case("lease acquire", "b --retries 0", "busy"),
    case("lease acquire", "", "contract_error"),
    case("lease release", "a", "done"),
    case("lease release", "", "contract_error"),
    case("lease-lane acquire", "--lane web --owner b", "acquire"),
    case("lease-lane acquire", "--lane api --owner b", "refuse"),
    case("lease-lane acquire", "--lane api", "contract_error"),
    case("lease-lane adopt", "--lane api --owner b --from a", "adopted"),
    case("lease-lane adopt", "--lane api --owner b", "not_adopted"),
    case("lease-lane adopt", "--lane api", "contract_error"),
    case("lease-lane check", "--lane api --token 1", "live"),
    case("lease-lane check", "--lane api --token 2", "not_live"),
    case("lease-lane check", "--lane api", "contract_error"),
    case("lease-lane heartbeat", "--lane api --owner a", "beat"),
    case("lease-lane heartbeat", "--lane api --owner b", "not_held"),
    case("lease-lane heartbeat", "--lane api", "contract_error"),
    case("lease-lane reap", "--lane ghost", "reaped"),
    case("lease-lane reap", "--lane api", "nothing_dead"),
    case("lease-lane reap", "--nosuch", "contract_error"),
    case(
        "liveness",
        "--run-id RID-1M89PYD52D6YY80 --last-heartbeat-age-ms 0 --now-ms 1795622384802",
        "ADVANCING",
    ),
    case(
        "liveness",
        "--run-id RID-1M89PYD52D6YY80 --last-heartbeat-age-ms 0 --now-ms 1795722384802",
        "SPINNING",
    ),
    case("liveness", "--run-id RID-1M89PYD52D6YY80", "STALLED"),
    case("liveness", "--run-id x", "contract_error"),
    case("loop", "", "planned"),
    case("loop", "--target x", "contract_error"),
    case("lease-lane release", "--lane api --owner a", "released"),
    case("lease-lane release", "--lane api --owner b", "not_held"),
    case("lease-lane release", "--lane api", "contract_error"),
    case("lease-lane spawn", "--lane api", "recorded"),
    case("lease-lane spawn", "", "contract_error"),
    case("lint", "", "clean"),
    case("lint", "--workspace nosuch", "contract_error"),
    case("observe", "", "shown"),
    case("observe", "--by nosuch", "contract_error"),
    case("notify", "--url http://127.0.0.1:1 --on stalls", "told"),
    case("notify", "--url http://127.0.0.1:1 --on refusals --retry-for 0", "not_told"),
    case("notify", "", "contract_error"),
    case("overlap", "a --with b", "disjoint"),
    case("overlap", "a/** --with a", "meet"),
    case("overlap", "[ --with a", "contract_error"),
    case("projects", "", "listed"),
    case("projects", "--nosuch", "contract_error"),
    case("reap", "", "done"),
    case("reap", "--nosuch", "contract_error"),
    case("reindex", "", "done"),
    case("reindex", "--nosuch", "contract_error"),
    case("run", "--lane api -- true", "refuse"),
    case("run", "--lane api", "contract_error"),
    case("run-id show", "run", "shown"),
    case("run-id show", "nosuch", "missing"),
    case("snapshot list", "", "intact"),
    case("snapshot list", "--nosuch", "contract_error"),
    case("snapshot show", "one.json", "shown"),
    case("snapshot show", "nosuch", "unwitnessed"),
    case("snapshot show", "", "contract_error"),
    case("snapshot take", "s --from one.json", "taken"),
    case("snapshot take", "kept --from one.json", "name_taken"),
    case("snapshot take", "s --from nosuch", "unwitnessed"),
    case("snapshot take", "a/b --from one.json", "contract_error"),
    case("state-diff", "k --before run/run.json --after one.json", "confirmed"),
    case("state-diff", "k --before one.json --after one.json", "refuted"),
    case("state-diff", "k --before nosuch --after one.json", "unwitnessed"),
    case("state-diff", "k --before one.json", "contract_error"),
    case("state-diff", "=1 --before one.json", "contract_error"),
    case("top", "", "shown"),
    case("top", "--interval 0", "contract_error"),
    case("verify-receipt", "--receipt receipt.json --key-file secret", "valid"),
    case("verify-receipt", "--receipt receipt.json --key-file one.json", "invalid"),
    case("verify-receipt", "--receipt one.json --key-file secret", "contract_error"),
    case("watch", "--track RID-1M89PYD52D6YY80", "watched"),
    case("watch", "", "contract_error"),
];

/// The table that the binary prints.
fn table(env: &TestEnv) -> Value {
    env.dos("exit-codes --json").exits(0).json()
}

fn held() -> TestEnv {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    env.dos("lease acquire a").exits(0);
    env.write("run/run.json", "{}");
    env.write("one.json", "{\"k\": 1}");
    env.write("secret", "s");
    env.write(".dos/verdict-journal.jsonl", "{\"seq\": 1, \"verdict\": \"REFUSE\"}\n");
    let signed = env.dos("attest --claim k --accept-cmd true --key-file secret --json");
    env.write("receipt.json", &signed.exits(0).stdout);
    env.dos("snapshot take kept --from one.json").exits(0);
    // Silent for years.
    let ghost = concat!(
        r#"{"op": "ACQUIRE", "lane": "ghost", "loop_ts": "g", "seq": 2, "lease": {"#,
        r#""lane": "ghost", "loop_ts": "g", "acquired_at": "2020-01-01T00:00:00Z"}}"#,
        "\n"
    );
    env.write_journal([env.journal(), ghost.into()].concat());
    env
}

#[test]
fn the_verbs_answer_with_the_codes_of_the_table() {
    let table = table(&empty());
    for Case { verb, arguments, token } in CASES {
        let env = held();
        let listed = table[verb][token].as_i64();
        let code = env.dos(&format!("{verb} {arguments}")).no_panic().code;
        assert_eq!(code.map(i64::from), listed, "{verb} {arguments}: {token}");
    }
    let env = empty();
    env.write_journal("bad\n");
    let code = env.dos("journal verify").code.map(i64::from);
    assert_eq!(code, table["journal verify"]["corrupt"].as_i64());
    env.write("dos.toml", "[lanes]\nautopick = [\"nosuch\"]\n");
    let code = env.dos("lint").code.map(i64::from);
    assert_eq!(code, table["lint"]["findings"].as_i64());
    std::fs::remove_file(env.path("dos.toml")).unwrap();
    env.write_lock("ghost", std::time::Duration::ZERO);
    let busy = env.dos("lease-lane acquire --lane main --owner a --retries 0");
    assert_eq!(busy.code.map(i64::from), table["lease-lane acquire"]["lock_busy"].as_i64());
}

#[test]
fn the_table_has_nothing_that_is_not_tried_here() {
    let tried: BTreeSet<(&str, &str)> = CASES.iter().map(|case| (case.verb, case.token)).collect();
    // The busy lock of the other writers is in `l11`, a corrupt journal and findings above, an empty
    // claim in `s06`, a changed snapshot beside the others.
    let elsewhere = ["lock_busy", "corrupt", "findings", "no_claim", "changed"];
    // Verbs that have tests of their own.
    let later = ["doctor", "quickstart", "init", "supervise"];
    let table = table(&empty());
    let mut missing = Vec::new();
    for (verb, codes) in table.as_object().unwrap() {
        for token in codes.as_object().unwrap().keys() {
            let known = tried.contains(&(verb.as_str(), token.as_str()))
                || elsewhere.contains(&token.as_str())
                || later.iter().any(|name| verb.starts_with(name))
                || (verb == "run-id show" && token == "contract_error");
            if !known {
                missing.push(format!("{verb}: {token}"));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_part_of_the_table_can_be_asked_for() {
    let env = empty();
    let part = env.dos("exit-codes lease-lane --json").exits(0).json();
    assert!(part.as_object().unwrap().keys().all(|verb| verb.starts_with("lease-lane ")), "{part}");
    let text = env.dos("exit-codes arbitrate");
    assert_eq!(text.exits(0).stdout.lines().next(), Some("dos arbitrate"));
    env.dos("exit-codes nosuch").exits(2).says("nosuch").says("arbitrate");
}

#[test]
fn every_busy_answer_is_in_the_table() {
    let env = held();
    // Somebody holds the guards of the archive lock and of the overrides, and does not let go.
    fs::create_dir_all(env.path(".dos/decisions")).unwrap();
    let guards: Vec<File> =
        [".dos/leases/.archive.lock.guard", ".dos/decisions/resolved.jsonl.guard"]
            .map(|name| File::create(env.path(name)).unwrap())
            .into();
    for guard in &guards {
        guard.lock().unwrap();
    }
    let table = table(&env);
    let asked: Vec<(&str, Running)> = [
        ("lease acquire", "lease acquire b"),
        ("lease release", "lease release a"),
        ("arbitrate", "arbitrate --lane api --force"),
    ]
    .map(|(verb, command)| (verb, env.start(command)))
    .into();
    let mut unlisted = Vec::new();
    for (verb, running) in asked {
        let output = running.finish();
        let codes: Vec<i64> = match table[verb].as_object() {
            Some(codes) => codes.values().filter_map(Value::as_i64).collect(),
            None => Vec::new(),
        };
        let code = output.no_panic().code.map(i64::from).unwrap();
        if !codes.contains(&code) {
            unlisted.push(format!("{verb}: {code}"));
        }
    }
    assert_eq!(unlisted, [""; 0], "exit codes that `exit-codes` does not list");
}

#[test]
fn a_wrong_question_is_told_before_a_busy_lock() {
    let env = held();
    env.write_lock("ghost", std::time::Duration::ZERO);
    for owner in ["", "a ", "a\nb"] {
        let arguments = ["lease-lane", "acquire", "--lane", "web", "--retries", "0", "--owner"];
        env.run(arguments.into_iter().chain([owner])).exits(2).says("owner");
    }
}

#[test]
fn an_error_tells_its_cause_once() {
    let env = empty();
    fs::create_dir_all(env.journal_path()).unwrap();
    let output = env.dos("journal seq");
    let first = output.exits(2).stderr.lines().next().unwrap_or_default().to_string();
    let cause = first.rsplit(": ").next().unwrap();
    assert_eq!(first.matches(cause).count(), 1, "{first:?}");
}
