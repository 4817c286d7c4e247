//! The habits of the project as commands: `cargo xtask
//! check|bench|crash|export-kill|fleet|hook-noise|kill|oracle|overlap-check|receipts|together`.

#![expect(
    clippy::disallowed_methods,
    reason = "the bans are for the product; these are tools that run other tools and take times"
)]

mod bench;
mod check;
mod crash;
mod fleet;
mod hook_noise;
mod kill;
mod oracle;
mod original;
mod overlap_check;
mod receipts;
mod together;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <command>

  check [--only ID] [--planted]
                              formatting, lints, crate graph, purity, licences; --planted
                              shows for each step that it fails when it must
  bench [--only replay|acquire|export|memory|observe|overlap|hooks|state-diff]
                              measure against the original and physical limits
  crash [--only random|crashes|schedules] [--cases N] [--seed S] [--case K]
        [--preemptions P] [--jobs J] [--plant NAME | --plants] [--marker-window] [--holes]
                              simulate crashes and bad disks; --case replays one case,
                              --plants shows for each planted bug that it is found
  export-kill [--kills N] [--seed S]
                              kill exporters by the hundred while others record, look for every
                              row in a file and at an OpenTelemetry agent
  fleet [--seconds N] [--kills N] [--seed S]
                              a supervised fleet on a real repository for minutes, and
                              supervisors killed by the hundred
  hook-noise [--events N] [--rounds N] [--seed S]
                              random and mutated events through each hook, in this process and
                              through the real binary
  kill [--kills N] [--writers N] [--seed S] [--compacting]
                              kill writers by the thousand, look for what they acknowledged
  oracle [--cases N] [--seed S] [--only CASE] [--keep] [--keep-going]
                              compare with the original on random input; --keep leaves the
                              files, --keep-going does not stop at the first difference
  receipts [--cases N] [--seed S]
                              receipts of the original are valid here and ours there, and both
                              answer alike about random states
  together [--ops N] [--seed S]
                              one workspace, written by the original and by us, in turn and
                              at once: both agree on who is live; and one home registry, in turn:
                              both agree on every row
  overlap-check [--pairs N] [--seed S]
                              compare a million pairs of regions with an independent matcher
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let result = match command.as_str() {
        "check" => check::run(&rest),
        "crash" => crash::run(&rest),
        "bench" => bench::run(&rest),
        "export-kill" => kill::run("export-storm", &rest),
        "fleet" => fleet::run(&rest),
        "hook-noise" => hook_noise::run(&rest),
        "kill" => kill::run("storm", &rest),
        "oracle" => oracle::run(&rest),
        "together" => together::run(&rest),
        "receipts" => receipts::run(&rest),
        "overlap-check" => overlap_check::run(&rest),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
