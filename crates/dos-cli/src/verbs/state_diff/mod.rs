//! `dos state-diff`: what changed between two states, and is what was claimed among it?

mod view;

use anyhow::{Context as _, bail};
use dos_core::witness::rules::Place;
use dos_core::witness::value::canonical;
use dos_core::witness::{
    Claim, EffectVerdict, Expectation, Outcome, Rules, Snapshot, StateDiff, Unreadable,
    witness_effect,
};
use dos_store::Workspace;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, printable};
use crate::record;
use crate::verbs::shared::{Readable, text_content, with};
use crate::verbs::snapshot;

/// Longest file of claims that is read, in bytes.
const CLAIMS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Say whether a claimed change is there, or show what changed
///
/// B and A are two states that somebody else than the agent wrote down. A key that was inserted or
/// updated confirms a claim, any other refutes it; a state that cannot be read leaves it
/// UNWITNESSED. Without a key, the whole difference is shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos state-diff orders:42 --before b.json --after a.json
  dos state-diff orders:42 --before b.json --after a.json --expect status=paid
  dos state-diff orders:7 --before b.json --after a.json --expect deleted
  dos state-diff --claims claims.json --before b.json --after a.json --json
  dos state-diff orders:42 --before before --after sqlite:orders.db     a snapshot that was taken
  dos state-diff src/a.rs --before git:HEAD~1 --after git:              the work tree
  dos state-diff --before tree:old --after tree:new --stat

A state is a file with a JSON object, a snapshot that was taken (`dos snapshot take`), or one of
json:FILE, sqlite:FILE, sqlite:FILE#TABLE, tree:FOLDER, git:REVISION, git: (the work tree),
command:COMMAND, snapshot:NAME.

Exit codes: 0 confirmed (or shown), 1 refuted, 3 unwitnessed or nothing claimed, 2 a wrong question.")]
pub struct Args {
    /// The keys that are claimed to have changed
    #[arg(value_name = "KEY", num_args = 0..)]
    keys: Vec<String>,
    /// The state before: a file, KIND:SOURCE, or the name of a snapshot that was taken
    #[arg(long, value_name = "B")]
    before: String,
    /// The state after
    #[arg(long, value_name = "A")]
    after: String,
    #[command(flatten)]
    compared: Compared,
    /// How the agent put it; shown, never read
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    narrated: String,
    /// What must be so of each key: changed, inserted, updated, deleted, or FIELD=VALUE
    ///
    /// FIELD is a field's name or a JSON pointer into the value, VALUE is JSON or else a text: the
    /// field has this value now, and had not before. May be given several times; all must be so.
    #[arg(long = "expect", value_name = "EXPECTATION")]
    expect: Vec<String>,
    /// A file with further claims: a JSON list of keys, or of objects with `key`, `expect`, `narrated`
    #[arg(long, value_name = "FILE")]
    claims: Option<String>,
    /// Only count what changed
    #[arg(long)]
    stat: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// How states are read and compared.
#[derive(Debug, clap::Args)]
pub struct Compared {
    #[command(flatten)]
    pub readable: Readable,
    /// A field that does not count: a name, or a JSON pointer in which `*` is any
    #[arg(long, value_name = "FIELD")]
    pub ignore: Vec<String>,
    /// A field whose texts are times: two spellings of one instant are the same
    #[arg(long, value_name = "FIELD")]
    pub timestamp_field: Vec<String>,
}

impl Compared {
    /// What does not count: what was said here, and what the workspace says.
    pub fn rules(&self, declared: &Rules) -> anyhow::Result<Rules> {
        let mut rules = declared.clone();
        for field in &self.ignore {
            rules.ignore.push(Place::parse(field).context("--ignore")?);
        }
        for field in &self.timestamp_field {
            rules.timestamps.push(Place::parse(field).context("--timestamp-field")?);
        }
        Ok(rules)
    }
}

/// Two states that could be read, or why one could not.
pub type Both = Result<(Snapshot, Snapshot), Unreadable>;

/// Reads both states.
pub fn read_both(
    context: &Context,
    workspace: &Workspace,
    (before, after): (&str, &str),
    compared: &Compared,
) -> anyhow::Result<Both> {
    let reading = compared.readable.reading(context)?;
    let before = snapshot::read(context, workspace, &reading, before)?;
    let after = snapshot::read(context, workspace, &reading, after)?;
    Ok(before.and_then(|before| Ok((before, after?))))
}

/// Answers.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let claims = claims(context, args)?;
    let rules = args.compared.rules(&workspace.config.state_rules)?;
    let both = read_both(context, &workspace, (&args.before, &args.after), &args.compared)?;
    let unknown = |reason: String| {
        let verdicts = all_unwitnessed(&claims, &reason);
        snapshot::say_unwitnessed(&reason, args.json.then(|| answer(&verdicts)));
        record(context, &workspace, &verdicts);
        Ok(Exit::Unwitnessed)
    };
    let (before, after) = match &both {
        Ok((before, after)) => (before, after),
        Err(unreadable) => return unknown(unreadable.to_string()),
    };
    let diff = match StateDiff::new(before, after, &rules) {
        Ok(diff) => diff,
        Err(unlike) => return unknown(unlike.to_string()),
    };
    if !args.json {
        output::line(&format!("BEFORE    {}", snapshot::resolved(before)));
        output::line(&format!("AFTER     {}", snapshot::resolved(after)));
    }
    if claims.is_empty() {
        view::show(context, &diff, (before, after), args.stat, args.json)?;
        return Ok(Exit::Yes);
    }
    let verdicts: Vec<EffectVerdict> = claims.iter().map(|claim| diff.judge(claim)).collect();
    if args.json {
        let answer = with(answer(&verdicts), "delta", diff.delta().to_json());
        let answer = with(answer, "out_of_sight", diff.out_of_sight());
        let answer = with(answer, "before", snapshot::side(before));
        output::answer(&with(answer, "after", snapshot::side(after)), true);
    } else {
        let counts = view::counts(diff.delta());
        verdicts.iter().for_each(|verdict| print(verdict, Some(&counts)));
        overall(&verdicts);
    }
    record(context, &workspace, &verdicts);
    Ok(Exit::of_outcome(outcome(&verdicts)))
}

