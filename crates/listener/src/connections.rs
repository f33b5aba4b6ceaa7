//! Who is connected, and who gives a connection up when there is no room left.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::descriptors;

/// Most connections of one listener, however many descriptors there are: each takes 20 KB while it waits.
const MOST: u64 = 20_000;
/// Descriptors that are kept for upstreams, database and files: this many, or half of what there is.
const KEPT: u64 = 1_024;
/// Whoever takes less than this while [`Room::stall`] passes takes nothing in.
const LEAST_TAKEN: u64 = 64 * 1024;

/// How many connections may be open, and for how long one may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Connections at the same time.
    pub connections: usize,
    /// How long the first request's head may take.
    pub head: Duration,
    /// How long a connection is kept for another request. Longer than reverse proxies keep theirs (60 s): else they would
    /// send requests into connections that are being closed.
    pub idle: Duration,
    /// How long a caller may take nothing in of what it asked for.
    pub stall: Duration,
}

impl Room {
    /// What this process has room for, its limit of open files raised as far as it may be.
    pub fn of_this_process() -> Self {
        let room = Self { connections: 0, ..Self::default() };
        let Some(files) = descriptors::raise() else { return Self::default() };
        let connections = usize::try_from(files.saturating_sub(KEPT.min(files / 2)).min(MOST)).unwrap_or(usize::MAX);
        if connections < Self::default().connections / 2 {
            tracing::warn!(
                files,
                connections,
                "few files may be open at a time: raise the limit (ulimit -n, LimitNOFILE)"
            );
        }
        Self { connections, ..room }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self {
            connections: usize::try_from(MOST).unwrap_or(usize::MAX),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(30),
        }
    }
}

/// A socket as its connection sees it.
#[derive(Default)]
pub(super) struct Socket {
    /// It is to be closed.
    closing: Notify,
    /// Bytes that the system has taken.
    pub(super) written: AtomicU64,
    /// More is to be written, and the system takes no more.
    pub(super) blocked: AtomicBool,
}

struct Entry {
    /// Who has it; nobody that is known while a trusted proxy keeps it for later.
    owner: Option<IpAddr>,
    /// Who opened it.
    opener: Option<IpAddr>,
    /// Since when it asks for nothing; `None` while a request is under way.
    silent: Option<Instant>,
    has_asked: bool,
    /// When the peer was last seen taking something in, and how much it had taken by then.
    taken: (Instant, u64),
    socket: Arc<Socket>,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Entry>,
}

/// What one owner has.
#[derive(Default)]
struct Held {
    all: usize,
    silent: usize,
    /// The one that is silent for longest.
    longest: Option<(Instant, u64)>,
    /// The one that was opened first.
    first: Option<u64>,
}

/// The open connections of a listener.
pub struct Connections {
    room: Room,
    table: Mutex<Table>,
}

impl Connections {
    /// Nobody is connected yet. From now on the silent ones are looked after; must run inside a runtime.
    pub fn new(room: Room) -> Arc<Self> {
        let connections = Arc::new(Self { room, table: Mutex::default() });
        let pause = room.head.min(room.stall).min(room.idle) / 4;
        tokio::spawn(sweep(
            Arc::downgrade(&connections),
            pause.clamp(Duration::from_millis(5), Duration::from_secs(1)),
        ));
        connections
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it is locked.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.table().open.len()
    }

    /// Lets one more in; when there is no room left, another one is closed for it, or this one is refused (`None`): then
    /// nobody has more than `owner`, and all of them are being answered. `None` as owner: a proxy that is trusted.
    pub fn admit(self: &Arc<Self>, owner: Option<IpAddr>) -> Option<Seat> {
        let mut table = self.table();
        if table.open.len() >= self.room.connections {
            let victim = table.victim(owner)?;
            table.close(victim);
        }
        let socket = Arc::new(Socket::default());
        let (id, now) = (table.next, Instant::now());
        table.next += 1;
        let entry = Entry {
            owner,
            opener: owner,
            silent: Some(now),
            has_asked: false,
            taken: (now, 0),
            socket: socket.clone(),
        };
        table.open.insert(id, entry);
        Some(Seat { connections: self.clone(), id, socket })
    }

