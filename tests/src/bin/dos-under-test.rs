//! The shipped `dos`, built here so that the tests always run what was just written.

fn main() -> std::process::ExitCode {
    dos_cli::main()
}