/// Records each verdict by itself.
fn record(context: &Context, workspace: &Workspace, verdicts: &[EffectVerdict]) {
    for verdict in verdicts {
        context.record(workspace, || record::effect("state_diff", verdict));
    }
}

/// The claims on the command line, and those of the file.
fn claims(context: &Context, args: &Args) -> anyhow::Result<Vec<Claim>> {
    let expect: Vec<Expectation> = args
        .expect
        .iter()
        .map(|text| Expectation::parse(text).context("--expect"))
        .collect::<anyhow::Result<_>>()?;
    let claimed = |key: &String| Claim::new(key, &args.narrated, expect.clone());
    let mut claims: Vec<Claim> = args.keys.iter().map(claimed).collect();
    if let Some(file) = &args.claims {
        let path = context.current.join(file);
        let text = text_content(&path, CLAIMS_BYTES_MAX);
        let text = text.with_context(|| format!("cannot read {path}"))?;
        let example = r#"expected a JSON list such as ["orders:42", {"key": "orders:7", "expect": "deleted"}]"#;
        let text =
            canonical(&text).with_context(|| format!("{path} holds no claims; {example}"))?;
        let list: Vec<Box<RawValue>> =
            serde_json::from_str(&text).with_context(|| format!("{path} is no list; {example}"))?;
        anyhow::ensure!(!list.is_empty(), "{path} holds no claim; {example}");
        for (item, number) in list.iter().zip(1..) {
            let claim = Claim::from_json(item.get());
            claims.push(claim.with_context(|| format!("claim {number} in {path}"))?);
        }
    }
    if claims.is_empty() && !args.expect.is_empty() {
        bail!("--expect without a key; name the key that it is expected of");
    }
    Ok(claims)
}

/// A state that cannot be read is never an empty difference: nothing can be told.
pub fn unwitnessed(claim: &Claim, why: &str) -> EffectVerdict {
    let reason = format!("UNWITNESSED: {why}");
    EffectVerdict { reason, ..witness_effect(Some(&claim.effect), &[]) }
}

fn all_unwitnessed(claims: &[Claim], why: &str) -> Vec<EffectVerdict> {
    let mut verdicts: Vec<EffectVerdict> =
        claims.iter().map(|claim| unwitnessed(claim, why)).collect();
    if verdicts.is_empty() {
        // Nothing was claimed: the answer is about the states alone.
        let mut verdict = witness_effect(None, &[]);
        verdict.outcome = Outcome::Unwitnessed;
        verdict.reason = format!("UNWITNESSED: {why}");
        verdicts.push(verdict);
    }
    verdicts
}

/// One claim has the original's keys; several have a list beside the outcome of all.
fn answer(verdicts: &[EffectVerdict]) -> Value {
    match verdicts {
        [verdict] => verdict.to_json(),
        _ => json!({
            "verdict": outcome(verdicts).token(),
            "claims": verdicts.iter().map(EffectVerdict::to_json).collect::<Vec<Value>>(),
        }),
    }
}

fn outcome(verdicts: &[EffectVerdict]) -> Outcome {
    Outcome::of_all(verdicts.iter().map(|verdict| verdict.outcome))
}

fn print(verdict: &EffectVerdict, counts: Option<&str>) {
    let EffectVerdict { outcome, claim_key, witness, reason, .. } = verdict;
    let flag = |flag| if flag { "True" } else { "False" };
    let (believe, refuted) = (flag(verdict.believe()), flag(verdict.refuted()));
    let rung = verdict.accountability.map_or("-", |rung| rung.token());
    let witness = if witness.is_empty() { "(none)" } else { witness };
    output::line(&format!("EFFECT    {}", printable(claim_key)));
    if !verdict.narrated.is_empty() {
        output::line(&format!("NARRATED  {}", printable(&verdict.narrated)));
    }
    if let Some(counts) = counts {
        output::line(&format!("DELTA     {counts}"));
    }
    let token = outcome.token();
    output::line(&format!("VERDICT   {token}   (believe={believe} refuted={refuted})"));
    output::line(&format!("WITNESS   {witness} ({rung})"));
    output::line(&format!("WHY       {}", printable(reason)));
}

/// The last line, where there are several claims.
fn overall(verdicts: &[EffectVerdict]) {
    if verdicts.len() > 1 {
        let confirmed = verdicts.iter().filter(|verdict| verdict.believe()).count();
        let token = outcome(verdicts).token();
        output::line(&format!("ALL       {token}   ({confirmed} of {} confirmed)", verdicts.len()));
    }
}
