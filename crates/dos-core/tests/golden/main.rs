//! The golden vectors: inputs and answers of the original, one JSON object a line.
//!
//! A difference is allowed only where [`argued`] names it; a name that no vector needs is an error.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

mod arbiter;
mod argued;
mod command;
mod export;
mod fleet;
mod hook;
mod journal;
mod registry;
mod small;
mod verdict;
mod witness;

use serde_json::Value;

/// One vector.
pub struct Vector {
    pub line: usize,
    pub input: Value,
    pub output: Value,
}

/// The vectors of one function.
pub fn vectors(name: &str) -> Vec<Vector> {
    let path = format!("{}/../../fixtures/vectors/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let vectors: Vec<Vector> = text
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let mut vector: Value = serde_json::from_str(line).unwrap();
            assert_eq!(vector["fn"], name);
            Vector { line: index + 1, input: vector["in"].take(), output: vector["out"].take() }
        })
        .collect();
    assert!(!vectors.is_empty());
    vectors
}

/// Equal as JSON: numbers by value, `true` is never `1`, the order of keys does not matter.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|b| same(value, b)))
        }
        _ => left == right,
    }
}

/// Compares every vector of one function and lists the first that differ without an argument.
pub fn check(name: &str, answer: impl Fn(&Value) -> Value) {
    let mut unexplained = Vec::new();
    let mut used = std::collections::BTreeMap::new();
    let all = vectors(name);
    let total = all.len();
    for vector in all {
        let ours = answer(&vector.input);
        if same(&ours, &vector.output) {
            continue;
        }
        match argued::argument(name, &vector.input, &ours, &vector.output) {
            Some(argument) => *used.entry(argument).or_insert(0) += 1,
            None => unexplained.push((vector, ours)),
        }
    }
    for argument in argued::arguments(name) {
        assert!(used.contains_key(argument), "{name}: no vector needs the argument {argument}");
    }
    println!("{name}: {total} vectors, argued: {used:?}");
    if let Some((vector, ours)) = unexplained.first() {
        panic!(
            "{name}: {} of {total} differ; line {}:\n   in {}\n ours {ours}\n want {}",
            unexplained.len(),
            vector.line,
            vector.input,
            vector.output
        );
    }
}

/// A list of texts.
pub fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item.as_str().unwrap().to_string()).collect()
}
