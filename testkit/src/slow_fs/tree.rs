//! The files, in memory. Knows nothing of FUSE's messages but its types.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use fuser::{Errno, FileAttr, FileType, INodeNo, RenameFlags};

#[derive(Debug)]
pub struct Tree {
    nodes: HashMap<u64, Node>,
    last: u64,
}

#[derive(Debug)]
struct Node {
    what: What,
    mode: u16,
    owner: (u32, u32),
    modified: SystemTime,
}

#[derive(Debug)]
enum What {
    Directory(BTreeMap<OsString, u64>),
    File(Vec<u8>),
}

impl Tree {
    pub fn new(files: &[(&str, usize)]) -> Tree {
        let mut tree = Tree { nodes: HashMap::new(), last: 1 };
        tree.nodes.insert(1, Node::new(What::Directory(BTreeMap::new()), 0o755));
        for (path, size) in files {
            let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
            let mut parent = INodeNo::ROOT;
            for name in parents.split('/').filter(|name| !name.is_empty()) {
                parent = match tree.lookup(parent, name.as_ref()) {
                    Ok(found) => found.ino,
                    Err(_) => tree.make_directory(parent, name.as_ref(), 0o755).expect("a new directory").ino,
                };
            }
            if !name.is_empty() {
                let file = tree.create(parent, name.as_ref(), 0o644).expect("each name is given once").ino;
                let bytes = (0..*size).map(super::content).collect();
                tree.node_mut(file).expect("it was just created").what = What::File(bytes);
            }
        }
        tree
    }

    pub fn lookup(&self, parent: INodeNo, name: &OsStr) -> Result<FileAttr, Errno> {
        let number = *self.directory(parent)?.get(name).ok_or(Errno::ENOENT)?;
        self.attributes(INodeNo(number))
    }

