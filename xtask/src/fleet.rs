//! `cargo xtask fleet`: a supervised fleet of our release build, for minutes, and supervisors that are
//! killed by the hundred. CI runs a few seconds and a handful.

use anyhow::bail;

use crate::kill;

/// Runs the command.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [mut seconds, mut kills, mut seed] = ["180", "200", "1"].map(str::to_string);
    for pair in arguments.chunks(2) {
        match pair {
            [flag, value] if flag == "--seconds" => seconds.clone_from(value),
            [flag, value] if flag == "--kills" => kills.clone_from(value),
            [flag, value] if flag == "--seed" => seed.clone_from(value),
            _ => bail!("usage: cargo xtask fleet [--seconds N] [--kills N] [--seed S]"),
        }
    }
    kill::run("fleet", &[seconds, kills, seed])
}
