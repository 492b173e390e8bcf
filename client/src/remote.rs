//! `muxftp mkdir`, `rmdir`, `rm`, `mv`, `size` and `chmod`: files of a server, changed without a prompt.
//!
//! It must not know how an operation runs.

use muxftp_proto::Escaped;
use muxftp_proto::client::io::{Operation, Told};

use crate::args::{Chmod, Connection, Mv, Names};
use crate::oneshot::{Sessions, parse_all, run_all};
use crate::target::Target;
use crate::trouble::Trouble;

/// Does the same with each name; sizes are printed.
pub(crate) fn each(
    names: &Names,
    connection: &Connection,
    what: &str,
    operation: impl Fn(Vec<u8>) -> Operation,
) -> Result<(), Trouble> {
    on_each(&parse_all(&names.urls)?, connection, what, operation)
}

/// `muxftp mv`.
pub(crate) fn mv(args: &Mv, connection: &Connection) -> Result<(), Trouble> {
    let target = Target::parse(&args.url).map_err(Trouble::Usage)?;
    let to = args.new_name.clone().into_bytes();
    on_each(&[target], connection, "mv", |from| Operation::Rename { from, to: to.clone() })
}

/// `muxftp chmod`.
pub(crate) fn chmod(args: &Chmod, connection: &Connection) -> Result<(), Trouble> {
    let mode = parse_mode(&args.mode)?;
    on_each(&parse_all(&args.urls)?, connection, "chmod", |name| Operation::SetMode { name, mode })
}

/// Reads permission bits.
///
/// # Errors
/// They are no octal digits, or too many.
pub(crate) fn parse_mode(text: &str) -> Result<u32, Trouble> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|&mode| mode <= 0o7777);
    mode.ok_or_else(|| Trouble::Usage("the mode is octal digits, such as 644 or 755".to_owned()))
}

fn on_each(
    targets: &[Target],
    connection: &Connection,
    what: &str,
    operation: impl Fn(Vec<u8>) -> Operation,
) -> Result<(), Trouble> {
    let mut sessions = Sessions::new(connection);
    let result = run_all(targets.iter().map(|target| {
        let what = format!("{what} {}", Escaped(&target.path));
        if let Some(Told::Size(bytes)) = sessions.on(&target.server)?.ask(&operation(target.path.clone()), &what)? {
            println!("{bytes}");
        }
        Ok(())
    }));
    result.and(sessions.end())
}
