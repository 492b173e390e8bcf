//! The way in: greeting, TLS, user, features.

use std::time::Instant;

use crate::client::io::{ClientEffect, Failure, LogInPart, Outcome, Security};
use crate::client::talk::Talk;
use crate::dialect::ftp::answer::Answer;
use crate::dialect::ftp::feature::{Feature, Features};
use crate::dialect::ftp::request;
use crate::dialect::ftp::telnet::TelnetFilter;
use crate::dialect::ftp::verbs::Verb;

use super::replies::Fitting;
use super::{FAREWELL, FtpClient, Phase};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Greeting,
    Auth,
    /// The hand-shake.
    Tls,
    User,
    Pass,
    Acct,
    Pbsz,
    Prot,
    Features,
    Utf8,
}

impl FtpClient {
    pub(super) fn log_in(&mut self, talk: &mut Talk, now: Instant) {
        let settings = &self.settings;
        let secrets = [Some(&settings.password), settings.account.as_ref()];
        let words = secrets.into_iter().flatten().map(|secret| &secret.0).chain([&settings.user]);
        if settings.user.is_empty() || words.into_iter().any(|word| !request::is_sayable(word)) {
            return talk.conclude(Outcome::Unsayable);
        }
        match self.settings.security {
            Security::Implicit => self.start_tls(talk, now),
            Security::None | Security::Explicit { .. } => self.wait_for(Stage::Greeting, now),
        }
    }

    pub(super) fn log_in_answered(&mut self, talk: &mut Talk, stage: Stage, answer: &Answer, now: Instant) {
        if answer.code == FAREWELL {
            return match stage {
                Stage::Features | Stage::Utf8 => self.fail(talk, Failure::Farewell(answer.text())),
                _ => self.refuse_log_in(talk, stage, answer),
            };
        }
        // 120: ready in some minutes. Any other reply of its kind says no more than that.
        if answer.is_preliminary() {
            return self.wait_for(stage, now);
        }
        let granted = answer.is_complete();
        match stage {
            Stage::Greeting if granted && matches!(self.settings.security, Security::Explicit { .. }) => {
                self.request(talk, request::AUTH_TLS, Stage::Auth, now);
            }
            Stage::Greeting if granted => self.say_user(talk, now),
            // Some servers answer 334.
            Stage::Auth if granted || answer.is_intermediate() => self.start_tls(talk, now),
            Stage::Auth if self.settings.security == (Security::Explicit { required: false }) => {
                self.say_user(talk, now);
            }
            Stage::Pbsz => {
                let level = if self.settings.protect_data { request::PROT_PRIVATE } else { request::PROT_CLEAR };
                self.request(talk, level, Stage::Prot, now);
            }
            Stage::Prot if granted || self.may_go_unprotected() => {
                self.protects_data = granted && self.settings.protect_data;
                self.ask_features(talk, now);
            }
            Stage::User | Stage::Pass | Stage::Acct if granted => self.logged_in(talk, now),
            Stage::User | Stage::Pass if answer.code == NEED_ACCOUNT => match &self.settings.account {
                Some(account) => {
                    let line = request::line(Verb::Acct, &account.0);
                    self.request(talk, &line, Stage::Acct, now);
                }
                None => self.refuse_log_in(talk, stage, answer),
            },
            Stage::User if answer.is_intermediate() => {
                // An empty password has its blank, too: some servers want one.
                let line = [request::line(Verb::Pass, b""), b" ".to_vec(), self.settings.password.0.clone()].concat();
                self.request(talk, &line, Stage::Pass, now);
            }
            Stage::Features => {
                self.features = if granted { Features::read(answer) } else { Features::default() };
                if self.features.has(Feature::Utf8) {
                    let line = request::line(Verb::Opts, b"UTF8 ON");
                    self.request(talk, &line, Stage::Utf8, now);
                } else {
                    self.finish(talk, Outcome::Complete);
                }
            }
            // Whether it is granted or was so before: names are UTF-8.
            Stage::Utf8 => self.finish(talk, Outcome::Complete),
            Stage::Greeting | Stage::Auth | Stage::Tls | Stage::Prot | Stage::User | Stage::Pass | Stage::Acct => {
                self.refuse_log_in(talk, stage, answer);
            }
        }
    }

    /// The hand-shake is done.
    pub(super) fn secured(&mut self, talk: &mut Talk, now: Instant) {
        // Half a Telnet command may have come in clear.
        self.telnet = TelnetFilter::default();
        self.is_secured = true;
        match self.settings.security {
            Security::Implicit => self.wait_for(Stage::Greeting, now),
            Security::None | Security::Explicit { .. } => self.say_user(talk, now),
        }
    }

    fn start_tls(&mut self, talk: &mut Talk, now: Instant) {
        self.wait_for(Stage::Tls, now);
        if talk.input.waiting() > 0 {
            return self.fail(talk, Failure::ClearBeforeTls);
        }
        talk.effect(ClientEffect::StartTls);
    }

    /// A server that offers TLS for commands only is good enough for who does not insist on any.
    fn may_go_unprotected(&self) -> bool {
        self.settings.protect_data && self.settings.security == (Security::Explicit { required: false })
    }

    fn say_user(&mut self, talk: &mut Talk, now: Instant) {
        let line = request::line(Verb::User, &self.settings.user);
        self.request(talk, &line, Stage::User, now);
    }

    /// How data connections are protected is agreed on behind the log-in, where all servers take it; some refuse it before.
    fn logged_in(&mut self, talk: &mut Talk, now: Instant) {
        match self.is_secured {
            true => self.request(talk, request::PBSZ, Stage::Pbsz, now),
            false => self.ask_features(talk, now),
        }
    }

    fn ask_features(&mut self, talk: &mut Talk, now: Instant) {
        if self.settings.ask_features {
            self.request(talk, &request::line(Verb::Feat, b""), Stage::Features, now);
        } else {
            self.finish(talk, Outcome::Complete);
        }
    }

    fn request(&mut self, talk: &mut Talk, line: &[u8], stage: Stage, now: Instant) {
        self.say(talk, line);
        self.wait_for(stage, now);
    }

    fn wait_for(&mut self, stage: Stage, now: Instant) {
        if stage == Stage::Greeting {
            self.fitting = Fitting::GREETING;
        }
        self.phase = Phase::LoggingIn { since: now, stage };
    }

    fn refuse_log_in(&mut self, talk: &mut Talk, stage: Stage, answer: &Answer) {
        let part = match stage {
            Stage::Greeting => LogInPart::Greeting,
            Stage::Auth | Stage::Tls | Stage::Pbsz | Stage::Prot => LogInPart::Security,
            Stage::User | Stage::Pass | Stage::Acct | Stage::Features | Stage::Utf8 => LogInPart::Credentials,
        };
        self.end(talk);
        talk.conclude(Outcome::LogInRefused { part, code: answer.code, text: answer.text() });
    }
}

/// RFC 959 5.4.
const NEED_ACCOUNT: u16 = 332;