    pub fn attributes(&self, node: INodeNo) -> Result<FileAttr, Errno> {
        let found = self.nodes.get(&node.0).ok_or(Errno::ENOENT)?;
        let (kind, size) = match &found.what {
            What::Directory(_) => (FileType::Directory, 4096),
            What::File(bytes) => (FileType::RegularFile, bytes.len() as u64),
        };
        Ok(FileAttr {
            ino: node,
            size,
            blocks: size.div_ceil(512),
            atime: found.modified,
            mtime: found.modified,
            ctime: found.modified,
            crtime: found.modified,
            kind,
            perm: found.mode,
            nlink: 1,
            uid: found.owner.0,
            gid: found.owner.1,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    /// Number, kind and name of each entry.
    pub fn entries(&self, directory: INodeNo) -> Result<Vec<(INodeNo, FileType, OsString)>, Errno> {
        let mut entries =
            vec![(directory, FileType::Directory, ".".into()), (INodeNo::ROOT, FileType::Directory, "..".into())];
        for (name, number) in self.directory(directory)? {
            let attributes = self.attributes(INodeNo(*number))?;
            entries.push((attributes.ino, attributes.kind, name.clone()));
        }
        Ok(entries)
    }

    pub fn read(&self, file: INodeNo, offset: u64, count: usize) -> Result<Vec<u8>, Errno> {
        match &self.nodes.get(&file.0).ok_or(Errno::ENOENT)?.what {
            What::Directory(_) => Err(Errno::EISDIR),
            What::File(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[from..bytes.len().min(from.saturating_add(count))].to_vec())
            }
        }
    }

    pub fn write(&mut self, file: INodeNo, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let from = usize::try_from(offset).map_err(|_| Errno::EFBIG)?;
        let node = self.node_mut(file)?;
        node.modified = SystemTime::now();
        let What::File(bytes) = &mut node.what else { return Err(Errno::EISDIR) };
        let end = from + data.len();
        bytes.resize(bytes.len().max(end), 0);
        bytes[from..end].copy_from_slice(data);
        Ok(())
    }

    pub fn change(
        &mut self,
        node: INodeNo,
        mode: Option<u32>,
        owner: (Option<u32>, Option<u32>),
        size: Option<u64>,
        modified: Option<SystemTime>,
    ) -> Result<FileAttr, Errno> {
        let found = self.node_mut(node)?;
        found.mode = mode.map_or(found.mode, |mode| (mode & 0o7777) as u16);
        found.owner = (owner.0.unwrap_or(found.owner.0), owner.1.unwrap_or(found.owner.1));
        found.modified = modified.unwrap_or(found.modified);
        if let (Some(size), What::File(bytes)) = (size, &mut found.what) {
            bytes.resize(usize::try_from(size).map_err(|_| Errno::EFBIG)?, 0);
        }
        self.attributes(node)
    }

    pub fn create(&mut self, parent: INodeNo, name: &OsStr, mode: u32) -> Result<FileAttr, Errno> {
        self.add(parent, name, Node::new(What::File(Vec::new()), mode))
    }

    pub fn make_directory(&mut self, parent: INodeNo, name: &OsStr, mode: u32) -> Result<FileAttr, Errno> {
        self.add(parent, name, Node::new(What::Directory(BTreeMap::new()), mode))
    }

    /// Removes a name; the file stays for those that have it open.
    pub fn unlink(&mut self, parent: INodeNo, name: &OsStr) -> Result<(), Errno> {
        match self.lookup(parent, name)?.kind {
            FileType::Directory => Err(Errno::EISDIR),
            _ => self.directory_mut(parent)?.remove(name).map(|_| ()).ok_or(Errno::ENOENT),
        }
    }

    pub fn remove_directory(&mut self, parent: INodeNo, name: &OsStr) -> Result<(), Errno> {
        let directory = self.lookup(parent, name)?.ino;
        if !self.directory(directory)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.directory_mut(parent)?.remove(name).map(|_| ()).ok_or(Errno::ENOENT)
    }

    pub fn rename(&mut self, from: (INodeNo, &OsStr), to: (INodeNo, &OsStr), flags: RenameFlags) -> Result<(), Errno> {
        let moved = self.lookup(from.0, from.1)?.ino.0;
        let replaced = self.lookup(to.0, to.1).ok();
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            let replaced = replaced.ok_or(Errno::ENOENT)?.ino.0;
            self.directory_mut(from.0)?.insert(from.1.to_owned(), replaced);
        } else if flags.contains(RenameFlags::RENAME_NOREPLACE) && replaced.is_some() {
            return Err(Errno::EEXIST);
        } else {
            self.directory_mut(from.0)?.remove(from.1);
        }
        self.directory_mut(to.0)?.insert(to.1.to_owned(), moved);
        Ok(())
    }

    fn add(&mut self, parent: INodeNo, name: &OsStr, node: Node) -> Result<FileAttr, Errno> {
        if self.directory(parent)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.last += 1;
        let number = self.last;
        self.nodes.insert(number, node);
        self.directory_mut(parent)?.insert(name.to_owned(), number);
        self.attributes(INodeNo(number))
    }

    fn directory(&self, node: INodeNo) -> Result<&BTreeMap<OsString, u64>, Errno> {
        match &self.nodes.get(&node.0).ok_or(Errno::ENOENT)?.what {
            What::Directory(names) => Ok(names),
            What::File(_) => Err(Errno::ENOTDIR),
        }
    }

    fn directory_mut(&mut self, node: INodeNo) -> Result<&mut BTreeMap<OsString, u64>, Errno> {
        match &mut self.node_mut(node)?.what {
            What::Directory(names) => Ok(names),
            What::File(_) => Err(Errno::ENOTDIR),
        }
    }

    fn node_mut(&mut self, node: INodeNo) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&node.0).ok_or(Errno::ENOENT)
    }
}

impl Node {
    fn new(what: What, mode: u32) -> Node {
        Node { what, mode: (mode & 0o7777) as u16, owner: (0, 0), modified: SystemTime::now() }
    }
}
