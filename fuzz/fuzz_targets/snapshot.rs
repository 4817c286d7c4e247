//! Any bytes as a snapshot, and any bytes behind a seal and a header that fit: it is read or passed
//! over, and a file that does not fit changes nothing.

#![no_main]

use std::cell::OnceCell;
use std::os::unix::fs::MetadataExt;

use camino::Utf8PathBuf;
use dos_core::journal::live_set::replay;
use dos_store::Ledger;
use dos_store::clock::RealClock;
use dos_store::disk::{Disk, RealDisk};
use dos_store::snapshot::snapshot_path;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

const JOURNAL: &[u8] = b"{\"op\": \"ACQUIRE\", \"lane\": \"a\", \"loop_ts\": \"t\", \"seq\": 1}\n{\"op\": \"SPAWN\"}\n";

struct Stage {
    _folder: tempfile::TempDir,
    journal: Utf8PathBuf,
    inode: (u64, u64),
}

thread_local!(static STAGE: OnceCell<Stage> = const { OnceCell::new() });

fn stage() -> Stage {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let journal = Utf8PathBuf::from_path_buf(folder.path().join("journal.jsonl")).unwrap();
    std::fs::write(&journal, JOURNAL).unwrap();
    let metadata = std::fs::metadata(&journal).unwrap();
    Stage { inode: (metadata.dev(), metadata.ino()), _folder: folder, journal }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fuzz_target!(|input: &[u8]| {
    STAGE.with(|cell| {
        let stage = cell.get_or_init(stage);
        let (fits, input) = match input.split_first() {
            Some((first, rest)) => (first % 4, rest),
            None => (0, input),
        };
        let content = match fits {
            0 => input.to_vec(),
            1 => sealed(input),
            _ => sealed(&[header(stage).as_bytes(), input].concat()),
        };
        std::fs::write(snapshot_path(&stage.journal), content).unwrap();
        let lock = stage.journal.with_file_name("lock");
        let ledger = Ledger::new(RealDisk, RealClock::start(), &stage.journal, lock, "host");
        let live = ledger.read().unwrap();
        if fits == 0 {
            assert_eq!(live, replay(JOURNAL));
        }
    });
});

fn sealed(content: &[u8]) -> Vec<u8> {
    [hex(&Sha256::digest(content)).as_bytes(), b"\n", content].concat()
}

fn header(stage: &Stage) -> String {
    let window = hex(&Sha256::digest([JOURNAL, JOURNAL].concat()));
    let header = serde_json::json!({
        "device": stage.inode.0, "inode": stage.inode.1, "family": "lane-journal-snapshot",
        "boot": RealDisk.boot(), "version": 1, "lines": 2, "records": 2, "offset": JOURNAL.len(), "window": window,
    });
    format!("{header}\n")
}
