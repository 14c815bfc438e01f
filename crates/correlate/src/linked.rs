//! The KMS events that the products name where what is behind a call may be another now.

use trailweave_lake::read::Keys;

use crate::events::{IdColumn, Text};
use crate::id::Room;
use crate::rows::Rows;

/// The KMS events that `correlated` gave.
#[derive(Debug, Default)]
pub(crate) struct Linked {
    pub(crate) ids: Keys,
    /// The objects of those that have no id.
    pub(crate) objects: Keys,
}

impl Linked {
    pub(crate) fn len(&self) -> usize {
        self.ids.len() + self.objects.len()
    }

    /// Adds the events of rows of `correlated`, each told by its `kms_event_id` and `kms_source_object`.
    pub(crate) fn extend(&mut self, rows: Vec<[Option<String>; 2]>) {
        for row in rows {
            match row {
                [Some(id), _] => self.ids.insert(&id),
                [None, Some(object)] => self.objects.insert(&object),
                [None, None] => false,
            };
        }
    }

    pub(crate) fn has(&self, rows: &Rows<'_>, row: u32) -> bool {
        if self.len() == 0 {
            return false;
        }
        match rows.id(IdColumn::Event, row as usize) {
            Some(id) => self.ids.contains(id.text(&mut [0; size_of::<Room>()])),
            None => rows.text(Text::SourceObject, row as usize).is_some_and(|it| self.objects.contains(it)),
        }
    }
}
