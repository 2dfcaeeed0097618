use palisade_vocabulary::Tick;

use palisade_remote::ConnectStage;

use super::*;
use crate::credentials::Secret;
use crate::settings::{AnswerBytesMax, PollTimeout};
use crate::test_lapi::{Answer, TestLapi};

const EMPTY: &str = r#"{"deleted":null,"new":null}"#;
const ONE: &str = r#"{"deleted":null,"new":[{"duration":"1m0s","id":1,"origin":"cscli","scenario":"x","scope":"Ip","type":"ban","value":"192.0.2.1"}]}"#;

fn settings(url: &str) -> Settings {
    let key = Credentials::ApiKey(Secret::new("secret-key").unwrap());
    let mut settings = Settings::new(url.parse().unwrap(), key).unwrap();
    let short = PollTimeout::new(Duration::from_millis(300)).unwrap();
    let long = PollTimeout::new(Duration::from_secs(60)).unwrap();
    (settings.request_timeout, settings.startup_timeout) = (short, long);
    settings
}

async fn pull(settings: &Settings, pull: Pull) -> Result<StreamAnswer, PollError> {
    let clock = Arc::new(|| Tick::from_millis(5_000));
    LapiClient::new(settings, clock).unwrap().pull(pull).await
}

/// What a delta from an LAPI that gives `answer` comes to.
async fn outcome(answer: Answer) -> Result<StreamAnswer, PollError> {
    let lapi = TestLapi::start(vec![answer]);
    pull(&settings(&lapi.url()), Pull::Delta).await
}

#[tokio::test]
async fn a_whole_answer_is_parsed() {
    let answer = outcome(Answer::document(ONE)).await.unwrap();
    let [decision] = &answer.delta.added[..] else {
        panic!("{answer:?}");
    };
    assert_eq!(decision.scope.to_string(), "192.0.2.1");
    assert_eq!(decision.expires, Tick::from_millis(65_000));
}

#[tokio::test]
async fn an_answer_without_length_ends_with_the_connection() {
    let bytes = format!("HTTP/1.1 200 OK\r\n\r\n{ONE}").into_bytes();
    assert_eq!(
        outcome(Answer::Bytes(bytes))
            .await
            .unwrap()
            .delta
            .added
            .len(),
        1
    );
}

#[tokio::test]
async fn a_chunked_answer_is_whole_with_its_last_chunk() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = format!("{head}{:x}\r\n{ONE}\r\n", ONE.len());
    let whole = format!("{chunks}0\r\n\r\n").into_bytes();
    assert_eq!(
        outcome(Answer::Bytes(whole))
            .await
            .unwrap()
            .delta
            .added
            .len(),
        1
    );
    let without_last = outcome(Answer::Bytes(chunks.into_bytes())).await;
    assert!(
        matches!(without_last, Err(PollError::Truncated { .. })),
        "{without_last:?}"
    );
}

#[tokio::test]
async fn requests_are_what_lapi_expects() {
    let lapi = TestLapi::start(vec![Answer::document(EMPTY)]);
    let mut settings = settings(&format!("{}/crowdsec", lapi.url()));
    pull(&settings, Pull::Snapshot).await.unwrap();
    pull(&settings, Pull::Delta).await.unwrap();
    settings.filters.origins = vec!["cscli".parse().unwrap(), "CAPI".parse().unwrap()];
    settings.filters.scenarios_containing = vec!["ssh bf&x".parse().unwrap()];
    settings.filters.scenarios_not_containing = vec!["http".parse().unwrap()];
    pull(&settings, Pull::Delta).await.unwrap();
    let heads = lapi.heads();
    let targets: Vec<&str> = heads
        .iter()
        .filter_map(|head| head.split(' ').nth(1))
        .collect();
    let stream = "/crowdsec/v1/decisions/stream";
    let scopes = "scopes=ip%2Crange%2Ccountry%2Cas&dedup=false";
    let filters =
        "origins=cscli%2CCAPI&scenarios_containing=ssh+bf%26x&scenarios_not_containing=http";
    assert_eq!(
        targets,
        [
            format!("{stream}?startup=true&{scopes}"),
            format!("{stream}?{scopes}"),
            format!("{stream}?{scopes}&{filters}"),
        ]
    );
    let head = heads[0].to_ascii_lowercase();
    assert!(head.contains("\r\nx-api-key: secret-key\r\n"), "{head}");
    assert!(
        head.contains(concat!(
            "\r\nuser-agent: palisade/",
            env!("CARGO_PKG_VERSION"),
            "\r\n"
        )),
        "{head}"
    );
}

