//! A slab whose keys carry a generation, so that a stale key finds nothing.
//!
//! Must not know what it stores, nor when a value may be removed: that is its owner's rule.
//!
//! Invariant: two values that were ever in the table have different keys.

use slab::Slab;

use crate::Key;

/// Dense storage under generational [`Key`]s. All operations take constant time.
#[derive(Debug)]
pub struct Table<T> {
    entries: Slab<Entry<T>>,
    /// One counter for all slots: the slab hands out a freed index at once, and the counter
    /// makes the new key differ without a memory of what each free slot was called last.
    next_generation: u32,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: T,
}

impl<T> Table<T> {
    /// An empty table; allocates nothing yet.
    pub fn new() -> Self {
        Self { entries: Slab::new(), next_generation: 0 }
    }

    /// Stores `value` and names it.
    pub fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// Stores the value that `make` builds from the key it will have.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let generation = self.next_generation;
        self.next_generation = generation.wrapping_add(1);
        let vacant = self.entries.vacant_entry();
        let key = Key::new(vacant.key(), generation);
        vacant.insert(Entry { generation, value: make(key) });
        key
    }

    /// Takes the value out; `None` when the key is stale.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        Some(self.entries.remove(key.index()).value)
    }

    /// The value, to be changed; `None` when the key is stale.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.entries
            .get_mut(key.index())
            .filter(|entry| entry.generation == key.generation())
            .map(|entry| &mut entry.value)
    }

    /// The value; `None` when the key is stale.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.entries.get(key.index()).filter(|entry| entry.generation == key.generation()).map(|entry| &entry.value)
    }

    /// Whether the key still names a value.
    pub fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// How many values are stored.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All keys, in the order of their slots.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.iter().map(|(key, _)| key)
    }

    /// All values with their keys, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter().map(|(index, entry)| (Key::new(index, entry.generation), &entry.value))
    }

    /// All values, to be changed, with their keys, in the order of their slots.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.entries.iter_mut().map(|(index, entry)| (Key::new(index, entry.generation), &mut entry.value))
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slab_hands_out_a_freed_key_at_once() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        slab.remove(first);
        assert_eq!(slab.insert('b'), first);
    }

    #[test]
    fn a_reused_slot_gets_a_different_key() {
        let mut table = Table::new();
        let old = table.insert('a');
        assert_eq!(table.remove(old), Some('a'));
        let new = table.insert('b');

        assert_eq!(new.index(), old.index());
        assert_ne!(new, old);
        assert_eq!(table.get(new), Some(&'b'));
    }

    #[test]
    fn a_stale_key_is_a_no_op() {
        let mut table = Table::new();
        let old = table.insert('a');
        table.remove(old);
        table.insert('b');

        assert_eq!(table.get(old), None);
        assert_eq!(table.get_mut(old), None);
        assert_eq!(table.remove(old), None);
        assert!(!table.contains(old));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_value_may_know_its_own_key() {
        let mut table = Table::new();
        table.insert_with(|key| key);
        let second = table.insert_with(|key| key);
        assert_eq!(table.get(second), Some(&second));
    }

    #[test]
    fn iteration_yields_keys_that_find_their_values() {
        let mut table = Table::new();
        let keys: Vec<Key> = (0..5).map(|value| table.insert(value)).collect();
        table.remove(keys[2]);

        for (_, value) in table.iter_mut() {
            *value *= 10;
        }

        let found: Vec<Key> = table.keys().collect();
        assert_eq!(found, [keys[0], keys[1], keys[3], keys[4]]);
        for (key, value) in table.iter() {
            assert_eq!(table.get(key), Some(value));
            assert_eq!(value % 10, 0);
        }
    }
}
