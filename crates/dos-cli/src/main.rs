//! The `dos` binary.

fn main() -> std::process::ExitCode {
    dos_cli::main()
}
