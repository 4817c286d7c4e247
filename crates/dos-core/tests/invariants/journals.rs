//! Random journals: every operation with ordinary and odd fields, and everything that is no record.

use dos_core::json::{Object, canonical};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The operations that change the live set.
pub const STATE_OPS: [&str; 7] =
    ["ACQUIRE", "RECONCILE", "RELEASE", "SCAVENGE", "HEARTBEAT", "ADOPT", "CHECKPOINT"];

/// Few names, so that records meet; some of them as numbers, some hard to write.
pub fn name() -> impl Strategy<Value = Value> {
    let plain = select(vec![json!("src"), json!("SRC"), json!("docs"), json!("5"), json!(5)]);
    let odd = select(vec![
        json!(""),
        json!(null),
        json!(0),
        json!(-0.0),
        json!(false),
        json!(true),
        json!("True"),
        json!(1.5),
        json!(5.0),
        json!(1e22),
        json!(u64::MAX),
        json!(-3),
        json!([]),
        json!({}),
        json!(["src", 1]),
        json!({"b": 1, "a": [null]}),
        json!("a\u{2028}b"),
        json!("a\u{85}\u{2029}"),
        json!("\u{1}\t\n\r\u{1f}\u{7f}"),
        json!("quo\"te\\"),
        json!("\u{feff}x"),
        json!("naïve ẞ İ 🦀"),
    ]);
    prop_oneof![3 => plain, 1 => odd]
}

/// Stamps as writers spell them, and what is none.
fn stamp() -> impl Strategy<Value = Value> {
    select(vec![
        json!("2026-01-10T12:00:00Z"),
        json!("2026-01-10T12:30Z"),
        json!("2026-01-10T12:00:00.250+00:00"),
        json!("yesterday"),
        json!(""),
        json!(null),
        json!(1_768_000_000),
        json!(["2026-01-10T12:00:00Z"]),
    ])
}

fn seq() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0..60_u64).prop_map(Value::from),
        1 => select(vec![
            json!(-4), json!("7"), json!("+8"), json!("x"), json!(9.75), json!(1e30),
            json!(u64::MAX), json!(i64::MAX), json!(true), json!(null), json!([3]), json!({"a": 3}),
        ]),
    ]
}

/// Any small value.
pub fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-4096..4096_i32).prop_map(|eighths| json!(f64::from(eighths) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Text with every kind of character that some reader takes for a line end or a control.
pub fn text() -> impl Strategy<Value = String> {
    let special = select(vec!['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}', '\n', '\r', '\0', '"']);
    let character =
        prop_oneof![3 => any::<char>(), 1 => special, 3 => proptest::char::range('a', 'e')];
    vec(character, 0..6).prop_map(|characters| characters.into_iter().collect())
}

fn field() -> impl Strategy<Value = (String, Value)> {
    let named = |field: &'static str, value: BoxedStrategy<Value>| {
        value.prop_map(move |value| (field.to_string(), value))
    };
    let number = || prop_oneof![3 => (1..5000_u64).prop_map(Value::from), 1 => odd()].boxed();
    let tree = || {
        prop_oneof![
            3 => select(vec![json!(["src/**"]), json!(["docs/**", "*.md"]), json!([]), json!("src")]),
            1 => odd(),
        ]
        .boxed()
    };
    prop_oneof![
        named("seq", seq().boxed()),
        named("seq_watermark", seq().boxed()),
        named("ts", stamp().boxed()),
        named("heartbeat_at", stamp().boxed()),
        named("acquired_at", stamp().boxed()),
        named("holder", name().boxed()),
        named("host_id", name().boxed()),
        named("run_id", name().boxed()),
        named("lane_kind", name().boxed()),
        named("pid", number()),
        named("pid_start", number()),
        named("pid_boot", name().boxed()),
        named("token", number()),
        named("ttl_minutes", number()),
        named("tree", tree()),
        named("reason", text().prop_map(Value::from).boxed()),
        named("_raw", text().prop_map(Value::from).boxed()),
        named("schema", Just(json!({"family": "lane-journal", "version": 1})).boxed()),
        (text(), odd()),
    ]
}

fn lease_value() -> impl Strategy<Value = Value> {
    let fields = (option::weighted(0.8, name()), option::weighted(0.8, name()), vec(field(), 0..7));
    fields.prop_map(|(lane, loop_ts, fields)| {
        let mut object: Object = fields.into_iter().collect();
        object.extend(lane.map(|lane| ("lane".to_string(), lane)));
        object.extend(loop_ts.map(|loop_ts| ("loop_ts".to_string(), loop_ts)));
        Value::Object(object)
    })
}

/// A record of one of these operations.
pub fn record(ops: &'static [&'static str]) -> impl Strategy<Value = Object> {
    let nested = prop_oneof![5 => lease_value(), 1 => odd()];
    let several = prop_oneof![5 => vec(prop_oneof![6 => lease_value(), 1 => odd()], 0..4)
        .prop_map(Value::from), 1 => odd()];
    let parts = (
        select(ops),
        lease_value(),
        option::weighted(0.5, nested),
        option::weighted(0.8, several),
        option::weighted(0.7, seq()),
    );
    parts.prop_map(|(op, fields, nested, several, seq)| {
        let Value::Object(mut object) = fields else { panic!("a lease is an object") };
        if op == "CHECKPOINT" {
            object.extend(several.map(|leases| ("leases".to_string(), leases)));
        }
        object.extend(nested.map(|lease| ("lease".to_string(), lease)));
        object.extend(seq.map(|seq| ("seq".to_string(), seq)));
        object.insert("op".to_string(), op.into());
        object
    })
}

