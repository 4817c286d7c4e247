//! Limits, full and read-only disks, and folders that are not what they should be.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use dos_tests::raw::Raw;
use dos_tests::{Output, Running, TestEnv, snapshot};

use super::{THREE_LANES, goes_on, held, with_a_history};
use crate::{configured, field, live_lanes, skipped};

const ACQUIRE: &str = "lease-lane acquire --lane web --owner w --retries 0 --loop-ts W";
const WRITERS: [&str; 5] = [
    ACQUIRE,
    "lease-lane release --lane api --owner a",
    "lease-lane heartbeat --lane api --owner a",
    "halt --handle h",
    "journal compact",
];
const READERS: [&str; 4] =
    ["arbitrate --lane web", "lease-lane live", "journal replay", "journal verify"];

/// Runs the binary with a limit on how long a file may be.
fn limited(env: &TestEnv, bytes: usize, arguments: &str) -> Output {
    let mut command = Command::new("prlimit");
    command.arg(format!("--fsize={bytes}")).arg(env.binary());
    command.args(arguments.split_whitespace());
    env.furnish(&mut command);
    Running::start(command).finish()
}

#[test]
fn a_limit_on_file_sizes_refuses_and_kills_nobody() {
    let probe = Command::new("prlimit").args(["--fsize=1000000", "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return skipped("a limit on file sizes, for lack of prlimit");
    }
    let length = with_a_history().journal().len();
    let mut refused = 0;
    for limit in [0, 1, 100, length / 2].into_iter().chain((length - 5..length + 700).step_by(17)) {
        for command in WRITERS {
            let env = with_a_history();
            let before = env.journal();
            let output = limited(&env, limit, command);
            let what = format!("at most {limit} of {length} bytes: {output:#?}");
            match output.no_panic().code {
                Some(0) => {}
                Some(2) => {
                    refused += 1;
                    assert!(output.stdout.is_empty(), "{what}");
                    assert_eq!(env.journal(), before, "{what}");
                    assert!(output.stderr.contains(".dos"), "{what}");
                    assert!(output.stderr.contains("file too large"), "{what}");
                }
                _ => panic!("{what}"),
            }
            assert!(!env.lock_path().exists(), "{what}: the lock is still there");
            assert_eq!(env.leftovers(), [""; 0], "{what}");
            if limit % 5 == 0 {
                goes_on(&env, &what);
            }
        }
    }
    assert!(refused > 50, "{refused} refused");
}

/// On a disk of a few pages that something else has filled: gives a lane back, and once more
/// after some room was made. Leaves what it finds in `state`.
const FULL_DISK: &str = r#"
root=$1 state=$2 binary=$3 padding=$4
mount -t tmpfs -o size=20k tmpfs "$root" || exit 77
run() { "$binary" "$@" --workspace "$root"; }
run lease-lane acquire --lane main --owner a > /dev/null || exit 78
run lease-lane spawn --lane main --owner a \
    --reason "$(head -c "$padding" /dev/zero | tr '\0' x)" > /dev/null || exit 79
mkdir "$state"
head -c 1000000 /dev/zero > "$root/taken" 2> /dev/null
cp "$root/.dos/lane-journal.jsonl" "$state/before"
run lease-lane release --lane main --owner a > "$state/out" 2> "$state/err"
echo $? > "$state/code"
cp -r "$root/.dos" "$state/found"
run lease-lane live > "$state/live" 2> "$state/live-err"
rm "$root/taken"
run lease-lane release --lane main --owner a > "$state/out2" 2> "$state/err2"
echo $? > "$state/code2"
run lease-lane acquire --lane main --owner b > "$state/out3" 2> "$state/err3"
echo $? > "$state/code3"
umount "$root"
"#;

#[test]
fn a_release_on_a_full_disk_is_done_or_refused_cleanly() {
    let (mut done, mut refused) = (0, 0);
    // How full the journal's last page is decides how much of a record still fits.
    for padding in (2800..3500).step_by(50) {
        let env = configured("");
        fs::remove_file(env.path("dos.toml")).unwrap();
        let state = env.outer().join("state");
        let mut command = Command::new("unshare");
        command.args(["-Urm", "sh", "-c", FULL_DISK, "sh"]);
        command.arg(env.root()).arg(&state).arg(env.binary()).arg(padding.to_string());
        env.furnish(&mut command);
        command.current_dir("/");
        let output = Running::start(command).finish();
        if !state.exists() {
            return skipped(&format!("a full disk: no mount namespace here: {}", output.stderr));
        }
        let read = |name: &str| fs::read_to_string(state.join(name)).unwrap_or_default();
        let (code, found) = (read("code"), read("found/lane-journal.jsonl"));
        let what = format!("padding {padding}, code {code}: {} {}", read("err"), read("err2"));
        let left = |name: &String| name.contains(".t.") || name.ends_with(".lock");
        let left: Vec<String> = snapshot(&state.join("found")).into_keys().filter(left).collect();
        assert!(left.is_empty(), "{what}: left behind {left:?}");
        let raw = Raw::of(found.as_bytes());
        assert!(!raw.torn && raw.bad_lines.is_empty(), "{what}: {raw:?}");
        match code.trim() {
            "0" => {
                done += 1;
                assert!(raw.held().is_empty(), "{what}: said to be given back");
                assert_eq!(read("code2").trim(), "1", "{what}");
            }
            "2" => {
                refused += 1;
                assert_eq!(found, read("before"), "{what}: the journal changed");
                assert!(
                    read("out").is_empty() && read("err").contains("free some space"),
                    "{what}"
                );
                assert!(read("live").contains("\"main\""), "{what}: {}", read("live-err"));
                assert_eq!(read("code2").trim(), "0", "{what}: with room it is given back");
            }
            _ => panic!("{what}"),
        }
        assert_eq!(read("code3").trim(), "0", "{what}: {}", read("err3"));
    }
    eprintln!("releases on a full disk: {done} done, {refused} refused");
    // The room of the snapshot is given for the record; where that is not enough, nothing is done.
    assert!(done > 3 && refused > 0, "{done} done, {refused} refused");
}

/// On a disk that is read-only: every writer, every reader.
const READ_ONLY: &str = r#"
root=$1 state=$2 binary=$3
mkdir "$state"
mount --bind "$root" "$root" && mount -o remount,bind,ro "$root" || exit 77
shift 3
number=0
for command in "$@"; do
    "$binary" $command --workspace "$root" > "$state/out-$number" 2> "$state/err-$number"
    echo $? > "$state/code-$number"
    number=$((number + 1))
done
"#;

#[test]
fn a_read_only_disk_refuses_writers_and_serves_readers() {
    // With a history, and without even the folder.
    for env in [with_a_history(), configured(THREE_LANES)] {
        let before = env.snapshot();
        let state = env.outer().join("state");
        let mut command = Command::new("unshare");
        command.args(["-Urm", "sh", "-c", READ_ONLY, "sh"]);
        command.arg(env.root()).arg(&state).arg(env.binary()).args(WRITERS).args(READERS);
        env.furnish(&mut command);
        command.current_dir("/");
        let output = Running::start(command).finish();
        let read = |name: &str, number| {
            fs::read_to_string(state.join(format!("{name}-{number}"))).unwrap_or_default()
        };
        if read("code", 0).is_empty() {
            return skipped(&format!("a read-only disk: no mount namespace: {}", output.stderr));
        }
        let fresh = env.journal().is_empty();
        for (number, command) in WRITERS.iter().enumerate() {
            let (code, said) = (read("code", number), read("err", number));
            // There is nothing to compact where there is no journal.
            if fresh && *command == "journal compact" {
                assert_eq!(code.trim(), "0", "{command}: {said}");
                continue;
            }
            assert_eq!(code.trim(), "2", "{command}: {said}");
            assert!(said.contains(".dos") && said.contains("ead-only"), "{command}: {said}");
            assert_eq!(read("out", number), "", "{command}");
        }
        for (number, command) in (WRITERS.len()..).zip(READERS) {
            assert_eq!(read("code", number).trim(), "0", "{command}: {}", read("err", number));
        }
        assert_eq!(env.snapshot(), before, "nothing was changed");
    }
}

#[test]
fn a_workspace_that_is_not_there_is_named_and_not_made() {
    let env = configured(THREE_LANES);
    let gone = env.path("gone");
    for command in WRITERS.iter().chain(&READERS) {
        let output = env.dos(&format!("{command} --workspace {}", gone.display()));
        output.exits(2).says("workspace/gone");
        assert!(output.stdout.is_empty() && !gone.exists(), "{output:#?}");
    }
    // The folder one stands in may go as well.
    let script = "mkdir here && cd here && rmdir ../here && exec \"$@\"";
    for command in WRITERS.iter().chain(&READERS) {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(env.binary()).args(command.split_whitespace());
        env.furnish(&mut shell);
        let output = Running::start(shell).finish();
        output.exits(2).says("error: ");
        assert!(output.stdout.is_empty(), "{output:#?}");
    }
    assert_eq!(env.tree(), ["dos.toml"]);
}

#[test]
fn a_state_folder_that_vanishes_again_and_again_harms_nobody() {
    let env = configured(THREE_LANES);
    let (mut granted, mut failed) = (0, 0);
    std::thread::scope(|scope| {
        let writers: Vec<_> = ["api", "web", "docs"]
            .into_iter()
            .map(|lane| {
                let env = &env;
                let one = move |_| env.dos(&format!("lease-lane acquire --lane {lane} --owner o"));
                scope.spawn(move || (0..60).map(one).collect::<Vec<Output>>())
            })
            .collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            std::thread::sleep(std::time::Duration::from_millis(3));
            let _ = fs::remove_dir_all(env.path(".dos"));
        }
        for output in writers.into_iter().flat_map(|writer| writer.join().unwrap()) {
            assert!(matches!(output.no_panic().code, Some(0 | 1 | 2 | 4)), "{output:#?}");
            if output.code == Some(2) {
                output.says(".dos");
                assert!(output.stdout.is_empty(), "{output:#?}");
            }
            granted += usize::from(output.code == Some(0));
            failed += usize::from(matches!(output.code, Some(2 | 4)));
        }
    });
    eprintln!("{granted} granted, {failed} failed in folders that vanished");
    assert!(granted > 10, "{granted}");
    fs::remove_dir_all(env.path(".dos")).unwrap_or_default();
    env.dos("lease-lane acquire --lane docs --owner next --retries 0").exits(0);
}

