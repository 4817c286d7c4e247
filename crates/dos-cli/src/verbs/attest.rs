//! `dos attest`: a verdict as a signed receipt for somebody who was not there.

use anyhow::{Context as _, bail};
use camino::Utf8PathBuf;
use dos_core::witness::receipt::Algorithm;
use dos_core::witness::rules::{Place, Rules};
use dos_core::witness::witness_effect;
use dos_core::witness::{Claim, EffectVerdict, EvidenceSource, Expectation, Receipt, StateDiff};
use dos_drivers::acceptance::Acceptance;
use dos_drivers::receipt::Signing;
use dos_store::Workspace;
use dos_store::clock::Clock;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, printable};
use crate::record;
use crate::verbs::shared::KeyFile;
use crate::verbs::snapshot;
use crate::verbs::state_diff::{Compared, read_both, unwitnessed};

/// Sign what a witness saw of a claim, for somebody who was not there
///
/// The witness is a command, of which this machine says how it ended, or the difference of two
/// states. The receipt says who saw it and who wrote that down, and is checked with `dos
/// verify-receipt`. It says that a change is there, never that it is right.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos attest --claim tests --accept-cmd 'cargo test -q' --key-file secret --json > receipt.json
  dos attest --claim orders:42 --before before --after sqlite:orders.db --key-file secret
  dos attest --claim orders:42 --before b --after a --sign ed25519 --key-file key.pem --json

Exit codes: 0 confirmed, 1 refuted, 3 unwitnessed or nothing claimed, 2 a wrong question.")]
pub struct Args {
    /// The key that is claimed to have changed, or any name for what the command shows
    #[arg(long, value_name = "KEY")]
    claim: String,
    /// How the agent put it; shown, never read
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    narrated: String,
    /// The witness is how this command ends: 0 is yes, anything else no. No shell runs
    #[arg(long, value_name = "CMD")]
    accept_cmd: Option<String>,
    /// The witness is the difference of two states: the state before
    #[arg(long, value_name = "B")]
    before: Option<String>,
    /// The state after
    #[arg(long, value_name = "A")]
    after: Option<String>,
    /// What must be so of the key, as in `dos state-diff`
    #[arg(long = "expect", value_name = "EXPECTATION")]
    expect: Vec<String>,
    #[command(flatten)]
    compared: Compared,
    #[command(flatten)]
    key: KeyFile,
    /// How to sign: `hmac` (who can check it can forge it) or `ed25519` (needs a key file)
    #[arg(long, default_value = "hmac", value_name = "HOW")]
    sign: Sign,
    /// When this is, as it shall stand in the receipt [default: now]
    #[arg(long, value_name = "RFC3339")]
    timestamp: Option<String>,
    /// Print the receipt as JSON: this is what is handed on
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Sign {
    Hmac,
    Ed25519,
}

/// Attests.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let algorithm = match args.sign {
        Sign::Hmac => Algorithm::HmacSha256,
        Sign::Ed25519 => Algorithm::Ed25519,
    };
    let key = args.key.read(context)?;
    let key = Signing::read(&key, algorithm)?;
    let stamp = match args.timestamp.as_deref().map(str::trim).filter(|stamp| !stamp.is_empty()) {
        Some(stamp) => stamp.to_string(),
        None => context.clock.now()?.to_string(),
    };
    let (verdict, surface) = witnessed(context, &workspace, args)?;
    let receipt =
        Receipt::of(&verdict, &surface, &stamp, algorithm).context("this cannot be attested")?;
    let receipt = key.sign(receipt);
    match args.json {
        true => output::answer(&receipt.to_json(), false),
        false => print(&receipt, &verdict),
    }
    context.record(&workspace, || record::effect("attest", &verdict));
    Ok(Exit::of_outcome(verdict.outcome))
}

