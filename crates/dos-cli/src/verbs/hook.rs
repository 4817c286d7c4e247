//! `dos hook`: what an agent host asks before and after each call of a tool, and at each stop.
//!
//! A host starts this program for every call, so that the usual command line is read here, before
//! anything is built for all the others. Whatever this does not know goes to the parser.

use std::ffi::OsString;
use std::io::{IsTerminal, Read};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Subcommand;
use dos_core::json;
use dos_drivers::hook::{Answer, Caller, MarkerCall, Observed};
use dos_drivers::host::{self, Host, Moment, Word};
use serde_json::Value;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// A larger event is not read: no host sends one.
const EVENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Answer the hooks of an agent host
#[derive(Debug, Subcommand)]
#[command(after_help = "`dos init --hooks HOST` wires them into a host's own settings.")]
pub enum Verb {
    Pretool(PretoolArgs),
    Posttool(PosttoolArgs),
    Marker(MarkerArgs),
    Stop(StopArgs),
}

/// Deny a tool call that writes what somebody else holds
///
/// Reads the host's event on stdin, and prints the host's own words for a denial or for advice;
/// nothing for a call that is fine. A call is denied only when it is proved that it writes into a
/// live lane of somebody else, or a protected file ([guard] in dos.toml). Denials and advice are
/// recorded in the journal (ENFORCE).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echo '{\"tool_name\":\"Write\",\"tool_input\":{\"file_path\":\"api/x.py\"}}' | dos hook pretool
  dos hook pretool --workspace . --dialect gemini < event.json

Exit codes: 0 always, whatever the event; 1 when the command line itself is wrong.")]
pub struct PretoolArgs {
    #[command(flatten)]
    usual: Usual,
    /// Taken for the sake of existing wiring; does nothing
    #[arg(long, value_name = "NAME", hide = true)]
    handler: Option<String>,
}

/// Tell the agent when a tool answers the same again and again
///
/// Counts the calls of a session under .dos/streams and says so at the third and the fifth equal
/// answer in a row ([tool_stream] in dos.toml).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos hook posttool --workspace . < event.json

Exit codes: 0 always, whatever the event; 1 when the command line itself is wrong.")]
pub struct PosttoolArgs {
    #[command(flatten)]
    usual: Usual,
    #[command(flatten)]
    session: Session,
}

/// Hold a turn open that only waits, so often and no more
///
/// Counts the turns of a loop that do nothing but wait, under .dos/markers, and lets the agent stop
/// once the budget is spent ([marker] in dos.toml). Anything but a loop may stop at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos hook marker --loop < event.json       a stop in a loop
  dos hook marker --reset < event.json      there was progress: count anew

Exit codes: 0 always, whatever the event; 1 when the command line itself is wrong.")]
pub struct MarkerArgs {
    #[command(flatten)]
    usual: Usual,
    #[command(flatten)]
    session: Session,
    /// Start the tally anew and say nothing
    #[arg(long)]
    reset: bool,
    /// This is a stop in a loop, whatever the environment says
    #[arg(long = "loop")]
    in_loop: bool,
    /// The budget [default: max_streak under [marker] in dos.toml, else 4]
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    max_markers: Option<i64>,
    /// Print the budget as JSON instead of the host's words
    #[arg(long)]
    json: bool,
}

/// Let every stop be
///
/// For hosts that are wired for the checks of claims that this program does not have.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 always.")]
pub struct StopArgs {
    /// Taken for the sake of existing wiring; does nothing
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    ignored: Vec<String>,
}

/// What the hooks of all moments take.
#[derive(Debug, Default, clap::Args)]
struct Usual {
    /// The host whose words are spoken [default: claude-code]
    #[arg(long, value_name = "HOST")]
    dialect: Option<String>,
    /// Say on stderr why the answer is what it is
    #[arg(long)]
    debug: bool,
    /// Taken for the sake of existing wiring; does nothing
    #[arg(long, value_name = "NAME", hide = true)]
    driver: Option<String>,
    /// Taken for the sake of existing wiring; does nothing
    #[arg(long, hide = true)]
    job: bool,
}

/// Whose calls are counted.
#[derive(Debug, Default, clap::Args)]
struct Session {
    /// The session [default: the one that the event names]
    #[arg(long, value_name = "ID")]
    session_id: Option<String>,
}

/// Which hook it is, and how it was called.
#[derive(Debug, PartialEq, Eq)]
enum Hook {
    Pretool,
    Posttool,
    Marker { call: MarkerCall, below_zero: bool },
}

/// A call of a hook, wherever its command line was read.
#[derive(Debug, Default)]
struct Call {
    workspace: Option<Utf8PathBuf>,
    observe: bool,
    usual: Usual,
    session: Option<String>,
}

impl Hook {
    fn moment(&self) -> Moment {
        match self {
            Self::Pretool => Moment::Pre,
            Self::Posttool => Moment::Post,
            Self::Marker { .. } => Moment::Stop,
        }
    }
}

