//! What holds in every dialect: one list of scenarios, told to each by a client of its own.
//!
//! A scenario knows files, their bytes, and causes by their words; it must not know lines or reply codes.

/// Each scenario as a test of each dialect.
macro_rules! in_each_dialect {
    ($($scenario:ident)*) => {
        in_each_dialect!(@ simple Simple $($scenario)*);
        in_each_dialect!(@ updown Updown $($scenario)*);
        in_each_dialect!(@ ftp Ftp $($scenario)*);
        in_each_dialect!(@ ftp_tls12 FtpTls12 $($scenario)*);
        in_each_dialect!(@ ftp_tls13 FtpTls13 $($scenario)*);
        in_each_dialect!(@ ftps Ftps $($scenario)*);
    };
    (@ $module:ident $speech:ident $($scenario:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $scenario() {
                    super::$scenario(crate::scenarios::speech::Speech::$speech);
                }
            )*
        }
    };
}

mod bounds;
mod faults;
mod speech;
mod transfers;
