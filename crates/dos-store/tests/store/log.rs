//! The log: lines go in whole, come out whole, and a tail that was torn stays evidence.

use dos_core::limits::LINE_BYTES_MAX;
use dos_store::StoreError;
use dos_store::disk::RealDisk;
use dos_store::log::{Log, RawLine};

use crate::{Folder, text};

fn lines(log: &Log<RealDisk>) -> Vec<(u64, u64, String, bool)> {
    let mut found = Vec::new();
    log.scan(|line| {
        let bytes = String::from_utf8_lossy(line.bytes).into_owned();
        found.push((line.number, line.offset, bytes, line.complete));
    })
    .unwrap();
    found
}

#[test]
fn what_is_appended_is_read_back_with_its_place() {
    let folder = Folder::new();
    let log = Log::new(RealDisk, folder.join("log.jsonl"));
    assert_eq!(lines(&log), []);
    log.append("one\ntwo\n").unwrap().sync().unwrap();
    log.append("three\n").unwrap().sync().unwrap();
    let expected = [
        (0, 0, "one".to_string(), true),
        (1, 4, "two".to_string(), true),
        (2, 8, "three".to_string(), true),
    ];
    assert_eq!(lines(&log), expected);
}

#[test]
fn a_tail_without_newline_is_closed_by_the_next_append() {
    let folder = Folder::new();
    let path = folder.join("log.jsonl");
    std::fs::write(&path, "whole\nto").unwrap();
    let log = Log::new(RealDisk, &path);
    assert_eq!(lines(&log).last().unwrap(), &(1, 6, "to".to_string(), false));
    log.append("next\n").unwrap().sync().unwrap();
    assert_eq!(text(&path), "whole\nto\nnext\n");
}

#[test]
fn a_scan_starts_at_any_line() {
    let folder = Folder::new();
    let log = Log::new(RealDisk, folder.join("log.jsonl"));
    log.append("one\ntwo\n").unwrap().sync().unwrap();
    let mut seen = Vec::new();
    let file = log.open().unwrap().unwrap();
    let each = |line: RawLine<'_>| seen.push((line.offset, line.bytes.to_vec()));
    let end = log.scan_file(&file, 4, each).unwrap();
    assert_eq!((seen, end), (vec![(4, b"two".to_vec())], 8));
}

#[test]
fn lines_that_cross_the_read_buffer_come_out_whole() {
    let folder = Folder::new();
    let path = folder.join("log.jsonl");
    let lengths = [1, 262_143, 262_144, 262_145, 3, 1_000_000, 7, 0, 524_288];
    let content: String = lengths.iter().map(|length| "x".repeat(*length) + "\n").collect();
    std::fs::write(&path, &content).unwrap();
    let log = Log::new(RealDisk, &path);
    let found: Vec<usize> = lines(&log).iter().map(|line| line.2.len()).collect();
    assert_eq!(found, lengths);
}

#[test]
fn a_line_beyond_the_bound_is_cut_and_the_next_one_is_whole() {
    let folder = Folder::new();
    let path = folder.join("log.jsonl");
    for (tail, complete) in [("\nnext\n", true), ("", false)] {
        std::fs::write(&path, format!("first\n{}{tail}", "x".repeat(LINE_BYTES_MAX + 300_000)))
            .unwrap();
        let log = Log::new(RealDisk, &path);
        let found = lines(&log);
        assert_eq!(found[1].2.len(), LINE_BYTES_MAX + 1);
        assert_eq!((found[1].0, found[1].1, found[1].3), (1, 6, complete));
        let rest: Vec<&str> = found[2..].iter().map(|line| line.2.as_str()).collect();
        assert_eq!(rest, if complete { vec!["next"] } else { vec![] });
    }
}

#[test]
fn a_record_beyond_the_bound_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    let log = Log::new(RealDisk, folder.join("log.jsonl"));
    let long = "x".repeat(LINE_BYTES_MAX + 1) + "\n";
    assert!(matches!(log.append(&long), Err(StoreError::TooLong { .. })));
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn replace_leaves_one_file_with_the_new_content() {
    let folder = Folder::new();
    let path = folder.join("log.jsonl");
    let log = Log::new(RealDisk, &path);
    log.append("old\n").unwrap().sync().unwrap();
    // What a writer that died in the middle left behind is in nobody's way.
    std::fs::write(folder.join("log.jsonl.compact.tmp"), "half").unwrap();
    log.replace("new\n", || Ok(())).unwrap();
    assert_eq!(text(&path), "new\n");
    assert_eq!(folder.names(), ["log.jsonl"]);
}

#[test]
fn a_folder_in_its_place_is_named_in_the_error() {
    let folder = Folder::new();
    let path = folder.join("log.jsonl");
    std::fs::create_dir(&path).unwrap();
    let log = Log::new(RealDisk, &path);
    let read = log.scan(|_| {}).unwrap_err();
    let written = log.append("x\n").map(|_| ()).unwrap_err();
    for error in [read, written] {
        assert!(error.to_string().contains(path.as_str()), "{error}");
        assert!(error.hint().contains(path.as_str()), "{}", error.hint());
    }
}
