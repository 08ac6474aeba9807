//! What is under way, so that whoever asks can wait until it is done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Counts the pieces of work under way.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    busy: Arc<watch::Sender<usize>>,
}

/// A piece of work; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Busy(Work);

/// One environment of a function, which handles one event at a time. It is under way while it
/// handles one, unless everything in it is asleep on the clock.
#[derive(Debug)]
pub(crate) struct Invocation {
    work: Work,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_running: bool,
    strands: usize,
    asleep: usize,
    busy: Option<Busy>,
}

/// A task of its own within an invocation; it has ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Strand(Arc<Invocation>);

/// A strand that waits for the clock, or the invocation itself if it has no strands.
#[derive(Debug)]
pub(crate) struct Asleep(Arc<Invocation>);

impl Work {
    pub(crate) fn new() -> Self {
        Self {
            busy: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Counts a piece of work until the answer is dropped.
    pub(crate) fn start(&self) -> Busy {
        self.busy.send_modify(|busy| *busy += 1);
        Busy(self.clone())
    }

    pub(crate) fn is_idle(&self) -> bool {
        *self.busy.borrow() == 0
    }

    /// Returns once nothing is under way.
    pub(crate) async fn settled(&self) {
        // The sender lives as long as `self`, so this cannot fail.
        let _ = self.busy.subscribe().wait_for(|busy| *busy == 0).await;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0
            .busy
            .send_modify(|busy| *busy = busy.saturating_sub(1));
    }
}

impl Invocation {
    pub(crate) fn new(work: &Work) -> Arc<Self> {
        Arc::new(Self {
            work: work.clone(),
            state: Mutex::default(),
        })
    }

    /// Says that the environment handles an event, or that it is done.
    pub(crate) fn run(&self, is_running: bool) {
        self.change(|state| state.is_running = is_running);
    }

    /// Counts a task of its own until the answer is dropped.
    pub(crate) fn strand(self: &Arc<Self>) -> Strand {
        self.change(|state| state.strands += 1);
        Strand(Arc::clone(self))
    }

    /// Counts a sleeper until the answer is dropped.
    pub(crate) fn sleep(self: &Arc<Self>) -> Asleep {
        self.change(|state| state.asleep += 1);
        Asleep(Arc::clone(self))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = locked(&self.state);
        change(&mut state);
        // An invocation with strands only waits for them.
        let is_busy = state.is_running && state.asleep < state.strands.max(1);
        if is_busy && state.busy.is_none() {
            state.busy = Some(self.work.start());
        } else if !is_busy {
            state.busy = None;
        }
    }
}

impl Drop for Strand {
    fn drop(&mut self) {
        self.0
            .change(|state| state.strands = state.strands.saturating_sub(1));
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        self.0
            .change(|state| state.asleep = state.asleep.saturating_sub(1));
    }
}

/// Locks `mutex`; what it guards is left whole by everybody, also by one who panicked.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_under_way_until_all_its_strands_sleep() {
        let work = Work::new();
        let invocation = Invocation::new(&work);
        assert!(work.is_idle());
        invocation.run(true);
        assert!(!work.is_idle());

        let first = invocation.strand();
        let second = invocation.strand();
        let nap = invocation.sleep();
        assert!(!work.is_idle(), "the second strand works");
        drop(second);
        assert!(work.is_idle(), "the only strand sleeps");
        drop(nap);
        assert!(!work.is_idle(), "it was woken");
        drop(first);
        invocation.run(false);
        assert!(work.is_idle());
    }

    #[tokio::test]
    async fn settled_returns_when_the_last_piece_of_work_is_over() {
        let work = Work::new();
        work.settled().await;
        let busy = work.start();
        let waiter = tokio::spawn({
            let work = work.clone();
            async move { work.settled().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(busy);
        waiter.await.unwrap();
    }
}
