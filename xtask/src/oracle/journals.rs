//! Random journals: what do both read in the same bytes?

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::Case;
use super::rng::Rng;
use super::tally::{Explanation, Mismatch, Tally};
use super::world::World;

type Object = Map<String, Value>;

const LANES: [&str; 7] = ["api", "docs", "Web", "straße", "global", "a b", "x\u{2028}y"];
const LOOPS: [&str; 5] = ["L1", "L2", "2026-01-02T03:04:05Z", "", "ü"];
const OPS: [&str; 13] = [
    "ACQUIRE",
    "RELEASE",
    "HEARTBEAT",
    "SCAVENGE",
    "REFUSE",
    "RECONCILE",
    "HALT",
    "ENFORCE",
    "ADOPT",
    "ATTEMPT",
    "SPAWN",
    "CHECKPOINT",
    "_CORRUPT",
];
const CORRUPT: [&str; 14] = [
    "{\"op\": \"ACQUIRE\", \"lane\":",
    "not json",
    "{'op': 'ACQUIRE'}",
    "{\"a\": 1,}",
    "[1, 2",
    "{\"seq\": 01}",
    "{\"a\":1}{\"b\":2}",
    "{\"a\":1} x",
    "nul",
    "\"open",
    "{\"a\" 1}",
    "{",
    "{\"lane\": \"api\", \"op\": RELEASE}",
    "{\"a\": \"\t\"}",
];
const FOREIGN: [&str; 6] = ["5", "[]", "\"x\"", "null", "true", "[{\"op\": \"RELEASE\"}]"];

/// Compares one random journal; `sample` asks the original's command line too.
pub fn run(
    world: &mut World,
    tally: &mut Tally,
    rng: &mut Rng,
    case: &Case<'_>,
) -> anyhow::Result<Result<(), Box<Mismatch>>> {
    let text = journal(rng, case);
    let count = [-1, 0, 1, 2, 3, 5, 20, 1000][rng.below(8)];
    let mut ours = answers_of(world, tally, case, "ours", &text, count, true)?;
    // The history that the original drops goes somewhere here, and the answer says where.
    let compacted = ours["compact"].as_object_mut();
    if compacted.is_some_and(|answer| answer.remove("archived").is_some()) {
        tally.explain(Explanation::Archive);
    }
    let plain = asked(world, case, "plain", &text, count, false)?;
    if case.sample {
        let said = answers_of(world, tally, case, "sample", &text, count, false)?;
        let input = json!({"journal": text, "count": count});
        let check = tally.compare("the driver is not the command line", &input, &plain, &said);
        if check.is_err() {
            return Ok(check);
        }
    }
    let read = Readings::of(&text);
    let mut expected = asked(world, case, "meant", &read.state, count, true)?;
    let listed = asked(world, case, "listed", &read.listing, count, true)?;
    expected["tail"] = listed["tail"].clone();
    if !read.explanations.is_empty() {
        // The bytes that a rewriting adds are not there to be reclaimed.
        expected["compact"]["bytes_reclaimed"] = ours["compact"]["bytes_reclaimed"].clone();
    }
    if expected != plain {
        read.explanations.iter().for_each(|one| tally.explain(*one));
    }
    Ok(compare(tally, &json!({"journal": text, "tail": count}), &ours, &expected))
}

fn compare(
    tally: &mut Tally,
    input: &Value,
    ours: &Value,
    expected: &Value,
) -> Result<(), Box<Mismatch>> {
    for part in ["replay", "seq", "tail", "compact"] {
        let what = format!("journal {part}");
        tally.compare(&what, input, &ours[part], &expected[part])?;
    }
    for part in ["replay", "seq", "tail"] {
        let what = format!("journal compact, then {part}");
        tally.compare(&what, input, &ours["after"][part], &expected["after"][part])?;
    }
    Ok(())
}

/// What the original's functions say.
fn asked(
    world: &mut World,
    case: &Case<'_>,
    name: &str,
    text: &str,
    count: i64,
    escape: bool,
) -> anyhow::Result<Value> {
    let journal = put(&case.folder.join(name), text)?;
    world.ask(json!({"journal": journal, "count": count, "escape": escape}), "journal")
}

fn put(workspace: &Path, text: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace.join(".dos");
    std::fs::create_dir_all(&folder)?;
    let journal = folder.join("lane-journal.jsonl");
    std::fs::write(&journal, text).context("failed to write a journal")?;
    Ok(journal)
}

