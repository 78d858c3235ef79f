//! A limit of read units a second, shared by all parts of a read.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Read units a second that a command reads of a stack at most, unless the operator says otherwise.
pub(crate) const READ_UNITS: u32 = 500;

/// Units that may be read each second. What a page takes is known afterwards, so the next one waits for it.
#[derive(Debug)]
pub struct Budget {
    /// 0: no limit.
    units_per_second: u32,
    /// The time from which the next page may be read.
    free_at: Mutex<Instant>,
}

impl Budget {
    /// Creates a budget. 0 units: no limit.
    #[must_use]
    pub fn new(units_per_second: u32) -> Self {
        Budget { units_per_second, free_at: Mutex::new(Instant::now()) }
    }

    /// Waits until the units that were spent have been earned.
    pub async fn wait(&self) {
        let free_at = *self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        tokio::time::sleep_until(free_at).await;
    }

    /// Takes units that were read.
    pub fn spend(&self, units: f64) {
        if self.units_per_second == 0 || !units.is_finite() || units <= 0.0 {
            return;
        }
        let takes = Duration::from_secs_f64(units / f64::from(self.units_per_second));
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        // Units that were not used while nothing was read are lost.
        *free_at = (*free_at).max(Instant::now()) + takes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pages_wait_until_their_units_are_earned() {
        let (started, budget) = (Instant::now(), Budget::new(100));
        for _ in 0..4 {
            budget.wait().await;
            budget.spend(50.0);
        }
        assert_eq!(started.elapsed().as_millis(), 1_500);
        let unlimited = Budget::new(0);
        unlimited.spend(1e9);
        unlimited.wait().await;
        assert_eq!(started.elapsed().as_millis(), 1_500);
    }
}
