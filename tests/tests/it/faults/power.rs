//! Power cuts on a real file system: an image that is mounted, written to by eight processes, and
//! shut down without a last look at its journal, so that what was not synced is lost.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dos_tests::raw::{Raw, text};
use dos_tests::{Running, TestEnv};

use crate::{empty, skipped};

/// How often the power goes, on each file system; `POWER_CUTS` says otherwise.
fn cuts() -> usize {
    std::env::var("POWER_CUTS").ok().and_then(|count| count.parse().ok()).unwrap_or(2)
}

const WRITERS: usize = 8;

/// Mounts an image, lets the writers write, stops them all, cuts the power, and looks again.
///
/// An answer that comes after the cut would be none in a real one: so everybody is stopped first.
/// A writer notes each answer outside of the image, after it came.
const CUT: &str = r#"
kind=$1 image=$2 mount=$3 state=$4 binary=$5 seconds=$6 writers=$7
fail() { echo "$1" >&2; exit "$2"; }
truncate -s 320M "$image"
case $kind in
    ext4) mkfs.ext4 -q -F "$image" || fail "no mkfs.ext4" 77 ;;
    xfs) mkfs.xfs -q -f "$image" || fail "no mkfs.xfs" 77 ;;
esac
mkdir -p "$mount" "$state"
mount -o loop "$image" "$mount" || fail "no loop mount" 77
mkdir "$mount/w"
cat > "$mount/w/dos.toml" < "$8"
sync
# In a subshell: what a shell starts otherwise is stopped before its exec, and the shell waits for
# that, asleep and not stopped.
dos() { (exec "$binary" "$@" --workspace "$mount/w" > /dev/null 2>> "$state/errors"); }
write() {
    number=0
    while :; do
        number=$((number + 1))
        stamp=$1-$number
        dos lease-lane acquire --lane "l$1" --owner "o$1" --loop-ts "$stamp" || continue
        echo "ACQUIRE $stamp" >> "$state/acks-$1"
        dos lease-lane release --lane "l$1" --owner "o$1" --loop-ts "$stamp" || continue
        echo "RELEASE $stamp" >> "$state/acks-$1"
    done
}
for one in $(seq "$writers"); do write "$one" & done
sleep "$seconds"
echo "stopping" >&2
kill -STOP -1
all_stopped() {
    for stat in /proc/[0-9]*/stat; do
        # Process 1 is this shell.
        [ "$stat" = /proc/1/stat ] && continue
        read -r line < "$stat" || continue
        case ${line##*) } in [TZX]*) ;; *) return 1 ;; esac
    done 2> /dev/null
}
until all_stopped; do :; done
echo "cutting" >&2
if command -v python3 > /dev/null; then
    python3 -c '
import fcntl, os, struct, sys
# EXT4_IOC_SHUTDOWN, which is also that of xfs; 2: without writing the log.
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))
' "$mount" || fail "no shutdown ioctl" 77
else
    xfs_io -x -c shutdown "$mount" || fail "no shutdown ioctl" 77
fi
kill -KILL -1
wait
echo "mounting again" >&2
for try in 1 2 3 4 5 6 7 8 9; do
    umount "$mount" 2> /dev/null && break
    # Somebody is still dying.
    sleep 0.2
done
mount -o loop "$image" "$mount" || fail "the file system does not come back" 78
cp -r "$mount/w/.dos" "$state/after" || fail "the folder is gone" 79
echo "going on" >&2
"$binary" lease-lane acquire --lane next --owner next --workspace "$mount/w" \
    > "$state/next" 2>&1
echo $? > "$state/next-code"
umount "$mount"
echo done > "$state/done"
"#;

/// Cuts the power of one image; `None` where that cannot be done here.
fn cut(kind: &str, seconds: &str) -> Option<(TestEnv, PathBuf)> {
    let env = empty();
    let state = env.outer().join("state");
    let names: Vec<String> = (1..=WRITERS).map(|number| format!("l{number}")).collect();
    let mut config = format!("[lanes]\nconcurrent = {names:?}\n[lanes.trees]\nnext = [\"n/**\"]\n");
    config.extend(names.iter().map(|name| format!("{name} = [\"{name}/**\"]\n")));
    let toml = env.outer().join("dos.toml");
    fs::write(&toml, config).unwrap();
    let mut command = Command::new("unshare");
    // In namespaces of its own: whatever happens, nothing stays mounted and nobody stays stopped.
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]);
    command.args(["sh", "-c", CUT, "sh", kind]);
    command.args([env.outer().join("image"), env.outer().join("mounted"), state.clone()]);
    command.arg(env.binary()).arg(seconds).arg(WRITERS.to_string()).arg(toml);
    env.furnish(&mut command);
    command.current_dir("/");
    let output = Running::start(command).finish();
    match output.code {
        Some(0) => Some((env, state)),
        Some(77 | 1) if !state.join("after").exists() => {
            skipped(&format!("a power cut on {kind}: {}", output.stderr));
            None
        }
        _ => panic!("{output:#?}"),
    }
}

/// Everything that was acknowledged is there, in the order of each writer.
fn nothing_is_lost(kind: &str) {
    let (mut total, cuts) = (0, cuts());
    for number in 0..cuts {
        let Some((env, state)) = cut(kind, ["0.7", "1.1"][number % 2]) else { return };
        let what = format!("{kind}, cut {number}");
        let journal = fs::read(state.join("after/lane-journal.jsonl")).unwrap();
        let raw = Raw::of(&journal);
        assert_eq!(raw.bad_lines, [0; 0], "{what}");
        assert_eq!(raw.faults(), [""; 0], "{what}");
        for writer in 1..=WRITERS {
            let lane = format!("l{writer}");
            let there: Vec<String> = raw
                .records
                .iter()
                .filter(|record| text(record, "lane") == lane)
                .map(|record| format!("{} {}", text(record, "op"), text(record, "loop_ts")))
                .collect();
            let acks = fs::read_to_string(state.join(format!("acks-{writer}"))).unwrap_or_default();
            let mut rest = there.iter();
            for ack in acks.lines() {
                let found = rest.any(|record| record == ack);
                assert!(found, "{what}: {ack} was acknowledged and is lost");
                total += 1;
            }
        }
        // A lock file whose text is lost may be in the way, for as long as no boot takes.
        let next = fs::read_to_string(state.join("next-code")).unwrap();
        let said = fs::read_to_string(state.join("next")).unwrap();
        assert_eq!(next.trim(), "0", "{what}: {said}");
        drop(env);
    }
    eprintln!("{kind}: {cuts} power cuts, {total} acknowledged records, all there");
    assert!(total > 50, "{total} records prove nothing");
}

#[test]
fn a_power_cut_on_ext4_loses_nothing_acknowledged() {
    nothing_is_lost("ext4");
}

#[test]
fn a_power_cut_on_xfs_loses_nothing_acknowledged() {
    nothing_is_lost("xfs");
}
