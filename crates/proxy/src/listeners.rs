//! The listeners that are open, and how a reload changes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::listener::{ListenError, Listener};
use crate::settings::ListenerSettings;
use crate::terms::Terms;

/// How long worker threads may take to give up the sockets of closed listeners. They are asleep or
/// between two steps of a request.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// How often they are asked.
const CLOSE_INTERVAL: Duration = Duration::from_millis(5);

/// The listeners that are open, in the order of the settings. Worker threads
/// [follow](Self::follow) them.
#[derive(Clone)]
pub struct Listeners(Arc<watch::Sender<Arc<[Arc<Listener>]>>>);

/// A change of the listeners that can't fail any more: every socket is bound. Dropped, it has changed
/// nothing.
#[must_use]
pub struct ListenerChange {
    /// The listeners to come, in the order of the settings.
    open: Arc<[Arc<Listener>]>,
    /// What those of them that are open already take connections on from now on.
    terms: Vec<(Arc<Listener>, Terms)>,
    opened: Vec<Arc<Listener>>,
    closed: Vec<Arc<Listener>>,
}

impl Listeners {
    /// These.
    #[must_use]
    pub fn new(open: Vec<Arc<Listener>>) -> Self {
        Self(Arc::new(watch::Sender::new(open.into())))
    }

    /// Those that are open now.
    #[must_use]
    pub fn open(&self) -> Arc<[Arc<Listener>]> {
        Arc::clone(&self.0.borrow())
    }

    /// Tells of each change.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Arc<[Arc<Listener>]>> {
        self.0.subscribe()
    }

    /// Makes everything ready for the listeners of `settings`, new sockets included. A listener whose
    /// address is named already keeps its socket. Nothing changes yet.
    ///
    /// # Errors
    /// When an address can't be bound, or TLS settings can't be used.
    pub fn prepare(&self, settings: &[ListenerSettings]) -> Result<ListenerChange, ListenError> {
        let now = self.open();
        let (kept, closed) = match_up(&now, settings);
        let mut change = ListenerChange {
            open: Arc::default(),
            terms: Vec::new(),
            opened: Vec::new(),
            closed,
        };
        let mut open = Vec::with_capacity(settings.len());
        for (settings, kept) in settings.iter().zip(kept) {
            let listener = match kept {
                Some(listener) => {
                    let terms = listener.prepare(settings.clone())?;
                    change.terms.push((Arc::clone(&listener), terms));
                    listener
                }
                None => {
                    let listener = Listener::bind_beside(settings.clone(), &change.closed)?;
                    change.opened.push(Arc::clone(&listener));
                    listener
                }
            };
            open.push(listener);
        }
        change.open = open.into();
        Ok(change)
    }

    /// Changes the listeners. Sockets that aren't wanted any more are closed when this returns, unless
    /// a worker thread is stuck for longer than a second; their connections end with what they are at.
    pub fn change(&self, change: ListenerChange) {
        for (listener, terms) in change.terms {
            listener.change(terms);
        }
        self.0.send_replace(change.open);
        for listener in &change.closed {
            listener.close();
        }
        let begun = Instant::now();
        let is_open = |listener: &Arc<Listener>| !listener.is_closed();
        while change.closed.iter().any(is_open) && begun.elapsed() < CLOSE_TIME {
            std::thread::sleep(CLOSE_INTERVAL);
        }
    }
}

impl ListenerChange {
    /// The listeners that it opens.
    pub fn opened(&self) -> &[Arc<Listener>] {
        &self.opened
    }

    /// The listeners that it closes.
    pub fn closed(&self) -> &[Arc<Listener>] {
        &self.closed
    }
}

/// For each of `settings` the open listener of its address, if there is one; and the listeners that
/// are none's.
fn match_up(
    now: &[Arc<Listener>],
    settings: &[ListenerSettings],
) -> (Vec<Option<Arc<Listener>>>, Vec<Arc<Listener>>) {
    let mut left = now.to_vec();
    let kept = settings.iter().map(|settings| {
        // Port 0 may be there twice: the first is the first.
        let named = |listener: &Arc<Listener>| listener.named() == settings.address;
        left.iter().position(named).map(|place| left.remove(place))
    });
    (kept.collect(), left)
}
