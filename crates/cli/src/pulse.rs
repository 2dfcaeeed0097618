//! Whether threads still get to what they have to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

/// Asks threads whether they run.
pub(crate) struct Pulse {
    /// The number of the question.
    asked: watch::Sender<u64>,
    /// The last question that each thread has answered.
    answered: Mutex<Vec<Arc<AtomicU64>>>,
}

/// A thread's side: its part of the answers.
pub(crate) struct Beat {
    asked: watch::Receiver<u64>,
    answered: Arc<AtomicU64>,
}

impl Pulse {
    /// Nobody is asked yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            asked: watch::Sender::new(0),
            answered: Mutex::default(),
        })
    }

    /// For one more thread.
    pub(crate) fn beat(&self) -> Beat {
        let answered = Arc::default();
        self.answered.lock().push(Arc::clone(&answered));
        Beat {
            asked: self.asked.subscribe(),
            answered,
        }
    }

    /// Asks all.
    pub(crate) fn ask(&self) {
        self.asked.send_modify(|number| *number += 1);
    }

    /// The number of the first thread that has not answered the last question.
    pub(crate) fn silent(&self) -> Option<usize> {
        let asked = *self.asked.borrow();
        let answered = self.answered.lock();
        answered
            .iter()
            .position(|answered| answered.load(Ordering::Relaxed) < asked)
    }
}

impl Beat {
    /// Answers whenever the thread has time to. Ends with the one who asks.
    pub(crate) async fn answer(mut self) {
        while self.asked.changed().await.is_ok() {
            let number = *self.asked.borrow_and_update();
            self.answered.store(number, Ordering::Relaxed);
        }
    }
}

impl Drop for Beat {
    /// A thread that has ended is not stuck.
    fn drop(&mut self) {
        self.answered.store(u64::MAX, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_does_not_answer_is_silent_until_it_does() {
        let pulse = Pulse::new();
        let (first, second) = (pulse.beat(), pulse.beat());
        assert_eq!(pulse.silent(), None, "nobody was asked");
        let first = tokio::spawn(first.answer());
        pulse.ask();
        while pulse.silent() != Some(1) {
            tokio::task::yield_now().await;
        }
        let second = tokio::spawn(second.answer());
        while pulse.silent().is_some() {
            tokio::task::yield_now().await;
        }
        second.abort();
        let _ = second.await;
        pulse.ask();
        while pulse.silent().is_some() {
            tokio::task::yield_now().await;
        }
        first.abort();
    }
}
