//! `palisade decisions`: the other end of the admin socket.

mod duration;
mod table;
mod target;

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use palisade_admin::api::{AddAnswer, DecisionRow, DeleteAnswer, ListAnswer};
use palisade_admin::{Client, ClientError, NewDecision};
use palisade_decisions::{Remedy, SourceId};

use crate::arguments::{Decisions, DecisionsAction};
use crate::{Exit, complain, load, say};

pub(crate) use duration::parse_duration;
pub(crate) use target::{parse_delete_target, parse_scope};

use duration::show_seconds;

/// From a hundred years on a decision holds as long as its source says so.
const NO_END_SECONDS: u64 = 100 * 365 * 86_400;

pub(crate) fn decisions(arguments: &Decisions) -> Result<Exit> {
    match &arguments.action {
        DecisionsAction::List {
            address,
            local,
            limit,
            json,
        } => {
            let source = local.then_some(SourceId::Local);
            let listed = ask(arguments, async |client| {
                client.list(*address, source, *limit).await
            })?;
            show_listed(&listed, *json)?;
        }
        DecisionsAction::Add {
            target,
            kind,
            duration,
            reason,
        } => {
            let new = match NewDecision::new(*target, Remedy::parse(kind), *duration, reason) {
                Ok(new) => new,
                Err(error) => {
                    complain(&format!("palisade: {error}"));
                    return Ok(Exit::WrongUsage);
                }
            };
            show_added(&ask(arguments, async |client| client.add(&new).await)?);
        }
        DecisionsAction::Delete { target } => {
            show_deleted(&ask(arguments, async |client| {
                client.delete(*target).await
            })?);
        }
        DecisionsAction::Flush => {
            show_deleted(&ask(arguments, async |client| client.flush().await)?);
        }
    }
    Ok(Exit::Done)
}

fn ask<T>(
    arguments: &Decisions,
    question: impl AsyncFnOnce(&Client) -> Result<T, ClientError>,
) -> Result<T> {
    let client = Client::new(&socket(arguments)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("can't make a runtime")?;
    Ok(runtime.block_on(question(&client))?)
}

/// The socket of `--socket`, else the one that the settings name.
fn socket(arguments: &Decisions) -> Result<PathBuf> {
    if let Some(socket) = &arguments.socket {
        return Ok(socket.clone());
    }
    let path = arguments.config.path();
    let loaded = load::read(path).map_err(|error| {
        complain(error.to_string().trim_end());
        let path = path.display();
        anyhow!("can't learn from {path} where the admin socket is; name it with --socket PATH")
    })?;
    let socket = loaded.settings.admin.and_then(|admin| admin.socket);
    socket.ok_or_else(|| {
        let path = path.display();
        anyhow!(
            "{path} names no admin socket; add `admin: {{ socket: /run/palisade/admin.sock }}` and \
             restart Palisade, or name a socket with --socket PATH"
        )
    })
}

fn show_listed(listed: &ListAnswer, as_json: bool) -> Result<()> {
    if as_json {
        say(&serde_json::to_string_pretty(listed)?);
        return Ok(());
    }
    if listed.decisions.is_empty() {
        say("no decisions");
        return Ok(());
    }
    let headings = [
        "ID",
        "SOURCE",
        "SCOPE",
        "VALUE",
        "TYPE",
        "ORIGIN",
        "REASON",
        "EXPIRES IN",
    ];
    let rows: Vec<_> = listed.decisions.iter().map(cells).collect();
    for line in table::lines(headings, &rows) {
        say(&line);
    }
    let shown = rows.len();
    if shown < listed.total {
        let total = listed.total;
        complain(&format!(
            "{shown} of {total} decisions; --limit N shows more"
        ));
    }
    Ok(())
}

fn cells(row: &DecisionRow) -> [String; 8] {
    [
        row.id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
        row.source.clone(),
        row.scope.clone(),
        row.value.clone(),
        row.kind.clone(),
        row.origin.clone(),
        row.reason.clone(),
        match row.expires_in_seconds {
            NO_END_SECONDS.. => "never".to_owned(),
            seconds => show_seconds(seconds),
        },
    ]
}

fn show_added(answer: &AddAnswer) {
    let DecisionRow {
        id,
        kind,
        value,
        expires_in_seconds,
        ..
    } = &answer.decision;
    let verb = if answer.replaced { "replaced" } else { "added" };
    let id = id.map(|id| format!(" (id:{id})")).unwrap_or_default();
    let time = show_seconds(*expires_in_seconds);
    say(&format!("{verb}: {kind} {value} for {time}{id}"));
    warn(answer.warning.as_deref());
}

fn show_deleted(answer: &DeleteAnswer) {
    say(&match answer.deleted {
        0 => "there was nothing to take back".to_owned(),
        1 => "took back 1 decision".to_owned(),
        deleted => format!("took back {deleted} decisions"),
    });
    warn(answer.warning.as_deref());
}

fn warn(warning: Option<&str>) {
    if let Some(warning) = warning {
        complain(&format!("palisade: warning: {warning}"));
    }
}
