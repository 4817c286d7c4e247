//! Any text as a state, as JSON Lines, as a value, a claim or an expectation: it is read or refused,
//! differs from itself in nothing, and its canonical text means the same.

#![no_main]

use dos_core::witness::rules::Place;
use dos_core::witness::value::{canonical, find};
use dos_core::witness::{Claim, Expectation, Rules, State, diff_state};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let key = ["id".to_string()];
    let rules = Rules {
        ignore: ["etag", "/a/*"].map(|place| Place::parse(place).unwrap()).into(),
        timestamps: vec![Place::parse("at").unwrap()],
    };
    for state in [State::from_json(text.to_string()), State::from_json_lines(text, &key)] {
        let Ok(state) = state else { continue };
        assert!(diff_state(&state, &state, &rules).changes().is_empty());
        let mut again = State::builder();
        for (key, value) in state.iter() {
            // What was taken for a state can be compared.
            let value = canonical(value).unwrap();
            assert_eq!(canonical(&value).unwrap(), value);
            again.insert(key, &value).unwrap();
        }
        let again = again.finish().unwrap();
        assert!(diff_state(&state, &again, &rules).changes().is_empty());
        assert!(diff_state(&again, &state, &Rules::default()).changes().is_empty());
    }
    match canonical(text) {
        Ok(value) => {
            assert_eq!(canonical(&value).unwrap(), value);
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(&value).is_ok());
            let mut one = State::builder();
            one.insert("k", text).unwrap();
            assert_eq!(canonical(find(text, &[]).unwrap()).unwrap(), value);
            let _ = find(text, &["0".to_string(), "a".to_string()]);
        }
        // What cannot be compared is no state.
        Err(_) => assert!(State::builder().insert("k", text).is_err()),
    }
    let _ = (Claim::from_json(text), Expectation::parse(text), Place::parse(text));
});
