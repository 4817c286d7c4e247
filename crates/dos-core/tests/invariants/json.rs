//! Canonical JSON: one spelling per value, which reads back as that value and stays on its line.

use dos_core::json::{canonical, canonical_object, pretty};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::journals::text;
use crate::values::cases;

/// Any value; its fractions have few digits.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (any::<i32>(), -6..9_i32)
            .prop_map(|(digits, scale)| { json!(f64::from(digits) * 2_f64.powi(scale)) }),
        text().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(text(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Every object's keys, in the order in which the text has them.
fn keys_are_sorted(text: &str) -> bool {
    struct Keys;
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = bool;
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("any value")
        }
        fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_str<E>(self, _: &str) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_unit<E>(self) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
            let mut sorted = true;
            while let Some(inner) = items.next_element_seed(Keys)? {
                sorted &= inner;
            }
            Ok(sorted)
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
            let (mut sorted, mut last) = (true, None);
            while let Some(key) = fields.next_key::<String>()? {
                sorted &= fields.next_value_seed(Keys)?;
                sorted &= last.as_ref().is_none_or(|last| *last < key);
                last = Some(key);
            }
            Ok(sorted)
        }
    }
    impl<'de> serde::de::DeserializeSeed<'de> for Keys {
        type Value = bool;
        fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
            from.deserialize_any(self)
        }
    }
    serde::de::DeserializeSeed::deserialize(Keys, &mut serde_json::Deserializer::from_str(text))
        .unwrap()
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn canonical_text_reads_back_as_the_value(value in value()) {
        for text in [canonical(&value), pretty(&value)] {
            prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value, "{}", text);
            prop_assert!(keys_are_sorted(&text));
            let splits = |c: char| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
            prop_assert!(!text.contains(splits), "{}", text);
        }
        let text = canonical(&value);
        prop_assert!(!text.chars().any(|c| c < ' '), "it stays on one line: {}", text);
        prop_assert_eq!(canonical(&serde_json::from_str(&text).unwrap()), text.clone(), "one spelling");
        if let Value::Object(object) = &value {
            prop_assert_eq!(canonical_object(object), text);
        }
    }

    #[test]
    fn canonical_text_of_any_fraction_reads_back_as_it(bits in any::<u64>()) {
        let value = json!(f64::from_bits(bits));
        let text = canonical(&value);
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{}", text);
    }
}
