//! Any text as a snapshot that was kept, and any text behind a first line that is right: it is read or
//! refused, and what is read is written in the same way again.

#![no_main]

use dos_core::witness::taken::{self, Origin};
use dos_core::witness::{Rules, WitnessRung, diff_state};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = taken::origin(text);
    let header = Origin {
        source: "json:s".to_string(),
        shape: "a JSON object".to_string(),
        rung: WitnessRung::OsRecorded,
        taken_at: "2026-01-10T12:00:00Z".to_string(),
        keys: text.lines().count(),
        rules: None,
    };
    for text in [text.to_string(), header.line() + text] {
        let Ok((origin, state)) = taken::read(text) else { continue };
        assert_eq!(origin.keys, state.len());
        let lines = state.iter().map(|(key, value)| taken::entry_line(key, value).unwrap());
        let written: String = std::iter::once(origin.line()).chain(lines).collect();
        let (again, read) = taken::read(written.clone()).unwrap();
        assert_eq!(again, origin);
        assert!(diff_state(&state, &read, &Rules::default()).changes().is_empty());
        let lines = read.iter().map(|(key, value)| taken::entry_line(key, value).unwrap());
        assert_eq!(std::iter::once(again.line()).chain(lines).collect::<String>(), written);
    }
});
