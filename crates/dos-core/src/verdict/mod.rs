//! HOW IS IT SAID? One row for each verdict, and what many of them come to.

pub mod event;
pub mod policy;
pub mod rollup;

pub use event::{Line, VerdictEvent, decode_line};
pub use policy::ObservePolicy;
pub use rollup::{Dimension, Rollup};
