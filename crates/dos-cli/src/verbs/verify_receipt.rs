//! `dos verify-receipt`: is a receipt what it was when it was signed?

use std::io::{IsTerminal, Read};

use anyhow::{Context as _, bail};
use camino::Utf8PathBuf;
use dos_core::json::Object;
use dos_core::verdict::VerdictEvent;
use dos_core::witness::Receipt;
use dos_core::witness::receipt::ReceiptError;
use dos_core::witness::value::canonical;
use dos_drivers::receipt::{Checked, check};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, printable};
use crate::verbs::shared::{KeyFile, text_content, with};

/// Longest receipt that is read, in bytes.
const BYTES_MAX: usize = 1024 * 1024;

/// Check the signature of a receipt, and show what it says
///
/// Any change of any field is INVALID. The signature is checked, not the world: what the receipt
/// says was so when it was made.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos verify-receipt --receipt receipt.json --key-file secret
  dos verify-receipt --receipt receipt.json --key-file signer.pem.pub
  dos attest --claim k --accept-cmd true --json | dos verify-receipt

Exit codes: 0 valid (whatever verdict it carries), 1 invalid, 2 this is no receipt, or there is no key.")]
pub struct Args {
    /// The receipt [default: standard input]
    #[arg(long, value_name = "FILE")]
    receipt: Option<Utf8PathBuf>,
    #[command(flatten)]
    key: KeyFile,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Checks.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let text = text(context, args)?;
    // A field that is there twice is one thing to one reader and another to the next.
    let text = canonical(&text).context("this is no receipt")?;
    let object: Object = serde_json::from_str(&text).context("this is no receipt")?;
    let key = args.key.read(context)?;
    let (receipt, checked) = match Receipt::from_json(&object) {
        Ok(receipt) => {
            let checked = check(&receipt, &key);
            (Some(receipt), checked)
        }
        Err(error @ ReceiptError::Field { .. }) => {
            return Err(error).context("this is no receipt that can be checked");
        }
        Err(error) => (None, Checked { valid: false, reason: format!("INVALID: {error}") }),
    };
    let adverse = checked.valid && receipt.as_ref().is_some_and(Receipt::is_adverse);
    if args.json {
        let answer = json!({"valid": checked.valid, "reason": checked.reason, "adverse": adverse});
        output::answer(&with(answer, "receipt", object), false);
    } else {
        print(&checked, receipt.as_ref(), adverse);
    }
    record(context, &checked, receipt.as_ref());
    Ok(if checked.valid { Exit::Yes } else { Exit::No })
}

/// A receipt can be checked anywhere; the verdict is recorded where there is a workspace.
fn record(context: &Context, checked: &Checked, receipt: Option<&Receipt>) {
    let Ok(workspace) = context.quiet_workspace() else { return };
    context.record(&workspace, || {
        let row =
            VerdictEvent::new("verify_receipt", if checked.valid { "valid" } else { "invalid" });
        match receipt.filter(|_| checked.valid) {
            Some(receipt) => row.about(&receipt.claim).with("carries", receipt.verdict.as_str()),
            None => row,
        }
    });
}

fn print(checked: &Checked, receipt: Option<&Receipt>, adverse: bool) {
    let head = if checked.valid { "VALID" } else { "INVALID" };
    output::line(&format!("{head}     {}", checked.reason));
    let Some(receipt) = receipt.filter(|_| checked.valid) else {
        return;
    };
    let rung = receipt.accountability_tier.map_or("-", |rung| rung.token());
    let note = match (adverse, receipt.believe) {
        (true, _) => "  ← ADVERSE: a witness saw that it is not so",
        (false, true) => "",
        (false, false) => "  ← nobody could tell; this is no finding that it is not so",
    };
    output::line(&format!("CARRIES   {} (tier {rung}){note}", receipt.verdict));
    output::line(&format!("CLAIM     {}", printable(&receipt.claim)));
    let witness = match receipt.witness_author.as_str() {
        "" => "(none)",
        witness => &printable(witness),
    };
    let surface = printable(&receipt.witness_surface);
    output::line(&format!("WITNESS   {witness} over {surface}"));
    output::line(&format!("TIMESTAMP {}", printable(&receipt.timestamp)));
}

fn text(context: &Context, args: &Args) -> anyhow::Result<String> {
    let mut text = String::new();
    match &args.receipt {
        Some(file) => {
            let path = context.current.join(file);
            let read = text_content(&path, BYTES_MAX);
            text = read.with_context(|| format!("cannot read {path}"))?;
        }
        None if std::io::stdin().is_terminal() => {}
        None => {
            let mut stdin = std::io::stdin().lock().take(BYTES_MAX as u64 + 1);
            stdin.read_to_string(&mut text).context("cannot read the receipt")?;
            anyhow::ensure!(text.len() <= BYTES_MAX, "it is longer than {BYTES_MAX} bytes");
        }
    }
    if text.trim().is_empty() {
        bail!("there is no receipt; name a file with --receipt, or put one on standard input");
    }
    Ok(text)
}
