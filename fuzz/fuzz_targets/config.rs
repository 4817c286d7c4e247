//! Any text as a `dos.toml`: it is read, and each finding has a place in it.

#![no_main]

use dos_core::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let config = Config::parse(text);
    for finding in &config.findings {
        assert!(finding.line >= 1 && finding.line <= text.matches('\n').count() + 1);
        assert!(finding.column >= 1 && !finding.to_string().is_empty());
    }
});
