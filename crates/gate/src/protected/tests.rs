use super::*;

#[track_caller]
fn check(wanted: &[&str], shown: &[&str], expected: bool) {
    let wanted = CertificateNames::new(wanted.iter().map(|name| (*name).into()));
    let shown = ClientCertificate::new(shown.iter().copied());
    assert_eq!(wanted.accept(&shown), expected, "{wanted:?} {shown:?}");
}

#[test]
fn certificates_are_known_by_their_names() {
    check(&[], &[], true);
    check(&[], &["alice"], true);
    check(&["alice"], &["alice"], true);
    check(&["Alice"], &["mallory", "ALICE"], true);
    check(&["alice"], &[], false);
    check(&["alice"], &["alice2", "al"], false);
}

#[test]
fn a_star_stands_for_one_label() {
    check(&["*.ops.example.com"], &["a.ops.example.com"], true);
    check(&["*.ops.example.com"], &["ops.example.com"], false);
    check(&["*.ops.example.com"], &["a.b.ops.example.com"], false);
    check(&["*.ops.example.com"], &[".ops.example.com"], false);
    check(&["*.ops.example.com"], &["a.ops.example.com.evil"], false);
    // What a certificate says is compared as it is.
    check(&["a.example.com"], &["*.example.com"], false);
}

#[test]
fn a_challenge_quotes_its_realm() {
    let challenge = BasicAuthentication::challenge("a \"b\" \\ ö").unwrap();
    let expected = "Basic realm=\"a \\\"b\\\" \\\\ ö\", charset=\"UTF-8\"";
    assert_eq!(challenge.as_bytes(), expected.as_bytes());
    assert_eq!(BasicAuthentication::challenge("a\nb"), None);
}

#[test]
fn methods_are_names() {
    let methods = |names: &[&str]| AllowedMethods::new(names.iter().map(|name| (*name).into()));
    assert_eq!(methods(&["GET", "HEAD"]).unwrap().field(), "GET, HEAD");
    assert!(methods(&[]).is_none());
    assert!(methods(&["GET", "a b"]).is_none());
}
