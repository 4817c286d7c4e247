//! What several verbs take and print: lane requests, durations, decisions.

use std::time::Duration;

use anyhow::{Context as _, bail};
use camino::{Utf8Path, Utf8PathBuf};
use dos_core::journal::decode::object_of;
use dos_core::lane::tree::checked_tree;
use dos_core::lane::{Admission, Lanes, Lease, Refusal, Request};
use dos_core::timestamp::Timestamp;
use dos_core::witness::WitnessRung;
use dos_core::witness::rules::pointer;
use dos_drivers::snapshot::Reading;
use dos_store::disk::{Disk as _, RealDisk, read_open};
use dos_store::ledger::WAIT_DEFAULT;
use dos_store::workspace::Environment;
use serde_json::{Value, json};

use crate::context::Context;

/// Longest key that is read, in bytes.
const KEY_BYTES_MAX: usize = 64 * 1024;

/// Of a verb that has nothing but JSON to print: the flag is taken, as it is everywhere.
#[derive(Debug, clap::Args)]
pub struct JsonAnswer {
    /// Print JSON (which is the default)
    #[arg(long)]
    json: bool,
}

/// How a JSON answer is printed.
#[derive(Debug, clap::Args)]
pub struct Printed {
    /// Indent the answer
    #[arg(long)]
    pub pretty: bool,
    #[command(flatten)]
    json: JsonAnswer,
}

/// How a state is read.
#[derive(Debug, clap::Args)]
pub struct Readable {
    /// What a file holds or a command prints was written by somebody else than this machine
    #[arg(long)]
    third_party: bool,
    /// Read JSON Lines, each under what this field holds (a name or a JSON pointer)
    #[arg(long = "key", value_name = "FIELD")]
    key_field: Option<String>,
    /// Read also what the ignore rules of a folder (tree:) leave out
    #[arg(long)]
    no_ignore: bool,
    /// How long a command may take, and each command of git, e.g. 30s or 10m
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "120s")]
    pub within: Duration,
}

impl Readable {
    /// How a source is read.
    pub fn reading<'a>(&self, context: &'a Context) -> anyhow::Result<Reading<'a>> {
        let rung = if self.third_party { WitnessRung::ThirdParty } else { WitnessRung::OsRecorded };
        let key = match self.key_field.as_deref() {
            Some(field) if !field.starts_with('/') => Some(vec![field.to_string()]),
            Some(field) => Some(pointer(field).context("--key")?),
            None => None,
        };
        let (folder, everything, within) = (&context.current, self.no_ignore, self.within);
        Ok(Reading { folder, key, rung, within, everything })
    }
}

/// The key of a receipt.
#[derive(Debug, clap::Args)]
pub struct KeyFile {
    /// The key: a shared secret as raw bytes, or an Ed25519 key in PEM [default: $DOS_ATTEST_KEY]
    #[arg(long, value_name = "FILE")]
    key_file: Option<Utf8PathBuf>,
}

impl KeyFile {
    /// The bytes of the key.
    pub fn read(&self, context: &Context) -> anyhow::Result<Vec<u8>> {
        if let Some(file) = &self.key_file {
            let path = context.current.join(file);
            return content(&path, KEY_BYTES_MAX)
                .with_context(|| format!("cannot read the key {path}"));
        }
        let key = context.environment.variable("DOS_ATTEST_KEY")?;
        let key = key.filter(|key| !key.is_empty());
        let key = key.context("there is no key; pass --key-file FILE or set DOS_ATTEST_KEY")?;
        Ok(key.into_bytes())
    }
}

/// What a file holds that somebody named. A pipe in its place would make us wait for somebody, and a
/// device may have no end.
pub fn content(path: &Utf8Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let file = RealDisk.open_read(path)?;
    match read_open(&file, most) {
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            bail!("it is longer than {most} bytes")
        }
        read => Ok(read?),
    }
}

/// The same, of a text.
pub fn text_content(path: &Utf8Path, most: usize) -> anyhow::Result<String> {
    String::from_utf8(content(path, most)?).ok().context("it is not UTF-8")
}

