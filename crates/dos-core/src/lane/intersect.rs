//! STUB
use alloc::string::String;
use super::pattern::Pattern;
pub fn shared_path(a: &Pattern, b: &Pattern) -> Option<String> { if a == b { Some("x".into()) } else { None } }
