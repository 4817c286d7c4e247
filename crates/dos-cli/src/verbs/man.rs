//! `dos man`: the manual pages.

use anyhow::Context as _;
use camino::Utf8PathBuf;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::output;

/// Print the manual page, or write all pages to a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  dos man | man -l -\n  dos man --dir ~/.local/share/man/man1")]
pub struct Args {
    /// Write a page for every verb to this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<Utf8PathBuf>,
}

/// Prints or writes them.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let command = Cli::whole();
    match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| format!("failed to create {dir}"))?;
            clap_mangen::generate_to(command, dir)
                .with_context(|| format!("failed to write manual pages to {dir}"))?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            output::raw(&page);
        }
    }
    Ok(Exit::Yes)
}
