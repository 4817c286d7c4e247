//! An audit that cannot fail shows nothing: here it is made to.

use std::fs;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::lane::command::{Acquire, Claim};
use dos_core::lane::{Command, Outcome, Request};
use dos_store::clock::RealClock;

use super::*;
use crate::quickstart::scene::{self, Signals};

const WAIT: Duration = Duration::from_secs(10);

fn read(lines: &[&str]) -> Result<Book, QuickstartError> {
    let mut book = Book::default();
    for (line, number) in lines.iter().zip(0..) {
        book.read(RawLine { number, offset: 0, end: 0, bytes: line.as_bytes(), complete: true })?;
    }
    Ok(book)
}

fn acquire(seq: u64, second: u32, holder: &str, lane: &str, pattern: &str) -> String {
    format!(
        r#"{{"op": "ACQUIRE", "seq": {seq}, "ts": "2026-01-01T00:00:{second:02}Z", "lane": "{lane}",
        "loop_ts": "{holder}", "lease": {{"lane": "{lane}", "loop_ts": "{holder}",
        "holder": "{holder}", "tree": ["{pattern}"]}}}}"#
    )
    .replace('\n', " ")
}

fn event(op: &str, seq: u64, second: u32, holder: &str, lane: &str) -> String {
    format!(
        r#"{{"op": "{op}", "seq": {seq}, "ts": "2026-01-01T00:00:{second:02}Z", "lane": "{lane}", "loop_ts": "{holder}", "reason": "{op} it is"}}"#
    )
}

fn commit(author: &str, second: i64, path: &str, added: &[&str], removed: u64) -> Commit {
    let midnight = Timestamp::parse("2026-01-01T00:00:00Z").unwrap().millis() / 1000;
    let added = added.iter().map(|line| line.to_string()).collect();
    let changes = vec![Change { path: path.to_string(), added, removed }];
    let (id, author) = ("0123456789abcdef".to_string(), author.to_string());
    Commit { id, seconds: midnight + second, author, first: false, changes }
}

/// The collisions of one commit of `a`, who holds `api/**` from second 2 to second 4.
fn judged(commit: &Commit) -> Vec<Collision> {
    let mut book = read(&[
        &acquire(1, 2, "a", "api", "api/**"),
        &event("RELEASE", 2, 4, "a", "api"),
        &acquire(3, 4, "b", "api", "api/**"),
    ])
    .unwrap();
    book.check(commit);
    book.closed().collisions
}

#[test]
fn a_commit_belongs_to_a_lease_of_its_author_in_its_second() {
    for (author, second, path, fine) in [
        ("a", 1, "api/x", false),
        ("a", 2, "api/x", true),
        ("a", 4, "api/x", true),
        ("a", 5, "api/x", false),
        ("a", 3, "web/x", false),
        ("a", 3, "\"api/x\\n\"", false),
        ("b", 3, "api/x", false),
        ("b", 9, "api/x", true),
        ("c", 3, "api/x", false),
    ] {
        let line = format!("{author} 1.");
        let collisions = judged(&commit(author, second, path, &[&line], 0));
        assert_eq!(collisions.is_empty(), fine, "{author} {second} {path}: {collisions:?}");
    }
}

#[test]
fn lost_and_foreign_lines_are_collisions_under_a_lease_too() {
    assert_eq!(judged(&commit("a", 3, "api/x", &["a 1.", "a 2."], 0)), []);
    assert_eq!(judged(&commit("a", 3, "api/x", &["a 1."], 1)).len(), 1);
    assert_eq!(judged(&commit("a", 3, "api/x", &["a 1.", "b 1."], 0)).len(), 1);
    let empty = Commit { changes: Vec::new(), ..commit("a", 3, "api/x", &[], 0) };
    assert_eq!(judged(&empty).len(), 1);
}

#[test]
fn two_leases_at_once_that_meet_are_a_collision() {
    let second = acquire(2, 2, "b", "schema", "*/schema/**");
    let book = read(&[&acquire(1, 2, "a", "api", "api/**"), &second]).unwrap();
    let [Collision::DoubleGrant { seq: 2, first, second, meeting: Some(_) }] =
        book.audit.collisions.as_slice()
    else {
        panic!("{:?}", book.audit.collisions);
    };
    assert_eq!((first.0.as_str(), second.0.as_str()), ("a", "b"));
    let same = read(&[&acquire(1, 2, "a", "api", "api/**"), &acquire(2, 2, "a", "api", "web/**")]);
    assert_eq!(same.unwrap().audit.collisions.len(), 1);
    let apart = read(&[
        &acquire(1, 2, "a", "api", "api/**"),
        &event("RELEASE", 2, 2, "a", "api"),
        &acquire(3, 2, "b", "schema", "*/schema/**"),
        &acquire(4, 2, "c", "web", "web/pages/*"),
    ]);
    assert_eq!(apart.unwrap().audit.collisions, []);
}

#[test]
fn records_out_of_order_are_a_collision() {
    let book = read(&[&acquire(7, 2, "a", "api", "api/**"), &acquire(7, 2, "b", "web", "web/**")]);
    assert_eq!(book.unwrap().audit.collisions, [Collision::OutOfOrder { seq: 7, after: 7 }]);
}

