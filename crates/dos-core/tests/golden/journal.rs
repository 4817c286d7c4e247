//! Replay, compaction, sequence numbers, framing, the bytes of a line, the constructors.

use dos_core::journal::compaction;
use dos_core::journal::decode::{Line, decode_line, object_of, split_line};
use dos_core::journal::entry::{self, About, NewHolder, Record};
use dos_core::journal::live_set::{LiveSet, replay};
use dos_core::json::Object;
use dos_core::lane::Lease;
use dos_core::lane::lease::ProcessId;
use serde_json::{Value, json};

use crate::check;

fn journal_of(input: &Value) -> Vec<u8> {
    let entries = input["entries"].as_array().unwrap();
    let lines = entries.iter().map(|entry| Record::from_object(entry.as_object().unwrap().clone()));
    lines.map(|record| record.line()).collect::<String>().into_bytes()
}

fn leases(live: &LiveSet) -> Value {
    live.leases().map(|lease| Value::Object(lease.object().clone())).collect()
}

#[test]
fn replay_gives_the_live_set() {
    check("replay", |input| json!({"live": leases(&replay(&journal_of(input)))}));
}

#[test]
fn compact_gives_a_checkpoint_and_the_corrupt_records() {
    check("compact", |input| {
        let records = compaction::compact(&journal_of(input));
        json!({"entries": records.iter().map(Record::object).collect::<Vec<_>>()})
    });
}

#[test]
fn next_seq_is_one_above_the_highest() {
    check("next_seq", |input| json!({"next_seq": replay(&journal_of(input)).next_seq()}));
}

#[test]
fn read_all_frames_lines() {
    check("read_all", |input| {
        let mut rest = input["text"].as_str().unwrap().as_bytes();
        let mut entries = Vec::new();
        let mut number = 0;
        let mut take = |line: &[u8], complete, number| match decode_line(line, complete) {
            Line::Entry(_) => entries.push(object_of(line).unwrap()),
            Line::Corrupt => entries.push(entry::corrupt(line, number).object().clone()),
            Line::Blank | Line::Foreign | Line::Torn => {}
        };
        while let Some((line, after)) = split_line(rest) {
            take(line, true, number);
            number += 1;
            rest = after;
        }
        take(rest, false, number);
        json!({"entries": entries})
    });
}

#[test]
fn append_line_has_canonical_bytes() {
    check(
        "append_line",
        |input| json!({"line": Record::from_object(input["entry"].as_object().unwrap().clone()).line()}),
    );
}

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap_or_default()
}

fn about(input: &Value) -> About<'_> {
    About {
        lane: text(input, "lane"),
        loop_ts: text(input, "loop_ts"),
        host: input["host_id"].as_str(),
        run_id: input["run_id"].as_str(),
    }
}

#[test]
fn constructors_build_the_records() {
    check("entry_builders", |input| {
        let mut fields: Object = input["lease"].as_object().cloned().unwrap_or_default();
        for name in ["run_id", "children"] {
            let given = input[name].clone();
            let there = fields.get(name).cloned().unwrap_or(Value::Null);
            let value = if given.is_null() { there } else { given };
            // An empty list of children or an empty run id is none.
            let empty = value == json!([]) || value == json!("");
            if text(input, "builder") == "acquire_entry" && !value.is_null() && !empty {
                fields.insert(name.to_string(), value);
            }
        }
        let lease = Lease::from_object(fields);
        let about = about(input);
        let reason = input["reason"].as_str();
        let record = match text(input, "builder") {
            "acquire_entry" => {
                let digest = input["env_digest"].as_str().filter(|digest| !digest.is_empty());
                entry::acquire(&lease, reason.unwrap_or(""), input["prev_holder"].as_str())
                    .with("env_digest", digest.map(Value::from))
            }
            "release_entry" => entry::release(&lease, reason.unwrap_or("explicit")),
            "heartbeat_entry" => entry::heartbeat(&lease, input["heartbeat_at"].as_str()),
            "scavenge_entry" => {
                let reason = reason.unwrap_or("scavenged");
                entry::scavenge(&lease, reason, input["prev_holder"].as_str())
            }
            "adopt_entry" => {
                let process = input["new_pid"].as_u64().map(|pid| ProcessId {
                    pid: u32::try_from(pid).unwrap(),
                    start: 0,
                    boot: String::new(),
                });
                let to = NewHolder {
                    holder: text(input, "new_holder"),
                    process,
                    host: text(input, "new_host_id"),
                    token: None,
                    worktree: None,
                };
                let record =
                    entry::adopt(&lease, &to, text(input, "heartbeat_at"), reason.unwrap_or(""));
                let mut object = record.object().clone();
                // The original knows no start times; ours always writes them with a pid.
                object.remove("pid_start");
                object.remove("pid_boot");
                Record::from_object(object)
            }
            "refuse_entry" => {
                let decision = &input["decision"];
                let lane = if about.lane.is_empty() { text(decision, "lane") } else { about.lane };
                let about = About { lane, ..about };
                let class = text(input, "reason_class");
                entry::refuse(&about, text(input, "owner"), text(decision, "reason"), class)
            }
            "halt_entry" => {
                let command = input["command"].as_str();
                entry::halt(&about, text(input, "handle"), reason.unwrap_or(""), command)
            }
            "spawn_entry" => {
                let pid = input["pid"].as_u64().map(|pid| u32::try_from(pid).unwrap());
                entry::spawn(&about, text(input, "holder"), pid, reason.unwrap_or(""))
            }
            "attempt_entry" => {
                entry::attempt(&about, text(input, "unit_id"), text(input, "outcome"))
            }
            "enforce_entry" => {
                let proposal = input["proposal"].as_object().cloned().unwrap_or_default();
                entry::enforce(&about, text(input, "owner"), text(input, "tool"), &proposal)
            }
            "checkpoint_entry" => {
                let leases = input["leases"].as_array().unwrap().iter();
                let leases: Vec<Lease> =
                    leases.map(|l| Lease::from_object(l.as_object().unwrap().clone())).collect();
                let watermark = input["seq_watermark"].as_u64().unwrap();
                entry::checkpoint(leases.iter(), watermark)
            }
            other => panic!("no builder {other}"),
        };
        json!({"entry": record.object()})
    });
}
