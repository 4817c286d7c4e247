//! Links the programs whose clocks a test sets with `src/clock.c`.

const CLOCK: &str = "src/clock.c";

fn main() {
    println!("cargo::rerun-if-changed={CLOCK}");
    for object in cc::Build::new().file(CLOCK).compile_intermediates() {
        for program in ["dos-other-clock", "dos-slow-writer"] {
            println!("cargo::rustc-link-arg-bin={program}={}", object.display());
        }
    }
}
