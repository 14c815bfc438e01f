//! The flows: what AWS logs when something happens to instances, volumes and snapshots.

pub(crate) mod attach;
pub(crate) mod calls;
pub(crate) mod decoy;
pub(crate) mod external;
pub(crate) mod launch;
pub(crate) mod legacy;
pub(crate) mod lifecycle;
pub(crate) mod role;
pub(crate) mod session;
pub(crate) mod snapshot;
pub(crate) mod volume;

use crate::world::Key;

/// An encrypted EBS volume.
#[derive(Clone)]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) key: Key,
}

/// A volume at an instance, and the grant that lets the instance use it while it runs.
pub(crate) struct Attached {
    pub(crate) volume: Volume,
    pub(crate) device: String,
    pub(crate) grant: Option<Grant>,
}

/// An instance with its encrypted volumes.
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) volumes: Vec<Attached>,
    /// Grants to the EC2 service of its launch that nothing has retired yet.
    pub(crate) service_grants: Vec<Grant>,
    /// True if the corpus has an EC2 event that made it run.
    pub(crate) started_here: bool,
}

/// A grant for a volume or snapshot.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) key: Key,
    /// The volume or snapshot to which it is limited.
    pub(crate) holder: String,
    pub(crate) instance: Option<String>,
}

impl Instance {
    /// An instance without volumes that has just been launched.
    pub(crate) fn launched(id: String) -> Self {
        Self { id, volumes: Vec::new(), service_grants: Vec::new(), started_here: true }
    }
}
