//! Lines sent without waiting for replies.

use crate::client;
use crate::run::Run;

pub fn flood(run: &Run<'_>, line: &'static str, sessions: usize, read: bool) -> Result<(), String> {
    super::write_file(&run.root().join("small"), &[b'x'; 4096])?;
    let server = run.server()?;
    let sessions = super::guests(&server, sessions)?;
    run.measure(&server, |until| {
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                super::stand_back();
                client::flood(sessions, line, read, until)
            });
            load.join().expect("the load does not panic")
        })
    })
}
