//! The terminal that somebody may be looking at.

/// How many columns the terminal on stdout has; `None` when stdout is none.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Is there still a terminal on stdin? Not once it was closed.
pub fn is_there() -> bool {
    rustix::termios::tcgetattr(std::io::stdin()).is_ok()
}
