//! Forms of values that are made and searched, whatever spares making others.

use crate::site::{Request, Site};

/// The rules that match an argument, of an operator and what is done before, each time that a worker sees
/// it.
#[track_caller]
fn check(rules: &[(&str, &str)], argument: &str, expected: &[&str]) {
    let rules = (1..).zip(rules);
    let rules = rules.fold(String::new(), |text, (id, (operator, form))| {
        text + &format!("SecRule ARGS \"{operator}\" \"id:{id},phase:1,pass,{form}\"\n")
    });
    let site = Site::new(&rules);
    let mut worker = site.worker();
    for time in 0..3 {
        let ran = site.run_by(&mut worker, &Request::get(&format!("/?a={argument}")));
        let matches = ran.matches();
        let ids = matches
            .iter()
            .filter_map(|matched| matched.split(' ').next());
        assert_eq!(ids.collect::<Vec<_>>(), expected, "{rules}, time {time}");
        ran.finish(&mut worker);
    }
}

#[test]
fn what_transformations_write_is_searched_for() {
    // Each value has no byte of what is found, but those that are written.
    check(
        &[
            ("@contains //", "t:none"),
            ("@contains /x", "t:normalisePathWin"),
        ],
        "%5Cx%5Cy",
        &["2"],
    );
    check(&[("@rx \\x20", "t:replaceComments")], "x/**/y", &["1"]);
    check(&[("@rx \\x20", "t:compressWhitespace")], "x%09%09y", &["1"]);
    check(&[("@rx \\x20", "t:cmdLine")], "x%09,y", &["1"]);
    check(&[("@contains ;x", "t:jsDecode")], "%5C073x", &["1"]);
    check(&[("@contains ;xy", "t:base64Decode")], "O3h5", &["1"]);
    check(&[("@rx \\x00", "t:removeComments")], "x/**/", &["1"]);
}

#[test]
fn what_is_written_reaches_what_comes_behind() {
    let forms = "t:base64Decode,t:removeWhitespace,t:jsDecode,t:removeNulls";
    // `ev il\x3bx`
    check(&[("@contains evil;x", forms)], "ZXYgaWxceDNieA", &["1"]);
    check(
        &[("@contains a/b", "t:jsDecode,t:removeWhitespace")],
        "a%5C057+b",
        &["1"],
    );
}

#[test]
fn the_same_form_of_two_lists_is_searched_for_both() {
    let rules = [
        ("@contains a;b", "t:removeWhitespace"),
        ("@contains ;bc", "t:removeWhitespace,t:lowercase"),
        ("@contains b!c", "t:removeWhitespace,t:base64Decode"),
    ];
    check(&rules, "a+;b+C", &["1", "2"]);
    check(&rules, "Yi+Fj", &["3"]);
    // `a;bc`
    check(&rules, "YTt+iYw", &[]);
}

#[test]
fn a_form_that_is_as_it_came_leaves_others_to_be_searched() {
    // There is a `*`, but no comment.
    let rules = [
        ("@contains a*b", "t:replaceComments"),
        ("@contains a*b", "t:replaceComments,t:removeWhitespace"),
        ("@contains /a", "t:replaceComments,t:normalisePath"),
    ];
    check(&rules, "a*+b", &["2"]);
    check(&rules, "a*b", &["1", "2"]);
    check(&rules, "x//a*+b", &["2", "3"]);
}

#[test]
fn what_a_shell_reads_is_found_across_what_it_leaves_out() {
    let rules = [
        ("@contains evil", "t:cmdLine"),
        ("@contains evil cmd", "t:cmdLine"),
        ("@contains a/b", "t:cmdLine"),
        ("@rx (?i)c\\x20d", "t:cmdLine,t:lowercase"),
    ];
    check(&rules, "x,+ev^il", &["1"]);
    check(&rules, "x,+Evil", &["1"]);
    check(&rules, "Evil,;+cmD", &["1", "2"]);
    check(&rules, "e\"vil\",;+c'md'", &["1", "2"]);
    check(&rules, "x,y+A+,/b", &["3"]);
    check(&rules, "x+C,d", &["4"]);
    check(&rules, "x,c+d+e+v+il", &["4"]);
}

#[test]
fn what_a_shell_takes_out_of_a_word_alone_is_taken_out() {
    for quoted in ["ev^il", "ev\"il", "ev'il", "ev%5Cil", "e^v^i'l'"] {
        check(
            &[("@contains evil", "t:cmdLine")],
            &format!("x,+{quoted}"),
            &["1"],
        );
    }
}

/// The values that a rule matches, all seen by one worker.
#[track_caller]
fn check_in_turn(rule: &str, values: &[(&str, bool)]) {
    let site = Site::new(rule);
    let mut worker = site.worker();
    for (value, is_match) in values {
        let ran = site.run_by(&mut worker, &Request::get(&format!("/?a={value}")));
        assert_eq!(!ran.matches().is_empty(), *is_match, "{rule}: {value}");
        ran.finish(&mut worker);
    }
}

#[test]
fn strings_that_differ_in_what_is_needed_have_forms_of_their_own() {
    check_in_turn(
        "SecRule ARGS \"@contains ;x\" id:1,phase:1,pass,t:removeWhitespace
         SecRule ARGS \"@contains *xx\" id:2,phase:1,pass,t:removeWhitespace,t:base64Decode",
        &[
            ("a+b", false),
            (";+x", true),
            ("b+a", false),
            (";+y", false),
        ],
    );
    check_in_turn(
        "SecRule ARGS \"@contains evil\" id:1,phase:1,pass,t:cmdLine
         SecRule ARGS \"@contains u/w\" id:2,phase:1,pass,t:cmdLine",
        &[
            ("u/,+b", false),
            ("ev^il,u/+b", true),
            ("u/,+evil", true),
            ("v,+b", false),
        ],
    );
}

#[test]
fn values_that_repeat_match_each_time() {
    let query = (0..100).map(|number| match number % 3 {
        0 => "a=;+x&",
        1 => "a=x&",
        _ => "a=&",
    });
    let site = Site::new("SecRule ARGS \"@contains ;x\" id:1,phase:1,pass,t:removeWhitespace");
    let mut worker = site.worker();
    let request = Request::get(&format!("/?{}", query.collect::<String>()));
    for _ in 0..2 {
        let ran = site.run_by(&mut worker, &request);
        assert_eq!(ran.matches().len(), 34);
        ran.finish(&mut worker);
    }
}