/// What one of the command lines says, in the form of the driver's answer.
fn answers_of(
    world: &World,
    tally: &mut Tally,
    case: &Case<'_>,
    name: &str,
    text: &str,
    count: i64,
    ours: bool,
) -> anyhow::Result<Value> {
    let workspace = case.folder.join(name);
    put(&workspace, text)?;
    let mut say = |words: &[&str]| {
        let mut arguments = vec!["journal".to_string()];
        arguments.extend(words.iter().map(|word| (*word).to_string()));
        if ours {
            return world.ours(&workspace, &arguments);
        }
        tally.both_command_lines += 1;
        world.original(&workspace, &arguments)
    };
    let count = count.to_string();
    // A negative number has to stand behind `--` in the original's command line.
    let tail: &[&str] = if ours { &["tail", &count] } else { &["tail", "--", &count] };
    Ok(json!({
        "replay": say(&["replay"])?.json(),
        "seq": say(&["seq"])?.json(),
        "tail": say(tail)?.lines(),
        "compact": say(&["compact"])?.json(),
        "after": {
            "replay": say(&["replay"])?.json(),
            "seq": say(&["seq"])?.json(),
            "tail": say(&["tail", "0"])?.lines(),
        },
    }))
}

/// The text of a random journal.
fn journal(rng: &mut Rng, case: &Case<'_>) -> String {
    let mut text = String::new();
    if rng.chance(4) {
        text.push('\u{feff}');
    }
    let end = if rng.chance(5) { "\r\n" } else { "\n" };
    for seq in 0..[0, 1, 3, 8, 20, 60][rng.weighted(&[2, 6, 20, 40, 25, 7])] {
        text.push_str(&line(rng, case, seq + 1));
        text.push_str(end);
    }
    match rng.below(20) {
        0 => text.push_str(&rng.text(&CORRUPT)),
        1 => text.push_str(&line(rng, case, 99)),
        2 => text.push_str("   "),
        3 => text.push_str(&rng.text(&FOREIGN)),
        4 => {
            text.push_str(&rng.text(&CORRUPT));
            text.push('\n');
        }
        _ => {}
    }
    text
}

fn line(rng: &mut Rng, case: &Case<'_>, seq: u64) -> String {
    match rng.below(100) {
        0..4 => rng.text(&CORRUPT),
        4..6 => rng.text(&FOREIGN),
        6..9 => rng.text(&["", "  ", "\t"]),
        9 => {
            // A repeated field counts with its last value.
            let record = Value::Object(record(rng, case, seq));
            let record = written(rng, &record);
            format!("{{\"op\": \"RELEASE\", \"lane\": \"nowhere\", \"seq\": 3, {}", &record[1..])
        }
        _ => {
            let record = Value::Object(record(rng, case, seq));
            let text = written(rng, &record);
            if rng.chance(3) { format!("  {text}\t ") } else { text }
        }
    }
}

/// Compact as others write, or spaced as the two programs write.
fn written(rng: &mut Rng, value: &Value) -> String {
    match rng.below(3) {
        0 => value.to_string(),
        1 => escaped(&spaced(value)),
        _ => spaced(value),
    }
}

fn spaced(value: &Value) -> String {
    let quoted = |text: &String| Value::String(text.clone()).to_string();
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(spaced).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}: {}", quoted(key), spaced(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// All but ASCII as `\u` escapes, which is the other common way to write JSON.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

fn record(rng: &mut Rng, case: &Case<'_>, seq: u64) -> Object {
    let op = match rng.below(100) {
        0 => odd(rng),
        1..3 => rng.text(&["NEW_OP", "acquire", "", " ACQUIRE"]).into(),
        3..45 => "ACQUIRE".into(),
        45..60 => rng.text(&["RELEASE", "HEARTBEAT", "ADOPT"]).into(),
        _ => rng.text(&OPS).into(),
    };
    let mut record = Object::new();
    record.insert("lane".into(), name(rng, &LANES));
    record.insert("loop_ts".into(), name(rng, &LOOPS));
    put_sometimes(rng, &mut record, "seq", |rng| sequence(rng, seq));
    put_sometimes(rng, &mut record, "ts", |rng| case.stamp(rng.below(40)).into());
    match op.as_str() {
        Some("ACQUIRE" | "RECONCILE") => acquire_fields(rng, case, &mut record),
        Some("CHECKPOINT") => checkpoint_fields(rng, case, &mut record, seq),
        Some("HEARTBEAT" | "ADOPT") => {
            beat_fields(rng, case, &mut record);
        }
        Some("_CORRUPT") => {
            record.insert("_raw".into(), "{oh".into());
            record.insert("_line".into(), seq.into());
            // A seq that is not believed stays in a kept record, which no rewriting can follow.
            record.insert("seq".into(), seq.into());
        }
        _ => {}
    }
    put_rarely(rng, &mut record, "reason");
    put_rarely(rng, &mut record, "a field of tomorrow");
    if !rng.chance(2) {
        record.insert("op".into(), op);
    }
    for field in ["lane", "loop_ts"] {
        if rng.chance(4) {
            record.remove(field);
        }
    }
    record
}

