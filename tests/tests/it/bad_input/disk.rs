//! Files that are something else, not to be written, too long, or damaged; a disk that is full.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dos_tests::{Output, Running, TestEnv, snapshot, stopwatch};
use serde_json::{Value, json};

use super::{READERS, WRITERS, fails, fails_with_a_hint, nothing_half_written};
use crate::{HELD, empty, field, live_lanes, skipped};

#[test]
fn a_file_where_the_state_folder_should_be_is_named() {
    let env = empty();
    env.write(".dos", "not a folder");
    for command in WRITERS.iter().chain(&READERS).chain(&["lease acquire a", "lease status"]) {
        fails_with_a_hint(&env.dos(command), &["workspace/.dos"]);
    }
    let leases = r#"[{"lane":"main","tree":["**"]}]"#;
    let forced = ["arbitrate", "--lane", "main", "--force", "--leases", leases];
    let output = env.run(forced);
    output.exits(2).says("workspace/.dos");
    assert_eq!(env.tree(), [".dos"]);
}

#[test]
fn a_folder_where_the_journal_should_be_is_named() {
    let env = empty();
    fs::create_dir_all(env.journal_path()).unwrap();
    for command in WRITERS.iter().chain(&READERS) {
        fails_with_a_hint(&env.dos(command), &["lane-journal.jsonl"]);
    }
    fs::remove_dir(env.journal_path()).unwrap();
    nothing_half_written(&env);
}

#[test]
fn a_folder_where_the_configuration_should_be_is_named() {
    let env = empty();
    fs::create_dir(env.path("dos.toml")).unwrap();
    for command in WRITERS.iter().chain(&READERS).chain(&["lease acquire a", "lease status"]) {
        fails_with_a_hint(&env.dos(command), &["dos.toml", "move away"]);
    }
    assert_eq!(env.tree(), ["dos.toml"]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let env = empty();
    env.write("dos.toml", b"[lanes]\n# \xff\n");
    fails(&env.dos("lease-lane acquire --lane main --owner a"), &["dos.toml", "UTF-8"]);
    env.write("dos.toml", vec![b'#'; 5 << 20]);
    fails(&env.dos("lease-lane acquire --lane main --owner a"), &["dos.toml", "too large"]);
    assert_eq!(env.tree(), ["dos.toml"]);
}

#[test]
fn a_folder_where_a_lock_should_be_is_named() {
    for name in [".lane-lease.lock", ".lane-lease.lock.crew", ".lane-lease.lock.guard"] {
        let env = empty();
        // Compaction needs a journal before it needs a lock.
        env.write_journal("{}\n");
        fs::create_dir(env.path(".dos").join(name)).unwrap();
        for command in WRITERS {
            fails_with_a_hint(&env.dos(command), &[name]);
        }
        for command in READERS {
            assert_ne!(env.dos(command).no_panic().code, Some(2), "{command} needs no lock");
        }
        assert_eq!(env.journal(), b"{}\n");
        assert_eq!(env.leftovers(), [""; 0]);
    }
}

#[test]
fn a_folder_where_the_archive_lock_should_be_is_named() {
    let env = empty();
    fs::create_dir_all(env.path(".dos/leases/.archive.lock")).unwrap();
    for command in ["acquire a", "release a", "release a --force", "status"] {
        fails_with_a_hint(&env.dos(&format!("lease {command}")), &[".archive.lock"]);
    }
    assert_eq!(env.leftovers(), [""; 0]);
}

/// Somebody whom file permissions bind.
const NOBODY: u32 = 65_534;

/// Runs the binary as somebody whom file permissions bind.
fn as_a_user(env: &TestEnv, arguments: &str) -> Output {
    let mut command = Command::new(env.outer().join("dos"));
    command.args(arguments.split_whitespace());
    env.furnish(&mut command);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    Running::start(command).finish()
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_state_folder_without_permission_is_named() {
    let env = empty();
    env.write_journal(format!("{HELD}\n"));
    fs::copy(env.binary(), env.outer().join("dos")).unwrap();
    for (path, mode) in [(env.outer().to_path_buf(), 0o755), (env.root(), 0o755)] {
        permit(&path, mode);
    }
    // What somebody else owns is refused as such: this is about rights.
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        chown(env.path(".dos"), Some(NOBODY), None).unwrap();
    }
    permit(&env.journal_path(), 0o444);
    permit(&env.path(".dos"), 0o555);
    let before = env.snapshot();
    for command in WRITERS {
        fails_with_a_hint(&as_a_user(&env, command), &["workspace/.dos", "this user"]);
    }
    for command in READERS {
        let output = as_a_user(&env, command);
        assert_ne!(output.no_panic().code, Some(2), "reading needs no right to write: {output:?}");
    }
    assert_eq!(env.snapshot(), before);
    permit(&env.path(".dos"), 0o000);
    for command in WRITERS.iter().chain(&READERS) {
        fails_with_a_hint(&as_a_user(&env, command), &["workspace/.dos"]);
    }
    permit(&env.path(".dos"), 0o755);
    assert_eq!(env.snapshot(), before);
}

#[test]
fn bytes_that_are_no_utf8_are_one_bad_line() {
    let env = empty();
    let mut journal =
        b"{\"op\":\"ACQUIRE\",\"lane\":\"x\xff\",\"loop_ts\":\"t\"}\n\xfe\xff\n".to_vec();
    journal.extend_from_slice(format!("{HELD}\n").as_bytes());
    env.write_journal(&journal);
    assert_eq!(field(&env.dos("journal replay").exits(0).json(), "lane"), ["main"]);
    let shown = env.dos("journal tail 0").exits(0).json_lines();
    let operations: Vec<&Value> = shown.iter().map(|record| &record["op"]).collect();
    assert_eq!(operations, ["_CORRUPT", "_CORRUPT", "ACQUIRE"]);
    assert_eq!(env.dos("journal verify --json").exits(1).json()["corrupt_lines"], json!([1, 2]));
    env.dos("lease-lane acquire --lane main --owner b").exits(1);
    assert!(env.journal().starts_with(&journal), "what is there stays as it is");
    env.dos("journal compact").exits(0);
    assert_eq!(live_lanes(&env), ["main"]);
}

/// Runs the binary with at most 200 MiB of address space.
fn within_200_mib(env: &TestEnv, arguments: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 204800 && exec \"$0\" \"$@\""]);
    command.arg(env.binary()).args(arguments.split_whitespace());
    env.furnish(&mut command);
    Running::start(command).finish()
}

