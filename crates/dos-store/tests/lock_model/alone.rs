//! Progress: what comes of a world in which every original stops for good, at any step.
//!
//! Then our processes are alone, and each does what it does whatever the order: the one with the
//! kernel lock goes on, or else the one that has the crew alone, or else one that waits. So a single
//! run decides whether they get through.

use std::collections::HashMap;

use crate::explore::fingerprint;
use crate::ours::{Ours, Rules};
use crate::world::{Name, Process, World};

pub struct Alone {
    rules: Rules,
    known: HashMap<u64, Fate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Everybody gets through, a newcomer holds the mutex, and nothing of ours is left.
    Clear,
    /// They wait for ever unless time passes.
    Waits,
    Fails(&'static str),
}

/// Four processes that clear up after each other need fewer.
const STEPS_MAX: usize = 300;

impl Alone {
    pub fn new(rules: Rules) -> Self {
        Self { rules, known: HashMap::new() }
    }

    /// Does every waiter of ours get through, and a newcomer after them?
    pub fn check(&mut self, world: &World) -> Result<(), &'static str> {
        let mut world = abandoned(world);
        match self.fate(world.clone()) {
            Fate::Clear => return Ok(()),
            Fate::Fails(broken) => return Err(broken),
            Fate::Waits if !world.foreign_lock_counts() => {
                return Err("ours wait although nobody holds");
            }
            Fate::Waits => {}
        }
        world.pass_time();
        world.pass_time();
        world.processes.push(Process::Ours(Ours::default()));
        match self.fate(world) {
            Fate::Clear => Ok(()),
            Fate::Waits => Err("ours wait for ever"),
            Fate::Fails(broken) => Err(broken),
        }
    }

    fn fate(&mut self, mut world: World) -> Fate {
        let newcomer = world.processes.len() - 1;
        let mut passed = Vec::new();
        let fate = loop {
            let print = fingerprint(&world);
            if let Some(fate) = self.known.get(&print) {
                break *fate;
            }
            if passed.contains(&print) {
                break Fate::Waits;
            }
            passed.push(print);
            if passed.len() > STEPS_MAX {
                break Fate::Fails("ours go on and on");
            }
            let waiting = |process: &Process| matches!(process, Process::Ours(ours) if !ours.done);
            let first = world.kernel.or(world.crew_alone);
            let Some(next) = first.or_else(|| world.processes.iter().position(waiting)) else {
                break match world.names().all(|name| matches!(name, Name::Aside(_))) {
                    true => Fate::Clear,
                    false => Fate::Fails("ours left a file behind"),
                };
            };
            let Process::Ours(ours) = &world.processes[next] else { unreachable!() };
            let stepped = ours.step(&world, next, self.rules);
            if let Some(broken) = stepped.world.broken {
                break Fate::Fails(broken);
            }
            if stepped.refused && next == newcomer {
                break Fate::Fails("a newcomer is refused although it is alone");
            }
            world = stepped.world;
        };
        self.known.extend(passed.into_iter().map(|print| (print, fate)));
        fate
    }
}

/// The world without the originals, and with a newcomer of ours in the last place.
fn abandoned(world: &World) -> World {
    let mut left = world.clone();
    (left.stolen, left.overslept, left.kernel) = (false, false, None);
    (left.crew, left.crew_alone) = (0, None);
    left.processes.clear();
    for (index, process) in world.processes.iter().enumerate() {
        if let Process::Ours(ours) = process
            && !ours.done
        {
            let place = left.processes.len();
            if world.kernel == Some(index) {
                left.kernel = Some(place);
            }
            if world.crew_alone == Some(index) {
                left.crew_alone = Some(place);
            }
            if world.crew & 1 << index != 0 {
                left.crew |= 1 << place;
            }
            left.processes.push(Process::Ours(ours.plain()));
        }
    }
    left.processes.push(Process::Ours(Ours::default()));
    left.settle();
    left
}
