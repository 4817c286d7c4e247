//! News of refusals, halts and stalls for a webhook: one message for all that came since the last one.
//!
//! It goes by the verdict journal like an export, with a cursor of its own, which moves only when a
//! message was taken. What was told is not told again for a while; the cursor remembers what that was.

use std::collections::BTreeMap;
use std::time::Duration;

use dos_core::export::alarm::{About, Alarm, News};
use dos_core::json::Object;
use dos_core::timestamp::Timestamp;
use dos_store::StoreError;
use dos_store::disk::RealDisk;
use dos_store::snapshot::hex;
use dos_store::verdicts::{From, Position, Reader, VerdictJournal};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::NotTaken;
use super::http::Endpoint;

/// Rows that are read at once.
const ROWS: usize = 1000;
/// So many alerts are listed; the rest is counted.
const LISTED_MAX: usize = 20;
/// So much of each is shown, in characters.
const SHOWN_CHARACTERS: usize = 120;
/// So long a text in a message of Slack may be. A longer one is refused, and so is the message.
const SLACK_CHARACTERS_MAX: usize = 3000;
/// Room for how many more there are.
const MORE_CHARACTERS: usize = 80;
/// So many alerts are remembered.
const REMEMBERED_MAX: usize = 1000;

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON with the keys of the original's webhook.
    Webhook,
    /// JSON that Slack, and who speaks like it, shows.
    Slack,
}

/// What was told, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// When the last message was taken, in milliseconds.
    pub last_ms: Option<i64>,
    /// When each alert was told, by its digest.
    told: BTreeMap<String, i64>,
}

impl Memory {
    /// Reads what a cursor remembers.
    pub fn read(object: &Object) -> Self {
        let told = object.get("told").and_then(Value::as_object).into_iter().flatten();
        Self {
            last_ms: object.get("last_ms").and_then(Value::as_i64),
            told: told.filter_map(|(key, at)| Some((key.clone(), at.as_i64()?))).collect(),
        }
    }

    /// The same for the cursor to keep.
    pub fn object(&self) -> Object {
        let mut object = Object::new();
        object.insert("last_ms".into(), self.last_ms.into());
        let told = self.told.iter().map(|(key, at)| (key.clone(), Value::from(*at)));
        object.insert("told".into(), Value::Object(told.collect()));
        object
    }

    /// Was it told so short a time ago?
    fn knows(&self, about: &About, now: Timestamp, repeat_after: Duration) -> bool {
        let told = self.told.get(&digest(about));
        told.is_some_and(|at| !has_passed(*at, now, repeat_after))
    }

    /// How long until another message may be sent.
    pub fn wait(&self, now: Timestamp, every: Duration) -> Option<Duration> {
        let last = self.last_ms.filter(|last| !has_passed(*last, now, every))?;
        let since = Duration::from_millis(now.millis().saturating_sub(last).unsigned_abs());
        Some(every.saturating_sub(since))
    }

    /// Remembers a message.
    fn tell(&mut self, news: &News, now: Timestamp, repeat_after: Duration) {
        self.told.retain(|_, at| !has_passed(*at, now, repeat_after));
        self.last_ms = Some(now.millis());
        for alert in news.alerts() {
            self.told.insert(digest(&alert.about), now.millis());
        }
        // What is forgotten may be told once more.
        let mut oldest: Vec<(i64, String)> =
            self.told.iter().map(|(key, at)| (*at, key.clone())).collect();
        oldest.sort();
        let beyond = oldest.len().saturating_sub(REMEMBERED_MAX);
        for (_, key) in oldest.into_iter().take(beyond) {
            self.told.remove(&key);
        }
    }
}

/// Has so much time passed since? Yes, where the clock was put back.
fn has_passed(at: i64, now: Timestamp, span: Duration) -> bool {
    let since = now.millis().saturating_sub(at);
    since < 0 || since.unsigned_abs() as u128 >= span.as_millis()
}

fn digest(about: &About) -> String {
    let text = json!([about.syscall, about.verdict, about.lane, about.run_id, about.subject]);
    let digest = hex(&Sha256::digest(text.to_string().as_bytes()));
    digest.get(..16).unwrap_or(&digest).to_string()
}

/// Reads news, and brings them to a webhook.
pub struct Messenger<'j> {
    reader: Reader<'j, RealDisk>,
    wanted: Vec<Alarm>,
    news: News,
    /// How far was read.
    pub position: Option<Position>,
    /// The highest number so far.
    pub seq: i64,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Rows that were read.
    pub rows: u64,
    /// Lines that nobody can read.
    pub corrupt: u64,
    /// Rows between may be missing.
    pub gap: bool,
}

impl<'j> Messenger<'j> {
    /// Reads from there on, for news of these kinds.
    pub fn start(
        journal: &'j VerdictJournal<RealDisk>,
        from: From,
        seq: i64,
        wanted: Vec<Alarm>,
    ) -> Result<Self, StoreError> {
        let news = News::default();
        Ok(Self { reader: journal.read(from)?, wanted, news, position: None, seq })
    }

