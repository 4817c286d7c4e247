//! The quick reader and `serde_json` read every plain line alike.

use alloc::format;
use alloc::string::String;

use proptest::prelude::*;

use super::read;
use crate::journal::decode::Header;

/// Both readers on one line. Whatever the quick one accepts, the slow one accepts as the same.
fn agree(text: &str) -> Result<bool, TestCaseError> {
    let mut quick = Header::default();
    if read(text, &mut quick).is_none() {
        return Ok(false);
    }
    let slow: Header<'_> = match serde_json::from_str(text) {
        Ok(slow) => slow,
        Err(error) => return Err(TestCaseError::fail(format!("{text}: {error}"))),
    };
    prop_assert_eq!(quick, slow, "{}", text);
    Ok(true)
}

fn token() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        " ",
        "\t",
        "\"",
        "\\",
        "\\u0041",
        "\\ud800",
        "true",
        "false",
        "null",
        "nul",
        "-",
        "0",
        "01",
        "-0",
        "7",
        "123456789012345678",
        "1234567890123456789",
        "1.5",
        "1e3",
        "\"op\"",
        "\"lane\"",
        "\"loop_ts\"",
        "\"seq\"",
        "\"lease\"",
        "\"é\"",
        "\"a b\"",
        "\"ACQUIRE\"",
        "{\"lane\": \"x\"}",
        "[1, [2]]",
        "\u{1}",
        "\u{2028}",
    ];
    prop::sample::select(WORDS).prop_map(String::from)
}

/// A value as a program might write it, with a little of everything.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "\"[a-zA-Z0-9 :/*é-]{0,12}\"",
        "-?[0-9]{1,20}",
        "(true|false|null|-0|00|1\\.5|2e9|\"\\\\n\"|\"\\\\ud800\"|nil)",
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(("\"[a-z]{0,3}\"", inner), 0..4).prop_map(|fields| {
                let fields: alloc::vec::Vec<String> =
                    fields.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn record() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &[
        "op",
        "seq",
        "seq_watermark",
        "lane",
        "loop_ts",
        "ts",
        "heartbeat_at",
        "lease",
        "leases",
        "reason",
    ];
    let field = (prop::sample::select(NAMES), value());
    prop::collection::vec(field, 0..8).prop_map(|fields| {
        let fields: alloc::vec::Vec<String> =
            fields.into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", fields.join(", "))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn random_tokens_are_read_alike(tokens in prop::collection::vec(token(), 0..24)) {
        agree(&tokens.concat())?;
    }

    #[test]
    fn random_records_are_read_alike(text in record()) {
        agree(&text)?;
    }

    #[test]
    fn a_damaged_record_is_read_alike(text in record(), at in any::<prop::sample::Index>(), with in token()) {
        let places: alloc::vec::Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
        let place = at.get(&places);
        agree(&format!("{}{with}{}", &text[..*place], &text[*place..]))?;
        agree(&text[..*place])?;
    }
}

#[test]
fn the_lines_that_programs_write_are_plain() {
    let line = r#"{"host_id": "vm", "lane": "api", "lease": {"holder": "a", "pid": null, "token": 7, "tree": ["api/**"]}, "loop_ts": "2026-01-10T12:00:00Z", "op": "ACQUIRE", "seq": 7, "ts": "2026-01-10T12:00:00Z"}"#;
    assert!(agree(line).unwrap());
}
