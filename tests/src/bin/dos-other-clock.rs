//! The shipped `dos`, with clocks that a test sets: the build script links it so.

fn main() -> std::process::ExitCode {
    dos_cli::main()
}
