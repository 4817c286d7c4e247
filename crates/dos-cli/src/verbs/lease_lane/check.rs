//! `dos lease-lane check`: is this hold still the live one?

use dos_core::lane::decide::holds_token;
use dos_core::verdict::VerdictEvent;
use serde_json::json;

use super::holders;
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::{JsonAnswer, with};

/// Say whether a hold is still the live one, by its fencing token
///
/// Ask before every step that must not happen twice: a holder that was stopped for long may have
/// lost its lane to another.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  dos lease-lane check --lane api --token 42 && git push

Exit codes: 0 the hold is live, 1 it is not, 2 the input is wrong.")]
pub struct Args {
    /// The lane
    #[arg(long)]
    lane: String,
    /// The token that the grant came with
    #[arg(long)]
    token: u64,
    #[command(flatten)]
    json: JsonAnswer,
}

/// Says so.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let view = context.referee(&workspace).view()?;
    let lane = workspace.config.policy.lanes.resolve(&args.lane);
    let held = holds_token(&view.live, lane, args.token, &view.moment);
    let shown = json!({"live": held.is_some(), "lane": args.lane, "token": args.token});
    let (shown, exit) = match held {
        Some(lease) => (with(shown, "holder", lease.holder()), Exit::Yes),
        None => {
            let wanted = dos_core::lane::lease::fold(lane);
            let others: Vec<_> = view
                .leases()
                .into_iter()
                .filter(|lease| dos_core::lane::lease::fold(&lease.lane()) == wanted)
                .cloned()
                .collect();
            (with(shown, "reason", holders(&others, view.moment.now)), Exit::No)
        }
    };
    output::answer(&shown, false);
    context.record(&workspace, || {
        let verdict = if held.is_some() { "live" } else { "not_live" };
        VerdictEvent::new("lease_check", verdict).on_lane(&args.lane).with("token", args.token)
    });
    Ok(exit)
}
