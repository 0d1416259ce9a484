//! When the texts of this peer reach the disk.
//!
//! To wait for the disk takes milliseconds. So a text is sent as soon as it is in the log, and
//! [`sync_history`] brings it to the disk a moment later:
//!
//! ```text
//!  keep_node ──written──▶ sync_history ──▶ disk
//! ```
//!
//! After a power failure the log may lack texts that others have. Their counters must not be used
//! again: others would hide everything from there on. So in each start of the machine the counters
//! of own messages begin at a distance from those of before ([`LEFT_OUT`]), and no more messages
//! than fit into it wait for the disk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kamea::{Component, Sink, unblock};
use rusqlite::Connection;

use super::{Log, Result};
use crate::PeerKey;

/// The least number of counters that an author leaves out, if it leaves out any.
pub(crate) const LEFT_OUT: u64 = 1_000;

/// How many texts may not be on the disk yet. The next one waits for it.
const MOST_UNSYNCED: u64 = LEFT_OUT / 2;

/// Tables beside those of the first version.
pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS boot (id TEXT NOT NULL);     -- the start of the machine
    CREATE TABLE IF NOT EXISTS left_out (
        channel INTEGER PRIMARY KEY REFERENCES channel,
        counter INTEGER NOT NULL                            -- own messages have later ones
    );
";

/// The start of the machine: a text that differs for each.
pub(super) fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    // Without it, each start of the program counts as one.
    id.unwrap_or_else(|_| format!("{:?}", kamea::time::wall_clock()))
}

/// Notes the start of the machine. If it is another one, counters are left out from now on.
pub(super) fn note_boot(connection: &mut Connection, me: PeerKey, boot: &str) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM boot WHERE id = ?)";
    if connection.query_row(sql, [boot], |row| row.get(0))? {
        return Ok(());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction()?;
    // Some of them may come back from others, and the distance must be as large then.
    transaction.execute(
        "INSERT INTO left_out (channel, counter)
         SELECT channel, counter + ?1 FROM author WHERE key = ?2
         ON CONFLICT (channel) DO UPDATE SET counter = max(counter, excluded.counter)",
        (2 * LEFT_OUT, me.0),
    )?;
    transaction.execute("DELETE FROM boot", [])?;
    transaction.execute("INSERT INTO boot (id) VALUES (?)", [boot])?;
    transaction.commit()?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(())
}

/// Which texts are on the disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    /// The file that has the latest changes.
    file: PathBuf,
    synced: Arc<AtomicU64>,
}

impl Disk {
    /// For the database at this path.
    pub(super) fn of(database: &Path) -> Self {
        let mut file = database.as_os_str().to_owned();
        file.push("-wal");
        Self {
            file: file.into(),
            synced: Arc::default(),
        }
    }

    /// Whether one more text need not wait, after so many.
    pub(super) fn has_room(&self, written: u64) -> bool {
        written - self.synced.load(Ordering::Relaxed).min(written) < MOST_UNSYNCED
    }

    /// Waits until so many texts are on the disk, as far as they are written.
    pub(super) fn sync(&self, written: u64) -> io::Result<()> {
        File::open(&self.file)?.sync_data()?;
        self.note(written);
        Ok(())
    }

    pub(super) fn note(&self, written: u64) {
        self.synced.fetch_max(written, Ordering::Relaxed);
    }
}

/// Brings texts to the disk: its inbox takes how many there are.
pub(crate) fn sync_history(disk: Option<Disk>) -> impl Component<Sink<u64>> + Send {
    async move |io: &mut Sink<u64>| {
        while let Some(written) = io.inbox.next().await {
            if let Some(disk) = disk.clone() {
                unblock(move || disk.sync(written)).await?;
            }
        }
        Ok(())
    }
}

impl Log {
    /// Where its texts are kept; `None` if that is the memory.
    pub(crate) fn disk(&self) -> Option<Disk> {
        self.disk.clone()
    }

    /// How many texts of this peer were written since the start without waiting for the disk.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::log::tests::Member;
    use crate::{Body, Identity, Message, Policy, Verdict};

