//! What an export prints.

use dos_drivers::export::Exporter;
use dos_drivers::export::drain::Round;
use serde_json::{Value, json};

use super::Args;
use crate::output;

/// How an export is told of.
pub struct Report<'a> {
    transport: &'a str,
    destination: String,
    since: i64,
    persist: bool,
    json: bool,
}

impl<'a> Report<'a> {
    /// Of an export to this exporter; `None` for nobody.
    pub fn new(args: &'a Args, exporter: Option<&dyn Exporter>, since: i64, persist: bool) -> Self {
        Self {
            transport: &args.to,
            destination: exporter.map(|it| it.shown().to_string()).unwrap_or_default(),
            since,
            persist,
            json: args.json,
        }
    }

    /// Rows were counted and not sent.
    pub fn counted(&self, round: &Round) {
        self.remarks(round);
        let rows = plural(round.pending);
        let detail = match self.destination.as_str() {
            "" => format!("{rows}, sent nowhere; choose where to with --to file, statsd or otlp"),
            destination => format!("would send {rows} to {destination}"),
        };
        match self.json {
            true => self.answer(round, &detail, true),
            false => output::line(&format!("{}: {detail}", self.transport)),
        }
    }

    /// One export has ended.
    pub fn ended(&self, round: &Round) {
        self.remarks(round);
        match self.json {
            true => self.answer(round, &self.detail(round), true),
            false => output::line(&format!("{}: {}", self.transport, self.detail(round))),
        }
    }

    /// One look of many.
    pub fn looked(&self, round: &Round) {
        let arrived = round.failure.is_none() && round.pending == 0;
        if round.delivered == 0 && arrived && !round.gap && round.corrupt == 0 {
            return;
        }
        self.remarks(round);
        match self.json {
            true => self.answer(round, &self.detail(round), false),
            false => output::line(&format!("{}: {}", self.transport, self.detail(round))),
        }
    }

    /// No more looks.
    pub fn stopped(&self, round: &Round) {
        if !self.json {
            let left = match round.pending {
                0 => "everything recorded until now was delivered".to_string(),
                pending => format!("{} not delivered", plural(pending)),
            };
            output::remark(&format!("stopped; {left}"));
        }
    }

    /// What is to be said beside the answer.
    pub fn remarks(&self, round: &Round) {
        if round.gap {
            output::note(
                "warning: the row that the last export ended with is not in the verdict journal any \
                 more: rows behind it may have been removed before they were exported. What is there \
                 is exported from its oldest row on",
            );
        }
        if round.corrupt > 0 {
            let lines = round.corrupt;
            output::note(&format!(
                "warning: {lines} line(s) of the verdict journal cannot be read and were passed over; \
                 see `dos observe`"
            ));
        }
        if round.rejected > 0 {
            let remark = output::printable(&round.remark);
            output::note(&format!(
                "warning: {} took the rows but rejected {} of them for good: {remark}",
                self.destination, round.rejected
            ));
        } else if !round.remark.is_empty() {
            output::note(&format!("note: {}", output::printable(&round.remark)));
        }
        if let Some(wait) = round.wait {
            let seconds = wait.as_secs();
            output::note(&format!("note: it asks not to be asked again for {seconds} s"));
        }
    }

    fn detail(&self, round: &Round) -> String {
        match &round.failure {
            None if round.pending > 0 => format!(
                "{} delivered to {}, {} not yet",
                plural(round.delivered),
                self.destination,
                round.pending
            ),
            None if round.delivered == 0 => format!("nothing new for {}", self.destination),
            None => format!("{} delivered to {}", plural(round.delivered), self.destination),
            Some(failure) => format!(
                "{} delivered, {} not: {}",
                plural(round.delivered),
                round.pending,
                output::printable(failure)
            ),
        }
    }

    fn answer(&self, round: &Round, detail: &str, pretty: bool) {
        let any = round.delivered + round.pending > 0;
        let cursor = if any { round.seq.unwrap_or(self.since).to_string() } else { String::new() };
        let answer: Value = json!({
            "result": {"exported": round.delivered, "detail": detail, "cursor": cursor},
            "exporter": self.transport,
            "destination": self.destination,
            // What the original calls so is what there was to send.
            "shipped": round.delivered + round.pending,
            "pending": round.pending,
            "rejected": round.rejected,
            "corrupt": round.corrupt,
            "gap": round.gap,
            "since": self.since,
            "persist": self.persist,
        });
        output::answer(&answer, pretty);
    }
}

fn plural(count: u64) -> String {
    if count == 1 { "1 row".to_string() } else { format!("{count} rows") }
}
