use super::*;

/// From Apache's documentation of password formats: `myPassword`.
const BCRYPT: &str = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
/// From the tests of Argon2's reference implementation: `password`.
const ARGON2ID: &str =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
/// `Hello world!`, by `openssl passwd`.
const SHA256_CRYPT: &str = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
const SHA512_CRYPT: &str = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";

#[track_caller]
fn check(hash: &str, password: &str) {
    let parsed: PasswordHash = hash
        .parse()
        .unwrap_or_else(|error| panic!("{hash}: {error}"));
    assert!(parsed.verify(password.as_bytes()), "{hash}");
    for wrong in ["", "x", &format!("{password}x"), &password.to_uppercase()] {
        assert!(!parsed.verify(wrong.as_bytes()), "{hash} with {wrong}");
    }
    let shown = format!("{parsed:?}");
    assert!(shown.len() < 10, "{shown}");
}

#[test]
fn the_right_password_and_no_other() {
    check(BCRYPT, "myPassword");
    check(&BCRYPT.replace("$2y$", "$2b$"), "myPassword");
    check(&BCRYPT.replace("$2y$", "$2a$"), "myPassword");
    check(ARGON2ID, "password");
    check(SHA256_CRYPT, "Hello world!");
    check(SHA512_CRYPT, "Hello world!");
}

#[track_caller]
fn check_refused(hash: &str, expected: &str) {
    let error = hash.parse::<PasswordHash>().unwrap_err().to_string();
    assert!(error.contains(expected), "{hash}: {error}");
    // A message never shows what may be a password.
    assert!(hash.len() < 12 || !error.contains(hash), "{error}");
}

#[test]
fn weak_forms_are_refused() {
    check_refused("$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "MD5");
    check_refused("$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "MD5");
    check_refused("{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", "SHA-1");
    check_refused("rqXexS6ZhobKA", "plain password");
    check_refused("hunter2-is-no-hash", "plain password");
    check_refused("", "plain password");
    check_refused(&BCRYPT.replace("$2y$", "$2x$"), "broken");
    check_refused(&ARGON2ID.replace("argon2id", "argon2i"), "argon2id");
    check_refused(&ARGON2ID.replace("argon2id", "argon2d"), "argon2id");
}

#[test]
fn costs_are_bounded() {
    check_refused(
        &BCRYPT.replace("$05$", "$15$"),
        "the cost of bcrypt is 15; expected 4 to 14",
    );
    check_refused(&BCRYPT.replace("$05$", "$03$"), "the cost of bcrypt is 3");
    check_refused(&BCRYPT.replace("$05$", "$31$"), "the cost of bcrypt is 31");
    check_refused(
        &ARGON2ID.replace("m=256", "m=65537"),
        "the memory of argon2id",
    );
    check_refused(&ARGON2ID.replace("t=2", "t=11"), "the passes of argon2id");
    check_refused(&ARGON2ID.replace("p=1", "p=17"), "the lanes of argon2id");
    check_refused(
        &SHA512_CRYPT.replace("$6$", "$6$rounds=1000001$"),
        "the rounds of SHA-crypt",
    );
    check_refused(
        &SHA512_CRYPT.replace("$6$", "$6$rounds=999$"),
        "the rounds of SHA-crypt",
    );
    check_refused(
        &SHA512_CRYPT.replace("$6$", "$6$rounds=99999999999$"),
        "no number",
    );
}

#[test]
fn what_is_cut_short_is_refused() {
    for hash in [BCRYPT, ARGON2ID, SHA256_CRYPT, SHA512_CRYPT] {
        for length in 0..hash.len() {
            let cut = hash.get(..length).unwrap();
            let parsed: Result<PasswordHash, _> = cut.parse();
            // Argon2 knows how long its output is from nothing but the output.
            let is_shorter_output = hash == ARGON2ID && length > hash.len() - 22;
            assert!(parsed.is_err() || is_shorter_output, "{cut}");
        }
    }
    check_refused(&format!("{SHA512_CRYPT}$x"), "expected a hash");
    check_refused(&format!("{BCRYPT}x"), "53 characters");
}