    /// Closes one that is silent, when there is one: the system has no room left.
    pub(super) fn make_room(&self) {
        let mut table = self.table();
        if let Some(victim) = table.silent_victim(&table.held()) {
            table.close(victim);
        }
    }

    fn close_overdue(&self) {
        let now = Instant::now();
        let mut table = self.table();
        let overdue: Vec<u64> =
            table.open.iter_mut().filter_map(|(id, entry)| entry.is_overdue(&self.room, now).then_some(*id)).collect();
        for id in overdue {
            table.close(id);
        }
    }
}

/// Closes what is silent for too long, for as long as there is somebody who lets connections in.
async fn sweep(connections: Weak<Connections>, pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        match connections.upgrade() {
            Some(connections) => connections.close_overdue(),
            None => return,
        }
    }
}

impl Entry {
    fn is_blocked(&self) -> bool {
        self.socket.blocked.load(Ordering::Relaxed)
    }

    /// Since when it asks for nothing and owes nothing: what was answered may not be sent yet.
    fn silent(&self) -> Option<Instant> {
        self.silent.filter(|_| !self.is_blocked())
    }

    fn is_overdue(&mut self, room: &Room, now: Instant) -> bool {
        let (since, taken) = self.taken;
        let written = self.socket.written.load(Ordering::Relaxed);
        if !self.is_blocked() || written - taken >= LEAST_TAKEN {
            self.taken = (now, written);
        } else if now.saturating_duration_since(since) >= room.stall {
            return true;
        }
        let limit = if self.has_asked { room.idle } else { room.head };
        self.silent().is_some_and(|since| now.saturating_duration_since(since) >= limit)
    }
}

impl Table {
    fn close(&mut self, id: u64) {
        if let Some(entry) = self.open.remove(&id) {
            entry.socket.closing.notify_one();
        }
    }

    fn held(&self) -> HashMap<Option<IpAddr>, Held> {
        let mut owners = HashMap::<Option<IpAddr>, Held>::new();
        for (id, entry) in &self.open {
            let held = owners.entry(entry.owner).or_default();
            held.all += 1;
            held.first = Some(held.first.map_or(*id, |first| first.min(*id)));
            if let Some(since) = entry.silent() {
                held.silent += 1;
                let this = (since, *id);
                held.longest = Some(held.longest.map_or(this, |longest| longest.min(this)));
            }
        }
        owners
    }

    /// The oldest silent one of whoever has most of them; those of proxies last.
    fn silent_victim(&self, owners: &HashMap<Option<IpAddr>, Held>) -> Option<u64> {
        let of_callers = owners.iter().filter(|(owner, held)| owner.is_some() && held.silent > 0);
        let most = of_callers.max_by_key(|(_, held)| held.silent).map(|(_, held)| held);
        most.or_else(|| owners.get(&None)).and_then(|held| held.longest).map(|(_, id)| id)
    }

    /// Who goes for a newcomer: a silent one, else the oldest one of whoever has more than the newcomer.
    fn victim(&self, newcomer: Option<IpAddr>) -> Option<u64> {
        let owners = self.held();
        if let Some(silent) = self.silent_victim(&owners) {
            return Some(silent);
        }
        let of_callers = owners.iter().filter(|(owner, _)| owner.is_some());
        let most = of_callers.max_by_key(|(_, held)| held.all).map(|(_, held)| held)?;
        let own = newcomer.and_then(|_| owners.get(&newcomer)).map_or(0, |held| held.all);
        most.first.filter(|_| own < most.all)
    }
}

/// A connection's place among the others; dropped with it.
pub struct Seat {
    connections: Arc<Connections>,
    id: u64,
    pub(super) socket: Arc<Socket>,
}

impl Seat {
    /// Ready when the connection must be closed: it is silent for too long, takes nothing in, or somebody else needs the
    /// place.
    pub async fn is_over(&self) {
        self.socket.closing.notified().await;
    }

