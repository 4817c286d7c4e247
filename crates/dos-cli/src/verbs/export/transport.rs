//! The exporter that a command line names.

use anyhow::{Context as _, bail};
use camino::{Utf8Path, Utf8PathBuf};
use dos_drivers::export::file::File;
use dos_drivers::export::otlp::{self, Given, Otlp, Settings};
use dos_drivers::export::program::{self, Program};
use dos_drivers::export::statsd::{PORT, Statsd};
use dos_drivers::export::{Exporter, dotenv};
use dos_store::Workspace;
use dos_store::workspace::Environment;

use super::Args;
use crate::context::Context;

/// For so long a program of one's own may take for a batch.
const PROGRAM_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// Who takes the rows; `None` when nobody does.
pub fn of(
    context: &Context,
    workspace: &Workspace,
    args: &Args,
) -> anyhow::Result<Option<Box<dyn Exporter>>> {
    if !args.arguments.is_empty() && matches!(args.to.as_str(), "null" | "file" | "statsd" | "otlp")
    {
        bail!("--to {} takes no arguments behind `--`", args.to);
    }
    let settings = Lookup { context, root: &workspace.root };
    Ok(Some(match args.to.as_str() {
        "null" => return Ok(None),
        "file" => Box::new(file(&settings, args)?),
        "statsd" => Box::new(statsd(&settings, args)?),
        "otlp" => Box::new(collector(&settings, workspace, args)?),
        name => Box::new(program(context, workspace, name, &args.arguments)?),
    }))
}

fn file(settings: &Lookup<'_>, args: &Args) -> anyhow::Result<File> {
    let path = settings.first(args.path.clone(), "DOS_EXPORT_FILE")?.context(
        "which file? Give --path PATH, or set DOS_EXPORT_FILE, also in the .env of the workspace",
    )?;
    // One destination, however it is written.
    let path: Utf8PathBuf = settings.root.join(path).components().collect();
    if path.is_dir() {
        bail!("{path} is a folder; name a file in it");
    }
    Ok(File::new(path, args.rotate, settings.context.clock))
}

fn statsd(settings: &Lookup<'_>, args: &Args) -> anyhow::Result<Statsd> {
    let host = settings.first(args.host.clone(), "DOS_STATSD_HOST")?;
    let port = match settings.first(args.port.map(|port| port.to_string()), "DOS_STATSD_PORT")? {
        None => PORT,
        Some(text) => {
            let port = text.parse().ok().filter(|port| *port > 0);
            port.with_context(|| format!("{text:?} (--port or DOS_STATSD_PORT) is no port"))?
        }
    };
    let host = host.as_deref().unwrap_or("127.0.0.1");
    Ok(Statsd::new(host, port, args.metric.as_deref())?)
}

fn collector(settings: &Lookup<'_>, workspace: &Workspace, args: &Args) -> anyhow::Result<Otlp> {
    let named = |name: &str, value: &str| (name.to_string(), value.to_string());
    let given = Given {
        signal: otlp::signal(&args.signal).context("--signal")?,
        endpoint: args.endpoint.as_deref().filter(|url| !url.trim().is_empty()),
        dotenv: &settings.dotenv()?,
        resource: vec![
            named("dos.workspace", workspace.root.as_str()),
            named("host.name", &workspace.host),
        ],
    };
    let settings_read = Settings::read(&settings.context.environment, given)??;
    Ok(Otlp::new(settings_read, settings.context.clock))
}

fn program(
    context: &Context,
    workspace: &Workspace,
    name: &str,
    arguments: &[String],
) -> anyhow::Result<Program> {
    let path = context.environment.variable("PATH")?.unwrap_or_default();
    let found = Program::find(name, &path, arguments, &workspace.root, PROGRAM_WITHIN)?;
    found.with_context(|| {
        let others: String = program::names(&path).iter().map(|name| format!(", {name}")).collect();
        format!(
            "there is no transport {name:?}; there are null, file, statsd, otlp{others}, and any \
             program {}NAME on PATH",
            program::PREFIX
        )
    })
}

/// Settings by flag, variable and `.env`, in this order.
struct Lookup<'a> {
    context: &'a Context,
    root: &'a Utf8Path,
}

impl Lookup<'_> {
    fn first(&self, given: Option<String>, variable: &str) -> anyhow::Result<Option<String>> {
        if let Some(given) = given.filter(|text| !text.is_empty()) {
            return Ok(Some(given));
        }
        match self.context.first_variable(&[variable])? {
            Some(value) => Ok(Some(value)),
            None => Ok(self.dotenv()?.remove(variable).filter(|text| !text.is_empty())),
        }
    }

    fn dotenv(&self) -> anyhow::Result<std::collections::BTreeMap<String, String>> {
        dotenv::read(self.root).with_context(|| format!("cannot read {}", self.root.join(".env")))
    }
}
