//! Directives and sections that stand in users' files and have no part here: none is passed over in
//! silence.

use palisade_seclang::{CompileOptions, compile};

use crate::memory::{MAIN, Memory};

/// What is told of rules.
fn told(rules: &str) -> Vec<String> {
    let compiled = compile(&[MAIN], &Memory::new(rules), CompileOptions::default());
    let problems = compiled.problems.kept().iter();
    problems.map(ToString::to_string).collect()
}

/// What is told of each line that nothing depends on, which is all that comes of it.
const WITHOUT_EFFECT: &str = "SecAuditLog /var/log/audit.log
SecAuditLog2 /var/log/audit2.log
SecAuditLogDirMode 0600
SecAuditLogFileMode 0600
SecAuditLogFormat JSON
SecAuditLogPrefix waf
SecAuditLogStorageDir /var/log/audit
SecAuditLogType Serial
SecCacheTransformations On minlen:64
SecConnEngine Off
SecConnReadStateLimit 0
SecConnWriteStateLimit 0
SecContentInjection On
SecCookieFormat 0
SecCookieV0Separator ;
SecDataDir /tmp
SecDebugLog /var/log/debug.log
SecDebugLogLevel 3
SecDisableBackendCompression On
SecGeoLookupDb GeoIP.dat
SecGsbLookupDb GsbMalware.dat
SecHashEngine Off
SecHashKey rand keyOnly
SecHashMethodPm HashHref product_info
SecHashMethodRx HashHref product_info
SecHashParam hmac
SecHttpBlKey abcdefghijkl
SecInterceptOnError On
SecPcreMatchLimit 1500
SecPcreMatchLimitRecursion 1500
SecPdfProtect Off
SecPdfProtectMethod TokenRedirection
SecPdfProtectSecret secret
SecPdfProtectTimeout 10
SecPdfProtectTokenName token
SecReadStateLimit 0
SecRemoteRulesFailAction Warn
SecRequestBodyInMemoryLimit 131072
SecRuleInheritance On
SecRulePerfTime 1000
SecRxPreFilter On
SecSensorId one
SecServerSignature Apache
SecStatusEngine On
SecStreamInBodyInspection On
SecStreamOutBodyInspection On
SecTmpDir /tmp
SecTmpSaveUploadedFiles On
SecUploadDir /tmp
SecUploadFileMode 0600
SecUploadKeepFiles RelevantOnly
SecWriteStateLimit 0
SecXmlExternalEntity Off
SecAction id:1,ctl:debugLogLevel=9
SecAction id:1,ctl:hashEngine=Off
SecAction id:1,ctl:hashEnforcement=Off";

/// What protects somebody, and isn't here.
const REFUSED: &str = "SecChrootDir /chroot
SecConnEngine On
SecConnReadStateLimit 50
SecConnWriteStateLimit 50
SecCookieFormat 1
SecCookieV0Separator ,
SecDataset words `a`
SecGuardianLog |/usr/bin/httpd-guardian
SecHashEngine On
SecIgnoreRuleCompilationErrors On
SecPdfProtect On
SecReadStateLimit 50
SecRemoteRules key https://rules.example/
SecRuleInheritance Off
SecRuleScript script.lua
SecUnicodeCodePage 20127
SecWriteStateLimit 50
SecXmlExternalEntity On
modsecurity on;
modsecurity_rules_file /etc/modsecurity.conf;
SecAction id:1,ctl:hashEngine=On
SecAction id:1,ctl:hashEnforcement=On
SecAction id:1,ctl:ruleUpdateTargetById=1;!ARGS:a
SecRule STREAM_INPUT_BODY a id:1
SecRule STREAM_OUTPUT_BODY a id:1";

/// What is here.
const IMPLEMENTED: &str = "SecCollectionTimeout 600
SecUploadFileLimit 10
SecWebAppId app
SecAction id:1,ctl:auditEngine=Off
SecAction id:1,ctl:auditLogParts=+E";

