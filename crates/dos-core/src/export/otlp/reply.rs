//! What a backend answers: how much of a request it did not take, and why.

use alloc::string::{String, ToString};

use serde_json::Value;

use super::Encoding;

/// What a backend did not take of a request that it took otherwise. It is not to be sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// How many records or points it rejected.
    pub rejected: u64,
    /// Why, or a warning when it rejected none.
    pub message: String,
}

/// Reads an answer; `None` when it is none.
pub fn partial_success(body: &[u8], encoding: Encoding) -> Option<PartialSuccess> {
    match encoding {
        // A collector that has nothing to say may say nothing at all.
        _ if body.is_empty() => Some(PartialSuccess::default()),
        Encoding::Json => from_json(body),
        Encoding::Protobuf => from_protobuf(body),
    }
}

fn from_json(body: &[u8]) -> Option<PartialSuccess> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let answer = answer.as_object()?;
    let Some(Value::Object(part)) = answer.get("partialSuccess") else {
        return Some(PartialSuccess::default());
    };
    let rejected = part.get("rejectedLogRecords").or_else(|| part.get("rejectedDataPoints"));
    let rejected = match rejected {
        Some(Value::String(text)) => text.parse().ok()?,
        Some(Value::Number(number)) => number.as_u64()?,
        _ => 0,
    };
    let message = part.get("errorMessage").and_then(Value::as_str).unwrap_or_default().to_string();
    Some(PartialSuccess { rejected, message })
}

fn from_protobuf(body: &[u8]) -> Option<PartialSuccess> {
    let mut found = PartialSuccess::default();
    let mut rest = body;
    while !rest.is_empty() {
        let (number, field) = field(&mut rest)?;
        let (1, Field::Bytes(mut part)) = (number, field) else { continue };
        while !part.is_empty() {
            match self::field(&mut part)? {
                (1, Field::Number(rejected)) => found.rejected = rejected,
                (2, Field::Bytes(text)) => {
                    found.message = String::from_utf8_lossy(text).into_owned();
                }
                _ => {}
            }
        }
    }
    Some(found)
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Takes one field off the front.
fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = varint(rest)?;
    let field = match tag & 7 {
        0 => Field::Number(varint(rest)?),
        1 => Field::Bytes(take(rest, 8)?),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Field::Bytes(take(rest, length)?)
        }
        5 => Field::Bytes(take(rest, 4)?),
        _ => return None,
    };
    Some((tag >> 3, field))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first()?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn success(rejected: u64, message: &str) -> Option<PartialSuccess> {
        Some(PartialSuccess { rejected, message: message.to_string() })
    }

    #[test]
    fn what_was_rejected_is_counted() {
        let json = |text: &str| partial_success(text.as_bytes(), Encoding::Json);
        assert_eq!(json(""), success(0, ""));
        assert_eq!(json("{}"), success(0, ""));
        assert_eq!(json(r#"{"partialSuccess": null}"#), success(0, ""));
        let part = r#"{"partialSuccess": {"rejectedLogRecords": "7", "errorMessage": "no"}}"#;
        assert_eq!(json(part), success(7, "no"));
        assert_eq!(json(r#"{"partialSuccess": {"rejectedDataPoints": 7}}"#), success(7, ""));
        assert_eq!(json("<html>"), None);
        let protobuf = |bytes: &[u8]| partial_success(bytes, Encoding::Protobuf);
        assert_eq!(protobuf(&[]), success(0, ""));
        assert_eq!(protobuf(&[10, 7, 8, 0x87, 1, 18, 2, b'n', b'o']), success(135, "no"));
        assert_eq!(protobuf(&[10, 0, 24, 1]), success(0, ""));
        assert_eq!(protobuf(&[10, 9, 8]), None);
        assert_eq!(protobuf(&[0x80]), None);
    }
}