fn acquire_fields(rng: &mut Rng, case: &Case<'_>, record: &mut Object) {
    let nested = rng.chance(70);
    let mut lease = lease(rng, case);
    let lists = |value: &Value| value.is_array() || value.is_object();
    let (lane, loop_ts) = (record["lane"].clone(), record["loop_ts"].clone());
    // Where an identity is a list or an object its text differs by program, so that a nested one
    // has to be the same value.
    let other = rng.chance(12) && !lists(&lane) && !lists(&loop_ts);
    if !(nested && other) {
        lease.insert("lane".into(), lane);
        lease.insert("loop_ts".into(), loop_ts);
    } else if rng.chance(50) {
        lease.remove("lane");
    } else {
        lease.insert("loop_ts".into(), name(rng, &["L1", "L2", "other"]));
    }
    match nested {
        true => {
            record.insert("lease".into(), Value::Object(lease));
        }
        false => {
            if rng.chance(10) {
                record
                    .insert("lease".into(), rng.pick(&[json!(null), json!("x"), json!(5)]).clone());
            }
            lease.remove("lane");
            lease.remove("loop_ts");
            record.extend(lease);
        }
    }
}

fn lease(rng: &mut Rng, case: &Case<'_>) -> Object {
    let mut lease = Object::new();
    lease.insert("lane".into(), rng.text(&["api", "docs", "other"]).into());
    lease.insert("loop_ts".into(), rng.text(&["L1", "L2"]).into());
    put_sometimes(rng, &mut lease, "lane_kind", |rng| rng.text(&["cluster", "keyword", ""]).into());
    put_sometimes(rng, &mut lease, "tree", |rng| json!(rng.some(&["src/**", "docs/*"], 0, 3)));
    put_sometimes(rng, &mut lease, "holder", |rng| rng.text(&["alice", "bob", "é\u{2029}"]).into());
    put_sometimes(rng, &mut lease, "host_id", |rng| rng.text(&["here", "there"]).into());
    put_sometimes(rng, &mut lease, "pid", |rng| rng.below(70_000).into());
    put_sometimes(rng, &mut lease, "acquired_at", |rng| case.stamp(rng.below(500)).into());
    put_rarely(rng, &mut lease, "heartbeat_at");
    put_rarely(rng, &mut lease, "ttl_minutes");
    put_rarely(rng, &mut lease, "run_id");
    put_rarely(rng, &mut lease, "children");
    put_rarely(rng, &mut lease, "ünknown");
    lease
}

fn checkpoint_fields(rng: &mut Rng, case: &Case<'_>, record: &mut Object, seq: u64) {
    let leases: Vec<Value> = (0..rng.below(4))
        .map(|_| match rng.below(12) {
            0 => odd(rng),
            1 => json!({"holder": "nobody knows where"}),
            _ => Value::Object(lease(rng, case)),
        })
        .collect();
    let leases = if rng.chance(8) { odd(rng) } else { Value::Array(leases) };
    record.insert("leases".into(), leases);
    put_sometimes(rng, record, "seq_watermark", |rng| sequence(rng, seq));
    if rng.chance(50) {
        record.remove("lane");
        record.remove("loop_ts");
    }
}

fn beat_fields(rng: &mut Rng, case: &Case<'_>, record: &mut Object) {
    put_sometimes(rng, record, "heartbeat_at", |rng| match rng.below(8) {
        0 => odd(rng),
        _ => case.stamp(rng.below(40)).into(),
    });
    put_sometimes(rng, record, "holder", |rng| rng.text(&["carol", "dave", ""]).into());
    put_sometimes(rng, record, "pid", |rng| rng.below(70_000).into());
    put_rarely(rng, record, "host_id");
}

/// A name, which journals also hold as numbers and worse.
fn name(rng: &mut Rng, usual: &[&str]) -> Value {
    match rng.below(50) {
        0 => odd(rng),
        _ => rng.text(usual).into(),
    }
}

fn sequence(rng: &mut Rng, seq: u64) -> Value {
    match rng.below(40) {
        0 => odd(rng),
        1 => format!(" {seq} ").into(),
        2 => format!("+{seq}").into(),
        3 => json!(seq as f64 + 0.75),
        4 => json!(-5),
        5 => rng.pick(&[json!(u64::MAX), json!(1e300), json!(1_u64 << 63), json!(-1e40)]).clone(),
        6 => json!(i64::MAX),
        7 => rng.text(&["12 or so", "++7", "0x10", "7.5", "-9"]).into(),
        _ => seq.into(),
    }
}

