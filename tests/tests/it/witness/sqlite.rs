//! States in SQLite databases on which another process works.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use dos_tests::{TestEnv, snapshot};
use serde_json::{Value, json};

use super::{ask, read};
use crate::empty;

/// Another process that has the database open.
struct Writer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Writer {
    fn open(env: &TestEnv, database: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dos-sqlite-writer"));
        env.furnish(&mut command);
        command.arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    #[track_caller]
    fn told(&mut self, line: &str, answer: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
        let mut said = String::new();
        self.output.read_line(&mut said).unwrap();
        assert_eq!(said.trim_end(), answer, "{line}");
    }

    #[track_caller]
    fn runs(&mut self, statements: &str) {
        self.told(statements, "ok");
    }

    /// Closes the database and ends.
    fn close(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }

    /// Ends without closing anything.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn each_row_stands_under_its_table_and_key() {
    let env = empty();
    let mut writer = Writer::open(&env, "x.db");
    writer.runs(
        "CREATE TABLE orders(id INTEGER PRIMARY KEY, status, total REAL, doc BLOB); \
         CREATE TABLE people(name TEXT PRIMARY KEY, age); \
         CREATE TABLE pairs(b, a, PRIMARY KEY(a, b)) WITHOUT ROWID; \
         CREATE TABLE loose(rowid, x); CREATE VIEW seen AS SELECT * FROM orders; \
         CREATE TABLE \"odd \"\"name#\"(id INTEGER PRIMARY KEY);",
    );
    writer.runs(
        "INSERT INTO orders VALUES (1, 'new', 2.5, x'00ff'), (2, NULL, 9e999, CAST(x'ff' AS TEXT)); \
         INSERT INTO people VALUES ('alice', 1), ('42', 2), ('\"q', 3), ('null', 4); \
         INSERT INTO pairs VALUES ('x', 1); INSERT INTO loose VALUES ('a', 'b'); \
         INSERT INTO \"odd \"\"name#\" VALUES (-3);",
    );
    writer.close();
    let found = read(&env, "sqlite:x.db");
    let keys: Vec<&str> = found.keys().map(String::as_str).collect();
    let wanted = [
        "\"odd \\\"name#\":-3",
        "loose:1",
        "orders:1",
        "orders:2",
        "pairs:[1, \"x\"]",
        "people:\"42\"",
        "people:\"\\\"q\"",
        "people:\"null\"",
        "people:alice",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(found["orders:1"]["total"], json!(2.5));
    assert_eq!(found["orders:1"]["doc"]["blob_bytes"], 2);
    assert_eq!(found["orders:2"]["status"], Value::Null);
    assert_eq!(found["orders:2"]["total"], json!({"real": "inf"}));
    assert_eq!(found["orders:2"]["doc"]["text_bytes"], 1);
    assert_eq!(found["loose:1"], json!({"rowid": "a", "x": "b"}));
    assert_eq!(read(&env, "sqlite:x.db#people").len(), 4);
    env.dos("snapshot show sqlite:x.db#seen").exits(3).prints("no table \"seen\", but loose");
}

/// Changes by another process are seen once they are committed, and never before, in each mode.
#[test]
fn a_change_counts_once_it_is_committed() {
    for mode in ["DELETE", "TRUNCATE", "WAL"] {
        let env = empty();
        let mut writer = Writer::open(&env, "orders.db");
        writer.runs(&format!("PRAGMA journal_mode = {mode}; PRAGMA wal_autocheckpoint = 0;"));
        writer.runs("CREATE TABLE orders(id INTEGER PRIMARY KEY, status);");
        writer.runs("INSERT INTO orders VALUES (1, 'new'), (42, 'new');");
        let take = |name: &str| env.dos(&format!("snapshot take {name} --from sqlite:orders.db"));
        take("before").exits(0);
        writer.runs("BEGIN; UPDATE orders SET status = 'paid' WHERE id = 42;");
        let files = || {
            let mut files = snapshot(&env.root());
            files.retain(|name, _| name.starts_with("orders.db"));
            files
        };
        let open = files();
        ask(&env, "orders:42", "before", "sqlite:orders.db").exits(1);
        assert_eq!(files(), open, "{mode}: something was written beside the database");
        writer.runs("COMMIT;");
        let committed = files();
        let answer = ask(&env, "orders:42", "before", "sqlite:orders.db").exits(0).json();
        assert_eq!(answer["delta"]["updated"], json!(["orders:42"]), "{mode}");
        assert_eq!(files(), committed, "{mode}: something was written beside the database");
        writer.close();
        let closed = files();
        // In the second mode an empty journal stays.
        assert_eq!(closed.len(), if mode == "TRUNCATE" { 2 } else { 1 }, "{mode}");
        let paid = "state-diff orders:42 --before before --after sqlite:orders.db";
        env.dos(&format!("{paid} --expect status=paid")).exits(0);
        assert_eq!(files(), closed, "{mode}: something was written beside the database");
    }
}

#[test]
fn a_writer_at_work_is_never_seen_in_between() {
    for mode in ["DELETE", "WAL"] {
        let env = empty();
        let mut writer = Writer::open(&env, "bank.db");
        writer.runs(&format!("PRAGMA journal_mode = {mode}; PRAGMA synchronous = OFF;"));
        writer.runs(
            "CREATE TABLE money(id INTEGER PRIMARY KEY, amount INTEGER); WITH RECURSIVE n(i) AS \
             (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) INSERT INTO money SELECT i, 100 FROM n;",
        );
        writer.told("churn", "churning");
        let mut seen = Vec::new();
        for _ in 0..10 {
            let found = read(&env, "sqlite:bank.db");
            let sum: i64 = found.values().map(|row| row["amount"].as_i64().unwrap()).sum();
            assert_eq!((found.len(), sum), (100, 10_000), "{mode}: half of a transfer was seen");
            seen.push(found);
        }
        seen.dedup();
        assert!(seen.len() > 1, "{mode}: the writer never wrote");
        writer.close();
    }
}

#[test]
fn what_a_killed_writer_left_is_read_or_told() {
    let env = empty();
    let mut writer = Writer::open(&env, "x.db");
    writer.runs("PRAGMA journal_mode = WAL; CREATE TABLE t(id INTEGER PRIMARY KEY);");
    writer.runs("INSERT INTO t VALUES (1);");
    writer.kill();
    let left = snapshot(&env.root());
    assert!(left.contains_key("x.db-wal"), "{left:?}");
    assert_eq!(read(&env, "sqlite:x.db").len(), 1);
    assert_eq!(snapshot(&env.root()), left);
    fs::remove_file(env.path("x.db-shm")).unwrap();
    let answer = ask(&env, "t:1", "sqlite:x.db", "sqlite:x.db").exits(3).json();
    assert!(answer["reason"].as_str().unwrap().contains("-wal"), "{answer}");
    assert!(!env.path("x.db-shm").exists());

    let env = empty();
    let mut writer = Writer::open(&env, "x.db");
    writer.runs("CREATE TABLE t(id INTEGER PRIMARY KEY, text); PRAGMA cache_size = 2;");
    writer.runs(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
         INSERT INTO t SELECT i, hex(zeroblob(300)) FROM n;",
    );
    writer.runs("BEGIN; UPDATE t SET text = 'half done';");
    writer.kill();
    let answer = ask(&env, "t:1", "sqlite:x.db", "sqlite:x.db").exits(3).json();
    assert!(answer["reason"].as_str().unwrap().contains("-journal"), "{answer}");
}

#[test]
fn what_is_no_database_cannot_be_read() {
    let env = empty();
    env.write("text.db", "no database at all, but long enough to look like one ".repeat(20));
    env.write("empty.db", "");
    fs::create_dir(env.path("folder.db")).unwrap();
    for (name, said) in [
        ("text.db", "not a database"),
        ("empty.db", "it is empty"),
        ("folder.db", "no regular file"),
        ("nofile.db", "No such file"),
    ] {
        let source = format!("sqlite:{name}");
        let answer = ask(&env, "t:1", &source, &source).exits(3).json();
        assert!(answer["reason"].as_str().unwrap().contains(said), "{answer}");
    }
    // A page in the middle is damaged: what is left of the table is no state.
    let mut writer = Writer::open(&env, "x.db");
    writer.runs(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, text); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
         SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT i, hex(zeroblob(300)) FROM n;",
    );
    writer.close();
    let mut bytes = fs::read(env.path("x.db")).unwrap();
    bytes[8 * 4096..9 * 4096].fill(0xa5);
    env.write("x.db", bytes);
    let answer = ask(&env, "t:1", "sqlite:x.db", "sqlite:x.db").exits(3).json();
    assert!(answer["reason"].as_str().unwrap().contains("malformed"), "{answer}");
}

#[test]
fn no_two_rows_share_a_key() {
    let env = empty();
    let mut writer = Writer::open(&env, "x.db");
    writer.runs(
        "CREATE TABLE a(k TEXT PRIMARY KEY); CREATE TABLE \"a:b\"(k TEXT PRIMARY KEY); \
         CREATE TABLE \"é💥 'x'\"(k PRIMARY KEY, v); CREATE TABLE pairs(x, y, PRIMARY KEY(x, y)); \
         CREATE TABLE own(rowid TEXT, x, PRIMARY KEY(x)); \
         CREATE TABLE gone(x, y AS (x + 1), PRIMARY KEY(x)) WITHOUT ROWID;",
    );
    writer.runs(
        "INSERT INTO a VALUES ('b:1'), (NULL), (NULL), ('row 2'), ('1'); INSERT INTO \"a:b\" VALUES ('1'); \
         INSERT INTO \"é💥 'x'\" VALUES (1, 1), ('1', 2), (1.5, 3), (x'31', 4), (NULL, 5); \
         INSERT INTO pairs VALUES (1, NULL), (1, NULL), (NULL, 1), (1, '1'), ('1', 1); \
         INSERT INTO own VALUES ('r', NULL); INSERT INTO gone VALUES (7);",
    );
    let found = read(&env, "sqlite:x.db");
    let keys: Vec<&str> = found.keys().map(String::as_str).collect();
    let wanted = [
        "\"a:b\":\"1\"",
        "a:\"1\"",
        "a:\"row 2\"",
        "a:b:1",
        "a:row 2",
        "a:row 3",
        "gone:7",
        "own:row 1",
        "pairs:[\"1\", 1]",
        "pairs:[1, \"1\"]",
        "pairs:row 1",
        "pairs:row 2",
        "pairs:row 3",
        "é💥 'x':\"1\"",
        "é💥 'x':1",
        "é💥 'x':1.5",
        "é💥 'x':row 5",
        "é💥 'x':x'31'",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(found["gone:7"], json!({"x": 7, "y": 8}));
    // Of one table and of all, the keys are the same, and the states are not compared.
    assert_eq!(read(&env, "sqlite:x.db#a:b").keys().collect::<Vec<_>>(), ["\"a:b\":\"1\""]);
    env.dos("snapshot take all --from sqlite:x.db").exits(0);
    let answer = ask(&env, "pairs:row 1", "all", "sqlite:x.db#a").exits(3).json();
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("every table of a database, the other the table \"a\""), "{reason}");
    writer.runs("UPDATE a SET k = 'named' WHERE rowid = 2;");
    let answer = ask(&env, "a:row 2", "all", "sqlite:x.db").exits(1).json();
    assert_eq!(answer["delta"]["deleted"], json!(["a:row 2"]));
    assert_eq!(answer["delta"]["inserted"], json!(["a:named"]));
    // Where a row has no number either, nothing is told.
    writer.runs("CREATE TABLE lost(rowid, _rowid_, oid, k TEXT PRIMARY KEY);");
    read(&env, "sqlite:x.db");
    writer.runs("INSERT INTO lost(k) VALUES (NULL);");
    env.dos("snapshot show sqlite:x.db").exits(3).prints("a row of lost has no key of its own");
    writer.close();
}

/// A table keyed by something else, or spelled in another way, has other keys for the same rows.
#[test]
fn a_key_counts_only_where_it_is_made_of_the_same_columns() {
    let env = empty();
    let mut writer = Writer::open(&env, "x.db");
    writer.runs(
        "CREATE TABLE orders(id INTEGER PRIMARY KEY, code INTEGER); \
         INSERT INTO orders VALUES (1, 2), (3, 1); \
         CREATE TABLE notes(id INTEGER PRIMARY KEY, text); INSERT INTO notes VALUES (1, 'a');",
    );
    for source in ["sqlite:x.db", "sqlite:x.db#orders"] {
        let name = source.replace([':', '#', '.'], "-");
        env.dos(&format!("snapshot take {name} --from {source}")).exits(0);
    }
    writer.runs(
        "CREATE TABLE other(id INTEGER, code INTEGER PRIMARY KEY); \
         INSERT INTO other SELECT * FROM orders; DROP TABLE orders; \
         ALTER TABLE other RENAME TO orders; UPDATE notes SET text = 'b'; \
         CREATE TABLE late(id INTEGER PRIMARY KEY); INSERT INTO late VALUES (1);",
    );
    for source in ["sqlite:x.db", "sqlite:x.db#orders"] {
        let name = source.replace([':', '#', '.'], "-");
        // Of these the first is another row now, the second is on one side, and the third on none.
        for key in ["orders:1", "orders:2", "orders:3", "orders:4"] {
            let answer = ask(&env, key, &name, source).exits(3).json();
            let reason = answer["reason"].as_str().unwrap();
            assert!(
                reason.contains("by orders (id) before and by orders (code) after"),
                "{reason}"
            );
        }
        let delta = format!("state-diff --before {name} --after {source}");
        env.dos(&delta).exits(0).prints("NOTE      it was read by orders (id)");
    }
    // The other tables are what they were.
    for key in ["notes:1", "late:1"] {
        ask(&env, key, "sqlite-x-db", "sqlite:x.db").exits(0);
    }
    env.dos("state-diff notes:1 late:1 --before sqlite-x-db --after sqlite:x.db").exits(0);
    writer.close();
}

#[test]
fn a_table_is_found_in_either_case_and_is_not_deleted_by_another() {
    let env = empty();
    let mut writer = Writer::open(&env, "x.db");
    writer.runs(
        "CREATE TABLE Orders(id INTEGER PRIMARY KEY, s); INSERT INTO Orders VALUES (1, 'a');",
    );
    env.dos("snapshot take before --from sqlite:x.db#ORDERS").exits(0);
    env.dos("snapshot take all --from sqlite:x.db").exits(0);
    writer.runs("UPDATE orders SET s = 'b';");
    assert_eq!(read(&env, "sqlite:x.db#orders").keys().collect::<Vec<_>>(), ["Orders:1"]);
    for (key, table) in [("Orders:1", "Orders"), ("orders:1", "orders"), (" ORDERS:1 ", "oRDERS")] {
        ask(&env, key, "before", &format!("sqlite:x.db#{table}")).exits(0);
        ask(&env, key, "all", "sqlite:x.db").exits(0);
    }
    ask(&env, "orders:2", "all", "sqlite:x.db").exits(1);
    // SQLite still finds it by both.
    writer.runs("ALTER TABLE Orders RENAME TO x; ALTER TABLE x RENAME TO orders;");
    let deleted = "--expect deleted --before all --after sqlite:x.db";
    for key in ["orders:1", "Orders:1"] {
        let said = "by Orders (id) before and by orders (id) after";
        env.dos(&format!("state-diff {key} {deleted}")).exits(3).prints(said);
    }
    writer.close();
}
