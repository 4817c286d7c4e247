//! Does a tool answer the same again and again? A session's calls, each with digests of what was
//! asked and what came back.
//!
//! Only what the tool returned counts, never what the agent says of it. A repeated answer is a
//! reason to tell the agent so; it is never a reason to stop it, since waiting looks the same.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::json::{self, Object};
use crate::lane::lease::fold;
use crate::schema::{self, Readability};
use crate::timestamp::Timestamp;

/// The format of the records of a stream.
pub const SCHEMA_FAMILY: &str = "tool-stream";
/// The version that this reader knows.
pub const SCHEMA_VERSION: i64 = 1;
/// So many equal calls in a row repeat, unless `dos.toml` says otherwise.
pub const REPEAT_DEFAULT: u32 = 3;
/// So many have stalled.
pub const STALL_DEFAULT: u32 = 5;
/// How many bytes of a digest are kept.
const DIGEST_BYTES: usize = 8;

/// The `[tool_stream]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPolicy {
    /// So many equal calls in a row are REPEATING; at least 1.
    pub repeat_n: u32,
    /// So many are STALLED; at least `repeat_n`.
    pub stall_n: u32,
    /// Tools that may answer the same for as long as they like.
    pub ignore_tools: Vec<String>,
}

impl Default for StreamPolicy {
    fn default() -> Self {
        Self { repeat_n: REPEAT_DEFAULT, stall_n: STALL_DEFAULT, ignore_tools: Vec::new() }
    }
}

/// One call of a tool, as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The tool.
    pub tool: String,
    /// What it was asked.
    pub args_digest: String,
    /// What it answered; `None` when it answered nothing, which is like no other answer.
    pub result_digest: Option<String>,
}

/// What a stream of calls looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// The last calls brought something new.
    Advancing,
    /// The same call was answered the same some times in a row.
    Repeating,
    /// So often that nothing will come of it.
    Stalled,
}

impl StreamState {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Advancing => "ADVANCING",
            Self::Repeating => "REPEATING",
            Self::Stalled => "STALLED",
        }
    }
}

/// What the last calls of a session say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamVerdict {
    /// The verdict.
    pub state: StreamState,
    /// How many equal calls there are at the end; at least so many.
    pub run: u32,
    /// The call that repeats.
    pub repeated: Option<Step>,
}

impl Step {
    /// The step of a call: what was asked of the tool and what it answered.
    pub fn of_call(tool: &str, input: &Value, result: Option<&Value>) -> Self {
        let asked = json!({"tool": tool, "input": input});
        Self {
            tool: tool.to_string(),
            args_digest: digest(&json::digest_text(&asked)),
            result_digest: result.map(|result| match result {
                Value::String(text) => digest(text),
                other => digest(&json::digest_text(other)),
            }),
        }
    }

    /// Reads a line of a stream. What cannot be read, or is of another family or of a newer version,
    /// is no step: a step too few is better than one too many.
    pub fn read(line: &[u8]) -> Option<(Self, Option<u64>)> {
        let record: Object = serde_json::from_slice(line).ok()?;
        let (readability, _) = schema::classify(&record, SCHEMA_FAMILY, SCHEMA_VERSION);
        if !matches!(readability, Readability::Readable | Readability::Untagged) {
            return None;
        }
        let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_string);
        let step = Self {
            tool: text("tool_name")?,
            args_digest: text("args_digest")?,
            result_digest: text("result_digest"),
        };
        Some((step, record.get("step_index").and_then(Value::as_u64)))
    }

    /// The record of the step, the `index`th of its session from zero.
    pub fn record(
        &self,
        index: u64,
        verdict: &StreamVerdict,
        run_id: Option<&str>,
        now: Timestamp,
    ) -> Value {
        let mut record = Object::new();
        let schema = json!({"family": SCHEMA_FAMILY, "version": SCHEMA_VERSION});
        let mut put = |name: &str, value: Value| record.insert(name.to_string(), value);
        put("schema", schema);
        put("op", "STEP".into());
        put("tool_name", self.tool.as_str().into());
        put("args_digest", self.args_digest.as_str().into());
        put("result_digest", self.result_digest.as_deref().into());
        put("step_index", index.into());
        put("ts", now.to_string().into());
        if verdict.state != StreamState::Advancing {
            put("verdict_state", verdict.state.token().into());
            if let Some(run_id) = run_id.filter(|run_id| !run_id.is_empty()) {
                put("run_id", run_id.into());
            }
        }
        Value::Object(record)
    }

    /// Is the other step the same call with the same answer?
    fn repeats(&self, other: &Self) -> bool {
        self.result_digest.is_some()
            && self.result_digest == other.result_digest
            && self.args_digest == other.args_digest
            && fold(&self.tool) == fold(&other.tool)
    }
}

/// The first digits of the SHA-256 of a text.
fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// Judges a session by its last calls. `latest_first` is read only as far as they are equal, and no
/// further than [`StreamPolicy::stall_n`] and `counted` ask.
pub fn classify(
    latest_first: impl IntoIterator<Item = Step>,
    policy: &StreamPolicy,
) -> StreamVerdict {
    let mut steps = latest_first.into_iter();
    let Some(latest) = steps.next() else {
        return StreamVerdict { state: StreamState::Advancing, run: 0, repeated: None };
    };
    let ignored = policy.ignore_tools.iter().any(|tool| fold(tool) == fold(&latest.tool));
    let mut run: u32 = 1;
    if !ignored {
        let equal = steps.take_while(|step| step.repeats(&latest)).count();
        run = run.saturating_add(u32::try_from(equal).unwrap_or(u32::MAX));
    }
    let state = match run {
        run if run >= policy.stall_n => StreamState::Stalled,
        run if run >= policy.repeat_n => StreamState::Repeating,
        _ => StreamState::Advancing,
    };
    let names = state != StreamState::Advancing && run >= 2;
    StreamVerdict { state, run, repeated: names.then_some(latest) }
}

impl StreamVerdict {
    /// What the agent is told; `None` when there is nothing to say.
    pub fn advice(&self) -> Option<String> {
        if self.state == StreamState::Advancing {
            return None;
        }
        let tool = self.repeated.as_ref().map_or("the tool", |step| step.tool.as_str());
        let times = match self.run {
            1 => "once".to_string(),
            run => format!("{run} times in a row"),
        };
        Some(format!(
            "DOS {}: the same call of {tool} has returned the same bytes {times}, so that nothing \
             new comes of asking again. If you wait for something, wait for its completion signal; \
             else work with the answer you have.",
            self.state.token()
        ))
    }
}
