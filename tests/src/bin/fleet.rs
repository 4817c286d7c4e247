//! `cargo xtask fleet`: the scenario of a supervised fleet, and supervisors that are killed.

use std::process::ExitCode;

use dos_tests::fleet::{kills, scenario};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, seconds, count, seed] = arguments.as_slice() else {
        eprintln!("usage: fleet BINARY SECONDS KILLS SEED");
        return ExitCode::from(2);
    };
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let mut faults = Vec::new();
    if number(seconds) > 0 {
        let seen = scenario(binary, number(seconds));
        println!("a fleet of four on six lanes for {seconds} s: {}", seen.shown);
        faults.extend(seen.faults);
    }
    if number(count) > 0 {
        let (found, shown) = kills(binary, number(count) as u32, number(seed));
        println!("{shown}");
        faults.extend(found);
    }
    faults.iter().for_each(|fault| println!("  {fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
