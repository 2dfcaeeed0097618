//! From the text of a file to its directives.

use std::sync::Arc;

use super::action::Action;
use super::actions::{self, actions};
use super::ctl::id_ranges;
use super::directive::{
    ArgumentPlace, Condition, Directive, Placed, Rule, RuleChoice, UpdatedTargets,
};
use super::lines::{LINE_BYTES_MAX, Line, Lines};
use super::place::{Place, Problem, Problems, Severity};
use super::sections::{self, Sections};
use super::settings::setting;
use super::targets::{Target, Wrong, targets, wrong};
use super::words::{Word, WordError, words};

/// The directives of a file, in order. What is wrong is added to `problems`, and left out.
pub fn parse(text: &[u8], file: &Arc<str>, problems: &mut Problems) -> Vec<Placed<Directive>> {
    let mut directives = Vec::new();
    let mut sections = Sections::default();
    for line in Lines::of(text) {
        let mut reader = LineReader {
            line: &line,
            file,
            problems,
            rule: None,
        };
        if sections::is_section(&line.text) {
            reader.section(&mut sections);
        } else {
            directives.extend(reader.directive());
        }
    }
    for (place, message) in sections.unclosed() {
        problems.add(Problem {
            place,
            severity: Severity::Error,
            rule: None,
            message,
        });
    }
    directives
}

/// Reads one line.
struct LineReader<'a> {
    line: &'a Line,
    file: &'a Arc<str>,
    problems: &'a mut Problems,
    /// The id of the rule in it, for what is wrong with it.
    rule: Option<u64>,
}

