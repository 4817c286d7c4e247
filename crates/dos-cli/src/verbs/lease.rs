//! `dos lease`: the archive lock.

use std::time::Duration;

use dos_core::lane::tree::required_name;
use dos_store::Workspace;
use dos_store::archive_lock::{ArchiveLock, Holder, Taken};
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::RealDisk;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::lock_wait;

/// Take and give back the archive lock
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Take it, waiting a while
    #[command(after_help = "Exit codes: 0 acquired, 1 somebody else has it, 2 the input is wrong.")]
    Acquire(Acquire),
    /// Give it back
    #[command(after_help = "\
Example:
  dos lease release nightly

Exit codes: 0 it is free, or somebody else has it (which is said); 2 the input is wrong; 4 busy.")]
    Release(Release),
    /// Say who has it
    #[command(after_help = "Example:\n  dos lease status --json")]
    Status(Status),
}

/// How to take it.
#[derive(Debug, clap::Args)]
pub struct Acquire {
    /// Who takes it
    owner: String,
    /// How often to try again
    #[arg(long, default_value_t = 5, allow_negative_numbers = true)]
    retries: i64,
    /// Seconds between tries
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, allow_negative_numbers = true)]
    retry_interval: f64,
    /// After this many seconds a holder's lock may be taken
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    ttl_seconds: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How to give it back.
#[derive(Debug, clap::Args)]
pub struct Release {
    /// Who has it
    owner: String,
    /// Give it back whoever has it
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How to look.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// After this many seconds a lock counts as stale
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    ttl_seconds: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verb {
    /// Runs it.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let workspace = context.workspace()?;
        let clock = &context.clock;
        let lock = ArchiveLock::new(&RealDisk, clock, &workspace.archive_lock);
        match self {
            Self::Acquire(args) => args.run(&workspace, &lock, clock),
            Self::Release(args) => {
                required_name("owner", &args.owner)?;
                let (had, free) = lock.release(&args.owner, args.force)?;
                let text = match (&had, free) {
                    (None, _) => "released (no-lock)".to_string(),
                    (Some(holder), true) if args.force => {
                        format!("force-released (was: {})", name(holder))
                    }
                    (Some(_), true) => format!("released {}", args.owner),
                    (Some(holder), false) => {
                        output::note(&format!(
                            "warning: {} has the lock, so it stays; --force gives it back anyway",
                            name(holder)
                        ));
                        String::new()
                    }
                };
                let holder = had.as_ref().map(|holder| holder.owner.as_str());
                say(args.json, &text, json!({"free": free, "had": holder}));
                Ok(Exit::Yes)
            }
            Self::Status(args) => {
                let holder = lock.holder()?;
                let (state, text) = match &holder {
                    None => ("free", "free".to_string()),
                    Some(holder) => {
                        let stale = holder.age_millis / 1000 >= as_seconds(args.ttl_seconds);
                        let state = if stale { "stale" } else { "held" };
                        (state, format!("{state} {} age={}s", name(holder), seconds(holder)))
                    }
                };
                let owner = holder.as_ref().map(|holder| holder.owner.as_str());
                let age = holder.as_ref().map(seconds);
                say(args.json, &text, json!({"state": state, "owner": owner, "age_seconds": age}));
                Ok(Exit::Yes)
            }
        }
    }
}

impl Acquire {
    fn run(
        &self,
        workspace: &Workspace,
        lock: &ArchiveLock<'_, RealDisk, RealClock>,
        clock: &RealClock,
    ) -> anyhow::Result<Exit> {
        required_name("owner", &self.owner)?;
        let wait = lock_wait(Some(self.retries), Some(self.retry_interval))?;
        workspace.prepare_write(&RealDisk, &workspace.archive_lock)?;
        let deadline = clock.elapsed() + wait;
        loop {
            let taken = lock.take(&self.owner, Duration::from_secs(self.ttl_seconds))?;
            // What the home registry is not told now it is told by a later write.
            let _ = workspace.tell(&RealDisk, clock);
            let owner = &self.owner;
            let (outcome, text) = match taken {
                Taken::Acquired => ("acquired", format!("acquired {owner}")),
                Taken::Again => ("re-entrant", format!("re-entrant {owner}")),
                Taken::FromStale(holder) => {
                    let age = seconds(&holder);
                    ("stole-stale", format!("stole-stale {} age={age}s", name(&holder)))
                }
                Taken::Busy(holder) if clock.elapsed() >= deadline => {
                    let age = seconds(&holder);
                    output::note(&format!("busy {} age={age}s", name(&holder)));
                    if self.json {
                        let shown = json!({"outcome": "busy", "owner": holder.owner});
                        output::answer(&shown, false);
                    }
                    return Ok(Exit::No);
                }
                Taken::Busy(_) => {
                    clock.sleep(Duration::from_millis(50));
                    continue;
                }
            };
            say(self.json, &text, json!({"outcome": outcome, "owner": owner}));
            return Ok(Exit::Yes);
        }
    }
}

fn say(as_json: bool, text: &str, value: Value) {
    match (as_json, text.is_empty()) {
        (true, _) => output::answer(&value, false),
        (false, false) => output::line(text),
        (false, true) => {}
    }
}

fn name(holder: &Holder) -> &str {
    if holder.owner.is_empty() { "<unknown>" } else { &holder.owner }
}

fn seconds(holder: &Holder) -> i64 {
    holder.age_millis / 1000
}

fn as_seconds(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
