//! A program of its own that works on a SQLite database: runs the statements on its input, one a
//! line, and answers each with a line. `churn` moves money between rows until its input ends.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

fn main() {
    let path = std::env::args().nth(1).expect("a database");
    let connection = Connection::open(path).expect("a database that opens");
    let mut lines = io::stdin().lock().lines().map_while(Result::ok);
    while let Some(line) = lines.next() {
        if line == "churn" {
            answer("churning");
            let ended = Arc::new(AtomicBool::new(false));
            let watched = Arc::clone(&ended);
            let watch = std::thread::spawn(move || {
                io::stdin().lock().lines().for_each(drop);
                watched.store(true, Ordering::SeqCst);
            });
            drop(lines);
            churn(&connection, &ended);
            watch.join().expect("the watch");
            return;
        }
        match connection.execute_batch(&line) {
            Ok(()) => answer("ok"),
            Err(error) => answer(&format!("failed: {error}")),
        }
    }
}

fn answer(text: &str) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).expect("somebody who listens");
}

/// The sum over all rows is the same after every transaction, and within none.
fn churn(connection: &Connection, ended: &AtomicBool) {
    let mut round = 0;
    while !ended.load(Ordering::SeqCst) {
        let (from, to) = (round % 100, (round * 7 + 1) % 100);
        round += 1;
        let moved = format!(
            "BEGIN IMMEDIATE; UPDATE money SET amount = amount - 1 WHERE id = {from}; \
             UPDATE money SET amount = amount + 1 WHERE id = {to}; COMMIT;"
        );
        // A reader may hold the lock for a moment.
        if connection.execute_batch(&moved).is_err() {
            let _ = connection.execute_batch("ROLLBACK");
        }
    }
}