impl Verb {
    /// Runs the hook.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let workspace = context.workspace_flag().map(Utf8Path::to_owned);
        let (hook, usual, session) = match self {
            Self::Pretool(args) => (Hook::Pretool, &args.usual, None),
            Self::Posttool(args) => (Hook::Posttool, &args.usual, args.session.session_id.as_ref()),
            Self::Marker(args) => {
                let call = MarkerCall {
                    reset: args.reset,
                    in_loop: args.in_loop,
                    max_markers: args.max_markers.map(budget),
                    json: args.json,
                };
                let below_zero = args.max_markers.is_some_and(|most| most < 0);
                (Hook::Marker { call, below_zero }, &args.usual, args.session.session_id.as_ref())
            }
            Self::Stop(_) => return Ok(stop()),
        };
        let usual =
            Usual { dialect: usual.dialect.clone(), debug: usual.debug, ..Usual::default() };
        let observe = context.observes();
        Ok(answer(&hook, &Call { workspace, observe, usual, session: session.cloned() }))
    }
}

/// Is it a hook that the command line asks for?
pub fn is_meant(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|verb| verb == "hook")
}

/// Answers when the command line is one that a host is wired with; `None` for any other.
pub fn quick(arguments: &[OsString]) -> Option<Exit> {
    if !is_meant(arguments) {
        return None;
    }
    let mut words = arguments.get(2..)?.iter().map(|word| word.to_str());
    let mut marker = MarkerCall::default();
    let mut below_zero = false;
    let mut call = Call::default();
    let verb = words.next()??;
    if verb == "stop" {
        let asks = |word: &str| matches!(word, "--help" | "-h");
        return (!words.any(|word| word.is_none_or(asks))).then(stop);
    }
    let (counts, is_marker) = (matches!(verb, "posttool" | "marker"), verb == "marker");
    while let Some(word) = words.next() {
        let word = word?;
        let (name, given) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let flag = given.is_none();
        let mut value = || given.or_else(|| words.next().flatten()).map(str::to_string);
        match name {
            "--workspace" => call.workspace = Some(value()?.into()),
            "--dialect" => call.usual.dialect = Some(value()?),
            "--driver" => call.usual.driver = Some(value()?),
            "--handler" if verb == "pretool" => drop(value()?),
            "--session-id" if counts => call.session = Some(value()?),
            "--max-markers" if is_marker => {
                let most = value()?.parse().ok()?;
                below_zero = most < 0;
                marker.max_markers = Some(budget(most));
            }
            "--observe" if flag => call.observe = true,
            "--debug" if flag => call.usual.debug = true,
            "--job" if flag => call.usual.job = true,
            "--reset" if flag && is_marker => marker.reset = true,
            "--loop" if flag && is_marker => marker.in_loop = true,
            "--json" if flag && is_marker => marker.json = true,
            _ => return None,
        }
    }
    let hook = match verb {
        "pretool" => Hook::Pretool,
        "posttool" => Hook::Posttool,
        "marker" => Hook::Marker { call: marker, below_zero },
        _ => return None,
    };
    Some(answer(&hook, &call))
}

/// A budget below nothing is none.
fn budget(most: i64) -> u32 {
    u32::try_from(most.max(0)).unwrap_or(u32::MAX)
}

/// Lets the agent stop, having heard it out.
fn stop() -> Exit {
    let _ = event();
    Exit::Yes
}

/// The event, as it comes.
fn event() -> Vec<u8> {
    let mut bytes = Vec::new();
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        // What was read before it failed is as good as nothing.
        let _ = stdin.lock().take(EVENT_BYTES_MAX).read_to_end(&mut bytes);
    }
    bytes
}

/// The dialect to speak; an unknown one is never taken for another.
fn dialect(name: Option<&str>) -> Result<&'static dyn Host, Exit> {
    let name = name.unwrap_or_default();
    match (name, host::named(name)) {
        ("", _) => Ok(host::DEFAULT),
        (_, Some(host)) => Ok(host),
        (_, None) => {
            output::note(&format!(
                "error: there is no dialect {name:?}; known: {}. The hook does nothing until its \
                 command is mended.",
                host::names().join(", ")
            ));
            Err(Exit::No)
        }
    }
}

fn answer(hook: &Hook, call: &Call) -> Exit {
    let host = match dialect(call.usual.dialect.as_deref()) {
        Ok(host) => host,
        Err(exit) => return exit,
    };
    let input = event();
    let debug = |text: &str| {
        if call.usual.debug {
            output::note(&format!("dos hook: {text}"));
        }
    };
    let context = match Context::of_process(call.workspace.clone(), call.observe) {
        Ok(context) => context,
        Err(error) => {
            debug(&format!("{error:#}"));
            say(host.say(Word::Pass, hook.moment()).as_ref());
            return Exit::Yes;
        }
    };
    let program = context.program();
    let caller = Caller {
        environment: &context.environment,
        clock: context.clock,
        current: &context.current,
        program: program.as_deref(),
        workspace: context.workspace_flag(),
        session: call.session.as_deref(),
        host,
    };
    let answer: Answer = match hook {
        Hook::Pretool => caller.pretool(&input),
        Hook::Posttool => caller.posttool(&input),
        Hook::Marker { call, below_zero } => {
            if *below_zero {
                output::note("warning: --max-markers is below zero, so that no turn is held open");
            }
            caller.marker(&input, *call)
        }
    };
    answer.remarks.iter().for_each(|remark| debug(remark));
    say(answer.said.as_ref());
    for Observed { workspace, verdict } in answer.verdicts {
        if context.records(&workspace.config)
            && let Err(error) = context.put(&workspace, verdict)
        {
            debug(&format!("the verdict was not recorded: {error}"));
        }
    }
    Exit::Yes
}

/// Prints what the host is told.
fn say(said: Option<&Value>) {
    if let Some(said) = said {
        output::line(&json::canonical(said));
    }
}
