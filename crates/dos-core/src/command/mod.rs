//! What could a shell command run, and what would it write?
//!
//! A text is read as bash reads it (`syntax`), and followed: every command that would run, with what
//! the shell would hand to it as far as the text settles that (`run`). Two questions are asked of
//! these commands: do they grant arbitrary execution (`capability`), and which files do they write.

mod builtin;
pub mod capability;
mod expand;
mod extended;
pub mod footprint;
mod glob;
mod interpreter;
pub mod patch;
pub mod program;
pub mod run;
mod scripts;
mod shell;
pub mod syntax;
pub mod text;
mod wrapper;

pub use capability::{Capability, ExecPolicy, ExecVerdict, Profile, classify_command};
pub use footprint::{CheckoutOp, Footprint, Unknown, Write, footprint};
pub use text::TOP;
