//! How long overlap decisions take. Run by `cargo xtask bench --only overlap`.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark")]
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use dos_core::journal::{LiveSet, entry};
use dos_core::lane::arbiter::arbitrate_beside;
use dos_core::lane::command::Acquire;
use dos_core::lane::live::LiveLeases;
use dos_core::lane::overlap::{Exact, OverlapPolicy, Prefix, RATIO_MAX};
use dos_core::lane::{
    Case, Command, Lanes, Lease, Moment, Policy, Region, Request, Tree, arbitrate, decide,
};
use dos_core::timestamp::Timestamp;
use serde_json::json;

/// The time of one call in the fastest of fifteen rounds: whatever else runs only makes it longer.
fn time<T>(mut call: impl FnMut() -> T) -> Duration {
    let mut calls = 1_u32;
    loop {
        let started = Instant::now();
        (0..calls).for_each(|_| drop(black_box(call())));
        if started.elapsed() > Duration::from_millis(1) || calls > 1 << 24 {
            break;
        }
        calls *= 2;
    }
    let round = || {
        let started = Instant::now();
        (0..calls).for_each(|_| drop(black_box(call())));
        started.elapsed() / calls
    };
    std::iter::repeat_with(round).take(15).min().unwrap_or_default()
}

fn shown(time: Duration) -> String {
    match time.as_nanos() {
        0..10_000 => format!("{} ns", time.as_nanos()),
        10_000..10_000_000 => format!("{:.1} us", time.as_secs_f64() * 1e6),
        _ => format!("{:.1} ms", time.as_secs_f64() * 1e3),
    }
}

fn trees(lists: &[&[&str]]) -> Vec<Tree> {
    lists.iter().map(|list| list.iter().map(ToString::to_string).collect()).collect()
}

/// All ordered pairs of some trees, under both policies.
fn pairs(name: &str, lists: &[&[&str]]) {
    let trees = trees(lists);
    let regions: Vec<Region> = trees.iter().map(|tree| tree.region(Case::Insensitive)).collect();
    let count = (trees.len() * trees.len()) as u32;
    let of_policy = |policy: &dyn OverlapPolicy| {
        time(|| {
            let all = trees.iter().flat_map(|one| trees.iter().map(move |other| (one, other)));
            all.filter(|(one, other)| policy.meeting(one, other).is_some()).count()
        }) / count
    };
    let prefix = of_policy(&Prefix { ratio_max: RATIO_MAX });
    let texts = of_policy(&Exact::default());
    let read = time(|| {
        let all = regions.iter().flat_map(|one| regions.iter().map(move |other| (one, other)));
        all.filter(|(one, other)| one.meets(other).is_some()).count()
    }) / count;
    let per_second = |time: Duration| format!("{:.2} million/s", 1e-6 / time.as_secs_f64());
    println!("  {name}, {count} pairs:");
    println!("    prefix, from texts    {:>9}  {}", shown(prefix), per_second(prefix));
    println!("    exact, from texts     {:>9}  {}", shown(texts), per_second(texts));
    println!("    exact, regions read   {:>9}  {}", shown(read), per_second(read));
}

/// A family of trees that never meet, and a request that meets none of them.
struct Family {
    name: &'static str,
    tree: fn(usize) -> Vec<String>,
    asked: &'static [&'static str],
}

const FAMILIES: [Family; 5] = [
    Family {
        name: "folders",
        tree: |number| match number % 3 {
            0 => vec![format!("packages/pkg{number:05}/**")],
            1 => {
                vec![format!("packages/pkg{number:05}/src/**"), format!("docs/pkg{number:05}.md")]
            }
            _ => vec![format!("services/s{number:05}/**/*.rs"), format!("tests/s{number:05}")],
        },
        asked: &["packages/zebra/**", "docs/zebra.md"],
    },
    Family {
        name: "**/*.xN",
        tree: |number| vec![format!("**/*.x{number}")],
        asked: &["**/*.zebra"],
    },
    Family {
        name: "p/N/**, except",
        tree: |number| vec![format!("p/{number}/**"), format!("!p/{number}/gen/**")],
        asked: &["p/zebra/**", "!p/zebra/gen/**"],
    },
    Family {
        name: "p/N/*.{a,b}",
        tree: |number| vec![format!("p/{number}/**/*.{{ts,tsx}}")],
        asked: &["p/zebra/**/*.{ts,tsx}"],
    },
    Family {
        name: "**/[xy]N/*",
        tree: |number| vec![format!("**/[xy]{number}/a*b")],
        asked: &["**/[xy]zebra/a*c"],
    },
];

fn lease(family: &Family, number: usize) -> Lease {
    let lease = json!({
        "lane": format!("lane{number}"), "lane_kind": "cluster", "loop_ts": format!("L{number}"),
        "holder": "agent", "host_id": "h", "pid": null, "token": number,
        "tree": (family.tree)(number), "acquired_at": "2026-01-10T12:00:00Z",
    });
    Lease::from_object(lease.as_object().unwrap().clone())
}

