//! dos
fn main() {}
