//! The crash simulation: the real log, lock, ledger and decisions on a simulated disk, several
//! processes interleaved at every operation, killed and cut off anywhere, and what is left checked
//! against a model. `cargo xtask crash` runs it.

pub mod choice;
pub mod desk;
pub mod exhaustive;
pub mod model;
pub mod plant;
pub mod random;
pub mod run;
pub mod schedule;
pub mod script;

use plant::Plant;
use random::Mishaps;

/// Looks for a planted bug among so many random cases; returns the number of the first case that
/// shows it, and what was found there.
pub fn find(plant: Plant, seed: u64, cases: u64) -> Option<(u64, String)> {
    (0..cases).find_map(|number| {
        let case = random::case(seed, number, Some(plant), Mishaps::default(), false);
        case.finding.filter(|finding| plant.shows_in(finding)).map(|finding| (number, finding))
    })
}
