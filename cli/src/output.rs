//! Standard output. All commands print through [`say!`].
//!
//! A closed pipe (`punchcard catalog show | head`) is not an error: further output is discarded, and the command
//! completes. After any other failure, such as a full disk, the command exits with an error.

use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

static STATE: Mutex<State> = Mutex::new(State::Open);

#[derive(Debug)]
enum State {
    Open,
    /// The pipe is closed.
    Closed,
    Failed(io::Error),
}

impl State {
    fn after(result: io::Result<()>) -> Self {
        match result {
            Ok(()) => State::Open,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => State::Closed,
            Err(error) => State::Failed(error),
        }
    }

    fn write(&mut self, to: &mut impl Write, text: fmt::Arguments<'_>) {
        if matches!(self, State::Open) {
            *self = State::after(to.write_fmt(text).and_then(|()| to.flush()));
        }
    }
}

/// Writes to standard output. [`finish`] returns the first error.
pub fn write(text: fmt::Arguments<'_>) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    state.write(&mut io::stdout().lock(), text);
}

/// Writes a line to standard error, for people. Scripts read standard output.
pub fn notice(text: fmt::Arguments<'_>) {
    // Standard error may be closed; the command succeeds without it.
    writeln!(io::stderr(), "punchcard: {text}").ok();
}

/// Escapes control characters, and those that change the direction or the lines of a text: a terminal would follow those
/// that a request contained.
#[must_use]
pub fn printable(text: &str) -> String {
    let is_hidden = |char: char| {
        char.is_control()
            || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut printable = String::with_capacity(text.len());
    for char in text.chars() {
        if is_hidden(char) {
            printable.extend(char.escape_unicode());
        } else {
            printable.push(char);
        }
    }
    printable
}

/// Reports whether all output was written. A closed pipe is not an error.
///
/// # Errors
/// Output could not be written.
pub fn finish() -> io::Result<()> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(&mut *state, State::Closed) {
        State::Open | State::Closed => Ok(()),
        State::Failed(error) => Err(error),
    }
}

/// Prints a formatted line to standard output.
#[macro_export]
macro_rules! say {
    ($($format:tt)+) => {
        $crate::output::write(format_args!("{}\n", format_args!($($format)+)))
    };
}

pub use say;

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that fails after the first write.
    struct Fails(io::ErrorKind, usize);

    impl Write for Fails {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1 > 1 { Err(self.0.into()) } else { Ok(bytes.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn after(kind: io::ErrorKind) -> (State, usize) {
        let (mut state, mut to) = (State::Open, Fails(kind, 0));
        for _ in 0..4 {
            state.write(&mut to, format_args!("line\n"));
        }
        (state, to.1)
    }

    #[test]
    fn nothing_is_written_after_a_failure_and_a_broken_pipe_is_not_an_error() {
        assert!(matches!(after(io::ErrorKind::BrokenPipe), (State::Closed, 2)));
        assert!(matches!(after(io::ErrorKind::StorageFull), (State::Failed(_), 2)));
    }
}
