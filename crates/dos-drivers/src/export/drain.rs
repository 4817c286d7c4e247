//! Brings the rows of the verdict journal to whoever takes them: in order, each at least once, and
//! further only after word that all before have arrived.

use std::collections::VecDeque;
use std::time::Duration;

use dos_core::verdict::VerdictEvent;
use dos_store::StoreError;
use dos_store::disk::RealDisk;
use dos_store::verdicts::{From, Position, Reader, VerdictJournal};

use super::{Again, Exporter, NotTaken};

/// The first pause before something is tried again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// One export, from where it begins.
pub struct Drain<'j> {
    journal: &'j VerdictJournal<RealDisk>,
    reader: Reader<'j, RealDisk>,
    /// Rows that were read and have not arrived, and the place behind them.
    held: Held,
    /// Most rows that are brought at once.
    batch: usize,
}

#[derive(Default)]
struct Held {
    events: Vec<VerdictEvent>,
    position: Option<Position>,
}

/// How far to go in one round.
pub struct Effort<'a> {
    /// For how long what fails is tried again.
    pub patience: Duration,
    /// Waits; false when the round is to end. Asked between batches as well, with nothing to wait for.
    pub pause: &'a mut dyn FnMut(Duration) -> bool,
    /// Called when rows have arrived, with the place behind them and the highest of their numbers.
    pub arrived: &'a mut dyn FnMut(Position, i64) -> Result<(), StoreError>,
}

/// What came of one round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Rows that have arrived.
    pub delivered: u64,
    /// Of these, how many were rejected for good.
    pub rejected: u64,
    /// What was said about that.
    pub remark: String,
    /// The highest number of the rows that have arrived.
    pub seq: Option<i64>,
    /// Rows that have not, as far as they were counted.
    pub pending: u64,
    /// Lines that nobody can read.
    pub corrupt: u64,
    /// Rows between may be missing: the place to go on from is not there any more.
    pub gap: bool,
    /// Why it went no further.
    pub failure: Option<String>,
    /// How long the other side asks not to be asked again.
    pub wait: Option<Duration>,
}

impl<'j> Drain<'j> {
    /// An export from there on.
    pub fn start(
        journal: &'j VerdictJournal<RealDisk>,
        from: From,
        batch: usize,
    ) -> Result<Self, StoreError> {
        let reader = journal.read(from)?;
        Ok(Self { journal, reader, held: Held::default(), batch: batch.max(1) })
    }

    /// Brings all rows that are there. What has not arrived comes first the next time.
    pub fn round(
        &mut self,
        exporter: &mut dyn Exporter,
        effort: &mut Effort<'_>,
    ) -> Result<Round, StoreError> {
        let mut round = Round::default();
        loop {
            if self.held.events.is_empty() {
                self.read(&mut round)?;
            }
            if self.held.events.is_empty() {
                return Ok(round);
            }
            let (arrived, failure) = deliver(exporter, &self.held.events, effort, &mut round);
            self.held.events.drain(..arrived);
            if let Some(failure) = failure {
                round.pending = self.held.events.len() as u64;
                if let Again::Later(wait) = failure.again {
                    round.wait = wait;
                }
                round.failure = Some(failure.reason);
                return Ok(round);
            }
            if let Some(position) = self.held.position.take() {
                (effort.arrived)(position, round.seq.unwrap_or(0))?;
            }
            if !(effort.pause)(Duration::ZERO) {
                return Ok(round);
            }
        }
    }

    /// How many rows there are, without bringing them anywhere.
    pub fn count(&mut self, last: Option<usize>) -> Result<Round, StoreError> {
        let mut round = Round::default();
        loop {
            self.read(&mut round)?;
            if self.held.events.is_empty() {
                break;
            }
            round.pending += self.held.events.len() as u64;
            round.seq = highest(&self.held.events).max(round.seq);
        }
        round.pending = last.map_or(round.pending, |last| round.pending.min(last as u64));
        Ok(round)
    }

    /// Counts what has not arrived, also behind what is held.
    pub fn pending(&self) -> Result<u64, StoreError> {
        let held = self.held.events.len() as u64;
        let Some(position) = self.held.position else { return Ok(held) };
        let mut rest = Self::start(self.journal, From::At(position), self.batch)?;
        Ok(held + rest.count(None)?.pending)
    }

    /// Keeps only the last rows that are there.
    pub fn last(&mut self, most: usize) -> Result<Round, StoreError> {
        let mut round = Round::default();
        let mut kept: VecDeque<VerdictEvent> = VecDeque::new();
        loop {
            self.read(&mut round)?;
            if self.held.events.is_empty() {
                break;
            }
            kept.extend(self.held.events.drain(..));
            kept.drain(..kept.len().saturating_sub(most));
        }
        self.held.events = kept.into();
        Ok(round)
    }

    fn read(&mut self, round: &mut Round) -> Result<(), StoreError> {
        let batch = self.reader.next(self.batch)?;
        round.corrupt += batch.corrupt;
        round.gap |= batch.gap;
        self.held = Held { events: batch.events, position: batch.position };
        Ok(())
    }
}

/// How often something was tried, and for how long.
#[derive(Debug, Default)]
pub struct Retry {
    waited: Duration,
    pauses: u32,
}

impl Retry {
    /// Waits before the next try; false when there is to be none.
    pub fn may(
        &mut self,
        again: Again,
        patience: Duration,
        pause: &mut dyn FnMut(Duration) -> bool,
    ) -> bool {
        let Again::Later(asked) = again else { return false };
        let usual = PAUSE.saturating_mul(1 << self.pauses.min(8)).min(PAUSE_MAX);
        let wait = asked.unwrap_or(usual).max(PAUSE);
        if self.waited.saturating_add(wait) > patience {
            return false;
        }
        self.waited += wait;
        self.pauses += 1;
        pause(wait)
    }
}

/// Brings rows, again and again if need be, and in smaller pieces if they are too many at once. Returns
/// how many have arrived, and why the rest has not.
fn deliver(
    exporter: &mut dyn Exporter,
    events: &[VerdictEvent],
    effort: &mut Effort<'_>,
    round: &mut Round,
) -> (usize, Option<NotTaken>) {
    let (mut rest, mut size) = (events, events.len());
    let mut retry = Retry::default();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        let failure = match exporter.export(piece) {
            Ok(taken) => {
                round.delivered += piece.len() as u64;
                round.rejected += taken.rejected;
                if !taken.remark.is_empty() {
                    round.remark = taken.remark;
                }
                round.seq = highest(piece).max(round.seq);
                rest = behind;
                continue;
            }
            Err(failure) => failure,
        };
        if failure.again == Again::Smaller && piece.len() > 1 {
            size = piece.len() / 2;
            continue;
        }
        if !retry.may(failure.again, effort.patience, effort.pause) {
            return (events.len() - rest.len(), Some(failure));
        }
    }
    (events.len(), None)
}

fn highest(events: &[VerdictEvent]) -> Option<i64> {
    events.iter().map(|event| event.seq).filter(|seq| *seq > 0).max()
}
