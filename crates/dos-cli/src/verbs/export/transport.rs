//! The exporter that a command line names.

use anyhow::{Context as _, bail, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use dos_drivers::export::Exporter;
use dos_drivers::export::file::File;
use dos_drivers::export::otlp::{self, Given, Otlp, Settings};
use dos_drivers::export::program::{self, Program};
use dos_drivers::export::statsd::{PORT, Statsd};
use dos_store::Workspace;
use dos_store::archive::archive_dir;
use dos_store::disk::{Disk, RealDisk};
use dos_store::workspace::Environment;

use super::Args;
use crate::context::Context;
use crate::verbs::lookup::Lookup;

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
    let settings = Lookup::new(context, workspace);
    Ok(Some(match args.to.as_str() {
        "null" => return Ok(None),
        "file" => Box::new(file(context, &settings, workspace, args)?),
        "statsd" => Box::new(statsd(&settings, args)?),
        "otlp" => Box::new(collector(context, &settings, workspace, args)?),
        name => Box::new(program(context, workspace, name, &args.arguments)?),
    }))
}

fn file(
    context: &Context,
    settings: &Lookup<'_>,
    workspace: &Workspace,
    args: &Args,
) -> anyhow::Result<File> {
    let found = settings.first(args.path.as_deref(), "DOS_EXPORT_FILE")?.context(
        "which file? Give --path PATH, or set DOS_EXPORT_FILE, also in the .env of the workspace",
    )?;
    // One destination, however it is written.
    let path: Utf8PathBuf = workspace.root.join(&found.value).components().collect();
    if path.is_dir() {
        bail!("{path} is a folder; name a file in it");
    }
    let file = real(&path)
        .with_context(|| format!("nobody can tell where {path} leads; write it without `..`"))?;
    ensure!(
        !is_of_dos(&file, workspace),
        "{path} is where `dos` keeps its own state: an export there would feed or damage it; name \
         another file"
    );
    ensure!(
        !found.by_repository || file.starts_with(&workspace.root),
        "DOS_EXPORT_FILE in .env names {path}, which is outside the workspace; to write there, give \
         --path or set the variable yourself"
    );
    Ok(File::new(path, args.rotate, context.clock))
}

/// Where a path leads, also when it ends in what is not there yet.
fn real(path: &Utf8Path) -> Option<Utf8PathBuf> {
    match path.canonicalize_utf8() {
        Ok(found) => Some(found),
        Err(_) => Some(real(path.parent()?)?.join(path.file_name()?)),
    }
}

/// Is it part of the state of the workspace, by whatever name?
fn is_of_dos(file: &Utf8Path, workspace: &Workspace) -> bool {
    let journals = [&workspace.verdicts, &workspace.journal];
    let folders = std::iter::once(workspace.dot_dos());
    let mut folders = folders.chain(journals.map(|journal| archive_dir(journal)));
    let id = |path: &Utf8Path| RealDisk.stat(path).ok().flatten().map(|stat| stat.id);
    let named = id(file);
    let mut logs = journals.into_iter().map(|journal| (real(journal), id(journal)));
    folders.any(|folder| real(&folder).is_some_and(|folder| file.starts_with(folder)))
        || logs.any(|(path, id)| path.as_deref() == Some(file) || id.is_some() && id == named)
}

fn statsd(settings: &Lookup<'_>, args: &Args) -> anyhow::Result<Statsd> {
    let host = settings.first(args.host.as_deref(), "DOS_STATSD_HOST")?;
    let port = args.port.map(|port| port.to_string());
    let port = match settings.first(port.as_deref(), "DOS_STATSD_PORT")? {
        None => PORT,
        Some(found) => {
            let text = found.value;
            let port = text.parse().ok().filter(|port| *port > 0);
            port.with_context(|| format!("{text:?} (--port or DOS_STATSD_PORT) is no port"))?
        }
    };
    let host = host.as_ref().map_or("127.0.0.1", |found| found.value.as_str());
    Ok(Statsd::new(host, port, args.metric.as_deref())?)
}

fn collector(
    context: &Context,
    settings: &Lookup<'_>,
    workspace: &Workspace,
    args: &Args,
) -> anyhow::Result<Otlp> {
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
    let settings_read = Settings::read(&context.environment, given)??;
    Ok(Otlp::new(settings_read, context.clock))
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
