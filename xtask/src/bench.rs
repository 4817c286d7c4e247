//! TODO

/// Runs the command.
pub fn run(_arguments: &[String]) -> anyhow::Result<()> {
    Ok(())
}
