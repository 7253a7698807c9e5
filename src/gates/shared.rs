//! The table in a memory-mapped file: one quota for all workers of a host, forked or spawned.
//!
//! The file begins with a header that says what it is. One that an earlier boot or another version
//! left behind is replaced by a new file under the same name; workers that still map the old one keep
//! it until they restart. A file that is anything else is left alone.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};

use super::memory::Carver;
use super::{GateError, Gates, Secret};

/// Raised whenever the meaning of any word in the file changes.
const LAYOUT: u64 = 3;
const MAGIC: u64 = u64::from_le_bytes(*b"ilgates\0");
const HEADER_WORDS: usize = 8;
/// A page, so that the table behind it is aligned as it is in private memory.
const HEADER_BYTES: usize = 4096;

#[derive(Debug, PartialEq, Eq)]
struct Header {
    layout: u64,
    max_keys: u64,
    /// The monotonic clock starts again with each boot, so times of another boot mean nothing.
    boot: u64,
    secret: (u64, u64),
}

/// Opens the table in the file at `path`, which is made, or replaced if it is stale.
///
/// The file is readable and writable by its owner alone, and must be: whoever can write it decides
/// what this process logs.
pub fn open(path: &Path, max_keys: usize) -> Result<Gates, GateError> {
    // 128-bit atomics through a lock of this process would mean nothing to another.
    if !portable_atomic::AtomicU128::is_lock_free() {
        return Err(refused(path, "this processor has no 128-bit atomic instructions"));
    }
    let length = HEADER_BYTES + Gates::bytes(max_keys)?;
    let wanted =
        Header { layout: LAYOUT, max_keys: max_keys as u64, boot: boot_id(), secret: (0, 0) };
    let (file, secret) = open_current(path, &wanted, length).map_err(|why| match why {
        Refusal::Io(error) => refused(path, &error.to_string()),
        Refusal::Because(reason) => refused(path, reason),
    })?;
    let region = map(&file, length).map_err(|error| refused(path, &error.to_string()))?;
    Gates::carve(Carver::over(Arc::new(region)), max_keys, secret)
}

enum Refusal {
    Io(std::io::Error),
    Because(&'static str),
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// The file that is current under `path`, and its secret.
fn open_current(path: &Path, wanted: &Header, length: usize) -> Result<(File, Secret), Refusal> {
    loop {
        let file = private_file().create(true).truncate(false).open(path)?;
        require_own(&file)?;
        // One worker looks, and if need be writes, at a time; the lock ends with the process.
        let lock = Lock::exclusive(&file)?;
        if !is_still(path, &file) {
            continue; // replaced while we waited
        }
        let secret = match examine(&file, wanted, length)? {
            Found::Current(secret) => secret,
            Found::Empty => write_table(&file, wanted, length)?,
            Found::Stale => return replace(path, wanted, length),
        };
        drop(lock);
        return Ok((file, secret));
    }
}

enum Found {
    Empty,
    Current(Secret),
    Stale,
}

fn examine(file: &File, wanted: &Header, length: usize) -> Result<Found, Refusal> {
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(Found::Empty);
    }
    let header = read_header(file)?
        // All zero is what a worker leaves that was killed before it wrote the header.
        .filter(|header| header.layout != 0 || size == length as u64)
        .ok_or(Refusal::Because("not a table of gates: choose another path, or remove it"))?;
    let secret = Secret(header.secret.0, header.secret.1);
    let current = size == length as u64 && Header { secret: wanted.secret, ..header } == *wanted;
    Ok(if current { Found::Current(secret) } else { Found::Stale })
}

/// Puts a new table in the place of a stale one, whose lock the caller holds.
fn replace(path: &Path, wanted: &Header, length: usize) -> Result<(File, Secret), Refusal> {
    let fresh = beside(path);
    let file = private_file().create_new(true).open(&fresh)?;
    let written = write_table(&file, wanted, length).and_then(|secret| {
        std::fs::rename(&fresh, path)?;
        Ok(secret)
    });
    if written.is_err() {
        // The stale file still stands; what could not be finished must not stay beside it.
        let _ = std::fs::remove_file(&fresh);
    }
    Ok((file, written?))
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    options
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

fn write_table(file: &File, wanted: &Header, length: usize) -> std::io::Result<Secret> {
    let secret = Secret::random();
    // Sparse: pages that nobody touches take no room.
    file.set_len(length as u64)?;
    let words: [u64; HEADER_WORDS] =
        [MAGIC, wanted.layout, wanted.max_keys, wanted.boot, secret.0, secret.1, 0, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    file.write_all_at(&bytes, 0)?;
    Ok(secret)
}

/// The header, which may be all zero; `None` if the file is something else.
fn read_header(file: &File) -> std::io::Result<Option<Header>> {
    let mut bytes = [0; HEADER_WORDS * 8];
    if let Err(error) = file.read_exact_at(&mut bytes, 0) {
        let too_short = error.kind() == std::io::ErrorKind::UnexpectedEof;
        return if too_short { Ok(None) } else { Err(error) };
    }
    let word = |index: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[index * 8..][..8]);
        u64::from_le_bytes(word)
    };
    let ours = word(0) == MAGIC || bytes == [0; HEADER_WORDS * 8];
    Ok(ours.then(|| Header {
        layout: word(1),
        max_keys: word(2),
        boot: word(3),
        secret: (word(4), word(5)),
    }))
}

fn require_own(file: &File) -> Result<(), Refusal> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Refusal::Because("not a regular file: choose another path"));
    }
    #[allow(unsafe_code)] // the standard library does not tell the user id
    // SAFETY: geteuid has no preconditions and cannot fail.
    let user = unsafe { libc::geteuid() };
    if metadata.uid() != user || metadata.permissions().mode() & 0o077 != 0 {
        return Err(Refusal::Because(
            "must be this user's own, with mode 0600: whoever can write it decides what is logged",
        ));
    }
    Ok(())
}

fn is_still(path: &Path, file: &File) -> bool {
    match (std::fs::symlink_metadata(path), file.metadata()) {
        (Ok(there), Ok(here)) => there.dev() == here.dev() && there.ino() == here.ino(),
        _ => false,
    }
}

/// Maps the table behind the header. Only atomic words are read from it, so what other processes
/// write is no data race here; the file is this user's alone and never made shorter.
fn map(file: &File, length: usize) -> std::io::Result<MmapRaw> {
    MmapOptions::new().offset(HEADER_BYTES as u64).len(length - HEADER_BYTES).map_raw(file)
}

/// A lock on an open file, given back when dropped, or when the process dies.
struct Lock<'a>(&'a File);

impl<'a> Lock<'a> {
    fn exclusive(file: &'a File) -> std::io::Result<Self> {
        flock(file, libc::LOCK_EX)?;
        Ok(Self(file))
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // Closing the file would give it back as well.
        let _ = flock(self.0, libc::LOCK_UN);
    }
}

#[allow(unsafe_code)] // `File::lock` is newer than the oldest supported compiler
fn flock(file: &File, operation: libc::c_int) -> std::io::Result<()> {
    loop {
        // SAFETY: the descriptor is open for as long as `file` is borrowed.
        if unsafe { libc::flock(file.as_raw_fd(), operation) } == 0 {
            return Ok(());
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Tells one boot from the next.
fn boot_id() -> u64 {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Secret::public().digest(&[&id]).place
}

fn refused(path: &Path, reason: &str) -> GateError {
    GateError::Shared { path: path.display().to_string(), reason: reason.to_owned() }
}