/// A value of a type that nobody expects.
fn odd(rng: &mut Rng) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(0.0),
        json!(7),
        json!(-3),
        json!(2.5),
        json!(1e22),
        json!(""),
        json!("ACQUIRE"),
        json!([]),
        json!({}),
        json!(["api"]),
        json!({"a": [1, null, "ß"]}),
    ];
    rng.pick(&values).clone()
}

fn put_sometimes(
    rng: &mut Rng,
    object: &mut Object,
    field: &str,
    value: impl FnOnce(&mut Rng) -> Value,
) {
    if rng.chance(80) {
        let value = value(rng);
        object.insert(field.into(), value);
    }
}

fn put_rarely(rng: &mut Rng, object: &mut Object, field: &str) {
    if rng.chance(10) {
        let value = odd(rng);
        object.insert(field.into(), value);
    }
}

/// The text as the original has to be given it to read what we read in the one that it comes from.
struct Readings {
    /// For listings, which show records as they stand.
    listing: String,
    /// For the state that the records add up to.
    state: String,
    /// What was rewritten.
    explanations: Vec<Explanation>,
}

impl Readings {
    fn of(text: &str) -> Self {
        let mut explanations = Vec::new();
        let mut note = |explanation| {
            if !explanations.contains(&explanation) {
                explanations.push(explanation);
            }
        };
        let readable = |line: &str| serde_json::from_str::<Value>(line.trim()).is_ok();
        let marked = text.strip_prefix('\u{feff}').filter(|rest| {
            // The evidence of a corrupt line keeps its mark.
            let first = rest.split('\n').next().unwrap_or_default();
            first.trim().is_empty() || readable(first)
        });
        if marked.is_some() {
            note(Explanation::ByteOrderMark);
        }
        let mut lines: Vec<String> =
            marked.unwrap_or(text).split('\n').map(str::to_string).collect();
        for line in &mut lines {
            // As escapes they do no harm until a compaction writes them as they are.
            let raw = line.contains(['\u{85}', '\u{2028}', '\u{2029}']);
            let escapes = ["\\u0085", "\\u2028", "\\u2029"];
            if (raw || escapes.iter().any(|one| line.contains(one))) && readable(line) {
                note(Explanation::LineSeparators);
                *line = escaped(line);
            }
        }
        // What follows the last newline is empty where the last line is complete.
        if let [.., last, rest] = lines.as_slice()
            && rest.is_empty()
            && !last.trim().is_empty()
            && !readable(last)
        {
            note(Explanation::LastLineCorrupt);
            // A blank line at the end: the corrupt one is not the last any more.
            lines.push(String::new());
        }
        let listing = lines.join("\n");
        for line in &mut lines {
            let Ok(Value::Object(mut record)) = serde_json::from_str(line.trim()) else {
                continue;
            };
            let before = record.clone();
            if correct_identity(&mut record) {
                note(Explanation::NestedIdentity);
            }
            if drop_sequences(&mut record) {
                note(Explanation::SeqRange);
            }
            if record != before {
                *line = escaped(&Value::Object(record).to_string());
            }
        }
        Self { listing, state: lines.join("\n"), explanations }
    }
}

fn correct_identity(record: &mut Object) -> bool {
    if !matches!(record.get("op").and_then(Value::as_str), Some("ACQUIRE" | "RECONCILE")) {
        return false;
    }
    let identity: Vec<(&str, String)> =
        ["lane", "loop_ts"].map(|field| (field, named(record.get(field)))).into();
    let Some(Value::Object(lease)) = record.get_mut("lease") else {
        return false;
    };
    let mut corrected = false;
    for (field, name) in identity {
        if named(lease.get(field)) != name {
            lease.insert(field.into(), name.into());
            corrected = true;
        }
    }
    corrected
}

/// The text that a name counts as. Lists and objects never get here with different values.
fn named(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => String::new(),
        Some(Value::Bool(true)) => "True".into(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if number.as_f64() == Some(0.0) => String::new(),
        // Only 1e22 is generated of the numbers that the two write in different ways.
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(items)) if items.is_empty() => String::new(),
        Some(Value::Object(fields)) if fields.is_empty() => String::new(),
        Some(other) => other.to_string(),
    }
}

fn drop_sequences(record: &mut Object) -> bool {
    let mut dropped = false;
    for field in ["seq", "seq_watermark"] {
        let beyond =
            record.get(field).and_then(Value::as_f64).is_some_and(|seq| seq >= 2f64.powi(63));
        // The largest number that is believed is no fraction, so that it is told apart here.
        if beyond && record.get(field).and_then(Value::as_i64).is_none() {
            record.insert(field.into(), 0.into());
            dropped = true;
        }
    }
    dropped
}
