//! `dos exec-capability`: can this command run any code, and what in it can? Runs nothing.

use std::io::Read;

use anyhow::{Context as _, bail};
use dos_core::command::syntax::Span;
use dos_core::command::{Capability, ExecVerdict, Profile, classify_command};
use dos_core::limits::COMMAND_BYTES_MAX;
use dos_core::verdict::VerdictEvent;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Say whether a shell command can run any code, and which word of it can
///
/// The command is read as bash reads it: every program that would run counts, wherever it stands.
/// Text that only mentions a program counts for nothing. What cannot be read counts as a grant.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos exec-capability --command 'python -c 1'                GRANTS_ARBITRARY_EXEC, exit 3
  dos exec-capability --command 'git commit -m \"run python\"' BOUNDED: text is no program
  dos exec-capability --command 'ls | xargs rm' --json       with the place of the word
  dos exec-capability --stdin < script.sh                    a command of several lines
  dos exec-capability --command 'make' --profile extended    build tools and scripts count too
  dos exec-capability --command 'terraform apply' --extra terraform

dos.toml:
  [exec_capability]
  profile = \"extended\"
  extra = [\"terraform\"]

BOUNDED is no promise that a command is harmless: `rm -rf .` is BOUNDED.

Exit codes: 0 BOUNDED or EMPTY, 3 GRANTS_ARBITRARY_EXEC, 2 the question is wrong.")]
pub struct Args {
    /// The command
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    command: Option<String>,
    /// Read the command from the standard input
    #[arg(long, conflicts_with = "command")]
    stdin: bool,
    /// Further programs that can run any code
    #[arg(long, value_name = "P1,P2,..", value_delimiter = ',')]
    extra: Vec<String>,
    /// Which programs count: closed or extended [default: dos.toml, else closed]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Answers.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let mut policy = workspace.config.exec.clone().with_extra(&args.extra);
    if let Some(name) = &args.profile {
        let Some(profile) = Profile::named(name) else {
            bail!("there is no profile {name:?}; there are {}", Profile::NAMES.join(" and "));
        };
        policy.profile = profile;
    }
    let command = match (&args.command, args.stdin) {
        (Some(command), _) => command.clone(),
        (None, true) => standard_input()?,
        (None, false) => bail!("no command; give --command TEXT, or --stdin"),
    };
    let verdict = classify_command(&command, &policy);
    if args.json {
        output::answer(&answer(&command, &verdict, policy.profile), false);
    } else {
        text(&command, &verdict);
    }
    context.record(&workspace, || {
        let event = VerdictEvent::new("exec_capability", verdict.capability.token())
            .with("capability", verdict.capability.token())
            .with("profile", policy.profile.name());
        match &verdict.program {
            Some(program) => event.with("program", program.as_str()),
            None => event,
        }
    });
    Ok(match verdict.capability {
        Capability::GrantsArbitraryExec => Exit::GRANTS,
        Capability::Bounded | Capability::Empty => Exit::Yes,
    })
}

/// What stands on the standard input. More than a command may have is not read on.
fn standard_input() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let most = COMMAND_BYTES_MAX as u64 + 1;
    std::io::stdin()
        .take(most)
        .read_to_end(&mut bytes)
        .context("failed to read the standard input")?;
    // A character that is cut off at the limit, or is none, is no reason not to judge.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn answer(command: &str, verdict: &ExecVerdict, profile: Profile) -> Value {
    let grant = verdict.grant.as_ref();
    let place = grant.map(|grant| {
        let (line, column, _) = place(command, grant.span);
        let Span { start, end } = grant.span;
        json!({"start": start, "end": end, "line": line, "column": column})
    });
    json!({
        "capability": verdict.capability.token(),
        "program": verdict.program,
        "reason": verdict.to_string(),
        "via": grant.and_then(|grant| grant.via.as_ref()),
        "cause": grant.map(|grant| grant.cause.token()),
        "place": place,
        "unreadable": verdict.refused.as_ref().map(ToString::to_string),
        "profile": profile.name(),
    })
}

/// The line of a place, from 1, its column in characters, from 1, and the line's text.
fn place(command: &str, span: Span) -> (usize, usize, &str) {
    let before = command.get(..span.start).unwrap_or(command);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let text = command.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column, text)
}

fn text(command: &str, verdict: &ExecVerdict) {
    output::line(&format!("{}  {verdict}", verdict.capability.token()));
    if let Some(grant) = &verdict.grant {
        let (line, column, text) = place(command, grant.span);
        // Control characters of the command must not reach a terminal.
        let shown = |character: char| if character.is_control() { ' ' } else { character };
        let text: String = text.chars().map(shown).collect();
        let marked = command.get(grant.span.start..grant.span.end).unwrap_or_default();
        let width = marked.lines().next().unwrap_or_default().chars().count().max(1);
        // A long line is shown around the place.
        let from = (column - 1).saturating_sub(60);
        let window: String = text.chars().skip(from).take(160).collect();
        output::line(&format!("{line:>5} | {}", window.trim_end()));
        let blanks = " ".repeat(column - 1 - from);
        output::line(&format!("      | {blanks}{}", "^".repeat(width.min(160))));
    }
}