#[test]
fn a_journal_that_does_not_tell_everything_proves_nothing() {
    let checkpoint =
        r#"{"op": "CHECKPOINT", "seq": 5, "ts": "2026-01-01T00:00:00Z", "leases": []}"#;
    for line in ["{\"op\": ", checkpoint, "{\"op\": \"REFUSE\", \"seq\": 1}"] {
        assert!(matches!(read(&[line]), Err(QuickstartError::Journal { line: 1, .. })), "{line}");
    }
}

#[test]
fn waits_and_takeovers_are_read_from_the_journal() {
    let book = read(&[
        &acquire(1, 1, "a", "api", "api/**"),
        &event("SPAWN", 2, 1, "b", "api"),
        &event("SPAWN", 3, 1, "c", "web"),
        &acquire(4, 1, "c", "web", "web/**"),
        &event("SCAVENGE", 5, 2, "a", "api"),
        &acquire(6, 2, "b", "api", "api/**"),
        &event("SCAVENGE", 7, 2, "c", "web"),
        &event("REFUSE", 8, 2, "d", "web"),
        &acquire(9, 2, "d", "docs", "docs/**"),
    ])
    .unwrap();
    let audit = book.closed();
    assert_eq!((audit.grants, audit.refusals, audit.waits, audit.records), (4, 1, 1, 9));
    assert_eq!((audit.holders, audit.still_held), (4, 2));
    let (lane, from, to) = ("api".to_string(), "a".to_string(), "b".to_string());
    let proof = "SCAVENGE it is".to_string();
    assert_eq!(audit.takeovers, [Takeover { lane, from, to, proof }]);
    assert_eq!(audit.collisions, []);
}

/// A real repository with its referee.
struct Stage {
    _folder: tempfile::TempDir,
    root: Utf8PathBuf,
    workspace: dos_store::Workspace,
    scene: Repository,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().canonicalize_utf8().unwrap();
        let scene = scene::create(&root).unwrap();
        let workspace = scene::open(&root).unwrap();
        Self { _folder: folder, root, workspace, scene }
    }

    fn referee(&self) -> Referee<'_> {
        Referee::new(&self.workspace, RealClock::start())
    }

    fn take(&self, holder: &str, lane: &str) -> Outcome {
        let acquire = Acquire {
            request: Request { lane: lane.to_string(), ..Request::default() },
            holder: holder.to_string(),
            loop_ts: holder.to_string(),
            record_refusal: true,
            ..Acquire::default()
        };
        self.referee().act(&Command::Acquire(acquire), WAIT).unwrap()
    }

    fn give_back(&self, holder: &str, lane: &str) {
        let (lane, holder) = (lane.to_string(), holder.to_string());
        let claim = Claim { lane, holder, loop_ts: String::new() };
        let outcome = self.referee().act(&Command::Release(claim), WAIT).unwrap();
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }

    fn commit(&self, author: &str, path: &str, content: impl FnOnce(String) -> String) {
        let file = self.root.join(path);
        let before = fs::read_to_string(&file).unwrap_or_default();
        fs::write(&file, content(before)).unwrap();
        let index = Signals::of(&self.root).index(author);
        let repository = Repository::new(&self.root, author).with_index(index);
        assert!(repository.commit(&[path], "Work", &|| Ok(true)).unwrap());
    }

    fn audit(&self) -> Audit {
        audit(&self.referee(), &self.scene).unwrap()
    }
}

#[test]
fn a_clean_race_has_no_collision() {
    let stage = Stage::new();
    assert!(matches!(stage.take("a", "api"), Outcome::Granted(_)));
    assert!(matches!(stage.take("b", "contracts"), Outcome::Refused(_)));
    assert!(matches!(stage.take("b", "web"), Outcome::Granted(_)));
    stage.commit("a", "api/handlers/users.rs", |before| before + "a 1.\n");
    stage.commit("b", "web/pages/shop.ts", |before| before + "b 1.\n");
    stage.give_back("a", "api");
    assert!(matches!(stage.take("c", "api"), Outcome::Granted(_)));
    stage.commit("c", "api/handlers/users.rs", |before| before + "c 1.\nc 2.\n");
    let audit = stage.audit();
    assert_eq!(audit.collisions, []);
    assert_eq!((audit.grants, audit.refusals, audit.holders), (3, 1, 3));
    assert_eq!((audit.commits, audit.files, audit.lines), (3, 3, 4));
}

#[test]
fn a_race_with_collisions_is_found_out() {
    let stage = Stage::new();
    assert!(matches!(stage.take("a", "api"), Outcome::Granted(_)));
    // What a referee that is broken might write.
    let line = acquire(2, 1, "b", "contracts", "{api,web}/schema/**") + "\n";
    stage.referee().ledger().log().append(&line).unwrap().sync().unwrap();
    stage.commit("a", "web/README.md", |before| before + "a 1.\n");
    stage.commit("a", "api/README.md", |_| "a 2.\n".to_string());
    stage.commit("nobody", "docs/README.md", |before| before + "nobody 1.\n");
    let collisions = stage.audit().collisions;
    let count = |kind: fn(&Collision) -> bool| collisions.iter().filter(|it| kind(it)).count();
    assert_eq!(count(|it| matches!(it, Collision::DoubleGrant { .. })), 1);
    assert_eq!(count(|it| matches!(it, Collision::Unleased { .. })), 2);
    assert_eq!(count(|it| matches!(it, Collision::Overwritten { removed: 1, .. })), 1);
    assert_eq!(collisions.len(), 4);
}