#[tokio::test]
async fn a_refused_key_is_told_apart() {
    for status in [401, 403] {
        let got = outcome(Answer::Status(
            status,
            r#"{"message":"access forbidden"}"#.to_owned(),
        ))
        .await;
        assert_eq!(got.unwrap_err(), PollError::KeyRefused { status });
    }
}

#[tokio::test]
async fn other_statuses_are_errors_with_lapis_words() {
    for status in [204, 302, 404, 429, 500, 503] {
        let body = if status == 204 {
            ""
        } else {
            "{\"message\":\"no\"}"
        };
        let got = outcome(Answer::Status(status, body.to_owned()))
            .await
            .unwrap_err();
        let expected = PollError::Status {
            status,
            excerpt: body.to_owned(),
        };
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = TestLapi::start(vec![Answer::document(ONE)]);
    let redirect = format!(
        "HTTP/1.1 307 X\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        elsewhere.url()
    );
    let got = outcome(Answer::Bytes(redirect.into_bytes())).await;
    assert!(
        matches!(got, Err(PollError::Status { status: 307, .. })),
        "{got:?}"
    );
    assert_eq!(elsewhere.heads(), Vec::<String>::new());
}

#[tokio::test]
async fn a_cut_connection_is_an_error() {
    for missing in [1, 30, ONE.len()] {
        let got = outcome(Answer::cut(ONE, missing)).await;
        assert!(matches!(got, Err(PollError::Truncated { .. })), "{got:?}");
    }
    let before_the_head = outcome(Answer::Bytes(b"HTTP/1.1 2".to_vec())).await;
    assert!(
        matches!(before_the_head, Err(PollError::Truncated { .. })),
        "{before_the_head:?}"
    );
    let without_length = format!("HTTP/1.1 200 OK\r\n\r\n{}", ONE.split_at(50).0).into_bytes();
    let got = outcome(Answer::Bytes(without_length)).await;
    assert!(matches!(got, Err(PollError::Truncated { .. })), "{got:?}");
}

#[tokio::test]
async fn what_is_no_decision_stream_is_an_error_with_its_place() {
    let got = outcome(Answer::document("{\"new\":[}]}"))
        .await
        .unwrap_err();
    let text = "LAPI's answer is no decision stream: line 1, column 9: expected value";
    assert_eq!(got.to_string(), text);
    let not_http = outcome(Answer::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())).await;
    assert!(
        matches!(not_http, Err(PollError::Truncated { .. })),
        "{not_http:?}"
    );
}

#[tokio::test]
async fn an_early_error_of_a_long_answer_ends_it() {
    let garbage = format!("HTTP/1.1 200 OK\r\n\r\n<html>{}", " ".repeat(4 << 20));
    let got = outcome(Answer::Silence(garbage.into_bytes())).await;
    assert!(matches!(got, Err(PollError::Malformed { .. })), "{got:?}");
}

#[tokio::test]
async fn silence_and_drips_end_at_the_timeout() {
    let after = Duration::from_millis(300);
    let silent = [
        Answer::Silence(Vec::new()),
        Answer::Silence(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Answer::Silence(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"new\":[".to_vec()),
        Answer::Drip,
    ];
    for answer in silent {
        assert_eq!(
            outcome(answer.clone()).await.unwrap_err(),
            PollError::TimedOut { after },
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn long_answers_are_bounded() {
    let lapi = TestLapi::start(vec![Answer::document(&format!(
        "{{\"new\":null{}}}",
        " ".repeat(65_536)
    ))]);
    let mut settings = settings(&lapi.url());
    let limit = ByteSize::kib(64);
    settings.answer_bytes_max = AnswerBytesMax::new(limit).unwrap();
    assert_eq!(
        pull(&settings, Pull::Delta).await.unwrap_err(),
        PollError::TooLarge { limit }
    );
    settings.answer_bytes_max = AnswerBytesMax::default();
    assert!(pull(&settings, Pull::Delta).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_by_stage() {
    let stage = async |url: &str| match pull(&settings(url), Pull::Snapshot).await {
        Err(PollError::Unreachable { stage, .. }) => stage,
        other => panic!("{url}: {other:?}"),
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(stage(&closed).await, ConnectStage::Connect);
    assert_eq!(stage("http://lapi.invalid/").await, ConnectStage::Dns);
    let plain = TestLapi::start(vec![Answer::Greeting(b"HTTP/1.1 400 X\r\n\r\n".to_vec())]);
    assert_eq!(
        stage(&plain.url().replace("http:", "https:")).await,
        ConnectStage::Tls
    );
}
