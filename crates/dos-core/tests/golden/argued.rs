//! The differences from the original that docs/COMPAT.md argues, each by the name it has there.

use serde_json::Value;

/// The arguments that some vector of the function must need.
pub fn arguments(_function: &str) -> &'static [&'static str] {
    &[]
}

/// The argument for one difference, if there is one.
pub fn argument(_function: &str, _input: &Value, _ours: &Value, _want: &Value) -> Option<&'static str> {
    None
}
