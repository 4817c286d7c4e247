//! Wrong input, a damaged workspace, a broken machine: a clear answer, and nothing half-written.

mod arguments;
mod disk;
mod machine;

use dos_tests::{Output, TestEnv};

/// Every verb that writes to the journal, with a well-formed request.
const WRITERS: [&str; 7] = [
    "lease-lane acquire --lane main --owner a",
    "lease-lane release --lane main --owner a",
    "lease-lane heartbeat --lane main --owner a",
    "lease-lane adopt --lane main --owner a",
    "lease-lane spawn --lane main --owner a",
    "halt --handle h",
    "journal compact",
];

/// Every verb that reads the journal.
const READERS: [&str; 7] = [
    "arbitrate --lane main",
    "lease-lane live",
    "lease-lane check --lane main --token 1",
    "journal replay",
    "journal seq",
    "journal tail",
    "journal verify",
];

/// The answer is that the question was wrong or the machine is broken: exit code 2, nothing that
/// could be taken for an answer, and a text that names all of this.
#[track_caller]
fn fails(output: &Output, names: &[&str]) {
    output.exits(2);
    assert_eq!(output.stdout, "", "{output:#?}");
    // A first writer also says what it created.
    let errors = output.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 1, "{output:#?}");
    for name in names {
        output.says(name);
    }
}

/// The same, with what to do about it on a line of its own.
#[track_caller]
fn fails_with_a_hint(output: &Output, names: &[&str]) {
    fails(output, names);
    output.says("\nhint: ");
}

/// Nothing but what prepares a write is there: no journal, no lock, no draft.
#[track_caller]
fn nothing_half_written(env: &TestEnv) {
    let fine = [
        "dos.toml",
        ".dos",
        ".dos/.gitignore",
        ".dos/.lane-lease.lock.crew",
        ".dos/.lane-lease.lock.guard",
    ];
    let mut rest = env.tree();
    rest.retain(|name| !fine.contains(&name.as_str()));
    assert_eq!(rest, [""; 0]);
}