/// What the witness saw, and where it looked.
fn witnessed(
    context: &Context,
    workspace: &Workspace,
    args: &Args,
) -> anyhow::Result<(EffectVerdict, String)> {
    let expect = args.expect.iter().map(|text| Expectation::parse(text).context("--expect"));
    let claim = Claim::new(&args.claim, &args.narrated, expect.collect::<anyhow::Result<_>>()?);
    let command = args.accept_cmd.as_deref().filter(|command| !command.is_empty());
    match (command, args.before.as_deref(), args.after.as_deref()) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            bail!("there are two witnesses; give either --accept-cmd or --before and --after")
        }
        (Some(command), None, None) => {
            if !claim.expect.is_empty() {
                bail!("--expect is asked of states; give --before and --after");
            }
            let within = args.compared.readable.within;
            let facts = Acceptance { folder: &workspace.root, within }.gather(command);
            Ok((witness_effect(Some(&claim.effect), &[facts]), command.to_string()))
        }
        (None, Some(before), Some(after)) => {
            let rules = args.compared.rules(&workspace.config.state_rules)?;
            let both = read_both(context, workspace, (before, after), &args.compared)?;
            let (verdict, seals) = match &both {
                Ok((before, after)) => {
                    let verdict = match StateDiff::new(before, after, &rules) {
                        Ok(diff) => diff.judge(&claim),
                        Err(unlike) => unwitnessed(&claim, &unlike.to_string()),
                    };
                    (verdict, [before, after].map(snapshot::sealed))
                }
                Err(unreadable) => {
                    let verdict = unwitnessed(&claim, &unreadable.to_string());
                    (verdict, [String::new(), String::new()])
                }
            };
            let [old, new] = seals;
            let asked = asked(&claim, &rules);
            Ok((verdict, format!("{before}{old}→{after}{new}{asked}")))
        }
        (None, Some(_), None) | (None, None, Some(_)) => {
            bail!("a difference has two sides; give both --before and --after")
        }
        (None, None, None) => {
            bail!("there is no witness; give --accept-cmd, or --before and --after")
        }
    }
}

/// What was expected, and what did not count: a receipt of a deletion is none of an insertion.
fn asked(claim: &Claim, rules: &Rules) -> String {
    let list = |places: &[Place]| {
        places.iter().map(ToString::to_string).collect::<Vec<String>>().join(", ")
    };
    let mut parts: Vec<String> = claim.expect.iter().map(ToString::to_string).collect();
    if !rules.ignore.is_empty() {
        parts.push(format!("ignoring {}", list(&rules.ignore)));
    }
    if !rules.timestamps.is_empty() {
        parts.push(format!("times at {}", list(&rules.timestamps)));
    }
    if parts.is_empty() { String::new() } else { format!(" [{}]", parts.join("; ")) }
}

fn print(receipt: &Receipt, verdict: &EffectVerdict) {
    let flag = |flag| if flag { "True" } else { "False" };
    let (believe, refuted) = (flag(receipt.believe), flag(receipt.refuted));
    let rung = receipt.accountability_tier.map_or("-", |rung| rung.token());
    let witness = match receipt.witness_author.as_str() {
        "" => "(none)",
        witness => witness,
    };
    for line in [
        format!("VERDICT   {}   (believe={believe} refuted={refuted})", receipt.verdict),
        format!("CLAIM     {}", receipt.claim),
        format!("WITNESS   {witness} ({rung}) over {}", receipt.witness_surface),
        format!("ALGORITHM {}", receipt.algorithm.token()),
        format!("TIMESTAMP {}", receipt.timestamp),
        format!("SIGNATURE {}", receipt.signature),
        format!("REASON    {}", verdict.reason),
    ] {
        output::line(&printable(&line));
    }
}

/// Make a key pair for `dos attest --sign ed25519`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  dos attest-key signer.pem        # writes signer.pem, to keep, and signer.pem.pub, to hand out

The files are PEM (PKCS #8), as other programs write and read them.")]
pub struct KeyArgs {
    /// Where the private key goes; the public key goes beside it, with .pub behind its name
    file: Utf8PathBuf,
}

/// Makes a key pair.
pub fn make_key(context: &Context, args: &KeyArgs) -> anyhow::Result<Exit> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the system gives no random bytes")?;
    let path = context.current.join(&args.file);
    let public = dos_drivers::receipt::write_pair(&path, &seed)
        .with_context(|| format!("cannot write a new key pair to {path} and {path}.pub"))?;
    output::line(&format!("wrote {path}, which signs, and {public}, which checks"));
    Ok(Exit::Yes)
}