    /// A request has come; it is under way until what this gives is dropped.
    pub fn asks(self: &Arc<Self>, owner: Option<IpAddr>) -> Asking {
        if let Some(entry) = self.connections.table().open.get_mut(&self.id) {
            let written = self.socket.written.load(Ordering::Relaxed);
            (entry.owner, entry.silent, entry.has_asked) = (owner, None, true);
            entry.taken = (Instant::now(), written);
        }
        Asking(self.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.table().open.remove(&self.id);
    }
}

/// A request that is under way, its answer included.
pub struct Asking(Arc<Seat>);

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(entry) = self.0.connections.table().open.get_mut(&self.0.id) {
            (entry.owner, entry.silent) = (entry.opener, Some(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn caller(number: u8) -> Option<IpAddr> {
        Some(IpAddr::from([203, 0, 113, number]))
    }

    fn room(connections: usize) -> Arc<Connections> {
        Connections::new(Room { connections, ..Room::default() })
    }

    fn is_over(seat: &Arc<Seat>) -> bool {
        !seat.connections.table().open.contains_key(&seat.id)
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_most_silent_ones_gives_the_oldest_up() {
        let connections = room(4);
        let sit = |number| Arc::new(connections.admit(caller(number)).unwrap());
        let honest = sit(1);
        let greedy = [sit(2), sit(2), sit(2)];
        let newcomer = sit(3);
        assert!(is_over(&greedy[0]) && !is_over(&honest) && !is_over(&newcomer));
        tokio::time::timeout(Duration::from_secs(1), greedy[0].is_over()).await.unwrap();
        // Even its own newer ones.
        let _newer = sit(2);
        assert!(is_over(&greedy[1]) && !is_over(&greedy[2]) && connections.count() == 4);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_answered_gives_up_only_to_who_has_less() {
        let connections = room(3);
        let sit = |number| connections.admit(caller(number)).map(Arc::new);
        let waits: Vec<_> = (0..3).map(|_| sit(1).unwrap()).collect();
        let asking: Vec<_> = waits.iter().map(|seat| seat.asks(caller(1))).collect();
        assert!(sit(1).is_none(), "nobody has more than the newcomer, and all are being answered");
        let other = sit(2).unwrap();
        assert!(is_over(&waits[0]) && !is_over(&waits[1]));
        // The one that is silent goes first, whoever comes.
        let _third = sit(1).unwrap();
        assert!(is_over(&other) && !is_over(&waits[1]) && !is_over(&waits[2]));
        drop(asking);
    }

    #[tokio::test(start_paused = true)]
    async fn connections_of_a_proxy_are_those_of_its_callers() {
        let connections = room(4);
        let sit = |owner| Arc::new(connections.admit(owner).unwrap());
        let proxied: Vec<_> = (0..3).map(|_| sit(None)).collect();
        let direct = sit(caller(9));
        let _one = sit(None);
        assert!(is_over(&direct), "the proxy's idle ones are the last of the silent");
        let (_a, _b) = (proxied[0].asks(caller(1)), proxied[1].asks(caller(1)));
        let _c = proxied[2].asks(caller(2));
        let _d = _one.asks(caller(3));
        let _another = sit(None);
        assert!(is_over(&proxied[0]) && !is_over(&proxied[2]), "caller 1 has most");
    }

    #[tokio::test(start_paused = true)]
    async fn the_silent_and_the_stalled_are_closed_and_the_others_are_not() {
        let connections = room(9);
        let sit = || Arc::new(connections.admit(caller(1)).unwrap());
        let (silent, kept, waits, stalled, slow) = (sit(), sit(), sit(), sit(), sit());
        drop(kept.asks(caller(1)));
        let _asking = [&waits, &stalled, &slow].map(|seat| seat.asks(caller(1)));
        for seat in [&stalled, &slow] {
            seat.socket.blocked.store(true, Ordering::Relaxed);
        }
        for _ in 0..70 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            slow.socket.written.fetch_add(LEAST_TAKEN / 20, Ordering::Relaxed);
        }
        let over = [&silent, &kept, &waits, &stalled, &slow].map(is_over);
        assert_eq!(over, [true, false, false, true, false]);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(is_over(&kept) && !is_over(&waits));
    }
}
