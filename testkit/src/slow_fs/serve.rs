//! FUSE's requests: each is carried out on the tree when the gate lets its answer through.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite,
    Request, TimeOrNow, WriteFlags,
};

use super::Operation;
use super::gate::Gate;
use super::tree::Tree;

#[derive(Debug)]
pub struct Served {
    pub tree: Arc<Mutex<Tree>>,
    pub gate: Arc<Gate>,
}

impl Served {
    /// Answers with what `act` does to the tree, at the pace of the operation.
    fn at_its_pace(&self, operation: Operation, act: impl FnOnce(MutexGuard<'_, Tree>) + Send + 'static) {
        let tree = Arc::clone(&self.tree);
        self.gate.answer(operation, move || act(tree.lock().unwrap_or_else(PoisonError::into_inner)));
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_owned();
        self.at_its_pace(Operation::Look, move |tree| entry(reply, tree.lookup(parent, &name)));
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.at_its_pace(Operation::Look, move |tree| attributes(reply, tree.attributes(node)));
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let modified = modified.map(|time| match time {
            TimeOrNow::SpecificTime(time) => time,
            TimeOrNow::Now => SystemTime::now(),
        });
        self.at_its_pace(Operation::Change, move |mut tree| {
            attributes(reply, tree.change(node, mode, (uid, gid), size, modified));
        });
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let name = name.to_owned();
        self.at_its_pace(Operation::Change, move |mut tree| {
            entry(reply, tree.make_directory(parent, &name, mode & !umask));
        });
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        self.at_its_pace(Operation::Change, move |mut tree| empty(reply, tree.unlink(parent, &name)));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        self.at_its_pace(Operation::Change, move |mut tree| empty(reply, tree.remove_directory(parent, &name)));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        self.at_its_pace(Operation::Change, move |mut tree| {
            empty(reply, tree.rename((parent, &name), (new_parent, &new_name), flags));
        });
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.at_its_pace(Operation::Open, move |_| reply.opened(FileHandle(0), FopenFlags::empty()));
    }

    fn read(
        &self,
        _: &Request,
        file: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.at_its_pace(Operation::Read, move |tree| match tree.read(file, offset, size as usize) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        });
    }

    fn write(
        &self,
        _: &Request,
        file: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let data = data.to_vec();
        self.at_its_pace(Operation::Write, move |mut tree| match tree.write(file, offset, &data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        });
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        self.at_its_pace(Operation::Close, move |_| reply.ok());
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.at_its_pace(Operation::Write, move |_| reply.ok());
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.at_its_pace(Operation::Write, move |_| reply.ok());
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.at_its_pace(Operation::Look, move |_| reply.opened(FileHandle(0), FopenFlags::empty()));
    }

    fn readdir(&self, _: &Request, directory: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        self.at_its_pace(Operation::Look, move |tree| match tree.entries(directory) {
            Ok(entries) => {
                for (place, (node, kind, name)) in entries.iter().enumerate().skip(offset as usize) {
                    if reply.add(*node, place as u64 + 1, *kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(error),
        });
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let (blocks, nodes) = (1 << 24, 1 << 20);
        self.at_its_pace(Operation::Look, move |_| {
            reply.statfs(blocks, blocks, blocks, nodes, nodes, 4096, 255, 4096);
        });
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, _: i32, reply: ReplyCreate) {
        let name = name.to_owned();
        self.at_its_pace(Operation::Change, move |mut tree| match tree.create(parent, &name, mode & !umask) {
            Ok(file) => {
                reply.created(&UNCACHED, &file, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        });
    }
}

fn entry(reply: ReplyEntry, result: Result<fuser::FileAttr, Errno>) {
    match result {
        Ok(found) => reply.entry(&UNCACHED, &found, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn attributes(reply: ReplyAttr, result: Result<fuser::FileAttr, Errno>) {
    match result {
        Ok(found) => reply.attr(&UNCACHED, &found),
        Err(error) => reply.error(error),
    }
}

fn empty(reply: ReplyEmpty, result: Result<(), Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

/// Each question of the kernel comes here: no answer about names is kept.
const UNCACHED: Duration = Duration::ZERO;
