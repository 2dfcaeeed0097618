//! The thread that reads the settings again, which gives way to those that serve clients.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::{Context, Result};
use rustix::process::setpriority_process;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::lapi::LapiChange;
use crate::reload::Reloader;

/// Its niceness (setpriority(2)), the most that there is: where all processors are busy, a thread that
/// serves clients gets nearly seventy times the time of this one, and gets it as soon as a client asks.
/// A reload on a machine that is full then takes half a minute. What clients notice of one is in
/// `benches/README.md`.
const NICENESS: i32 = 19;

/// A thread with a [`Reloader`], until this is dropped. What a reload made is freed where it was made,
/// which is what the allocator does cheapest.
pub(crate) struct ReloadThread(SyncSender<Ask>);

/// Whether somebody asked for a reload, and who wants to know what comes of it.
struct Ask(bool, oneshot::Sender<Option<LapiChange>>);

impl ReloadThread {
    /// To be called on a runtime.
    pub(crate) fn start(reloader: Reloader) -> Result<Self> {
        let (asks, asked) = sync_channel(1);
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("reload".to_owned())
            .spawn(move || {
                let _entered = runtime.enter();
                // Without it reloads are as right, and more noticeable.
                let _ = setpriority_process(None, NICENESS);
                serve(reloader, &asked);
            })
            .context("can't start a thread")?;
        Ok(Self(asks))
    }

    /// As [`Reloader::look`], over there.
    pub(crate) async fn look(&self, is_asked: bool) -> Option<LapiChange> {
        let (answer, answered) = oneshot::channel();
        // Never waits: one at a time is asked for. A thread that is gone gives no answer.
        let _ = self.0.send(Ask(is_asked, answer));
        answered.await.ok().flatten()
    }
}

fn serve(mut reloader: Reloader, asked: &Receiver<Ask>) {
    for Ask(is_asked, answer) in asked {
        // Nobody waits for it where the process ends.
        let _ = answer.send(reloader.look(is_asked));
    }
}
