//! `cargo xtask receipts`: receipts go both ways between the original and us, and both answer alike
//! about random states.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::oracle::rng::Rng;
use crate::original;

const CASES_DEFAULT: u64 = 60;
const STAMP: &str = "2026-01-10T12:00:00Z";

/// Runs the command.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (mut cases, mut seed) = (CASES_DEFAULT, 1);
    for pair in arguments.chunks(2) {
        match pair {
            [flag, number] if flag == "--cases" => cases = number.parse()?,
            [flag, number] if flag == "--seed" => seed = number.parse()?,
            _ => bail!("usage: cargo xtask receipts [--cases N] [--seed S]"),
        }
    }
    let dos = original::build_dos()?;
    let theirs = original::install()?.join("bin/dos");
    let python = theirs.with_file_name("python");
    let scratch = tempfile::tempdir()?;
    let mut verdicts = std::collections::BTreeMap::new();
    for number in 0..cases {
        let mut rng = Rng::new(seed, number);
        let folder = scratch.path();
        case(&mut rng, folder, [&dos, &theirs, &python], &mut verdicts)
            .with_context(|| format!("case {number} of seed {seed}"))?;
    }
    println!("seed {seed}, {cases} cases: every answer alike, every receipt valid on both sides");
    for (verdict, count) in verdicts {
        println!("  {count:>5} {verdict}");
    }
    Ok(())
}

fn case(
    rng: &mut Rng,
    folder: &Path,
    [dos, theirs, python]: [&Path; 3],
    verdicts: &mut std::collections::BTreeMap<String, u64>,
) -> anyhow::Result<()> {
    let key: Vec<u8> = (0..1 + rng.below(80)).map(|_| rng.below(256) as u8).collect();
    fs::write(folder.join("key"), key)?;
    for side in ["b.json", "a.json"] {
        fs::write(folder.join(side), state(rng))?;
    }
    let claim = ["k", "é", "a b", "x:1", "", " k "][rng.below(6)];
    let before = if rng.below(8) == 0 { "nofile" } else { "b.json" };
    let sides = ["--before", before, "--after", "a.json"];
    let third = if rng.below(3) == 0 { &["--third-party"][..] } else { &[] };
    let narrated = ["", "done", "é ✓ = x", "a\tb\\n\""][rng.below(4)];
    let asked = [&["--narrated", narrated, "--json"], &sides[..], third].concat();

    let ours = ran(dos, folder, &[&["state-diff", "--", claim][..]], &asked)?;
    let module = ["-m", "dos.drivers.state_diff", "--", claim];
    let original = ran(python, folder, &[&module[..]], &asked)?;
    ensure!(ours.status.code() == original.status.code(), "state-diff: {ours:?}\n{original:?}");
    let (ours, original) = (json(&ours)?, json(&original)?);
    for (field, value) in original.as_object().context("no object")? {
        let same = field == "reason" || ours.get(field) == Some(value);
        ensure!(same, "{field} of {claim:?}: ours {ours}\nthe original's {original}");
    }
    *verdicts.entry(original["verdict"].to_string()).or_insert(0) += 1;

    let witness: Vec<&str> = match rng.below(3) {
        0 => vec!["--accept-cmd", ["true", "false", "nosuch-program"][rng.below(3)]],
        _ => sides.to_vec(),
    };
    let minting = [
        &["attest", "--claim", claim, "--narrated", narrated, "--timestamp", STAMP][..],
        &["--key-file", "key", "--json"],
        &witness,
        third,
    ]
    .concat();
    let minted = [dos, theirs].map(|program| ran(program, folder, &[&minting], &[]));
    let [ours, original] = minted;
    let (ours, original) = (ours?, original?);
    ensure!(ours.status.code() == original.status.code(), "attest: {ours:?}\n{original:?}");
    ensure!(json(&ours)? == json(&original)?, "receipts differ: {ours:?}\n{original:?}");
    for (minted, program) in [(&ours, theirs), (&original, dos)] {
        let mut receipt = json(minted)?;
        for (expected, change) in [(0, None), (1, Some("claim")), (1, Some("timestamp"))] {
            if let Some(field) = change {
                receipt[field] = Value::from(format!("{}x", receipt[field].as_str().unwrap_or("")));
            }
            fs::write(folder.join("receipt"), receipt.to_string())?;
            let check = ["verify-receipt", "--receipt", "receipt", "--key-file", "key"];
            let checked = ran(program, folder, &[&check], &[])?;
            ensure!(checked.status.code() == Some(expected), "{checked:?} of {receipt}");
        }
    }
    Ok(())
}

/// Two or three keys, often the same ones, with values that mean the same to both programs.
fn state(rng: &mut Rng) -> String {
    let values = [
        "1",
        "2",
        "1.0",
        "2.5",
        "\"1\"",
        "null",
        "\"\\u0061\"",
        "\"a\"",
        "[1, 2]",
        "[1.0, 2]",
        "{}",
        "{\"a\": 1, \"b\": 2}",
        "{\"b\": 2, \"a\": 1}",
        "9007199254740993",
    ];
    let mut entries = Vec::new();
    for key in ["k", "é", "a b", "x:1", ""] {
        if rng.below(3) > 0 {
            entries.push(format!("{}: {}", Value::from(key), values[rng.below(values.len())]));
        }
    }
    format!("{{{}}}", entries.join(", "))
}

fn ran(program: &Path, folder: &Path, first: &[&[&str]], then: &[&str]) -> anyhow::Result<Output> {
    // What follows `--` is no option: the options come first.
    let first = first.concat();
    let at = first.iter().position(|word| *word == "--").unwrap_or(first.len());
    let (command, operands) = first.split_at(at);
    let mut running = Command::new(program);
    running.args(command).args(then).args(operands).current_dir(folder);
    running.env("DISPATCH_HOME", folder.join("home")).env_remove("DOS_ATTEST_KEY");
    running.output().with_context(|| format!("failed to run {program:?}"))
}

fn json(output: &Output) -> anyhow::Result<Value> {
    serde_json::from_slice(&output.stdout).with_context(|| format!("no JSON in {output:?}"))
}
