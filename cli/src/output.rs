//! Standard output. Every command writes here, through [`say!`].
//!
//! A reader that goes away (`punchcard catalog show | head`) is a normal end: what follows is dropped, and the command
//! finishes what it was asked to do. Any other failure, such as a full disk, ends the command with an error.

use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

static STATE: Mutex<State> = Mutex::new(State::Open);

#[derive(Debug)]
enum State {
    Open,
    /// The reader is gone.
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

/// Writes to standard output. Errors are kept for [`finish`].
pub fn write(text: fmt::Arguments<'_>) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    state.write(&mut io::stdout().lock(), text);
}

/// The error that output ended with, if any. A closed pipe is none.
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

/// Writes a line to standard output, formatted as by [`format!`].
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
    fn nothing_is_written_after_a_failure_and_only_a_broken_pipe_is_none() {
        assert!(matches!(after(io::ErrorKind::BrokenPipe), (State::Closed, 2)));
        assert!(matches!(after(io::ErrorKind::StorageFull), (State::Failed(_), 2)));
    }
}
