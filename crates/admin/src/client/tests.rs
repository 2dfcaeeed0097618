use palisade_decisions::{DecisionId, Remedy, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;
use crate::test_context::TestDoors;

fn ban(value: &str) -> NewDecision {
    let scope = Scope::parse("Range", value).unwrap();
    let minute = Duration::from_secs(60);
    NewDecision::new(scope, Remedy::Ban, minute, "a & b = c").unwrap()
}

#[tokio::test]
async fn the_client_and_the_door_understand_each_other() {
    let doors = TestDoors::open().await;
    let client = Client::new(&doors.socket);
    let added = client.add(&ban("2001:db8::/32")).await.unwrap();
    assert_eq!(added.decision.value, "2001:db8::/32");
    assert_eq!(added.decision.reason, "a & b = c");
    client.add(&ban("192.0.2.1")).await.unwrap();
    client.add(&ban("192.0.2.2")).await.unwrap();

    let address = "2001:db8::1".parse().unwrap();
    let listed = client
        .list(Some(address), Some(SourceId::Local), 5)
        .await
        .unwrap();
    assert_eq!(listed.decisions, [added.decision]);
    assert_eq!(client.list(None, None, 1).await.unwrap().total, 3);

    let scope = Scope::parse("Range", "2001:db8::/32").unwrap();
    let by_scope = client.delete(DeleteTarget::Scope(scope)).await.unwrap();
    let by_id = client
        .delete(DeleteTarget::Id(DecisionId::new(2).unwrap()))
        .await
        .unwrap();
    assert_eq!((by_scope.deleted, by_id.deleted), (1, 1));
    assert_eq!(client.flush().await.unwrap().deleted, 1);
}

#[tokio::test]
async fn a_no_is_told_in_the_doors_words() {
    let doors = TestDoors::open().await;
    let client = Client::new(&doors.socket);
    let id = DeleteTarget::Id(DecisionId::new(9).unwrap());
    let refused = client.delete(id).await.unwrap_err();
    assert!(matches!(&refused, ClientError::Refused(_)), "{refused:?}");
    let expected = "there is no local decision with the id 9; see `palisade decisions list`.";
    assert!(refused.to_string().starts_with(expected), "{refused}");
}

#[track_caller]
fn check(got: Result<DeleteAnswer, ClientError>, path: &Path, expected: &str) {
    let expected = expected.replace("PATH", &path.display().to_string());
    assert_eq!(got.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn what_is_wrong_with_the_socket_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let flush = || async { Client::new(&path).flush().await };
    check(
        flush().await,
        &path,
        "there is no socket PATH; is Palisade running, with `admin: { socket: }` of that path in its settings?",
    );
    drop(UnixListener::bind(&path).unwrap());
    check(
        flush().await,
        &path,
        "nobody listens on PATH; is Palisade running?",
    );
}

/// Answers one request with `answer`, whatever was asked.
async fn answer_once(listener: UnixListener, answer: &'static str) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = [0; 1_000];
    let _ = stream.read(&mut request).await.unwrap();
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn somebody_elses_socket_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    for (name, answer) in [
        ("banner", "SSH-2.0-OpenSSH_9.2\r\n"),
        ("nothing", ""),
        ("page", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ok>"),
        ("error", "HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\noops"),
    ] {
        let path = directory.path().join(name);
        let serving = tokio::spawn(answer_once(UnixListener::bind(&path).unwrap(), answer));
        let error = Client::new(&path).flush().await.unwrap_err();
        assert!(
            matches!(error, ClientError::Answer { .. }),
            "{name}: {error}"
        );
        serving.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("silent");
    let _listener = UnixListener::bind(&path).unwrap();
    let error = Client::new(&path).flush().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout(_)), "{error}");
    assert!(error.to_string().ends_with("within 35s"), "{error}");
}
