//! This tool call? What an agent host asks before and after each call, and at each stop.

pub mod event;
pub mod guard;
pub mod marker;
pub mod pretool;
pub mod tool_stream;

pub use event::{Act, Event};
pub use guard::{GuardPolicy, Strictness};
pub use marker::{MarkerPolicy, Tally};
pub use pretool::{Advice, Asker, Decision, Evidence, Touch};
pub use tool_stream::{Step, StreamPolicy};