#[test]
fn a_line_of_forty_mebibytes_costs_no_memory_and_no_lease() {
    let env = empty();
    let long = "x".repeat(40 << 20);
    env.write_journal(format!("{{\"op\":\"ACQUIRE\",\"lane\":\"{long}\"}}\n{HELD}\n"));
    drop(long);
    let replayed = within_200_mib(&env, "journal replay");
    assert_eq!(field(&replayed.exits(0).json(), "lane"), ["main"]);
    within_200_mib(&env, "lease-lane acquire --lane main --owner b").exits(1);
    let health = within_200_mib(&env, "journal verify --json");
    assert_eq!(health.exits(1).json()["corrupt_lines"], json!([1]));
    let shown = within_200_mib(&env, "journal tail 0").exits(0).json_lines();
    assert_eq!(shown.len(), 3);
    assert!(shown[0]["_raw"].as_str().unwrap().len() <= 1 << 20, "kept as evidence, cut");
    within_200_mib(&env, "journal compact").exits(0);
    assert_eq!(live_lanes(&env), ["main"]);
    assert!(env.journal().len() < 2 << 20, "compaction makes it short");
}

#[test]
fn a_sparse_gibibyte_costs_no_memory() {
    let env = empty();
    env.write_journal("");
    let journal = File::options().write(true).open(env.journal_path()).unwrap();
    journal.set_len(1 << 30).unwrap();
    let watch = stopwatch();
    assert_eq!(within_200_mib(&env, "journal replay").exits(0).json(), json!([]));
    within_200_mib(&env, "lease-lane acquire --lane main --owner a").exits(0);
    assert!(watch.elapsed() < Duration::from_secs(30), "took {:?}", watch.elapsed());
    let live = within_200_mib(&env, "lease-lane live").exits(0).json();
    assert_eq!(field(&live, "holder"), ["a"]);
}