#[test]
fn directives_of_servers_and_of_older_times() {
    for line in WITHOUT_EFFECT.lines() {
        let told = told(line);
        assert_eq!(told.len(), 1, "{line}: {told:?}");
        assert!(told[0].starts_with("main.conf:1:"), "{told:?}");
        assert!(told[0].contains(": warning: "), "{told:?}");
        assert!(told[0].contains(" means nothing here: "), "{told:?}");
    }
    for line in REFUSED.lines() {
        let told = told(line);
        assert_eq!(told.len(), 1, "{line}: {told:?}");
        assert!(told[0].starts_with("main.conf:1:"), "{told:?}");
        assert!(told[0].contains(": error: "), "{told:?}");
        assert!(told[0].contains("can't be had here: "), "{told:?}");
    }
    for line in IMPLEMENTED.lines() {
        assert_eq!(told(line), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn what_is_told_has_its_place() {
    assert_eq!(
        told("\nSecHashEngine On"),
        [
            "main.conf:2:15: error: SecHashEngine can't be had here: links and forms are not signed; write Off, and let the application sign what must not be changed",
        ]
    );
    assert_eq!(
        told("SecAction id:1,pass,ctl:debugLogLevel=9"),
        [
            "main.conf:1:21: warning: rule 1: ctl:debugLogLevel means nothing here: `palisade waf explain` tells what rules do",
        ]
    );
}

#[test]
fn sections_of_our_own_modules_hold() {
    for name in [
        "security2_module",
        "mod_security2.c",
        "\"security3_module\"",
    ] {
        let rules = format!(
            "<IfModule {name}>\n SecRule ARGS a id:1,chain\n <ifmodule mod_security3.c>\n SecRule ARGS b\n </IfModule >\n</ifmodule>"
        );
        let compiled = compile(&[MAIN], &Memory::new(&rules), CompileOptions::default());
        assert_eq!(compiled.problems.kept(), [], "{name}");
        assert_eq!(compiled.program.unwrap().rule_count(), 1);
    }
}

#[test]
fn other_sections_are_errors() {
    let check = |rules: &str, expected: &[&str]| {
        assert_eq!(told(rules), expected, "{rules}");
    };
    check(
        "<IfModule !mod_security2.c>\n</IfModule>",
        &[
            "main.conf:1:1: error: <IfModule !mod_security2.c> is for a server without ModSecurity; take its lines away",
        ],
    );
    check(
        "  <IfModule mod_unique_id.c>\n</IfModule>",
        &[
            "main.conf:1:3: error: <IfModule mod_unique_id.c>: there is no such module here; expected security2_module, mod_security2.c, security3_module, mod_security3.c, or take the lines out of it, or away",
        ],
    );
    check(
        "<LocationMatch \"^/a b\">\nSecRuleEngine Off\n</LocationMatch>",
        &[
            "main.conf:1:1: error: <LocationMatch> can't be had here: rules are for all requests; take the lines out of it, and let a rule ask first, like SecRule REQUEST_FILENAME \"@beginsWith /path/\" \"id:1,phase:1,pass,nolog,ctl:ruleRemoveById=942100\"",
        ],
    );
    check(
        "<IfVersion >= 2.4>\n</IfVersion>",
        &[
            "main.conf:1:1: error: <IfVersion> can't be had here: nothing is asked of the server; take the lines out of it, or away",
        ],
    );
    check(
        "<IfModule security2_module>\n</Location>\nSecRuleEngine On",
        &[
            "main.conf:2:1: error: </Location> stands where </IfModule> of main.conf:1:1 was expected",
            "main.conf:1:1: error: <IfModule> isn't closed by </IfModule>",
        ],
    );
    check(
        "</IfModule>",
        &["main.conf:1:1: error: </IfModule> ends what hasn't begun"],
    );
    check(
        "<IfModule security2_module",
        &["main.conf:1:1: error: expected `>` at the end of the line"],
    );
}
