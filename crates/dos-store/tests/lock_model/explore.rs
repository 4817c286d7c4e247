//! Every world that can be reached, breadth first, and what must hold in each.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::alone::Alone;
use crate::original::Original;
use crate::ours::{Fault, Ours, Rules};
use crate::world::{Process, Residue, World};

/// What may happen beside the steps of the processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    pub rules: Rules,
    /// How many processes may die, each at any step. Another of its kind takes its place.
    pub deaths: u8,
    /// How many times a span of time may pass at once.
    pub spans: u8,
    /// Even of what no other process can see or disturb?
    pub every_order: bool,
    /// Enough has been seen after so many worlds: with a fault there may be no end to them.
    pub most: Option<usize>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    world: World,
    deaths: u8,
    spans: u8,
}

/// The steps that led to something.
pub type Way = Vec<String>;

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    pub states: usize,
    pub steps: usize,
    /// Processes of ours that came to hold the mutex, counted by steps.
    pub entered: usize,
    /// The properties that do not hold, and a shortest way to where each does not.
    pub broken: BTreeMap<&'static str, Way>,
    /// The writes that no look could have prevented: how many steps, and a shortest way to one.
    pub residue: BTreeMap<Residue, (usize, Way)>,
}

/// Where a world was first met: from which one, by which of its steps.
struct Origins(Vec<(u32, u8)>);

/// Explores everything that can come of `start`.
pub fn explore(start: World, bounds: Bounds) -> Report {
    let mut root = Node { world: start, deaths: bounds.deaths, spans: bounds.spans };
    root.world.settle();
    let mut origins = Origins(vec![(0, 0)]);
    let mut seen = HashSet::from([fingerprint(&root)]);
    let mut layer = vec![(0, root.clone())];
    let mut report = Report::default();
    let mut alone = Alone::new(bounds.rules);
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (id, node) in layer {
            if bounds.most.is_some_and(|most| origins.0.len() > most) {
                break;
            }
            if let Err(broken) = alone.check(&node.world) {
                let way = || origins.way(&root, id, None, bounds);
                report.broken.entry(broken).or_insert_with(way);
            }
            let eventless = node.deaths == bounds.deaths && node.spans == bounds.spans;
            if eventless && node.world.is_left_unclean() {
                let way = || origins.way(&root, id, None, bounds);
                report.broken.entry("the last of ours has left its lock file").or_insert_with(way);
            }
            for (index, step) in successors(&node, bounds).into_iter().enumerate() {
                let mut node = step.node;
                let way = || origins.way(&root, id, Some(index), bounds);
                report.steps += 1;
                report.entered += usize::from(step.entered);
                if let Some(broken) = node.world.broken.take() {
                    report.broken.entry(broken).or_insert_with(way);
                }
                if let Some(residue) = node.world.residue.take() {
                    report.residue.entry(residue).or_insert_with(|| (0, way())).0 += 1;
                }
                if seen.insert(fingerprint(&node)) {
                    let child = u32::try_from(origins.0.len()).unwrap();
                    origins.0.push((id, u8::try_from(index).unwrap()));
                    next.push((child, node));
                }
            }
        }
        layer = next;
    }
    report.states = origins.0.len();
    report
}

/// 64 bits stand for a world: with ten million of them, two share one once in 400,000 runs.
pub fn fingerprint(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

struct Step {
    what: String,
    node: Node,
    entered: bool,
}

/// Everything that may come next. When a process of ours is about to do what no other can see or
/// disturb, the others wait for it: all orders come to the same. It may still die before.
fn successors(node: &Node, bounds: Bounds) -> Vec<Step> {
    let mut steps = Vec::new();
    for me in 0..node.world.processes.len() {
        let (own, private) = steps_of(node, me, bounds);
        if private {
            steps = own;
            break;
        }
        steps.extend(own);
    }
    if let Some(spans) = node.spans.checked_sub(1) {
        let mut world = node.world.clone();
        world.pass_time();
        let node = Node { world, spans, deaths: node.deaths };
        steps.push(Step { what: "time passes".into(), node, entered: false });
    }
    for step in &mut steps {
        step.node.world.settle();
        step.node.world.check_holders();
    }
    steps
}

/// What one process may do next, and whether that is its own affair.
fn steps_of(node: &Node, me: usize, bounds: Bounds) -> (Vec<Step>, bool) {
    let world = &node.world;
    let (mut steps, mut private) = (Vec::new(), false);
    let mut add = |what: &dyn Fn() -> String, world: World, entered: bool, deaths: u8| {
        let what = if bounds.rules.told { what() } else { String::new() };
        steps.push(Step { what, node: Node { world, deaths, spans: node.spans }, entered });
    };
    match &world.processes[me] {
        Process::Ours(ours) if !ours.done => {
            let stepped = ours.step(world, me, bounds.rules);
            // With two in the kernel lock, nothing is a process's own affair.
            let alone = bounds.rules.fault != Fault::LockForAll && !bounds.every_order;
            private = stepped.private && alone;
            let did = stepped.did;
            add(&|| format!("ours {me}: {did}"), stepped.world, stepped.entered, node.deaths);
            if bounds.rules.deadlines && !ours.late {
                let mut late = world.clone();
                late.processes[me] = Process::Ours(ours.lated());
                add(&|| format!("ours {me}: its deadline passes"), late, false, node.deaths);
            }
        }
        Process::Original(original) if !original.is_done() => {
            let mut next = world.clone();
            original.step(&mut next, me);
            add(&|| format!("original {me}: {}", original.words()), next, false, node.deaths);
            if let Some(done) = original.gives_up() {
                let mut next = world.clone();
                next.processes[me] = Process::Original(done);
                add(&|| format!("original {me}: gives up"), next, false, node.deaths);
            }
        }
        _ => return (steps, false),
    }
    if let (Some(deaths), true) = (node.deaths.checked_sub(1), has_begun(&world.processes[me])) {
        let mut world = world.clone();
        let kernel = world.kernel;
        world.die(me);
        if bounds.rules.fault == Fault::LockOutlivesDeath {
            world.kernel = kernel;
        }
        add(&|| format!("{me} dies"), world, false, deaths);
    }
    (steps, private)
}

fn has_begun(process: &Process) -> bool {
    match process {
        Process::Ours(ours) => *ours != Ours::default(),
        Process::Original(original) => *original != Original::new(original.owner),
    }
}

impl Origins {
    fn way(&self, root: &Node, id: u32, last: Option<usize>, bounds: Bounds) -> Way {
        let bounds = Bounds { rules: Rules { told: true, ..bounds.rules }, ..bounds };
        let mut indices = Vec::from_iter(last);
        let mut id = id;
        while id != 0 {
            let (parent, index) = self.0[id as usize];
            indices.push(usize::from(index));
            id = parent;
        }
        let (mut node, mut way) = (root.clone(), Way::new());
        for index in indices.into_iter().rev() {
            let step = successors(&node, bounds).swap_remove(index);
            node = step.node;
            (node.world.residue, node.world.broken) = (None, None);
            way.push(step.what);
        }
        way
    }
}