#[test]
fn a_state_folder_behind_a_link_is_one_workspace() {
    let env = configured(THREE_LANES);
    let elsewhere = env.outer().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, env.path(".dos")).unwrap();
    // It leads out of the workspace: somebody has to say that this is meant.
    env.dos("lease-lane acquire --lane api --owner a").exits(2).says("dos doctor --trust");
    env.dos("lease-lane live").exits(2).says("dos doctor --trust");
    env.dos("doctor --trust").exits(0);
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    assert!(elsewhere.join("lane-journal.jsonl").exists());
    // Whoever comes to the same journal by another way sees the same lease.
    let other = configured(THREE_LANES);
    symlink(&elsewhere, other.path(".dos")).unwrap();
    other.dos("doctor --trust").exits(0);
    assert_eq!(live_lanes(&other), ["api"]);
    other.dos("lease-lane acquire --lane api --owner b").exits(1);
    env.dos("journal compact").exits(0);
    assert!(fs::symlink_metadata(env.path(".dos")).unwrap().is_symlink(), "the link stays");
    assert_eq!(field(&other.dos("lease-lane live").exits(0).json(), "holder"), ["a"]);
}

#[test]
fn a_link_to_nowhere_in_place_of_the_state_folder_is_refused() {
    for target in ["nowhere", ".dos", "dos.toml"] {
        let env = configured(THREE_LANES);
        symlink(env.path(target), env.path(".dos")).unwrap();
        for command in &WRITERS[..4] {
            let output = env.dos(command);
            // It names what it found at the end of the link.
            output.exits(2).says("workspace/").says("hint: ");
            assert_eq!(output.stdout, "");
        }
        assert_eq!(env.tree(), [".dos", "dos.toml"], "nothing was made");
        fs::remove_file(env.path(".dos")).unwrap();
        env.dos(ACQUIRE).exits(0);
        assert_eq!(held(&env).len(), 1);
    }
}

#[test]
fn a_closed_or_full_answer_changes_no_decision() {
    let env = with_a_history();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" > /dev/full", "sh"]).arg(env.binary());
    command.args(ACQUIRE.split_whitespace());
    env.furnish(&mut command);
    let status = Running::start_as_is(command).status();
    // The exit code still tells the verdict, and asking again shows whose the lane is.
    assert_eq!(status.code(), Some(0), "{status:?}");
    assert!(held(&env).contains(&("web".into(), "W".into())));
    let again = env.dos(ACQUIRE).exits(1).json();
    assert_eq!(again["blocked_by"][0]["loop_ts"], "W");
}