/// One request beside so many live leases, none of which it meets.
fn admission(family: &Family, count: usize) {
    let leases: Vec<Lease> = (0..count).map(|number| lease(family, number)).collect();
    let live: Vec<&Lease> = leases.iter().collect();
    let request = Request {
        lane: "zebra".to_string(),
        tree: Tree::new(family.asked.iter().map(ToString::to_string)),
        ..Request::default()
    };
    let policy = Policy::of_lanes(Lanes::undeclared());
    let prefix = Policy::new(Lanes::undeclared(), Box::new(Prefix { ratio_max: RATIO_MAX }));
    let index = LiveLeases::new(&leases, &policy);
    assert!(arbitrate_beside(&request, &index, None).is_ok());
    let asked = time(|| arbitrate_beside(&request, &index, None));
    let built = time(|| arbitrate(&request, &live, &policy, None));
    let scanned = time(|| arbitrate(&request, &live, &prefix, None));
    let mut set = LiveSet::default();
    set.apply_record(&entry::checkpoint(leases.iter(), 1_000_000));
    let now = Timestamp::parse("2026-01-10T12:00:30Z").unwrap();
    let moment =
        Moment { now, host: "h".to_string(), processes: Vec::new(), worktrees_gone: Vec::new() };
    let acquire = Acquire { request, holder: "me".to_string(), ..Acquire::default() };
    let command = Command::Acquire(acquire);
    let decided = time(|| decide(&set, &command, &moment, &policy));
    println!(
        "  {:<14} {count:>6} leases: asked again {:>9}, looked at and asked {:>9}, a whole \
         decision {:>9}; under prefix {:>9}",
        family.name,
        shown(asked),
        shown(built),
        shown(decided),
        shown(scanned),
    );
}

fn pathological() {
    let pair = |name: &str, one: &[&str], other: &[&str]| {
        let (one, other) =
            (Region::read(one, Case::Insensitive), Region::read(other, Case::Insensitive));
        let took = time(|| one.meets(&other).is_some());
        let verdict = match one.meets(&other) {
            None => "disjoint",
            Some(contact) if contact.witness.is_ok() => "meet",
            Some(_) => "may meet (at the bound)",
        };
        println!("  {name:<44} {:>9}  {verdict}", shown(took));
    };
    pair("a*a*a*a*b and a*a*a*a*c", &["a*a*a*a*b"], &["a*a*a*a*c"]);
    pair("a*a*a*a*b and *a*a*a*a*b*", &["a*a*a*a*b"], &["*a*a*a*a*b*"]);
    let long = |end: &str| "*a".repeat(100) + end;
    pair("the same with 100 stars", &[&long("*b?")], &[&long("*c?")]);
    let longest = |end: &str| "*a".repeat((4096 - end.len()) / 2) + end;
    pair("the longest patterns, 2,000 stars", &[&longest("*b?")], &[&longest("*c?")]);
    let hashed = |count: usize| format!("dist/**/*-{}.js", "?".repeat(count));
    for count in [8, 20] {
        let (own, away) = (hashed(count), format!("!{}", hashed(count)));
        pair(&format!("a tree without `*-{count} x ?`, and that"), &["dist/**", &away], &[&own]);
    }
    let braces = |letter: &str, count: usize| -> Vec<String> {
        (0..count).map(|number| format!("{letter}{}{number}", "{a,b}".repeat(8))).collect()
    };
    let (xs, ys) = (braces("x", 32), braces("y", 32));
    let xs: Vec<&str> = xs.iter().map(String::as_str).collect();
    let ys: Vec<&str> = ys.iter().map(String::as_str).collect();
    pair("8,192 alternatives beside as many", &xs, &ys);
    let behind = |count: usize| format!("!*a{}", "?".repeat(count));
    for count in [4, 8, 16, 40] {
        let any = "?".repeat(60) + "*";
        let other = format!("!*b{}", "?".repeat(count));
        let away = [any.as_str(), &behind(count), &other, "!*[!ab]*"];
        pair(&format!("two exceptions that look {count} back"), &away, &["**"]);
    }
}

fn main() {
    println!("pairs of trees, time for one pair:");
    pairs(
        "lanes of folders",
        &[
            &["crates/dos-core/**"],
            &["crates/dos-store/**"],
            &["crates/dos-cli/**"],
            &["crates/dos-drivers/**"],
            &["docs/**"],
            &["tests/**"],
            &["xtask/**"],
            &["fixtures/**"],
        ],
    );
    pairs(
        "lanes of several patterns",
        &[
            &["src/api/**", "tests/api/**", "docs/api.md"],
            &["src/web/**/*.{ts,tsx,css}", "tests/web/**", "package.json"],
            &["docs/**", "*.md", "**/README.md"],
            &["src/*/schema/**", "migrations/[0-9]*.sql"],
            &["Cargo.toml", "Cargo.lock", ".github/**"],
        ],
    );
    pairs(
        "lanes with exceptions",
        &[
            &["src/**", "!src/gen/**", "!**/*.lock"],
            &["src/gen/**", "!src/gen/README.md"],
            &["**/*.lock"],
            &["**", "!src/**", "!docs/**"],
            &["docs/**", "!docs/generated/**", "docs/generated/keep.md"],
        ],
    );
    println!("one admission that is granted:");
    for family in &FAMILIES {
        [10, 1000, 10_000].into_iter().for_each(|count| admission(family, count));
    }
    println!("patterns that are hard on purpose, or look so:");
    pathological();
}