/// A lane request as it is typed.
#[derive(Debug, clap::Args)]
pub struct LaneRequest {
    /// The lane; leave it out to take any free one
    #[arg(long, default_value = "", hide_default_value = true)]
    pub lane: String,
    /// How the lane is meant: cluster (another free lane will do), keyword, global, or '' (any)
    ///
    /// Without it a named lane means that lane and no other.
    #[arg(long)]
    pub kind: Option<String>,
    /// What will be written, as patterns [default: what the lane declares]
    #[arg(long, num_args = 0.., value_name = "PATTERN")]
    pub tree: Vec<String>,
    /// Only read: others who only read may hold the same paths, nobody who writes
    #[arg(long)]
    pub shared: bool,
}

impl LaneRequest {
    /// The request, when its patterns can be read and its kind is one.
    pub fn checked(&self, lanes: &Lanes) -> anyhow::Result<Request> {
        if let Some(kind) = self.kind.as_deref() {
            let known = matches!(kind, "" | "cluster" | "keyword" | "global");
            if !known && !lanes.is_exclusive(kind) {
                bail!("there is no kind {kind:?}; use cluster, keyword, global or ''");
            }
        }
        Ok(Request {
            lane: self.lane.clone(),
            kind: self.kind.clone(),
            tree: checked_tree(&self.tree)?,
            shared: self.shared,
            force: false,
        })
    }
}

/// Live leases given on the command line as a JSON list of objects.
pub fn leases_argument(text: &str) -> anyhow::Result<Vec<Lease>> {
    let example = r#"expected a JSON list of leases, for example '[]' or '[{"lane": "api", "tree": ["src/**"]}]'"#;
    let value: Value =
        serde_json::from_str(text).with_context(|| format!("--leases is no JSON; {example}"))?;
    let Value::Array(items) = value else {
        bail!("--leases is no list; {example}");
    };
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| match item {
            Value::Object(object) => Ok(Lease::from_object(object)),
            _ => bail!("--leases: entry {} is no object; {example}", index + 1),
        })
        .collect()
}

/// A span of time: `500ms`, `30s`, `10m`, `2h`, `1d`, or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(format!("there is no unit {unit:?}; use ms, s, m, h or d")),
    };
    let count: f64 = number.parse().map_err(|_| "write it like 30s or 10m".to_string())?;
    Duration::try_from_secs_f64(count * seconds)
        .ok()
        .filter(|span| *span <= Duration::from_secs(366 * 86_400))
        .ok_or_else(|| "it is longer than a year".to_string())
}

/// How long to wait for the lock: the original's flags when given, else a generous default.
pub fn lock_wait(retries: Option<i64>, interval: Option<f64>) -> anyhow::Result<Duration> {
    if retries.is_none() && interval.is_none() {
        return Ok(WAIT_DEFAULT);
    }
    let retries = retries.unwrap_or(5).max(0) as f64;
    let interval = interval.unwrap_or(0.2).max(0.0);
    Duration::try_from_secs_f64(retries * interval)
        .context("--retries times --retry-interval is no span of time")
}

/// The keys of the original's decision, and what stands in the way.
pub fn decision(answer: &Result<Admission, Refusal>, now: Timestamp) -> Value {
    match answer {
        Ok(admission) => granted(admission),
        Err(refusal) => json!({
            "outcome": "refuse",
            "lane": "",
            "lane_kind": "",
            "tree": [],
            "auto_picked": false,
            "reason": refusal.explain(now),
            "reason_class": refusal.cause.token(),
            "free_clusters": refusal.free_lanes,
            "pick_count": null,
            "requested_lane": refusal.lane,
            "blocked_by": refusal.blockers_json(now),
            "next_step": refusal.next_step(),
        }),
    }
}

fn granted(admission: &Admission) -> Value {
    let shown = json!({
        "outcome": "acquire",
        "lane": admission.lane,
        "lane_kind": admission.kind,
        "tree": admission.tree.patterns(),
        "auto_picked": admission.auto_picked,
        "reason": admission.reason,
        "free_clusters": [],
        "pick_count": null,
    });
    if admission.shared { with(shown, "mode", "shared") } else { shown }
}

/// Adds a field to an answer.
pub fn with(mut answer: Value, field: &str, value: impl Into<Value>) -> Value {
    if let Some(object) = answer.as_object_mut() {
        object.insert(field.to_string(), value.into());
    }
    answer
}

/// A journal line as the JSON object that it is, for listings.
pub fn listed(line: &[u8]) -> Option<Value> {
    object_of(line).map(Value::Object)
}
