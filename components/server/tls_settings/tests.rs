//! Which settings agree with each other.

use super::*;

fn settings(options: &[(&str, &str)]) -> TlsSettings {
    let mut settings = TlsSettings::default();
    for (name, value) in options {
        settings.set(name, value.as_ref()).unwrap();
    }
    settings
}

#[test]
fn every_option_of_the_table_can_be_set_and_changes_something() {
    for option in TlsSettings::OPTIONS {
        let value = match option.value {
            OptionValue::None => "",
            OptionValue::File => "a.pem",
            OptionValue::Port | OptionValue::Seconds => "443",
            OptionValue::Version => "1.3",
        };
        let once = settings(&[(option.name, value)]);
        assert_ne!(once, TlsSettings::default(), "{}", option.name);
        let twice = settings(&[(option.name, value), (option.name, value)]);
        assert_eq!(once != twice, option.is_repeatable, "{}", option.name);
    }
    let mut none = TlsSettings::default();
    for unknown in ["", "tls", "tls-certs", "--tls-cert"] {
        assert!(none.set(unknown, "".as_ref()).is_err(), "{unknown}");
    }
    assert_eq!(none, TlsSettings::default());
}

#[test]
fn settings_that_contradict_each_other_are_refused_by_their_names() {
    let cert = ("tls-cert", "a.pem");
    for right in [
        &[][..],
        &[cert],
        &[cert, ("tls-key", "a.key")],
        &[cert, cert, ("tls-ocsp", "a.ocsp")],
        &[("tls-self-signed", ""), ("hsts", "0")],
        &[cert, ("tls-port", "443"), ("redirect-http", "")],
        &[
            cert,
            ("tls-client-ca", "ca.pem"),
            ("tls-client-optional", ""),
        ],
        &[cert, ("tls-min", "1.3")],
    ] {
        assert_eq!(settings(right).check(), Ok(()), "{right:?}");
    }
    for (wrong, expected) in [
        (&[("tls-key", "a")][..], "--tls-key needs a certificate"),
        (&[("tls-ocsp", "a")], "--tls-ocsp needs a certificate"),
        (&[("tls-port", "1")], "--tls-port needs a certificate"),
        (
            &[("redirect-http", "")],
            "--redirect-http needs a certificate",
        ),
        (&[("hsts", "1")], "--hsts needs a certificate"),
        (
            &[("tls-client-ca", "a")],
            "--tls-client-ca needs a certificate",
        ),
        (
            &[("tls-client-optional", "")],
            "--tls-client-optional needs",
        ),
        (&[("tls-min", "1.2")], "--tls-min needs a certificate"),
        (
            &[("tls-self-signed", ""), cert],
            "cannot be used with --tls-cert",
        ),
        (
            &[("tls-self-signed", ""), ("tls-key", "a")],
            "cannot be used with --tls-key",
        ),
        (
            &[("tls-self-signed", ""), ("tls-ocsp", "a")],
            "cannot be used with --tls-ocsp",
        ),
        (&[cert, cert, ("tls-key", "a")], "2 certificates and 1 keys"),
        (
            &[cert, ("tls-key", "a"), ("tls-key", "b")],
            "1 certificates and 2 keys",
        ),
        (
            &[cert, ("tls-ocsp", "a"), ("tls-ocsp", "b")],
            "1 certificates and 2 OCSP responses",
        ),
        (
            &[cert, ("redirect-http", "")],
            "--redirect-http needs --tls-port",
        ),
        (
            &[cert, ("tls-client-optional", "")],
            "--tls-client-optional needs --tls-client-ca",
        ),
    ] {
        let error = settings(wrong).check().unwrap_err();
        assert!(error.contains(expected), "{wrong:?}: {error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn wrong_values_are_told_what_is_wanted() {
    for (name, wrong, wanted) in [
        (
            "tls-port",
            &["", "x", "-1", "65536", "1.0"][..],
            "from 0 to 65535",
        ),
        (
            "hsts",
            &["", "x", "-1", "4294967296"],
            "from 0 to 4294967295",
        ),
        ("tls-min", &["", "1", "1.1", "TLSv1.3"], "1.2, 1.3"),
    ] {
        for value in wrong {
            let mut settings = TlsSettings::default();
            let error = settings.set(name, value.as_ref()).unwrap_err();
            assert!(error.contains(wanted), "{name} {value:?}: {error}");
        }
    }
}