    /// Reads all that is there. What was told a short while ago is no news.
    pub fn look(
        &mut self,
        memory: &Memory,
        now: Timestamp,
        repeat_after: Duration,
    ) -> Result<Found, StoreError> {
        let mut found = Found::default();
        loop {
            let batch = self.reader.next(ROWS)?;
            found.corrupt += batch.corrupt;
            found.gap |= batch.gap;
            if batch.events.is_empty() {
                break;
            }
            found.rows += batch.events.len() as u64;
            self.position = batch.position;
            for event in &batch.events {
                self.seq = self.seq.max(event.seq);
                self.news.take(event, &self.wanted);
            }
        }
        self.news.without(|about| memory.knows(about, now, repeat_after));
        Ok(found)
    }

    /// What nobody was told yet.
    pub fn news(&self) -> &News {
        &self.news
    }

    /// Sends one message of all news. Nothing is sent when there are none.
    pub fn send(
        &mut self,
        endpoint: &Endpoint,
        body: &str,
        memory: &mut Memory,
        now: Timestamp,
        repeat_after: Duration,
    ) -> Result<(), NotTaken> {
        let answer =
            endpoint.post(body.as_bytes(), &[("content-type", "application/json")], now)?;
        endpoint.accepted(answer)?;
        memory.tell(&self.news, now, repeat_after);
        self.news = News::default();
        Ok(())
    }
}

/// The message about some news of a workspace.
pub fn message(news: &News, format: Format, workspace: &str) -> Value {
    let alerts = news.alerts();
    let urgent = alerts.iter().any(|alert| alert.alarm > Alarm::Refusal);
    let severity = if urgent { "URGENT" } else { "WARN" };
    let title = format!("{} in {}", news.title(), cut(workspace));
    let listed = alerts.iter().take(LISTED_MAX).map(|alert| {
        let times =
            if alert.count > 1 { format!(" ({} times)", alert.count) } else { String::new() };
        let at = alert.last.map(|at| format!("{at} ")).unwrap_or_default();
        (alert.alarm.names().0, format!("{at}{}{times}", cut(&alert.about.line())))
    });
    let fields: Vec<(&str, String)> = listed.collect();
    let more = |shown: usize| match alerts.len().saturating_sub(shown) {
        0 => String::new(),
        rest => format!("\nand {rest} more; see `dos observe`"),
    };
    match format {
        Format::Webhook => {
            let lines: Vec<&str> = fields.iter().map(|(_, line)| line.as_str()).collect();
            let summary = format!("{}{}", lines.join("\n"), more(lines.len()));
            json!({
                "severity": severity,
                "title": title,
                "summary": summary,
                "fields": fields,
                "key": "dos-verdicts",
                "source": "verdicts",
                "text": format!("[{severity}] {title}\n{summary}"),
            })
        }
        Format::Slack => {
            let (mut text, mut length, mut shown) = (String::new(), MORE_CHARACTERS, 0);
            for (_, line) in &fields {
                let line = format!("• {}\n", escaped(line));
                length += line.encode_utf16().count();
                if length > SLACK_CHARACTERS_MAX {
                    break;
                }
                text.push_str(&line);
                shown += 1;
            }
            text.push_str(&more(shown));
            let title = escaped(&title);
            json!({
                "text": format!("[{severity}] {title}"),
                "blocks": [
                    {"type": "section", "text": {"type": "mrkdwn", "text": format!("*{title}*")}},
                    {"type": "section", "text": {"type": "mrkdwn", "text": text.trim()}},
                ],
            })
        }
    }
}

/// A text of somebody else's on one line, and not too long.
fn cut(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = printable.take(SHOWN_CHARACTERS + 1).collect();
    if let Some((at, _)) = shown.char_indices().nth(SHOWN_CHARACTERS) {
        shown.truncate(at);
        shown.push('…');
    }
    shown
}

/// What Slack would take for marks of its own: also a mention of everybody, which a name could hold.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use dos_core::verdict::VerdictEvent;

    use super::*;

    #[test]
    fn a_text_of_slack_is_never_longer_than_it_takes() {
        let mut news = News::default();
        for number in 0..30 {
            let mut event = VerdictEvent::new("arbitrate", "refuse");
            event.lane = format!("{number:02}{}", "&".repeat(200));
            news.take(&event, &Alarm::ALL);
        }
        let body = message(&news, Format::Slack, &"<".repeat(5000));
        let text = |at: usize| body["blocks"][at]["text"]["text"].as_str().unwrap().to_string();
        for at in [0, 1] {
            assert!(text(at).chars().count() <= SLACK_CHARACTERS_MAX, "{}", text(at));
        }
        let shown = text(1).matches('•').count();
        assert!(shown > 3, "{shown}");
        assert!(text(1).ends_with(&format!("and {} more; see `dos observe`", 30 - shown)));
        let plain = message(&news, Format::Webhook, "w");
        assert!(plain["summary"].as_str().unwrap().contains("and 10 more"));
    }
}
