//! All lists of a process.

use std::path::PathBuf;
use std::sync::Arc;

use palisade_decisions::{DecisionTable, ListId};
use palisade_remote::{ClientError, Clock};
use parking_lot::Mutex;
use reqwest::Client;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::copy::CopyFile;
use crate::event::{ListEvent, Observer, Teller};
use crate::fetch;
use crate::settings::ListSettings;
use crate::status::ListStatus;
use crate::target::Target;
use crate::task::{self, Keeper};

/// All lists of a process, each kept current by a task of its own.
pub struct Lists {
    table: Arc<DecisionTable>,
    state_directory: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    /// None: nothing is fetched.
    runtime: Option<Handle>,
    observer: Arc<Observer>,
    /// Held while lists change, which takes as long as it takes to read them.
    changing: Mutex<()>,
    /// Never held for long: who asks how lists are has other things to do.
    running: Mutex<Vec<Arc<Running>>>,
}

/// What the lists are to be; nothing of it can fail any more.
pub struct ListsChange {
    wanted: Vec<ListSettings>,
    client: Option<Client>,
}

impl ListsChange {
    /// Makes `wanted`, each name of a purpose once, ready to be used.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn prepare(wanted: Vec<ListSettings>) -> Result<Self, ClientError> {
        let client = fetch::client(&wanted)?;
        Ok(Self { wanted, client })
    }
}

/// A list of the settings.
struct Running {
    id: ListId,
    keeper: Arc<Keeper>,
    task: Option<JoinHandle<()>>,
}

impl Running {
    /// Nothing is done for the list from now on; what it said stays.
    fn stop(&self) {
        self.keeper.target.close();
        self.task.iter().for_each(JoinHandle::abort);
    }

    fn is(&self, settings: &ListSettings) -> bool {
        let own = &self.keeper.settings;
        own.name == settings.name && own.purpose.as_str() == settings.purpose.as_str()
    }
}

impl Lists {
    /// No list yet. Lists are fetched on `runtime`; `observer` is told what happens to which, and
    /// must not block.
    pub fn new(
        table: Arc<DecisionTable>,
        state_directory: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
        observer: impl Fn(&str, &ListEvent) + Send + Sync + 'static,
    ) -> Self {
        Self {
            table,
            state_directory,
            clock,
            runtime: Some(runtime),
            observer: Arc::new(observer),
            changing: Mutex::default(),
            running: Mutex::default(),
        }
    }

    /// As [`Self::new`], where nothing is to be fetched: for [`Self::restore`].
    pub fn offline(
        table: Arc<DecisionTable>,
        state_directory: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        observer: impl Fn(&str, &ListEvent) + Send + Sync + 'static,
    ) -> Self {
        Self {
            table,
            state_directory,
            clock,
            runtime: None,
            observer: Arc::new(observer),
            changing: Mutex::default(),
            running: Mutex::default(),
        }
    }

    /// What is not wanted any more is taken back, what is the same goes on, what is new or other
    /// begins with the file or with what was saved, if anything, and is fetched. What a list said
    /// holds until another copy takes its place.
    ///
    /// Reads files: not for a thread that serves requests. Waits for no server.
    pub fn change(&self, change: ListsChange) {
        let ListsChange { wanted, client } = change;
        let _changing = self.changing.lock();
        let before = self.running.lock().clone();
        let mut after = Vec::with_capacity(wanted.len());
        for settings in wanted {
            let old = before.iter().find(|list| list.is(&settings));
            after.push(match old {
                Some(same) if same.keeper.settings == settings => Arc::clone(same),
                _ => {
                    let id = old.map_or_else(|| free_id(&before, &after), |old| old.id);
                    Arc::new(self.begin(settings, old.map(|old| &**old), id, client.clone()))
                }
            });
        }
        *self.running.lock() = after.clone();
        for gone in before {
            if !after.iter().any(|list| list.is(&gone.keeper.settings)) {
                self.forget(&gone);
            }
        }
    }

    /// Begins with a list in the place of `old`.
    fn begin(
        &self,
        settings: ListSettings,
        old: Option<&Running>,
        id: ListId,
        client: Option<Client>,
    ) -> Running {
        let status = Arc::new(ListStatus::new(&settings));
        if let Some(old) = old {
            old.stop();
            status.follow(&old.keeper.status);
        }
        let rewrites = old.is_some_and(|old| old.keeper.settings.purpose != settings.purpose);
        let keeper = Arc::new(self.keeper(settings, status, id, rewrites));
        let known = keeper.begin();
        let run = task::run(Arc::clone(&keeper), client, known);
        let task = self.runtime.as_ref().map(|runtime| runtime.spawn(run));
        Running { id, keeper, task }
    }

    fn keeper(
        &self,
        settings: ListSettings,
        status: Arc<ListStatus>,
        id: ListId,
        rewrites: bool,
    ) -> Keeper {
        let table = Arc::clone(&self.table);
        let list = format!("{}/{}", settings.purpose.as_str(), settings.name);
        let directory = self.state_directory.as_deref();
        Keeper {
            target: Arc::new(Target::new(table, id, settings.name.clone(), rewrites)),
            copy: directory.map(|directory| CopyFile::of(&settings, directory)),
            saves: true,
            clock: Arc::clone(&self.clock),
            teller: Teller {
                list: list.into(),
                observer: Arc::clone(&self.observer),
            },
            status,
            settings,
        }
    }

    /// What `wanted` say as files and saved copies have them, in the table; nobody is asked, and
    /// nothing is saved. For explanations, beside the running process.
    pub fn restore(&self, wanted: Vec<ListSettings>) {
        for (id, settings) in (0..).zip(wanted) {
            let status = Arc::new(ListStatus::new(&settings));
            let keeper = Keeper {
                saves: false,
                ..self.keeper(settings, status, ListId(id), false)
            };
            keeper.begin();
        }
    }

    fn forget(&self, list: &Running) {
        list.stop();
        list.keeper.target.flush(self.clock.now());
        if let Some(copy) = &list.keeper.copy {
            copy.remove();
        }
        list.keeper.teller.tell(&ListEvent::Forgotten);
    }

    /// How the lists are.
    #[must_use]
    pub fn statuses(&self) -> Vec<Arc<ListStatus>> {
        let running = self.running.lock();
        let statuses = running.iter().map(|list| Arc::clone(&list.keeper.status));
        let mut statuses: Vec<_> = statuses.collect();
        statuses.sort_by(|a, b| (a.purpose, &a.name).cmp(&(b.purpose, &b.name)));
        statuses
    }

    /// Fetches nothing any more. What the lists said stays.
    pub fn stop(&self) {
        self.running.lock().iter().for_each(|list| list.stop());
    }
}

/// The lowest that no list has, neither one that goes. There are at most some thousand lists.
fn free_id(before: &[Arc<Running>], after: &[Arc<Running>]) -> ListId {
    let is_free = |id: &ListId| before.iter().chain(after).all(|list| list.id != *id);
    let mut ids = (0..=u16::MAX).map(ListId);
    ids.find(is_free).unwrap_or(ListId(u16::MAX))
}