impl LineReader<'_> {
    /// `<IfModule ...>`, `</IfModule>`: takes note of it.
    fn section(&mut self, sections: &mut Sections) {
        let indent = self.line.text.len() - self.line.text.trim_ascii_start().len();
        let place = self.place(indent);
        if let Err(message) = sections.take(self.line.text.trim_ascii(), place) {
            self.error(indent, message);
        }
    }

    fn directive(&mut self) -> Option<Placed<Directive>> {
        if self.line.text.len() > LINE_BYTES_MAX {
            self.error(0, format!("the line is longer than {LINE_BYTES_MAX} bytes"));
            return None;
        }
        let words = match words(self.line) {
            Ok(words) => words,
            Err(error) => {
                self.unsplit(&error);
                return None;
            }
        };
        let (name, arguments) = words.split_first()?;
        let place = self.place(name.offset(0));
        let value = match name.bytes.to_ascii_lowercase().as_slice() {
            b"secrule" => self.rule(name, arguments),
            b"secaction" => self.action(name, arguments),
            b"secdefaultaction" => self.default_action(name, arguments),
            b"secruleupdateactionbyid" => self.update_actions(name, arguments),
            b"secruleupdatetargetbyid" => self.update_targets(name, arguments, |text| {
                id_ranges(text, 0).map(RuleChoice::Ids)
            }),
            b"secruleupdatetargetbytag" => {
                self.update_targets(name, arguments, |text| Ok(RuleChoice::Tag(text.to_vec())))
            }
            b"secruleupdatetargetbymsg" => self.update_targets(name, arguments, |text| {
                Ok(RuleChoice::Message(text.to_vec()))
            }),
            lower => self.setting(lower, name, arguments),
        }?;
        Some(Placed { value, place })
    }

    fn rule(&mut self, name: &Word, arguments: &[Word]) -> Option<Directive> {
        let (targets_word, operator, written) = match arguments {
            [targets, operator] => (targets, operator, None),
            [targets, operator, actions] => (targets, operator, Some(actions)),
            _ => {
                self.error(
                    name.offset(0),
                    format!(
                        "SecRule has {} arguments; expected targets, an operator and, perhaps, actions",
                        arguments.len()
                    ),
                );
                return None;
            }
        };
        // First, since what is wrong is told with the rule's id.
        let actions = written.map(|word| self.actions(word));
        let actions = actions.unwrap_or_default();
        let targets = self.checked(targets_word, targets(&targets_word.bytes));
        self.warn_of_backslash(operator);
        Some(Directive::Rule(Rule {
            condition: Some(self.condition(targets?, targets_word, operator)),
            actions,
        }))
    }

    fn condition(&mut self, targets: Vec<Target>, targets_word: &Word, word: &Word) -> Condition {
        let text = &word.bytes;
        let blank = |at: &usize| text.get(*at).is_some_and(u8::is_ascii_whitespace);
        let mut at = 0;
        while blank(&at) {
            at += 1;
        }
        let is_negated = text.get(at) == Some(&b'!');
        at += usize::from(is_negated);
        while is_negated && blank(&at) {
            at += 1;
        }
        let operator_place = self.place(word.offset(at));
        let rest = text.get(at..).unwrap_or_default();
        let (operator, argument_at) = match rest.strip_prefix(b"@") {
            // Without a name it is an expression.
            None => (b"rx".to_vec(), at),
            Some(named) => {
                let is_end = |byte: &u8| byte.is_ascii_whitespace();
                let len = named.iter().position(is_end).unwrap_or(named.len());
                let mut argument = at + 1 + len;
                while blank(&argument) {
                    argument += 1;
                }
                (named.get(..len).unwrap_or_default().to_vec(), argument)
            }
        };
        Condition {
            targets,
            targets_place: self.place(targets_word.offset(0)),
            is_negated,
            operator,
            argument: text.get(argument_at..).unwrap_or_default().to_vec(),
            operator_place,
            argument_place: ArgumentPlace::new(
                (argument_at..=text.len()).map(|at| self.place(word.offset(at))),
            ),
        }
    }

    /// Apache, and so ModSecurity 2, makes one backslash of two; ModSecurity 3 leaves them.
    fn warn_of_backslash(&mut self, word: &Word) {
        if let Some(at) = word.backslash {
            let message = "two backslashes are one, as for ModSecurity 2 on Apache, while ModSecurity 3 leaves both: write \\x5c where a backslash is meant";
            self.add(at, Severity::Warning, message.to_owned());
        }
    }

    fn action(&mut self, name: &Word, arguments: &[Word]) -> Option<Directive> {
        let word = self.only("actions", name, arguments)?;
        let actions = self.actions(word);
        Some(Directive::Rule(Rule {
            condition: None,
            actions,
        }))
    }

    fn default_action(&mut self, name: &Word, arguments: &[Word]) -> Option<Directive> {
        let word = self.only("actions", name, arguments)?;
        Some(Directive::DefaultAction(self.actions(word)))
    }

    /// `SecRuleUpdateActionById 12345 "deny"`, `12345:1` for a link of its chain.
    fn update_actions(&mut self, name: &Word, arguments: &[Word]) -> Option<Directive> {
        let [which, written] = self.exactly(name, arguments, "a rule's id and actions")?;
        let mut parts = which.bytes.splitn(2, |byte| *byte == b':');
        let mut number = || {
            let digits = std::str::from_utf8(parts.next()?).ok()?;
            digits.trim().parse::<u64>().ok()
        };
        let id = number();
        let link = match which.bytes.contains(&b':') {
            true => number().and_then(|link| usize::try_from(link).ok()),
            false => Some(0),
        };
        let (Some(id), Some(link)) = (id, link) else {
            let message = "expected a rule's id, or an id, a colon and which link of its chain";
            self.error(which.offset(0), message.to_owned());
            return None;
        };
        self.rule = Some(id);
        let actions = self.actions(written);
        Some(Directive::UpdateActions { id, link, actions })
    }

    fn update_targets(
        &mut self,
        name: &Word,
        arguments: &[Word],
        choice: impl Fn(&[u8]) -> Result<RuleChoice, Wrong>,
    ) -> Option<Directive> {
        let (which, added, replaced) = match arguments {
            [which, added] => (which, added, None),
            [which, added, replaced] => (which, added, Some(replaced)),
            _ => {
                let name = String::from_utf8_lossy(&name.bytes);
                let message = format!("{name} needs which rules, and targets");
                self.error(0, message);
                return None;
            }
        };
        let choice = self.checked(which, choice(&which.bytes));
        let added = self.checked(added, targets(&added.bytes));
        let replaced = match replaced {
            Some(word) => self.checked(word, targets(&word.bytes))?,
            None => Vec::new(),
        };
        let updated = UpdatedTargets {
            added: added?,
            replaced,
        };
        Some(Directive::UpdateTargets(choice?, updated))
    }

    fn setting(&mut self, lower: &[u8], name: &Word, arguments: &[Word]) -> Option<Directive> {
        let values: Vec<&[u8]> = arguments.iter().map(|word| &*word.bytes).collect();
        match setting(lower, &values) {
            Ok(Some(directive)) => Some(directive),
            Ok(None) => {
                let name_ = String::from_utf8_lossy(&name.bytes);
                self.error(name.offset(0), format!("there is no directive {name_}"));
                None
            }
            Err((argument, message)) => {
                let word = arguments.get(argument).unwrap_or(name);
                self.error(word.offset(0), message);
                None
            }
        }
    }

    fn actions(&mut self, word: &Word) -> Vec<Placed<Action>> {
        let (placed, wrongs) = actions(&word.bytes);
        let id = placed.iter().find_map(|placed| match placed.action {
            Action::Id(id) => Some(id),
            _ => None,
        });
        self.rule = id.or(self.rule);
        for Wrong { at, message } in wrongs {
            self.error(word.offset(at), message);
        }
        let with_place = |placed: actions::Placed| Placed {
            place: self.place(word.offset(placed.at)),
            value: placed.action,
        };
        placed.into_iter().map(with_place).collect()
    }

    fn only<'w>(&mut self, what: &str, name: &Word, arguments: &'w [Word]) -> Option<&'w Word> {
        let [word] = self.exactly(name, arguments, what)?;
        Some(word)
    }

    fn exactly<'w, const N: usize>(
        &mut self,
        name: &Word,
        arguments: &'w [Word],
        what: &str,
    ) -> Option<&'w [Word; N]> {
        let exact = arguments.try_into().ok();
        if exact.is_none() {
            let got = arguments.len();
            let name_ = String::from_utf8_lossy(&name.bytes);
            let message = format!("{name_} has {got} arguments; expected {what}");
            self.error(name.offset(0), message);
        }
        exact
    }

    fn checked<T>(&mut self, word: &Word, result: Result<T, Wrong>) -> Option<T> {
        result
            .map_err(|Wrong { at, message }| self.error(word.offset(at), message))
            .ok()
    }

    fn unsplit(&mut self, error: &WordError) {
        let wrong = match error {
            WordError::Unclosed { at } => wrong(*at, "the quote isn't closed"),
            WordError::BehindQuote { at } => wrong(*at, "expected a space behind the quote"),
            WordError::TooMany { at } => wrong(*at, "more arguments than any directive has"),
        };
        self.error(wrong.at, wrong.message);
    }

    fn error(&mut self, at: usize, message: String) {
        self.add(at, Severity::Error, message);
    }

    fn add(&mut self, at: usize, severity: Severity, message: String) {
        let problem = Problem {
            place: self.place(at),
            severity,
            rule: self.rule,
            message,
        };
        self.problems.add(problem);
    }

    fn place(&self, at: usize) -> Place {
        let (line, column) = self.line.line_and_column(at);
        Place {
            file: Arc::clone(self.file),
            line,
            column,
        }
    }
}

#[cfg(test)]
mod tests;
