//! The fleet on a screen: what is shown, what the keys do, how it is drawn, and the terminal.

pub mod app;
mod draw;
mod pages;
pub mod print;
pub mod rows;
pub mod screen;
#[cfg(test)]
mod tests;
