//! Any text as a shell command: it is judged, and each place lies in it.

#![no_main]

use dos_core::command::{ExecPolicy, Profile, classify_command, footprint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let extended = ExecPolicy { profile: Profile::Extended, extra: Vec::new() };
    for policy in [ExecPolicy::default(), extended] {
        if let Some(grant) = classify_command(text, &policy).grant {
            assert!(grant.span.start <= grant.span.end && grant.span.end <= text.len());
        }
    }
    for write in footprint(text).writes {
        assert!(write.span.start <= write.span.end && write.span.end <= text.len());
    }
});
