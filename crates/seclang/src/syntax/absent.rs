//! Directives, and options of `ctl`, that have no part here: why, and what to write instead.
//!
//! None is passed over in silence. One that changes nothing of what is refused is told of and left; one
//! that its author counts on is an error.

/// Values with which a directive changes nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harmless {
    /// All of them.
    Any,
    /// None.
    Never,
    /// These, in small letters.
    Only(&'static [&'static str]),
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absent {
    /// As the reference manual writes it.
    pub(super) name: &'static str,
    pub(super) harmless: Harmless,
    /// Why it isn't here.
    pub(super) why: &'static str,
    /// What to write instead of a value that isn't harmless.
    instead: &'static str,
}

impl Absent {
    /// Whether the value changes nothing; the error where it does.
    pub(super) fn judge(&self, value: &[u8]) -> Result<(), String> {
        let is_harmless = match self.harmless {
            Harmless::Any => true,
            Harmless::Never => false,
            Harmless::Only(values) => {
                let mut values = values.iter();
                values.any(|one| one.as_bytes().eq_ignore_ascii_case(value))
            }
        };
        match is_harmless {
            true => Ok(()),
            false => Err(format!(
                "{} can't be had here: {}; {}",
                self.name, self.why, self.instead
            )),
        }
    }
}

/// Rows: the name, values that change nothing, why, and what to write instead of others.
macro_rules! absent {
    ($($name:ident $harmless:tt $why:literal $($instead:literal)?;)*) => {
        &[$(Absent {
            name: stringify!($name),
            harmless: absent!(@ $harmless),
            why: $why,
            instead: concat!($($instead)?),
        },)*]
    };
    (@ any) => { Harmless::Any };
    (@ never) => { Harmless::Never };
    (@ [$($value:literal),*]) => { Harmless::Only(&[$($value),*]) };
}

