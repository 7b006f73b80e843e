//! The DataVolumes of our Machines on a cluster, by which CDI fills disks. I/O: one watch on the cluster.
//!
//! A cluster need not have CDI, and may get it later: nothing of this ends the connection. Where there is none it is asked
//! again now and then, and soon once a Machine wants one.

use std::time::Duration;

use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::{Api, Client};
use model::names::ClusterName;
use runtime::clusters::{code, explain};
use runtime::listing::{Listing, Step};
use runtime::pause::{Tries, spread};
use runtime::watcher;
use tokio::sync::{Notify, watch};

use crate::disks::{data_volumes, read_data_volume};
use crate::index::weigh;
use crate::objects::{MachineUid, ObjectKey, Record, key_of, owner_of};
use crate::remote_object::RemoteObject;

/// How long what was refused or is absent waits before it is asked again, and at least if a Machine wants it.
const LATER: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(5);

/// Whether a cluster's DataVolumes are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Served {
    /// They were not listed; the sentence says why, once there was an answer.
    #[default]
    Unasked,
    /// There was an answer, and it was none.
    Unknown(String),
    /// We may not see them; the sentence says what it takes.
    Refused(String),
    /// There is no such kind.
    Missing,
    /// They are in the index.
    Listed,
}

/// What is known of CDI on one cluster.
#[derive(Debug)]
pub struct Cdi {
    served: watch::Sender<Served>,
    wanted: Notify,
}

impl Default for Cdi {
    fn default() -> Self {
        Self { served: watch::Sender::new(Served::Unasked), wanted: Notify::new() }
    }
}

/// One DataVolume, as far as it is kept.
pub type Kept = (ObjectKey, Option<MachineUid>, Record);

impl Cdi {
    /// What is known now.
    pub fn known(&self) -> Served {
        self.served.borrow().clone()
    }

    /// A Machine wants a disk filled: it is asked again soon where there was no CDI.
    pub fn want(&self) {
        if self.known() != Served::Listed {
            self.wanted.notify_one();
        }
    }

    /// Waits for the first answer, whatever it is.
    pub async fn answered(&self) {
        // The sender lives as long as this.
        let _ = self.served.subscribe().wait_for(|served| *served != Served::Unasked).await;
    }

    /// Follows them, and never ends. `take` takes in what a watch shows.
    pub async fn follow(
        &self,
        client: Client,
        name: &ClusterName,
        selected: watcher::Config,
        take: impl Fn(Step<Kept>) -> Result<(), String>,
    ) {
        self.served.send_replace(Served::Unasked);
        loop {
            let ended = self.watch(client.clone(), selected.clone(), &take).await;
            if ended == Served::Missing {
                // What was there went with its kind.
                if let Err(why) = take(Step::Listed(Vec::new())) {
                    tracing::warn!(kubevirtConfig = %name, reason = why, "the DataVolumes of the cluster are not known");
                }
            } else {
                tracing::warn!(kubevirtConfig = %name, reason = ?ended, "the DataVolumes of the cluster are not known");
            }
            self.served.send_replace(ended);
            tokio::select! {
                () = tokio::time::sleep(spread(LATER, &name.0)) => {}
                () = async { tokio::join!(self.wanted.notified(), tokio::time::sleep(SOON)); } => {}
            }
        }
    }

    /// One watch, to its end: what is known then.
    async fn watch(
        &self,
        client: Client,
        selected: watcher::Config,
        take: &impl Fn(Step<Kept>) -> Result<(), String>,
    ) -> Served {
        let objects: Api<RemoteObject> = Api::all_with(client, &data_volumes());
        let asked = format!("list and watch {}", objects.resource_url());
        let mut events = watcher(objects, selected).backoff(Tries::default()).boxed();
        let mut listing =
            Listing::weighing(|(key, owner, record): &Kept| weigh(key, owner.as_deref().unwrap_or_default(), record));
        let read = |object: &RemoteObject| {
            (key_of(object), owner_of(object), Record::DataVolume(Box::new(read_data_volume(object))))
        };
        while let Some(event) = events.next().await {
            let step = match event {
                Ok(event) => listing.take(&event, read),
                Err(why) => match code(&why) {
                    Some(404) => return Served::Missing,
                    Some(403) => return Served::Refused(explain(&why, &asked)),
                    _ => {
                        // It is tried again by itself; what was listed stays known.
                        let why = Served::Unknown(explain(&why, &asked));
                        self.served.send_if_modified(|served| {
                            let news = *served != Served::Listed && *served != why;
                            if news {
                                *served = why;
                            }
                            news
                        });
                        continue;
                    }
                },
            };
            let taken = step.and_then(|step| {
                let complete = matches!(step, Some(Step::Listed(_)));
                step.map_or(Ok(()), take).map(|()| complete)
            });
            match taken {
                Ok(true) => drop(self.served.send_replace(Served::Listed)),
                Ok(false) => {}
                Err(why) => return Served::Unknown(why),
            }
        }
        Served::Unknown("the watch ended".to_owned())
    }
}
