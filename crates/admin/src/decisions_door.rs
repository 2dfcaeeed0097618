//! The admin socket: `/status`, and decisions listed, added and taken back.

mod listing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use palisade_decisions::SourceId;
use palisade_vocabulary::Tick;
use tokio::task::spawn_blocking;

use crate::admin_door::status;
use crate::answer::{self, Answer};
use crate::api::{AddAnswer, DeleteAnswer};
use crate::context::AdminContext;
use crate::door::Handler;
use crate::local_decisions::{DeleteTarget, Deleted, NewDecision, NotKept};
use crate::peer::{Caller, UserId};
pub use listing::ListRequest;

/// The longest body of a request.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What the operator's log calls changes of decisions.
const TOPIC: &str = "decisions";

/// The admin socket.
pub(crate) struct DecisionsDoor {
    pub(crate) context: Arc<AdminContext>,
    /// Whose process this is.
    pub(crate) owner: UserId,
}

/// What a request is answered with; an error is an answer too.
type Answered = Result<Answer, Answer>;

impl Handler for DecisionsDoor {
    async fn handle(&self, request: Request<Incoming>, caller: Caller) -> Answer {
        if !caller.may_administer(self.owner) {
            let message = format!(
                "only root and the user with the number {}, who runs Palisade, may use this socket",
                self.owner
            );
            return answer::error(StatusCode::FORBIDDEN, message);
        }
        let answered = match request.uri().path() {
            "/status" => Ok(status(request.method(), &self.context)),
            "/decisions" => self.decisions(request, caller).await,
            "/decisions/all" => self.flush(&request, caller).await,
            _ => Err(answer::not_found("/status, /decisions, /decisions/all")),
        };
        answered.unwrap_or_else(|error| error)
    }
}

impl DecisionsDoor {
    async fn decisions(&self, request: Request<Incoming>, caller: Caller) -> Answered {
        match *request.method() {
            Method::GET => self.list(&request).await,
            Method::POST => self.add(request, caller).await,
            Method::DELETE => self.delete(&request, caller).await,
            _ => Err(answer::method_not_allowed("GET, POST, DELETE")),
        }
    }

    async fn list(&self, request: &Request<Incoming>) -> Answered {
        let wanted = ListRequest::parse(request.uri().query()).map_err(bad_request)?;
        let listed = self.blocking(move |context, now| wanted.list(context, now));
        Ok(answer::json(StatusCode::OK, &listed.await?))
    }

    async fn add(&self, request: Request<Incoming>, caller: Caller) -> Answered {
        let body = read_body(request.into_body()).await?;
        let new = NewDecision::from_json(&body).map_err(bad_request)?;
        let duration = new.duration();
        let added = self.change(move |context, now| context.local.add(new, now));
        let added = added
            .await?
            .map_err(|error| answer::error(StatusCode::CONFLICT, error.to_string()))?;
        let decision = &added.decision;
        self.tell(
            "local decision added",
            decision.scope,
            caller,
            added.not_kept.as_ref(),
        );
        let answer = AddAnswer {
            decision: listing::row(SourceId::Local, decision, &decision.origin, duration),
            replaced: added.replaced,
            warning: added.not_kept.map(|why| why.to_string()),
        };
        Ok(answer::json(StatusCode::CREATED, &answer))
    }

    async fn delete(&self, request: &Request<Incoming>, caller: Caller) -> Answered {
        let target = DeleteTarget::parse(request.uri().query()).map_err(bad_request)?;
        let deleted = self.change(move |context, now| context.local.delete(target, now));
        let Some(deleted) = deleted.await? else {
            let what = match target {
                DeleteTarget::Id(id) => format!("with the id {id}"),
                DeleteTarget::Scope(scope) => format!("on exactly {scope}"),
            };
            let message = format!(
                "there is no local decision {what}; see `palisade decisions list`. CrowdSec's are \
                 taken back there: `cscli decisions delete`"
            );
            return Err(answer::error(StatusCode::NOT_FOUND, message));
        };
        for decision in &deleted.decisions {
            self.tell(
                "local decision taken back",
                decision.scope,
                caller,
                deleted.not_kept.as_ref(),
            );
        }
        Ok(deleted_answer(&deleted))
    }

    async fn flush(&self, request: &Request<Incoming>, caller: Caller) -> Answered {
        if *request.method() != Method::DELETE {
            return Err(answer::method_not_allowed("DELETE"));
        }
        let deleted = self.change(|context, now| context.local.flush(now)).await?;
        self.tell(
            "local decisions flushed",
            deleted.decisions.len(),
            caller,
            deleted.not_kept.as_ref(),
        );
        Ok(deleted_answer(&deleted))
    }

    /// As [`blocking`](Self::blocking), for what changes decisions.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AdminContext, Tick) -> T + Send + 'static,
    ) -> Result<T, Answer> {
        let changes = Arc::clone(&self.context.changes);
        let Ok(changing) = changes.try_read_owned() else {
            let message = "another process is taking this one's place; try again in a moment";
            return Err(answer::error(StatusCode::SERVICE_UNAVAILABLE, message));
        };
        self.blocking(move |context, now| {
            let done = work(context, now);
            drop(changing);
            done
        })
        .await
    }

    /// Runs what reads a whole table or waits for the disk where that holds no other connection up.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AdminContext, Tick) -> T + Send + 'static,
    ) -> Result<T, Answer> {
        let context = Arc::clone(&self.context);
        let working = spawn_blocking(move || {
            let now = context.shared.clock.now();
            work(&context, now)
        });
        let stopped = |_| answer::error(StatusCode::SERVICE_UNAVAILABLE, "the process ends");
        working.await.map_err(stopped)
    }

    /// Tells the operator's log who changed what.
    fn tell(
        &self,
        message: &'static str,
        what: impl std::fmt::Display,
        caller: Caller,
        not_kept: Option<&NotKept>,
    ) {
        let user = match caller {
            Caller::User(user) => user.to_string(),
            Caller::Network | Caller::UnknownUser => "unknown".to_owned(),
        };
        let report = &self.context.report;
        match not_kept {
            Some(error @ NotKept::NotSaved { .. }) => {
                let fields = &[
                    ("decision", &what as _),
                    ("user", &user as _),
                    ("error", error as _),
                ];
                report.error(TOPIC, message, fields);
            }
            _ => report.info(TOPIC, message, &[("decision", &what), ("user", &user)]),
        }
    }
}

fn deleted_answer(deleted: &Deleted) -> Answer {
    let answer = DeleteAnswer {
        deleted: deleted.decisions.len(),
        warning: deleted.not_kept.as_ref().map(ToString::to_string),
    };
    answer::json(StatusCode::OK, &answer)
}

fn bad_request(message: String) -> Answer {
    answer::error(StatusCode::BAD_REQUEST, message)
}

/// The whole body, within [`BODY_BYTES_MAX`].
async fn read_body(body: Incoming) -> Result<Bytes, Answer> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(answer::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body has more than {BODY_BYTES_MAX} bytes"),
        )),
        Err(error) => Err(bad_request(format!("the body can't be read: {error}"))),
    }
}