const DIRECTIVES: &[Absent] = absent! {
    modsecurity never "it is nginx's" "name the rule files, and write SecRuleEngine in them";
    modsecurity_rules never "it is nginx's" "write the rules into a file";
    modsecurity_rules_file never "it is nginx's" "write Include and the file";
    modsecurity_rules_remote never "rules are read from files" "fetch them into a file yourself, and write Include and the file";
    modsecurity_transaction_id never "it is nginx's" "take it away: each request has an id of its own, UNIQUE_ID";
    modsecurity_use_error_log never "it is nginx's" "take it away: `logs` of the settings says what is logged where";
    SecAuditLog any "`logs.audit` of the settings says where";
    SecAuditLog2 any "`logs.audit` of the settings says where";
    SecAuditLogDirMode any "`logs.audit` of the settings says where";
    SecAuditLogFileMode any "`logs.audit` of the settings says where";
    SecAuditLogFormat any "`logs.audit` of the settings says how";
    SecAuditLogPrefix any "`logs.audit` of the settings says how";
    SecAuditLogStorageDir any "`logs.audit` of the settings says where";
    SecAuditLogType any "`logs.audit` of the settings says how";
    SecCacheTransformations any "what transformations make of a value is always shared by rules";
    SecChrootDir never "a root of its own is for the service manager to give" "take it away: the process gives its rights up by `sandbox` of the settings";
    SecConnEngine ["off", "detectiononly"] "rules don't count connections" "write `limits.connections_per_address` of the listener in the settings";
    SecConnReadStateLimit ["0"] "rules don't count connections" "write `limits.connections_per_address` of the listener in the settings";
    SecConnWriteStateLimit ["0"] "rules don't count connections" "write `limits.connections_per_address` of the listener in the settings";
    SecContentInjection any "nothing is written into answers, and a rule that would is an error";
    SecCookieFormat ["0"] "cookies are read as RFC 6265 has them, those with $Version too" "write 0, or look at REQUEST_HEADERS:Cookie";
    SecCookieV0Separator [";"] "cookies are separated by `;`, as RFC 6265 has them" "take it away, or look at REQUEST_HEADERS:Cookie";
    SecDataDir any "collections are kept in memory";
    SecDataset never "there are no lists with a name" "write the phrases into a file for @pmFromFile";
    SecDebugLog any "`palisade waf explain` tells what rules do";
    SecDebugLogLevel any "`palisade waf explain` tells what rules do";
    SecDisableBackendCompression any "answers are decoded before rules look at them";
    SecGeoLookupDb any "`geo` of the settings names the database";
    SecGsbLookupDb any "no link is looked up, and a rule with @gsbLookup is an error";
    SecGuardianLog never "no program is started" "let CrowdSec read the access log, and refuse whom it decides on";
    SecHashEngine ["off"] "links and forms are not signed" "write Off, and let the application sign what must not be changed";
    SecHashKey any "it is for SecHashEngine, which can only be Off";
    SecHashMethodPm any "it is for SecHashEngine, which can only be Off";
    SecHashMethodRx any "it is for SecHashEngine, which can only be Off";
    SecHashParam any "it is for SecHashEngine, which can only be Off";
    SecHttpBlKey any "nobody is asked about an address, and a rule with @rbl is an error";
    SecIgnoreRuleCompilationErrors ["off"] "a rule that is left out protects nobody" "take it away, and mend or remove what is wrong";
    SecInterceptOnError any "a rule that can't run is an error when it is loaded";
    SecPcreMatchLimit any "expressions are matched in linear time";
    SecPcreMatchLimitRecursion any "expressions are matched in linear time";
    SecPdfProtect ["off"] "links to PDF files are not signed" "write Off: readers since 2007 need no such protection";
    SecPdfProtectInterceptGETOnly any "it is for SecPdfProtect, which can only be Off";
    SecPdfProtectMethod any "it is for SecPdfProtect, which can only be Off";
    SecPdfProtectSecret any "it is for SecPdfProtect, which can only be Off";
    SecPdfProtectTimeout any "it is for SecPdfProtect, which can only be Off";
    SecPdfProtectTokenName any "it is for SecPdfProtect, which can only be Off";
    SecReadStateLimit ["0"] "rules don't count connections" "write `limits.connections_per_address` of the listener in the settings";
    SecRemoteRules never "rules are read from files" "fetch them into a file yourself, and write Include and the file";
    SecRemoteRulesFailAction any "no rules are fetched";
    SecRemoteTimeout any "no rules are fetched";
    SecRequestBodyInMemoryLimit any "bodies are kept in memory, up to their limit";
    SecRuleInheritance ["on"] "a site's rules come after the global ones" "name only those files that the site is to have";
    SecRulePerfTime any "metrics tell what rules cost";
    SecRuleScript never "no program or script is started" "write rules for what the script looks at";
    SecRxPreFilter any "expressions always have prefilters";
    SecSensorId any "no log names a sensor";
    SecServerSignature any "remove or set the Server header in the settings";
    SecStatusEngine any "nothing is reported to anybody";
    SecStreamInBodyInspection any "bodies are kept whole, and a rule that asks for a stream is an error";
    SecStreamOutBodyInspection any "bodies are kept whole, and a rule that asks for a stream is an error";
    SecTmpDir any "no temporary files are made";
    SecTmpSaveUploadedFiles any "uploads are not written to files";
    SecUnicodeCodePage never "the file of mappings needs it at once" "write it behind the file: SecUnicodeMapFile unicode.mapping 20127";
    SecUploadDir any "uploads are not written to files";
    SecUploadFileMode any "uploads are not written to files";
    SecUploadKeepFiles any "uploads are not written to files";
    SecWriteStateLimit ["0"] "rules don't count connections" "write `limits.connections_per_address` of the listener in the settings";
    SecXmlExternalEntity ["off"] "what a document would fetch or declare is never read, and is an error of its body" "write Off";
};

const CTL: &[Absent] = absent! {
    debugLogLevel any "`palisade waf explain` tells what rules do";
    hashEnforcement ["off"] "links and forms are not signed" "let the application sign what must not be changed";
    hashEngine ["off"] "links and forms are not signed" "let the application sign what must not be changed";
    ruleUpdateTargetById never "ModSecurity has renamed it" "write ctl:ruleRemoveTargetById=ID;TARGET";
};

/// The directive of that name, in any case.
pub(super) fn directive(name: &[u8]) -> Option<&'static Absent> {
    named(DIRECTIVES, name)
}

/// The option of `ctl` of that name, in any case.
pub(super) fn ctl(name: &[u8]) -> Option<&'static Absent> {
    named(CTL, name)
}

fn named(all: &'static [Absent], name: &[u8]) -> Option<&'static Absent> {
    let is_it = |one: &&Absent| one.name.as_bytes().eq_ignore_ascii_case(name);
    all.iter().find(is_it)
}

#[cfg(test)]
mod tests;
