//! Brings the rows of the verdict journal to whoever takes them: in order, each at least once, and
//! further only after word that all before have arrived.

use std::collections::VecDeque;
use std::time::Duration;

use dos_core::verdict::VerdictEvent;
use dos_store::StoreError;
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::RealDisk;
use dos_store::verdicts::{From, Position, Reader, VerdictJournal};

use super::{Again, Exporter, NotTaken};

/// The first pause before something is tried again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Who follows asks one that fails again after at most so long.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// One export, from where it begins.
pub struct Drain<'j> {
    journal: &'j VerdictJournal<RealDisk>,
    reader: Reader<'j, RealDisk>,
    /// The place before what is held, or before what is read next.
    from: From,
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
    /// Tells how long it has been tried.
    pub clock: RealClock,
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
    /// It was told to end before it had looked whether there is more.
    pub cut: bool,
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
        Ok(Self { journal, reader, from, held: Held::default(), batch: batch.max(1) })
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
            let (arrived, failure) =
                deliver(exporter, &self.held.events, self.batch, effort, &mut round);
            if let Some(failure) = failure {
                if let Some(position) = self.place_behind(arrived)? {
                    self.from = From::At(position);
                    (effort.arrived)(position, round.seq.unwrap_or(0))?;
                }
                self.held.events.drain(..arrived);
                round.pending = self.held.events.len() as u64;
                if let Again::Later(wait) = failure.again {
                    round.wait = wait;
                }
                round.failure = Some(failure.reason);
                return Ok(round);
            }
            self.held.events.clear();
            if let Some(position) = self.held.position.take() {
                self.from = From::At(position);
                (effort.arrived)(position, round.seq.unwrap_or(0))?;
            }
            if !(effort.pause)(Duration::ZERO) {
                round.cut = true;
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
        let behind = self.held.position.filter(|_| held > 0).map_or(self.from, From::At);
        let mut rest = Self::start(self.journal, behind, self.batch)?;
        Ok(held + rest.count(None)?.pending)
    }

    /// The place behind the first so many of the rows that are held. It is read once more: where it is
    /// not found, these rows come again, as they may.
    fn place_behind(&self, count: usize) -> Result<Option<Position>, StoreError> {
        if count == 0 {
            return Ok(None);
        }
        let read = self.journal.read(self.from)?.next(count)?;
        let same = self.held.events.get(..count) == Some(read.events.as_slice());
        Ok(read.position.filter(|_| same))
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

/// How often something was tried, and since when.
#[derive(Debug, Default)]
pub struct Retry {
    failed: Option<Duration>,
    pauses: u32,
}

impl Retry {
    /// Waits before the next try; false when there is to be none, because it would begin later than
    /// `patience` after the first failure. `now` is the time that a clock says has passed.
    pub fn may(
        &mut self,
        again: Again,
        patience: Duration,
        now: Duration,
        pause: &mut dyn FnMut(Duration) -> bool,
    ) -> bool {
        let Again::Later(asked) = again else { return false };
        let usual = PAUSE.saturating_mul(1 << self.pauses.min(8)).min(PAUSE_MAX);
        let wait = asked.unwrap_or(usual).max(PAUSE);
        let tried = now.saturating_sub(*self.failed.get_or_insert(now));
        if tried.saturating_add(wait) > patience {
            return false;
        }
        self.pauses += 1;
        pause(wait)
    }
}

/// How long who follows waits between two looks: after failures longer and longer.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    usual: Duration,
    last: Duration,
}

impl Backoff {
    /// Waits so long as long as nothing fails.
    pub fn new(usual: Duration) -> Self {
        Self { usual, last: usual }
    }

    /// Until the next look, when nothing failed.
    pub fn usual(&mut self) -> Duration {
        self.last = self.usual;
        self.usual
    }

    /// Until the next look after a failure, never sooner than the other side asks for.
    pub fn longer(&mut self, asked: Option<Duration>) -> Duration {
        self.last = self.last.saturating_mul(2).min(BACKOFF_MAX.max(self.usual));
        asked.unwrap_or_default().max(self.last)
    }
}

/// Brings rows, at most so many at once, again and again if need be, and in smaller pieces if they are too many at once. Returns
/// how many have arrived, and why the rest has not.
fn deliver(
    exporter: &mut dyn Exporter,
    events: &[VerdictEvent],
    most: usize,
    effort: &mut Effort<'_>,
    round: &mut Round,
) -> (usize, Option<NotTaken>) {
    let (mut rest, mut size) = (events, events.len().min(most));
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
        if !retry.may(failure.again, effort.patience, effort.clock.elapsed(), effort.pause) {
            return (events.len() - rest.len(), Some(failure));
        }
    }
    (events.len(), None)
}

fn highest(events: &[VerdictEvent]) -> Option<i64> {
    events.iter().map(|event| event.seq).filter(|seq| *seq > 0).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_tried_for_a_time_and_not_for_a_number_of_pauses() {
        let mut retry = Retry::default();
        let mut pauses = 0;
        let mut may = |now: Duration, asked: Option<Duration>| {
            retry.may(Again::Later(asked), 10 * SECOND, now, &mut |_| {
                pauses += 1;
                true
            })
        };
        assert!(may(100 * SECOND, None));
        assert!(may(105 * SECOND, Some(5 * SECOND)));
        assert!(!may(105 * SECOND, Some(6 * SECOND)));
        assert!(!may(111 * SECOND, None), "each try took long");
        assert_eq!(pauses, 2);
        assert!(!Retry::default().may(Again::Mended, SECOND, SECOND, &mut |_| true));
    }

    #[test]
    fn who_follows_asks_less_and_less_often() {
        let mut backoff = Backoff::new(2 * SECOND);
        let waits: Vec<u64> = (0..7).map(|_| backoff.longer(None).as_secs()).collect();
        assert_eq!(waits, [4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.longer(Some(3600 * SECOND)), 3600 * SECOND);
        assert_eq!(backoff.usual(), 2 * SECOND);
        assert_eq!(backoff.longer(Some(SECOND)), 4 * SECOND);
        let mut rare = Backoff::new(Duration::MAX);
        assert_eq!(rare.longer(None), Duration::MAX);
    }
}