/// The record as one of its writers would spell it, without a newline.
pub fn spelled(object: Object) -> impl Strategy<Value = Vec<u8>> {
    (0..8_u8).prop_map(move |spelling| {
        let value = Value::Object(object.clone());
        let text = match spelling {
            // Other writers do not escape U+2028, and put no space behind a colon.
            0 => serde_json::to_string(&value).unwrap(),
            1 => format!(" \t{} \r", canonical(&value)),
            2 => format!("\u{feff}{}", canonical(&value)),
            _ => canonical(&value),
        };
        text.into_bytes()
    })
}

const ALL_OPS: [&str; 17] = [
    "ACQUIRE",
    "ACQUIRE",
    "ACQUIRE",
    "RECONCILE",
    "RELEASE",
    "SCAVENGE",
    "HEARTBEAT",
    "ADOPT",
    "CHECKPOINT",
    "REFUSE",
    "HALT",
    "ENFORCE",
    "ATTEMPT",
    "SPAWN",
    "_CORRUPT",
    "acquire",
    "NEW_OP",
];

/// A line that is a record.
pub fn record_line() -> impl Strategy<Value = Vec<u8>> {
    record(&ALL_OPS).prop_flat_map(spelled)
}

/// Bytes without a newline.
pub fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let bytes = vec(any::<u8>().prop_filter("a newline ends a line", |byte| *byte != b'\n'), 0..40);
    let broken = select(vec!["{", "{}}", "{\"op\": ", "nul", "\"\\ud800\"", "[1,", "{'op': 1}"]);
    prop_oneof![2 => bytes, 1 => broken.prop_map(|text| text.as_bytes().to_vec())]
}

/// A line that is JSON but no object.
pub fn foreign() -> impl Strategy<Value = Vec<u8>> {
    let lookalike = json!([{"op": "CHECKPOINT", "leases": []}]);
    let value = prop_oneof![3 => odd(), 1 => Just(lookalike)];
    value
        .prop_filter("an object is a record", |value| !value.is_object())
        .prop_map(|value| canonical(&value).into_bytes())
}

/// Any line, without its newline.
pub fn line() -> impl Strategy<Value = Vec<u8>> {
    let blank = select(vec!["", " \t", "\r", "\u{feff}"]).prop_map(|text| text.as_bytes().to_vec());
    prop_oneof![14 => record_line(), 1 => blank, 1 => foreign(), 2 => garbage()]
}

/// A journal as lines, newlines included, without a torn tail.
pub fn whole_lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(line(), 0..24).prop_map(|mut lines| {
        lines.iter_mut().for_each(|line| line.push(b'\n'));
        lines
    })
}

/// What may stand behind the last newline: nothing, a whole record, or a part of one.
pub fn tail() -> impl Strategy<Value = Vec<u8>> {
    let torn = (record_line(), any::<prop::sample::Index>()).prop_map(|(mut line, index)| {
        line.truncate(index.index(line.len() + 1));
        line
    });
    prop_oneof![2 => Just(Vec::new()), 2 => record_line(), 2 => torn, 1 => garbage()]
}

/// A journal with whatever tail.
pub fn journal() -> impl Strategy<Value = Vec<u8>> {
    (whole_lines(), tail()).prop_map(|(lines, tail)| {
        let mut bytes = lines.concat();
        bytes.extend(tail);
        bytes
    })
}