    /// Ada's log in a file, at a start of the machine.
    fn ada(folder: &Path, boot: &str) -> Member {
        let identity = Identity::from_secret([1; 32]);
        let path = folder.join("history.sqlite");
        let log = Log::open_at_boot(&path, identity.key(), boot).unwrap();
        Member {
            name: "ada".parse().unwrap(),
            identity,
            log,
        }
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }

    fn counter(message: &Message) -> u64 {
        message.draft().counter
    }

    #[test]
    fn after_a_power_failure_no_counter_is_used_twice() {
        let folder = tempfile::tempdir().unwrap();
        let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
        fs::create_dir(&before).unwrap();
        let mut bob = Member::new(2);
        let mut machine = ada(&before, "first");
        let created = machine.create(Policy::Open);
        let channel = created.channel();
        bob.log.accept(&created).unwrap();
        bob.log.join(channel).unwrap();
        let kept = machine.say(channel, "on the disk");
        // The failure: what was written later is lost. Bob has it.
        copy(&before, &after);
        let lost: Vec<_> = (0..50)
            .map(|number| machine.say(channel, &format!("lost {number}")))
            .collect();
        bob.log.accept(&kept).unwrap();
        bob.log.accept_all(&lost).unwrap();
        drop(machine);

        let mut machine = ada(&after, "second");
        let later = machine.say(channel, "later");
        assert!(counter(&later) > counter(lost.last().unwrap()));
        assert_eq!(bob.log.accept(&later).unwrap(), Verdict::New);
        // What was lost comes back, and then the counters go on without a further distance.
        for message in &lost {
            assert_eq!(machine.log.accept(message).unwrap(), Verdict::New);
        }
        let last = machine.say(channel, "last");
        assert_eq!(counter(&last), counter(&later) + 1);
        assert_eq!(bob.log.accept(&last).unwrap(), Verdict::New);
        assert_eq!(machine.texts(channel), bob.texts(channel));
        assert_eq!(bob.texts(channel).len(), lost.len() + 3);
    }

    #[test]
    fn what_was_lost_may_come_back_before_the_next_text() {
        let folder = tempfile::tempdir().unwrap();
        let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
        fs::create_dir(&before).unwrap();
        let mut machine = ada(&before, "first");
        let channel = machine.create(Policy::Open).channel();
        copy(&before, &after);
        let lost: Vec<_> = (0..MOST_UNSYNCED)
            .map(|_| machine.say(channel, "lost"))
            .collect();
        drop(machine);
        let mut machine = ada(&after, "second");
        machine.log.accept_all(&lost[..100]).unwrap();
        // The rest was sent too, and has not come back.
        let later = machine.say(channel, "later");
        assert!(counter(&later) > counter(lost.last().unwrap()));
    }

    #[test]
    fn a_restart_of_the_program_alone_leaves_out_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = ada(folder.path(), "first");
        let channel = machine.create(Policy::Open).channel();
        let first = machine.say(channel, "first");
        drop(machine);
        let mut machine = ada(folder.path(), "first");
        let second = machine.say(channel, "second");
        assert_eq!(counter(&second), counter(&first) + 1);
    }

    #[test]
    fn too_many_texts_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = ada(folder.path(), "first");
        let channel = machine.create(Policy::Open).channel();
        let disk = machine.log.disk().unwrap();
        let synced = || disk.synced.load(Ordering::Relaxed);
        for _ in 0..MOST_UNSYNCED {
            machine.say(channel, "at once");
        }
        assert_eq!((synced(), machine.log.written()), (0, MOST_UNSYNCED));
        machine.say(channel, "waits");
        assert_eq!(synced(), MOST_UNSYNCED);
        machine.say(channel, "at once");
        assert_eq!(machine.log.written(), MOST_UNSYNCED + 1);
        disk.sync(machine.log.written()).unwrap();
        assert_eq!(synced(), MOST_UNSYNCED + 1);
        // Other messages wait always.
        machine.say(channel, "at once");
        let peer = Identity::from_secret([9; 32]).key();
        let other = machine.create(Policy::Invite).channel();
        machine.write(other, Body::Invite { peer });
        assert_eq!(synced(), machine.log.written());
    }
}