/// On a disk of five pages, of which some are taken: asks for a lane, and once more after some
/// room was made. Leaves what it finds in `state`, `before` and `after`.
const FULL_DISK: &str = r#"
root=$1 state=$2 binary=$3 journal=$4 taken=$5
mount -t tmpfs -o size=20k tmpfs "$root" || exit 77
if [ "$journal" -gt 0 ]; then
    mkdir "$root/.dos" && "$binary" lease-lane spawn --lane main --owner a --workspace "$root" \
        --reason "$(head -c "$journal" /dev/zero | tr '\0' x)" > /dev/null || exit 78
fi
head -c "$taken" /dev/zero > "$root/taken" 2> /dev/null
mkdir "$state"
cp "$root/.dos/lane-journal.jsonl" "$state/before" 2> /dev/null
take="lease-lane acquire --lane main --workspace $root --owner"
"$binary" $take a > "$state/out" 2> "$state/err"
echo $? > "$state/code"
cp -r "$root/." "$state/found"
rm "$root/taken"
"$binary" $take b > "$state/out2" 2> "$state/err2"
echo $? > "$state/code2"
umount "$root"
"#;

/// What one nearly full disk is found to have done wrong; `None` where no disk could be made.
fn problems_of_a_full_disk(journal: usize, taken: usize) -> Option<(bool, Vec<String>)> {
    let env = empty();
    let state = env.outer().join("state");
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", FULL_DISK, "sh"]);
    command.arg(env.root()).arg(&state).arg(env.binary());
    command.args([journal.to_string(), taken.to_string()]);
    env.furnish(&mut command);
    command.current_dir("/");
    let output = Running::start(command).finish();
    if !state.exists() {
        skipped(&format!("a full disk, for lack of a mount namespace: {}", output.stderr));
        return None;
    }
    let read = |name: &str| fs::read_to_string(state.join(name)).unwrap_or_default();
    let found = read("found/.dos/lane-journal.jsonl");
    let (code, error) = (read("code"), read("err"));
    let full = code.trim() != "0";
    let mut problems = Vec::new();
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            problems.push(format!("{journal} bytes of reason, {taken} taken: {what}; {error:?}"));
        }
    };
    let drafts = [".t.", ".swap."];
    let left =
        |name: &String| drafts.iter().any(|kind| name.contains(kind)) || name.ends_with(".lock");
    let left: Vec<String> = snapshot(&state.join("found")).into_keys().filter(left).collect();
    expect(left.is_empty(), &format!("left behind {left:?}"));
    expect(!error.contains("panicked"), "a panic");
    match full {
        false => expect(found.contains("\"ACQUIRE\""), "granted without a record"),
        true => {
            expect(code.trim() == "2", &format!("exit code {code}"));
            expect(found == read("before"), "the journal changed");
            expect(read("out").is_empty(), "an answer");
            expect(error.contains(".dos") && error.contains("free some space"), "not clear");
        }
    }
    let again = if full { "0" } else { "1" };
    expect(read("code2").trim() == again, &format!("with more room: {}", read("err2")));
    Some((full, problems))
}

#[test]
fn a_full_disk_grants_nothing_and_leaves_nothing() {
    let (mut full, mut problems) = (0, Vec::new());
    // A record that begins near the end of a page fits in part.
    for journal in [0, 3600, 3700, 3800] {
        for taken in [0, 4096, 8192, 12_288, 16_384, 20_480] {
            let Some((was_full, found)) = problems_of_a_full_disk(journal, taken) else { return };
            full += usize::from(was_full);
            problems.extend(found);
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(full >= 8, "only {full} disks were full enough");
}
