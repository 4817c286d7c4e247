//! `dos exit-codes`: what each exit code means.

use anyhow::bail;
use serde_json::{Map, Value};

use crate::exit::{CONTRACTS, Contract, Exit};
use crate::output;

/// List what each exit code means
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  dos exit-codes\n  dos exit-codes arbitrate\n  dos exit-codes --json"
)]
pub struct Args {
    /// Only this verb, and those below it
    #[arg(num_args = 0..)]
    verb: Vec<String>,
    /// Print one JSON object: verb, then token, then code
    #[arg(long)]
    json: bool,
}

/// Prints the table.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let wanted = args.verb.join(" ");
    let shown: Vec<&Contract> = CONTRACTS.iter().filter(|c| c.verb.starts_with(&wanted)).collect();
    if shown.is_empty() {
        let known: Vec<&str> = CONTRACTS.iter().map(|contract| contract.verb).collect();
        bail!("no verb {wanted:?} answers by its exit code; these do: {}", known.join(", "));
    }
    if args.json {
        output::answer(&table(&shown), false);
        return Ok(Exit::Yes);
    }
    for contract in shown {
        output::line(&format!("dos {}", contract.verb));
        for (token, exit) in contract.codes {
            output::line(&format!("  {}  {token}", exit.code()));
        }
    }
    Ok(Exit::Yes)
}

/// The table as JSON.
pub fn table(contracts: &[&Contract]) -> Value {
    let verbs = contracts.iter().map(|contract| {
        let codes = contract.codes.iter();
        let codes: Map<String, Value> =
            codes.map(|(token, exit)| (token.to_string(), exit.code().into())).collect();
        (contract.verb.to_string(), Value::Object(codes))
    });
    Value::Object(verbs.collect())
}
